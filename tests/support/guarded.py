"""Production as a seeded simulation, judged by the guard at every interval."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp, log

from shadow_operator.api.spec import Spec
from shadow_operator.core.numbers import envoy_bins, series
from shadow_operator.core.recording import guard
from shadow_operator.core.recording.guard import GuardRecord, GuardState
from shadow_operator.core.recording.production import Course
from tests.support.readings import spec

INTERVAL = 30.0
HOUR = 3600.0


def shape(sigma: float = 0.5) -> tuple[tuple[float, float], ...]:
    """Give multiples of the median and their share, of a log-normal distribution."""
    edges = [exp(sigma * (i - 50) / 12.5) for i in range(101)]
    mass = [exp(-((log(edge) / sigma) ** 2) / 2) for edge in edges]
    return tuple((edge, part / sum(mass)) for edge, part in zip(edges, mass, strict=True))


SHAPE = shape()


def interval(
    rng: random.Random,
    end: float,
    *,
    median: float = 40.0,
    requests: float = 3000,
    error_rate: float = 0.0005,
    percent: int = 0,
    seconds: float = INTERVAL,
) -> Course:
    """Give one interval of production: log-normal latencies, in bins, with the noise of counts."""
    bins: dict[int, int] = {}
    for multiple, share in SHAPE:
        expected = requests * share
        drawn = (
            max(0, round(rng.gauss(expected, expected**0.5)))
            if expected > 20
            else _poisson(rng, expected)
        )
        if drawn:
            number = envoy_bins.bin_of(int(median * multiple))
            bins[number] = bins.get(number, 0) + drawn
    total = envoy_bins.size(bins)
    return Course(
        end=end,
        seconds=seconds,
        percent=percent,
        requests=total,
        errors=_poisson(rng, total * error_rate),
        p50=envoy_bins.quantile(bins, 0.5) if bins else 0.0,
        p99=envoy_bins.quantile(bins, 0.99) if bins else 0.0,
        bins=bins,
    )


def _poisson(rng: random.Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(rng.gauss(mean, mean**0.5)))
    limit, product, number = exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        number += 1
    return number


@dataclass
class Guarded:
    """Production, the mirror and the guard; time goes on by intervals."""

    course: Callable[["Guarded"], dict[str, float]] = lambda _: {}
    """What production is like now: fields of `interval`."""
    seed: int = 1
    spec: Spec = field(default_factory=spec)
    now: float = 1_700_000_000.0
    record: GuardRecord = field(default_factory=GuardRecord)
    series: tuple[Course, ...] = ()
    percent: int = 0
    states: list[GuardState] = field(default_factory=list)
    kept: list[tuple[Course, ...]] = field(default_factory=list)
    """The series as it was after each interval."""
    rng: random.Random = field(init=False)
    begun: float = field(init=False)

    def __post_init__(self) -> None:
        self.rng, self.begun = random.Random(self.seed), self.now  # noqa: S311 - repeatable

    @property
    def age(self) -> float:
        """Seconds since the beginning."""
        return self.now - self.begun

    @property
    def state(self) -> GuardState:
        """State of now."""
        return self.record.state

    def run(self, seconds: float, *, percent: int | None = None) -> "Guarded":
        """Let time pass with this percentage wanted, judged at every interval."""
        wanted = self.percent if percent is None else percent
        for _ in range(round(seconds / INTERVAL)):
            self.percent = 0 if self.record.holds(self.spec) else wanted
            self.now += INTERVAL
            fields = self.course(self)
            seen = interval(self.rng, self.now, percent=self.percent, **fields)
            self.series = series.appended(self.series, seen)
            self.record = guard.judged(self.record, self.spec, self.series, now=self.now)
            self.states.append(self.state)
            self.kept.append(self.series)
        self.percent = wanted
        return self
