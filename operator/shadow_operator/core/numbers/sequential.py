"""Bounds of a probability that hold at every look.

A bound for a sample of fixed size, read again and again until it says what is hoped for, says it
too often. These come from a test martingale: the likelihood ratio of alternatives, mixed by a fixed
prior, against the probability in question. While that one is true, the martingale exceeds 1/level
at *any* moment with a chance of at most `level` (Ville's inequality), so looking costs nothing. The
construction is the one-sided beta-binomial mixture of Howard, Ramdas, McAuliffe and Sekhon,
"Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49 (2021),
with these priors:

- against "at least p": alternatives are uniform on (0, p);
- against "at most p": alternatives q lie in (p, 1) with a density that falls as (1 - q)^(b - 1),
  where b = max(1, 1/(5 p)): mostly at a few times p where p is small, uniform where it is not.

The price of looking: no event in 2,995 trials proves "less than 0.1 %" at 5 % if one looks once, no
event in 4,512 if one looks always.

Counts may be fractions, because clustered events count for less than one (`core/numbers/clusters`).
"""

from functools import lru_cache
from math import exp, inf, lgamma, log, log1p

from shadow_operator.core.numbers.statistics import regularized_beta

_PRECISION = 1e-12


def below(events: float, trials: float, rate: float) -> float:
    """Return the evidence for "the probability is less than `rate`", 0 < rate <= 1.

    It is the logarithm of the mixture against "at least `rate`": at `log(1 / level)` that is
    rejected. -inf where the evidence points the other way.
    """
    if rate >= 1.0:
        return -inf if events >= trials else inf
    others = trials - events
    inside = regularized_beta(events + 1, others + 1, rate)
    if inside <= 0.0:
        return -inf
    mixed = _log_beta(events + 1, others + 1) + log(inside) - log(rate)
    return mixed - _log_likelihood(events, others, rate)


def above(events: float, trials: float, rate: float) -> float:
    """Return the evidence for "the probability is more than `rate`", 0 <= rate < 1; as `below`."""
    if rate <= 0.0:
        return inf if events > 0 else -inf
    others, b = trials - events, max(1.0, 0.2 / rate)
    inside = regularized_beta(others + b, events + 1, 1.0 - rate)
    if inside <= 0.0:
        return -inf
    mixed = log(b) + _log_beta(events + 1, others + b) + log(inside) - b * log1p(-rate)
    return mixed - _log_likelihood(events, others, rate)


@lru_cache(maxsize=4096)
def upper_bound(events: float, trials: float, level: float) -> float:
    """Return a probability that the true one exceeds, at any look, with a chance of `level`."""
    if trials <= 0 or events >= trials:
        return 1.0
    wanted, low, high = -log(level), events / trials, 1.0
    while high - low > _PRECISION:
        middle = (low + high) / 2
        low, high = (low, middle) if below(events, trials, middle) >= wanted else (middle, high)
    return high


@lru_cache(maxsize=4096)
def lower_bound(events: float, trials: float, level: float) -> float:
    """Return a probability that the true one falls below, at any look, with a chance of `level`."""
    if trials <= 0 or events <= 0:
        return 0.0
    wanted, low, high = -log(level), 0.0, events / trials
    while high - low > _PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if above(events, trials, middle) >= wanted else (low, middle)
    return low


@lru_cache(maxsize=1024)
def trials_below(events: float, rate: float, level: float) -> int | None:
    """Return how many trials with so many events prove "less than `rate`"; None: none can."""
    if rate <= 0.0:
        return None
    wanted, low = -log(level), int(events)
    high = max(low + 1, 64)
    while below(events, high, rate) < wanted:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if below(events, middle, rate) >= wanted else (middle, high)
    return high


def p_value(evidence: float) -> float:
    """Return the p-value that holds at every look, from evidence as above."""
    return min(1.0, exp(-evidence)) if evidence > 0.0 else 1.0


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _log_likelihood(events: float, others: float, rate: float) -> float:
    return (events * log(rate) if events else 0.0) + others * log1p(-rate)
