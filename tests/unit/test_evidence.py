"""The evidence ConfigMap: ledger and progress in one write, once in an interval."""

from dataclasses import replace

import pytest

from shadow_operator.api.names import Role
from shadow_operator.core.progress import Progress
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
