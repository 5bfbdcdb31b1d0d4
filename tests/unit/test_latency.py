"""Latency is judged by bounds that hold at every look, and never by less than can be measured."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf
from typing import Any

import pytest

from shadow_operator.api.enums import GateName, GateResult
from shadow_operator.api.evidence import RouteCounts, Sketch
from shadow_operator.api.status import Gate
from shadow_operator.comparator.room import Room
from shadow_operator.comparator.sketch import Latencies, wire
from shadow_operator.core.counting.counts import Counts
from shadow_operator.core.counting.tally import tally
from shadow_operator.core.judging.case import Case
from shadow_operator.core.judging.gates import gates
from shadow_operator.core.judging.latency import bounds, exceeding, status
from shadow_operator.core.numbers.bursts import Burst, Bursts
from shadow_operator.core.numbers.histogram import Histogram, Timing, timing_of
from shadow_operator.core.recording.ledger import Coverage, Ledger, Load, Process, begin
from shadow_operator.core.recording.soak import Soak
from tests.support.guarded import Guarded
from tests.support.readings import EPOCH, route, spec

P50, P99, TIMEOUTS = GateName.LATENCY_P50, GateName.LATENCY_P99, GateName.TIMEOUTS
THROUGHPUT = GateName.THROUGHPUT
PASSED, FAILED = GateResult.PASSED, GateResult.FAILED
INCONCLUSIVE, NOT_APPLICABLE = GateResult.INCONCLUSIVE, GateResult.NOT_APPLICABLE
STEADY = Bursts(ratio=Burst(deviations=20.0, intervals=20))


def ledger(counts: Counts, bursts: Bursts = STEADY, load: Load | None = None) -> Ledger:
    pairs = sum(one.pairs for one in counts.routes)
    process = Process(pod="p", pod_uid="u", boot_id="b", started_time=0, time=600, counts=counts)
    return begin(EPOCH, now=0, interval=30).model_copy(
        update={
            "processes": (process,),
            "bursts": bursts,
            "load": load or Load(),
            "coverage": Coverage(requests=pairs, eligible=pairs, expected=pairs),
            "soak": Soak(elapsed=60.0),
            "first_measurement": 0.0,
            "last_measurement": 600.0,
        }
    )


def judged(name: GateName, evidence: Ledger, **changes: Any) -> Gate:
    wanted = spec(**changes)
    counted = tally(wanted, evidence.counts, interval=30.0)
    case = Case(spec=wanted, ledger=evidence, tally=counted, soaked=True)
    return next(one.gate for one in gates(case) if one.gate.name is name)


@dataclass
class Seen:
    """What was seen of one route, by default of 20,000 pairs at 10 ms."""

    pairs: int = 20_000
    slower: float = 1.0
    seconds: float = 0.01
    bursts: Bursts = STEADY
    load: Load | None = None
    spec: dict[str, Any] | None = None
    route: dict[str, Any] | None = None

    def gate(self, name: GateName) -> Gate:
        one = route(self.pairs, slower=self.slower, seconds=self.seconds, **(self.route or {}))
        counts = Counts(routes=(one,), timing=timing_of((one,)))
        return judged(name, ledger(counts, self.bursts, self.load), **(self.spec or {}))


def test_production_is_named_beside_both() -> None:
    one = route(20_000)
    seen = ledger(Counts(routes=(one,), timing=timing_of((one,))))
    production = Guarded(course=lambda _: {"median": 40.0}).run(600).run(120, percent=100)
    watched = seen.model_copy(update={"production": production.series, "guard": production.record})
    assert "production" not in judged(P50, seen).message
    told = [
        re.search(r"; production's own (\S+) ms\)", judged(name, watched).message)
        for name in (P50, P99)
    ]
    p50, p99 = (float(found[1]) if found else inf for found in told)
    assert 36 < p50 < 44 < p99 < inf


YOUNG = Bursts(ratio=Burst(intervals=2))
STORM = Burst(deviations=800.0, intervals=20)
STORMY = Bursts(ratio=STORM, shadow=STORM, reference=STORM)
HEAVY, ALIKE = Load(production=1000.0, shadow=2000.0), Load(production=1000.0, shadow=1200.0)
CASES: dict[str, tuple[GateName, Seen, GateResult, str]] = {
    "as fast": (P50, Seen(), PASSED, "ms against 10.0"),
    "as fast in the tail": (P99, Seen(), PASSED, "The slowest in a hundred of 20,000 answers"),
    "faster": (P50, Seen(slower=0.8), PASSED, "20.0% less"),
    "a little slower, but within the limit": (P50, Seen(slower=1.03), PASSED, "3.0% longer"),
    "slower than the limit": (P50, Seen(slower=1.10), FAILED, "10.0% longer"),
    "slower tail": (P99, Seen(slower=1.25), FAILED, "24.6% longer"),
    "the tail may be 10 % slower": (P99, Seen(slower=1.07), PASSED, "6.9% longer"),
    "too close to the limit": (P50, Seen(slower=1.0499), INCONCLUSIVE, "too close to the limit"),
    "slower, but that may be chance": (P50, Seen(1000, 1.052), INCONCLUSIVE, "may be chance"),
    "another limit": (
        P50, Seen(slower=1.10, spec={"gates": {"latencyP50": {"maxIncreasePercent": 20}}}),
        PASSED, "10.0% longer",
    ),
    "the tail needs more pairs": (P99, Seen(300), INCONCLUSIVE, "more pairs are needed"),
    "what can't be measured is not slow": (P50, Seen(slower=1.3, seconds=0.001), PASSED, "30.0%"),
    "not even in the tail": (P99, Seen(slower=1.3, seconds=0.001), PASSED, "30.1%"),
    "a fast service can be slow all the same": (
        P50, Seen(slower=2.0, seconds=0.001), FAILED, "100.0% longer",
    ),
    "few pairs are no trend": (P50, Seen(900, 1.3), INCONCLUSIVE, "may be chance"),
    "few intervals are no trend": (P50, Seen(slower=1.3, bursts=YOUNG), INCONCLUSIVE, "chance"),
    "bursts count for less": (P99, Seen(2000, bursts=STORMY), INCONCLUSIVE, "more pairs"),
    "nothing was timed": (P50, Seen(0), INCONCLUSIVE, "No pair was timed yet"),
    "no reference": (
        P99, Seen(spec={"reference": {"mode": "None"}}), NOT_APPLICABLE, "no reference",
    ),
    # load
    "clones with much more load": (
        P50, Seen(load=HEAVY), INCONCLUSIVE, "2.0 times the load of a production pod; "
        "clones.replicas: 3 makes it comparable. In the median",
    ),
    "much more load explains timeouts": (TIMEOUTS, Seen(load=HEAVY), INCONCLUSIVE, "2.0 times"),
    "clones with a little more load": (P50, Seen(load=ALIKE), PASSED, "against"),
    "requests that go to every clone": (
        P50, Seen(load=Load(production=100.0, shadow=200.0, everywhere=180.0)), INCONCLUSIVE,
        "a lower samplingPercent helps",
    ),
    "load is not known with another mirror": (
        P50, Seen(load=HEAVY, spec={"mirror": {"provider": "External"}}), PASSED,
        "How much load a production pod has is not known",
    ),
    # throughput
    "both answer everything": (THROUGHPUT, Seen(), PASSED, "33.3 requests a second"),
    "the shadow loses a fifth": (
        THROUGHPUT, Seen(route={"shadow_errors": 4000}), FAILED, "answered 33.3 requests",
    ),
    "few pairs tell nothing of throughput": (THROUGHPUT, Seen(20), INCONCLUSIVE, "more pairs"),
    "nothing was answered": (
        THROUGHPUT, Seen(0, route={"both_errors": 3}), INCONCLUSIVE, "answered nothing yet",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "seen", "result", "words"), CASES.values(), ids=CASES)
def test_gate(name: GateName, seen: Seen, result: GateResult, words: str) -> None:
    gate = seen.gate(name)
    assert (gate.result, words in gate.message) == (result, True), gate


def test_a_gate_shows_what_it_saw_and_what_decides() -> None:
    gate = Seen(slower=1.03).gate(P50)
    assert (gate.observed, gate.threshold) == ("+3.0%", "< 5%")
    assert gate.bound is not None
    assert 3.0 < float(gate.bound.strip("+%")) < 5.0
    assert (gate.samples, gate.window_seconds, gate.source) == (20_000, 600, "comparator")


def test_where_the_floor_decides_the_threshold_says_so() -> None:
    assert Seen(seconds=0.001).gate(P50).threshold == "< 5% or 0.50 ms"


def test_status_has_both_sides_in_milliseconds() -> None:
    found = status(timing_of((route(1000, slower=1.5),)))
    assert found is not None
    assert found.shadow is not None
    assert float(found.shadow.p50) == pytest.approx(15.0, rel=0.01)
    assert float(found.p50_difference_percent or 0) == pytest.approx(50.0, abs=1.0)
    assert status(Timing()) is None


# --- histograms -----------------------------------------------------------------------------------


def test_a_quantile_is_right_within_a_bin() -> None:
    draw = random.Random(2)  # noqa: S311 - a simulation
    numbers = sorted(exp(draw.gauss(-4.0, 0.5)) for _ in range(20_000))
    seen = timing_of((sketched(numbers, numbers),)).shadow
    assert seen.quantile(0.5) == pytest.approx(numbers[10_000], rel=0.02)
    assert seen.quantile(0.99) == pytest.approx(numbers[19_800], rel=0.02)


def test_histograms_stay_small_and_lose_no_answer() -> None:
    wide = Histogram(bins=dict.fromkeys(range(-500, 500), 3), zero=7)
    small = wide.fitted(160)
    assert len(small.bins) <= 160
    assert small.count == wide.count == 3007
    assert small.quantile(0.5) == pytest.approx(wide.quantile(0.5), rel=0.1)


def test_merged_bins_add_up_to_the_same_in_any_order() -> None:
    one, two = Histogram(bins={-3: 1, 4: 2}), Histogram(bins={-3: 5, 5: 1}).widened(4)
    assert one.plus(two) == two.plus(one)
    assert one.plus(two).plus(two, -1) == one.widened(4)


def sketched(shadow: list[float], reference: list[float]) -> RouteCounts:
    sketches = [Latencies(Room(1 << 20)) for _ in range(3)]
    for mine, its in zip(shadow, reference, strict=True):
        for sketch, number in zip(sketches, (mine, its, mine / its), strict=True):
            sketch.add(number)
    found: list[Sketch] = [wire(sketch) for sketch in sketches]
    return route(0).model_copy(
        update=dict(
            zip(("shadow_latency", "reference_latency", "latency_ratio"), found, strict=True)
        )
    )


# --- bounds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 0.99])
@pytest.mark.parametrize("trials", [1_000, 20_000])
def test_bounds_enclose_the_quantile_and_more_pairs_draw_them_closer(
    share: float, trials: int
) -> None:
    few, many = exceeding(trials, share, 0.05)
    assert few is not None
    assert many is not None
    assert few < (1 - share) * trials < many
    closer, _ = exceeding(10 * trials, share, 0.05)
    assert closer is not None
    assert closer / 10 > few


def test_too_few_observations_bound_nothing() -> None:
    assert bounds(Histogram(bins={0: 30, 1: 30}), 0.99, 0.05)[1] == inf
    assert bounds(Histogram(), 0.5, 0.05) == (0.0, inf)


# --- how often it is wrong ------------------------------------------------------------------------

INTERVALS, PAIRS = 24, 250


Change = Callable[[float, random.Random, int], float]
"""Seconds of the reference, and number of the interval -> seconds of the shadow."""


def unchanged(one: float, _draw: random.Random, _interval: int) -> float:
    return one


def times(factor: float) -> Change:
    return lambda one, _draw, _interval: factor * one


def some_wait(one: float, draw: random.Random, interval: int) -> float:
    """One answer of twenty waits for half a second, which is never quite the same."""
    waits = 0.5 * (1 + 0.02 * (interval % 3)) * exp(draw.gauss(0.0, 0.002))
    return one + waits if draw.random() < 0.05 else one


def run(
    seed: int, *, persistence: float, change: Change = unchanged
) -> set[tuple[str, GateResult]]:
    """Judge one service at every interval; what slows it persists from one to the next."""
    draw, total, bursts = random.Random(seed), Timing(), Bursts()  # noqa: S311
    moods = [0.0, 0.0]
    said: set[tuple[str, GateResult]] = set()
    for interval in range(INTERVALS):
        moods = [persistence * mood + draw.gauss(0.0, 0.1 * (persistence > 0)) for mood in moods]
        mine, its = ([0.01 * exp(draw.gauss(mood, 0.3)) for _ in range(PAIRS)] for mood in moods)
        both = sketched([change(one, draw, interval) for one in mine], its)
        after = total.plus(timing_of((both,)))
        bursts, total = bursts.seen(total, after), after
        evidence = ledger(Counts(timing=total), bursts)
        said |= {(name, judged(name, evidence).result) for name in (P50, P99)}
    return said


@pytest.mark.parametrize("persistence", [0.0, 0.5], ids=["independent", "in bursts"])
def test_an_unchanged_version_does_not_fail_though_it_is_judged_at_every_interval(
    persistence: float,
) -> None:
    runs = [run(seed, persistence=persistence) for seed in range(12)]
    assert sum(any(result is FAILED for _, result in said) for said in runs) == 0


@pytest.mark.parametrize("factor", [1.2, 20.0])
def test_a_clearly_slower_version_fails(factor: float) -> None:
    assert (P50, FAILED) in run(1, persistence=0.0, change=times(factor))


def test_a_version_of_which_some_answers_wait_fails() -> None:
    assert (P99, FAILED) in run(1, persistence=0.0, change=some_wait)


def test_answers_in_bursts_count_for_less() -> None:
    draw, calm, stormy = random.Random(5), Burst(), Burst()  # noqa: S311
    total = storm = Histogram(bins={0: 900, 1: 100})
    for _ in range(60):
        slow = sum(draw.random() < 0.1 for _ in range(500))
        after = total.plus(Histogram(bins={0: 500 - slow, 1: slow}))
        calm, total = calm.seen(total, after, 0.9), after
        slow = 250 if draw.random() < 0.2 else 0
        after = storm.plus(Histogram(bins={0: 500 - slow, 1: slow}))
        stormy, storm = stormy.seen(storm, after, 0.9), after
    assert calm.factor <= 1.5
    assert stormy.factor > 20
