"""A picture as data: marks on a canvas with the origin at its upper left, in points.

Every form draws the same marks: `svg` here for HTML, `pdf` on its own canvas.
"""

from dataclasses import dataclass
from html import escape
from typing import Final, Literal, TypeAlias

Point: TypeAlias = tuple[float, float]
Dash: TypeAlias = tuple[float, ...]

INK: Final = "#1f2328"
MUTED: Final = "#59636e"
GRID: Final = "#d8dee4"
GOOD: Final = "#1a7f37"
BAD: Final = "#cf222e"
OPEN: Final = "#9a6700"
BLUE: Final = "#0969da"
GREY: Final = "#57606a"
ORANGE: Final = "#bc4c00"
FONTS: Final = "system-ui, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif"


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points."""

    points: tuple[Point, ...]
    colour: str = INK
    width: float = 1.5
    dash: Dash = ()


@dataclass(frozen=True, slots=True)
class Area:
    """A filled polygon."""

    points: tuple[Point, ...]
    colour: str
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Label:
    """One line of text; `y` is its base line."""

    x: float
    y: float
    text: str
    size: float = 9.0
    colour: str = MUTED
    anchor: Literal["start", "middle", "end"] = "start"
    bold: bool = False


Mark: TypeAlias = Line | Area | Label


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn, in this order."""

    title: str
    caption: str
    """What it shows, also for who can't see it."""
    width: float
    height: float
    marks: tuple[Mark, ...]


def bar(x: float, y: float, width: float, height: float) -> tuple[Point, ...]:
    """Give the corners of a rectangle."""
    return ((x, y), (x + width, y), (x + width, y + height), (x, y + height))


def svg(picture: Picture) -> str:
    """Write it as SVG that stands inside of HTML."""
    marks = "\n".join(map(_written, picture.marks))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {picture.width:g} '
        f'{picture.height:g}" role="img" aria-label="{escape(picture.caption)}" '
        f'font-family="{FONTS}">\n{marks}\n</svg>'
    )


def _written(mark: Mark) -> str:
    match mark:
        case Line(points, colour, width, dash):
            dashes = f' stroke-dasharray="{" ".join(f"{d:g}" for d in dash)}"' if dash else ""
            return (
                f'<polyline points="{_points(points)}" fill="none" stroke="{colour}" '
                f'stroke-width="{width:g}" stroke-linejoin="round"{dashes}/>'
            )
        case Area(points, colour, opacity):
            return f'<polygon points="{_points(points)}" fill="{colour}" opacity="{opacity:g}"/>'
        case Label(x, y, text, size, colour, anchor, bold):
            weight = ' font-weight="600"' if bold else ""
            return (
                f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}" '
                f'text-anchor="{anchor}"{weight}>{escape(text)}</text>'
            )


def _points(points: tuple[Point, ...]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
