"""How often the judge is wrong if it is asked at every interval, and what a decision costs.

Mismatches are drawn, and a match rate is judged by the operator's own functions
(`core/judging/rates`, `core/counting/blocks`, `core/numbers/clusters`) after each of the 2,880
intervals of a day, until it decides.
"""

import argparse
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from math import inf, log, log1p
from pathlib import Path
from statistics import fmean
from typing import Final

import numpy as np

from bench.picture import picture
from shadow_operator.core.counting.blocks import Block
from shadow_operator.core.judging import levels, rates
from shadow_operator.core.numbers.clusters import Cluster, Clusters
from shadow_operator.core.numbers.sequential import above, trials_below
from shadow_operator.core.numbers.series import appended

INTERVALS: Final = 2_880
SECONDS: Final = 30
LIMIT: Final = 0.001
"""A match rate of 99.9 %."""
_KEY: Final = "x"


@dataclass(frozen=True)
class Scenario:
    """One kind of version and traffic."""

    name: str
    rate: float
    """True share of mismatches."""
    burst: int = 1
    """Mismatches that come together in one interval."""
    pairs: int = 60
    """Pairs of an interval."""
    soak: int = 1
    """Intervals before which nothing passes."""
    intervals: int = INTERVALS


@dataclass(frozen=True)
class Decision:
    """What was decided, and after how many pairs."""

    passed: bool
    pairs: int


def mismatches(scenario: Scenario, seed: int) -> Sequence[int]:
    """Draw the mismatches of each interval."""
    draw = np.random.default_rng(seed)
    bursts = draw.binomial(scenario.pairs, scenario.rate / scenario.burst, scenario.intervals)
    drawn: list[int] = np.minimum(scenario.pairs, scenario.burst * bursts).tolist()
    return drawn


def run(scenario: Scenario, seed: int) -> Decision | None:
    """Judge at every interval until something is decided.

    A design effect over 1 only postpones a decision: it is measured where one would be taken
    without it.
    """
    drawn, events, blocks = mismatches(scenario, seed), 0, _Blocks(scenario)
    for number, new in enumerate(drawn, 1):
        events, pairs = events + new, number * scenario.pairs
        may_pass = number >= scenario.soak and pairs >= _enough_to_pass(events)
        if not may_pass and pairs > _most_to_fail(events):
            continue
        effect = blocks.effect(drawn[:number])
        if rates.fails(events, pairs, LIMIT, effect):
            return Decision(passed=False, pairs=pairs)
        if may_pass and rates.passes(events, pairs, LIMIT, effect):
            return Decision(passed=True, pairs=pairs)
    return None


class _Blocks:
    """The blocks of a run, made as far as they are asked for."""

    def __init__(self, scenario: Scenario) -> None:
        self._pairs = scenario.pairs
        self._made: tuple[Block, ...] = ()
        self._count = 0

    def effect(self, drawn: Sequence[int]) -> float:
        for number in range(self._count, len(drawn)):
            self._made = appended(
                self._made,
                Block(
                    end=(number + 1) * SECONDS,
                    seconds=SECONDS,
                    pairs=self._pairs,
                    differing={_KEY: drawn[number]} if drawn[number] else {},
                ),
            )
        self._count = len(drawn)
        seen = Clusters.of(Cluster(b.pairs, b.differing.get(_KEY, 0)) for b in self._made)
        return seen.effect(seen.more)


@cache
def _enough_to_pass(events: int) -> float:
    return trials_below(events, LIMIT, levels.PASSING) or inf


@cache
def _most_to_fail(events: int) -> int:
    """Return with how many pairs at most so many events fail."""
    if not events:
        return 0
    wanted, span = -log(levels.FAILING), range(events, int(events / LIMIT) + 1)
    found = bisect_left(span, True, key=lambda pairs: above(events, pairs, LIMIT) < wanted)
    return events + found


def least(rate: float) -> float:
    """Return the expected number of pairs that no sequential test of these levels can undercut.

    log(1/level) by the information of one pair (Wald, "Sequential tests of statistical hypotheses",
    Annals of Mathematical Statistics 16, 1945), for a test that always decides in the end.
    """
    level = levels.PASSING if rate < LIMIT else levels.FAILING
    same = (1 - rate) * (log1p(-rate) - log1p(-LIMIT))
    return -log(level) / (same + (rate * log(rate / LIMIT) if rate else 0.0))


QUARTER: Final = INTERVALS // 4
NEVER: Final = INTERVALS + 1
"""A soak that is not over in a day, so that there is all day to fail."""
FALSE_PASSES: Final = (
    Scenario("just not good enough, no soak", LIMIT),
    Scenario("the same, 600 pairs an interval", LIMIT, pairs=600),
    Scenario("in bursts of 5, soak of 6 h", LIMIT, 5, soak=QUARTER),
    Scenario("in bursts of 20, soak of 6 h", LIMIT, 20, soak=QUARTER),
    Scenario("in bursts of 20, soak of 24 h", LIMIT, 20, soak=INTERVALS),
)
"""None of them should pass."""
FALSE_FAILURES: Final = (
    Scenario("unchanged, 1 mismatch in 10,000", LIMIT / 10, soak=NEVER),
    Scenario("unchanged, 1 in 2,000", LIMIT / 2, soak=NEVER),
    Scenario("unchanged, 1 in 2,000 in bursts of 5", LIMIT / 2, 5, soak=NEVER),
    Scenario("unchanged, 1 in 10,000 in bursts of 20", LIMIT / 10, 20, soak=NEVER),
)
"""None of them should fail."""
PRICES: Final = (0.0, 0.0001, 0.0002, 0.0005, 0.002, 0.003, 0.005, 0.01, 0.03)
"""True shares of mismatches of which it is asked how many pairs tell them from the limit."""


def share(scenario: Scenario, runs: int, *, passed: bool) -> float:
    """Return the share of runs that pass, or fail."""
    with ProcessPoolExecutor() as pool:
        decided = list(pool.map(partial(run, scenario), range(runs), chunksize=1 + runs // 20))
    return sum(one is not None and one.passed is passed for one in decided) / runs


def price(rate: float, runs: int) -> float:
    """Return the mean number of pairs up to the right decision."""
    pairs = 10 if rate > LIMIT else 30
    scenario = Scenario("price", rate, pairs=pairs, intervals=8 * INTERVALS)
    decided = [run(scenario, seed) for seed in range(runs)]
    return fmean(one.pairs for one in decided if one and one.passed == (rate < LIMIT))


def lines(runs: int) -> Iterator[str]:
    """Give the tables, and write the picture at the end."""
    yield f"{runs} runs, judged at every interval of a day"
    for what, scenarios, passed in (
        ("pass", FALSE_PASSES, True),
        ("fail", FALSE_FAILURES, False),
    ):
        for scenario in scenarios:
            yield f"{100 * share(scenario, runs, passed=passed):6.2f} % {what}  {scenario.name}"
    costs = {rate: price(rate, max(20, runs // 10)) for rate in PRICES}
    yield "mismatches     pairs   at least"
    for rate, pairs in costs.items():
        yield f"{100 * rate:8.2f} % {pairs:9,.0f}  {least(rate):9,.0f}"
    costs = {rate: pairs for rate, pairs in costs.items() if rate}
    svg = picture(costs, least, LIMIT)
    Path("docs/images/price.svg").write_text(svg, encoding="utf-8")


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    for line in lines(parser.parse_args().runs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
