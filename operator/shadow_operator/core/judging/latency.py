"""Gates on latency: how much slower the shadow is, with bounds that hold at every look.

A quantile is bounded through the probability to exceed it (Howard and Ramdas, "Sequential
estimation of quantiles with applications to A/B testing and best-arm identification", Bernoulli 28,
2022): the upper bound of the 99th percentile is the smallest number of which it is proved that less
than 1 % exceed it, by the bounds of `core/numbers/sequential`; the lower bound is the largest of
which it is proved that more than 1 % do. No distribution is assumed.

The median is that of the ratio shadow / reference within pairs, because both were asked at the same
moment; the 99th percentiles are those of the two sides.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import inf, log
from typing import Final

from shadow_operator.api.enums import GateName, GateResult
from shadow_operator.api.status import Gate, Latency, Quantiles
from shadow_operator.core.judging import load
from shadow_operator.core.judging.case import Case, Outcome, concluded, inconclusive, not_applicable
from shadow_operator.core.judging.impact import lately
from shadow_operator.core.judging.levels import FAILING, PASSING
from shadow_operator.core.numbers import sequential
from shadow_operator.core.numbers.histogram import Histogram, Timing
from shadow_operator.core.wording import count

FLOOR_SECONDS: Final = 0.0005
"""What can't be told apart: a slower answer by less never fails and always passes. The comparator
sends and reads both calls one after the other in one process, which alone is some 0.05 ms."""
LEAST_PAIRS: Final = 1000
"""No gate on latency fails before so many pairs: a start is not a trend."""
LEAST_INTERVALS: Final = 10
"""Nor before so many intervals: fewer don't show whether slow answers come in bursts."""
_MOST_SCALES: Final = 10
"""A gate that needs over 2^10 times the pairs needs no time to be named."""


@lru_cache(maxsize=512)
def exceeding(trials: float, share: float, level: float) -> tuple[float | None, float | None]:
    """Return how many of so many observations may exceed the bounds of a quantile.

    Fewer than the first prove that less than `1 - share` of all exceed the number in question, so
    it is an upper bound; more than the second prove the opposite. None: so few prove nothing.
    """
    rate, proof = 1 - share, -log(level)
    few = many = None
    if sequential.below(0.0, trials, rate) >= proof:
        low, high = 0.0, rate * trials
        while high - low > 1e-4 * high:
            middle = (low + high) / 2
            enough = sequential.below(middle, trials, rate) >= proof
            low, high = (middle, high) if enough else (low, middle)
        few = low
    if trials > 0 and sequential.above(trials, trials, rate) >= proof:
        low, high = rate * trials, trials
        while high - low > 1e-4 * low:
            middle = (low + high) / 2
            enough = sequential.above(middle, trials, rate) >= proof
            low, high = (low, middle) if enough else (middle, high)
        many = high
    return few, many


def bounds(
    seen: Histogram, share: float, level: float, *, burst: float = 1.0, scale: float = 1.0
) -> tuple[float, float]:
    """Return the lower and the upper bound of a quantile, each at this level; 0 and inf: none.

    `burst` is how many observations count for one. With `scale` as if there were so many times as
    many observations, spread as these are.
    """
    few, many = exceeding(seen.count * scale / burst, share, level)
    back = burst / scale
    upper = inf if few is None else seen.exceeded_by(few * back)
    return (0.0 if many is None else seen.exceeded_by(many * back)), upper


@dataclass(frozen=True, slots=True)
class _Slower:
    """How many times as long the shadow takes."""

    observed: float
    lower: float
    """At `FAILING`."""
    upper: float
    """At `PASSING`."""
    reference: float
    """Seconds, of the reference."""


def latency_p50(case: Case) -> Outcome:
    """Median latency within pairs (runbook: < 5 % worse)."""
    return _judged(
        case,
        GateName.LATENCY_P50,
        case.spec.gates.latency_p50.max_increase_percent,
        "In the median of {pairs} pairs the shadow takes {more}",
    )


def latency_p99(case: Case) -> Outcome:
    """99th percentile of latency on both sides (runbook: < 10 % worse)."""
    return _judged(
        case,
        GateName.LATENCY_P99,
        case.spec.gates.latency_p99.max_increase_percent,
        "The slowest in a hundred of {pairs} answers take {more}",
    )


def _judged(case: Case, name: GateName, percent: int, words: str) -> Outcome:
    timing = case.tally.counts.timing
    if not case.compares:
        return not_applicable(name, "There is no reference to be slower than.")
    if not timing.ratio.count:
        return inconclusive(name, "No pair was timed yet; the first answers of a pod don't count.")
    slower = _slower(case, name)
    limit = _limit(percent, slower.reference)
    floored = limit > 1 + percent / 100
    sentence = words.format(pairs=count(timing.ratio.count), more=_more(case, name, slower))
    sentence += "" if load.known(case) else f".{load.UNKNOWN.rstrip('.')}"
    gate = Gate(
        name=name,
        result=GateResult.INCONCLUSIVE,
        observed=_percent(slower.observed),
        threshold=f"< {percent}%" + (f" or {_ms(FLOOR_SECONDS)} ms" if floored else ""),
        bound=None if slower.upper == inf else _percent(slower.upper),
        samples=timing.ratio.count,
        source="comparator",
    )
    if _is_trend(case) and slower.lower > limit:
        gate = gate.model_copy(update={"bound": _percent(slower.lower)})
        return Outcome(concluded(gate, GateResult.FAILED, f"{sentence}."))
    if slower.upper < limit:
        return Outcome(concluded(gate, GateResult.PASSED, f"{sentence}."))
    return _undecided(case, gate, slower, limit, sentence)


def _slower(case: Case, name: GateName, scale: float = 1.0) -> _Slower:
    timing, bursts = case.tally.counts.timing, case.ledger.bursts
    if name is GateName.LATENCY_P50:
        ratio, burst = timing.ratio, bursts.ratio.factor
        return _Slower(
            observed=ratio.quantile(0.5),
            lower=bounds(ratio, 0.5, FAILING, burst=burst, scale=scale)[0],
            upper=bounds(ratio, 0.5, PASSING, burst=burst, scale=scale)[1],
            reference=timing.reference.quantile(0.5),
        )
    # By the union bound both sides' bounds hold at twice the level of each.
    mine, its = bursts.shadow.factor, bursts.reference.factor
    least, _ = bounds(timing.shadow, 0.99, FAILING / 2, burst=mine, scale=scale)
    _, most = bounds(timing.shadow, 0.99, PASSING / 2, burst=mine, scale=scale)
    _, its_most = bounds(timing.reference, 0.99, FAILING / 2, burst=its, scale=scale)
    its_least, _ = bounds(timing.reference, 0.99, PASSING / 2, burst=its, scale=scale)
    its_own = timing.reference.quantile(0.99)
    return _Slower(
        observed=_times(timing.shadow.quantile(0.99), its_own),
        lower=least / its_most if its_most else 0.0,
        upper=_times(most, its_least),
        reference=its_own,
    )


def _times(one: float, other: float) -> float:
    return one / other if other else inf


def _limit(percent: int, reference: float) -> float:
    """Return how many times as long the shadow may take."""
    floor = FLOOR_SECONDS / reference if reference else inf
    return 1 + max(percent / 100, floor)


def _is_trend(case: Case) -> bool:
    bursts = case.ledger.bursts
    return (
        case.tally.counts.timing.ratio.count >= LEAST_PAIRS
        and bursts.ratio.intervals >= LEAST_INTERVALS
    )


def _undecided(case: Case, gate: Gate, slower: _Slower, limit: float, sentence: str) -> Outcome:
    if slower.observed >= limit:
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, f"{sentence}; that may be chance."))
    scale = _scale(case, gate.name, limit)
    if scale is None:
        text = f"{sentence}; that is too close to the limit to be decided soon."
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, text))
    pairs = case.tally.counts.timing.ratio.count
    wait = case.wait(pairs * (scale - 1), pairs)
    return wait.outcome(gate, f"{sentence}; {wait.clause}.")


def _scale(case: Case, name: GateName, limit: float) -> float | None:
    """Return with how many times the pairs the gate passes, if they are like those so far."""
    steps = [2 ** (step / 2) for step in range(1, 2 * _MOST_SCALES)]
    low, high = 0, len(steps)
    while low < high:
        middle = (low + high) // 2
        if _slower(case, name, steps[middle]).upper < limit:
            high = middle
        else:
            low = middle + 1
    return steps[low] if low < len(steps) else None


def _more(case: Case, name: GateName, slower: _Slower) -> str:
    timing, measure = case.tally.counts.timing, name.value.partition("-")[2]
    share = 0.5 if name is GateName.LATENCY_P50 else 0.99
    mine, its = timing.shadow.quantile(share), timing.reference.quantile(share)
    what, production = "longer" if slower.observed >= 1 else "less", lately(case, measure)
    numbers = f"{_ms(mine)} ms against {_ms(its)} ms" + (production and f"; {production}")
    return f"{_percent(slower.observed).lstrip('+-')} {what} ({numbers})"


def _percent(times: float) -> str:
    """Write a ratio as difference: `+3.1%`."""
    more = 100 * (times - 1)
    return f"{max(-100.0, min(more, 99_999.0)):+.1f}%"


def _ms(seconds: float) -> str:
    """Write milliseconds: two decimals, fewer where they say nothing."""
    value = seconds * 1000
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 1000 else f"{value:.0f}"


def status(timing: Timing) -> Latency | None:
    """Give what status says of latencies; None before the first pair was timed."""
    if not timing.ratio.count:
        return None
    mine, its = timing.shadow, timing.reference
    return Latency(
        shadow=Quantiles(p50=_ms(mine.quantile(0.5)), p99=_ms(mine.quantile(0.99))),
        reference=Quantiles(p50=_ms(its.quantile(0.5)), p99=_ms(its.quantile(0.99))),
        p50_difference_percent=_percent(timing.ratio.quantile(0.5)).rstrip("%"),
        p99_difference_percent=_percent(_times(mine.quantile(0.99), its.quantile(0.99))).rstrip(
            "%"
        ),
    )
