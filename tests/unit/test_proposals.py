"""A rule is proposed for a difference that looks harmless; pasted, it excuses exactly that."""

import shlex
from typing import Any

import pytest
import yaml

from shadow_operator.api.evidence import Place, PlaceCount, PlaceKind, RouteCounts, Signature
from shadow_operator.api.spec import Comparison
from shadow_operator.core.judging.judgement import Judgement, Ledger, Subject, begin, judge
from shadow_operator.core.recording.ledger import process_of
from tests.support.readings import EPOCH, control, route, snapshot, spec

WRONG = "$.state text"
TIME, ID = "$.at timestamp", "$.id identifier"


def held(*routes: RouteCounts) -> Ledger:
    process = process_of("a", snapshot(*routes))
    return begin(EPOCH, now=0.0, interval=30.0).model_copy(update={"processes": (process,)})


def judged(ledger: Ledger, **comparison: Any) -> Judgement:
    return judge(spec(comparison=comparison), ledger, Subject("hal9", "hal9"), now=60.0)


def differing(*places: str, pairs: int = 50, **changes: Any) -> RouteCounts:
    """Give a route in which these places differ, each in pairs of its own, and so does a state."""
    counted = dict.fromkeys(places, pairs)
    # Far more often than the reference, which is a change and no noise.
    varies = dict.fromkeys((TIME, ID), 8)
    most = dict.fromkeys((*places, WRONG, TIME, ID), 50)
    usual: dict[str, Any] = {"uniform": control(100, varies, most), "present": {"$.a": 1.0}}
    return route(1_000, {**counted, WRONG: 50}, **usual | changes)


def proposals(ledger: Ledger, **comparison: Any) -> dict[str, str]:
    top = judged(ledger, **comparison).comparison.top_differences
    return {f"{one.path} {one.kind}": one.proposal or "" for one in top}


PROPOSED = {
    "a number that differs in its last digits": (
        "$.sum number 1e-9",
        {"tolerances": [{"path": "$.sum", "relative": "1e-8"}]},
    ),
    "the order of an array": ("$.tags order", {"unordered": [{"path": "$.tags"}]}),
    "a time that differs anyway": (TIME, {"ignore": [{"path": "$.at"}]}),
    "an id that differs anyway": (ID, {"ignore": [{"path": "$.id"}]}),
    "who serves": ("header:server header", {"ignore": [{"path": "header:server"}]}),
    "a header of the service's own": (
        "header:x-build header",
        {"ignore": [{"path": "header:x-build"}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("place", "rules"), PROPOSED.values(), ids=PROPOSED)
def test_a_pasted_proposal_excuses_exactly_its_difference(
    place: str, rules: dict[str, list[dict[str, str]]]
) -> None:
    ledger = held(differing(place))
    path, kind = place.split()[:2]
    text = proposals(ledger)[f"{path} {kind}"]
    pasted = yaml.safe_load(text)
    assert list(pasted) == ["comparison"]
    [(field, [rule])] = pasted["comparison"].items()
    assert {field: [{k: v for k, v in rule.items() if k not in {"route", "reason"}}]} == rules
    assert rule["route"] == "GET /api/v1/neurons/{}"
    Comparison.model_validate(pasted["comparison"])

    before, after = judged(ledger), judged(ledger, **pasted["comparison"])
    excused = {one.path: one.excused_by for one in after.comparison.top_differences}
    assert (excused[path] or "").endswith(": <why>")
    assert excused["$.state"] is None
    assert after.comparison.mismatched == before.comparison.mismatched - 50


NOT_PROPOSED: dict[str, tuple[str, dict[str, Any]]] = {
    "a text": ("$.name text", {}),
    "a status": ("status status 200>201", {}),
    "a type": ("$.a type string>number", {}),
    "a member that is missing": ("$.a missing", {}),
    "a member that is new": ("$.a extra", {}),
    "another length": ("$.a length", {}),
    "another truth": ("$.a boolean", {}),
    "a number by more than rounding": ("$.sum number 1e-6", {}),
    "a number by a tenth": ("$.sum number 1e-1", {}),
    "a date that the reference keeps": ("$.due timestamp", {}),
    "an id that the reference keeps": ("$.owner identifier", {}),
    "a header that clients obey": ("header:location header", {}),
    "which cookies are set": ("header:set-cookie header", {}),
    "a header that is gone": ("header:x-build missing", {}),
    "a rare difference": ("header:server header", {"pairs": 9}),
    "a place without its name": ("header:{*} header", {}),
}


@pytest.mark.parametrize(("place", "changes"), NOT_PROPOSED.values(), ids=NOT_PROPOSED)
def test_nothing_is_proposed_for(place: str, changes: dict[str, Any]) -> None:
    found = proposals(held(differing(place, **changes)))
    assert found[" ".join(place.split()[:2])] == ""


def test_nothing_is_proposed_for_a_critical_place_or_one_that_is_excused() -> None:
    ledger = held(differing("header:server header"))
    rule = {"path": "header:server", "reason": "r"}
    assert not any(proposals(ledger, critical=[rule]).values())
    assert not any(proposals(ledger, ignore=[rule]).values())
    assert not any(proposals(ledger, expectedVariations=[rule]).values())


def test_nothing_is_proposed_where_a_rule_would_hide_more() -> None:
    found = proposals(held(differing(TIME, "$.at type string>null")))
    assert found["$.at timestamp"] == ""
    found = proposals(held(differing("$.sum number 1e-9", "$.sum number 1e-2")))
    assert found["$.sum number"] == ""
    found = proposals(held(differing("$.sum number 1e-9", "$.sum number 1e-8")))
    assert '"1e-7"' in found["$.sum number"]


def test_nothing_is_proposed_while_it_may_be_noise() -> None:
    unknown = differing(TIME, uniform=control(5, {TIME: 2}, {TIME: 2}))
    assert proposals(held(unknown))["$.at timestamp"] == ""


def test_a_proposal_is_one_line_that_a_shell_takes_whatever_the_names() -> None:
    path = "$['a: {b}', \"c\"] # é"
    named = Place(path=path, kind=PlaceKind.ORDER)
    odd = Signature(places=(named,), pairs=50, first_time=0.0, last_time=600.0)
    clean = control(100).model_copy(update={"shadow": (PlaceCount(place=named, pairs=50),)})
    text = proposals(held(route(1_000, signatures=(odd,), uniform=clean)))[f"{path} order"]
    assert "\n" not in text
    assert yaml.safe_load(text)["comparison"]["unordered"][0]["path"] == path
    assert shlex.split(shlex.quote(text)) == [text]


def test_a_proposal_that_would_be_cut_is_none() -> None:
    long = route(
        1_000, {f"$.{'x' * 300} order": 50}, name=f"GET /{'a' * 200}", uniform=control(100)
    )
    assert set(proposals(held(long)).values()) == {""}
