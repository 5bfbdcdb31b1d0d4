"""Markdown, for a pull request or an issue: short, and collapsed where it is long."""

from collections.abc import Iterator

from shadow_operator.report import summary, tables
from shadow_operator.report.model import Report
from shadow_operator.report.tables import Table

_ESCAPED = str.maketrans({char: f"\\{char}" for char in "\\`*_[]<>|#~"})


def markdown(report: Report) -> str:
    """Write the report as GitHub's Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    word, message = tables.verdict(report)
    yield f"## {_text(tables.title(report))}"
    yield ""
    yield f"**{_text(word)}**: {_text(message)}"
    yield ""
    yield from _fenced(summary.lines(report))
    for table in tables.tables(report):
        yield from _folded(table.title, _table(table))
    if report.differences:
        yield from _folded("Differences", _differences(report))
    yield from _folded("Configuration", _configuration(report))
    yield from _folded("How it was measured", (f"- {_text(one)}" for one in report.method))
    yield from _folded("Limits", (f"- {_text(one)}" for one in report.limits))


def _table(table: Table) -> Iterator[str]:
    if table.note:
        yield _text(table.note)
        yield ""
    yield _row(table.columns)
    yield _row(("---",) * len(table.columns), raw=True)
    yield from map(_row, table.rows)


def _row(cells: tuple[str, ...], *, raw: bool = False) -> str:
    return f"| {' | '.join(cell if raw else _text(cell) for cell in cells)} |"


def _differences(report: Report) -> Iterator[str]:
    for one in tables.differences(report):
        yield f"- {_text(one.heading)}: {_text(one.says)}"
        if one.rule:
            yield ""
            yield f"  {one.advice}"
            yield ""
            yield from (f"  {line}" for line in _fenced([one.rule], "yaml"))


def _configuration(report: Report) -> Iterator[str]:
    yield from (f"- {name}: {_text(value)}" for name, value in tables.identity(report))
    yield ""
    yield from _fenced(tables.spec_yaml(report).rstrip().splitlines(), "yaml")


def _folded(title: str, lines: Iterator[str]) -> Iterator[str]:
    opened = " open" if title == "Validation" else ""
    yield f"<details{opened}><summary>{_text(title)}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"
    yield ""


def _fenced(lines: Iterator[str] | list[str], language: str = "text") -> Iterator[str]:
    """Fence a block; the fence is longer than any inside of it."""
    kept = list(lines)
    fence = "`" * max(3, 1 + max((_ticks(line) for line in kept), default=0))
    yield f"{fence}{language}"
    yield from kept
    yield fence


def _ticks(line: str) -> int:
    return max(
        (len(run) for run in "".join(c if c == "`" else " " for c in line).split()), default=0
    )


def _text(text: str) -> str:
    return " ".join(text.translate(_ESCAPED).split())
