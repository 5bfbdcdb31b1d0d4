"""What restarts, stops and ends the soak, and what does not touch it."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Final

import pytest

from shadow_operator.api.names import Role
from shadow_operator.core.snapshot import LayerReading
from tests.support.world import World, mirroring
from tests.unit.test_a_day import DAY, HOUR, INTERVAL, Slow
from tests.unit.test_plan_guard import Guarded

Act = Callable[[Slow], Any]
IGNORE: Final = {"ignore": [{"path": "$.cacheAge", "reason": "differs by design"}]}
LAYER: Final = "Substrate"


def of(world: Slow, role: Role) -> str:
    """Give the name of one pod of a role."""
    return min(name for name, pod in world.pods.items() if pod.role == role)


def fall(world: Slow, reason: str, times: int = 1) -> None:
    """Let a container of the shadow end, so many times."""
    name = of(world, Role.SHADOW)
    pod = world.pods[name]
    world.pods[name] = replace(pod, restarts=pod.restarts + times, last_termination=reason)


def loop(world: Slow) -> None:
    fall(world, "Error", times=3)
    name = of(world, Role.SHADOW)
    world.pods[name] = replace(world.pods[name], waiting="CrashLoopBackOff", ready=False)


def drain(world: Slow) -> None:
    for role in (Role.SHADOW, Role.REFERENCE):
        world.break_down(role)


def hide_envoys(world: Slow) -> None:
    for envoy in world.envoys.values():
        envoy.readable = False


def begun(**spec: Any) -> Slow:
    """Give a world whose soak runs for half an hour."""
    world = Slow()
    world.layers = (LayerReading(LAYER, healthy=True, message="ok"),)
    world.edit(**({"soakSeconds": DAY, "layers": [LAYER], "preset": "HAL9"} | spec))
    world.until(mirroring)
    world.go_on(HOUR / 2)
    assert world.elapsed >= HOUR / 2 - 2 * INTERVAL
    return world


@cache
def _running() -> Slow:
    return begun()


def running() -> Slow:
    """Give one that nobody has touched yet."""
    return copy.deepcopy(_running())


NEW_EPOCH: Final[dict[str, Act]] = {
    "a new image of the shadow": lambda w: w.edit(shadow={"image": "example.com/hal9:newer"}),
    "a new image of production": lambda w: w.roll_out("newer"),
    "the shadow's tag moves": lambda w: w.move_image(Role.SHADOW, "hal9@sha256:moved"),
    "production's tag moves": lambda w: w.move_image(Role.REFERENCE, "hal9@sha256:moved"),
    "learning is switched": lambda w: w.edit(learning="ShadowOnly"),
    "other layers are asked for": lambda w: w.edit(layers=["Cognitive"]),
    "restartedAt is set": lambda w: w.edit(restartedAt="2026-05-04"),
}
"""Evidence and clock begin at zero."""

RESTARTS: Final[dict[str, tuple[Act, str]]] = {
    "the shadow crashes": (lambda w: fall(w, "Error"), "restarted (Error)"),
    "it crashes again and again": (loop, "gate resources failed"),
    "it is killed for want of memory": (lambda w: fall(w, "OOMKilled"), "OOMKilled"),
    "a gate fails": (
        lambda w: setattr(w, "layers", (LayerReading(LAYER, healthy=False, message="down"),)),
        "gate layers failed",
    ),
    "a gate fails that a rule could turn": (
        lambda w: setattr(w, "differing", 500),
        "gate match-rate failed",
    ),
}
"""The clock begins at zero, with a reason; evidence is kept."""

STOPS: Final[dict[str, tuple[Act, str]]] = {
    "a person suspends it": (lambda w: w.edit(suspend=True), "Suspended"),
    "a person stops it": (lambda w: w.annotations.update({"hal9.ai/stop": "3 a.m."}), "Stopped"),
    "its namespace is stopped": (
        lambda w: w.namespace_annotations.update({"hal9.ai/stop": "3 a.m."}),
        "Stopped",
    ),
    "nothing shall be copied": (lambda w: w.edit(samplingPercent=0), "ZeroPercent"),
    "coverage is lost": (lambda w: setattr(w, "loses_copies", True), "CoverageLost"),
    "no copy comes": (lambda w: setattr(w, "traffic", 0), "NoCopies"),
    "nodes are drained": (drain, "Deploying"),
    "comparators are out of reach": (
        lambda w: setattr(w, "hides_comparators", True),
        "ComparatorsUnreadable",
    ),
    "no Envoy can be read": (hide_envoys, "CoverageUnknown"),
    "nothing is asked for any more": (lambda w: w.edit(phase="None"), "NotMirroring"),
}
"""The clock stands and keeps what it has."""

GOES_ON: Final[dict[str, Act]] = {
    "a rule is edited": lambda w: w.edit(comparison=IGNORE),
    "a gate is edited": lambda w: w.edit(gates={"coverage": {"minPercent": 90}}),
    "the percentage changes": lambda w: w.edit(samplingPercent=50),
    "a longer soak is asked for": lambda w: w.edit(soakSeconds=2 * DAY),
    "nothing happens": lambda _: None,
}
"""The clock runs on."""


def of_now(world: Slow) -> list[str]:
    """Give the comparators that run."""
    return [
        n for n, pod in world.pods.items() if pod.role == Role.COMPARATOR and n in world.answered
    ]


def counted(world: World) -> int:
    pairs: int = world.status.get("comparison", {}).get("compared", 0)
    return pairs


@pytest.mark.parametrize("act", NEW_EPOCH.values(), ids=NEW_EPOCH)
def test_it_begins_anew_with_a_new_epoch_when(act: Act) -> None:
    world = running()
    epoch, since = world.progress.epoch, world.now
    act(world)
    world.until(lambda w: w.progress.epoch != epoch)
    world.until(lambda w: mirroring(w) and counted(w) > 0)
    assert world.elapsed <= world.now - since
    assert counted(world) <= sum(world.answered[name] for name in of_now(world))
    ledger, _ = world.situation.evidence
    assert ledger is not None
    assert (ledger.epoch, ledger.begun >= since) == (world.progress.epoch, True)


@pytest.mark.parametrize(("act", "reason"), RESTARTS.values(), ids=RESTARTS)
def test_the_clock_begins_at_zero_when(act: Act, reason: str) -> None:
    world = running()
    epoch, pairs, since = world.progress.epoch, counted(world), world.now
    act(world)
    world.go_on(5 * INTERVAL)
    assert world.elapsed <= world.now - since
    assert reason in world.soak["lastRestartReason"]
    assert world.progress.epoch == epoch
    assert counted(world) >= pairs


def test_a_rule_that_excuses_what_failed_gives_the_time_back() -> None:
    world = running()
    before, since = world.elapsed, world.now
    world.differing = 500
    world.go_on(5 * INTERVAL)
    assert (world.elapsed, world.soak["reason"]) == (0, "GateFailed")
    world.edit(comparison={"ignore": [{"path": "$.state", "reason": "renamed"}]})
    world.go_on(5 * INTERVAL)
    assert world.elapsed >= before + (world.now - since) - 2 * INTERVAL
    assert world.soak["state"] == "Running"
    assert "lastRestart" not in world.soak


@pytest.mark.parametrize(("act", "reason"), STOPS.values(), ids=STOPS)
def test_the_clock_stands_and_keeps_what_it_has_when(act: Act, reason: str) -> None:
    world = running()
    before, pairs = world.elapsed, counted(world)
    act(world)
    world.go_on(HOUR / 4)
    assert before <= world.elapsed <= before + 300 + INTERVAL
    assert (world.soak["state"], world.soak["reason"]) == ("Stopped", reason)
    assert "lastRestart" not in world.soak
    assert counted(world) >= pairs


@pytest.mark.parametrize("act", GOES_ON.values(), ids=GOES_ON)
def test_the_clock_runs_on_when(act: Act) -> None:
    world = running()
    before, since = world.elapsed, world.now
    act(world)
    world.go_on(HOUR / 4)
    assert world.elapsed - before >= world.now - since - INTERVAL
    assert world.soak["state"] == "Running"


def test_the_clock_stands_while_the_guard_holds_copies_off() -> None:
    run = Guarded()
    run.go(300)
    run.slow = True
    run.go(120)
    assert run.world.status["soak"]["reason"] == "ProductionSuspected"
    run.go(240)
    soak = run.world.status["soak"]
    assert (soak["state"], soak["reason"]) == ("Stopped", "ProductionHarmed")
    assert soak["elapsedSeconds"] >= 300


@pytest.mark.parametrize(
    ("spec", "state", "phase"),
    [
        ({"soakSeconds": 3600}, "Complete", "Completed"),
        (
            {
                "soakSeconds": 3600,
                "maxDurationSeconds": 3600,
                "gates": {"minimumPairs": {"total": 10_000_000}},
            },
            "Complete",
            "Completed",
        ),
    ],
    ids=["it is complete", "its longest duration is over"],
)
def test_it_ends_when(spec: dict[str, Any], state: str, phase: str) -> None:
    world = begun(**spec)
    world.traffic = 1000
    world.go_on(HOUR)
    assert (world.soak["state"], world.status["phase"]) == (state, phase)
    assert not world.progress.mirroring


@pytest.mark.parametrize(
    ("after", "state"), [("StopMirror", "Complete"), ("Keep", "Running")], ids=["over", "goes on"]
)
def test_after_its_end_only_a_mirror_that_goes_on_lets_a_crash_begin_it_anew(
    after: str, state: str
) -> None:
    world = begun(soakSeconds=2400, afterVerdict=after)
    world.traffic = 1000
    world.go_on(HOUR / 4)
    assert world.soak["state"] == "Complete"
    since = world.now
    fall(world, "Error")
    world.go_on(5 * INTERVAL)
    assert world.soak["state"] == state
    assert (world.elapsed <= world.now - since) is (state == "Running")
