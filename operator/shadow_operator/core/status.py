"""Status: everything that a person or a tool reads, composed from one `View`."""

from collections.abc import Mapping
from typing import Any

from shadow_operator.api.enums import (
    HealthState,
    MirrorProvider,
    Phase,
    RequestedPhase,
    SoakState,
)
from shadow_operator.api.errors import InvalidSpec
from shadow_operator.api.names import Role
from shadow_operator.api.reasons import ConditionStatus, ConditionType, Reason
from shadow_operator.api.status import (
    Condition,
    Health,
    LayerHealth,
    MirrorStatus,
    Soak,
    Status,
    Summary,
    WorkloadHealth,
)
from shadow_operator.core import conditions, names
from shadow_operator.core.conditions import at
from shadow_operator.core.situation import Situation
from shadow_operator.core.view import View


def compose(view: View) -> Status:
    """Compose the whole status; equal to the one before where nothing is new."""
    situation, judged = view.situation, view.judgement
    seen = conditions.observe(view)
    return Status(
        observed_generation=situation.resource.metadata.generation,
        phase=_phase(view),
        message=_message(view, seen),
        next_step=_next_step(view),
        conditions=seen,
        summary=_summary(view, seen),
        verdict=judged.verdict if judged else None,
        gates=judged.gates if judged else (),
        comparison=judged.comparison if judged else None,
        health=_health(view),
        soak=judged.soak if judged else _no_soak(situation),
        mirror=_mirror(view),
        last_measurement_time=None if view.last_measurement is None else at(view.last_measurement),
        paused_time=_paused_time(view),
    )


def _phase(view: View) -> Phase:
    situation = view.situation
    for holds, phase in (
        (situation.deleting, Phase.TERMINATING),
        (situation.spec.phase is RequestedPhase.NONE and view.steps.done, Phase.IDLE),
        (situation.spec.phase is RequestedPhase.NONE, Phase.TERMINATING),
        (view.refused is not None, Phase.PENDING),
        (situation.finished and not situation.wants_copies, Phase.COMPLETED),
        (view.paused, Phase.PAUSED),
        (view.steps.recording, Phase.RECORDING),
        (view.blocked, Phase.PENDING),
        (bool(view.steps.waiting), Phase.DEPLOYING),
    ):
        if holds:
            return phase
    soak = view.judgement.soak if view.judgement else None
    soaking = soak is not None and soak.state in {SoakState.RUNNING, SoakState.COMPLETE}
    return Phase.SOAKING if soaking else Phase.MIRRORING


def _message(view: View, seen: tuple[Condition, ...]) -> str:
    if view.problem:
        return view.problem
    found = {condition.type: condition for condition in seen}
    for kind in (ConditionType.ACCEPTED, ConditionType.READY):
        if found[kind].status is ConditionStatus.FALSE:
            return found[kind].message
    verdict = view.judgement.verdict if view.judgement else None
    if view.situation.spec.phase is RequestedPhase.NONE:
        last = f" The last verdict was {verdict.decision}: {verdict.message}" if verdict else ""
        return f"Nothing is shadowed.{last}"
    if view.paused:
        return f"Copying is paused. {found[ConditionType.MIRRORING_ACTIVE].message}"
    return verdict.message if verdict else "Copies are on their way; nothing is compared yet."


def _next_step(view: View) -> str | None:
    situation = view.situation
    resource = f"shadowdeployment {situation.name} -n {situation.resource.namespace}"
    patch = f"kubectl patch {resource} --type merge -p "
    pods = f"-n {situation.resource.namespace} -l hal9.ai/shadow={situation.name}"
    entry = names.child(situation.name, Role.MIRROR)
    for holds, step in (
        (situation.deleting, None),
        (view.refused, f"kubectl edit {resource}"),
        (
            situation.spec.phase is RequestedPhase.NONE and situation.finished,
            # With the evidence that ended the last run, the next would be over at once.
            patch + """'{"spec":{"phase":"Shadow","restartedAt":"'$(date +%s)'"}}'""",
        ),
        (
            situation.spec.phase is RequestedPhase.NONE,
            patch + """'{"spec":{"phase":"Shadow"}}'""",
        ),
        (situation.stop is not None, f"kubectl annotate {resource} hal9.ai/stop-"),
        (situation.spec.suspend, patch + """'{"spec":{"suspend":false}}'"""),
        (view.blocked, patch + """'{"spec":{"clones":{"isolation":"BestEffort"}}}'"""),
        (view.steps.waiting, f"kubectl get pods {pods}"),
        (view.unattached, f"kubectl get service {entry} -n {situation.resource.namespace}"),
    ):
        if holds:
            return step
    return (view.judgement.next_step or None) if view.judgement else None


def _summary(view: View, seen: tuple[Condition, ...]) -> Summary:
    situation, judged = view.situation, view.judgement
    verdict = judged.verdict if judged else None
    effective = view.steps.percent or situation.effective_percent
    return Summary(
        match=judged.match_column if judged else None,
        soak=judged.soak_column if judged else None,
        mirror=f"{effective}%/{situation.spec.sampling_percent}%"
        if situation.wants_clones
        else None,
        blocked_by=_blocked_by(view),
        errors=judged.errors_column if judged else None,
        reason=verdict.reason if verdict else _not_ready_reason(seen),
    )


def _blocked_by(view: View) -> str | None:
    judged = view.judgement.blocked_by if view.judgement else ""
    for holds, column in (
        (view.refused, "accepted"),
        (not view.situation.wants_clones, ""),
        (view.blocked, "isolation"),
        (view.steps.recording, "baseline"),
        (view.steps.waiting, "workloads"),
        (view.paused, "paused"),
        (view.unattached, "traffic"),
    ):
        if holds:
            return column or None
    return judged or None


def _not_ready_reason(seen: tuple[Condition, ...]) -> str | None:
    ready = next((c for c in seen if c.type is ConditionType.READY), None)
    return ready.reason if ready and ready.status is not ConditionStatus.TRUE else None


def _health(view: View) -> Health:
    situation = view.situation
    if not situation.wants_clones:
        return Health()
    return Health(
        layers=tuple(
            LayerHealth(
                name=reading.name,
                state=_state(reading.healthy),
                message=reading.message[:256],
            )
            for reading in situation.snapshot.layers
        ),
        workloads=tuple(
            WorkloadHealth(
                name=workload.name,
                state=_state(workload.complete),
                ready=workload.ready,
                desired=workload.desired,
                restarts=workload.restarts,
                message=workload.message[:256],
            )
            for workload in situation.workloads.values()
        ),
    )


def _state(healthy: bool | None) -> HealthState:
    if healthy is None:
        return HealthState.UNKNOWN
    return HealthState.HEALTHY if healthy else HealthState.UNHEALTHY


def _no_soak(situation: Situation) -> Soak:
    return Soak(required_seconds=situation.spec.soak_seconds, state=SoakState.NOT_STARTED)


def _mirror(view: View) -> MirrorStatus:
    spec = view.situation.spec
    envoy = spec.mirror.provider is MirrorProvider.ENVOY
    return MirrorStatus(
        provider=spec.mirror.provider,
        requested_percent=spec.sampling_percent,
        effective_percent=view.steps.percent if envoy or view.steps.percent else 0,
        coverage=view.judgement.coverage if view.judgement else None,
        last_off_reason=view.progress.off_reason or None,
    )


def _paused_time(view: View) -> Any:
    return (view.before.paused_time or at(view.now)) if view.paused else None


def unread(situation: Situation, why: str) -> Status:
    """Give the last status, with the reason why nothing new can be said."""
    before = situation.resource.status
    return before.model_copy(
        update={
            "phase": before.phase or Phase.PENDING,
            "message": f"Nothing is changed while {why.rstrip('.')}.",
        }
    )


def invalid(body: Mapping[str, Any], error: InvalidSpec, now: float) -> dict[str, Any]:
    """Give the last status, refused: the spec can't be read, so nothing else is new."""
    before = Status.parse(dict(body.get("status") or {}))
    sentence = " ".join(error.problems)[:1000]
    generation = body["metadata"].get("generation", 0)
    refused = tuple(
        Condition(
            type=kind,
            status=status,
            observed_generation=generation,
            last_transition_time=old.last_transition_time
            if (old := before.condition(kind)) and old.status is status
            else at(now),
            reason=Reason.INVALID_SPEC,
            message=sentence,
        )
        for kind, status in _REFUSED.items()
    )
    return before.model_copy(
        update={
            "observed_generation": generation,
            "phase": before.phase or Phase.PENDING,
            "message": sentence,
            "conditions": (*refused, *(c for c in before.conditions if c.type not in _REFUSED)),
        }
    ).to_dict()


_REFUSED: Mapping[ConditionType, ConditionStatus] = {
    ConditionType.ACCEPTED: ConditionStatus.FALSE,
    ConditionType.READY: ConditionStatus.FALSE,
    ConditionType.STALLED: ConditionStatus.TRUE,
}
