"""What is not known, not readable or refused changes nothing; a stop always gets through.

Where the entry leads meanwhile is in test_plan_entry.py.
"""

import pytest

from shadow_operator.api.names import Role
from shadow_operator.core import names
from shadow_operator.core.deploying import mirror
from shadow_operator.core.plan import plan
from shadow_operator.core.snapshot import ObjectRef
from tests.support.world import (
    COPIES_SERVICE,
    ENTRY,
    EVIDENCE,
    NAME,
    World,
    deployment_ref,
    mirroring,
    stranger,
    up,
)

READ = (
    "namespace_annotations",
    "deployment",
    "service",
    "production_pods",
    "pods",
    "ledger",
    *names.references(NAME),
    *mirror.references(NAME),
    ENTRY,
)


@pytest.mark.parametrize("what", READ, ids=str)
def test_what_could_not_be_read_changes_nothing(what: str | ObjectRef) -> None:
    world = up()
    world.unknown = {what}
    decided = world.reconcile()
    assert (decided.percent, decided.apply, decided.delete, decided.evidence) == ({}, (), (), None)
    assert decided.events == ()
    assert "could not be read: it timed out" in world.status["message"]
    assert world.reconcile().status is None
    world.unknown = set()
    world.reconcile()
    assert mirroring(world)


@pytest.mark.parametrize("what", sorted(set(READ) - {"pods"}, key=str), ids=str)
def test_what_could_not_be_read_removes_nothing_on_the_way_down(what: str | ObjectRef) -> None:
    world = up()
    world.delete()
    world.unknown = {what}
    for _ in range(3):
        decided = world.reconcile()
        assert (decided.delete, decided.finalizer) == ((), None)
        assert {ObjectRef.of(manifest) for manifest in decided.apply} <= {ENTRY}
    assert {envoy.percent for envoy in world.envoys.values()} == {0}


@pytest.mark.parametrize("what", sorted(set(READ) - {"pods"}, key=str), ids=str)
def test_a_stop_gets_through_whatever_could_not_be_read(what: str | ObjectRef) -> None:
    world = up()
    world.annotations["hal9.ai/stop"] = "outage"
    world.unknown = {what}
    world.reconcile()
    assert {envoy.percent for envoy in world.envoys.values()} == {0}
    assert world.reconcile().percent == {}


def test_a_stop_of_the_namespace_holds_while_the_namespace_can_not_be_read() -> None:
    world = up()
    world.namespace_annotations["hal9.ai/stop"] = "maintenance"
    world.reconcile()
    world.reconcile()
    world.unknown = {"namespace_annotations"}
    world.reconcile()
    assert {envoy.percent for envoy in world.envoys.values()} == {0}


@pytest.mark.parametrize("where", ["annotations", "namespace_annotations"])
def test_a_stop_wins_over_spec_and_is_explained(where: str) -> None:
    world = up()
    getattr(world, where)["hal9.ai/stop"] = "an outage"
    world.reconcile()
    assert {envoy.percent for envoy in world.envoys.values()} == {0}
    assert deployment_ref(Role.SHADOW) in world.objects
    world.reconcile()
    assert world.status["phase"] == "Paused"
    assert "an outage" in str(world.status["conditions"])
    assert "pausedTime" in world.status
    getattr(world, where).clear()
    world.until(mirroring)
    assert "pausedTime" not in world.status


REFUSALS = {
    "a value of a later version": {"learning": "ShadowOnly"},
    "a container that is not there": {"clones": {"containerName": "nobody"}},
}


@pytest.mark.parametrize("spec", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_change_leaves_the_last_good_state_running(spec: dict[str, object]) -> None:
    world = up()
    world.reconcile(30.0)
    epoch, compared = world.progress.epoch, world.status["comparison"]["compared"]
    world.edit(**spec)
    for _ in range(3):
        decided = world.reconcile(30.0)
        assert (decided.percent, decided.apply, decided.delete) == ({}, (), ())
    assert mirroring(world)
    assert world.progress.epoch == epoch
    assert world.status["comparison"]["compared"] > compared
    conditions = {c["type"]: c["status"] for c in world.status["conditions"]}
    assert (conditions["Accepted"], conditions["Stalled"]) == ("False", "True")
    assert conditions["Isolated"] == "True"
    assert world.status["summary"]["blockedBy"] == "accepted"


@pytest.mark.parametrize("spec", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_change_that_is_taken_back_costs_nothing(spec: dict[str, object]) -> None:
    world = up()
    world.edit(**spec)
    world.reconcile()
    world.edit(learning="Disabled", clones={"containerName": None})
    decided = world.reconcile()
    assert (decided.percent, decided.apply, decided.delete) == ({}, (), ())
    assert mirroring(world)


def test_a_stop_gets_through_a_refusal() -> None:
    world = up()
    world.edit(learning="ShadowOnly")
    world.reconcile()
    world.annotations["hal9.ai/stop"] = "outage"
    world.reconcile()
    assert {envoy.percent for envoy in world.envoys.values()} == {0}


def test_a_refusal_does_not_end_copies_because_one_envoy_restarted() -> None:
    world = up()
    world.edit(learning="ShadowOnly")
    world.envoys[min(world.envoys)].percent = 0
    world.reconcile()
    assert {envoy.percent for envoy in world.envoys.values()} == {100}


@pytest.mark.parametrize("what", ["production", "service"])
def test_copies_end_when_production_is_gone(what: str) -> None:
    world = up()
    setattr(world, what, None)
    world.reconcile()
    assert {envoy.percent for envoy in world.envoys.values()} == {0}
    assert deployment_ref(Role.SHADOW) in world.objects
    assert "does not exist" in world.status["message"]
    world.reconcile()
    assert world.reconcile().status is None


def test_a_spec_that_nobody_can_read_leaves_everything_but_a_stop_gets_through() -> None:
    world = up()
    world.edit(samplingPercent="many")
    decided = world.reconcile()
    assert (decided.percent, decided.apply, decided.delete) == ({}, (), ())
    assert "samplingPercent" in world.status["message"]
    assert world.reconcile().status is None
    world.namespace_annotations["hal9.ai/stop"] = "outage"
    world.reconcile()
    assert {envoy.percent for envoy in world.envoys.values()} == {0}


@pytest.mark.parametrize(
    "ref",
    [deployment_ref(Role.SHADOW), deployment_ref(Role.MIRROR), COPIES_SERVICE, ENTRY, EVIDENCE],
    ids=str,
)
def test_a_strangers_object_is_refused_and_never_touched(ref: ObjectRef) -> None:
    world, theirs = World(), stranger(ref)
    world.objects[ref] = theirs
    for _ in range(4):
        world.reconcile()
        world.settle()
    assert world.objects == {ref: theirs}
    [accepted] = [c for c in world.status["conditions"] if c["type"] == "Accepted"]
    assert accepted["reason"] == "ChildNameTaken"
    assert ref.name in accepted["message"]


def test_a_new_resource_inherits_nothing_of_an_earlier_one_of_its_name() -> None:
    world = up(soakSeconds=1, maxDurationSeconds=60)
    world.until(lambda w: w.progress.finished, seconds=30.0)
    old = world.objects[EVIDENCE]
    again = World(spec=world.spec, uid="uid-2", objects={EVIDENCE: old})
    for _ in range(3):
        decided = again.reconcile()
        assert (decided.apply, decided.evidence, decided.events) == ((), None, ())
    assert "still being removed" in again.status["message"]
    del again.objects[EVIDENCE]
    again.until(mirroring)
    assert not again.progress.finished


def test_evidence_that_can_not_be_read_is_not_overwritten() -> None:
    world = up()
    world.objects[EVIDENCE]["data"]["ledger"] = "broken"
    for key in world.objects[EVIDENCE]["data"]:
        if key != "progress.json":
            world.objects[EVIDENCE]["data"][key] = "broken"
    before = dict(world.objects[EVIDENCE])
    for _ in range(3):
        world.reconcile(30.0)
    assert world.objects[EVIDENCE] == before
    assert "evidence" in world.status["message"]
    assert {envoy.percent for envoy in world.envoys.values()} == {0}
    world.delete()
    world.until(lambda w: w.gone)


def test_the_same_snapshot_always_gives_the_same_plan() -> None:
    world = up()
    world.reconcile(30.0)
    assert plan(world.snapshot(), world.now) == plan(world.snapshot(), world.now)
