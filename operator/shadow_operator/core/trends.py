"""Whether a series of readings rises or falls, and how fast."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import Final

LEAST_POINTS: Final = 10
"""Fewer readings tell no trend."""
_Z: Final = 1.959963984540054
"""Two-sided 95 %."""


@dataclass(frozen=True, slots=True)
class Trend:
    """Slope per unit of time, with its interval at 95 %."""

    slope: float
    low: float
    high: float


def trend(times: Sequence[float], values: Sequence[float]) -> Trend | None:
    """Return the median of all slopes between two readings; None from too few readings.

    The interval takes the slopes at the ranks that Kendall's statistic gives (Sen, *Estimates of
    the regression coefficient based on Kendall's tau*, JASA 63, 1968). It asks for no distribution,
    a few wild readings move it little, and it takes readings as independent.
    """
    points = sorted(zip(times, values, strict=True))
    slopes = sorted(
        (value - earlier) / (time - before)
        for index, (time, value) in enumerate(points)
        for before, earlier in points[:index]
        if time > before
    )
    if len(points) < LEAST_POINTS or not slopes:
        return None
    number = len(points)
    wide = _Z * sqrt(number * (number - 1) * (2 * number + 5) / 18)
    low = max(0, int((len(slopes) - wide) / 2))
    return Trend(median(slopes), slopes[low], slopes[len(slopes) - 1 - low])
