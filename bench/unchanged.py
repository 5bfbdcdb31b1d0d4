"""How often an unchanged version is accused of anything, judged at every interval of a day.

The new version is the old one, so shadow, reference and control are drawn alike. After each of the
2,880 intervals all is asked that can end in `Investigate` by chance: the gates that fail by a bound
(but growth of memory, for which see `bench/memory_growth.py`), and whether one of twelve noisy
fields is taken for a change. The bounds and levels are the operator's; how many events they take
at so many trials is worked out once, so that a day takes a moment.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain
from math import log
from typing import Final, TypeAlias

import numpy as np
from scipy.stats import norm

from bench.judgement import INTERVALS, LIMIT
from shadow_operator.core.counting import noise
from shadow_operator.core.judging import latency, rates
from shadow_operator.core.judging.levels import FAILING
from shadow_operator.core.numbers import sequential
from shadow_operator.core.numbers.clusters import Clusters

Counts: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

PAIRS: Final = 60
"""Of an interval."""
ROUTES: Final = (30, 18, 9, 3)
"""How they spread over routes."""
PER_ROUTE: Final = 100
"""`gates.minimumPairs.perRoute`."""
TRIPLES: Final = 3
"""Uniform ones of an interval: `reference.controlPercent` of 5."""
FIELDS: Final = (0.5, 0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.002, 0.001)
"""Chance that an answer has a value of its own there, for each noisy field."""
SPREAD: Final = 0.3
"""Standard deviation of the logarithm of how long an answer takes."""


@dataclass(frozen=True)
class Version:
    """What both are like, the old one and the new one that is the same."""

    name: str
    mismatches: float = 0.0
    """Share of pairs that differ and are not told as noise."""
    failures: float = 0.0
    """Share of requests that one side alone does not answer."""
    storm: int = 1
    """So many of these come together, in one interval."""


VERSIONS: Final = (
    Version("no mismatch, no error"),
    Version("1 mismatch in 10,000, each side alone fails in 0.1 %", LIMIT / 10, 0.001),
    Version("1 mismatch in 2,000, each side alone fails in 1 %", LIMIT / 2, 0.01),
    Version("the same, failures in storms of 20", LIMIT / 2, 0.01, 20),
)


@cache
def least(rate: float, level: float, most: int) -> Counts:
    """Return the least events that prove "more than `rate`", for each number of trials."""
    wanted, events, found = -log(level), 0, np.empty(most + 1, dtype=np.int64)
    for trials in range(most + 1):
        while events <= trials and sequential.above(events, trials, rate) < wanted:
            events += 1
        found[trials] = events
    return found


@cache
def fewest(rate: float, level: float, most: int) -> Counts:
    """Return the most events that still prove "less than `rate`"; -1 where none does."""
    wanted, events, found = -log(level), -1, np.empty(most + 1, dtype=np.int64)
    for trials in range(most + 1):
        while sequential.below(events + 1, trials, rate) >= wanted:
            events += 1
        found[trials] = events
    return found


class Day:
    """What a day shows, up to each of its intervals; the same seed gives the same day."""

    def __init__(self, version: Version, *seed: int, intervals: int = INTERVALS) -> None:
        """Draw nothing yet: each judgement draws what it looks at."""
        self._version = version
        self._intervals = intervals
        self._draw = np.random.default_rng(seed)

    @property
    def most(self) -> int:
        """Trials of a day, of whatever there are most."""
        return (PAIRS + TRIPLES) * self._intervals

    def trials(self, each: int) -> Counts:
        """Return how many there were up to each interval."""
        return each * np.arange(1, self._intervals + 1)

    def events(self, share: float, trials: int) -> Counts:
        """Draw independent events of so many trials an interval."""
        return np.cumsum(self._draw.binomial(trials, share, self._intervals))

    def mismatches(self, pairs: int) -> Counts:
        """Draw pairs that differ."""
        return self.events(self._version.mismatches, pairs)

    def failures(self) -> Counts:
        """Draw what one side alone did not answer, interval by interval."""
        storm = self._version.storm
        storms = self._draw.binomial(PAIRS, self._version.failures / storm, self._intervals)
        return np.minimum(PAIRS // 2, storm * storms)

    def slower(self, times: float, share: float, spread: float) -> Counts:
        """Draw what takes `times` as long as a quantile that so many exceed."""
        return self.events(float(norm.sf(norm.isf(share) + log(times) / spread)), PAIRS)

    def triples(self, own: float) -> tuple[Counts, Counts]:
        """Draw in how many uniform triples shadow and control differ from the reference."""
        both, one = _odd(own)
        chances = (both, one, one, 1 - both - 2 * one)
        drawn = np.cumsum(self._draw.multinomial(TRIPLES, chances, self._intervals), axis=0)
        return drawn[:, 0] + drawn[:, 1], drawn[:, 0] + drawn[:, 2]

    def asked_again(self, own: float) -> Counts:
        """Draw where the control was the same as the reference, of one differing pair each."""
        both, one = _odd(own)
        return self.events(one / (both + one), 1)

    def directions(self, own: float) -> tuple[Counts, Counts]:
        """Draw in how many pairs a field differs in one direction, and in the other."""
        half = (1 - (1 - own) ** 2) / 2
        drawn = self._draw.multinomial(PAIRS, (half, half, 1 - 2 * half), self._intervals)
        totals = np.cumsum(drawn, axis=0)
        return totals[:, 0], totals[:, 1]


def _odd(own: float) -> tuple[float, float]:
    """Return how likely both others differ from the reference, and how likely the one alone."""
    return own + (1 - own) * own * own, (1 - own) * own * (1 - own)


Judgement: TypeAlias = Callable[[Day], bool]
"""Whether it is wrong at any interval; it draws what it looks at."""


def shown(  # noqa: PLR0917 - as a bound is called
    day: Day, events: Counts, trials: Counts, rate: float, level: float, enough: int = 0
) -> bool:
    """Return whether events are at any interval shown to be more frequent than `rate`.

    `enough`: no interval counts before so many trials.
    """
    proved = events >= least(rate, level, day.most)[trials]
    return bool((proved & (trials >= enough)).any())


def match_rate(day: Day) -> bool:
    """All pairs together."""
    return _mismatches(day, PAIRS, FAILING, rates.EARLY_PAIRS)


def routes(day: Day) -> bool:
    """One of the routes."""
    return any(_mismatches(day, pairs, FAILING / len(ROUTES), PER_ROUTE) for pairs in ROUTES)


def _mismatches(day: Day, pairs: int, level: float, enough: int) -> bool:
    return shown(day, day.mismatches(pairs), day.trials(pairs), LIMIT, level, enough)


def failures(day: Day) -> bool:
    """Errors, or timeouts: more of the shadow than of the reference."""
    shadow, reference = day.failures(), day.failures()
    mine, its, requests = np.cumsum(shadow), np.cumsum(reference), day.trials(PAIRS)
    squares = np.cumsum((shadow - reference) ** 2)
    for last in np.flatnonzero(mine - its > LIMIT * requests):
        more, less, pairs = int(mine[last]), int(its[last]), int(requests[last])
        seen = Clusters(
            number=int(last) + 1,
            pairs=pairs,
            more=more,
            less=less,
            pairs_squared=pairs * PAIRS,
            worth_by_pairs=(more - less) * PAIRS,
            worth_squared=int(squares[last]),
        )
        if rates.Failed(more, less, pairs, effect=seen.effect(more, less)).fails(LIMIT):
            return True
    return False


def latency_p50(day: Day) -> bool:
    """More than half of the ratios are above what the median may be."""
    exceeding = day.slower(1.05, 0.5, SPREAD * 2**0.5)
    return shown(day, exceeding, day.trials(PAIRS), 0.5, FAILING, latency.LEAST_PAIRS)


def latency_p99(day: Day) -> bool:
    """One of its two bounds is wrong: without that the gate can't be."""
    mine, its = day.slower(1.1, 0.01, SPREAD), day.slower(1.0, 0.01, SPREAD)
    trials, level, enough = day.trials(PAIRS), FAILING / 2, latency.LEAST_PAIRS
    low = (its <= fewest(0.01, level, day.most)[trials]) & (trials >= enough)
    return bool(low.any()) or shown(day, mine, trials, 0.01, level, enough)


def noisy_fields(day: Day) -> bool:
    """One of them is taken for a change."""
    return any(is_accused(day, own) for own in FIELDS)


def is_accused(day: Day, own: float) -> bool:
    """Whether any test on noise takes a field for a change of which answers have their own value.

    `own`: with which chance.
    """
    shadow, control = day.triples(own)
    there, back = day.directions(own)
    clean, share = day.asked_again(own), PAIRS / (PAIRS + TRIPLES)
    return (
        shown(day, shadow, shadow + control, 0.5, noise.UNIFORM_LEVEL)
        or shown(day, clean, day.trials(1), 0.5, noise.TRIGGERED_LEVEL)
        or shown(day, there, there + back, 0.5, noise.DIRECTION_LEVEL)
        or shown(day, back, there + back, 0.5, noise.DIRECTION_LEVEL)
        or shown(day, there + back, there + back + control, share, noise.ALL_PAIRS_LEVEL)
    )


JUDGEMENTS: Final[Mapping[str, Judgement]] = {
    "match-rate": match_rate,
    "routes": routes,
    "shadow-errors": failures,
    "timeouts": failures,
    "latency-p50": latency_p50,
    "latency-p99": latency_p99,
    "a noisy field": noisy_fields,
}


def wrong(version: Version, seed: int, *, intervals: int = INTERVALS) -> frozenset[str]:
    """Return what is judged wrongly at any interval of a day."""
    return frozenset(
        name
        for number, (name, judge) in enumerate(JUDGEMENTS.items())
        if judge(Day(version, seed, number, intervals=intervals))
    )


def lines(runs: int) -> Iterator[str]:
    """Give the table."""
    yield f"{runs} runs of an unchanged version, judged at every interval of a day; wrong are"
    wrong(VERSIONS[0], 0)  # so that all processes begin with the bounds worked out
    with ProcessPoolExecutor() as pool:
        for version in VERSIONS:
            found = list(pool.map(partial(wrong, version), range(runs), chunksize=1 + runs // 20))
            yield f"{100 * sum(map(bool, found)) / runs:6.2f} %  {version.name}"
            for name, count in Counter(chain.from_iterable(found)).items():
                yield f"{100 * count / runs:6.2f} %    by {name}"


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    for line in lines(parser.parse_args().runs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
