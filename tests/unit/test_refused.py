"""A write that the API server did not take is said in status: what, why, and what to do."""

from typing import Any

import pytest

from shadow_operator.api.reasons import EventReason
from shadow_operator.core.actions import Event
from shadow_operator.core.snapshot import ObjectRef
from shadow_operator.core.telling.refused import Refusals, Refused, announced, explained
from tests.support.schema import problems
from tests.support.world import START, up

SHADOW = ObjectRef("apps/v1", "Deployment", "hal9-shadow")
EVIDENCE = ObjectRef("v1", "ConfigMap", "hal9-evidence")
BUDGET = ObjectRef("policy/v1", "PodDisruptionBudget", "hal9-comparator")

INVALID = Refused(SHADOW, 422, "spec.template: Invalid value: memroy")
FORBIDDEN = Refused(BUDGET, 403, "exceeded quota")
UNREACHED = Refused(BUDGET, 0, "the API server did not answer (ReadTimeout)")
CONFLICT = Refused(BUDGET, 409, "it was changed")
LOST = Refused(EVIDENCE, 403, "exceeded quota: count/configmaps")

BODY = up().body
LATER = BODY["status"] | {"message": "All is well.", "lastMeasurementTime": "2030-01-01T00:00:00Z"}


def told(refusals: Refusals, body: dict[str, Any] = BODY) -> dict[str, Any]:
    status = explained(body, LATER, refusals, START)
    assert status is not None
    assert problems("status", status) == []
    return status


def condition(status: dict[str, Any], kind: str) -> tuple[str, str] | None:
    seen = {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}
    return seen.get(kind)


def test_an_invalid_child_means_that_the_resource_is_not_accepted() -> None:
    status = told(Refusals((INVALID,)))
    assert status["message"] == (
        "Deployment hal9-shadow could not be changed; correct the field of spec that it comes from"
        ": spec.template: Invalid value: memroy."
    )
    assert condition(status, "Accepted") == ("False", "CloneRefused")
    assert condition(status, "Ready") == ("False", "CloneRefused")
    assert condition(status, "Stalled") == ("True", "CloneRefused")
    assert status["nextStep"] == "kubectl -n hal9 edit shd hal9"
    assert status["lastMeasurementTime"] == LATER["lastMeasurementTime"]


@pytest.mark.parametrize(
    ("refused", "ready", "remedy"),
    [
        (FORBIDDEN, ("False", "NotReady"), "a right, a quota, or an admission policy"),
        (UNREACHED, ("True", "AsRequested"), "the operator goes on trying"),
    ],
)
def test_what_the_resource_is_not_to_blame_for_leaves_it_accepted(
    refused: Refused, ready: tuple[str, str], remedy: str
) -> None:
    status = told(Refusals((refused,)))
    assert remedy in status["message"]
    assert condition(status, "Accepted") == ("True", "Accepted")
    assert condition(status, "Ready") == ready


def test_what_can_be_corrected_is_said_first_and_nothing_is_lost() -> None:
    message = told(Refusals((FORBIDDEN, INVALID), LOST))["message"]
    places = [message.index(name) for name in ("hal9-shadow", "hal9-comparator", "hal9-evidence")]
    assert places == sorted(places)


def test_of_evidence_that_is_not_kept_nothing_is_told() -> None:
    status = told(Refusals(evidence=LOST))
    assert "ConfigMap hal9-evidence could not be changed" in status["message"]
    assert status.get("lastMeasurementTime") == BODY["status"]["lastMeasurementTime"]
    assert condition(status, "Ready") == ("False", "NotReady")
    assert announced(BODY, (Event(EventReason.SOAK_COMPLETED, ""),), Refusals(evidence=LOST)) == ()


def test_the_first_status_of_a_resource_says_it_too() -> None:
    status = told(Refusals(evidence=LOST), {**BODY, "status": {}})
    assert (status["phase"], status["observedGeneration"]) == ("Pending", 1)
    assert "hal9-evidence" in status["message"]


def test_a_conflict_is_no_news() -> None:
    assert told(Refusals((CONFLICT,))) == LATER


@pytest.mark.parametrize("refusals", [Refusals((INVALID,)), Refusals(evidence=LOST)], ids=str)
def test_what_was_said_is_not_said_again(refusals: Refusals) -> None:
    said = explained(BODY, None, refusals, START)
    body = {**BODY, "status": said}
    assert said is not None
    assert explained(body, None, refusals, START + 60) is None
    [*events] = announced(body, (Event(EventReason.ACCEPTED, ""),), refusals)
    assert events == []


@pytest.mark.parametrize(
    ("refusals", "posted"),
    [
        pytest.param(Refusals((INVALID,)), ["Refused", "MirroringStarted"], id="invalid"),
        pytest.param(Refusals((FORBIDDEN,)), ["MirroringStarted"], id="forbidden"),
        pytest.param(Refusals((FORBIDDEN,), held=True), [], id="copies are held back"),
    ],
)
def test_events_tell_of_what_came_to_be(refusals: Refusals, posted: list[str]) -> None:
    planned = (Event(EventReason.DRIFT_REPAIRED, ""), Event(EventReason.MIRRORING_STARTED, ""))
    assert [event.reason for event in announced(BODY, planned, refusals)] == posted
