"""Whether production runs worse than it did: by how much, and beyond chance."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, log, sqrt
from statistics import fmean, variance
from typing import Final

from shadow_operator.api.spec import Guard
from shadow_operator.core.numbers import envoy_bins
from shadow_operator.core.numbers.statistics import no_more_often, regularized_beta
from shadow_operator.core.recording.production import Course

LEVEL: Final = 1e-5
"""Of each bound over requests, and of the test over intervals that is made besides: there are
several thousand looks a day, at three numbers each."""
RECOVERY_LEVEL: Final = 1e-2
"""Of each bound by which a recovery is told: it is looked at a few times only."""
LEAST_INTERVALS: Final = 4
"""Fewer intervals don't tell how much production varies by itself."""
LEAST_REQUESTS: Final = 20
"""Intervals with fewer are joined, because they have no quantile worth comparing."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One of the numbers by which harm is told: a quantile of latency, or the rate of errors."""

    name: str
    value: Callable[[Course], float]
    """Of what was seen: milliseconds, or a ratio."""
    limit: Callable[[Guard, float], float]
    """From which value on it is harm, given the normal value."""
    worse: Callable[[Course, Course, float], bool]
    """Whether the first is worse than the second beyond chance at this level."""
    worst: Callable[[Sequence[Course]], list[float]]
    """Of single intervals, as far as they are still known."""
    scale: Callable[[float], float]
    """Makes values of intervals comparable: a ratio of latencies becomes a difference."""
    shown: Callable[[float], str]


def _quantile(name: str, q: float, percent: Callable[[Guard], int]) -> Measure:
    def worse(now: Course, normal: Course, level: float) -> bool:
        lower = envoy_bins.lower_bound(now.bins, q, level)
        upper = envoy_bins.upper_bound(normal.bins, q, level)
        return lower is not None and upper is not None and lower > upper

    def value(course: Course) -> float:
        return envoy_bins.quantile(course.bins, q) if course.bins else 0.0

    return Measure(
        name=name,
        value=value,
        worst=lambda courses: [value(c) for c in _grouped(c for c in courses if c.bins)],
        limit=lambda guard, normal: normal * (1 + percent(guard) / 100),
        worse=worse,
        scale=lambda value: log(max(value, 0.1)),
        shown=lambda value: f"{value:.1f} ms",
    )


def _rate(course: Course) -> float:
    return course.errors / course.requests if course.requests else 0.0


def _fail_more_often(now: Course, normal: Course, level: float) -> bool:
    chance = no_more_often(normal.errors, normal.requests, now.errors, now.requests)
    return bool(now.errors and normal.requests) and chance < level


MEASURES: Final = (
    _quantile("p50", 0.5, lambda guard: guard.max_p50_increase_percent),
    _quantile("p99", 0.99, lambda guard: guard.max_p99_increase_percent),
    Measure(
        name="errors",
        value=_rate,
        limit=lambda guard, normal: normal + float(guard.max_error_increase_percent) / 100,
        worse=_fail_more_often,
        worst=lambda courses: [c.error_rate for c in courses if c.requests >= LEAST_REQUESTS],
        scale=lambda value: value,
        shown=lambda value: f"{100 * value:.2f}%",
    ),
)
BY_NAME: Final = {measure.name: measure for measure in MEASURES}


def pooled(courses: Iterable[Course]) -> Course:
    """Return one record for all of them, in order, with all their latencies."""
    parts = list(courses)
    return Course(
        end=parts[-1].end,
        seconds=sum(part.seconds for part in parts),
        percent=max(part.percent for part in parts),
        requests=sum(part.requests for part in parts),
        errors=sum(part.errors for part in parts),
        bins=envoy_bins.merged(part.bins for part in parts),
    )


def harmed(
    guard: Guard, now: Sequence[Course], normal: Sequence[Course], earlier: Sequence[Course]
) -> tuple[str, ...]:
    """Return the names of the measures that are worse now than normally; empty where none is.

    Three things must hold. In sum and in each interval of now the value is beyond the limit, so it
    lasts. The bounds over requests don't overlap: order statistics for quantiles, Fisher's exact
    test for errors. And intervals of now differ from the normal ones by more than those differ from
    each other (Student's t), and none of a longer time, `earlier`, was as bad: requests of one
    moment share a fate and are not independent.
    """
    if not comparable(now, normal):
        return ()
    lately, known = _grouped(now), _grouped(normal)
    return tuple(
        m.name
        for m in MEASURES
        if _is_harmed(m, guard, lately, known)
        and min(map(m.value, lately)) > max(m.worst(earlier), default=0.0)
    )


def comparable(now: Iterable[Course], normal: Iterable[Course]) -> bool:
    """Return whether there are requests enough to tell anything."""
    return bool(_grouped(now)) and varied(normal)


def varied(courses: Iterable[Course]) -> bool:
    """Return whether there are intervals enough to tell how much production varies by itself."""
    return len(_grouped(courses)) >= LEAST_INTERVALS


def _grouped(courses: Iterable[Course]) -> list[Course]:
    """Join intervals of slow traffic until each has requests enough; what is left over goes."""
    groups: list[Course] = []
    open_ones: list[Course] = []
    for course in courses:
        open_ones.append(course)
        group = pooled(open_ones)
        if min(group.requests, envoy_bins.size(group.bins)) >= LEAST_REQUESTS:
            groups.append(group)
            open_ones = []
    return groups


def _is_harmed(m: Measure, guard: Guard, now: Sequence[Course], normal: Sequence[Course]) -> bool:
    one, other = pooled(now), pooled(normal)
    limit = m.limit(guard, m.value(other))
    return (
        m.value(one) > limit
        and all(m.value(course) > limit for course in now)
        and m.worse(one, other, LEVEL)
        and _stands_out(m, now, normal)
    )


def _stands_out(m: Measure, now: Sequence[Course], normal: Sequence[Course]) -> bool:
    usual = [m.scale(m.value(course)) for course in normal]
    lately = [m.scale(m.value(course)) for course in now]
    error = sqrt(variance(usual) * (1 / len(usual) + 1 / len(lately)))
    t = (fmean(lately) - fmean(usual)) / error if error else inf
    return _student_above(t, len(usual) - 1) < LEVEL


def _student_above(t: float, degrees: int) -> float:
    """Return P(T > t), t > 0, for Student's distribution (Numerical Recipes, 3rd edition, 6.14)."""
    if t <= 0:
        return 1.0
    return regularized_beta(degrees / 2, 0.5, degrees / (degrees + t * t)) / 2


def within(guard: Guard, names: Iterable[str], now: Course, before: Course) -> bool:
    """Return whether none of these measures is beyond its limit, by what was seen alone."""
    measures = map(BY_NAME.__getitem__, names)
    return all(m.value(now) <= m.limit(guard, m.value(before)) for m in measures)


def recovered(names: Iterable[str], now: Course, harm: Course, normal: Course) -> bool:
    """Return whether each of these measures is nearer to normal than to the harm, beyond chance."""
    return all(
        2 * m.value(now) < m.value(harm) + m.value(normal) and m.worse(harm, now, RECOVERY_LEVEL)
        for m in map(BY_NAME.__getitem__, names)
    )


def sentence(names: Iterable[str], now: Course, normal: Course) -> str:
    """Say what rose from what to what: `p99 rose from 40.1 ms to 52.0 ms (+30%)`."""
    return ", ".join(
        f"{m.name} rose from {m.shown(m.value(normal))} to {m.shown(m.value(now))}"
        + _by(m, now, normal)
        for m in map(BY_NAME.__getitem__, names)
    )


def _by(m: Measure, now: Course, normal: Course) -> str:
    before = m.value(normal)
    if m.name == "errors" or not before:
        return ""
    return f" (+{100 * (m.value(now) / before - 1):.0f}%)"
