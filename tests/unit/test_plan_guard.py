"""What the operator does when its guard suspects the mirror: copies, entry, status, events."""

from typing import Any

from shadow_operator.api.names import Role
from shadow_operator.core import names
from shadow_operator.core.numbers.envoy_bins import bin_of
from shadow_operator.core.recording.guard import GuardState
from tests.support.world import ENTRY, NAME, World, mirroring

INTERVAL = 30.0


class Guarded:
    """A world whose production answers in 40 ms, or slower."""

    def __init__(self, *, by_the_mirror: bool = True, **spec: Any) -> None:
        self.world = World()
        self.world.traffic = 6000
        self.world.edit(guard={"baselineSeconds": 300}, **spec)
        self.by_the_mirror = by_the_mirror
        self.slow, self.slow_ms = False, 60.0
        self.world.until(lambda w: w.status.get("phase") == "Recording")
        self.go(300)

    def go(self, seconds: float) -> dict[str, Any]:
        """Let time pass, a reconcile in each interval and two more that settle."""
        for _ in range(round(seconds / INTERVAL)):
            for pause in (INTERVAL - 4, 2.0, 2.0):
                self._serve(pause)
        return self.world.status

    def _serve(self, seconds: float) -> None:
        world = self.world
        before = {name: envoy.requests for name, envoy in world.envoys.items()}
        percent = {name: envoy.percent for name, envoy in world.envoys.items()}
        world.traffic = int(200 * seconds)
        world.reconcile(seconds)
        world.settle()
        for name, envoy in world.envoys.items():
            copied = percent.get(name, 0) > 0 and envoy.percent > 0
            slow = self.slow and (copied or not self.by_the_mirror)
            number = bin_of(self.slow_ms if slow else 40)
            new = envoy.requests - before.get(name, 0)
            envoy.latency[number] = envoy.latency.get(number, 0) + new

    @property
    def condition(self) -> dict[str, Any]:
        """Give `ProductionUnaffected`."""
        (found,) = (
            c for c in self.world.status["conditions"] if c["type"] == "ProductionUnaffected"
        )
        return dict(found)

    @property
    def gate(self) -> dict[str, Any]:
        """Give the gate."""
        (found,) = (g for g in self.world.status["gates"] if g["name"] == "production-impact")
        return dict(found)

    @property
    def state(self) -> GuardState:
        """Give the state of the guard as it is stored."""
        return self.world.situation.guard.state

    @property
    def reasons(self) -> list[str]:
        """Give the reasons of all events so far."""
        return [event.reason for plan in self.world.plans for event in plan.events]


def leads_to_envoy(world: World) -> bool:
    return bool(world.objects[ENTRY]["spec"]["selector"] == names.selector(NAME, Role.MIRROR))


def test_while_all_is_well_the_condition_and_the_gate_have_the_numbers() -> None:
    run = Guarded()
    status = run.go(300)
    assert mirroring(run.world)
    assert (run.condition["status"], run.condition["reason"]) == ("True", "Unaffected")
    assert "p50 41.0 ms (41.0 ms before)" in run.condition["message"]
    assert run.gate["result"] == "Passed"
    assert status["latency"]["production"] == {"p50": "41.0", "p99": "42.0"}


def test_what_was_shown_of_production_stays_shown_after_the_verdict() -> None:
    run = Guarded(soakSeconds=300)
    run.go(900)
    assert run.world.status["phase"] == "Completed"
    run.go(900)
    assert (run.condition["status"], run.condition["reason"]) == ("True", "Unaffected")


def test_a_suspicion_ends_copies_and_leaves_envoy_where_production_is_seen() -> None:
    run = Guarded()
    run.slow = True
    status = run.go(120)
    assert run.state is GuardState.SUSPECTED
    assert not any(envoy.percent for envoy in run.world.envoys.values())
    assert leads_to_envoy(run.world)
    assert (run.condition["status"], run.condition["reason"]) == ("Unknown", "ProductionSuspected")
    assert run.gate["result"] == "Inconclusive"
    assert status["soak"]["reason"] == "ProductionSuspected"
    assert status["mirror"]["effectivePercent"] == 0
    assert "p50 rose from 41.0 ms" in status["mirror"]["lastOffReason"]
    assert "ProductionSuspected" in run.reasons


def test_where_it_recovers_a_person_is_asked_and_clients_go_straight_to_production() -> None:
    run = Guarded()
    run.slow = True
    status = run.go(360)
    assert run.state is GuardState.PAUSED
    assert not leads_to_envoy(run.world)
    assert (status["phase"], status["summary"]["blockedBy"]) == ("Paused", "paused")
    assert "pausedTime" in status
    assert "restartedAt" in status["nextStep"]
    assert (run.condition["status"], run.condition["reason"]) == ("False", "ProductionHarmed")
    assert run.gate["result"] == "Failed"
    assert status["verdict"]["decision"] == "Investigate"
    assert status["verdict"]["reason"] == "ProductionHarmed"
    assert "p50 rose from 41.0 ms" in status["verdict"]["message"]
    (ready,) = (c for c in status["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ProductionHarmed")
    assert status["soak"]["reason"] == "ProductionHarmed"
    assert status["soak"].get("lastRestart") is None, "the pause only stops it"
    assert run.reasons.count("ProductionHarmed") == 1


def test_only_another_restarted_at_begins_anew_with_a_recording() -> None:
    run = Guarded()
    run.slow = True
    run.go(360)
    run.world.edit(samplingPercent=50)
    assert run.go(60)["phase"] == "Paused"
    run.slow = False
    run.world.edit(restartedAt="now")
    run.go(60)
    assert run.state is GuardState.WATCHING
    assert run.world.status["phase"] == "Recording"
    run.go(600)
    assert mirroring(run.world)
    assert run.gate["result"] == "Passed"


def test_where_it_does_not_recover_copies_resume_by_themselves() -> None:
    run = Guarded(by_the_mirror=False)
    run.go(300)
    run.slow = True
    for _ in range(12):
        if run.state is not GuardState.DEGRADED:
            run.go(INTERVAL)
    assert (run.condition["status"], run.condition["reason"]) == ("Unknown", "DegradedRegardless")
    assert leads_to_envoy(run.world)
    run.go(300)
    assert mirroring(run.world)
    assert run.condition["status"] == "True"
    assert run.reasons.count("MirroringResumed") == 1
    assert run.world.status["phase"] == "Soaking"


def test_a_soak_goes_on_after_what_something_else_did_and_stops_for_what_the_mirror_did() -> None:
    run = Guarded(by_the_mirror=False, soakSeconds=7200)
    run.go(300)
    run.slow = True
    for _ in range(10):
        run.slow_ms *= 1.1  # it gets worse and worse
        run.go(INTERVAL)
    soak = run.world.status["soak"]
    assert (run.state, soak["reason"]) == (GuardState.DEGRADED, "ProductionDegraded")
    before = soak["elapsedSeconds"]
    run.go(300)
    after = run.world.status["soak"]
    assert (run.state, after["state"]) == (GuardState.WATCHING, "Running")
    assert before < after["elapsedSeconds"] <= before + 300
    run.by_the_mirror, run.slow = True, False
    run.go(300)
    run.slow, run.slow_ms = True, 2 * run.slow_ms  # what was there an hour ago is no news
    run.go(300)
    last = run.world.status["soak"]
    assert (run.state, last["reason"]) == (GuardState.PAUSED, "ProductionHarmed")
    assert last["elapsedSeconds"] >= after["elapsedSeconds"] + 300
    assert "lastRestart" not in last
    epoch, run.slow = run.world.progress.epoch, False
    run.world.edit(restartedAt="mended")
    run.go(480)
    fresh = run.world.status["soak"]
    assert run.world.progress.epoch != epoch
    assert (fresh["state"], fresh["elapsedSeconds"] <= 180) == ("Running", True)


def test_copies_stay_off_while_production_is_suspected_whatever_can_not_be_read() -> None:
    run = Guarded()
    run.slow = True
    run.go(90)
    run.world.until(lambda _: run.state is GuardState.SUSPECTED, seconds=INTERVAL / 2)
    for envoy in run.world.envoys.values():
        envoy.percent = 100  # as if it had not been told yet
    run.world.unknown = {"selecting"}
    run.world.reconcile()
    assert not any(envoy.percent for envoy in run.world.envoys.values())


def test_with_a_mirror_that_is_not_ours_nothing_is_seen_and_nothing_blocks() -> None:
    world = World()
    world.edit(mirror={"provider": "External"})
    world.until(lambda w: w.status.get("gates"))
    (gate,) = (g for g in world.status["gates"] if g["name"] == "production-impact")
    assert gate["result"] == "NotApplicable"
    (seen,) = (c for c in world.status["conditions"] if c["type"] == "ProductionUnaffected")
    assert (seen["status"], seen["reason"]) == ("Unknown", "NotMeasured")
    assert seen["message"] == gate["message"]
