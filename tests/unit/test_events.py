"""An event for each transition, and none at rest."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from shadow_operator.api.names import Role
from shadow_operator.api.reasons import EventReason
from shadow_operator.api.status import Status
from shadow_operator.core.snapshot import ObjectRef
from shadow_operator.core.telling import events
from tests.support.world import COPIES_SERVICE, World, deployment_ref, mirroring, up

if TYPE_CHECKING:
    from shadow_operator.core.telling.view import View


def reasons(world: World, looks: int = 4, seconds: float = 2.0) -> list[str]:
    found = []
    for _ in range(looks):
        found += [event.reason.value for event in world.reconcile(seconds).events]
        world.settle()
    return found


def edit(**spec: Any) -> Callable[[World], Any]:
    return lambda world: world.edit(**spec)


def drift(world: World) -> None:
    world.objects[COPIES_SERVICE]["spec"]["ports"][0]["port"] = 1


TRANSITIONS: dict[str, tuple[Callable[[World], Any], list[str]]] = {
    "nothing": (lambda _: None, []),
    "a stop by spec": (edit(suspend=True), ["MirroringStopped"]),
    "another percentage": (edit(samplingPercent=50), ["SamplingChanged"]),
    "a refused spec": (edit(learning="ShadowOnly"), ["Refused"]),
    "drift": (drift, ["DriftRepaired"]),
    "a deleted child": (lambda w: w.objects.pop(COPIES_SERVICE), ["DriftRepaired"]),
    "clones that break": (
        lambda w: w.break_down(Role.SHADOW),
        ["ClonesUnavailable", "MirroringStopped", "ClonesAvailable", "MirroringStarted"],
    ),
    "the way down": (edit(phase="None"), ["MirroringStopped"]),
}


@pytest.mark.parametrize(("change", "expected"), TRANSITIONS.values(), ids=TRANSITIONS)
def test_each_transition_is_told_once(change: Callable[[World], Any], expected: list[str]) -> None:
    world = up()
    change(world)
    found = reasons(world)
    if expected == ["MirroringStopped"]:
        found = [reason for reason in found if reason != "ClonesUnavailable"]
    assert found == expected


def test_the_way_up_is_told_in_its_order() -> None:
    world = World()
    assert reasons(world, 8, 30.0)[:3] == ["ClonesAvailable", "MirroringStarted", "VerdictChanged"]


def test_a_condition_of_another_version_makes_no_news_of_the_others() -> None:
    world = up()
    before = {c["type"]: c["lastTransitionTime"] for c in world.status["conditions"]}
    world.status["conditions"].insert(0, {**world.status["conditions"][0], "type": "Levitating"})
    world.now += 30.0
    assert reasons(world) == []
    assert {c["type"]: c["lastTransitionTime"] for c in world.status["conditions"]} == before


def test_a_refusal_that_is_taken_back_is_told() -> None:
    world = up()
    world.edit(learning="ShadowOnly")
    world.reconcile()
    world.edit(learning="Disabled")
    assert reasons(world) == ["Accepted"]


def test_why_copies_ended_stands_in_the_event() -> None:
    world = up()
    world.annotations["hal9.ai/stop"] = "an outage"
    [event] = world.reconcile().events
    assert event.message == "Copying ends: Stopped: an outage"


def test_a_crash_that_costs_soak_is_a_warning() -> None:
    world = up()
    for _ in range(3):
        world.reconcile(30.0)
    name = next(name for name, pod in world.pods.items() if pod.role == Role.SHADOW)
    world.pods[name] = replace(world.pods[name], restarts=1, last_termination="OOMKilled")
    world.now += 30.0
    [event] = [e for e in world.reconcile(30.0).events if e.reason == "SoakRestarted"]
    assert event.warning
    assert "OOMKilled" in event.message


def test_a_soak_that_is_too_short_is_told_once_however_often_it_seems_so() -> None:
    world = up()
    told = []
    for soak in (600, 86_400, 600):
        world.edit(soakSeconds=soak)
        for _ in range(3):
            told += [e for e in world.reconcile(30.0).events if e.reason == "SoakTooShort"]
    [event] = told
    assert event.warning
    assert event.message.startswith("match-rate: 300 of 300 pairs match")
    assert "but the soak has 9m 30s left. shadow-errors: " in event.message


def test_an_upgrade_of_the_operator_is_no_drift() -> None:
    world = up()
    live = world.objects[deployment_ref(Role.COMPARATOR)]
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "operator:0"
    live["metadata"]["annotations"]["hal9.ai/applied"] = "of the version before"
    assert "DriftRepaired" not in reasons(world)
    assert mirroring(world)
    assert ObjectRef.of(live) in world.objects


def soak_status(elapsed: int, restarted: int | None = None) -> Status:
    soak: dict[str, Any] = {"requiredSeconds": 60, "elapsedSeconds": elapsed, "state": "Running"}
    if restarted is not None:
        soak["lastRestart"] = f"2026-01-01T00:00:{restarted:02}Z"
        soak["lastRestartReason"] = "gate match-rate failed"
    return Status.parse({"soak": soak})


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            soak_status(20),
            soak_status(0, 5),
            ["The soak begins at zero after 20 s: gate match-rate failed."],
        ),
        (soak_status(0, 5), soak_status(0, 10), []),
        (soak_status(20, 5), soak_status(25, 5), []),
    ],
    ids=["it lost what it had", "it had nothing to lose", "it runs on"],
)
def test_a_restart_of_the_soak_is_told_where_time_was_lost(
    before: Status, after: Status, told: list[str]
) -> None:
    nothing_else = cast("View", None)
    found = list(events._soak(nothing_else, before, after))
    assert [event.message for event in found] == told
    assert all(event.reason is EventReason.SOAK_RESTARTED for event in found)
