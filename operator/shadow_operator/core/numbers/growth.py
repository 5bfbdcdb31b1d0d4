"""Growth of memory: a robust slope, and an interval that knows how alike neighbours are.

Memory comes in steps, rises at the start, and is mostly what it was a moment before. So the series
is averaged over blocks; the slope is the median of the slopes between them (Theil 1950, Sen, JASA
63, 1968), which one outlier or one step moves little. Sen's own interval takes errors for
independent and knows only ranks, so that with correlated blocks a leak of 1 MB/min is not proved
within an hour. The interval is therefore that of Student's t with the error and the freedom of so
many values as are independent (Santer et al., JGR 105, 2000).

How alike neighbours are is seen too low, because a line was taken off: by (2 + 4 r) / n of n blocks
with the correlation r. And few blocks tell little of r. So there is a bound that is corrected for
the first and has, for the second, the tails of a few degrees of freedom (`cautious_upper`), where
nothing else backs a bound. The price is that most of an hour must pass before it says anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, sqrt
from statistics import fmean, median, pstdev
from typing import Final, NamedTuple

from shadow_operator.core.numbers.statistics import student_quantile

LEAST_BLOCKS: Final = 10
"""With fewer blocks no order of them is rare enough to prove a trend."""
MOST_BLOCKS: Final = 16
BLOCK_SECONDS: Final = 75.0
"""A block is not shorter: some samples of the metrics API, and a minor garbage collection."""
FLATTENING: Final = 0.85
"""A rise that in its later half is less than that share of the earlier half's comes to an end."""
STEADY: Final = 6.0
"""Standard deviations around the line by which a steady rise exceeds them."""
LEAST_FREEDOM: Final = 1.0
"""With less that is independent nothing is known of the error."""
MOST_FREEDOM: Final = 6.0
"""With more the error would be sure; but it rests on how alike neighbours are, an estimate."""


class Error(NamedTuple):
    """How far a slope may be off."""

    size: float
    """Standard error; infinite where too little of it is independent."""
    freedom: float
    """Degrees of freedom of that error."""

    @property
    def doubted(self) -> "Error":
        """The same with no more than the freedom of an error that is itself an estimate."""
        return self._replace(freedom=min(self.freedom, MOST_FREEDOM))

    def margin(self, level: float) -> float:
        """Return what the slope is off by at most: more, to one side, in `level` of all cases."""
        return self.size * student_quantile(level, self.freedom) if self.size else 0.0


class Point(NamedTuple):
    """A mean over some seconds."""

    time: float
    """Its middle."""
    value: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Trend:
    """A slope per second, and how sure it is."""

    slope: float
    earlier: float
    """Slope of the earlier half."""
    later: float
    """Slope of the later half."""
    steady: bool
    """Whether it is large against what the blocks spread around it: a collector brings memory down
    again, a leak does not."""
    error: Error
    """With neighbours as alike as they are seen to be, taken for certain."""
    cautious: Error
    """With them as alike as they are, taken for an estimate."""

    @property
    def flattens(self) -> bool:
        """Whether the rise comes to an end."""
        return self.later < FLATTENING * self.earlier

    def lower(self, level: float) -> float:
        """Return the one-sided lower bound: the true slope lies below in `level` of all cases."""
        return self.slope - self.error.margin(level)

    def upper(self, level: float) -> float:
        """Return the one-sided upper bound."""
        return self.slope + self.error.margin(level)

    def cautious_upper(self, level: float) -> float:
        """Return the one-sided upper bound of the cautious error."""
        return self.slope + self.cautious.margin(level)


def trend(points: Sequence[Point]) -> Trend | None:
    """Return the trend of points that are sorted by time; None where they are too few."""
    blocks = _blocks(points)
    if len(blocks) < LEAST_BLOCKS:
        return None
    slope, middle = median(_slopes(blocks)), len(blocks) // 2
    rest = _rest(blocks, slope)
    seen = _seen_alike(rest)
    return Trend(
        slope=slope,
        earlier=median(_slopes(blocks[: len(blocks) - middle])),
        later=median(_slopes(blocks[middle:])),
        steady=_is_steady(blocks, slope),
        error=_error(blocks, rest, seen),
        cautious=_error(blocks, rest, (len(rest) * seen + 2) / (len(rest) - 4)).doubted,
    )


def _blocks(points: Sequence[Point]) -> list[tuple[float, float]]:
    """Average over spans of equal length; one in which no point lies is left out."""
    if not points:
        return []
    begin = points[0].time - points[0].seconds / 2
    span = points[-1].time + points[-1].seconds / 2 - begin
    number = min(MOST_BLOCKS, int(span / BLOCK_SECONDS))
    if number < LEAST_BLOCKS:
        return []
    filled: dict[int, list[Point]] = {}
    for point in points:
        filled.setdefault(int((point.time - begin) / span * number), []).append(point)
    return [_mean(filled[index]) for index in sorted(filled)]


def _mean(points: Sequence[Point]) -> tuple[float, float]:
    weights = [point.seconds for point in points]
    return (
        fmean([point.time for point in points], weights),
        fmean([point.value for point in points], weights),
    )


def _slopes(blocks: Sequence[tuple[float, float]]) -> tuple[float, ...]:
    return tuple(
        sorted(
            (after - before) / (later - earlier)
            for number, (earlier, before) in enumerate(blocks)
            for later, after in blocks[number + 1 :]
        )
    )


def _is_steady(blocks: Sequence[tuple[float, float]], slope: float) -> bool:
    rise = slope * (blocks[-1][0] - blocks[0][0])
    return rise > STEADY * pstdev(value - slope * time for time, value in blocks)


def _rest(blocks: Sequence[tuple[float, float]], slope: float) -> list[float]:
    rest = [value - slope * time for time, value in blocks]
    mean = fmean(rest)
    return [value - mean for value in rest]


def _seen_alike(rest: Sequence[float]) -> float:
    """Return the correlation of neighbours."""
    square = sum(value * value for value in rest)
    return sum(a * b for a, b in pairwise(rest)) / square if square else 0.0


def _error(blocks: Sequence[tuple[float, float]], rest: Sequence[float], alike: float) -> Error:
    """Return the error of the slope, which leaves that rest.

    Santer et al. (2000), adjusted error and freedom: of `n` values that are alike (correlation `r`
    of neighbours) only `n (1 - r) / (1 + r)` are independent.
    """
    square = sum(value * value for value in rest)
    if not square:
        return Error(0.0, LEAST_FREEDOM)
    alike, middle = max(0.0, alike), fmean(time for time, _ in blocks)
    freedom = len(rest) * (1 - alike) / (1 + alike) - 2
    if freedom < LEAST_FREEDOM:
        return Error(inf, LEAST_FREEDOM)
    width = sum((time - middle) ** 2 for time, _ in blocks)
    return Error(sqrt(square / freedom / width), freedom)
