"""What people are told when the API server did not take what the operator wrote."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from shadow_operator.api.enums import Phase
from shadow_operator.api.reasons import ConditionStatus, ConditionType, EventReason, Reason
from shadow_operator.api.status import Condition, Status
from shadow_operator.core.actions import Annotation, Event
from shadow_operator.core.commands import Commands
from shadow_operator.core.snapshot import Manifest, ObjectRef
from shadow_operator.core.telling.conditions import at


@dataclass(frozen=True, slots=True)
class Refused:
    """A write that failed."""

    ref: ObjectRef
    code: int
    """HTTP status; 0 where no answer came."""
    sentence: str
    """What the API server says about it."""

    @property
    def message(self) -> str:
        """What failed, what to do, and why."""
        what = f"{self.ref.kind} {self.ref.name} could not be changed"
        return f"{what}; {_remedy(self.code)}: {self.sentence.rstrip('.')}."


@dataclass(frozen=True, slots=True)
class Refusals:
    """All writes of one reconcile that failed."""

    children: tuple[Refused, ...] = ()
    evidence: Refused | None = None
    held: bool = False
    """Copies that were to begin, or to become more, have not."""

    @property
    def all(self) -> tuple[Refused, ...]:
        """All of them; what a person can correct in the resource comes first."""
        both = (*self.children, *((self.evidence,) if self.evidence else ()))
        return tuple(sorted(both, key=lambda one: one.code not in _INVALID))

    @property
    def news(self) -> tuple[Refused, ...]:
        """Those that people are told of: a conflict is over at the next look."""
        return tuple(one for one in self.all if one.code != HTTPStatus.CONFLICT)


def explained(
    body: Manifest, planned: Mapping[str, Any] | None, refusals: Refusals, now: float
) -> dict[str, Any] | None:
    """Give the status that says it; None where it was said before.

    `planned` is the status that the plan asked for. What that tells of evidence is not so where the
    evidence was not kept: then all else is as it was.
    """
    before = Status.parse(dict(body.get("status") or {}))
    after = before if planned is None or refusals.evidence else Status.parse(planned)
    update: dict[str, Any] = {"phase": after.phase or Phase.PENDING}
    if message := " ".join(one.message for one in refusals.news):
        update["message"] = message
    if reason := _standing(refusals):
        generation = body["metadata"].get("generation", 0)
        seen = tuple(
            Condition(
                type=kind,
                status=status,
                observed_generation=generation,
                last_transition_time=_since(before, kind, status) or at(now),
                reason=reason,
                message=message,
            )
            for kind, status in _CONDITIONS[reason].items()
        )
        other = {*_CONDITIONS[reason], ConditionType.RECONCILING}
        update["observed_generation"] = generation
        update["conditions"] = (*seen, *(c for c in after.conditions if c.type not in other))
    if reason is Reason.CLONE_REFUSED:
        metadata = body["metadata"]
        update["next_step"] = Commands(metadata["namespace"], metadata["name"]).edit()
    told = after.model_copy(update=update).to_dict()
    return told if told != before.to_dict() else None


def announced(body: Manifest, events: tuple[Event, ...], refusals: Refusals) -> tuple[Event, ...]:
    """Give the events that are true all the same, and the one that says what was refused."""
    if refusals.evidence:
        return ()
    untrue = {EventReason.DRIFT_REPAIRED}
    if refusals.held:
        untrue.add(EventReason.MIRRORING_STARTED)
    refused: tuple[Event, ...] = ()
    if _standing(refusals) is Reason.CLONE_REFUSED:
        untrue |= {EventReason.ACCEPTED, EventReason.REFUSED}
        accepted = Status.parse(dict(body.get("status") or {})).condition(ConditionType.ACCEPTED)
        if accepted is None or accepted.status is not ConditionStatus.FALSE:
            message = refusals.all[0].message
            refused = (Event(EventReason.REFUSED, message, warning=True),)
    return (*refused, *(event for event in events if event.reason not in untrue))


def marked(annotations: tuple[Annotation, ...], refusals: Refusals) -> tuple[Annotation, ...]:
    """Give the marks that are true all the same; without evidence they come again later."""
    if refusals.evidence:
        return ()
    return tuple(one for one in annotations if not (refusals.held and one.begins_copies))


_INVALID: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)

_CONDITIONS: Final[Mapping[Reason, Mapping[ConditionType, ConditionStatus]]] = {
    Reason.CLONE_REFUSED: {
        ConditionType.ACCEPTED: ConditionStatus.FALSE,
        ConditionType.READY: ConditionStatus.FALSE,
        ConditionType.STALLED: ConditionStatus.TRUE,
    },
    Reason.NOT_READY: {ConditionType.READY: ConditionStatus.FALSE},
}


def _standing(refusals: Refusals) -> Reason | None:
    """Give what conditions say of a refusal that stands until a person acts; None for a passing."""
    if any(one.code in _INVALID for one in refusals.children):
        return Reason.CLONE_REFUSED
    standing = any(one.code in (*_INVALID, HTTPStatus.FORBIDDEN) for one in refusals.all)
    return Reason.NOT_READY if standing else None


def _remedy(code: int) -> str:
    if code in _INVALID:
        return "correct the field of spec that it comes from"
    if code == HTTPStatus.FORBIDDEN:
        return "change what forbids it: a right, a quota, or an admission policy"
    return "the operator goes on trying"


def _since(before: Status, kind: ConditionType, status: ConditionStatus) -> datetime | None:
    old = before.condition(kind)
    return old.last_transition_time if old and old.status is status else None
