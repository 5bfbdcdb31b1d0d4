"""The evidence ConfigMap: ledger and progress in one write, once in an interval."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shadow_operator.api.names import Role
from shadow_operator.core.recording.progress import Progress
from tests.support.world import EVIDENCE, UNREAD, World, mirroring, up


def compared(world: World) -> int:
    count: int = world.status["comparison"]["compared"]
    return count


def test_evidence_is_written_at_most_once_in_an_interval() -> None:
    world = up()
    written = [world.reconcile(5.0).evidence is not None for _ in range(24)]
    assert sum(written) <= 5


def test_nothing_is_counted_twice_when_a_write_was_lost() -> None:
    world, twin = up(), up()
    kept = world.objects[EVIDENCE]
    world.reconcile(30.0)
    twin.reconcile(30.0)
    world.objects[EVIDENCE] = kept  # as if the write had met a conflict
    world.reconcile(30.0)
    twin.reconcile(30.0)
    assert compared(world) == compared(twin) > 0


def test_the_write_names_the_version_that_was_read() -> None:
    world = up()
    version = world.objects[EVIDENCE]["metadata"]["resourceVersion"]
    world.now += 30.0
    evidence = world.reconcile().evidence
    assert evidence is not None
    assert evidence["metadata"]["resourceVersion"] == version
    [owner] = evidence["metadata"]["ownerReferences"]
    assert owner["uid"] == world.uid
    assert "hal9.ai/shadow" not in evidence["metadata"]["labels"], "it would wake the operator"


def test_a_comparator_that_can_not_be_read_loses_nothing() -> None:
    world = up()
    before = compared(world)
    snapshot = world.snapshot
    world.snapshot = lambda: replace(  # type: ignore[method-assign]
        snapshot(), comparators=dict.fromkeys(snapshot().comparators, UNREAD)
    )
    world.reconcile(30.0)
    assert compared(world) == before
    world.snapshot = snapshot  # type: ignore[method-assign]
    world.reconcile(30.0)
    assert compared(world) == sum(world.answered.values()) - 100


def test_coverage_stays_right_while_the_percentage_changes_within_an_interval() -> None:
    world = up()
    for percent in (10, 100, 30, 80, 10, 100):
        world.edit(samplingPercent=percent)
        for _ in range(3):
            world.reconcile(7.0)
    world.reconcile(30.0)
    assert 0.95 <= float(world.status["mirror"]["coverage"]) <= 1.05


def test_after_copies_have_ended_the_clock_stands() -> None:
    world = up()
    for _ in range(40):
        world.reconcile(30.0)
    world.traffic = 0
    for _ in range(40):
        world.reconcile(30.0)
    soak = world.status["soak"]
    assert (soak["state"], soak["reason"]) == ("Stopped", "NoCopies")
    assert 1200 <= soak["elapsedSeconds"] <= 1560


def test_the_last_counts_of_a_comparator_are_taken_when_it_ends() -> None:
    world = up()
    name = next(name for name, pod in world.pods.items() if pod.role == Role.COMPARATOR)
    world.traffic = 0
    world.reconcile(30.0)
    world.reconcile(5.0)
    world.pods[name] = replace(world.pods[name], terminating=True, ready=False)
    world.answered[name] += 7
    before = compared(world)
    world.reconcile(5.0)
    assert compared(world) == before + 7
    del world.pods[name]
    world.reconcile(30.0)
    world.reconcile(30.0)
    assert compared(world) == before + 7


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda w: w.edit(samplingPercent=0), "ZeroPercent"),
        (lambda w: w.edit(suspend=True), "Suspended"),
        (lambda w: w.annotations.update({"hal9.ai/stop": "outage"}), "Stopped"),
        (lambda w: w.break_down(Role.SHADOW), "Deploying"),
        (lambda w: w.edit(phase="None"), "NotMirroring"),
    ],
)
def test_the_clock_says_why_it_stands(act: Callable[[World], object], reason: str) -> None:
    world = up()
    act(world)
    for _ in range(3):
        world.reconcile(30.0)
    assert world.status["soak"]["reason"] == reason


# --- final, and not final any more ----------------------------------------------------------------


def finished(**spec: Any) -> World:
    """Give a world whose time ran out, by default for want of pairs."""
    world = up(**({"soakSeconds": 60, "maxDurationSeconds": 120} | spec))
    world.until(lambda w: w.progress.finished and not w.progress.mirroring, seconds=30.0)
    assert world.status["phase"] == "Completed"
    return world


@pytest.mark.parametrize(
    "change",
    [
        {"maxDurationSeconds": 86_400},
        {"maxDurationSeconds": 86_400, "gates": {"matchRate": {"minPercent": "99"}}},
    ],
    ids=["more time", "another threshold"],
)
@pytest.mark.parametrize("after", ["StopMirror", "TearDown"])
def test_a_verdict_that_is_not_final_any_more_lets_copies_begin_again(
    after: str, change: dict[str, Any]
) -> None:
    world = finished(afterVerdict=after)
    world.settle()
    epoch, before = world.progress.epoch, world.answered.copy()
    world.edit(**change)
    world.until(mirroring)
    world.reconcile(30.0)
    assert (world.progress.finished, world.progress.epoch) == (False, epoch)
    assert world.status["verdict"]["reason"] != "MaxDurationReached"
    assert world.answered != before


def test_a_final_verdict_stays_final_and_is_written_once() -> None:
    world = finished()
    world.reconcile(30.0)
    assert world.reconcile(2.0).evidence is not None
    for _ in range(3):
        assert world.reconcile(2.0).evidence is None
    assert world.progress.finished


def test_a_soak_as_long_as_the_longest_duration_completes() -> None:
    world = up(soakSeconds=600, maxDurationSeconds=600)
    world.traffic = 1000
    world.until(lambda w: w.progress.finished, seconds=30.0)
    assert world.status["verdict"]["decision"] == "ProceedToCanary"


def test_the_time_before_the_first_copy_is_not_taken_from_it() -> None:
    world = World(traffic=0)
    world.edit(soakSeconds=60, maxDurationSeconds=600)
    world.until(mirroring)
    for _ in range(4):
        world.reconcile(86_400.0)
    world.traffic = 100
    for _ in range(3):
        world.reconcile(30.0)
    assert world.status["verdict"]["reason"] != "MaxDurationReached"
    assert mirroring(world)


@pytest.mark.parametrize(
    "change",
    [
        {"gates": {"matchRate": {"minPercent": "99.99"}}},
        {"gates": {"minimumPairs": {"total": 10_000_000}}},
        {"soakSeconds": 86_400},
    ],
    ids=["a higher rate", "more pairs", "a longer soak"],
)
def test_a_verdict_rests_on_the_gates_of_now(change: dict[str, Any]) -> None:
    world = up(soakSeconds=300)
    world.traffic = 1000
    world.until(lambda w: w.progress.finished, seconds=30.0)
    assert world.status["verdict"]["decision"] == "ProceedToCanary"
    world.edit(**change)
    world.reconcile(2.0)
    assert world.status["verdict"]["decision"] == "ExtendShadow"


@pytest.mark.parametrize(
    "data", [None, {}, {"progress.json": "{"}, {"progress.json": '{"mirroring": "perhaps"}'}]
)
def test_progress_that_can_not_be_read_is_none(data: dict[str, str] | None) -> None:
    assert Progress.read(data) == Progress()


def test_progress_is_read_back_as_it_was_stored() -> None:
    progress = up().progress
    assert progress.mirroring
    assert Progress.read(progress.stored()) == progress


def test_a_crash_of_the_shadow_is_counted_once() -> None:
    world = up()
    for _ in range(3):
        world.reconcile(30.0)
    name = next(name for name, pod in world.pods.items() if pod.role == Role.SHADOW)
    world.pods[name] = replace(world.pods[name], restarts=1)
    for _ in range(2):
        world.reconcile(30.0)
    restarted = world.status["soak"]["lastRestart"]
    for _ in range(3):
        world.reconcile(30.0)
    assert world.status["soak"]["lastRestart"] == restarted
    assert mirroring(world)
