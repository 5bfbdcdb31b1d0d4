"""Events: one for each transition between the status before and the status after."""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from shadow_operator.api.reasons import ConditionStatus, ConditionType, EventReason
from shadow_operator.api.status import Condition, Status
from shadow_operator.core.actions import Event
from shadow_operator.core.deploying.objects import applied
from shadow_operator.core.recording.guard import GuardState
from shadow_operator.core.recording.ledger import Ledger
from shadow_operator.core.snapshot import Found, Missing, ObjectRef
from shadow_operator.core.telling.view import View

Transition: TypeAlias = Callable[[View, Status, Status], Iterator[Event]]


def transitions(view: View, after: Status) -> tuple[Event, ...]:
    """Give the events of this reconcile, oldest cause first."""
    return tuple(event for find in TRANSITIONS for event in find(view, view.before, after))


def _flipped(
    before: Status, after: Status, kind: ConditionType
) -> tuple[ConditionStatus | None, Condition] | None:
    old, new = before.condition(kind), after.condition(kind)
    if new is None or (old is not None and old.status is new.status):
        return None
    return (old.status if old else None), new


def _acceptance(_: View, before: Status, after: Status) -> Iterator[Event]:
    flipped = _flipped(before, after, ConditionType.ACCEPTED)
    if flipped and flipped[1].status is ConditionStatus.FALSE:
        yield Event(EventReason.REFUSED, flipped[1].message, warning=True)
    elif flipped and flipped[0] is ConditionStatus.FALSE:
        yield Event(EventReason.ACCEPTED, flipped[1].message)


def _clones(_: View, before: Status, after: Status) -> Iterator[Event]:
    flipped = _flipped(before, after, ConditionType.SHADOW_AVAILABLE)
    if flipped and flipped[1].status is ConditionStatus.TRUE:
        yield Event(EventReason.CLONES_AVAILABLE, flipped[1].message)
    elif flipped and flipped[0] is ConditionStatus.TRUE and after.phase != "Terminating":
        yield Event(EventReason.CLONES_UNAVAILABLE, flipped[1].message, warning=True)


def _drift(view: View, before: Status, _: Status) -> Iterator[Event]:
    """Tell of children that were changed or deleted while all was well."""
    settled = before.observed_generation == view.situation.resource.metadata.generation
    ready = before.condition(ConditionType.READY)
    if not (settled and ready and ready.status is ConditionStatus.TRUE):
        return
    children = view.situation.snapshot.children
    for manifest in view.steps.apply:
        ref = ObjectRef.of(manifest)
        match children.get(ref):
            case Found(live) if applied(live) == applied(manifest):
                yield Event(
                    EventReason.DRIFT_REPAIRED, f"{ref.kind} {ref.name} was changed: repaired."
                )
            case Missing() if view.progress.epoch == view.situation.progress.epoch:
                yield Event(
                    EventReason.DRIFT_REPAIRED, f"{ref.kind} {ref.name} was deleted: made again."
                )
            case _:
                pass  # the operator itself asks for something else now


def _mirroring(view: View, before: Status, after: Status) -> Iterator[Event]:
    was, now = view.situation.progress.mirroring, view.progress.mirroring
    if now and not was:
        yield Event(
            EventReason.MIRRORING_STARTED,
            f"Copying begins: {view.situation.spec.sampling_percent} % of the eligible requests "
            "after the ramp.",
        )
    elif was and not now:
        yield Event(EventReason.MIRRORING_STOPPED, f"Copying ends: {view.progress.off_reason}")
    elif now and before.mirror and after.mirror:
        old, new = before.mirror.requested_percent, after.mirror.requested_percent
        if old != new:
            yield Event(EventReason.SAMPLING_CHANGED, f"From {old} % to {new} %.")


_GUARD: Final = {
    GuardState.SUSPECTED: EventReason.PRODUCTION_SUSPECTED,
    GuardState.DEGRADED: EventReason.PRODUCTION_DEGRADED,
    GuardState.PAUSED: EventReason.PRODUCTION_HARMED,
}


def _guard(view: View, _: Status, __: Status) -> Iterator[Event]:
    was, now = view.situation.guard.state, view.guard.state
    if now is was:
        return
    if now is GuardState.WATCHING:
        yield Event(
            EventReason.MIRRORING_RESUMED, f"Copying may go on. Before: {view.guard.message}"
        )
    else:
        yield Event(_GUARD[now], view.guard.message, warning=True)


def _soak(_: View, before: Status, after: Status) -> Iterator[Event]:
    old, new = before.soak, after.soak
    if old and new and old.elapsed_seconds and new.last_restart not in (None, old.last_restart):
        yield Event(
            EventReason.SOAK_RESTARTED,
            f"The soak begins at zero after {old.elapsed_seconds} s: {new.last_restart_reason}.",
            warning=True,
        )
    flipped = _flipped(before, after, ConditionType.SOAK_COMPLETE)
    if flipped and flipped[1].status is ConditionStatus.TRUE:
        yield Event(EventReason.SOAK_COMPLETED, flipped[1].message)


def _too_short(view: View, _: Status, __: Status) -> Iterator[Event]:
    """Tell once in an epoch that gates need more time than the soak still takes."""
    stored, now = view.situation.evidence[0], view.ledger
    if now is None or _remembers(stored, now.epoch) or not _remembers(now, now.epoch):
        return
    late = view.judgement.late if view.judgement else ()
    gates = [gate for name in late if (gate := view.gate(name))]
    said = " ".join(f"{gate.name}: {gate.message}" for gate in gates)
    yield Event(EventReason.SOAK_TOO_SHORT, said, warning=True)


def _remembers(ledger: Ledger | None, epoch: str) -> bool:
    known = ledger is not None and ledger.epoch == epoch and ledger.decided
    return bool(known and known.soak_too_short)


def _epoch(view: View, _: Status, __: Status) -> Iterator[Event]:
    old, new = view.situation.progress.epoch, view.progress.epoch
    if old not in ("", new):
        yield Event(EventReason.EPOCH_STARTED, f"Evidence begins anew: epoch {new}.")


def _verdict(_: View, before: Status, after: Status) -> Iterator[Event]:
    if after.verdict is None:
        return
    if before.verdict is None or before.verdict.decision is not after.verdict.decision:
        yield Event(
            EventReason.VERDICT_CHANGED,
            f"{after.verdict.decision}: {after.verdict.message}",
            warning=after.verdict.decision == "Investigate",
        )


TRANSITIONS: Final[tuple[Transition, ...]] = (
    _acceptance,
    _clones,
    _drift,
    _guard,
    _mirroring,
    _epoch,
    _soak,
    _too_short,
    _verdict,
)
