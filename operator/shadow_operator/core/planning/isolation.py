"""Whether the cluster enforces NetworkPolicy: what the probe's report means."""

from dataclasses import dataclass
from typing import Final

from shadow_operator.api.enums import Egress
from shadow_operator.api.enums import Isolation as Demand
from shadow_operator.api.names import Role
from shadow_operator.core.planning.situation import Situation
from shadow_operator.core.snapshot import Found, Missing, Unknown

RETEST_SECONDS: Final = 600.0
"""How long `not enforced` stands before the probe runs again."""

RETRY_SECONDS: Final = 60.0
"""How long an answer stands that proves nothing: often production had only just begun."""


@dataclass(frozen=True, slots=True)
class IsolationState:
    """What is known about the clones' isolation."""

    enforced: bool | None
    """None: not tested yet, or the test could not tell."""
    tested: bool
    message: str
    wants_probe: bool
    """Whether the probe's pod should exist now."""
    tested_at: float | None = None
    open: bool = False
    """Egress is open by spec: there is nothing to enforce."""

    def allows(self, demand: Demand) -> bool:
        """Whether clones may start."""
        return self.open or demand is Demand.BEST_EFFORT or self.enforced is True


def isolation(situation: Situation) -> IsolationState:
    """Conclude from what is remembered, else from the probe's report, else ask for a probe."""
    if situation.spec.clones.egress is Egress.ALLOW:
        return IsolationState(
            None,
            True,
            "clones.egress is Allow, so there is no isolation to test.",
            wants_probe=False,
            open=True,
        )
    progress = situation.progress
    if progress.isolation_tested is not None:
        lasts = RETRY_SECONDS if progress.isolated is None else RETEST_SECONDS
        stale = situation.now - progress.isolation_tested > lasts
        waiting = situation.spec.clones.isolation is Demand.REQUIRED
        if progress.isolated is True or not (stale and waiting):
            return IsolationState(
                progress.isolated,
                True,
                progress.isolation_message,
                wants_probe=False,
                tested_at=progress.isolation_tested,
            )
    match situation.snapshot.probe:
        case Missing():
            return IsolationState(None, False, "The isolation probe has not run yet.", True)
        case Unknown(reason):
            return IsolationState(None, False, _running(situation, reason), True)
        case Found(report):
            enforced, message = _read(
                str(report["target"]),
                report["reachable"],
                situation.snapshot.probe_reachable_from_here,
            )
            return IsolationState(enforced, True, message, False, situation.now)


def _read(target: str, reachable: bool | None, from_here: bool | None) -> tuple[bool | None, str]:
    if reachable:
        return False, (
            f"A pod under the clones' NetworkPolicy reached {target}: this cluster does not "
            "enforce NetworkPolicy. Install a network plugin that does (tested again every 10 "
            "minutes), or accept the risk with clones.isolation: BestEffort."
        )
    if reachable is False and from_here:
        return True, (
            f"A pod under the clones' NetworkPolicy could not reach {target}, and the operator "
            "could: NetworkPolicy is enforced."
        )
    return None, (
        "The isolation probe proves nothing: its pod had no working network, or the operator "
        f"itself does not reach {target}. Let it (tried again every minute), or set "
        "clones.isolation: BestEffort."
    )


def _running(situation: Situation, reason: str) -> str:
    waiting = [pod.waiting for pod in situation.of_role(Role.PROBE) if pod.waiting]
    return f"The isolation probe has not answered yet: {waiting[0] if waiting else reason}."
