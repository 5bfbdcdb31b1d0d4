"""On the way down copies end first, then the clones go, then Envoy; nothing hangs for ever."""

import pytest

from shadow_operator.api.names import Role
from shadow_operator.core import names
from shadow_operator.core.deploying import mirror
from shadow_operator.core.snapshot import ObjectRef
from tests.support.world import (
    COPIES_SERVICE,
    ENTRY,
    NAME,
    World,
    deployment_ref,
    mirroring,
    stranger,
    up,
)

CLONES = set(names.references(NAME))
POLICY = ObjectRef("networking.k8s.io/v1", "NetworkPolicy", "hal9-mirror")


def left(world: World) -> set[ObjectRef]:
    return {ref for ref in world.objects if ref in CLONES or ref in mirror.references(NAME)}


def gone(world: World) -> bool:
    return world.gone


def test_phase_none_ends_copies_before_any_clone_goes() -> None:
    world = up()
    world.edit(phase="None")
    first = world.reconcile()
    assert set(first.percent.values()) == {0}
    assert first.delete == ()
    assert world.objects[ENTRY]["spec"]["selector"] == {"app": "hal9"}
    world.until(lambda w: not left(w))
    world.reconcile()
    assert world.status["phase"] == "Idle"
    assert ENTRY in world.objects
    assert world.plans[-1].requeue_after == 30.0


def test_phase_none_keeps_verdict_and_evidence() -> None:
    world = up()
    for _ in range(4):
        world.reconcile(30.0)
    verdict = world.status["verdict"]
    compared = world.status["comparison"]["compared"]
    world.edit(phase="None")
    world.until(lambda w: w.status["phase"] == "Idle")
    kept = ("decision", "epoch", "decidedTime", "shadowImageID", "productionImageID")
    assert {key: world.status["verdict"][key] for key in kept} == {k: verdict[k] for k in kept}
    assert world.status["comparison"]["compared"] >= compared
    world.edit(phase="Shadow")
    world.until(mirroring)
    assert world.status["comparison"]["compared"] >= compared


def test_deletion_takes_everything_down_and_lets_go() -> None:
    world = up()
    world.delete()
    world.until(gone)
    assert left(world) == set()
    assert world.objects[ENTRY]["spec"]["selector"] == {"app": "hal9"}
    assert world.plans[-1].status is None


def test_envoys_go_when_the_entry_has_left_and_end_their_requests_themselves() -> None:
    world = up()
    for envoy in world.envoys.values():
        envoy.active = 1
    world.delete()
    assert world.reconcile().delete == ()  # the entry has only just left
    world.reconcile()
    assert deployment_ref(Role.MIRROR) not in world.objects
    for _ in range(5):
        world.reconcile(30.0)
    assert "go through Envoy" in world.status["message"]
    assert POLICY in world.objects, "without it a policy of the namespace may cut them off"
    world.finish_envoys()
    world.until(gone)
    assert left(world) == set()


def test_an_envoy_that_never_ends_holds_nothing_for_ever() -> None:
    world = up()
    for envoy in world.envoys.values():
        envoy.active = 1
    world.delete()
    world.until(gone, seconds=900.0, limit=9)


def test_an_envoy_that_does_not_answer_holds_the_clones_for_a_while_only() -> None:
    world = up()
    for envoy in world.envoys.values():
        envoy.readable = False
    world.delete()
    world.reconcile()
    assert deployment_ref(Role.SHADOW) in world.objects
    assert "confirms" in world.status["message"]
    world.until(gone, seconds=30.0, limit=20)


def test_an_envoy_that_never_started_copies_nothing() -> None:
    world = World().until(lambda w: deployment_ref(Role.MIRROR) in w.objects)
    world.settle()
    world._change_pods(Role.MIRROR, ip="", ready=False, container_id="", waiting="ImagePullBackOff")
    world.edit(phase="None")
    for _ in range(3):
        world.reconcile()
    assert left(world) == set()


def test_a_terminating_envoy_that_still_copies_holds_the_clones() -> None:
    world = up()
    world._change_pods(Role.MIRROR, terminating=True)
    world.edit(phase="None")
    first = world.reconcile()
    assert first.delete == ()
    assert set(first.percent.values()) == {0}


@pytest.mark.parametrize("ref", [deployment_ref(Role.REFERENCE), ENTRY])
def test_a_stranger_with_a_childs_name_does_not_hold_the_deletion(ref: ObjectRef) -> None:
    world = World()
    theirs = stranger(ref)
    world.objects[ref] = theirs
    world.until(lambda w: w.status)
    world.delete()
    world.until(gone, limit=5)
    assert world.objects[ref] == theirs


def test_without_production_the_resource_can_still_be_deleted() -> None:
    world = up()
    world.production = world.service = None
    world.delete()
    world.until(gone)
    assert left(world) == set()


def test_a_spec_that_nobody_can_read_can_still_be_deleted() -> None:
    world = up()
    world.edit(samplingPercent="many")
    world.reconcile()
    world.delete()
    world.until(gone)
    assert left(world) == set()


def test_in_a_terminating_namespace_nothing_is_created() -> None:
    world = up()
    del world.objects[ENTRY]
    world.delete()
    while not world.gone:
        assert world.reconcile().apply == ()


def test_another_finalizer_keeps_the_resource_without_a_further_write() -> None:
    world = up()
    world.finalizers.append("theirs/finalizer")
    world.delete()
    world.until(gone)
    plan = world.reconcile()
    assert (plan.finalizer, plan.status, plan.apply, plan.delete) == (None, None, (), ())


def test_without_an_envoy_the_copies_service_is_closed_before_the_clones_go() -> None:
    world = World()
    world.edit(mirror={"provider": "External"})
    world.until(lambda w: w.progress.mirroring)
    world.edit(phase="None")
    first = world.reconcile()
    assert first.delete == ()
    assert [ObjectRef.of(m) for m in first.apply] == [COPIES_SERVICE]
    world.until(lambda w: not left(w))


@pytest.mark.parametrize(
    ("after", "clones", "percent"),
    [("StopMirror", True, 0), ("Keep", True, 100), ("TearDown", False, 0)],
)
def test_what_happens_after_the_verdict(after: str, clones: bool, percent: int) -> None:
    world = up(
        soakSeconds=1,
        maxDurationSeconds=60,
        afterVerdict=after,
    )
    world.until(lambda w: w.progress.finished, seconds=30.0)
    for _ in range(6):
        world.reconcile(2.0)
    assert (deployment_ref(Role.SHADOW) in world.objects) is clones
    assert {e.percent for n, e in world.envoys.items() if n in world.pods} <= {percent}
    assert world.status["verdict"]["decision"] == "ExtendShadow"
    if after != "Keep":
        assert world.status["phase"] == "Completed"


def test_restarted_at_resumes_a_finished_run_in_a_new_epoch() -> None:
    world = up(soakSeconds=1, maxDurationSeconds=60)
    world.until(lambda w: w.progress.finished, seconds=30.0)
    before = world.progress.epoch
    world.until(lambda w: w.status["phase"] == "Completed")
    world.edit(restartedAt="once more")
    world.until(mirroring)
    assert world.progress.epoch != before
    assert not world.progress.finished
