"""Status fits its schema and its columns in every state, and names the next step."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from shadow_operator.api.names import Role
from shadow_operator.core.snapshot import LayerReading
from tests.support.schema import problems
from tests.support.world import World, deployment_ref, up


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
    world.until(lambda w: w.status.get("phase") == "Recording")
    world.reconcile()
    return world


def deleting() -> World:
    world = up()
    world.delete()
    world.reconcile()
    return world


def completed() -> World:
    world = up(soakSeconds=1, maxDurationSeconds=60)
    return world.until(lambda w: w.status["phase"] == "Completed", seconds=30.0)


STATES: dict[str, tuple[Callable[[], World], str, str | None, str]] = {
    "soaking": (up, "Soaking", "soak", "kubectl -n hal9 wait shd/hal9"),
    "blocked": (blocked, "Pending", "isolation", "BestEffort"),
    "recording": (recording, "Recording", "baseline", "--for=condition=MirroringActive"),
    "suspended": (lambda: after(suspend=True), "Paused", "paused", '"suspend":false'),
    "refused": (lambda: after(learning="ShadowOnly"), "Pending", "accepted", "edit shd hal9"),
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
def test_no_column_is_wider_than_a_terminal_has_room_for(build: Callable[[], World]) -> None:
    summary = build().status["summary"]  # what they sum up to is in test_columns
    for column, letters in {"match": 11, "soak": 9, "mirror": 9, "blockedBy": 11}.items():
        assert len(summary.get(column) or "") <= letters, column


def test_the_stop_says_who_and_why() -> None:
    world = up()
    world.annotations["hal9.ai/stop"] = "an outage"
    world.reconcile()
    assert world.status["message"] == "Copying is paused. Stopped by a person: an outage"


def test_phase_none_says_the_last_verdict() -> None:
    message = after(6, phase="None").status["message"]
    assert message.startswith("Nothing is shadowed. The last verdict was ExtendShadow: ")


def test_nobody_at_the_entry_is_said_with_the_service_to_use() -> None:
    world = World(traffic=0)
    world.until(lambda w: w.status.get("summary", {}).get("blockedBy") == "traffic")
    assert "Service hal9-mirror instead of hal9-service" in world.status["message"]


def test_health_lists_workloads_and_every_layer() -> None:
    world = up(layers=["Substrate", "Protocol", "Cognitive"])
    world.break_down(Role.SHADOW)
    world.layers = (LayerReading("Substrate", True, "well"), LayerReading("Protocol", None, "?"))
    world.reconcile()
    health = world.status["health"]
    assert {w["name"]: w["state"] for w in health["workloads"]}["hal9-shadow"] == "Unhealthy"
    assert {layer["name"]: layer["state"] for layer in health["layers"]} == {
        "Substrate": "Healthy",
        "Protocol": "Unknown",
        "Cognitive": "Unknown",
        "Orchestration": "Disabled",
        "Intelligence": "Disabled",
    }
    asked = {layer["name"] for layer in health["layers"] if "lastProbeTime" in layer}
    assert asked == {"Substrate", "Protocol"}
    assert problems("status", world.status) == []


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({}, []),
        ({"preset": "HAL9"}, 5 * ["Disabled"]),
        ({"preset": "None", "layers": ["One"], "layerPathTemplate": "/{layer}"}, ["Unknown"]),
    ],
    ids=["no layers", "all switched off", "layers of another service"],
)
def test_only_the_layers_of_a_preset_can_be_switched_off(
    spec: dict[str, Any], names: list[str]
) -> None:
    layers = up(**spec).status["health"]["layers"]
    assert [layer["state"] for layer in layers] == names


def test_the_time_of_a_probe_moves_once_in_an_interval_or_with_what_it_found() -> None:
    world = up(layers=["Substrate"])
    world.layers = (LayerReading("Substrate", True, "well"),)
    times = []
    for seconds in (2.0, 2.0, 30.0, 2.0):
        world.reconcile(seconds)
        times.append(world.status["health"]["layers"][0]["lastProbeTime"])
    world.layers = (LayerReading("Substrate", False, "ill"),)
    world.reconcile()
    times.append(world.status["health"]["layers"][0]["lastProbeTime"])
    assert [later > before for before, later in pairwise(times)] == [False, False, True, True]


# Percentage in force


def in_force(world: World) -> tuple[int | None, str]:
    return world.status["mirror"].get("effectivePercent"), world.status["summary"]["mirror"]


def freeze(world: World, *names: str) -> None:
    for name in names or tuple(world.envoys):
        world.envoys[name].readable = False


def test_what_every_envoy_took_is_in_force() -> None:
    world = up()
    for percent in (0, 40, 100):
        world.edit(samplingPercent=percent)
        world.reconcile()
        assert in_force(world) == (percent, f"{percent}%/{percent}%")


def test_what_a_frozen_envoy_does_is_not_known_until_it_says_so() -> None:
    world = up()
    world.edit(suspend=True)
    freeze(world)
    for _ in range(3):
        world.reconcile()
        assert in_force(world) == (None, "?/100%")
    for envoy in world.envoys.values():
        envoy.readable = True
    world.reconcile()
    assert in_force(world) == (0, "0%/100%")


def test_one_frozen_envoy_of_two_leaves_in_doubt_only_whether_all_is_off() -> None:
    world = up()
    freeze(world, min(world.envoys))
    world.reconcile()
    assert in_force(world) == (100, "100%/100%")
    world.edit(suspend=True)
    world.reconcile()
    assert in_force(world) == (None, "?/100%")


def test_an_envoy_that_was_off_and_is_silent_is_off() -> None:
    world = up()
    world.edit(suspend=True)
    world.reconcile()
    freeze(world)
    world.reconcile()
    assert in_force(world) == (0, "0%/100%")


def test_before_the_first_copy_nothing_is_in_force_whoever_answers() -> None:
    world = World().until(lambda w: w.envoys)
    freeze(world)
    world.reconcile()
    assert in_force(world) == (0, "0%/100%")


def test_on_the_way_down_0_is_said_before_the_first_clone_goes() -> None:
    world = up()
    world.delete()
    assert world.reconcile().delete == ()
    assert world.status["mirror"]["effectivePercent"] == 0


def test_on_the_way_down_envoys_that_may_still_copy_are_shown() -> None:
    world = up()
    freeze(world)
    world.delete()
    world.reconcile()
    assert in_force(world) == (None, "?/100%")


def test_what_is_let_in_of_another_mirror_is_in_force() -> None:
    world = World()
    world.edit(mirror={"provider": "External"}, samplingPercent=30)
    world.until(lambda w: w.progress.mirroring)
    assert in_force(world) == (30, "30%/30%")


# Lists


def with_much_to_leave_out() -> World:
    world = World()
    assert world.production is not None
    pod = world.production["spec"]["template"]["spec"]
    pod["serviceAccountName"] = "hal9-production"
    pod["containers"][0]["volumeMounts"] = [
        {"name": f"data-{number}", "mountPath": f"/data/{number}"} for number in range(5)
    ]
    pod["volumes"] = [
        {"name": f"data-{number}", "persistentVolumeClaim": {"claimName": f"claim-{number}"}}
        for number in range(5)
    ]
    return world.until(lambda w: deployment_ref(Role.SHADOW) in w.objects)


def test_all_that_clones_leave_out_is_listed_and_the_condition_says_how_much_and_where() -> None:
    world = with_much_to_leave_out()
    [accepted] = [c for c in world.status["conditions"] if c["type"] == "Accepted"]
    assert accepted["message"] == (
        "The clones are like production's pods, except in 6 points, which status.preflight lists."
    )
    checks = world.status["preflight"]
    assert {check["result"] for check in checks} == {"Passed"}
    assert [check["name"] for check in checks][:2] == ["clones", "clones-2"]
    listed = " ".join(check["message"] for check in checks)
    assert all(f"data-{number}" in listed for number in range(5))
    assert "hal9-production" in listed
    assert "…" not in listed


def test_a_short_list_stands_in_the_condition() -> None:
    world = World()
    assert world.production is not None
    world.production["spec"]["template"]["spec"]["hostNetwork"] = True
    world.until(lambda w: deployment_ref(Role.SHADOW) in w.objects)
    [accepted] = [c for c in world.status["conditions"] if c["type"] == "Accepted"]
    assert accepted["message"].endswith("except: hostNetwork: true is left out.")
    assert world.status["preflight"] == [
        {"name": "clones", "result": "Passed", "message": "hostNetwork: true is left out"}
    ]


IN_THE_WAY = ("budget-of-everything", "everything", "everything-else")


def refused_for_much() -> World:
    """Give a world in which three Services would take the clones for production."""
    world = World()
    assert world.production is not None
    labels = world.production["spec"]["template"]["metadata"]["labels"]
    labels["app.kubernetes.io/managed-by"] = "shadow-operator"
    world.selecting = tuple(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": "hal9"},
            "spec": {"selector": {"app.kubernetes.io/managed-by": "shadow-operator"}},
        }
        for name in IN_THE_WAY
    )
    world.reconcile()
    world.reconcile()
    return world


def test_all_that_is_refused_is_listed_and_the_condition_says_how_much_and_where() -> None:
    world = refused_for_much()
    said = {c["type"]: c["message"] for c in world.status["conditions"]}
    for message in (said["Accepted"], said["Ready"], said["Stalled"]):
        assert message.startswith("3 things are in the way, all listed in status.preflight. ")
    listed = " ".join(check["message"] for check in world.status["preflight"])
    for name in IN_THE_WAY:
        assert f"Service {name} " in listed
    assert {check["result"] for check in world.status["preflight"]} == {"Failed"}
    assert "…" not in listed


def test_a_message_is_longer_than_a_condition_can_be() -> None:
    world = refused_for_much()
    assert len(world.status["message"]) > 288
    assert "Service everything selects production" in world.status["message"]


def test_a_spec_that_can_not_be_read_is_explained_problem_by_problem() -> None:
    world = after(samplingPercent="many", soakSeconds="long", mirror={"methods": ["BREW"] * 3})
    listed = " ".join(check["message"] for check in world.status["preflight"])
    assert all(field in listed for field in ("samplingPercent", "soakSeconds", "methods[2]"))


def test_without_a_copy_nothing_is_said_to_be_on_its_way() -> None:
    world = World()
    world.edit(samplingPercent=0)
    for _ in range(6):
        world.reconcile()
        world.settle()
    assert world.status["message"] == "Nothing is copied. spec.samplingPercent is 0."


def test_a_very_long_reason_is_cut() -> None:
    world = up()
    world.annotations["hal9.ai/stop"] = "x" * 5000
    world.reconcile()
    assert problems("status", world.status) == []
    assert len(str(world.status)) < 16_384
