"""How often the gates on errors and timeouts are wrong where failures come in bursts.

Requests in which only the shadow, or only the reference, fails are drawn and judged by the
operator's own functions (`core/judging/rates`, `core/numbers/clusters`) after each of the 2,880
intervals of a day; and beside that as if all failures were independent.
"""

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, inf
from statistics import fmean
from typing import Final

import numpy as np

from bench.judgement import INTERVALS, LIMIT
from shadow_operator.core.judging.rates import Failed
from shadow_operator.core.numbers.clusters import Cluster, Clusters

A_MINUTE: Final = 2
"""Intervals."""
HOUR: Final = 60 * A_MINUTE
REQUESTS: Final = 60
"""Of an interval."""


@dataclass(frozen=True)
class Scenario:
    """One kind of version and of trouble."""

    name: str
    shadow: float = 0.0
    """Share of the requests in which only the shadow fails."""
    reference: float = 0.0
    burst: int = 1
    """Failures of the shadow that come together in one interval."""
    reference_burst: int = 1
    halts: float = 0.0
    """Of a day: times when one side, chance says which, fails in `share` of the requests."""
    minutes: float = 0.5
    """How long they last."""
    share: float = 1.0
    breaks: int = INTERVALS
    """Intervals after which the shadow fails in `share` of the requests for good."""
    soak: int = INTERVALS + 1
    """Intervals before which nothing passes."""


def failures(scenario: Scenario, seed: int) -> tuple[Sequence[int], Sequence[int]]:
    """Draw the requests of each interval in which one side alone fails: the shadow, the reference.

    A halt begins at any moment, so it is seen in one more interval than it lasts.
    """
    dice = np.random.default_rng(seed)
    mine, its = (
        size * dice.binomial(REQUESTS, rate / size, INTERVALS)
        for rate, size in (
            (scenario.shadow, scenario.burst),
            (scenario.reference, scenario.reference_burst),
        )
    )
    for _ in range(dice.poisson(scenario.halts)):
        side, begin = (mine, its)[dice.integers(2)], dice.random() * INTERVALS
        end = min(begin + scenario.minutes * A_MINUTE, INTERVALS)
        for number in range(int(begin), ceil(end)):
            inside = min(number + 1, end) - max(number, begin)
            side[number] += dice.binomial(round(REQUESTS * inside), scenario.share)
    rest = INTERVALS - scenario.breaks
    mine[scenario.breaks :] += dice.binomial(REQUESTS, scenario.share, rest)
    mine = np.minimum(mine, REQUESTS)
    return mine.tolist(), np.minimum(its, REQUESTS - mine).tolist()


@dataclass(frozen=True)
class Decision:
    """What was decided, and after how many intervals."""

    passed: bool
    intervals: int


@dataclass(frozen=True)
class Decisions:
    """Of one run; None where nothing was decided."""

    operator: Decision | None
    plain: Decision | None
    """As if all failures were independent."""


def run(scenario: Scenario, seed: int) -> Decisions:
    """Judge at every interval until something is decided.

    A design effect over 1 only postpones a decision: it is measured where one would be taken
    without it.
    """
    drawn = [Cluster(REQUESTS, *both) for both in zip(*failures(scenario, seed), strict=True)]
    shadow = reference = 0
    operator = plain = None
    for number, came in enumerate(drawn, 1):
        shadow, reference = shadow + int(came.more), reference + int(came.less)
        seen, may_pass = Failed(shadow, reference, REQUESTS * number), number >= scenario.soak
        first = _decision(seen, number, may_pass=may_pass) if came.more or may_pass else None
        if first:
            plain = plain or first
            both = Clusters.of(drawn[:number])
            alone = Clusters.of(one._replace(less=0) for one in drawn[:number])
            effects = both.effect(shadow, reference), alone.effect(shadow)
            seen = replace(seen, effect=effects[0], alone=effects[1])
            operator = _decision(seen, number, may_pass=may_pass)
        if operator:
            break
    return Decisions(operator, plain)


def _decision(seen: Failed, number: int, *, may_pass: bool) -> Decision | None:
    if seen.fails(LIMIT):
        return Decision(passed=False, intervals=number)
    passes = may_pass and seen.passes(LIMIT)
    return Decision(passed=True, intervals=number) if passes else None


UNCHANGED: Final = (
    Scenario("each side fails in 1 of 1,000", 0.001, 0.001),
    Scenario("a halt of 30 s", halts=1),
    Scenario("4 halts of 30 s", halts=4),
    Scenario("the same, and 1 of 2,000 on each side", 0.0005, 0.0005, halts=4),
    Scenario("a halt of 2 min", halts=1, minutes=2),
    Scenario("4 halts of 2 min of one of two pods", halts=4, minutes=2, share=0.5),
    Scenario("24 of 30 s of a fifth, and 1 of 2,000", 0.0005, 0.0005, halts=24, share=0.2),
    Scenario("a halt of 5 min", halts=1, minutes=5),
)
"""None of them should fail. Halts are those of a day, on average."""
NOT_GOOD_ENOUGH: Final = (
    Scenario("0.1 % against none", 0.001, soak=HOUR),
    Scenario("0.2 % against 0.1 %", 0.002, 0.001, soak=6 * HOUR),
    Scenario("0.1 % in bursts of 5, soak of 6 h", 0.001, burst=5, soak=6 * HOUR),
    Scenario("0.1 % in bursts of 20, soak of 24 h", 0.001, burst=20, soak=INTERVALS),
    Scenario("0.1 % in bursts of 60, soak of 24 h", 0.001, burst=60, soak=INTERVALS),
    Scenario(
        "0.15 % against 0.05 % in bursts of 60, soak of 24 h",
        0.0015, 0.0005, reference_burst=60, soak=INTERVALS,
    ),
)  # fmt: skip
"""None of them should pass: the excess is 0.1 points."""
BROKEN: Final = tuple(
    Scenario(
        f"{100 * share:g} % from {since // HOUR} h on", 0.0005, 0.0005, share=share, breaks=since
    )
    for share in (1.0, 0.5, 0.05, 0.01)
    for since in (0, HOUR, 20 * HOUR)
)
"""All of them should fail, and soon."""


def judged(scenario: Scenario, runs: int) -> Iterator[tuple[str, list[Decision | None]]]:
    """Give what was decided in each run: by the operator, and plainly."""
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(partial(run, scenario), range(runs), chunksize=1 + runs // 20))
    yield "operator", [one.operator for one in found]
    yield "plain", [one.plain for one in found]


def lines(runs: int) -> Iterator[str]:
    """Give the tables."""
    yield f"{runs} runs, judged at every interval of a day, and plainly: as if independent"
    for what, scenarios in (("fail", UNCHANGED), ("pass", NOT_GOOD_ENOUGH)):
        for scenario in scenarios:
            for by, found in judged(scenario, runs):
                wrong = [one for one in found if one and one.passed is (what == "pass")]
                yield f"{100 * len(wrong) / runs:6.2f} % {what}, {by:8}  {scenario.name}"
    yield "minutes until it fails: mean, longest, how many did"
    for scenario in BROKEN:
        for by, found in judged(scenario, few := max(20, runs // 10)):
            times = [one.intervals - scenario.breaks for one in found if one and not one.passed]
            mean, longest = (f(times) / A_MINUTE if times else inf for f in (fmean, max))
            yield f"{mean:6.1f} {longest:6.1f} {len(times):4} of {few}, {by:8}  {scenario.name}"


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000)
    for line in lines(parser.parse_args().runs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
