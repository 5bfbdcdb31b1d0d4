"""A soak of 24 hours on an accelerated clock, through everything that may happen in a day."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from shadow_operator.api.names import Role
from shadow_operator.core.recording.soak import DEAD_MAN_SECONDS, SILENT_SECONDS
from shadow_operator.core.snapshot import Snapshot
from tests.support.clones import SETTINGS
from tests.support.world import UNREAD, World, mirroring

INTERVAL = 60.0
DAY = 86400
MINUTE, HOUR = 60.0, 3600.0


@dataclass
class Slow(World):
    """A world whose operator looks once in a minute."""

    loses_copies: bool = False
    """Three of four copies are lost on their way to the comparators."""
    hides_comparators: bool = False
    """The comparators compare, but can't be read."""

    def snapshot(self) -> Snapshot:
        """Read everything, as `gather` would."""
        read = super().snapshot()
        settings = replace(SETTINGS, interval_seconds=INTERVAL)
        hidden = dict.fromkeys(read.comparators, UNREAD) if self.hides_comparators else {}
        return replace(read, settings=settings, comparators={**read.comparators, **hidden})

    def _serve(self) -> None:
        before = dict(self.answered)
        super()._serve()
        if self.loses_copies:
            for pod, answered in self.answered.items():
                self.answered[pod] = answered - (answered - before.get(pod, 0)) * 3 // 4

    @property
    def soak(self) -> dict[str, Any]:
        """The clock as status shows it."""
        clock: dict[str, Any] = self.status.get("soak", {})
        return clock

    @property
    def elapsed(self) -> float:
        """Seconds that count."""
        return float(self.soak.get("elapsedSeconds", 0))

    def go_on(self, seconds: float) -> None:
        """Let so much time pass, with an operator that looks once in a minute."""
        for _ in range(round(seconds / INTERVAL)):
            self.reconcile(INTERVAL)


def _of(world: Slow, role: Role) -> list[str]:
    return [name for name, pod in world.pods.items() if pod.role == role]


def _edit(**spec: Any) -> Callable[[Slow], None]:
    return lambda world: world.edit(**spec)


def _annotate(world: Slow) -> None:
    world.annotations["hal9.ai/stop"] = "3 a.m."


def _unannotate(world: Slow) -> None:
    world.annotations.clear()


def _silence(world: Slow) -> None:
    world.traffic = 0


def _noise(world: Slow) -> None:
    world.traffic = 100


def _drain(world: Slow) -> None:
    world.break_down(Role.SHADOW)
    world.break_down(Role.REFERENCE)


def _come_back(world: Slow) -> None:
    for role in (Role.SHADOW, Role.REFERENCE):
        for name in _of(world, role):
            del world.pods[name]


def _restart_comparators(world: Slow) -> None:
    for name in _of(world, Role.COMPARATOR):
        pod = world.pods[name]
        world.pods[name] = replace(pod, uid=f"{pod.uid}+", container_id=f"{pod.container_id}+")
        world.answered.pop(name, None)


def _restart_envoys(world: Slow) -> None:
    for name in _of(world, Role.MIRROR):
        world.pods[name] = replace(world.pods[name], container_id=f"{world.now}")
        world.envoys[name].requests = world.envoys[name].percent = 0


def _lose(world: Slow) -> None:
    world.loses_copies = True


def _find(world: Slow) -> None:
    world.loses_copies = False


def _hide(world: Slow) -> None:
    world.hides_comparators = True


def _show(world: Slow) -> None:
    world.hides_comparators = False


def _nothing(_: Slow) -> None:
    pass


@dataclass(frozen=True)
class Incident:
    """Something that begins, lasts, and ends; the clock stands for `stands` seconds of it."""

    begin: Callable[[Slow], None]
    seconds: float
    end: Callable[[Slow], None] = _nothing
    stands: float = 0.0
    reason: str | None = None
    """What status says meanwhile; None: the clock runs."""
    away: bool = False
    """No operator runs meanwhile."""


IGNORE = {"ignore": [{"path": "$.x", "reason": "a rule more"}]}
INCIDENTS = {
    "the operator is restarted": Incident(_nothing, 4 * MINUTE, away=True),
    "the operator is away for long": Incident(
        _nothing, 20 * MINUTE, away=True, stands=20 * MINUTE - DEAD_MAN_SECONDS
    ),
    "the comparators are restarted": Incident(_restart_comparators, 5 * MINUTE),
    "the Envoys are restarted": Incident(_restart_envoys, 5 * MINUTE),
    "a rule is edited": Incident(_edit(comparison=IGNORE), 5 * MINUTE),
    "a gate is edited": Incident(_edit(gates={"coverage": {"minPercent": 90}}), 5 * MINUTE),
    "the nodes are drained": Incident(
        _drain, 10 * MINUTE, _come_back, 10 * MINUTE, "Deploying"
    ),
    "a person suspends it": Incident(
        _edit(suspend=True), HOUR, _edit(suspend=False), HOUR, "Suspended"
    ),
    "a person stops it": Incident(_annotate, HOUR, _unannotate, HOUR, "Stopped"),
    "nothing shall be copied": Incident(
        _edit(samplingPercent=0), HOUR, _edit(samplingPercent=100), HOUR, "ZeroPercent"
    ),
    "copies are lost": Incident(_lose, HOUR, _find, HOUR, "CoverageLost"),
    "the comparators are out of reach": Incident(
        _hide, HOUR, _show, HOUR - DEAD_MAN_SECONDS, "ComparatorsUnreadable"
    ),
    "production sleeps": Incident(
        _silence, HOUR, _noise, HOUR - SILENT_SECONDS, "NoCopies"
    ),
}  # fmt: skip


def begun() -> Slow:
    """Give a world in which the clock of a day has begun to run."""
    world = Slow()
    world.edit(soakSeconds=DAY)
    world.until(mirroring)
    world.go_on(10 * MINUTE)
    return world


def happen(world: Slow, incident: Incident) -> str | None:
    """Let it happen; give the reason that status gave at the end of it."""
    incident.begin(world)
    if incident.away:
        world.now += incident.seconds
        world._serve()
    else:
        world.go_on(incident.seconds)
    reason = world.soak.get("reason")
    incident.end(world)
    world.settle()
    return reason


def test_a_day_takes_a_day_and_what_it_stood_still_to_one_interval_an_incident() -> None:
    world = begun()
    start, before = world.now, world.elapsed
    stood = 0.0
    for what, incident in INCIDENTS.items():
        assert happen(world, incident) == incident.reason, what
        world.go_on(30 * MINUTE)
        stood += incident.stands
        counted = world.elapsed - before
        proved = world.now - start - stood
        assert counted <= proved + INTERVAL, what
        allowed = (1 + list(INCIDENTS).index(what)) * INTERVAL
        assert proved - counted <= allowed + INTERVAL, what
    world.go_on(DAY - world.elapsed - INTERVAL)
    assert world.soak["state"] == "Running"
    world.go_on(3 * INTERVAL)
    assert world.soak["state"] == "Complete"
    assert world.status["verdict"]["decision"] == "ProceedToCanary"


def _oom_kill(world: Slow) -> None:
    name = _of(world, Role.SHADOW)[0]
    world.pods[name] = replace(world.pods[name], restarts=1, last_termination="OOMKilled")


def test_an_oom_kill_takes_the_day_and_is_named() -> None:
    world = begun()
    world.go_on(HOUR)
    assert world.elapsed > HOUR
    _oom_kill(world)
    world.go_on(5 * MINUTE)
    assert world.elapsed <= 5 * MINUTE
    assert "OOMKilled" in world.soak["lastRestartReason"]
