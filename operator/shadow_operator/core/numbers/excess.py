"""Bounds of an excess that hold at every look: how much more often one of a pair fails.

A request is worth +1 if only the shadow failed, -1 if only the reference did, and 0 otherwise; the
excess is the mean. Whoever bets on "less than x" at each request, a fixed stake for or against,
multiplies his wealth by 1 + stake * (x - worth); if the excess is at least x, he wins nothing on
average, so that his wealth exceeds 1/level at *any* moment with a chance of at most `level`
(Ville's inequality). This is the betting martingale of Waudby-Smith and Ramdas, "Estimating means
of bounded random variables by betting", Journal of the Royal Statistical Society B 86 (2024).

The best stake is x by the share of discordant requests, which is not known: the wealth is spread
over a small grid of stakes. Requests where both fail, or none, say how many there were, no more.

Counts may be fractions, because clustered events count for less than one (`core/numbers/clusters`).
"""

from functools import lru_cache
from math import exp, inf, log, log1p
from typing import Final

_STAKES: Final = ((1.0, 0.2), (0.8, 0.05), (0.3, 0.15), (0.1, 0.2), (0.05, 0.3), (0.02, 0.1))
"""(Stake, part of the wealth): the first for failures of one side only, which a single failure of
the other side ruins; the second outlives some of these. The others are for x by a discordant share
of 3 to 50 times x; most for that of two sides that fail in 1 % each, with x of 0.1 %."""
_PRECISION = 1e-10


def below(shadow: float, reference: float, requests: float, excess: float) -> float:
    """Return the evidence for "the excess is less than `excess`", -1 < excess < 1.

    `shadow` and `reference`: requests in which only that side failed. It is the logarithm of the
    wealth: at `log(1 / level)` "at least `excess`" is rejected.
    """
    both = requests - shadow - reference
    logs = []
    for largest, part in _STAKES:
        stake = min(largest, 1 / (1 + abs(excess)))
        logs.append(
            log(part)
            + _won(shadow, stake * (excess - 1))
            + _won(reference, stake * (excess + 1))
            + _won(both, stake * excess)
        )
    most = max(logs)
    return most if most == -inf else most + log(sum(exp(one - most) for one in logs))


def _won(times: float, part: float) -> float:
    if times <= 0.0:
        return 0.0
    return times * log1p(part) if part > -1.0 else -inf


@lru_cache(maxsize=4096)
def upper_bound(shadow: float, reference: float, requests: float, level: float) -> float:
    """Return an excess that the true one exceeds, at any look, with a chance of `level`."""
    if requests <= 0:
        return 1.0
    wanted, low, high = -log(level), (shadow - reference) / requests, 1.0
    while high - low > _PRECISION:
        middle = (low + high) / 2
        shown = below(shadow, reference, requests, middle) >= wanted
        low, high = (low, middle) if shown else (middle, high)
    return high


def lower_bound(shadow: float, reference: float, requests: float, level: float) -> float:
    """Return an excess that the true one falls below, at any look, with a chance of `level`."""
    return -upper_bound(reference, shadow, requests, level)


@lru_cache(maxsize=1024)
def requests_below(shadow: float, reference: float, excess: float, level: float) -> int | None:
    """Return how many requests with so many failures prove "less than `excess`"; None: none can."""
    if excess <= 0.0:
        return None
    wanted, low = -log(level), int(shadow + reference)
    high = max(low + 1, 64)
    while below(shadow, reference, high, excess) < wanted:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        shown = below(shadow, reference, middle, excess) >= wanted
        low, high = (low, middle) if shown else (middle, high)
    return high
