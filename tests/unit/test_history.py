"""The course of an epoch, read from its evidence."""

import random
from collections import Counter
from math import log

import pytest

from shadow_operator.api.evidence import RouteCounts
from shadow_operator.api.names import Role
from shadow_operator.core.judging.history import Span, history
from shadow_operator.core.numbers.histogram import Histogram
from shadow_operator.core.numbers.series import appended
from shadow_operator.core.recording.collect import advance
from shadow_operator.core.recording.intervals import Interval, Latency
from shadow_operator.core.recording.ledger import Ledger, begin, decode, encode, size
from shadow_operator.core.snapshot import Amount, Found, LearningReading
from tests.support.readings import (
    EPOCH,
    comparators,
    control,
    mirror,
    mirrors,
    route,
    snapshot,
    spec,
)
from tests.support.world import World, mirroring, up

DAY = 86400.0


def stored(world: World) -> Ledger:
    ledger, problem = world.situation.evidence
    assert ledger is not None, problem
    return ledger


def seen(world: World) -> tuple[Span, ...]:
    return history(world.situation.spec, stored(world))


def test_spans_follow_each_other_and_add_up_to_the_evidence() -> None:
    world = up()
    for _ in range(100):
        world.reconcile(30.0)
    spans, ledger = seen(world), stored(world)
    assert [span.begin for span in spans[1:]] == [span.end for span in spans[:-1]]
    assert spans[0].begin <= ledger.begun
    assert sum(span.pairs for span in spans) == sum(route.pairs for route in ledger.counts.routes)
    assert sum(span.expected for span in spans) == ledger.coverage.expected
    assert spans[-1].soaked == int(ledger.soak.counted)
    assert {span.coverage for span in spans[3:]} == {1.0}
    assert {span.match_rate for span in spans[3:]} == {1.0}
    assert len({span.seconds for span in spans}) > 1, "older ones are coarser"


def test_a_span_tells_latencies_use_production_and_learning() -> None:
    world = World(usage=lambda _: Amount(100, 1 << 27))
    world.edit(learning="ShadowOnly", preset="HAL9", layers=["Substrate"])
    world.until(mirroring)
    for number in range(4):
        pods = [name for name, pod in world.pods.items() if pod.role == Role.SHADOW]
        world.learning = {pod: Found(LearningReading(pod, 10 * number, 1, 0.5)) for pod in pods}
        world.reconcile(30.0)
    last = seen(world)[-1]
    assert 9 < last.reference.p50 < 11 < last.reference.p99 < 12
    assert last.pairs == 100
    assert last.shadow.bins.count > 0
    assert last.usage is not None
    assert last.usage.of(Role.SHADOW).cpu == 100
    assert last.production is not None
    assert (last.production.requests, last.production.percent) == (100, 100)
    assert last.learning is not None
    assert (last.learning.cycles, last.learning.gradient) == (20, 0.5)


def test_a_span_without_a_pair_has_no_rate_and_says_why_the_clock_stood() -> None:
    world = up()
    world.edit(suspend=True)
    for _ in range(3):
        world.reconcile(30.0)
    last = seen(world)[-1]
    assert (last.pairs, last.match_rate, last.match_rate_lower_bound) == (0, None, None)
    assert (last.coverage, last.standstill) == (None, "Suspended")


def test_few_pairs_prove_little() -> None:
    world = up()
    for _ in range(3):
        world.reconcile(30.0)
    bound = seen(world)[-1].match_rate_lower_bound
    assert bound is not None
    assert 0.9 < bound < 0.97


def differing(pairs: int, wrong: int) -> RouteCounts:
    return route(
        pairs - wrong,
        {"$.state text": wrong} if wrong else None,
        triggered=control(40, {}, {"$.state text": 40}) if wrong else control(0),
        present={"$.state": 1.0},
    )


def one_bad_interval() -> Ledger:
    """Give 20 intervals of 1,000 pairs, of which 40 differ in the tenth one only."""
    ledger = begin(EPOCH, now=0.0, interval=30.0)
    for number in range(1, 21):
        one = differing(1000 * number, 40 if number >= 10 else 0)
        ledger = advance(
            ledger,
            comparators(snapshot(one, time=30.0 * number)),
            mirrors(mirror(1000 * number)),
            now=30.0 * number,
            mirroring=True,
            healthy=True,
            interval=30.0,
            spec=spec(),
        )
    return ledger


def test_mismatches_are_where_they_came() -> None:
    spans = history(spec(), one_bad_interval())
    assert [number for number, span in enumerate(spans, 1) if span.mismatched] == [10]
    assert spans[9].match_rate == 0.96


def test_a_rule_of_now_judges_the_past() -> None:
    ignored = {"ignore": [{"path": "$.state", "reason": "renamed"}]}
    spans = history(spec(comparison=ignored), one_bad_interval())
    assert {span.match_rate for span in spans} == {1.0}


def timed(*milliseconds: int) -> Latency:
    bins = Counter(round(50 * log(one / 1000)) for one in milliseconds)
    return Latency.of(Histogram(bins=dict(bins)))


def test_quantiles_of_two_intervals_are_those_of_all_their_answers() -> None:
    slow = Interval(end=60, seconds=30, pairs=1, shadow=timed(100))
    fast = Interval(end=90, seconds=30, pairs=99, shadow=timed(*[10] * 99))
    both = slow.merged(fast)
    assert both.shadow.p50 == pytest.approx(10, rel=0.05)
    assert both.shadow.p99 == pytest.approx(10, rel=0.05)
    assert both.shadow.bins.count == 100


def test_of_long_spans_quantiles_alone_are_kept_as_a_mean_by_pairs() -> None:
    one = Interval(end=600, seconds=600, pairs=30, shadow=timed(10))
    two = Interval(end=1200, seconds=600, pairs=10, shadow=timed(30))
    both = one.merged(two)
    assert both.shadow.bins.count == 0
    third = both.merged(Interval(end=1800, seconds=600, pairs=40, shadow=timed(20)))
    assert third.shadow.p50 == pytest.approx(0.5 * both.shadow.p50 + 10, rel=0.05)
    assert third.merged(Interval(end=2400, seconds=600)).shadow.p50 == third.shadow.p50


def two_days(dice: random.Random) -> Ledger:
    """Give two days at 100 pairs a second, with everything that varies."""
    intervals: tuple[Interval, ...] = ()
    for number in range(1, int(2 * DAY / 30) + 1):
        pairs = dice.randint(2800, 3200)
        one = Interval(
            end=1_700_000_000.0 + 30 * number,
            seconds=30.0,
            pairs=pairs,
            expected=pairs + 5,
            received=pairs + dice.randint(0, 9),
            answered=pairs,
            soaked=30 * number,
            shadow=timed(*(round(dice.lognormvariate(3, 0.5)) or 1 for _ in range(200))),
            reference=timed(*(round(dice.lognormvariate(3, 0.4)) or 1 for _ in range(200))),
        )
        intervals = appended(intervals, one)
    return begin(EPOCH, now=0.0, interval=30.0).model_copy(update={"intervals": intervals})


def test_two_days_take_few_bytes_of_the_evidence() -> None:
    ledger = two_days(random.Random(5))  # noqa: S311  # repeatable
    data = encode(ledger)
    assert decode(data) == ledger
    assert size(data) <= 8 * 1024
