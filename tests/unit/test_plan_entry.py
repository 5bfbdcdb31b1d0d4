"""Whatever happens, the entry leads clients to production's pods as they are now."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from shadow_operator.api.names import Role
from shadow_operator.core import names
from shadow_operator.core.deploying import entry, mirror
from shadow_operator.core.snapshot import ObjectRef
from tests.support.world import (
    COPIES_SERVICE,
    ENTRY,
    EVIDENCE,
    NAME,
    World,
    deployment_ref,
    mirroring,
    up,
)

ENVOYS = deployment_ref(Role.MIRROR)
POLICY = ObjectRef("networking.k8s.io/v1", "NetworkPolicy", "hal9-mirror")
TO_ENVOY = names.selector(NAME, Role.MIRROR)
TO_PRODUCTION = {"app": "hal9"}


def selector(world: World) -> Any:
    return world.objects[ENTRY]["spec"]["selector"]


def targets(world: World) -> list[Any]:
    return [port["targetPort"] for port in world.objects[ENTRY]["spec"]["ports"]]


def egress(world: World) -> Any:
    return world.objects[POLICY]["spec"]["egress"][0]["to"][0]["podSelector"]["matchLabels"]


def percents(world: World) -> set[int]:
    return {envoy.percent for name, envoy in world.envoys.items() if name in world.pods}


def change_service(world: World, **spec: Any) -> None:
    assert world.service is not None
    world.service["spec"] |= spec


def go_green(world: World) -> None:
    """Let production's Service select other pods, on another port."""
    port = {"name": "http", "port": 80, "targetPort": 9000, "protocol": "TCP"}
    change_service(world, selector={"app": "green"}, ports=[port])


def lose_service(world: World) -> None:
    world.service = None


def lose_selector(world: World) -> None:
    change_service(world, selector=None)


def name_elsewhere(world: World) -> None:
    change_service(world, type="ExternalName", selector=None, clusterIP=None)


def lose_ports(world: World) -> None:
    change_service(world, clusterIP="None", ports=None)


def speak_tls(world: World) -> None:
    assert world.service is not None
    world.service["spec"]["ports"][0]["appProtocol"] = "https"


def make_anew(world: World) -> None:
    change_service(world, clusterIP="10.96.0.8")


def break_envoys(world: World) -> None:
    world.break_down(Role.MIRROR)


UNUSABLE: dict[str, Callable[[World], None]] = {
    "it is deleted": lose_service,
    "it loses its selector": lose_selector,
    "it becomes an ExternalName": name_elsewhere,
    "it loses its ports": lose_ports,
}


# On the way down


@pytest.mark.parametrize("lose", UNUSABLE.values(), ids=UNUSABLE)
def test_without_a_usable_service_the_entry_is_led_back_to_what_it_was_before(
    lose: Callable[[World], None],
) -> None:
    world = up()
    lose(world)
    world.delete()
    world.reconcile()
    assert (selector(world), targets(world)) == (TO_PRODUCTION, ["http"])
    assert ENVOYS in world.objects
    world.until(lambda w: w.gone)
    assert (selector(world), targets(world)) == (TO_PRODUCTION, ["http"])


@pytest.mark.parametrize("lose", UNUSABLE.values(), ids=UNUSABLE)
def test_without_a_usable_service_and_without_a_shadow_the_entry_stays_as_it_is(
    lose: Callable[[World], None],
) -> None:
    world = up()
    world.edit(phase="None")
    world.until(lambda w: w.status["phase"] == "Idle")
    lose(world)
    for _ in range(3):
        decided = world.reconcile(30.0)
        assert (decided.apply, decided.delete) == ((), ())
    assert selector(world) == TO_PRODUCTION


def test_envoys_stay_while_the_entry_leads_to_them() -> None:
    world = up()
    world.edit(phase="None", productionRef={"serviceName": "typo"})
    world.service = None
    first = world.reconcile()
    assert ENVOYS not in {deletion.ref for deletion in first.delete}
    assert selector(world) == TO_PRODUCTION


def test_envoys_stay_where_nobody_knows_where_else_to_lead_clients() -> None:
    world = up()
    lose_selector(world)
    del world.objects[ENTRY]["metadata"]["annotations"][entry.ANNOTATION_LEAD_BACK]
    world.delete()
    for _ in range(5):
        world.reconcile(30.0)
        world.settle()
    assert ENVOYS in world.objects
    assert "hal9-mirror still leads clients to Envoy" in world.status["message"]
    go_green(world)
    world.until(lambda w: w.gone)
    assert selector(world) == {"app": "green"}


def test_envoys_without_a_service_behind_them_and_without_memory_hold_nothing() -> None:
    world = up()
    world.service = None
    del world.objects[ENTRY]["metadata"]["annotations"][entry.ANNOTATION_LEAD_BACK]
    world.delete()
    world.until(lambda w: w.gone)


def test_an_operator_that_was_away_gives_requests_their_time_all_the_same() -> None:
    world = up()
    for envoy in world.envoys.values():
        envoy.active = 1
    world.delete()
    world.now += 7200.0
    for _ in range(4):
        world.reconcile(30.0)
    assert ENVOYS not in world.objects
    assert POLICY in world.objects
    assert not world.gone
    world.finish_envoys()
    world.until(lambda w: w.gone)


def test_an_envoy_that_is_still_starting_keeps_its_policy_and_the_finalizer() -> None:
    world = up()
    for envoy in world.envoys.values():
        envoy.active = 1  # it stays when its Deployment goes
    world._change_pods(Role.MIRROR, ip="", ready=False)
    world.delete()
    for _ in range(4):
        world.reconcile()
    assert ENVOYS not in world.objects
    assert POLICY in world.objects
    assert not world.gone


def test_the_policy_of_envoys_goes_after_their_deployment_which_may_be_starting_one() -> None:
    world = up()
    world.pods = {}
    world.delete()
    world.reconcile()
    refs = {deletion.ref for deletion in world.reconcile().delete}
    assert ENVOYS in refs
    assert POLICY not in refs
    world.until(lambda w: w.gone)


def test_somebody_who_changes_the_entry_in_every_write_does_not_hold_the_deletion() -> None:
    world = up()
    world.delete()
    for _ in range(5):
        world.objects[ENTRY]["spec"]["internalTrafficPolicy"] = "Local"
        world.reconcile()
        world.settle()
    assert world.gone


# The garbage collector


def test_nothing_in_productions_path_has_an_owner() -> None:
    world = up()
    for ref in (*mirror.references(NAME), ENTRY):
        assert "ownerReferences" not in world.objects[ref]["metadata"]
    for ref in set(world.objects) - {*mirror.references(NAME), ENTRY}:
        assert world.objects[ref]["metadata"]["ownerReferences"]


def test_a_foreground_deletion_leaves_envoys_until_the_entry_has_left_them() -> None:
    world = up()
    world.delete(foreground=True)
    assert ENVOYS in world.objects
    first = world.reconcile()
    assert first.delete == ()
    assert (selector(world), percents(world)) == (TO_PRODUCTION, {0})
    world.until(lambda w: w.gone)
    assert set(world.objects) == {ENTRY}


def test_without_operator_and_finalizer_the_entry_still_leads_somewhere() -> None:
    world = up()
    world.finalizers.clear()
    world.delete()
    assert set(world.objects) == {*mirror.references(NAME), ENTRY}
    assert selector(world) == TO_ENVOY
    assert {pod.role for pod in world.pods.values() if pod.ready} == {Role.MIRROR}


def left_behind(**spec: Any) -> World:
    """Give a new resource of the same name, beside what an earlier one has left in the path."""
    old = up()
    old.finalizers.clear()
    old.delete()
    old.settle()
    return World(
        spec={**old.spec, **spec},
        uid="uid-2",
        objects=old.objects,
        pods=old.pods,
        envoys=old.envoys,
        now=old.now,
    )


def test_envoys_that_an_earlier_resource_left_behind_are_taken_over() -> None:
    world = left_behind()
    world.reconcile()
    world.reconcile()
    assert percents(world) == {0}
    world.until(mirroring)
    assert selector(world) == TO_ENVOY
    assert world.objects[ENVOYS]["metadata"]["annotations"][entry.ANNOTATION_UID] == "uid-2"


def test_envoys_that_an_earlier_resource_left_behind_are_taken_away() -> None:
    world = left_behind(phase="None")
    world.until(lambda w: not any(ref in w.objects for ref in mirror.references(NAME)))
    assert selector(world) == TO_PRODUCTION


def test_an_envoy_deployment_that_lost_its_label_is_still_ours() -> None:
    world = up()
    del world.objects[ENVOYS]["metadata"]["labels"]
    world.until(lambda w: w.objects[ENVOYS]["metadata"].get("labels"))
    world.until(mirroring)
    del world.objects[ENVOYS]["metadata"]["labels"]
    world.delete()
    world.until(lambda w: w.gone)
    assert ENVOYS not in world.objects


# By hand


def test_the_patch_on_the_entry_leads_it_back() -> None:
    world = up()
    attached = world.objects[ENTRY]
    spec = dict(attached["spec"])
    for step in json.loads(attached["metadata"]["annotations"][entry.ANNOTATION_LEAD_BACK]):
        assert step["op"] == "add"
        spec[step["path"].removeprefix("/spec/")] = step["value"]
    world.edit(phase="None")
    world.reconcile()
    assert spec == world.objects[ENTRY]["spec"]


# While the spec is refused, held or unreadable


def refuse(world: World) -> None:
    world.edit(learning="ShadowOnly")


def lose_sight(world: World) -> None:
    world.unknown = {deployment_ref(Role.SHADOW)}


def break_evidence(world: World) -> None:
    for key in world.objects[EVIDENCE]["data"]:
        if key != "progress.json":
            world.objects[EVIDENCE]["data"][key] = "broken"


def write_nonsense(world: World) -> None:
    world.edit(samplingPercent="many")


HELD: dict[str, Callable[[World], None]] = {
    "the spec is refused": refuse,
    "a child can't be read": lose_sight,
    "the evidence can't be read": break_evidence,
    "the spec can't be read": write_nonsense,
}


@pytest.fixture(params=list(HELD.values()), ids=list(HELD))
def hold(request: pytest.FixtureRequest) -> Callable[[World], None]:
    held: Callable[[World], None] = request.param
    return held


LEFT: dict[str, Callable[[World], None]] = {
    "no Envoy is ready": break_envoys,
    "production's Service selects other pods": go_green,
    "production's Service has another address": make_anew,
    "production's port speaks TLS": speak_tls,
    **UNUSABLE,
}


@pytest.mark.parametrize("leave", LEFT.values(), ids=LEFT)
def test_a_held_entry_leaves_envoys_that_are_of_no_use(
    hold: Callable[[World], None], leave: Callable[[World], None]
) -> None:
    world = up()
    hold(world)
    world.reconcile()
    leave(world)
    world.reconcile()
    green = leave is go_green
    assert selector(world) == ({"app": "green"} if green else TO_PRODUCTION)
    assert targets(world) == ([9000] if green else ["http"])
    assert percents(world) == {0}
    assert ENVOYS in world.objects
    for _ in range(3):
        world.reconcile(30.0)
    assert world.plans[-1].apply == ()
    assert selector(world) != TO_ENVOY


def test_a_held_entry_stays_with_envoys_that_can_be_used(hold: Callable[[World], None]) -> None:
    world = up()
    hold(world)
    for _ in range(3):
        assert world.reconcile(30.0).apply == ()
    assert selector(world) == TO_ENVOY


def test_a_held_entry_that_leads_to_production_follows_it(hold: Callable[[World], None]) -> None:
    world = up()
    world.edit(suspend=True)
    world.until(lambda w: selector(w) == TO_PRODUCTION)
    hold(world)
    go_green(world)
    world.reconcile()
    assert (selector(world), targets(world)) == ({"app": "green"}, [9000])


def test_clients_that_stay_with_envoy_reach_the_pods_that_production_has_now(
    hold: Callable[[World], None],
) -> None:
    world = up()
    hold(world)
    change_service(world, selector={"app": "green"})
    world.reconcile()
    assert egress(world) == {"app": "green"}


def test_blue_and_green_without_any_edit_lead_the_entry_along() -> None:
    world = up()
    go_green(world)
    world.reconcile()
    assert (selector(world), percents(world)) == ({"app": "green"}, {0})
    assert "does not select the pods" in world.status["message"]
    assert not world.progress.mirroring
    change_service(world, selector=TO_PRODUCTION)
    world.until(mirroring)


def test_an_entry_of_a_stranger_is_left_alone_in_every_state(
    hold: Callable[[World], None],
) -> None:
    world = up()
    world.objects[ENTRY]["metadata"] |= {"labels": {}, "annotations": {}}
    before = dict(world.objects[ENTRY])
    hold(world)
    go_green(world)
    world.reconcile()
    assert world.objects[ENTRY] == before


@pytest.mark.parametrize("production", [None, {"serviceName": 7}])
def test_a_spec_that_names_no_production_moves_no_client(production: object) -> None:
    world = up()
    world.spec["productionRef"] = production
    world.service = world.production = None
    for _ in range(2):
        assert world.reconcile().apply == ()
    assert selector(world) == TO_ENVOY


def test_envoys_are_checked_although_the_isolation_of_clones_is_unknown_again() -> None:
    world = up()
    world.remove(EVIDENCE)
    make_anew(world)
    world.reconcile()
    assert selector(world) == TO_PRODUCTION
    old = world.objects[ENVOYS]["metadata"]["annotations"]["hal9.ai/upstream"]
    while selector(world) == TO_PRODUCTION:
        world.reconcile()
        world.settle()
    assert world.objects[ENVOYS]["metadata"]["annotations"]["hal9.ai/upstream"] != old
    world.until(mirroring)


# Provider External


def closed(world: World) -> bool:
    wanted = names.selector(NAME, Role.COMPARATOR)
    return bool(world.objects[COPIES_SERVICE]["spec"]["selector"] != wanted)


def stop(world: World) -> None:
    world.annotations["hal9.ai/stop"] = "an outage"


def suspend(world: World) -> None:
    world.edit(suspend=True)


@pytest.mark.parametrize("end", [stop, suspend])
def test_a_stop_keeps_the_copies_of_another_mirror_out_in_every_state(
    hold: Callable[[World], None], end: Callable[[World], None]
) -> None:
    world = World()
    world.edit(mirror={"provider": "External"})
    world.until(lambda w: w.progress.mirroring)
    hold(world)
    world.reconcile()
    end(world)
    world.reconcile()
    assert closed(world)
    assert world.reconcile().apply == ()


def test_the_end_of_production_keeps_the_copies_of_another_mirror_out() -> None:
    world = World()
    world.edit(mirror={"provider": "External"})
    world.until(lambda w: w.progress.mirroring)
    world.production = None
    world.reconcile()
    assert closed(world)
