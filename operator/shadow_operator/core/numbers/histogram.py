"""Histograms of latencies as the ledger keeps them: few bins, and they add up.

The bins are those of the comparators' sketches (`comparator/sketch.py`, DDSketch with 1 % relative
accuracy: bin k ends at gamma^k and is 2 % wide), several of them merged where there are too many.
"""

from math import exp, log
from typing import Final

from pydantic import BaseModel, ConfigDict

from shadow_operator.api.evidence import RouteCounts, Sketch

_NATURAL: Final = log(1.01 / 0.99)
"""Width of a bin of the sketches, on the scale of the natural logarithm."""
MOST_BINS: Final = 160
"""Bins of one histogram; beyond that, neighbours are merged: about 700 bytes when stored."""
LARGEST_RATIO_KEY: Final = 64
"""Ratios over 3.6, and under its inverse, go into the last bin: only the median is of interest."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class Histogram(_Frozen):
    """Positive numbers: seconds, or ratios."""

    width: int = 1
    """Bins of the sketches that are merged into one; a power of two."""
    zero: int = 0
    """How many were too small for a bin."""
    bins: dict[int, int] = {}
    """Key -> count; the bin of key k ends at gamma^(k * width)."""

    @property
    def count(self) -> int:
        """How many there are."""
        return self.zero + sum(self.bins.values())

    def widened(self, width: int) -> "Histogram":
        """Merge bins until they have this width."""
        if width <= self.width:
            return self
        factor = width // self.width
        bins: dict[int, int] = {}
        for key, count in self.bins.items():
            bins[-(-key // factor)] = bins.get(-(-key // factor), 0) + count
        return Histogram(width=width, zero=self.zero, bins=dict(sorted(bins.items())))

    def fitted(self, most: int = MOST_BINS) -> "Histogram":
        """Merge bins until there are so many at most."""
        fitted = self
        while len(fitted.bins) > most:
            fitted = fitted.widened(2 * fitted.width)
        return fitted

    def plus(self, other: "Histogram", sign: int = 1) -> "Histogram":
        """Add another one, or take it off."""
        width = max(self.width, other.width)
        one, two = self.widened(width), other.widened(width)
        bins = dict(one.bins)
        for key, count in two.bins.items():
            bins[key] = bins.get(key, 0) + sign * count
        return Histogram(
            width=width,
            zero=one.zero + sign * two.zero,
            bins={key: count for key, count in sorted(bins.items()) if count},
        )

    def exceeded_by(self, events: float) -> float:
        """Return the number that so many are larger than; 0 where all are not enough.

        Within a bin they are taken as evenly spread, on the logarithmic scale.
        """
        above = 0.0
        for key in sorted(self.bins, reverse=True):
            inside = self.bins[key]
            if above + inside >= events:
                return exp((key - (events - above) / inside) * self.width * _NATURAL)
            above += inside
        return 0.0

    def quantile(self, share: float) -> float:
        """Return the number that this share of all does not exceed."""
        return self.exceeded_by((1 - share) * self.count)

    def edge(self, share: float) -> tuple[int, int]:
        """Return the key whose bin ends closest to the quantile, and how many lie above it."""
        wanted, above, best = (1 - share) * self.count, 0, (0, 0)
        distance = float("inf")
        for key in sorted(self.bins, reverse=True):
            if abs(above - wanted) < distance:
                distance, best = abs(above - wanted), (key, above)
            above += self.bins[key]
        return best

    def above(self, key: int) -> int:
        """Return how many lie above the end of this bin."""
        return sum(count for other, count in self.bins.items() if other > key)


class Timing(_Frozen):
    """How long answers took, over all routes, in pairs of which both pods were warm."""

    shadow: Histogram = Histogram()
    """Seconds."""
    reference: Histogram = Histogram()
    ratio: Histogram = Histogram()
    """How many times as long the shadow took in the same pair."""

    def plus(self, other: "Timing", sign: int = 1) -> "Timing":
        """Add another one, or take it off."""
        return Timing(
            shadow=self.shadow.plus(other.shadow, sign),
            reference=self.reference.plus(other.reference, sign),
            ratio=self.ratio.plus(other.ratio, sign),
        )

    def fitted(self, most: int = MOST_BINS) -> "Timing":
        """Bound the bins; those of ratios stay as narrow as they are, they are few."""
        return Timing(
            shadow=self.shadow.fitted(most),
            reference=self.reference.fitted(most),
            ratio=self.ratio,
        )


def timing_of(routes: tuple[RouteCounts, ...]) -> Timing:
    """Add up the sketches of a snapshot's routes."""
    total = Timing()
    for route in routes:
        if route.latency_ratio.count:  # else there is no reference
            total = total.plus(
                Timing(
                    shadow=_histogram(route.shadow_latency),
                    reference=_histogram(route.reference_latency),
                    ratio=_clamped(_histogram(route.latency_ratio)),
                )
            )
    return total.fitted()


def _histogram(sketch: Sketch) -> Histogram:
    return Histogram(zero=sketch.zero, bins=sketch.bins)


def _clamped(ratios: Histogram) -> Histogram:
    bins: dict[int, int] = {}
    for key, count in ratios.bins.items():
        near = max(-LARGEST_RATIO_KEY, min(LARGEST_RATIO_KEY, key))
        bins[near] = bins.get(near, 0) + count
    if ratios.zero:
        bins[-LARGEST_RATIO_KEY] = bins.get(-LARGEST_RATIO_KEY, 0) + ratios.zero
    return Histogram(bins=bins)
