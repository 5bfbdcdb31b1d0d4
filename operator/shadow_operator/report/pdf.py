"""PDF, A4 across, to be shown in a meeting or printed. Only this form needs reportlab."""

from collections.abc import Iterator
from importlib.resources import as_file, files
from io import BytesIO
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    KeepTogether,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from shadow_operator.report import summary, tables
from shadow_operator.report.drawing import BAD, GOOD, GRID, INK, MUTED, OPEN, Area, Label, Line
from shadow_operator.report.drawing import Picture as Drawn
from shadow_operator.report.html import COLOURS
from shadow_operator.report.model import Report
from shadow_operator.report.pictures import pictures

_FONT, _BOLD = "DejaVuSans", "DejaVuSans-Bold"
_PAGE: Final = landscape(A4)
_MARGIN: Final = 14 * mm
_WIDTH: Final = _PAGE[0] - 2 * _MARGIN
_PALE: Final = "#f6f8fa"
_SIGNS: Final = {tables.YES: GOOD, tables.NO: BAD, tables.OPEN: OPEN, tables.NONE: MUTED}

_WIDTHS: Final[dict[str, tuple[float, ...]]] = {
    "Gates": (4, 31, 24, 22, 18, 19, 25, 20, 106),
    "Validation": (4, 55, 210),
    "Records": (38, 55, 24, 112, 40),
    "Layers": (4, 45, 220),
    "Routes": (4, 95, 20, 32, 20, 98),
    "Counts": (90, 30),
}
"""In millimetres."""


def _style(size: float, **more: Any) -> ParagraphStyle:
    values: dict[str, Any] = {
        "fontName": _FONT,
        "fontSize": size,
        "leading": 1.32 * size,
        "textColor": HexColor(INK),
        "splitLongWords": True,
    }
    return ParagraphStyle(f"s{size}", **(values | more))


_BODY: Final = _style(9)
_CELL: Final = _style(7.5)
_HEAD: Final = _style(7.5, fontName=_BOLD, textColor=HexColor(MUTED))
_QUIET: Final = _style(7.5, textColor=HexColor(MUTED))
_TITLE: Final = _style(18, fontName=_BOLD, spaceAfter=4)
_HEADING: Final = _style(12, fontName=_BOLD, spaceBefore=12, spaceAfter=4, keepWithNext=True)
_ITEM: Final = _style(9, bulletFontName=_FONT, bulletFontSize=9, leftIndent=12, spaceAfter=2)
_BOX: Final = _style(
    7.5,
    backColor=HexColor(_PALE),
    borderPadding=4,
    leftIndent=4,
    rightIndent=4,
    spaceBefore=5,
    spaceAfter=7,
)


def pdf(report: Report) -> bytes:
    """Write the report as PDF."""
    _register()
    buffer = BytesIO()
    document = BaseDocTemplate(
        buffer, pagesize=_PAGE, title=tables.title(report), author="shadow-operator"
    )

    def foot(canvas: Canvas, _: Any) -> None:
        canvas.setFont(_FONT, 7)
        canvas.setFillColor(HexColor(MUTED))
        made = dict(tables.identity(report))["Report made"]
        canvas.drawString(_MARGIN, 9 * mm, f"{tables.title(report)}, made {made}"[:150])
        canvas.drawRightString(_PAGE[0] - _MARGIN, 9 * mm, f"page {canvas.getPageNumber()}")

    height = _PAGE[1] - 2 * _MARGIN - 3 * mm
    frame = Frame(_MARGIN, _MARGIN + 3 * mm, _WIDTH, height, *(0, 0, 0, 0))
    document.addPageTemplates(PageTemplate(frames=[frame], onPage=foot))
    document.build(list(_story(report)))
    return buffer.getvalue()


def _register() -> None:
    if _FONT in pdfmetrics.getRegisteredFontNames():
        return
    for name in (_FONT, _BOLD):
        with as_file(files("shadow_operator.report") / "fonts" / f"{name}.ttf") as path:
            pdfmetrics.registerFont(TTFont(name, str(path)))
    pdfmetrics.registerFontFamily(_FONT, normal=_FONT, bold=_BOLD, italic=_FONT, boldItalic=_BOLD)


def _story(report: Report) -> Iterator[Flowable]:
    yield Paragraph(escape(tables.title(report)), _TITLE)
    yield _verdict(report)
    yield Spacer(0, 8)
    yield _log(report)
    yield from _table(tables.greens(report))
    yield from _table(tables.records(report))
    if report.gates:
        yield PageBreak()
    yield from _table(tables.gates(report))
    yield from _pictures(report)
    yield from _differences(report)
    for table in (tables.routes(report), tables.layers(report), tables.counts(report)):
        yield from _table(table)
    yield Paragraph("Configuration", _HEADING)
    yield _pairs(tables.identity(report), 38)
    yield Spacer(0, 6)
    yield Paragraph(_lines(tables.spec_yaml(report).rstrip()), _BOX)
    for title, sentences in (
        ("How it was measured", report.method),
        ("Limits", report.limits),
    ):
        yield Paragraph(title, _HEADING)
        yield from (Paragraph(escape(one), _ITEM, bulletText="\u2022") for one in sentences)


def _verdict(report: Report) -> Flowable:
    word, message = tables.verdict(report)
    decision = report.summary.decision
    colour = HexColor(COLOURS[decision] if decision else MUTED)
    cells = [
        [Paragraph(escape(word), _style(14, fontName=_BOLD, textColor=colour))],
        [Paragraph(escape(message), _BODY)],
    ]
    style = TableStyle(
        [
            ("BACKGROUND", (0, 0), (-1, -1), HexColor(_PALE)),
            ("LINEBEFORE", (0, 0), (0, -1), 4, colour),
            ("LEFTPADDING", (0, 0), (-1, -1), 9),
            ("BOTTOMPADDING", (0, -1), (-1, -1), 7),
        ]
    )
    return Table(cells, colWidths=[_WIDTH], style=style)


def _log(report: Report) -> Flowable:
    """Give the runbook's migration log, with room to write."""
    left = [*summary.fields(report), *summary.results(report)]
    boxes = "<br/>".join(
        f"[{'x' if checked else '&nbsp;&nbsp;'}] {f'<b>{text}</b>' if checked else text}"
        for checked, text in summary.boxes(report)
    )
    noted = len(report.records)
    notes = f"{noted}, see Records" if noted else "<br/>".join(["_" * 48] * 3)
    right = [
        [Paragraph("Decision", _HEAD), Paragraph(boxes, _BODY)],
        [Paragraph("Operator Notes", _HEAD), Paragraph(notes, _style(9, leading=18))],
    ]
    half = _WIDTH / 2
    cells: list[list[Any]] = [
        [
            Paragraph(f"<b>{summary.TITLE}</b>", _BODY),
            "",
        ],
        [
            _pairs(left, 38, width=half - 4 * mm),
            Table(right, colWidths=[32 * mm, half - 36 * mm], style=_TOP),
        ],
    ]
    return Table(cells, colWidths=[half, half], style=_TOP, hAlign="LEFT")


_TOP: Final = TableStyle(
    [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 14),
    ]
)


def _pairs(
    pairs: tuple[tuple[str, str], ...] | list[tuple[str, str]], name: float, width: float = _WIDTH
) -> Flowable:
    cells = [[Paragraph(escape(n), _HEAD), Paragraph(escape(v), _BODY)] for n, v in pairs]
    style = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]
    style += [("TOPPADDING", (0, 0), (-1, -1), 1), ("BOTTOMPADDING", (0, 0), (-1, -1), 1)]
    widths = [name * mm, width - name * mm]
    return Table(cells, colWidths=widths, style=TableStyle(style), hAlign="LEFT")


def _table(table: tables.Table) -> Iterator[Flowable]:
    if not table.rows:
        return
    yield CondPageBreak(32 * mm)
    yield Paragraph(table.title, _HEADING)
    if table.note:
        yield Paragraph(escape(table.note), _QUIET)
    cells = [
        [Paragraph(escape(column), _HEAD) for column in table.columns],
        *([_cell(text) for text in row] for row in table.rows),
    ]
    style = TableStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, HexColor(GRID)),
            ("LEFTPADDING", (0, 0), (-1, -1), 2),
            ("RIGHTPADDING", (0, 0), (-1, -1), 4),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ]
    )
    widths = [width * mm for width in _WIDTHS[table.title]]
    yield Table(cells, colWidths=widths, repeatRows=1, style=style, hAlign="LEFT", splitInRow=1)


def _cell(text: str) -> Paragraph:
    if text in _SIGNS:
        return Paragraph(text, _style(7.5, fontName=_BOLD, textColor=HexColor(_SIGNS[text])))
    return Paragraph(escape(text), _CELL)


class _Picture(Flowable):
    """A picture, scaled to a width."""

    def __init__(self, drawn: Drawn, width: float) -> None:
        super().__init__()
        self._drawn, self._scale = drawn, width / drawn.width
        self.width, self.height = width, drawn.height * self._scale

    def draw(self) -> None:
        """Draw every mark; the canvas counts upwards."""
        self.canv.scale(self._scale, self._scale)
        for mark in self._drawn.marks:
            match mark:
                case Line():
                    self._line(mark)
                case Area():
                    self._area(mark)
                case Label():
                    self._label(mark)

    def _path(self, points: tuple[tuple[float, float], ...]) -> Any:
        path = self.canv.beginPath()
        for number, (x, y) in enumerate(points):
            (path.lineTo if number else path.moveTo)(x, self._drawn.height - y)
        return path

    def _line(self, mark: Line) -> None:
        self.canv.setStrokeColor(HexColor(mark.colour))
        self.canv.setLineWidth(mark.width)
        self.canv.setDash(list(mark.dash))
        self.canv.drawPath(self._path(mark.points), stroke=1, fill=0)

    def _area(self, mark: Area) -> None:
        path = self._path(mark.points)
        path.close()
        colour = HexColor(mark.colour)
        self.canv.setFillColor(Color(colour.red, colour.green, colour.blue, mark.opacity))
        self.canv.drawPath(path, stroke=0, fill=1)

    def _label(self, mark: Label) -> None:
        self.canv.setFont(_BOLD if mark.bold else _FONT, 0.92 * mark.size)
        self.canv.setFillColor(HexColor(mark.colour))
        draw = {
            "start": self.canv.drawString,
            "middle": self.canv.drawCentredString,
            "end": self.canv.drawRightString,
        }[mark.anchor]
        draw(mark.x, self._drawn.height - mark.y, mark.text)


def _pictures(report: Report) -> Iterator[Flowable]:
    """Give the pictures, two beside each other."""
    drawn = pictures(report)
    if not drawn:
        return
    half = _WIDTH / 2
    yield PageBreak()
    yield Paragraph("Pictures", _HEADING)
    for pair in (drawn[n : n + 2] for n in range(0, len(drawn), 2)):
        cells = [[_Picture(one, 118 * mm), Paragraph(escape(one.caption), _QUIET)] for one in pair]
        row = [cells[0], cells[1] if len(cells) > 1 else ""]
        yield Table([row], colWidths=[half, half], style=_TOP, hAlign="LEFT")
    yield Spacer(0, 4)


def _differences(report: Report) -> Iterator[Flowable]:
    if report.differences:
        yield CondPageBreak(32 * mm)
        yield Paragraph("Differences", _HEADING)
    for one in tables.differences(report):
        colour = HexColor(BAD if one.counts else MUTED)
        parts: list[Flowable] = [
            Paragraph(escape(one.heading), _style(9, fontName=_BOLD, textColor=colour)),
            Paragraph(escape(f"{one.says}. {one.advice}" if one.advice else one.says), _QUIET),
        ]
        parts += [Paragraph(escape(one.rule), _BOX)] if one.rule else []
        yield KeepTogether([*parts, Spacer(0, 4)])


def _lines(text: str) -> str:
    """Keep line ends and indentation."""
    lines = text.splitlines()
    return "<br/>".join(
        "&nbsp;" * 2 * (len(line) - len(line.lstrip())) + escape(line.lstrip()) for line in lines
    )
