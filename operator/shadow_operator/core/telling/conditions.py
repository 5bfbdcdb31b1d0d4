"""Conditions: observations in the order in which status lists them, each one small function."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from shadow_operator.api.enums import (
    GateMode,
    GateName,
    GateResult,
    Learning,
    ReferenceMode,
    SelfTest,
    SoakState,
)
from shadow_operator.api.names import Role
from shadow_operator.api.reasons import ConditionStatus, ConditionType, Reason, VerdictReason
from shadow_operator.api.status import Condition
from shadow_operator.core import names
from shadow_operator.core.judging import impact
from shadow_operator.core.recording.guard import GuardState
from shadow_operator.core.recording.soak import SILENT_SECONDS
from shadow_operator.core.recording.usage import METRICS_API
from shadow_operator.core.telling import checks
from shadow_operator.core.telling.view import View
from shadow_operator.core.wording import duration, words

_TRUE, _FALSE, _UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@dataclass(frozen=True, slots=True)
class Observed:
    """A condition before it has a time."""

    status: ConditionStatus
    reason: Reason
    message: str = ""


Observe: TypeAlias = Callable[[View], Observed | None]


def observe(view: View) -> dict[ConditionType, Observed]:
    """Observe everything, in the order in which status lists it."""
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
        accepted = seen[ConditionType.ACCEPTED]
        seen[ConditionType.STALLED] = Observed(_TRUE, accepted.reason, accepted.message)
    return {kind: seen[kind] for kind in ConditionType if kind in seen}


def dated(view: View, seen: Mapping[ConditionType, Observed]) -> tuple[Condition, ...]:
    """Give the conditions; the time of a transition is kept while the status stays."""
    return tuple(_dated(view, kind, observed) for kind, observed in seen.items())


def _dated(view: View, kind: ConditionType, observed: Observed) -> Condition:
    before = view.before.condition(kind)
    same = before is not None and before.status is observed.status
    return Condition(
        type=kind,
        status=observed.status,
        observed_generation=view.situation.resource.metadata.generation,
        last_transition_time=before.last_transition_time if before and same else at(view.now),
        reason=observed.reason,
        message=observed.message,
    )


def at(seconds: float) -> datetime.datetime:
    """Give a time as Kubernetes writes it: UTC, whole seconds."""
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)


def _accepted(view: View) -> Observed:
    if view.refused:
        return Observed(_FALSE, view.refused.reason, checks.why_refused(view.refused.sentences))
    notes = view.steps.notes
    return Observed(
        _TRUE,
        Reason.ACCEPTED,
        checks.what_differs(notes) if notes else "The resource can be acted on.",
    )


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
    if state.open:
        return Observed(_FALSE, Reason.NOT_REQUESTED, state.message)
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
        (view.guard.holds(situation.spec), _GUARDED.get(view.guard.state, Reason.NOT_READY),
         view.guard.message),
        (situation.finished and not situation.wants_copies, Reason.VERDICT_REACHED,
         "The verdict is final; spec.afterVerdict says to stop."),
        (view.steps.waiting, Reason.STARTING, view.steps.waiting),
        (situation.spec.sampling_percent == 0, Reason.ZERO_PERCENT, "spec.samplingPercent is 0."),
    ):  # fmt: skip
        if holds:
            return Observed(_FALSE, reason, message)
    return _traffic(view)


_GUARDED: Final = {
    GuardState.SUSPECTED: Reason.PRODUCTION_SUSPECTED,
    GuardState.DEGRADED: Reason.DEGRADED_REGARDLESS,
    GuardState.PAUSED: Reason.PRODUCTION_HARMED,
}


def _traffic(view: View) -> Observed:
    situation = view.situation
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
    silence = _silence(view)
    if silence:
        return Observed(_FALSE, Reason.NO_TRAFFIC, silence)
    return Observed(
        _TRUE, Reason.MIRRORING, f"{view.steps.percent} % of the eligible requests are copied."
    )


def _silence(view: View) -> str:
    """Say that no copies come, as far as comparators could be read; empty where they do."""
    judged, measured = view.judgement, view.last_measurement
    if judged is None or judged.comparison.received == 0:
        where = f"{names.child(view.situation.name, Role.COMPARATOR)}:{names.COPIES_PORT}"
        return f"No copy has arrived at Service {where} yet."
    if judged.last_copy is None:
        return "Copies arrive, but none of them could be sent to the clones yet."
    if measured is not None and measured - judged.last_copy > SILENT_SECONDS:
        return f"The last copy was sent to the clones at {at(judged.last_copy):%Y-%m-%d %H:%M} UTC."
    return ""


_READ: Final = {reason.value: reason for reason in (
    Reason.MIRRORING, Reason.NOT_ATTACHED, Reason.NO_TRAFFIC,
)}  # fmt: skip
"""Reasons that rest on a reading; the others rest on what was asked for then."""


def _as_before(view: View, why: str) -> Observed:
    """Give what was last read: a reading that failed says nothing new."""
    before = view.before.condition(ConditionType.MIRRORING_ACTIVE)
    if before is None or before.reason not in _READ:
        return Observed(_UNKNOWN, Reason.NOT_MEASURED, why)
    message = before.message
    if before.observed_generation != view.situation.resource.metadata.generation:
        message = f"{why} Before the last change of spec: {message}"
    return Observed(before.status, _READ[before.reason], message)


def _responses_match(view: View) -> Observed:
    spec = view.situation.spec
    if spec.reference.mode is ReferenceMode.NONE:
        return Observed(
            _UNKNOWN,
            Reason.NOT_REQUESTED,
            "There is no reference (spec.reference.mode: None), so nothing is compared.",
        )
    if all(spec.mode(gate) is GateMode.OFF for gate in _COMPARING):
        return Observed(
            _UNKNOWN, Reason.NOT_REQUESTED, f"The gates {' and '.join(_COMPARING)} are Off."
        )
    gates = [view.gate(name) for name in _COMPARING]
    for gate, reason in zip(gates, (Reason.CRITICAL_DIFFERENCE, Reason.MISMATCH), strict=True):
        if gate and gate.result is GateResult.FAILED:
            return Observed(_FALSE, reason, gate.message)
    known = [gate for gate in gates if gate]
    if known and all(gate.result is GateResult.PASSED for gate in known):
        return Observed(_TRUE, Reason.MATCH, " ".join(gate.message for gate in known))
    waiting = next((g.message for g in known if g.result is GateResult.INCONCLUSIVE), "")
    return Observed(_UNKNOWN, Reason.INSUFFICIENT_EVIDENCE, waiting or "Nothing is compared yet.")


_COMPARING: Final = (GateName.CRITICAL_DIFFERENCES, GateName.MATCH_RATE)


def _not_measured(what: str) -> Observe:
    def observe_nothing(_: View) -> Observed:
        return Observed(_UNKNOWN, Reason.NOT_MEASURED, f"{what} by this version.")

    return observe_nothing


def _resources_acceptable(view: View) -> Observed:
    """Whether what the shadow uses is acceptable; an Advisory gate is shown and decides nothing."""
    spec = view.situation.spec
    judged = [gate for name in _RESOURCES if (gate := view.gate(name))]
    required = [gate for gate in judged if spec.mode(gate.name) is GateMode.REQUIRED]
    if all(spec.mode(name) is GateMode.OFF for name in _RESOURCES):
        return Observed(_UNKNOWN, Reason.NOT_REQUESTED, "The gates on resources are Off.")
    deciding = required or judged
    for gate in deciding:
        if gate.result is GateResult.FAILED:
            return Observed(_FALSE, _RESOURCES[gate.name], gate.message)
    for result, reason in (
        (GateResult.ERROR, Reason.NOT_MEASURED),
        (GateResult.INCONCLUSIVE, Reason.INSUFFICIENT_EVIDENCE),
    ):
        message = next((gate.message for gate in deciding if gate.result is result), "")
        if message:
            return Observed(_UNKNOWN, reason, message)
    passed = [gate.message for gate in deciding if gate.result is GateResult.PASSED]
    if passed and any(gate.source == METRICS_API for gate in deciding):
        return Observed(_TRUE, Reason.WITHIN_LIMITS, " ".join(passed))
    why = next((gate.message for gate in deciding), "Resources are not measured yet.")
    return Observed(_UNKNOWN, Reason.NOT_MEASURED, why)


_RESOURCES: Final[Mapping[GateName, Reason]] = {
    GateName.RESOURCES: Reason.LIMITS_EXCEEDED,
    GateName.MEMORY_GROWTH: Reason.MEMORY_GROWS,
    GateName.HEADROOM: Reason.HEADROOM_LACKING,
}


def _production_unaffected(view: View) -> Observed:
    situation, record = view.situation, view.guard
    if not situation.spec.sees_production:
        return Observed(_UNKNOWN, Reason.NOT_MEASURED, impact.UNSEEN)
    if record.paused(situation.spec):
        return Observed(_FALSE, Reason.PRODUCTION_HARMED, record.message)
    if record.state is GuardState.SUSPECTED:
        text = f"{record.message}; copies are off to see whether it recovers."
        return Observed(_UNKNOWN, Reason.PRODUCTION_SUSPECTED, text)
    if record.state is GuardState.DEGRADED:
        return Observed(_UNKNOWN, Reason.DEGRADED_REGARDLESS, record.message)
    return _course(view)


def _course(view: View) -> Observed:
    """Say how production runs; what was shown stays shown when copies are over."""
    problem = impact.unreadable(view.situation.spec, view.ledger) if view.ledger else ""
    if problem and not view.over:
        return Observed(_UNKNOWN, Reason.NOT_MEASURED, problem)
    seen = impact.impact(view.situation.spec, view.ledger) if view.ledger else None
    gate = view.gate(GateName.PRODUCTION_IMPACT)
    if seen is not None and seen.normal is not None and view.guard.watched:
        return Observed(_TRUE, Reason.UNAFFECTED, seen.sentence)
    if gate and gate.result is GateResult.PASSED:
        return Observed(_TRUE, Reason.UNAFFECTED, gate.message)
    text = "Production was not compared with its normal course yet."
    return Observed(_UNKNOWN, Reason.NOT_MEASURED, text)


def _learning_active(view: View) -> Observed:
    if view.situation.spec.learning is Learning.DISABLED:
        text = f"spec.learning is Disabled. ShadowOnly {_RESTARTS}"
        return Observed(_FALSE, Reason.NOT_REQUESTED, text)
    known = view.judgement.learning if view.judgement else None
    if known is None:
        return Observed(
            _UNKNOWN, Reason.NOT_MEASURED, "The shadow was not asked yet how it learns."
        )
    result, sentence = known
    text = f"{sentence} Disabled {_RESTARTS}"
    if result is GateResult.PASSED:
        return Observed(_TRUE, Reason.LEARNING, text)
    if result is GateResult.INCONCLUSIVE:
        return Observed(_FALSE, Reason.NO_CYCLES, text)
    return Observed(_UNKNOWN, Reason.NOT_MEASURED, text)


_RESTARTS: Final = "would begin a new epoch: evidence and soak at zero."


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
        + "."
        + _too_short(view),
    )


def _too_short(view: View) -> str:
    late = view.judgement.late if view.judgement else ()
    return f" Too short for: {', '.join(late)}." if late else ""


def _self_test_passed(view: View) -> Observed | None:
    if view.situation.spec.self_test is SelfTest.DISABLED:
        return None
    verdict = view.judgement.verdict if view.judgement else None
    if verdict and verdict.reason == VerdictReason.SELF_TEST_PASSED:
        return Observed(_TRUE, Reason.SELF_TEST_PASSED, verdict.message)
    if verdict and verdict.reason == VerdictReason.SELF_TEST_FAILED:
        return Observed(_FALSE, Reason.SELF_TEST_FAILED, verdict.message)
    waiting = verdict.message if verdict else "Nothing is compared yet."
    return Observed(_UNKNOWN, Reason.INSUFFICIENT_EVIDENCE, waiting)


CONDITIONS: Final[tuple[tuple[ConditionType, Observe], ...]] = (
    (ConditionType.ACCEPTED, _accepted),
    (ConditionType.SHADOW_AVAILABLE, _shadow_available),
    (ConditionType.ISOLATED, _isolated),
    (ConditionType.MIRRORING_ACTIVE, _mirroring_active),
    (ConditionType.RESPONSES_MATCH, _responses_match),
    (ConditionType.RESOURCES_ACCEPTABLE, _resources_acceptable),
    (ConditionType.PRODUCTION_UNAFFECTED, _production_unaffected),
    (ConditionType.LEARNING_ACTIVE, _learning_active),
    (ConditionType.SOAK_COMPLETE, _soak_complete),
    (ConditionType.SELF_TEST_PASSED, _self_test_passed),
)


def _ready(view: View, seen: Mapping[ConditionType, Observed]) -> Observed:
    """Whether the machinery does what spec asks, whatever the verdict is."""
    situation = view.situation
    if situation.deleting:
        return Observed(_FALSE, Reason.TERMINATING, view.steps.waiting or "Taking everything down.")
    if view.refused:
        return seen[ConditionType.ACCEPTED]
    if view.steps.waiting:
        return Observed(_FALSE, Reason.NOT_READY, view.steps.waiting)
    if _asks_a_person(view):
        return Observed(_FALSE, Reason.PRODUCTION_HARMED, view.guard.message)
    needed = [ConditionType.SHADOW_AVAILABLE] if situation.wants_clones else []
    if situation.wants_copies and situation.spec.sampling_percent > 0:
        needed.append(ConditionType.MIRRORING_ACTIVE)
    for kind in needed:
        if seen[kind].status is not _TRUE:
            return Observed(_FALSE, seen[kind].reason, seen[kind].message)
    return Observed(_TRUE, Reason.AS_REQUESTED, "Everything runs as spec asks.")


def _asks_a_person(view: View) -> bool:
    return view.paused and view.guard.paused(view.situation.spec)


def _reconciling(view: View, seen: Mapping[ConditionType, Observed]) -> Observed | None:
    ready = seen[ConditionType.READY]
    if ready.status is _TRUE or (view.refused and not view.situation.deleting):
        return None
    if (view.blocked and view.situation.wants_clones) or _asks_a_person(view):
        return None
    return Observed(_TRUE, Reason.IN_PROGRESS, ready.message)
