"""Draw the pages of a report for the documentation.

.venv/bin/hal9-migrate report --phase shadow --output build/report.json
.venv/bin/python -m dev.report_pictures build/report.json docs/images
"""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pypdfium2 as pdfium

from shadow_operator.report.model import Report
from shadow_operator.report.pdf import pdf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

SCALE = 1.5
"""Pixels of a point: 108 dots an inch."""
COLOURS = 128
"""Enough for text and thin lines, and a third of the bytes."""
PAGES = 4
"""That docs/report.md shows; what follows is configuration and text."""


def draw(report: Report) -> Iterator[Image.Image]:
    """Give each page as an image."""
    for page in pdfium.PdfDocument(pdf(report)):
        image: Image.Image = page.render(scale=SCALE).to_pil().convert("RGB")
        yield image.quantize(COLOURS)


def main(arguments: list[str] | None = None) -> int:
    """Draw a report; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=".venv/bin/python -m dev.report_pictures", description=__doc__
    )
    parser.add_argument("report", type=Path, help="a report in JSON")
    parser.add_argument("folder", type=Path, help="where report-1.png and so on are written")
    options = parser.parse_args(arguments)
    report = Report.model_validate_json(options.report.read_bytes())
    options.folder.mkdir(parents=True, exist_ok=True)
    for old in options.folder.glob("report-*.png"):
        old.unlink()
    for number, image in enumerate(islice(draw(report), PAGES), start=1):
        image.save(options.folder / f"report-{number}.png", optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
