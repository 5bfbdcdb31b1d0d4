"""Draw a terminal's text as SVG: `make demo 2>&1 | tee run.txt`, then this.

.venv/bin/python -m dev.picture run.txt docs/images/demo.svg --from "kubectl get shadowdeployments"
"""

from __future__ import annotations

import argparse
import re
import sys
from html import escape
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FONT_SIZE = 13
CELL_WIDTH = 7.83
"""Width of a character of a monospaced font, in pixels at this size."""
LINE_HEIGHT = 19
MARGIN = 18

COLOURS = {
    r"✓|ProceedToCanary|Passed|as expected|Both verdicts are right": "#7ee787",
    r"✗|Investigate|Failed|WRONG": "#ff7b72",
    r"ExtendShadow|Inconclusive": "#e3b341",
    r"^\[\d+:\d\d\]": "#6e7681",
}
_COLOURED = re.compile("|".join(f"({pattern})" for pattern in COLOURS))


def draw(lines: Sequence[str]) -> str:
    """Return an SVG image of these lines of text."""
    width = round(2 * MARGIN + max(map(len, lines), default=0) * CELL_WIDTH)
    height = 2 * MARGIN + len(lines) * LINE_HEIGHT
    rows = "\n".join(
        f'<text x="{MARGIN + column * CELL_WIDTH:.1f}" '
        f'y="{MARGIN + (number + 1) * LINE_HEIGHT - 5}"{colour}>{escape(text)}</text>'
        for number, line in enumerate(lines)
        for column, text, colour in _pieces(line)
        if text.strip()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" xml:space="preserve" fill="#c9d1d9" '
        f'style="white-space: pre" font-size="{FONT_SIZE}" '
        'font-family="ui-monospace, Menlo, DejaVu Sans Mono, monospace">\n'
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>\n{rows}\n</svg>\n'
    )


def _pieces(line: str) -> Iterator[tuple[int, str, str]]:
    """Cut a line where its colour changes: column, text, and the attribute for the colour."""
    colours = list(COLOURS.values())
    end = 0
    for match in _COLOURED.finditer(line):
        yield end, line[end : match.start()], ""
        colour = colours[(match.lastindex or 1) - 1]
        yield match.start(), match[0], f' fill="{colour}"'
        end = match.end()
    yield end, line[end:], ""


def main(arguments: list[str] | None = None) -> int:
    """Draw a file; returns the exit status."""
    parser = argparse.ArgumentParser(prog=".venv/bin/python -m dev.picture", description=__doc__)
    parser.add_argument("text", type=Path, help="what the terminal showed")
    parser.add_argument("image", type=Path, help="the SVG to write")
    parser.add_argument("--from", dest="start", default="", help="begin at the line with this")
    options = parser.parse_args(arguments)
    lines = options.text.read_text(encoding="utf-8").rstrip().splitlines()
    shown = list(dropwhile(lambda line: options.start not in line, lines))
    options.image.parent.mkdir(parents=True, exist_ok=True)
    options.image.write_text(draw(shown), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
