"""Status: as the API server takes it, small whatever happens, read again by any version."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from shadow_operator.api.base import ratio, utc_text
from shadow_operator.api.enums import Decision, GateName, GateResult, Phase
from shadow_operator.api.reasons import ConditionStatus, ConditionType
from shadow_operator.api.status import Condition, Gate, Status, Summary, TopDifference, Verdict
from tests.support.schema import problems, root_schema

NOON = datetime(2025, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)
MAX_BYTES = 32 * 1024


def _condition(message: str = "") -> Condition:
    return Condition(
        type=ConditionType.READY,
        status=ConditionStatus.TRUE,
        last_transition_time=NOON,
        reason="AsRequested",
        message=message,
    )


WRITTEN = _condition("all is well").model_dump(mode="json", by_alias=True, exclude_none=True)


def _at_every_bound(field: dict[str, Any]) -> Any:
    """Give the longest value that the schema lets through."""
    if "properties" in field:
        members = field["properties"].items()
        return {name: _at_every_bound(member) for name, member in members}
    if "items" in field:
        item = field["items"]
        names = [item["properties"].get(key, {}).get("enum") for key in ("name", "type")]
        # A list of named things can be no longer than there are names.
        count = min(field["maxItems"], *(len(words) for words in names if words), 1000)
        return [_at_every_bound(item)] * count
    if "maxLength" in field:
        return ("1" if "[0-9]+" in field.get("pattern", "") else "x") * field["maxLength"]
    fixed = {"integer": field.get("maximum"), "boolean": False, "string": utc_text(NOON)}
    return max(field["enum"], key=len) if "enum" in field else fixed[field["type"]]


@pytest.mark.parametrize("letter", ["x", "é", "\u4e2d"])
def test_a_status_at_every_bound_stays_under_32_kib(letter: str) -> None:
    # Only free text can have other letters; the models refuse them in names and numbers.
    largest = _at_every_bound(root_schema()["properties"]["status"])
    text = re.sub(r"x{64,}", lambda run: letter * len(run[0]), json.dumps(largest))
    written = Status.model_validate_json(text).to_dict()
    compact = json.dumps(written, separators=(",", ":"), ensure_ascii=False)
    assert letter in compact
    assert len(compact.encode()) <= MAX_BYTES


def test_what_an_overlong_status_loses_are_the_least_of_its_differences() -> None:
    largest = _at_every_bound(root_schema()["properties"]["status"])
    differences = largest["comparison"]["topDifferences"]
    numbered = [dict(one, count=number) for number, one in enumerate(differences)]
    largest["comparison"]["topDifferences"] = numbered
    written = Status.model_validate(largest).to_dict()
    kept = [difference["count"] for difference in written["comparison"]["topDifferences"]]
    assert kept == list(range(len(kept)))
    assert 3 <= len(kept) < 10
    assert len(written["gates"]) == len(largest["gates"])


def test_proposals_are_the_first_to_go_from_a_status_that_is_too_large() -> None:
    largest = _at_every_bound(root_schema()["properties"]["status"])
    largest["comparison"]["routes"] = []
    # Too large by about three proposals.
    while len(json.dumps(largest, separators=(",", ":"))) > MAX_BYTES + 1500:
        largest["gates"].pop()
    written = Status.model_validate(largest).to_dict()
    proposed = ["proposal" in one for one in written["comparison"]["topDifferences"]]
    assert len(proposed) == 10
    assert 0 < sum(proposed) < 10
    assert proposed == sorted(proposed, reverse=True)


def test_a_status_is_written_as_the_api_server_takes_it() -> None:
    status = Status(
        observed_generation=3,
        phase=Phase.SOAKING,
        conditions=(_condition("all is well"),),
        summary=Summary(match="99.97%/84%", blocked_by="soak"),
        verdict=Verdict(
            decision=Decision.EXTEND_SHADOW,
            reason="SoakIncomplete",
            decided_time=NOON,
            epoch="e1",
            shadow_image_id="sha256:1",
        ),
        gates=(Gate(name=GateName.MATCH_RATE, result=GateResult.INCONCLUSIVE, samples=100),),
    )
    written = status.to_dict()
    assert problems("status", written) == []
    assert written["summary"] == {"match": "99.97%/84%", "blockedBy": "soak"}
    assert written["verdict"]["shadowImageID"] == "sha256:1"
    assert written["conditions"][0]["lastTransitionTime"] == "2025-01-31T12:00:00Z"
    assert Status.parse(written) == status


def test_the_schema_check_of_the_tests_sees_what_the_api_server_would_drop() -> None:
    condition = _condition().model_dump(mode="json", by_alias=True, exclude_none=True)
    assert problems("status", {"conditions": [condition]}) == []
    assert problems("status", {"conditions": [condition, condition]}) != []
    assert problems("status", {"phaze": "Idle"}) != []
    assert problems("status", {"summary": {"matched": "1"}}) != []
    assert problems("status", {"phase": "Sideways"}) != []


def test_a_time_is_written_in_utc_whatever_its_zone() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=9)))
    assert utc_text(east) == "2025-01-31T12:00:00Z"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        Status(last_measurement_time=datetime(2025, 1, 31))  # noqa: DTZ001  # the point


def test_a_long_sentence_is_cut_and_says_so() -> None:
    message = _condition("é" * 1000).message
    assert len(message.encode()) <= 288
    assert message.endswith("é…")


def test_a_sentence_that_came_in_unchecked_is_cut_when_it_is_written() -> None:
    status = Status(gates=(Gate(name=GateName.COVERAGE, result=GateResult.PASSED),))
    gate = status.gates[0].model_copy(update={"message": "a" * 1000})
    written = status.model_copy(update={"gates": (gate,)}).to_dict()
    assert problems("status", written) == []


def test_a_name_that_is_a_key_is_not_cut_but_refused() -> None:
    with pytest.raises(ValidationError, match="at most 63"):
        Status.model_validate({"reportRef": {"name": "a" * 64}})


def test_the_status_of_another_version_is_read_as_far_as_possible() -> None:
    stored = {
        "observedGeneration": 7,
        "phase": "Levitating",
        "soak": {"requiredSeconds": "many"},
        "invented": True,
        "summary": {"match": "100%", "invented": 1},
    }
    status = Status.parse(stored)
    assert status.observed_generation == 7
    assert status.phase is None
    assert status.soak is None
    assert status.summary == Summary(match="100%")


OTHER_VERSION: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a condition of an unknown type": (
        {"conditions": [{"type": "Levitating"}, WRITTEN, {**WRITTEN, "lastTransitionTime": "x"}]},
        {"conditions": [WRITTEN]},
    ),
    "too many members": ({"phase": "Idle", "preflight": [{}] * 50}, {"phase": "Idle"}),
    "a member deep inside": (
        {
            "health": {
                "layers": [
                    {"name": "Protocol", "state": "Levitating"},
                    {"name": "Substrate", "state": "Healthy"},
                ],
                "workloads": [{"name": "hal9-shadow", "state": "Healthy"}],
            },
        },
        {"health": {"layers": ["Substrate"], "workloads": ["hal9-shadow"]}},
    ),
    "a member and a field beside it": (
        {"phase": "Levitating", "conditions": [WRITTEN, 7], "observedGeneration": 7},
        {"conditions": [WRITTEN], "observedGeneration": 7},
    ),
    "a list that is none": ({"conditions": "many", "message": "x"}, {"message": "x"}),
}


def test_of_a_list_only_what_can_not_be_read_is_forgotten() -> None:
    for name, (stored, left) in OTHER_VERSION.items():
        read = Status.parse(stored).to_dict()
        for part in read.get("health", {}):
            read["health"][part] = [member["name"] for member in read["health"][part]]
        assert {field: value for field, value in read.items() if value} == left, name


def test_a_condition_is_found_by_its_type() -> None:
    status = Status(conditions=(_condition(),))
    assert status.condition(ConditionType.READY) == _condition()
    assert status.condition(ConditionType.STALLED) is None


def test_the_place_of_a_difference_can_be_copied_into_a_rule() -> None:
    bounds = root_schema()["properties"]
    rule = bounds["spec"]["properties"]["comparison"]["properties"]["ignore"]["items"]
    difference = bounds["status"]["properties"]["comparison"]["properties"]["topDifferences"]
    for name in ("route", "path"):
        longest = difference["items"]["properties"][name]["maxLength"]
        assert longest <= rule["properties"][name]["maxLength"]
    assert set(TopDifference.model_fields) >= {"route", "path", "kind", "count"}


@pytest.mark.parametrize(("percent", "value"), [("99.9", 0.999), ("0", 0.0), (5, 0.05)])
def test_a_percentage_of_the_spec_stands_for_a_ratio(percent: str | int, value: float) -> None:
    assert ratio(percent) == pytest.approx(value)
