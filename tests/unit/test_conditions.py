"""Conditions are observations; their time is that of the last change of status."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shadow_operator.api.names import Role
from shadow_operator.api.reasons import ConditionType
from tests.support.world import World, deployment_ref, mirroring, up

SOMETIMES = ("Reconciling", "Stalled", "SelfTestPassed")
ALWAYS = [kind.value for kind in ConditionType if kind not in SOMETIMES]


def conditions(world: World) -> dict[str, dict[str, str]]:
    return {condition["type"]: condition for condition in world.status["conditions"]}


def seen(world: World, kind: str) -> tuple[str, str]:
    return conditions(world)[kind]["status"], conditions(world)[kind]["reason"]


def edited(**spec: Any) -> Callable[[], World]:
    def build() -> World:
        world = up()
        world.edit(**spec)
        for _ in range(4):
            world.reconcile()
            world.settle()
        return world

    return build


def starting() -> World:
    world = World().until(lambda w: deployment_ref(Role.SHADOW) in w.objects)
    for role in (Role.SHADOW, Role.REFERENCE):
        world.break_down(role)
    world.reconcile()
    return world


def stopped() -> World:
    world = up()
    world.annotations["hal9.ai/stop"] = ""
    world.reconcile()
    world.reconcile()
    return world


def broken() -> World:
    world = up()
    world.break_down(Role.REFERENCE)
    world.reconcile()
    return world


def crashing() -> World:
    world = broken()
    world._change_pods(Role.SHADOW, ready=False, waiting="CrashLoopBackOff", restarts=5)
    world.break_down(Role.SHADOW)
    world.reconcile()
    return world


def without_traffic() -> World:
    world = World(traffic=0).until(mirroring)
    world.reconcile()
    return world


def with_traffic_that_ended() -> World:
    world = up()
    world.traffic = 0
    for _ in range(12):
        world.reconcile(30.0)
    return world


def unattached_external() -> World:
    world = World()
    world.edit(mirror={"provider": "External"})
    world.until(lambda w: w.progress.mirroring)
    world.reconcile()
    return world


def without_counters(world: World) -> World:
    for envoy in world.envoys.values():
        envoy.readable = False
    world.reconcile()
    return world


def resumed_without_counters() -> World:
    world = edited(suspend=True)()
    world.edit(suspend=False)
    return without_counters(world)


def with_a_reason_of_another_version() -> World:
    world = up()
    [active] = [c for c in world.status["conditions"] if c["type"] == "MirroringActive"]
    active |= {"status": "False", "reason": "Levitating"}
    return without_counters(world)


def open_to_all() -> World:
    world = World(isolates=None)
    world.edit(clones={"egress": "Allow"})
    return world.until(mirroring)


TABLE: dict[str, tuple[Callable[[], World], dict[str, tuple[str, str]]]] = {
    "all is well": (
        up,
        {
            "Accepted": ("True", "Accepted"),
            "ShadowAvailable": ("True", "Available"),
            "Isolated": ("True", "Enforced"),
            "MirroringActive": ("True", "Mirroring"),
            "ResponsesMatch": ("Unknown", "InsufficientEvidence"),
            "ResourcesAcceptable": ("Unknown", "NotMeasured"),
            "ProductionUnaffected": ("Unknown", "NotMeasured"),
            "LearningActive": ("False", "NotRequested"),
            "Ready": ("True", "AsRequested"),
        },
    ),
    "starting": (
        starting,
        {
            "ShadowAvailable": ("False", "Deploying"),
            "MirroringActive": ("False", "Starting"),
            "Ready": ("False", "NotReady"),
            "Reconciling": ("True", "InProgress"),
        },
    ),
    "suspended": (
        edited(suspend=True),
        {
            "ShadowAvailable": ("True", "Available"),
            "MirroringActive": ("False", "Suspended"),
            "Ready": ("True", "AsRequested"),
        },
    ),
    "a self-test that has begun": (
        edited(selfTest="Unchanged"),
        {"SelfTestPassed": ("Unknown", "InsufficientEvidence")},
    ),
    "stopped": (
        stopped,
        {"MirroringActive": ("False", "Stopped"), "Ready": ("True", "AsRequested")},
    ),
    "0 %": (
        edited(samplingPercent=0),
        {"MirroringActive": ("False", "ZeroPercent"), "Ready": ("True", "AsRequested")},
    ),
    "phase None": (
        edited(phase="None"),
        {
            "ShadowAvailable": ("False", "NotRequested"),
            "Isolated": ("Unknown", "NotTested"),
            "MirroringActive": ("False", "NotRequested"),
            "Ready": ("True", "AsRequested"),
        },
    ),
    "refused": (
        edited(reference={"mode": "Production"}),
        {
            "Accepted": ("False", "NotSupportedYet"),
            "MirroringActive": ("True", "Mirroring"),
            "Isolated": ("True", "Enforced"),
            "Ready": ("False", "NotSupportedYet"),
            "Stalled": ("True", "NotSupportedYet"),
        },
    ),
    "a clone that was available and is not": (
        broken,
        {
            "ShadowAvailable": ("False", "Unavailable"),
            "MirroringActive": ("False", "Starting"),
            "Ready": ("False", "NotReady"),
        },
    ),
    "a shadow that crashes": (crashing, {"ShadowAvailable": ("False", "CrashLoop")}),
    "no client at the entry": (
        without_traffic,
        {"MirroringActive": ("False", "NotAttached"), "Ready": ("False", "NotAttached")},
    ),
    "no copy any more": (
        with_traffic_that_ended,
        {"MirroringActive": ("False", "NoTraffic"), "Ready": ("False", "NoTraffic")},
    ),
    "no copy from another mirror": (
        unattached_external,
        {"MirroringActive": ("False", "NoTraffic"), "Ready": ("False", "NoTraffic")},
    ),
    "counters that can't be read say nothing new": (
        lambda: without_counters(up()),
        {"MirroringActive": ("True", "Mirroring"), "Ready": ("True", "AsRequested")},
    ),
    "what was read before a suspension is of no use after it": (
        resumed_without_counters,
        {"MirroringActive": ("Unknown", "NotMeasured"), "Ready": ("False", "NotMeasured")},
    ),
    "a reason of another version is none": (
        with_a_reason_of_another_version,
        {"MirroringActive": ("Unknown", "NotMeasured")},
    ),
    "open egress, by wish": (open_to_all, {"Isolated": ("False", "NotRequested")}),
    "no reference": (
        edited(reference={"mode": "None"}),
        {"ResponsesMatch": ("Unknown", "NotRequested")},
    ),
    "no gate that compares": (
        edited(gates={"matchRate": {"mode": "Off"}, "criticalDifferences": {"mode": "Off"}}),
        {"ResponsesMatch": ("Unknown", "NotRequested")},
    ),
}


@pytest.mark.parametrize(("build", "expected"), TABLE.values(), ids=TABLE)
def test_what_is_observed(build: Callable[[], World], expected: dict[str, tuple[str, str]]) -> None:
    world = build()
    assert {kind: seen(world, kind) for kind in expected} == expected
    assert [kind for kind in conditions(world) if kind in ALWAYS] == ALWAYS
    assert ("Reconciling" in conditions(world)) <= (seen(world, "Ready")[0] == "False")
    assert all(condition["message"] for condition in conditions(world).values())


def test_the_time_of_a_condition_is_that_of_its_last_change() -> None:
    world = up()
    before = conditions(world)["Ready"]["lastTransitionTime"]
    world.reconcile(30.0)
    assert conditions(world)["Ready"]["lastTransitionTime"] == before
    world.break_down(Role.SHADOW)
    world.reconcile(30.0)
    assert conditions(world)["Ready"]["lastTransitionTime"] > before


def test_every_condition_names_the_generation_that_it_is_about() -> None:
    world = up()
    world.edit(samplingPercent=50)
    world.reconcile()
    assert {c["observedGeneration"] for c in world.status["conditions"]} == {world.generation}
    assert world.status["observedGeneration"] == world.generation


def test_an_observation_of_another_spec_says_so() -> None:
    world = up()
    before = conditions(world)["MirroringActive"]["message"]
    world.edit(samplingPercent=50)
    for _ in range(2):
        without_counters(world)
        assert conditions(world)["MirroringActive"]["message"] == (
            "No Envoy could be asked for its counters. Before the last change of spec: " + before
        )
    for envoy in world.envoys.values():
        envoy.readable = True
    world.reconcile()
    assert conditions(world)["MirroringActive"]["message"].startswith("50 %")


def test_without_a_reference_nothing_is_waited_for() -> None:
    world = edited(reference={"mode": "None"})()
    assert "no reference" in conditions(world)["ResponsesMatch"]["message"]


def test_the_soak_is_complete_when_its_time_is_over() -> None:
    world = up(soakSeconds=60)
    world.until(lambda w: seen(w, "SoakComplete") == ("True", "SoakComplete"), seconds=30.0)


def test_a_single_restart_is_no_crash_loop() -> None:
    world = up()
    name = next(name for name, pod in world.pods.items() if pod.role == Role.SHADOW)
    world.pods[name] = replace(world.pods[name], restarts=1)
    world.reconcile()
    assert seen(world, "ShadowAvailable") == ("True", "Available")
