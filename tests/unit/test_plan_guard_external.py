"""The guard where a mirror of the user's own copies, and production's metrics tell how it runs."""

from math import inf
from typing import Any

import pytest

from shadow_operator.api.names import Role
from shadow_operator.core.deploying.children import lets_copies_in
from shadow_operator.core.recording.guard import GuardState
from shadow_operator.core.recording.ledger import Ledger
from shadow_operator.core.snapshot import Found, RequestsReading, Unknown
from tests.support.world import COPIES_SERVICE, World

INTERVAL = 30.0
PODS = ("p-0", "p-1", "p-2")


class External:
    """A world with provider External whose production answers in 40 ms, or slower."""

    def __init__(self, **spec: Any) -> None:
        self.world = World()
        self.world.edit(
            mirror={"provider": "External"},
            preset="HAL9",
            guard={"baselineSeconds": 300},
            soakSeconds=3600,
            **spec,
        )
        self.slow = False
        self.counted = dict.fromkeys(PODS, (0, 0))
        """Pod -> requests, and how many of them took at most 50 ms."""
        self._tell()
        self.world.until(lambda w: w.status.get("phase") == "Recording")

    def go(self, seconds: float, *, failing: str = "") -> dict[str, Any]:
        """Let time pass, a reconcile in each interval and one more that settles."""
        for _ in range(round(seconds / INTERVAL)):
            for pause in (INTERVAL - 2, 2.0):
                self.world.reconcile(pause)
                self.world.settle()
                slow = self.slow and self.receives
                new = int(30 * pause)
                for pod, (requests, quick) in self.counted.items():
                    part = new // 4 if slow else 3 * new // 4
                    self.counted[pod] = (requests + new, quick + part)
                self._tell(failing)
                self._copy(new)
        return self.world.status

    def _copy(self, copies: int) -> None:
        for pod in self.world.pods.values():
            if pod.role == Role.COMPARATOR and self.receives:
                before = self.world.answered.get(pod.name, 0)
                self.world.answered[pod.name] = before + copies

    def _tell(self, failing: str = "") -> None:
        self.world.requests = {
            pod: Unknown(failing)
            if failing
            else Found(RequestsReading(pod, n, 0, {0.025: 0, 0.05: quick, 0.1: n, inf: n}))
            for pod, (n, quick) in self.counted.items()
        }

    @property
    def receives(self) -> bool:
        """Whether the Service that the mirror sends to leads to the comparators."""
        return lets_copies_in(self.world.objects[COPIES_SERVICE])

    @property
    def gate(self) -> dict[str, Any]:
        """Give the gate."""
        (found,) = (g for g in self.world.status["gates"] if g["name"] == "production-impact")
        return dict(found)

    @property
    def condition(self) -> tuple[str, str]:
        """Give status and reason of `ProductionUnaffected`."""
        conditions = self.world.status["conditions"]
        (found,) = (c for c in conditions if c["type"] == "ProductionUnaffected")
        return found["status"], found["reason"]

    @property
    def ledger(self) -> Ledger:
        """Give the evidence as it is stored."""
        stored, _ = self.world.situation.evidence
        assert stored is not None
        return stored

    @property
    def state(self) -> GuardState:
        """Give the state of the guard as it is stored."""
        return self.world.situation.guard.state


def test_production_is_recorded_before_the_first_copy() -> None:
    run = External()
    assert "are recorded for 300 s" in run.world.status["message"]
    status = run.go(270)
    assert (status["phase"], run.world.progress.mirroring) == ("Recording", False)
    run.go(90)
    assert run.world.progress.mirroring


def test_while_all_is_well_the_gate_passes_and_says_who_counted() -> None:
    run = External()
    status = run.go(900)
    assert run.gate["result"] == "Passed"
    assert run.gate["source"] == "metrics"
    assert run.condition == ("True", "Unaffected")
    assert float(status["latency"]["production"]["p50"]) == pytest.approx(41.7, abs=0.5)


def test_what_the_mirror_harms_ends_the_copies_and_asks_a_person() -> None:
    run = External()
    run.go(420)
    run.slow = True
    run.go(120)
    assert run.state is GuardState.SUSPECTED
    assert not run.receives
    assert run.condition == ("Unknown", "ProductionSuspected")
    run.go(300)
    assert run.gate["result"] == "Failed"
    assert run.world.status["verdict"]["decision"] == "Investigate"


def test_a_source_that_fails_is_an_error_and_never_passes() -> None:
    run = External()
    run.go(900)
    run.go(60, failing="/metrics answered 503")
    assert run.gate["result"] == "Error"
    assert "/metrics answered 503" in run.gate["message"]
    assert run.condition == ("Unknown", "NotMeasured")
    run.go(60)
    assert run.gate["result"] == "Passed"


def test_without_any_number_the_gate_is_open() -> None:
    run = External()
    run.counted = {}
    run.go(900)
    assert (run.gate["result"], run.gate["samples"]) == ("Inconclusive", 0)


def test_metrics_are_read_once_in_an_interval_while_no_envoy_counts() -> None:
    run = External()
    run.go(420)
    wanted = []
    for _ in range(15):
        wanted.append(run.world.situation.meters_production)
        run.world.reconcile(4.0)
    assert 1 <= sum(wanted) <= 3
    run.world.edit(mirror={"provider": "Envoy"})
    run.world.now += 60
    assert not run.world.situation.meters_production


def test_the_load_of_a_clone_is_held_against_that_of_a_production_pod() -> None:
    run = External()
    run.go(900)
    load = run.ledger.load
    comparators = sum(pod.role == Role.COMPARATOR for pod in run.world.pods.values())
    # Each comparator sends what one pod of production gets to two clones.
    assert load.shadow / load.production == pytest.approx(comparators / 2, abs=0.1)


def test_what_envoy_counts_is_never_compared_with_what_metrics_say() -> None:
    run = External()
    run.go(900)
    assert run.ledger.seen_by == "metrics"
    run.world.edit(mirror={"provider": "Envoy"})
    run.go(600)
    ledger = run.ledger
    assert ledger.seen_by == "envoy"
    assert ledger.production
    assert all(course.p50 < 25 for course in ledger.production), "none of 41 ms is left"
    assert ledger.guard.state is GuardState.WATCHING
