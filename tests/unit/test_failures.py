"""Errors and timeouts that come in bursts: kept as sums over intervals, judged as what they are."""

import random
from math import exp, inf

import pytest

from shadow_operator.api.enums import GateResult
from shadow_operator.api.evidence import RouteCounts
from shadow_operator.api.status import Gate
from shadow_operator.core.counting.counts import Counts
from shadow_operator.core.counting.tally import tally
from shadow_operator.core.judging.case import Case
from shadow_operator.core.judging.levels import PASSING
from shadow_operator.core.judging.rates import ALONE, Failed, shadow_errors, timeouts
from shadow_operator.core.numbers.clusters import Cluster, Clusters
from shadow_operator.core.numbers.excess import below, requests_below
from shadow_operator.core.recording.collect import advance
from shadow_operator.core.recording.failures import Failures
from shadow_operator.core.recording.ledger import Ledger, begin, decode, encode, size
from tests.support.readings import EPOCH, comparators, mirror, mirrors, route, snapshot, spec, table

KINDS = ("errors", "server_errors", "timeouts")
FAILURES = tuple(f"{side}_{kind}" for side in ("shadow", "reference") for kind in KINDS)


def recorded(*seen: tuple[int, RouteCounts]) -> Ledger:
    """Give the evidence of intervals, from the copies and the counts at the end of each."""
    ledger = begin(EPOCH, now=0.0, interval=30.0)
    for number, (copies, one) in enumerate(seen, 1):
        ledger = advance(
            ledger,
            comparators(snapshot(one, time=30.0 * number, received=copies, eligible=copies)),
            mirrors(mirror(copies)),
            now=30.0 * number,
            mirroring=True,
            healthy=True,
            interval=30.0,
            spec=spec(),
        )
    return ledger


def test_each_interval_adds_what_came_in_it() -> None:
    found = recorded(
        (100, route(98, shadow_errors=2)),
        (160, route(150, shadow_errors=2, shadow_timeouts=5, reference_timeouts=3)),
    ).failures
    assert found.errors == found.shadow_errors == Clusters.of([Cluster(100, 2), Cluster(60, 0)])
    assert found.timeouts == Clusters.of([Cluster(100, 0), Cluster(60, 5, 3)])
    assert found.shadow_timeouts == Clusters.of([Cluster(100, 0), Cluster(60, 5)])


@pytest.mark.parametrize("hinted", [False, True])
def test_answers_with_5xx_are_errors(hinted: bool) -> None:
    statuses = {"status status 200>503": 7, "status status 500>200": 2, "status status 200>404": 1}
    seen = route(90, hinted_only=10, hinted=table(statuses)) if hinted else route(90, statuses)
    assert recorded((100, seen)).failures.errors == Clusters.of([Cluster(100, 7, 2)])


def test_what_fails_after_the_last_copy_came_together_as_well() -> None:
    found = recorded((100, route(80)), (100, route(80, shadow_timeouts=20))).failures
    assert found.timeouts == Clusters.of([Cluster(100, 0), Cluster(20, 20)])


def test_evidence_from_before_failures_were_kept_is_read_and_has_no_bursts() -> None:
    stored = encode(recorded((100, route(80, shadow_timeouts=20))))
    ledger = decode(stored)
    assert ledger is not None
    assert ledger.failures.timeouts.number == 1
    older = decode(encode(ledger.model_copy(update={"failures": Failures()})))
    assert older is not None
    assert older.failures.timeouts.effect(20) == 1.0


def test_failures_of_two_days_take_few_bytes_of_the_evidence() -> None:
    dice, failures = random.Random(5), Failures()  # noqa: S311  # repeatable
    nothing = dict.fromkeys(("answered", *FAILURES), 0)
    for _ in range(2 * 2880):
        after = {name: dice.randint(0, 9) for name in FAILURES} | {
            "answered": dice.randint(2900, 3100)
        }
        failures = failures.seen(nothing, after)
    empty = begin(EPOCH, now=0.0, interval=30.0)
    full = empty.model_copy(update={"failures": failures})
    assert decode(encode(full)) == full
    assert size(encode(full)) - size(encode(empty)) < 512


# --- the gates, at every interval -----------------------------------------------------------------

PAIRS = 60
"""Requests of an interval."""
Came = tuple[int, int]
"""Of an interval: requests in which only the shadow failed, and only the reference."""
FINE: Came = (0, 0)
GATES = {"errors": shadow_errors, "timeouts": timeouts}
LIMIT = 0.001
PASSED, FAILED = GateResult.PASSED, GateResult.FAILED


def judged(*came: Came, what: str = "timeouts") -> list[Gate]:
    """Give the gate after each interval."""
    wanted, failures, said = spec(), Failures(), []
    before = dict.fromkeys(("answered", *FAILURES), 0)
    for mine, its in came:
        new = {"answered": PAIRS, f"shadow_{what}": mine, f"reference_{what}": its}
        after = {name: total + new.get(name, 0) for name, total in before.items()}
        failures = failures.seen(before, after)
        shadow, reference = after[f"shadow_{what}"], after[f"reference_{what}"]
        seen = route(after["answered"] - shadow - reference).model_copy(
            update={f"shadow_{what}": shadow, f"reference_{what}": reference}
        )
        ledger = begin(EPOCH, now=0.0, interval=30.0).model_copy(
            update={"closed": Counts(routes=(seen,)), "failures": failures}
        )
        counted = tally(wanted, ledger.counts, interval=30.0)
        said.append(GATES[what](Case(wanted, ledger, counted, soaked=False)).gate)
        before = after
    return said


@pytest.mark.parametrize("what", GATES)
@pytest.mark.parametrize("before", [1, 10, 60])
def test_one_halt_of_the_shadow_does_not_fail_it_at_any_interval(what: str, before: int) -> None:
    said = judged(*[FINE] * before, (PAIRS, 0), (PAIRS, 0), *[FINE] * 60, what=what)
    assert FAILED not in {gate.result for gate in said}
    assert f"; {what} come in bursts, so that 6" in said[-1].message


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("before", [20, 120, 600])
def test_a_shadow_that_breaks_for_good_fails_within_ten_minutes(share: float, before: int) -> None:
    broken = (int(share * PAIRS), 0)
    said = judged(*[FINE] * (before // 2), (1, 1), *[FINE] * (before // 2), *[broken] * 20)
    assert said[-1].result is FAILED, said[-1]


def test_one_percent_that_fails_from_the_start_does_so_as_fast_as_without_bursts() -> None:
    draw = random.Random(1)  # noqa: S311 - repeatable
    said = judged(*[(sum(draw.random() < 0.01 for _ in range(PAIRS)), 0) for _ in range(60)])
    fails = [gate.result for gate in said].index(FAILED)
    assert PAIRS * fails < 1.5 * 1430
    assert "bursts" not in said[-1].message


def test_a_halt_of_the_reference_does_not_hold_up_a_shadow_that_did_not_fail() -> None:
    said = judged(*[FINE] * 20, (0, PAIRS), (0, PAIRS), *[FINE] * 100)
    assert said[-1].result is PASSED, said[-1]


def test_a_halt_of_the_shadow_takes_time_to_be_shown_to_be_rare() -> None:
    gate = judged(*[FINE] * 20, (PAIRS // 4, 0), *[FINE] * 90)[-1]
    assert gate.result is GateResult.INCONCLUSIVE
    assert gate.needs is not None
    assert gate.needs.pairs is not None
    once = requests_below(1, 0, 0.001, 0.05)
    assert once is not None
    assert gate.needs.pairs == pytest.approx(PAIRS // 4 * once, rel=0.1)


def test_two_ways_to_pass_share_one_level() -> None:
    dice, passed = random.Random(3), 0  # noqa: S311  # repeatable
    for _ in range(2_000):
        shadow, reference = dice.randint(0, 3), dice.randint(0, 60)
        requests, effect = dice.randint(3_000, 40_000), dice.uniform(1, 30)
        seen = Failed(shadow, reference, requests, effect=effect)
        both = below(shadow / effect, reference / effect, requests / effect, LIMIT)
        alone = below(shadow, 0, requests, LIMIT)
        wealth = exp(alone) if not reference else (1 - ALONE) * exp(both) + ALONE * exp(alone)
        if seen.passes(LIMIT):
            passed += 1
            assert wealth >= 1 / PASSING
            assert seen.most <= LIMIT
            assert (seen.needed(LIMIT) or inf) <= requests
    assert 500 < passed < 1_900
