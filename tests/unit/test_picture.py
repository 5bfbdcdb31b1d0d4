"""Text of a terminal as an image."""

from xml.etree import ElementTree

from dev.picture import CELL_WIDTH, MARGIN, draw


def _lines(svg: str) -> list[str]:
    """Put the pieces of each line together again, by where they are drawn."""
    drawn: dict[str, str] = {}
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        column = round((float(text.attrib["x"]) - MARGIN) / CELL_WIDTH)
        before = drawn.get(text.attrib["y"], "")
        drawn[text.attrib["y"]] = before.ljust(column) + (text.text or "")
    return [line.rstrip() for line in drawn.values()]


def test_every_line_is_drawn_as_it_was() -> None:
    lines = ["[0:05] kubectl get shd", "", "a <b> & 'c'   ProceedToCanary  Investigate", "  x"]
    assert _lines(draw(lines)) == [line for line in lines if line]


def test_the_image_is_as_wide_as_its_longest_line() -> None:
    widths = [
        int(ElementTree.fromstring(draw(["x" * count])).attrib["width"])  # noqa: S314 - our own
        for count in (10, 110)
    ]
    assert widths[1] - widths[0] == 783


def test_a_verdict_has_the_colour_of_its_meaning() -> None:
    assert ' fill="#7ee787">ProceedToCanary</text>' in draw(["x ProceedToCanary"])
    assert ' fill="#ff7b72">Investigate</text>' in draw(["x Investigate"])
    assert ' fill="#7ee787">✓</text>' in draw(["✓ Traffic mirroring active"])
