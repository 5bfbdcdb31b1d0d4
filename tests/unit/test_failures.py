"""Errors and timeouts that come in bursts are kept as sums over intervals."""

import random

import pytest

from shadow_operator.api.evidence import RouteCounts
from shadow_operator.core.numbers.clusters import Cluster, Clusters
from shadow_operator.core.recording.collect import advance
from shadow_operator.core.recording.failures import Failures
from shadow_operator.core.recording.ledger import Ledger, begin, decode, encode, size
from tests.support.readings import EPOCH, comparators, mirror, mirrors, route, snapshot, spec, table


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
    kinds = ("errors", "server_errors", "timeouts")
    came = [f"{side}_{kind}" for side in ("shadow", "reference") for kind in kinds]
    nothing = dict.fromkeys(["answered", *came], 0)
    for _ in range(2 * 2880):
        after = {name: dice.randint(0, 9) for name in came} | {"answered": dice.randint(2900, 3100)}
        failures = failures.seen(nothing, after)
    empty = begin(EPOCH, now=0.0, interval=30.0)
    full = empty.model_copy(update={"failures": failures})
    assert decode(encode(full)) == full
    assert size(encode(full)) - size(encode(empty)) < 512
