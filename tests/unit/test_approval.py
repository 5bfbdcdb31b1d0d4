"""`approval: Required`: a person's word about one epoch, which adds a condition and takes none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shadow_operator.api.enums import Decision, GateName, GateResult
from shadow_operator.api.records import Record
from shadow_operator.core.judging.approval import standing
from tests.support.readings import EPOCH
from tests.support.world import World, up
from tests.unit.test_judgement import IGNORE_STATE, Run, buggy

if TYPE_CHECKING:
    from shadow_operator.core.judging.judgement import Judgement

IMAGE = "sha256:new"


def record(decision: str = "Approved", **changes: Any) -> dict[str, Any]:
    """Give a record of this epoch as the resource has it."""
    known = {"time": "2026-01-31T14:05:00Z", "by": "anna", "note": "as agreed", "epoch": EPOCH}
    return {**known, "decision": decision, **changes}


NOTED = record("Noted")
EARLIER = record("Rejected", time="2026-01-31T14:00:00Z", by="ben")
AT_ONCE = record("Rejected", by="ben")
LATER = record("Rejected", time="2026-01-31T14:06:00Z", by="ben", note="too slow")
ANOTHER_EPOCH = record(epoch="of-old-1")
ANOTHER_IMAGE = record(shadowImageID="sha256:moved")
THIS_IMAGE = record(shadowImageID=IMAGE)

INCONCLUSIVE, PASSED, FAILED = GateResult.INCONCLUSIVE, GateResult.PASSED, GateResult.FAILED

CASES: dict[str, tuple[list[dict[str, Any]], GateResult]] = {
    "nobody has said anything": ([], INCONCLUSIVE),
    "a note decides nothing": ([NOTED], INCONCLUSIVE),
    "approved": ([record()], PASSED),
    "approved for the image that runs": ([THIS_IMAGE], PASSED),
    "approved for another epoch": ([ANOTHER_EPOCH], INCONCLUSIVE),
    "approved for an image that ran before under the same tag": ([ANOTHER_IMAGE], INCONCLUSIVE),
    "rejected": ([LATER], FAILED),
    "rejected after an approval, whatever the order of the list": ([LATER, record()], FAILED),
    "approved after a rejection": ([record(), EARLIER], PASSED),
    "both in one second": ([record(), AT_ONCE], FAILED),
}


@pytest.mark.parametrize(("records", "result"), CASES.values(), ids=CASES.keys())
def test_the_latest_decision_about_this_epoch_counts(
    records: list[dict[str, Any]], result: GateResult
) -> None:
    judged = soaked(*records)
    assert gate(judged).result is result


def soaked(*records: dict[str, Any], **changes: Any) -> Judgement:
    """Judge a good version after its soak."""
    return Run(approval="Required", records=list(records), **changes).go(630)


def gate(judged: Judgement) -> Any:
    """Give the gate of people."""
    return next(one for one in judged.gates if one.name is GateName.APPROVAL)


def test_the_verdict_waits_for_a_person_and_says_how_to_answer() -> None:
    judged = soaked()
    assert judged.verdict is not None
    assert judged.verdict.decision is Decision.EXTEND_SHADOW
    assert judged.verdict.message.startswith("approval: Waiting for a person: ")
    assert EPOCH in judged.verdict.message
    assert judged.blocked_by == "approval"
    assert judged.next_step == (
        'kubectl shadow approve --namespace hal9 --name hal9 --note "<why>"'
    )
    assert not judged.final


def test_while_the_soak_runs_nobody_is_waited_for() -> None:
    judged = Run(approval="Required").go(300)
    assert judged.blocked_by.startswith("soak ")


def test_an_approval_lets_it_proceed_and_one_that_is_taken_back_stops_it() -> None:
    run = Run(approval="Required")
    run.go(630)
    for records, decision in (
        ([record()], Decision.PROCEED_TO_CANARY),
        ([], Decision.EXTEND_SHADOW),
        ([record()], Decision.PROCEED_TO_CANARY),
        ([record(), LATER], Decision.INVESTIGATE),
    ):
        run.spec = run.spec.model_copy(
            update={"records": tuple(map(Record.model_validate, records))}
        )
        run.judge()
        verdict = run.said[-1].verdict
        assert verdict is not None
        assert verdict.decision is decision
        said = verdict.message
    assert "Rejected by ben at 2026-01-31T14:06:00Z: too slow" in said


def test_a_rejection_takes_no_soak_away() -> None:
    assert soaked(LATER).soak.elapsed_seconds == soaked(record()).soak.elapsed_seconds > 0


def test_an_approval_overrides_no_gate_that_failed() -> None:
    judged = Run(approval="Required", records=[record()]).go(630, buggy)
    assert judged.verdict is not None
    assert judged.verdict.decision is Decision.INVESTIGATE
    assert judged.blocked_by != "approval"
    excused = Run(approval="Required", records=[record()], comparison=IGNORE_STATE).go(630, buggy)
    assert excused.verdict is not None
    assert excused.verdict.decision is Decision.PROCEED_TO_CANARY


def test_where_no_approval_is_asked_for_there_is_no_such_gate() -> None:
    judged = Run(records=[LATER]).go(630)
    assert judged.verdict is not None
    assert judged.verdict.decision is Decision.PROCEED_TO_CANARY
    assert GateName.APPROVAL not in {one.name for one in judged.gates}


def test_of_no_records_none_stands() -> None:
    assert standing((), EPOCH, IMAGE) is None


def test_status_waits_and_ends_with_the_word_of_a_person() -> None:
    world = up()
    world.traffic = 5000
    world.edit(soakSeconds=60, approval="Required")
    _go(world)
    assert world.status["summary"]["blockedBy"] == "approval"
    assert world.status["phase"] == "Soaking"
    epoch = world.status["verdict"]["epoch"]
    world.edit(records=[record(epoch=epoch)])
    _go(world)
    assert world.status["verdict"]["decision"] == "ProceedToCanary"
    assert world.status["phase"] == "Completed"
    assert world.status["verdict"]["epoch"] == epoch
    world.roll_out("newer")
    _go(world)
    assert world.status["verdict"]["decision"] != "ProceedToCanary"


def _go(world: World) -> None:
    for _ in range(20):
        world.reconcile(30.0)
        world.settle()
