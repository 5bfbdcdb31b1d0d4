"""The gate of people: what was decided about this epoch, by whom and why.

It only adds a condition. A gate that failed stays failed whatever a person says.
"""

from collections.abc import Iterable

from shadow_operator.api.enums import GateName, GateResult, RecordedDecision
from shadow_operator.api.records import Record
from shadow_operator.api.status import Gate
from shadow_operator.core.judging.case import Case, Outcome, concluded

SOURCE = "spec.records"


def standing(records: Iterable[Record], epoch: str, shadow_image: str) -> Record | None:
    """Give the decision in force for these images: the latest; of two at once the rejection."""
    decisions = [
        record
        for record in records
        if record.decision is not RecordedDecision.NOTED
        and record.epoch == epoch
        and record.shadow_image_id in (None, shadow_image)
    ]
    rejected = RecordedDecision.REJECTED
    return max(decisions, key=lambda one: (one.time, one.decision is rejected), default=None)


def approval(case: Case) -> Outcome:
    """Judge what a person said; until the soak is over nobody is waited for."""
    found = standing(case.spec.records, case.ledger.epoch, case.shadow_image)
    gate = Gate(
        name=GateName.APPROVAL,
        result=GateResult.PASSED,
        observed=found.decision if found else None,
        threshold=RecordedDecision.APPROVED,
        source=SOURCE,
    )
    if found is None:
        text = f"Waiting for a person: nobody has approved epoch {case.ledger.epoch} yet."
        waiting = concluded(gate, GateResult.INCONCLUSIVE, text)
        return Outcome(waiting, on_course=not case.soaked)
    text = f"{found.decision} by {found.by} at {found.time}: {found.note}"
    rejected = found.decision is RecordedDecision.REJECTED
    return Outcome(concluded(gate, GateResult.FAILED if rejected else GateResult.PASSED, text))
