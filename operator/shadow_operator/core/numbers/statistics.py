"""Exact tests and bounds for counts, without a numerical library.

Everything rests on the binomial and the hypergeometric distribution; no approximation by a normal
distribution is made, because what matters here are a few mismatches in thousands of pairs.
"""

from collections.abc import Callable
from functools import lru_cache
from math import exp, lgamma, log, log1p, sqrt

_TINY = 1e-300
_PRECISION = 1e-14


def regularized_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), for a, b > 0 and 0 <= x <= 1.

    Continued fraction, evaluated by Lentz's method (Numerical Recipes, 3rd edition, 6.4).
    """
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _continued_fraction(a, b, x) / a
    return 1.0 - front * _continued_fraction(b, a, 1.0 - x) / b


def _continued_fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    d = 1.0 / d
    value = d
    m = 0
    while True:  # converges within about sqrt(max(a, b)) steps, because x is left of the mean
        m += 1
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        d = 1.0 / _away_from_zero(1.0 + even * d)
        c = _away_from_zero(1.0 + even / c)
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        d = 1.0 / _away_from_zero(1.0 + odd * d)
        c = _away_from_zero(1.0 + odd / c)
        value *= d * c
        if abs(d * c - 1.0) < _PRECISION:
            return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def at_most(successes: int, trials: int, probability: float) -> float:
    """Return P(X <= successes) for X ~ Binomial(trials, probability)."""
    if successes < 0:
        return 0.0
    if successes >= trials:
        return 1.0
    return regularized_beta(trials - successes, successes + 1, 1.0 - probability)


def at_least(successes: int, trials: int, probability: float) -> float:
    """Return P(X >= successes) for X ~ Binomial(trials, probability)."""
    if successes <= 0:
        return 1.0
    if successes > trials:
        return 0.0
    return regularized_beta(successes, trials - successes + 1, probability)


@lru_cache(maxsize=1024)
def lower_bound(successes: int, trials: int, level: float) -> float:
    """Return the one-sided lower Clopper-Pearson bound of a probability.

    The true probability lies below it in at most `level` of all samples (Clopper and Pearson,
    Biometrika 26, 1934). 0 where nothing was tried.
    """
    if successes <= 0:
        return 0.0
    if successes == trials:
        return float(level ** (1.0 / trials))
    return _crossing(lambda p: at_least(successes, trials, p) < level)


@lru_cache(maxsize=1024)
def upper_bound(successes: int, trials: int, level: float) -> float:
    """Return the one-sided upper Clopper-Pearson bound of a probability.

    The true probability lies above it in at most `level` of all samples. 1 where nothing was tried.
    """
    if successes >= trials:
        return 1.0
    if successes == 0:
        return float(1.0 - level ** (1.0 / trials))
    return _crossing(lambda p: at_most(successes, trials, p) >= level)


def _crossing(left_of: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if left_of(middle) else (low, middle)
    return (low + high) / 2


@lru_cache(maxsize=1024)
def student_quantile(level: float, freedom: float) -> float:
    """Return the value that Student's t exceeds in `level` (< 0.5) of all cases.

    By its relation to the beta distribution: P(T > t) = I_x(freedom / 2, 1 / 2) / 2 with
    x = freedom / (freedom + t^2).
    """
    x = _crossing(lambda x: regularized_beta(freedom / 2, 0.5, x) / 2 < level)
    return sqrt(freedom * (1 / x - 1))


def no_more_often(few: int, of: int, many: int, of_many: int) -> float:
    """Return the p-value of "the rate `few`/`of` is not smaller than `many`/`of_many`".

    Fisher's exact test, one-sided: given all `few + many` events, the chance that at most `few` of
    them fall into the first group (hypergeometric distribution).
    """
    events, population = few + many, of + of_many
    smallest = max(0, events - of_many)
    total = sum(
        exp(_log_choose(of, i) + _log_choose(of_many, events - i) - _log_choose(population, events))
        for i in range(smallest, few + 1)
    )
    return min(total, 1.0)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
