"""The ledger counts each reading once, in whatever order, and always fits its ConfigMap."""

import random
import string
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow_operator.api.evidence import ComparatorSnapshot, RouteCounts
from shadow_operator.comparator.copy import Shed
from shadow_operator.core.counting.counts import merged
from shadow_operator.core.numbers.envoy_bins import EDGES
from shadow_operator.core.recording.collect import Pods, advance
from shadow_operator.core.recording.ledger import (
    DISCARDED,
    LARGEST_BYTES,
    LEAST_RECORDS,
    LEDGER_KEY,
    Ledger,
    UnreadableLedger,
    begin,
    close,
    decode,
    encode,
    fit,
    size,
)
from shadow_operator.core.recording.production import Course
from shadow_operator.core.snapshot import Item, LayerReading, MirrorReading, Missing, Unknown
from tests.support.readings import (
    EPOCH,
    comparators,
    control,
    mirror,
    mirrors,
    route,
    signature,
    snapshot,
)

NOTHING: dict[str, Item[ComparatorSnapshot]] = {}
NO_MIRRORS: dict[str, Item[MirrorReading]] = {}


def fresh() -> Ledger:
    return begin(EPOCH, now=0.0, interval=30.0)


def step(ledger: Ledger, now: float, *snapshots: ComparatorSnapshot, **changes: object) -> Ledger:
    given_ = {"mirroring": True, "healthy": True, "interval": 30.0} | changes
    envoys = given_.pop("mirrors", NO_MIRRORS)
    return advance(ledger, comparators(*snapshots), envoys, now=now, **given_)  # type: ignore[arg-type]


def pairs(ledger: Ledger) -> int:
    return sum(one.pairs for one in ledger.counts.routes)


# --- counting -------------------------------------------------------------------------------------


def test_a_reading_that_is_repeated_counts_once() -> None:
    one = snapshot(route(100), time=30)
    assert pairs(step(step(fresh(), 30, one), 60, one)) == 100


def test_an_older_reading_after_a_newer_one_changes_nothing() -> None:
    ledger = step(fresh(), 60, snapshot(route(200), time=60))
    assert pairs(step(ledger, 90, snapshot(route(100), time=30))) == 200


def test_processes_add_up() -> None:
    ledger = step(fresh(), 30, snapshot(route(100), pod="a"), snapshot(route(7), pod="b"))
    assert pairs(ledger) == 107


def test_a_restarted_process_begins_at_zero_and_nothing_is_lost() -> None:
    ledger = step(fresh(), 30, snapshot(route(100), time=30, boot="1"))
    again = snapshot(route(5), time=60, boot="2", started_time=40.0)
    ledger = step(ledger, 60, again)
    assert pairs(ledger) == 105
    assert ledger.closed_names == ("a/1",)
    late = snapshot(route(100), time=31, boot="1")
    assert pairs(step(ledger, 90, late, again)) == 105


def test_a_reading_of_another_epoch_or_version_counts_nothing() -> None:
    other = snapshot(route(100), epoch="e0-1")
    future = snapshot(route(100), schema_version=99)
    assert pairs(step(step(fresh(), 30, other), 60, future)) == 0


def test_what_is_unknown_changes_no_count() -> None:
    ledger = step(fresh(), 30, snapshot(route(100)))
    unknown: dict[str, Item[ComparatorSnapshot]] = {"hal9-comparator-a": Unknown("timed out")}
    after = advance(
        ledger, unknown, NO_MIRRORS, now=60.0, mirroring=True, healthy=True, interval=30.0
    )
    assert after.counts == ledger.counts
    assert after.coverage == ledger.coverage
    assert after.last_measurement == 30.0


def test_a_process_whose_pod_is_gone_for_long_is_folded_and_still_counts() -> None:
    ledger = step(fresh(), 30, snapshot(route(100), time=30))
    ledger = step(ledger, 700, snapshot(route(10), time=700, pod="b"))
    assert [process.pod_uid for process in ledger.processes] == ["b"]
    assert pairs(ledger) == 110


def test_a_process_that_can_not_be_read_for_long_is_kept() -> None:
    ledger = step(fresh(), 30, snapshot(route(100), time=30))
    unknown: dict[str, Item[ComparatorSnapshot]] = {"hal9-comparator-a": Unknown("timed out")}
    ledger = advance(
        ledger, unknown, NO_MIRRORS, now=9000.0, mirroring=True, healthy=True, interval=30.0
    )
    assert pairs(step(ledger, 9030, snapshot(route(150), time=9030))) == 150


readings = st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 20)), min_size=1, max_size=12)


@given(readings, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_order_and_repetition_of_readings_change_no_count(
    taken: list[tuple[str, int]], dice: random.Random
) -> None:
    snapshots = [
        snapshot(route(10 * time, {"$.state text": time}), time=float(time), pod=pod)
        for pod, time in taken
    ]
    shuffled = snapshots * 2
    dice.shuffle(shuffled)

    def counted(sequence: Sequence[ComparatorSnapshot]) -> Ledger:
        ledger = fresh()
        for number, one in enumerate(sequence):  # none is unlisted so long that it is folded
            ledger = step(ledger, 20.0 * number, one)
        return ledger

    assert counted(shuffled).counts == counted(snapshots).counts


def test_merging_adds_every_count_and_keeps_the_times_apart() -> None:
    a = route(5, signatures=(signature("$.x text", 2, 10, 20),), unproven={"401": 1})
    b = route(7, signatures=(signature("$.x text", 3, 5, 15),), shadow_errors=2)
    [both] = merged(
        [*(p.counts for p in step(fresh(), 30, snapshot(a), snapshot(b, pod="b")).processes)]
    ).routes
    assert (both.pairs, both.matched, both.shadow_errors, both.unproven) == (17, 12, 2, {"401": 1})
    [one] = both.signatures
    assert (one.pairs, one.first_time, one.last_time) == (5, 5, 20)


# --- coverage -------------------------------------------------------------------------------------


def test_coverage_expects_the_percentage_that_was_in_force() -> None:
    ledger = step(fresh(), 0, snapshot(route(0), time=0), mirrors=mirrors(mirror(0)))
    ledger = step(ledger, 30, snapshot(route(100)), mirrors=mirrors(mirror(100)))
    ledger = step(
        ledger, 60, snapshot(route(150), time=60), mirrors=mirrors(mirror(200, percent=50))
    )
    assert (ledger.coverage.expected, ledger.received) == (150.0, 150)
    assert (ledger.coverage.eligible, ledger.coverage.requests) == (200, 400)


def test_what_arrived_before_the_first_interval_is_left_out() -> None:
    ledger = step(fresh(), 30, snapshot(route(1000)), mirrors=mirrors(mirror(5000)))
    ledger = step(ledger, 60, snapshot(route(1100), time=60), mirrors=mirrors(mirror(5100)))
    assert (ledger.coverage.expected, ledger.received) == (100.0, 100)


def test_a_restarted_envoy_counts_from_its_first_reading() -> None:
    ledger = step(fresh(), 0, snapshot(route(0), time=0), mirrors=mirrors(mirror(0)))
    ledger = step(ledger, 30, snapshot(route(100)), mirrors=mirrors(mirror(100)))
    again = mirrors(mirror(40, boot="m2", percent=0))
    ledger = step(ledger, 60, snapshot(route(100), time=60), mirrors=again)
    again = mirrors(mirror(90, boot="m2"))
    ledger = step(ledger, 90, snapshot(route(150), time=90), mirrors=again)
    assert (ledger.coverage.expected, ledger.received) == (150.0, 150)


def test_the_same_counters_twice_expect_nothing_twice() -> None:
    ledger = step(fresh(), 0, snapshot(route(0), time=0), mirrors=mirrors(mirror(0)))
    for now in (30, 60):
        ledger = step(ledger, now, snapshot(route(100)), mirrors=mirrors(mirror(100)))
    assert ledger.coverage.expected == 100.0


def test_a_new_epoch_goes_on_where_the_mirror_was() -> None:
    ledger = step(fresh(), 30, snapshot(route(100)), mirrors=mirrors(mirror(100)))
    ledger = begin("e2-1", now=60.0, interval=30.0, previous=ledger)
    assert pairs(ledger) == 0
    first = snapshot(route(0), time=60, pod="c", epoch="e2-1")
    ledger = step(ledger, 60, first, mirrors=mirrors(mirror(100)))
    then = snapshot(route(20), time=90, pod="c", epoch="e2-1")
    ledger = step(ledger, 90, then, mirrors=mirrors(mirror(120)))
    assert (ledger.coverage.expected, ledger.received) == (20.0, 20)


def test_the_load_of_production_is_what_it_had_under_copies() -> None:
    pods = Pods(production=2, shadow=1)
    ledger, now, requests = fresh(), 0.0, 0

    def interval(ledger: Ledger, copies: int, percent: int) -> Ledger:
        reading = snapshot(route(copies), time=now)
        envoy = mirrors(mirror(requests, percent=percent))
        return step(ledger, now, reading, mirrors=envoy, mirroring=percent > 0, pods=pods)

    ledger = interval(ledger, 0, percent=0)
    for _ in range(10):
        now, requests = now + 30, requests + 500
        ledger = interval(ledger, 0, percent=0)
    for number in range(1, 4):
        now, requests = now + 30, requests + 100
        ledger = interval(ledger, 100 * number, percent=100)
    for _ in range(10):
        now, requests = now + 30, requests + 500
        ledger = interval(ledger, 300, percent=0)
    assert (ledger.load.production, ledger.load.shadow) == (300.0, 300.0)


def test_evidence_begins_with_the_last_reading_before_the_first_copy() -> None:
    ledger = fresh()
    for now, copies in ((0, 0), (30, 0), (300, 0), (330, 40), (360, 80)):
        ledger = step(ledger, now, snapshot(route(copies), time=now))
    assert (ledger.first_measurement, ledger.last_measurement) == (300, 360)


# --- the soak clock -------------------------------------------------------------------------------


def running(until: int = 60) -> Ledger:
    """Give a ledger with a copy per second from 0, read each 30 s."""
    ledger = fresh()
    for now in range(0, until + 1, 30):
        ledger = step(
            ledger, now, snapshot(route(now + 1), time=now), mirrors=mirrors(mirror(now + 1))
        )
    return ledger


def test_the_clock_counts_while_copies_are_compared() -> None:
    assert running(300).soak.counted == 300.0


def test_it_does_not_begin_before_the_first_copy() -> None:
    ledger = step(fresh(), 30, snapshot(route(0)), mirrors=mirrors(mirror(0)))
    ledger = step(ledger, 60, snapshot(route(0), time=60), mirrors=mirrors(mirror(0)))
    assert (ledger.soak.started, ledger.soak.standstill) == (False, "NoCopies")


def test_a_quiet_service_goes_on_soaking() -> None:
    ledger = running(60)
    for now in range(90, 1000, 30):
        copies = 61 + now // 240
        ledger = step(
            ledger, now, snapshot(route(copies), time=now), mirrors=mirrors(mirror(copies))
        )
    assert ledger.soak.counted == 990.0


@pytest.mark.parametrize(
    "envoys",
    [NO_MIRRORS, mirrors(mirror(1)), mirrors(mirror(1, percent=0))],
    ids=["the user's own mirror", "an Envoy without requests", "an Envoy that copies nothing"],
)
def test_without_copies_it_stands_whatever_was_copied_before(
    envoys: dict[str, Item[MirrorReading]],
) -> None:
    ledger = step(fresh(), 0, snapshot(route(4000), time=0), mirrors=envoys)
    for now in range(30, 90_000, 30):
        ledger = step(ledger, now, snapshot(route(4000), time=now), mirrors=envoys)
    assert (ledger.soak.counted, ledger.soak.standstill) == (300.0, "NoCopies")


def lossy(expected: int, sent: int, until: int, **changes: object) -> Ledger:
    """Give a ledger of `expected` requests in each 30 s after a good minute, `sent` to the clones.

    `changes` gives counts of the comparator for the number of the reading.
    """
    ledger = running(60)
    for number, now in enumerate(range(90, until + 1, 30), start=1):
        counted = {name: count(number) for name, count in changes.items()}  # type: ignore[operator]
        one = snapshot(route(61 + sent * number), time=now, **counted)
        ledger = step(ledger, now, one, mirrors=mirrors(mirror(61 + expected * number)))
    return ledger


def test_slow_loss_is_seen_once_enough_was_expected() -> None:
    ledger = lossy(6, 2, until=3600)
    assert (ledger.soak.counted, ledger.soak.standstill) == (150.0, "CoverageLost")


def test_after_slow_loss_it_runs_again_when_enough_arrived() -> None:
    ledger = lossy(6, 2, until=240)
    assert ledger.soak.standstill == "CoverageLost"
    for number, now in enumerate(range(270, 391, 30), start=1):
        copies = snapshot(route(73 + 6 * number), time=now)
        ledger = step(ledger, now, copies, mirrors=mirrors(mirror(97 + 6 * number)))
    assert (ledger.soak.counted, ledger.soak.standstill) == (240.0, "")


@pytest.mark.parametrize("reason", ["RateLimit", "DeadMan"])
def test_copies_that_are_discarded_on_purpose_are_not_lost(reason: str) -> None:
    ledger = lossy(
        100,
        10,
        until=600,
        received=lambda n: 61 + 100 * n,
        eligible=lambda n: 61 + 100 * n,
        shed=lambda n: {reason: 90 * n},
    )
    assert (ledger.soak.counted, ledger.soak.standstill) == (600.0, "")


def test_of_copies_that_a_limit_lets_through_half_must_be_compared() -> None:
    ledger = lossy(
        100,
        8,
        until=600,
        received=lambda n: 61 + 100 * n,
        eligible=lambda n: 61 + 100 * n,
        shed=lambda n: {"RateLimit": 80 * n, "Overload": 12 * n},
    )
    assert ledger.soak.standstill == "CoverageLost"


def test_what_is_discarded_on_purpose_is_what_the_comparator_calls_so() -> None:
    assert {*DISCARDED} == {Shed.RATE_LIMIT, Shed.DEAD_MAN}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mirroring": False}, "NotMirroring"),
        ({"mirroring": False, "standstill": "Suspended"}, "Suspended"),
        ({"healthy": False}, "ClonesUnavailable"),
    ],
)
def test_pause_and_unavailable_clones_stop_it(changes: dict[str, object], reason: str) -> None:
    after = snapshot(route(91), time=90)
    ledger = step(running(60), 90, after, mirrors=mirrors(mirror(91)), **changes)
    assert (ledger.soak.counted, ledger.soak.standstill) == (60.0, reason)


def test_lost_coverage_stops_it() -> None:
    ledger = step(running(60), 90, snapshot(route(62), time=90), mirrors=mirrors(mirror(91)))
    assert (ledger.soak.counted, ledger.soak.standstill) == (60.0, "CoverageLost")


def test_shed_copies_are_lost_coverage() -> None:
    shed = snapshot(route(61), time=90, received=91, eligible=91, shed={"Overload": 30})
    ledger = step(running(60), 90, shed, mirrors=mirrors(mirror(91)))
    assert ledger.soak.standstill == "CoverageLost"


def test_a_gap_counts_if_the_same_comparator_went_on() -> None:
    ledger = step(running(60), 300, snapshot(route(301), time=300), mirrors=mirrors(mirror(301)))
    assert ledger.soak.counted == 300.0


def test_a_gap_in_which_the_comparator_was_replaced_counts_one_interval() -> None:
    other = snapshot(route(240), time=300, pod="b")
    ledger = step(running(60), 300, other, mirrors=mirrors(mirror(301)))
    assert ledger.soak.counted == 90.0


def test_unreadable_comparators_hold_it_until_they_are_read_again() -> None:
    nothing: dict[str, Item[ComparatorSnapshot]] = {"hal9-comparator-a": Unknown("refused")}
    ledger = advance(
        running(60), nothing, mirrors(mirror(91)), now=90.0, mirroring=True, healthy=True,
        interval=30.0,
    )  # fmt: skip
    assert (ledger.soak.counted, ledger.soak.standstill) == (60.0, "ComparatorsUnreadable")
    ledger = step(ledger, 120, snapshot(route(121), time=120), mirrors=mirrors(mirror(121)))
    assert (ledger.soak.counted, ledger.soak.standstill) == (120.0, "")


def test_comparators_that_were_unreadable_for_long_count_what_the_dead_man_allows() -> None:
    ledger, nothing = running(60), {"hal9-comparator-a": Unknown("refused")}
    for now in range(90, 1260, 30):
        ledger = advance(
            ledger, nothing, mirrors(mirror(now + 1)), now=now, mirroring=True, healthy=True,
            interval=30.0,
        )  # fmt: skip
    discarded = snapshot(route(361), time=1260, received=1261, eligible=1261, shed={"DeadMan": 900})
    ledger = step(ledger, 1260, discarded, mirrors=mirrors(mirror(1261)))
    assert (ledger.soak.counted, ledger.soak.standstill) == (360.0, "")


def test_counters_that_stay_unread_stop_it_in_the_end() -> None:
    ledger = running(60)
    unread: dict[str, Item[MirrorReading]] = {"hal9-mirror-m1": Unknown("timed out")}
    for now in range(90, 601, 30):
        ledger = step(ledger, now, snapshot(route(now), time=now), mirrors=unread)
    assert (ledger.soak.counted, ledger.soak.standstill) == (360.0, "CoverageUnknown")


def test_counters_that_were_never_read_stop_it() -> None:
    unread: dict[str, Item[MirrorReading]] = {"hal9-mirror-m1": Unknown("timed out")}
    ledger = fresh()
    for now in range(0, 1201, 30):
        ledger = step(ledger, now, snapshot(route(now + 1), time=now), mirrors=unread)
    assert (ledger.soak.counted, ledger.soak.standstill) == (300.0, "CoverageUnknown")


@pytest.mark.parametrize("pod", ["hal9-mirror-m1", "hal9-comparator-b"])
def test_an_unreadable_pod_that_is_on_its_way_out_does_not_stop_it_for_ever(pod: str) -> None:
    ledger = step(running(60), 90, snapshot(route(91), time=90), snapshot(time=90, pod="b"))
    for now in range(120, 1201, 30):
        seen: dict[str, Item[ComparatorSnapshot]] = {
            **comparators(snapshot(route(now + 1), time=now)),
            **({pod: Unknown("timed out")} if "comparator" in pod else {}),
        }
        envoys: dict[str, Item[MirrorReading]] = {
            **mirrors(mirror(now - 90, boot="m2")),
            **({pod: Unknown("timed out")} if "mirror" in pod else {}),
        }
        ledger = advance(
            ledger, seen, envoys, now=now, mirroring=True, healthy=True, interval=30.0,
            leaving=frozenset({pod}),
        )  # fmt: skip
    assert (ledger.soak.counted, ledger.soak.standstill) == (1200.0, "")


def test_mirroring_counts_from_the_first_copy() -> None:
    ledger = fresh()
    for now in range(0, 200_000, 300):
        ledger = step(ledger, now, snapshot(route(0), time=now), mirrors=mirrors(mirror(0)))
    assert ledger.mirrored == 0.0
    for number in range(3):
        now, copies = 200_000 + 30 * number, 100 * (number + 1)
        ledger = step(
            ledger, now, snapshot(route(copies), time=now), mirrors=mirrors(mirror(copies))
        )
    assert ledger.mirrored == ledger.soak.counted == 60.0


def test_a_crash_restarts_it() -> None:
    after = snapshot(route(91), time=90)
    ledger = step(running(60), 90, after, mirrors=mirrors(mirror(91)), crash="OOMKilled")
    assert (ledger.soak.counted, ledger.soak.restart_reason) == (0.0, "OOMKilled")


def test_missing_comparators_are_not_readable() -> None:
    gone: dict[str, Item[ComparatorSnapshot]] = {"hal9-comparator-a": Missing()}
    ledger = advance(
        running(60), gone, NO_MIRRORS, now=90.0, mirroring=True, healthy=True, interval=30.0
    )
    assert ledger.soak.standstill == "ComparatorsUnreadable"


def test_an_operator_that_is_away_loses_nothing_of_the_counts() -> None:
    ledger = decode(encode(running(60)))
    assert ledger is not None
    later = snapshot(route(5000), time=5000)
    ledger = step(ledger, 5000, later, mirrors=mirrors(mirror(5000)))
    assert pairs(ledger) == 5000
    assert ledger.soak.counted == 360.0  # what the dead man allows


def test_an_operator_that_is_away_for_hours_counts_what_the_dead_man_allows() -> None:
    ledger = running(60)
    discarded = snapshot(
        route(361), time=9060, received=9061, eligible=9061, shed={"DeadMan": 8700}
    )
    ledger = step(ledger, 9060, discarded, mirrors=mirrors(mirror(9061)))
    assert (ledger.coverage.expected, ledger.received) == (9060.0, 9060)
    assert (ledger.soak.counted, ledger.soak.standstill) == (360.0, "")


def test_an_envoy_that_could_not_be_read_for_long_is_counted_from_where_it_was() -> None:
    ledger = running(60)
    unread: dict[str, Item[MirrorReading]] = {"hal9-mirror-m1": Unknown("timed out")}
    for now in range(90, 9060, 30):
        ledger = step(ledger, now, snapshot(route(now + 1), time=now), mirrors=unread)
    ledger = step(ledger, 9060, snapshot(route(9061), time=9060), mirrors=mirrors(mirror(9061)))
    assert (ledger.coverage.expected, ledger.received) == (9060.0, 9060)


def test_an_envoy_that_is_gone_is_forgotten() -> None:
    ledger = running(60)
    for now in range(90, 9060, 30):
        other = mirrors(mirror(now, boot="m2"))
        ledger = step(ledger, now, snapshot(route(now + 1), time=now), mirrors=other)
    assert [*ledger.mirrors] == ["m2"]


def test_a_layer_keeps_since_when_it_says_so() -> None:
    def probe(healthy: bool | None) -> tuple[LayerReading, ...]:
        return (LayerReading("Cognitive", healthy, "m"),)

    ledger = step(fresh(), 0, layers=probe(False))
    ledger = step(ledger, 30, layers=probe(None))
    ledger = step(ledger, 60, layers=probe(False))
    assert (ledger.layers["Cognitive"].since, ledger.layers["Cognitive"].time) == (0.0, 60.0)
    assert step(ledger, 90, layers=probe(True)).layers["Cognitive"].since == 90.0


# --- storing --------------------------------------------------------------------------------------


def test_what_is_stored_is_what_is_read() -> None:
    ledger = running(120)
    assert decode(encode(ledger)) == ledger
    assert decode({}) is None


def test_a_broken_ledger_says_what_to_do() -> None:
    for broken in ("%%%", "aGVsbG8=", encode(running())[LEDGER_KEY][:50]):
        with pytest.raises(UnreadableLedger, match="delete the evidence ConfigMap"):
            decode({LEDGER_KEY: broken})


def test_a_ledger_of_a_newer_operator_is_refused() -> None:
    newer = running().model_copy(update={"schema_version": 2})
    with pytest.raises(UnreadableLedger, match="schema 2"):
        decode(encode(newer))


def flood(routes: int, signatures: int) -> tuple[RouteCounts, ...]:
    dice = random.Random(3)  # noqa: S311 - repeatable

    def word() -> str:
        return "".join(dice.choices(string.ascii_lowercase, k=24))

    def one(number: int) -> RouteCounts:
        found = tuple(
            signature(f"$.{word()} text, $.{word()} number 1e-3", dice.randint(1, 9))
            for _ in range(signatures)
        )
        critical = (signature("status status 200>500", 5),) if number == 0 else ()
        named = {f"$.{word()} text": 3 for _ in range(signatures)}
        return route(
            1000 - number,
            name=f"GET /{word()}/{{}}",
            signatures=found + critical,
            uniform=control(50, named, named),
            present={f"$.{word()}": 1.0 for _ in range(signatures)},
        )

    return tuple(one(number) for number in range(routes))


@pytest.mark.parametrize(("routes", "signatures"), [(10, 100), (200, 12), (20, 256)])
def test_it_fits_whatever_comes_and_hides_no_pair(routes: int, signatures: int) -> None:
    found = flood(routes, signatures)
    ledger = step(fresh(), 30, snapshot(*found, pod="a"), snapshot(*found, pod="b"))
    data = encode(ledger)
    assert size(data) <= LARGEST_BYTES
    assert decode(data) == ledger == fit(ledger)
    assert pairs(ledger) == 2 * sum(one.pairs for one in found)
    for one in ledger.counts.routes:
        in_signatures = sum(signature_.pairs for signature_ in one.signatures)
        assert one.pairs == one.matched + one.hinted_only + one.overflow + in_signatures


def test_it_fits_with_latencies_of_every_length_and_keeps_the_newest_of_them() -> None:
    found = flood(20, 256)
    wide = {number: (number * 7919) % 10_007 for number in range(0, len(EDGES), 2)}
    courses = tuple(Course(end=30.0 * n, seconds=30.0, bins=wide) for n in range(40))
    ledger = fresh().model_copy(update={"production": courses})
    ledger = step(ledger, 1200, snapshot(*found, pod="a"), snapshot(*found, pod="b"))
    assert size(encode(ledger)) <= LARGEST_BYTES
    assert [bool(one.bins) for one in ledger.production[-LEAST_RECORDS:]] == [True] * LEAST_RECORDS


def test_a_status_change_is_the_last_to_be_folded() -> None:
    ledger = step(fresh(), 30, snapshot(*flood(10, 200)))
    places = {p.kind for one in ledger.counts.routes for s in one.signatures for p in s.places}
    assert "status" in places


def test_a_flood_of_processes_folds_into_one() -> None:
    found = flood(1, 1)
    many = [snapshot(*found, pod=f"pod-{number}-{'x' * 40}") for number in range(400)]
    ledger = step(fresh(), 30, *many)
    assert size(encode(ledger)) <= LARGEST_BYTES
    assert pairs(ledger) == 400 * found[0].pairs


def test_closing_nothing_is_nothing() -> None:
    ledger = running()
    assert close(ledger, ()) is ledger
