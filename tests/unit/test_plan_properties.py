"""What holds whatever people, pods and the network do, in any order."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadow_operator.api.names import Role
from shadow_operator.core import names
from shadow_operator.core.deploying import mirror
from shadow_operator.core.plan import plan
from shadow_operator.core.planning.situation import SILENT_SECONDS
from shadow_operator.core.snapshot import ObjectRef
from tests.support.world import (
    COPIES_SERVICE,
    ENTRY,
    EVIDENCE,
    NAME,
    THEIRS,
    World,
    deployment_ref,
    mirroring,
    stranger,
    up,
)

Action = Callable[[World], Any]

CLONES: Final = (Role.SHADOW, Role.REFERENCE, Role.COMPARATOR)
REFS: Final = (*names.references(NAME), *mirror.references(NAME), ENTRY, EVIDENCE)


def edit(**spec: Any) -> Action:
    return lambda world: world.edit(**spec)


def stop(world: World) -> None:
    world.annotations["hal9.ai/stop"] = "why not"


def resume(world: World) -> None:
    world.annotations.clear()


def break_down(role: Role) -> Action:
    return lambda world: world.break_down(role) if world.deployment(role) else None


def freeze(world: World) -> None:
    for envoy in world.envoys.values():
        envoy.readable = False


def thaw(world: World) -> None:
    for envoy in world.envoys.values():
        envoy.readable = True


def forget(ref: ObjectRef) -> Action:
    return lambda world: world.remove(ref)


def lose_sight(world: World) -> None:
    world.unknown = {deployment_ref(Role.SHADOW), "service"}


def see_again(world: World) -> None:
    world.unknown = set()


def lose_production(world: World) -> None:
    world.production = None


def change_service(**spec: Any) -> Action:
    def change(world: World) -> None:
        assert world.service is not None
        world.service = {**world.service, "spec": {**world.service["spec"], **spec}}

    return change


ACTIONS: Final[dict[str, Action]] = {
    "settle": World.settle,
    "settle again": World.settle,
    "phase None": edit(phase="None"),
    "phase Shadow": edit(phase="Shadow"),
    "suspend": edit(suspend=True),
    "go on": edit(suspend=False),
    "10 %": edit(samplingPercent=10),
    "0 %": edit(samplingPercent=0),
    "External": edit(mirror={"provider": "External"}),
    "Envoy": edit(mirror={"provider": "Envoy"}),
    "layers": edit(layers=["Substrate"]),
    "refused": edit(learning="ShadowOnly"),
    "accepted": edit(learning="Disabled"),
    "unreadable": edit(samplingPercent="many"),
    "stop": stop,
    "resume": resume,
    "the shadow breaks": break_down(Role.SHADOW),
    "Envoy breaks": break_down(Role.MIRROR),
    "Envoys freeze": freeze,
    "Envoys thaw": thaw,
    "the reference is deleted": forget(deployment_ref(Role.REFERENCE)),
    "nothing is seen": lose_sight,
    "all is seen": see_again,
    "rollout": lambda world: world.roll_out("newer"),
    "production is gone": lose_production,
    "blue and green": change_service(selector={"app": "green"}),
    "the Service selects nothing": change_service(selector=None),
    "the Service is made anew": change_service(clusterIP="10.96.0.8"),
    "the resource is deleted": World.delete,
}

HISTORIES = st.lists(st.sampled_from(sorted(ACTIONS)), min_size=2, max_size=7)
few = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],  # a history is some dozen reconciles
)


def complete(world: World, role: Role) -> bool:
    live = world.deployment(role)
    return bool(live and live.get("status", {}).get("availableReplicas", 0) > 0)


def leads_to_envoy(world: World) -> bool:
    live = world.objects.get(ENTRY)
    return live is not None and live["spec"]["selector"] == names.selector(NAME, Role.MIRROR)


def check_one_look(world: World) -> None:
    """Plan once, and hold the plan to all rules before it is applied."""
    snapshot, was_copying = world.snapshot(), world.progress.mirroring
    decided = plan(snapshot, world.now)
    told = max(decided.percent.values(), default=0)
    off = all(
        envoy.percent == 0 and envoy.readable
        for name, envoy in world.envoys.items()
        if name in world.pods
    )
    clones = {deployment_ref(role) for role in CLONES}
    if told > 0:
        assert world.situation.wants_copies
        assert was_copying or all(complete(world, role) for role in (*CLONES, Role.MIRROR))
    if clones & {deletion.ref for deletion in decided.delete}:
        assert off or world.situation._left_for > SILENT_SECONDS
    if world.unknown or decided.finalizer:
        assert (decided.delete, decided.evidence) == ((), None)
        # The way of production's clients, and an end of copies.
        kept = {ENTRY, mirror.references(NAME)[-1], COPIES_SERVICE}
        assert {ObjectRef.of(m) for m in decided.apply} <= kept
    if leads_to_envoy(world):
        assert deployment_ref(Role.MIRROR) not in {deletion.ref for deletion in decided.delete}
    touched = {ObjectRef.of(m) for m in decided.apply} | {d.ref for d in decided.delete}
    for ref in touched & world.objects.keys():
        assert world.objects[ref]["metadata"]["uid"] != THEIRS


@few
@given(HISTORIES)
def test_in_every_history_production_and_evidence_are_safe(history: list[str]) -> None:
    world = World()
    for _ in range(6):
        world.reconcile()
        world.settle()
    for name in history:
        if not world.gone:
            ACTIONS[name](world)
        for _ in range(2):
            if not world.gone:
                check_one_look(world)
                world.reconcile()


@few
@given(HISTORIES)
def test_whatever_happened_it_comes_back_to_copies_or_goes(history: list[str]) -> None:
    world = World()
    for name in history:
        ACTIONS[name](world)
        world.reconcile()
        if world.gone:
            return
    for name in ("all is seen", "Envoys thaw", "resume", "accepted", "go on", "Envoy"):
        ACTIONS[name](world)
    world.edit(phase="Shadow", samplingPercent=100)
    world.roll_out("newest")
    change_service(selector={"app": "hal9"})(world)
    deleted = world.deleted_at is not None
    world.until(lambda w: w.gone if deleted else mirroring(w))


@few
@given(st.sets(st.sampled_from(REFS), min_size=1, max_size=4))
def test_a_stranger_is_never_touched(refs: set[ObjectRef]) -> None:
    world = World()
    theirs = {ref: stranger(ref) for ref in refs}
    world.objects = dict(theirs)
    for _ in range(4):
        world.reconcile()
        world.settle()
    world.delete()
    world.until(lambda w: w.gone)
    assert {ref: world.objects.get(ref) for ref in refs} == theirs


@pytest.mark.parametrize("ref", REFS, ids=str)
def test_a_deleted_child_is_made_again_and_then_there_is_rest(ref: ObjectRef) -> None:
    world = up()
    world.remove(ref)
    world.until(mirroring)
    for _ in range(3):
        world.reconcile(30.0)
        world.settle()
    decided = world.reconcile(2.0)
    assert (decided.apply, decided.delete, decided.percent) == ((), (), {})
