"""Evidence belongs to images and templates: what changes them begins a new epoch."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shadow_operator.api.names import Role
from shadow_operator.core.planning.epochs import image_of, next_epoch
from shadow_operator.core.snapshot import Pod
from tests.support.world import World, deployment_ref, mirroring, up


def reference_image(world: World) -> str:
    live = world.deployment(Role.REFERENCE)
    assert live is not None
    image: str = live["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def pods_of(world: World, role: Role) -> set[str]:
    return {name for name, pod in world.pods.items() if pod.role == role}


def annotate_pods(world: World) -> None:
    assert world.production is not None
    world.production["spec"]["template"]["metadata"]["annotations"] = {"restartedAt": "now"}


def set_in_production(world: World) -> None:
    assert world.production is not None
    [container] = world.production["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "MODE", "value": "fast"}]


ADMIN = {"path": "/admin", "reason": "private"}
PATH = {"path": "/api", "reason": "the rest is static"}

NEW: dict[str, Callable[[World], Any]] = {
    "another image of the shadow": lambda w: w.edit(shadow={"image": "example.com/hal9:newer"}),
    "other layers": lambda w: w.edit(layers=["Substrate"]),
    "restartedAt": lambda w: w.edit(restartedAt="again"),
    "another environment of the clones": lambda w: w.edit(
        clones={"env": [{"name": "A", "value": "b"}]}
    ),
    "no reference": lambda w: w.edit(reference={"mode": "None"}),
    "a rollout of production": lambda w: w.roll_out("newer"),
    "another environment of production": set_in_production,
    "a header that clones get": lambda w: w.edit(mirror={"forwardHeaders": ["Authorization"]}),
    "a method more": lambda w: w.edit(mirror={"methods": ["GET", "HEAD", "POST"]}),
    "paths that are included": lambda w: w.edit(mirror={"include": [PATH]}),
    "paths that are excluded": lambda w: w.edit(mirror={"exclude": [PATH]}),
    "one path instead of a prefix": lambda w: w.edit(
        mirror={"exclude": [{**ADMIN, "match": "Exact"}]}
    ),
    "a declared route": lambda w: w.edit(comparison={"routes": ["/api/{id}"]}),
    "another timeout": lambda w: w.edit(comparison={"timeoutSeconds": 3}),
    "an edge for numbers": lambda w: w.edit(
        comparison={"tolerances": [{"path": "$.a", "relative": "0.02", "reason": "rounded"}]}
    ),
    "larger bodies": lambda w: w.edit(comparison={"maxBodyBytes": 2048}),
}
SAME: dict[str, Callable[[World], Any]] = {
    "a rule": lambda w: w.edit(comparison={"ignore": [{"path": "$.time", "reason": "a clock"}]}),
    "a tolerance of a power of ten": lambda w: w.edit(
        comparison={"tolerances": [{"path": "$.a", "relative": "1e-6", "reason": "rounded"}]}
    ),
    "a percentage": lambda w: w.edit(samplingPercent=10),
    "a longer soak": lambda w: w.edit(soakSeconds=172800, maxDurationSeconds=1728000),
    "suspension": lambda w: w.edit(suspend=True),
    "isolation": lambda w: w.edit(clones={"isolation": "BestEffort"}),
    "a restart of production's pods": annotate_pods,
    "a gate": lambda w: w.edit(gates={"matchRate": {"minPercent": "99"}}),
    "a limit of copies": lambda w: w.edit(mirror={"maxRequestsPerSecond": 5}),
    "methods in another order": lambda w: w.edit(mirror={"methods": ["HEAD", "GET"]}),
    "another reason for an excluded path": lambda w: w.edit(
        mirror={"exclude": [{**ADMIN, "reason": "of no interest"}]}
    ),
}


@pytest.mark.parametrize("change", NEW.values(), ids=NEW)
def test_a_new_epoch_ends_copies_until_everything_is_new(change: Callable[[World], Any]) -> None:
    world = up(mirror={"exclude": [ADMIN]})
    before, comparators = world.progress.epoch, pods_of(world, Role.COMPARATOR)
    change(world)
    plan = world.reconcile()
    assert {envoy.percent for envoy in world.envoys.values()} == {0}
    assert world.progress.epoch != before
    assert "EpochStarted" in [event.reason for event in plan.events]
    assert "verdict" not in world.status
    world.until(mirroring)
    assert world.progress.epoch.endswith("-1")
    assert not pods_of(world, Role.COMPARATOR) & comparators


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_the_epoch_goes_on(change: Callable[[World], Any]) -> None:
    world = up(mirror={"exclude": [ADMIN]})
    before, compared = world.progress.epoch, world.status["comparison"]["compared"]
    change(world)
    for _ in range(3):
        world.reconcile(30.0)
        world.settle()
    assert world.progress.epoch == before
    assert world.status["comparison"]["compared"] >= compared > 0


def test_no_copy_is_made_against_a_reference_that_is_older_than_production() -> None:
    world = up()
    world.roll_out("newer", complete=False)
    for _ in range(5):
        world.reconcile()
        world.settle()
        assert not world.progress.mirroring
        assert reference_image(world).startswith("example.com/hal9:old")
    assert "not completely rolled out" in world.status["message"]
    world.roll_out("newer")
    world.until(mirroring)
    assert reference_image(world).startswith("example.com/hal9:newer")
    assert world.progress.epoch.endswith("-1")
    assert world.progress.production_image.startswith("example.com/hal9:newer")


def test_a_new_shadow_is_compared_with_a_reference_of_its_age() -> None:
    world = up()
    before = pods_of(world, Role.REFERENCE)
    world.edit(shadow={"image": "example.com/hal9:newer"})
    world.reconcile()
    world.until(mirroring)
    assert not pods_of(world, Role.REFERENCE) & before


def test_production_is_recorded_anew_after_its_rollout() -> None:
    world = World()
    world.edit(guard={"baselineSeconds": 60})
    world.until(mirroring, seconds=10.0)
    world.roll_out("newer")
    world.until(lambda w: w.status["phase"] == "Recording")
    began = world.now
    world.until(mirroring, seconds=10.0)
    assert world.now - began >= 50.0


@pytest.mark.parametrize("role", [Role.SHADOW, Role.REFERENCE])
def test_an_image_that_moves_under_its_tag_begins_the_next_epoch(role: Role) -> None:
    world = up()
    key = world.progress.epoch.removesuffix("-1")
    world.move_image(role, "example.com/hal9@sha256:moved")
    world.reconcile()
    assert world.progress.epoch == f"{key}-2"
    world.until(mirroring)
    world.reconcile(30.0)
    assert world.progress.epoch == f"{key}-2"


def test_while_pods_disagree_the_epoch_waits() -> None:
    pods = [
        Pod("a", "a", "shadow", ready=True, image_id="x"),
        Pod("b", "b", "shadow", ready=True, image_id="y"),
        Pod("c", "c", "reference", ready=True, image_id="z"),
        Pod("d", "d", "reference", ready=False, image_id="old"),
    ]
    assert image_of(pods, Role.SHADOW) == ""
    assert image_of(pods[:1], Role.SHADOW) == "x"
    assert image_of(pods, Role.REFERENCE) == "z"


def test_epochs_are_numbered() -> None:
    assert next_epoch("abc-1") == "abc-2"


def test_after_a_restart_of_the_operator_the_epoch_is_the_same() -> None:
    world = up()
    before = world.progress.epoch
    world.now += 86_400.0
    world.reconcile()
    assert world.progress.epoch == before
    assert mirroring(world)


def test_without_a_reference_its_deployment_goes_only_after_copies_ended() -> None:
    world = up()
    world.edit(reference={"mode": "None"})
    assert world.reconcile().delete == ()
    world.until(lambda w: deployment_ref(Role.REFERENCE) not in w.objects)
    world.until(mirroring)


@pytest.mark.parametrize("role", [Role.SHADOW, Role.REFERENCE])
def test_one_pod_with_another_image_begins_the_next_epoch_which_waits_for_the_others(
    role: Role,
) -> None:
    world = up()
    name = min(pod.name for pod in world.pods.values() if pod.role == role)
    world.pods[name] = replace(world.pods[name], image_id="example.com/hal9@sha256:moved")
    world.reconcile()
    assert world.progress.epoch.endswith("-2")
    for _ in range(3):
        world.settle()
        world.reconcile(30.0)
        assert not world.progress.mirroring
    assert f"hal9-{role} run 2 different images" in world.status["message"]
    world.move_image(role, "example.com/hal9@sha256:moved")
    world.until(mirroring)
    assert world.progress.epoch.endswith("-2")
