"""Histograms of latencies and their ratios: bins of a DDSketch with 1 % relative accuracy."""

import math
from collections.abc import Iterable
from typing import Final

from ddsketch.mapping import LogarithmicMapping

from shadow_operator.api.evidence import Sketch
from shadow_operator.comparator.room import Room

MAPPING: Final = LogarithmicMapping(0.01)
_PER_NATURAL: Final = 1 / math.log(MAPPING.gamma)
"""Bins per unit of the natural logarithm; `MAPPING.key` gives the same and takes four times as
long."""
SMALLEST: Final = 1e-5
"""Seconds; shorter durations are below what this process can measure."""
BIN_BYTES: Final = 10


class Latencies:
    """Durations in seconds, or ratios of two.

    Bins are the mapping's keys, so that sketches add up bin by bin.
    """

    __slots__ = ("_room", "bins", "count", "largest", "total", "zero")

    def __init__(self, room: Room) -> None:
        self._room = room
        self.count = 0
        self.total = 0.0
        self.largest = 0.0
        self.zero = 0
        self.bins: dict[int, int] = {}

    def add(self, seconds: float) -> None:
        """Count one; without room for a new bin it goes into the nearest one."""
        self.count += 1
        self.total += seconds
        self.largest = max(self.largest, seconds)
        if seconds < SMALLEST:
            self.zero += 1
            return
        key = math.ceil(math.log(seconds) * _PER_NATURAL)
        if key not in self.bins and not self._room.take(BIN_BYTES) and self.bins:
            key = min(self.bins, key=lambda bin_: abs(bin_ - key))
        self.bins[key] = self.bins.get(key, 0) + 1

    def quantile(self, share: float) -> float:
        """Return the duration that this share of all does not exceed; 0 where there is none."""
        rank = share * (self.count - 1)
        below = self.zero
        if rank < below or not self.bins:
            return 0.0
        key = 0
        for key in sorted(self.bins):
            below += self.bins[key]
            if rank < below:
                break
        return float(MAPPING.value(key))

    def at_most(self, seconds: float) -> int:
        """Count the durations that are no longer, to the mapping's accuracy."""
        return self.zero + sum(n for key, n in self.bins.items() if MAPPING.value(key) <= seconds)


def merged(sketches: Iterable[Latencies]) -> Latencies:
    """Add up histograms."""
    result = Latencies(Room(1 << 20))
    for sketch in sketches:
        result.count += sketch.count
        result.total += sketch.total
        result.largest = max(result.largest, sketch.largest)
        result.zero += sketch.zero
        for key, count in sketch.bins.items():
            result.bins[key] = result.bins.get(key, 0) + count
    return result


def wire(sketch: Latencies) -> Sketch:
    """Return the sketch as the snapshot holds it."""
    return Sketch(
        count=sketch.count,
        total=sketch.total,
        largest=sketch.largest,
        zero=sketch.zero,
        bins=dict(sorted(sketch.bins.items())),
    )
