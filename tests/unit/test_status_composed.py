"""Status fits its schema and its columns in every state, and names the next step."""

from collections.abc import Callable
from typing import Any

import pytest

from shadow_operator.api.names import Role
from shadow_operator.core.snapshot import LayerReading
from tests.support.schema import problems
from tests.support.world import World, up

COLUMNS = {"match": 20, "soak": 9, "mirror": 10, "blockedBy": 22}


def after(looks: int = 3, **spec: Any) -> World:
    world = up()
    world.edit(**spec)
    for _ in range(looks):
        world.reconcile()
        world.settle()
    return world


def blocked() -> World:
    world = World(isolates=False)
    for _ in range(5):
        world.reconcile()
        world.settle()
    return world


def recording() -> World:
    world = World()
    world.edit(guard={"baselineSeconds": 300})
    return world.until(lambda w: w.status.get("phase") == "Recording")


def deleting() -> World:
    world = up()
    world.delete()
    world.reconcile()
    return world


def completed() -> World:
    world = up(soakSeconds=1, maxDurationSeconds=60)
    return world.until(lambda w: w.status["phase"] == "Completed", seconds=30.0)


STATES: dict[str, tuple[Callable[[], World], str, str | None, str]] = {
    "soaking": (up, "Soaking", "soak 0s/24h", "kubectl -n hal9 wait shd/hal9"),
    "blocked": (blocked, "Pending", "isolation", "BestEffort"),
    "recording": (recording, "Recording", "baseline", "kubectl get pods"),
    "suspended": (lambda: after(suspend=True), "Paused", "paused", '"suspend":false'),
    "refused": (lambda: after(learning="ShadowOnly"), "Pending", "accepted", "kubectl edit"),
    "phase None": (lambda: after(6, phase="None"), "Idle", None, '"phase":"Shadow"'),
    "completed": (completed, "Completed", "", "kubectl"),
    "deleting": (deleting, "Terminating", None, ""),
}


@pytest.mark.parametrize(("build", "phase", "blocked_by", "step"), STATES.values(), ids=STATES)
def test_every_state_has_its_phase_its_column_and_its_next_step(
    build: Callable[[], World], phase: str, blocked_by: str | None, step: str
) -> None:
    status = build().status
    assert status["phase"] == phase
    assert step in status.get("nextStep", "")
    if blocked_by != "":
        assert status["summary"].get("blockedBy") == blocked_by
    assert status["message"].endswith(".")
    assert problems("status", status) == []


@pytest.mark.parametrize("build", [state[0] for state in STATES.values()], ids=list(STATES))
def test_columns_fit_a_terminal(build: Callable[[], World]) -> None:
    summary = build().status["summary"]
    for column, width in COLUMNS.items():
        assert len(summary.get(column) or "") <= width, column


def test_the_stop_says_who_and_how_to_go_on() -> None:
    world = up()
    world.annotations["hal9.ai/stop"] = "an outage"
    world.reconcile()
    assert world.status["message"] == "Copying is paused. Stopped by a person: an outage"
    assert (
        world.status["nextStep"] == "kubectl annotate shadowdeployment hal9 -n hal9 hal9.ai/stop-"
    )


def test_phase_none_says_the_last_verdict() -> None:
    message = after(6, phase="None").status["message"]
    assert message.startswith("Nothing is shadowed. The last verdict was ExtendShadow: ")


def test_nobody_at_the_entry_is_said_with_the_service_to_use() -> None:
    world = World(traffic=0)
    world.until(lambda w: w.status.get("summary", {}).get("blockedBy") == "traffic")
    assert "Service hal9-mirror instead of hal9-service" in world.status["message"]
    assert world.status["nextStep"] == "kubectl get service hal9-mirror -n hal9"


def test_health_lists_workloads_and_layers() -> None:
    world = up(layers=["Substrate", "Protocol"])
    world.break_down(Role.SHADOW)
    readings = (LayerReading("Substrate", True, "well"), LayerReading("Protocol", None, "silent"))
    world.layers = readings
    world.reconcile()
    health = world.status["health"]
    assert {w["name"]: w["state"] for w in health["workloads"]}["hal9-shadow"] == "Unhealthy"
    assert {layer["name"]: layer["state"] for layer in health["layers"]} == {
        "Substrate": "Healthy",
        "Protocol": "Unknown",
    }


def test_effective_and_requested_percentage_are_both_shown() -> None:
    world = up()
    world.edit(samplingPercent=0)
    world.reconcile()
    assert world.status["summary"]["mirror"] == "100%/0%"
    world.reconcile()
    assert world.status["summary"]["mirror"] == "0%/0%"


def test_a_very_long_reason_is_cut() -> None:
    world = up()
    world.annotations["hal9.ai/stop"] = "x" * 5000
    world.reconcile()
    assert problems("status", world.status) == []
    assert len(str(world.status)) < 16_384
