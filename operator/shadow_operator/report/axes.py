"""Scales, ticks and the frame of a chart."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, floor, log10
from typing import Final

from shadow_operator.report.drawing import GRID, MUTED, Dash, Label, Line, Mark, Point

WIDTH: Final = 520.0
HEIGHT: Final = 190.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 26.0, 22.0

Tick = tuple[float, str]
"""Value and its label."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` on the line from `start` to `end`; what is beyond is clipped."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Give the place of a value."""
        span = self.high - self.low
        share = (value - self.low) / span if span > 0 else 0.5
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of the legend."""

    text: str
    colour: str
    dash: Dash = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """The plane of one chart."""

    x: Scale
    y: Scale
    width: float = WIDTH
    height: float = HEIGHT

    @classmethod
    def over(cls, x: tuple[float, float], y: tuple[float, float]) -> "Chart":
        """Make one for values from..to on both axes."""
        return cls(
            Scale(*x, _LEFT, WIDTH - _RIGHT), Scale(*y, HEIGHT - _BOTTOM, _TOP), WIDTH, HEIGHT
        )

    def points(self, values: Iterable[Point]) -> tuple[Point, ...]:
        """Give the places of values."""
        return tuple((self.x(x), self.y(y)) for x, y in values)

    def under(self, values: Iterable[Point]) -> tuple[Point, ...]:
        """Give the area between values and the axis."""
        points = self.points(values)
        if not points:
            return ()
        return ((points[0][0], self.y.start), *points, (points[-1][0], self.y.start))

    def frame(
        self, title: str, xs: Iterable[Tick], ys: Iterable[Tick], keys: Iterable[Key] = ()
    ) -> Iterator[Mark]:
        """Give grid, labels and legend."""
        left, right, bottom = self.x.start, self.x.end, self.y.start
        yield Label(left, 14, title, 10, MUTED, bold=True)
        for value, text in ys:
            y = self.y(value)
            yield Line(((left, y), (right, y)), GRID, 0.6)
            yield Label(left - 5, y + 3, text, anchor="end")
        for value, text in xs:
            x = self.x(value)
            yield Line(((x, bottom), (x, bottom + 3)), GRID, 0.8)
            yield Label(min(x, right - 8), bottom + 13, text, anchor="middle")
        yield from self._legend(tuple(keys))

    def _legend(self, keys: tuple[Key, ...]) -> Iterator[Mark]:
        x = self.x.end
        for key in reversed(keys):
            yield Label(x, 14, key.text, 9, key.colour, anchor="end")
            x -= 4.5 * len(key.text) + 5
            yield Line(((x - 16, 11), (x - 2, 11)), key.colour, 1.8, key.dash)
            x -= 28


def ticks(low: float, high: float, most: int = 5) -> tuple[float, ...]:
    """Give round values from `low` to `high`, some of them."""
    if high <= low:
        return (low,)
    raw = (high - low) / most
    power = 10.0 ** floor(log10(raw))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= raw * (1 - 1e-9))
    first = ceil(low / step - 1e-9)
    last = floor(high / step + 1e-9)
    return tuple(number * step for number in range(first, last + 1))


def labelled(values: Iterable[float], write: Callable[[float], str]) -> tuple[Tick, ...]:
    """Give ticks with their labels."""
    return tuple((value, write(value)) for value in values)


_STEPS: Final = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(n * 3600 for n in (1, 2, 3, 6, 12, 24, 48)),
)
_MOST_TIMES: Final = 7


def times(begin: float, end: float) -> tuple[Tick, ...]:
    """Give round moments with their labels in UTC; the date where a day begins, and first."""
    span = max(1.0, end - begin)
    step = next((s for s in _STEPS if span / s <= _MOST_TIMES), 7 * 86400)
    first = ceil(begin / step) * step
    moments = [first + n * step for n in range(floor((end - first) / step) + 1)]
    return tuple((t, _clock(t, step, dated=n == 0)) for n, t in enumerate(moments))


def _clock(time: float, step: int, *, dated: bool) -> str:
    moment = datetime.fromtimestamp(time, UTC)
    midnight = moment.hour == moment.minute == moment.second == 0
    if step >= 86400 or midnight:
        return f"{moment:%b} {moment.day}"
    text = f"{moment:%H:%M:%S}" if step < 60 else f"{moment:%H:%M}"
    return f"{moment:%b} {moment.day}, {text}" if dated else text


def nines(ratio: float) -> float:
    """Give how many nines a ratio has: 0 for 0, 1 for 90 %, 3 for 99.9 %; 9 at most."""
    return min(9.0, -log10(max(1e-9, 1 - ratio)))
