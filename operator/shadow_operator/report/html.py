"""HTML: one file that loads nothing, to be read on a screen or on paper."""

from collections.abc import Iterable
from html import escape
from typing import Final

from shadow_operator.api.enums import Decision
from shadow_operator.report import summary, tables
from shadow_operator.report.drawing import BAD, GOOD, INK, MUTED, OPEN, svg
from shadow_operator.report.model import Report
from shadow_operator.report.pictures import pictures
from shadow_operator.report.tables import Table

COLOURS: Final = {
    Decision.PROCEED_TO_CANARY: GOOD,
    Decision.INVESTIGATE: BAD,
    Decision.EXTEND_SHADOW: OPEN,
}
_SIGNS: Final = {tables.YES: "yes", tables.NO: "no", tables.OPEN: "open", tables.NONE: "none"}
_SHORT: Final = frozenset(
    {
        "gate",
        "source",
        "check",
        "layer",
        "observed",
        "must be",
        "bound",
        "samples",
        "pairs",
        "number",
    }
)
"""Columns whose cells stay on one line."""

_STYLE: Final = f"""
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
body {{ font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", Helvetica, Arial, sans-serif;
  color: {INK}; background: #fff; max-width: 1080px; margin: 0 auto; padding: 28px 20px 60px; }}
h1 {{ font-size: 26px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }}
h2 {{ font-size: 19px; margin: 34px 0 10px; padding-bottom: 4px; border-bottom: 1px solid #d8dee4;
  break-after: avoid; }}
.verdict {{ border-left: 6px solid; padding: 8px 14px; margin: 14px 0; background: #f6f8fa; }}
.verdict b {{ font-size: 18px; display: block; }}
table {{ border-collapse: collapse; width: 100%; font-size: 13px; margin: 8px 0; }}
th, td {{ text-align: left; vertical-align: top; padding: 5px 8px; border-bottom: 1px solid #e6eaef;
  overflow-wrap: anywhere; }}
th {{ color: {MUTED}; font-weight: 600; white-space: nowrap; }}
td.s {{ white-space: nowrap; font-variant-numeric: tabular-nums; }}
.wide {{ overflow-x: auto; }}
thead {{ display: table-header-group; }}
tr, figure, .difference {{ break-inside: avoid; }}
.yes {{ color: {GOOD}; font-weight: 700; }} .no {{ color: {BAD}; font-weight: 700; }}
.open {{ color: {OPEN}; font-weight: 700; }} .none {{ color: {MUTED}; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px; margin: 8px 0; }}
dt {{ color: {MUTED}; }} dd {{ margin: 0; overflow-wrap: anywhere; }}
pre {{ font: 12.5px/1.45 ui-monospace, Menlo, "DejaVu Sans Mono", monospace; background: #f6f8fa;
  border: 1px solid #e6eaef; border-radius: 6px; padding: 10px 12px; white-space: pre-wrap;
  overflow-wrap: anywhere; margin: 6px 0; }}
.pictures {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr));
  gap: 14px 22px; }}
figure {{ margin: 0; }} figure svg {{ width: 100%; height: auto; display: block; }}
figcaption, .note, .says {{ color: {MUTED}; font-size: 13px; }}
.difference {{ margin: 12px 0; }} .difference b {{ overflow-wrap: anywhere; }}
li {{ margin: 3px 0; }}
@page {{ size: A4 landscape; margin: 12mm; }}
@media print {{ body {{ max-width: none; padding: 0; font-size: 10.5pt; }}
  table {{ font-size: 8pt; }} .wide {{ overflow: visible; }}
  .verdict, pre {{ background: none; }}
  .pictures {{ grid-template-columns: 1fr 1fr; }} }}
"""


def html(report: Report) -> str:
    """Write the report as one HTML file."""
    title = escape(tables.title(report))
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    body = "\n".join(_body(report))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    )


def _body(report: Report) -> Iterable[str]:
    word, message = tables.verdict(report)
    colour = COLOURS.get(report.summary.decision, MUTED) if report.summary.decision else MUTED
    yield (
        f'<div class="verdict" style="border-color:{colour}"><b style="color:{colour}">'
        f"{escape(word)}</b>{escape(message)}</div>"
    )
    yield f"<pre>{escape(chr(10).join(summary.lines(report)))}</pre>"
    for table in (tables.greens(report), tables.records(report), tables.gates(report)):
        yield _table(table)
    drawn = pictures(report)
    if drawn:
        yield "<h2>Pictures</h2>"
        figures = "\n".join(
            f"<figure>{svg(one)}<figcaption>{escape(one.caption)}</figcaption></figure>"
            for one in drawn
        )
        yield f'<div class="pictures">\n{figures}\n</div>'
    yield from _differences(report)
    for table in (tables.routes(report), tables.layers(report), tables.counts(report)):
        yield _table(table)
    yield "<h2>Configuration</h2>"
    yield _pairs(tables.identity(report))
    yield f"<pre>{escape(tables.spec_yaml(report).rstrip())}</pre>"
    yield _list("How it was measured", report.method)
    yield _list("Limits", report.limits)


def _table(table: Table) -> str:
    if not table.rows:
        return ""
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "\n".join(f"<tr>{''.join(map(_cell, table.columns, row))}</tr>" for row in table.rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f"<h2>{escape(table.title)}</h2>{note}\n"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>'
        "</div>"
    )


def _cell(column: str, text: str) -> str:
    if not column and text in _SIGNS:
        return f'<td class="{_SIGNS[text]}">{text}</td>'
    short = ' class="s"' if column in _SHORT else ""
    return f"<td{short}>{escape(text)}</td>"


def _differences(report: Report) -> Iterable[str]:
    if report.differences:
        yield "<h2>Differences</h2>"
    for one in tables.differences(report):
        sign = "no" if one.counts else "none"
        rule = (
            f'<div class="says">{escape(one.advice)}</div><pre>{escape(one.rule)}</pre>'
            if one.rule
            else ""
        )
        yield (
            f'<div class="difference"><b class="{sign}">{escape(one.heading)}</b>'
            f'<div class="says">{escape(one.says)}</div>{rule}</div>'
        )


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    inside = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
    return f"<dl>{inside}</dl>"


def _list(title: str, sentences: Iterable[str]) -> str:
    inside = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<h2>{escape(title)}</h2>\n<ul>{inside}</ul>"
