"""Histograms of latency in milliseconds: sparse, mergeable, with exact bounds for quantiles.

The bins are Envoy's own (circllhist: two significant digits), above the fourth of each decade two
of them together: 2.5 % to 10 % wide. Envoy counts whole milliseconds, rounded down, so below 100 ms
a bin is `[v, v + 1)`. Within a bin values count as evenly spread.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, TypeAlias

from shadow_operator.core.numbers.statistics import at_most

Bins: TypeAlias = Mapping[int, int]
"""Number of a bin -> count."""

_MANTISSAS: Final = (*range(10, 40), *range(40, 100, 2))
EDGES: Final[tuple[int, ...]] = (
    *range(40),
    *range(40, 100, 2),
    *(m * 10**e for e in range(1, 6) for m in _MANTISSAS),
)
"""Lower edges in milliseconds; the last bin, from 9,800 s on, has no end."""


def bin_of(milliseconds: float) -> int:
    """Return the number of the bin that holds this latency."""
    return bisect_right(EDGES, milliseconds) - 1


def merged(parts: Iterable[Bins]) -> dict[int, int]:
    """Add histograms up."""
    total: dict[int, int] = {}
    for part in parts:
        for number, count in part.items():
            total[number] = total.get(number, 0) + count
    return total


def since(now: Bins, before: Bins) -> dict[int, int]:
    """Return what came since `before`; both are cumulative."""
    return {n: count - before.get(n, 0) for n, count in now.items() if count > before.get(n, 0)}


def size(bins: Bins) -> int:
    """Return how many latencies were counted."""
    return sum(bins.values())


def quantile(bins: Bins, q: float) -> float:
    """Return the latency in milliseconds below which the share `q` lies; the bins aren't empty."""
    return _at(bins, q * size(bins))


def lower_bound(bins: Bins, q: float, level: float) -> float | None:
    """Return the one-sided lower bound of a quantile in milliseconds; None: too few were counted.

    An order statistic: the r-th smallest of n lies above the quantile with the probability
    P(Binomial(n, q) < r) (David and Nagaraja, Order Statistics, 3rd edition, 7.1). So no shape of
    the distribution is assumed.
    """
    rank = lower_rank(size(bins), q, level)
    return None if rank is None else _at(bins, rank - 1)


def upper_bound(bins: Bins, q: float, level: float) -> float | None:
    """Return the one-sided upper bound of a quantile in milliseconds; None: too few were counted.

    It is the lower bound, seen from the other end.
    """
    n = size(bins)
    rank = lower_rank(n, 1 - q, level)
    return None if rank is None else _at(bins, n - rank + 1)


@lru_cache(maxsize=1024)
def lower_rank(n: int, q: float, level: float) -> int | None:
    """Return the largest r with P(Binomial(n, q) < r) <= level; None where there is none."""
    if n == 0 or at_most(0, n, q) > level:
        return None
    low, high = 1, n + 1
    while high - low > 1:
        middle = (low + high) // 2
        if at_most(middle - 1, n, q) <= level:
            low = middle
        else:
            high = middle
    return low


def _at(bins: Bins, rank: float) -> float:
    """Return the latency that so many lie below."""
    below = 0
    number = 0
    for number in sorted(bins):
        if below + bins[number] >= rank:
            break
        below += bins[number]
    else:
        return float(end_of(number))
    share = max(0.0, rank - below) / bins[number]
    return EDGES[number] + share * (end_of(number) - EDGES[number])


def end_of(number: int) -> int:
    """Return the upper edge of a bin in milliseconds; of the last, which has none, the lower."""
    return EDGES[number + 1] if number + 1 < len(EDGES) else EDGES[number]
