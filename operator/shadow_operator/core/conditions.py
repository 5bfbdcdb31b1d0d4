"""Conditions: observations in the order in which status lists them, each one small function."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from shadow_operator.api.enums import (
    GateName,
    GateResult,
    Learning,
    SoakState,
)
from shadow_operator.api.names import Role
from shadow_operator.api.reasons import ConditionStatus, ConditionType, Reason
from shadow_operator.api.status import Condition
from shadow_operator.core import names
from shadow_operator.core.view import View
from shadow_operator.core.wording import duration, words

_TRUE, _FALSE, _UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@dataclass(frozen=True, slots=True)
class Observed:
    """A condition before it has a time."""

    status: ConditionStatus
    reason: Reason
    message: str = ""


Observe: TypeAlias = Callable[[View], Observed | None]


def observe(view: View) -> tuple[Condition, ...]:
    """Give all conditions; the time of a transition is kept while the status stays."""
    seen: dict[ConditionType, Observed] = {}
    for kind, function in CONDITIONS:
        observed = function(view)
        if observed:
            seen[kind] = observed
    seen[ConditionType.READY] = _ready(view, seen)
    progressing = _reconciling(view, seen)
    if progressing:
        seen[ConditionType.RECONCILING] = progressing
    if view.refused:
        seen[ConditionType.STALLED] = Observed(_TRUE, view.refused.reason, view.refused.message)
    return tuple(dated(view, kind, seen[kind]) for kind in ConditionType if kind in seen)


def dated(view: View, kind: ConditionType, observed: Observed) -> Condition:
    """Give the condition with the time of its last transition."""
    before = view.before.condition(kind)
    same = before is not None and before.status is observed.status
    return Condition(
        type=kind,
        status=observed.status,
        observed_generation=view.situation.resource.metadata.generation,
        last_transition_time=before.last_transition_time if before and same else at(view.now),
        reason=observed.reason,
        message=observed.message[:1000],
    )


def at(seconds: float) -> datetime.datetime:
    """Give a time as Kubernetes writes it: UTC, whole seconds."""
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)


def _accepted(view: View) -> Observed:
    if view.refused:
        return Observed(_FALSE, view.refused.reason, view.refused.message)
    notes = "; ".join(view.steps.notes)
    return Observed(
        _TRUE,
        Reason.ACCEPTED,
        f"The clones are like production's pods, except: {notes}." if notes else
        "The resource can be acted on.",
    )  # fmt: skip


def _shadow_available(view: View) -> Observed:
    situation = view.situation
    if not situation.wants_clones:
        return Observed(_FALSE, Reason.NOT_REQUESTED, "No shadow is asked for.")
    crashing = [pod for pod in situation.of_role(Role.SHADOW) if "CrashLoop" in pod.waiting]
    if crashing:
        last = crashing[0].last_termination or "unknown"
        return Observed(
            _FALSE,
            Reason.CRASH_LOOP,
            f"Pod {crashing[0].name} of the shadow crashes again and again (last: {last}). See: "
            f"kubectl logs {crashing[0].name} -n {situation.resource.namespace} --previous",
        )
    lacking = [w.message for w in situation.workloads.values() if not w.complete and w.message]
    if not lacking:
        return Observed(_TRUE, Reason.AVAILABLE, "All workloads are available.")
    reason = Reason.UNAVAILABLE if view.was_available else Reason.DEPLOYING
    return Observed(_FALSE, reason, "; ".join(lacking) + ".")


def _isolated(view: View) -> Observed:
    state = view.steps.isolation
    if state is None:
        return Observed(_UNKNOWN, Reason.NOT_TESTED, "There are no clones to isolate.")
    if not state.tested:
        return Observed(_UNKNOWN, Reason.NOT_TESTED, state.message)
    if state.enforced is None:
        return Observed(_UNKNOWN, Reason.PROBE_FAILED, state.message)
    if state.enforced:
        return Observed(_TRUE, Reason.ENFORCED, state.message)
    return Observed(_FALSE, Reason.NOT_ENFORCED, state.message)


def _mirroring_active(view: View) -> Observed:
    situation = view.situation
    for holds, reason, message in (
        (not situation.wants_clones, Reason.NOT_REQUESTED, "No mirroring is asked for."),
        (situation.stop is not None, Reason.STOPPED, f"Stopped by a person: {situation.stop}"),
        (situation.spec.suspend, Reason.SUSPENDED, "spec.suspend is set."),
        (situation.finished and not situation.wants_copies, Reason.VERDICT_REACHED,
         "The verdict is final; spec.afterVerdict says to stop."),
        (view.steps.waiting, Reason.STARTING, view.steps.waiting),
        (situation.spec.sampling_percent == 0, Reason.ZERO_PERCENT, "spec.samplingPercent is 0."),
    ):  # fmt: skip
        if holds:
            return Observed(_FALSE, reason, message)
    return _traffic(view)


def _traffic(view: View) -> Observed:
    situation, seen = view.situation, view.judgement.comparison if view.judgement else None
    received = seen.received if seen else 0
    if situation.through_envoy and view.entry_requests is None:
        return _as_before(view, "No Envoy could be asked for its counters.")
    if situation.through_envoy and view.entry_requests == 0:
        entry = names.child(situation.name, Role.MIRROR)
        production = situation.spec.production_ref.service_name
        return Observed(
            _FALSE,
            Reason.NOT_ATTACHED,
            f"No request comes through Service {entry}. Point your ingress, or the clients, at "
            f"Service {entry} instead of {production}: same ports, same namespace. Connections "
            "that are open already stay where they are until their clients open new ones.",
        )
    if received == 0:
        where = f"{names.child(situation.name, Role.COMPARATOR)}:{names.COPIES_PORT}"
        return Observed(
            _FALSE,
            Reason.NO_TRAFFIC,
            f"No copy has arrived at Service {where} yet.",
        )
    return Observed(
        _TRUE, Reason.MIRRORING, f"{view.steps.percent} % of the eligible requests are copied."
    )


def _as_before(view: View, why: str) -> Observed:
    """Give what was last observed: a reading that failed says nothing new."""
    before = view.before.condition(ConditionType.MIRRORING_ACTIVE)
    if before is None:
        return Observed(_UNKNOWN, Reason.NOT_MEASURED, why)
    return Observed(before.status, Reason(before.reason), before.message)


def _responses_match(view: View) -> Observed:
    gates = [view.gate(GateName.CRITICAL_DIFFERENCES), view.gate(GateName.MATCH_RATE)]
    for gate, reason in zip(gates, (Reason.CRITICAL_DIFFERENCE, Reason.MISMATCH), strict=True):
        if gate and gate.result is GateResult.FAILED:
            return Observed(_FALSE, reason, gate.message)
    known = [gate for gate in gates if gate]
    if known and all(gate.result is GateResult.PASSED for gate in known):
        return Observed(_TRUE, Reason.MATCH, " ".join(gate.message for gate in known))
    waiting = next((g.message for g in known if g.result is GateResult.INCONCLUSIVE), "")
    return Observed(_UNKNOWN, Reason.INSUFFICIENT_EVIDENCE, waiting or "Nothing is compared yet.")


def _not_measured(what: str) -> Observe:
    def observe_nothing(_: View) -> Observed:
        return Observed(_UNKNOWN, Reason.NOT_MEASURED, f"{what} by this version.")

    return observe_nothing


def _learning_active(view: View) -> Observed:
    if view.situation.spec.learning is Learning.DISABLED:
        return Observed(_FALSE, Reason.NOT_REQUESTED, "spec.learning is Disabled.")
    return Observed(_UNKNOWN, Reason.NOT_MEASURED, "Learning is not measured by this version.")


_SOAK_REASONS: Final[Mapping[SoakState, Reason]] = {
    SoakState.NOT_STARTED: Reason.NOT_STARTED,
    SoakState.RUNNING: Reason.SOAKING,
    SoakState.STOPPED: Reason.SOAK_STOPPED,
    SoakState.COMPLETE: Reason.SOAK_COMPLETE,
}


def _soak_complete(view: View) -> Observed:
    soak = view.judgement.soak if view.judgement else None
    if soak is None:
        return Observed(_FALSE, Reason.NOT_STARTED, "The soak has not begun.")
    complete = soak.state is SoakState.COMPLETE
    return Observed(
        _TRUE if complete else _FALSE,
        _SOAK_REASONS[soak.state],
        f"{duration(soak.elapsed_seconds)} of {duration(soak.required_seconds)}"
        + (f"; the clock stands: {words(soak.reason)}" if soak.reason else "")
        + ".",
    )


CONDITIONS: Final[tuple[tuple[ConditionType, Observe], ...]] = (
    (ConditionType.ACCEPTED, _accepted),
    (ConditionType.SHADOW_AVAILABLE, _shadow_available),
    (ConditionType.ISOLATED, _isolated),
    (ConditionType.MIRRORING_ACTIVE, _mirroring_active),
    (ConditionType.RESPONSES_MATCH, _responses_match),
    (ConditionType.RESOURCES_ACCEPTABLE, _not_measured("Resources are not measured")),
    (ConditionType.PRODUCTION_UNAFFECTED, _not_measured("Production is not measured")),
    (ConditionType.LEARNING_ACTIVE, _learning_active),
    (ConditionType.SOAK_COMPLETE, _soak_complete),
)


def _ready(view: View, seen: Mapping[ConditionType, Observed]) -> Observed:
    """Whether the machinery does what spec asks, whatever the verdict is."""
    situation = view.situation
    if situation.deleting:
        return Observed(_FALSE, Reason.TERMINATING, view.steps.waiting or "Taking everything down.")
    if view.refused:
        return Observed(_FALSE, view.refused.reason, view.refused.message)
    if view.steps.waiting:
        return Observed(_FALSE, Reason.NOT_READY, view.steps.waiting)
    needed = [ConditionType.SHADOW_AVAILABLE] if situation.wants_clones else []
    if situation.wants_copies and situation.spec.sampling_percent > 0:
        needed.append(ConditionType.MIRRORING_ACTIVE)
    for kind in needed:
        if seen[kind].status is not _TRUE:
            return Observed(_FALSE, seen[kind].reason, seen[kind].message)
    return Observed(_TRUE, Reason.AS_REQUESTED, "Everything runs as spec asks.")


def _reconciling(view: View, seen: Mapping[ConditionType, Observed]) -> Observed | None:
    ready = seen[ConditionType.READY]
    if ready.status is _TRUE or (view.refused and not view.situation.deleting):
        return None
    if view.blocked and view.situation.wants_clones:
        return None
    return Observed(_TRUE, Reason.IN_PROGRESS, ready.message)
