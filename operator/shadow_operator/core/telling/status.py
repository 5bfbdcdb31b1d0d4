"""Status: everything that a person or a tool reads, composed from one `View`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

from shadow_operator.api.enums import (
    HealthState,
    Phase,
    RequestedPhase,
    SoakState,
    UsedBy,
)
from shadow_operator.api.errors import InvalidSpec
from shadow_operator.api.reasons import ConditionStatus, ConditionType, Reason
from shadow_operator.api.status import (
    Condition,
    Health,
    Latency,
    LayerHealth,
    LearningStatus,
    MirrorStatus,
    ResourcesStatus,
    RoleUsage,
    Soak,
    Status,
    Summary,
    WorkloadHealth,
)
from shadow_operator.core.commands import Commands
from shadow_operator.core.judging import impact
from shadow_operator.core.planning import evidence, preflight
from shadow_operator.core.planning.situation import Situation
from shadow_operator.core.recording import headroom
from shadow_operator.core.recording.headroom import Headroom
from shadow_operator.core.recording.usage import ROLES, Usage, Use
from shadow_operator.core.snapshot import LayerReading
from shadow_operator.core.telling import checks, conditions, next_step, reports
from shadow_operator.core.telling.conditions import Observed, at
from shadow_operator.core.telling.view import View
from shadow_operator.core.wording import column

Seen: TypeAlias = Mapping[ConditionType, Observed]


def compose(view: View) -> Status:
    """Compose the whole status; equal to the one before where nothing is new."""
    situation, judged, refused = view.situation, view.judgement, view.refused
    seen = conditions.observe(view)
    return Status(
        observed_generation=situation.resource.metadata.generation,
        phase=_phase(view),
        message=_message(view, seen),
        next_step=next_step.of(view),
        conditions=conditions.dated(view, seen),
        preflight=checks.preflight(
            view.steps.notes,
            refused.sentences if refused else (),
            view.headroom,
            () if situation.deleting else preflight.known(situation),
        ),
        summary=_summary(view, seen),
        verdict=judged.verdict if judged else None,
        gates=judged.gates if judged else (),
        comparison=judged.comparison if judged else None,
        latency=_latency(view),
        health=_health(view),
        soak=judged.soak if judged else _no_soak(situation),
        mirror=_mirror(view),
        learning=LearningStatus(message=judged.learning[1]) if judged and judged.learning else None,
        resources=_resources(view),
        last_measurement_time=None if view.last_measurement is None else at(view.last_measurement),
        paused_time=_paused_time(view),
        report_ref=reports.kept(view),
    )


def _phase(view: View) -> Phase:
    situation = view.situation
    for holds, phase in (
        (situation.deleting, Phase.TERMINATING),
        (situation.spec.phase is RequestedPhase.NONE and view.steps.done, Phase.IDLE),
        (situation.spec.phase is RequestedPhase.NONE, Phase.TERMINATING),
        (view.refused is not None, Phase.PENDING),
        (view.over, Phase.COMPLETED),
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


_MESSAGE_BYTES: Final = 512


def _message(view: View, seen: Seen) -> str:
    ready, active = seen[ConditionType.READY], seen[ConditionType.MIRRORING_ACTIVE]
    refused, verdict = view.refused, view.judgement.verdict if view.judgement else None
    last = f" The last verdict was {verdict.decision}: {verdict.message}" if verdict else ""
    for holds, message in (
        (view.problem, view.problem),
        (refused, checks.why_refused(refused.sentences, _MESSAGE_BYTES) if refused else ""),
        (ready.status is ConditionStatus.FALSE, ready.message),
        (view.situation.spec.phase is RequestedPhase.NONE, f"Nothing is shadowed.{last}"),
        (view.paused, f"Copying is paused. {active.message}"),
        (verdict, verdict.message if verdict else ""),
        (active.status is not ConditionStatus.TRUE, f"Nothing is copied. {active.message}"),
    ):
        if holds:
            return message
    return "Copies are on their way; nothing is compared yet."


def _summary(view: View, seen: Seen) -> Summary:
    situation, judged = view.situation, view.judgement
    verdict, ready = judged.verdict if judged else None, seen[ConditionType.READY]
    percent = "?" if view.in_force is None else f"{view.in_force}%"
    shown = situation.wants_clones or view.in_force != 0
    latency = judged.latency if judged else None
    waits = "" if ready.status is ConditionStatus.TRUE else ready.reason
    return Summary(
        match=judged.match_column if judged else None,
        soak=judged.soak_column if judged else None,
        mirror=f"{percent}/{situation.spec.sampling_percent}%" if shown else None,
        blocked_by=_blocked_by(view),
        p50=_more(latency.p50_difference_percent if latency else None),
        p99=_more(latency.p99_difference_percent if latency else None),
        errors=judged.errors_column if judged else None,
        reason=(verdict.reason if verdict else waits) or None,
    )


def _more(difference: str | None) -> str | None:
    return f"{difference}%" if difference else None


def _blocked_by(view: View) -> str | None:
    judged = view.judgement.blocked_by if view.judgement else ""
    for holds, word in (
        (view.refused, "accepted"),
        (not view.situation.wants_clones, ""),
        (view.blocked, "isolation"),
        (view.steps.recording, "baseline"),
        (view.steps.waiting, "workloads"),
        (view.paused, "paused"),
        (view.unattached, "traffic"),
    ):
        if holds:
            return word or None
    return column(judged) or None


def _latency(view: View) -> Latency | None:
    judged = view.judgement.latency if view.judgement else None
    production = impact.quantiles(view.ledger) if view.ledger else None
    if production is None:
        return judged
    return (judged or Latency()).model_copy(update={"production": production})


def _health(view: View) -> Health:
    situation = view.situation
    if not situation.wants_clones:
        return Health()
    return Health(
        layers=_layers(view),
        workloads=tuple(
            WorkloadHealth(
                name=workload.name,
                state=_state(workload.complete),
                ready=workload.ready,
                desired=workload.desired,
                restarts=workload.restarts,
                message=workload.message,
            )
            for workload in situation.workloads.values()
        ),
    )


def _layers(view: View) -> tuple[LayerHealth, ...]:
    """Give every layer of the spec, and those of its preset that are switched off."""
    spec, preset = view.situation.spec, view.situation.spec.effective_preset
    read = {reading.name: reading for reading in view.situation.snapshot.layers}
    off = [layer for layer in (preset.layers if preset else ()) if layer not in spec.layers]
    return (
        *(_layer(view, layer, read.get(layer)) for layer in spec.layers),
        *(
            LayerHealth(name=layer, state=HealthState.DISABLED, message="It is not in spec.layers.")
            for layer in off
        ),
    )


def _layer(view: View, name: str, reading: LayerReading | None) -> LayerHealth:
    if reading is None:
        message = "It was not asked yet."
        return LayerHealth(name=name, state=HealthState.UNKNOWN, message=message)
    known = view.before.health.layers if view.before.health else ()
    before = next((layer for layer in known if layer.name == name), None)
    seen = LayerHealth(
        name=name,
        state=_state(reading.healthy),
        message=reading.message,
        neurons=reading.neurons,
        last_probe_time=before.last_probe_time if before else None,
    )
    # A number alone is written as often as a time is.
    same = before is not None and seen.model_copy(update={"neurons": before.neurons}) == before
    if before is not None and same and not _is_old(view, before.last_probe_time):
        return before
    return seen.model_copy(update={"last_probe_time": at(view.now)})


def _is_old(view: View, time: datetime | None) -> bool:
    """Whether it is an interval ago: more often, status is not written for a time alone."""
    interval = view.situation.snapshot.settings.interval_seconds
    return time is None or view.now - time.timestamp() >= 0.9 * interval


def _state(healthy: bool | None) -> HealthState:
    if healthy is None:
        return HealthState.UNKNOWN
    return HealthState.HEALTHY if healthy else HealthState.UNHEALTHY


def _no_soak(situation: Situation) -> Soak:
    return Soak(required_seconds=situation.spec.soak_seconds, state=SoakState.NOT_STARTED)


def _mirror(view: View) -> MirrorStatus:
    spec = view.situation.spec
    return MirrorStatus(
        provider=spec.mirror.provider,
        requested_percent=spec.sampling_percent,
        effective_percent=view.in_force,
        coverage=view.judgement.coverage if view.judgement else None,
        last_off_reason=view.progress.off_reason or None,
    )


def _resources(view: View) -> ResourcesStatus | None:
    used, room = _used(view)
    if not used.asked:
        return None
    record = used.series[-1] if used.series else None
    pods = evidence.running(view.situation)
    return ResourcesStatus(
        message=headroom.sentence(room) if room else "",
        roles=tuple(
            RoleUsage(
                name=UsedBy(role),
                cpu_millicores=use.cpu if use.pods else None,
                memory_bytes=use.memory if use.pods else None,
                pods=use.pods,
                restarts=sum(pod.restarts for pod in pods[role]),
            )
            for role in ROLES
            if (use := record.of(role) if record else Use()).pods or pods[role]
        ),
    )


def _used(view: View) -> tuple[Usage, Headroom | None]:
    if view.idle:
        return view.baseline.usage, view.baseline.headroom
    judged = view.judgement
    return (judged.usage, judged.headroom) if judged else (Usage(), None)


def _paused_time(view: View) -> datetime | None:
    return (view.before.paused_time or at(view.now)) if view.paused else None


def unconfirmed(written: Mapping[str, Any]) -> dict[str, Any]:
    """Give a status that was composed before an Envoy did not take what it was told."""
    mirror, summary = dict(written.get("mirror") or {}), dict(written.get("summary") or {})
    if mirror.pop("effectivePercent", None) is None:
        return dict(written)
    summary["mirror"] = f"?/{mirror['requestedPercent']}%"
    return {**written, "mirror": mirror, "summary": summary}


def unreported(written: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Give a status that was composed before its report could not be kept: the next look tries."""
    known = {"reportRef": before["reportRef"]} if "reportRef" in before else {}
    return {**{name: part for name, part in written.items() if name != "reportRef"}, **known}


def unread(situation: Situation, why: str) -> Status:
    """Give the last status, with the reason why nothing new can be said."""
    before = situation.resource.status
    return before.model_copy(
        update={
            "phase": before.phase or Phase.PENDING,
            "message": f"Nothing is changed while {why.rstrip('.')}.",
            # What was to be done before need not be what helps now.
            "next_step": next_step.for_broken(situation) if evidence.problem(situation) else None,
        }
    )


def invalid(body: Mapping[str, Any], error: InvalidSpec, now: float) -> dict[str, Any]:
    """Give the last status, refused: the spec can't be read, so nothing else is new."""
    before = Status.parse(dict(body.get("status") or {}))
    sentence = checks.why_refused(error.problems)
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
            "message": checks.why_refused(error.problems, _MESSAGE_BYTES),
            "next_step": Commands(body["metadata"]["namespace"], body["metadata"]["name"]).edit(),
            "preflight": checks.preflight((), error.problems),
            "conditions": (*refused, *(c for c in before.conditions if c.type not in _REFUSED)),
        }
    ).to_dict()


_REFUSED: Mapping[ConditionType, ConditionStatus] = {
    ConditionType.ACCEPTED: ConditionStatus.FALSE,
    ConditionType.READY: ConditionStatus.FALSE,
    ConditionType.STALLED: ConditionStatus.TRUE,
}
