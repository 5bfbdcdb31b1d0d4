"""Differences that are meant are counted apart, as long as they are as rare as they must be."""

from typing import Any

import pytest

from shadow_operator.api.enums import GateName, GateResult
from shadow_operator.api.evidence import ComparatorConfig, PlaceCount, RouteCounts, Target
from shadow_operator.comparator.counts import Rules
from shadow_operator.core.comparing.answer import Answer
from shadow_operator.core.comparing.compare import compare
from shadow_operator.core.comparing.shape import Shape
from shadow_operator.core.counting.counts import counts_of
from shadow_operator.core.counting.tally import Tally, tally
from shadow_operator.core.judging.judgement import Ledger, Subject, begin, hints, judge
from shadow_operator.core.recording.ledger import process_of
from tests.support.readings import EPOCH, control, place, route, snapshot, spec

STATE, MARKER = "$.state text", "header:x-learning extra"
MARKED = f"$.confidence number 1e-2, {MARKER}"


def expecting(percent: str = "0.1", path: str = "$.state", **rules: Any) -> dict[str, Any]:
    rule = {"path": path, "maxPercent": percent, "reason": "rounded anew"}
    return {"comparison": {"expectedVariations": [rule], **rules}}


LEARNING: dict[str, Any] = {"comparison": {"learningMarker": "header:x-learning"}}


def tallied(counts: RouteCounts | list[RouteCounts], **changes: Any) -> Tally:
    """Judge without controls, so that each difference is a change."""
    routes = counts if isinstance(counts, list) else [counts]
    asked = spec(reference={"controlPercent": 0}, **changes)
    return tally(asked, counts_of(snapshot(*routes)), interval=30.0)


def held(*routes: RouteCounts) -> Ledger:
    process = process_of("a", snapshot(*routes))
    return begin(EPOCH, now=0.0, interval=30.0).model_copy(update={"processes": (process,)})


def match_rate(ledger: Ledger, **changes: Any) -> Any:
    asked = spec(reference={"controlPercent": 0}, **changes)
    judged = judge(asked, ledger, Subject("hal9", "hal9"), now=60.0)
    return next(gate for gate in judged.gates if gate.name is GateName.MATCH_RATE)


SHARES = {
    # pairs that differ, of 100,000, against what may differ -> expected, mismatched, unshown
    "far fewer than may": (50, "0.1", (50, 0, 0)),
    "about as many as may": (100, "0.1", (100, 0, 100)),
    "a few more, which may be chance": (120, "0.1", (120, 0, 120)),
    "more than may, whatever chance does": (150, "0.1", (0, 150, 0)),
    "more may": (4000, "5", (4000, 0, 0)),
    "all may": (90_000, "100", (90_000, 0, 0)),
    "none may": (1, "0", (0, 1, 0)),
}


@pytest.mark.parametrize(("differing", "percent", "counted"), SHARES.values(), ids=SHARES)
def test_what_is_expected_is_counted_apart_up_to_its_share(
    differing: int, percent: str, counted: tuple[int, int, int]
) -> None:
    seen = route(100_000 - differing, {STATE: differing}, present={"$.state": 1.0})
    judged = tallied(seen, **expecting(percent))
    assert (judged.total("expected"), judged.mismatched, judged.unshown) == counted
    assert judged.compared == 100_000
    assert judged.judged_share == 1.0


def test_beyond_its_share_it_is_a_mismatch_and_the_sentence_says_so() -> None:
    ledger = held(route(9_900, {STATE: 100}))
    gate = match_rate(ledger, **expecting("0.5"))
    assert gate.result is GateResult.FAILED
    assert gate.message == (
        "9,900 of 10,000 pairs match (100% judged); most often GET /api/v1/neurons/{} $.state text "
        "(expected in at most 0.5% of pairs, seen in 100 of 10,000 (1%)) in 100 pairs."
    )


def test_what_is_not_shown_to_be_rare_counts_against_passing_and_not_for_failing() -> None:
    few = held(route(9_988, {STATE: 12}))
    gate = match_rate(few, soakSeconds=1, **expecting())
    assert gate.result is GateResult.INCONCLUSIVE
    assert "of 12 expected ones it is not shown yet that they are rare" in gate.message
    assert (
        judge(
            spec(**expecting(), reference={"controlPercent": 0}), few, Subject("a", "a"), now=60.0
        ).comparison.expected
        == 12
    )


def test_what_else_differs_in_the_same_pair_counts() -> None:
    judged = tallied(route(9_990, {f"{STATE}, $.sum number 1e-1": 10}), **expecting("5"))
    assert (judged.total("expected"), judged.mismatched) == (0, 10)


def test_a_share_is_that_of_the_pairs_of_the_route() -> None:
    rare = route(80, {STATE: 20}, name="GET /rare")
    judged = tallied([route(100_000), rare], **expecting("5"))
    assert (judged.total("expected"), judged.mismatched) == (0, 20)


def test_a_share_is_that_of_all_places_that_the_rule_names() -> None:
    seen = route(99_800, {"$.a text": 50, "$.b text": 50, "$.a text, $.b text": 100})
    judged = tallied(seen, **expecting("0.1", "*"))
    assert {d.share.pairs for d in judged.differences if d.share} == {200}
    assert judged.mismatched == 200


def test_noise_is_no_variation_and_takes_nothing_of_its_share() -> None:
    often = control(100, {STATE: 50}, {STATE: 50})
    judged = tallied(route(1_000, {STATE: 1_000}, uniform=often), **expecting())
    assert (judged.total("noise"), judged.total("expected")) == (1_000, 0)


def test_undecided_differences_beyond_the_share_stay_undecided() -> None:
    seen = route(900, {STATE: 100}, uniform=control(5, {STATE: 1}, {STATE: 1}))
    judged = tallied(seen, **expecting())
    assert (judged.total("pending"), judged.mismatched) == (100, 0)


def test_places_that_were_counted_singly_are_expected_too() -> None:
    hinted = (PlaceCount(place=place(STATE), pairs=10),)
    seen = route(99_990, hinted=hinted, hinted_only=10)
    judged = tallied(seen, **expecting())
    assert (judged.total("expected"), judged.matched) == (10, 100_000)


LEARNED = {
    "a pair that differs at the marker only": ({MARKER: 20}, (20, 0)),
    "a pair that differs because of learning": ({MARKED: 20}, (20, 0)),
    "a pair that differs in the same way without a marker": (
        {MARKED: 20, "$.confidence number 1e-2": 5},
        (20, 5),
    ),
    "another status class is no learning": ({f"{MARKER}, status status 200>500": 20}, (0, 20)),
    "another type is no learning": ({f"$.a type string>number, {MARKER}": 20}, (0, 20)),
    "a member that is always there is no learning": ({f"$.a missing, {MARKER}": 20}, (0, 20)),
    "the marker of the reference alone says nothing": ({"header:x-learning missing": 20}, (0, 20)),
    "more than a thousandth": ({MARKED: 400}, (0, 400)),
}


@pytest.mark.parametrize(("differing", "counted"), LEARNED.values(), ids=LEARNED)
def test_answers_that_learning_changed_are_counted_apart(
    differing: dict[str, int], counted: tuple[int, int]
) -> None:
    same = 100_000 - sum(differing.values())
    judged = tallied(route(same, differing, present={"$.a": 1.0}), **LEARNING)
    assert (judged.total("expected"), judged.mismatched) == counted
    assert tallied(route(same, differing)).total("expected") == 0


def test_learning_is_a_share_of_all_pairs() -> None:
    seen = [route(99_000, name="GET /often"), route(980, {MARKED: 20})]
    judged = tallied(seen, **LEARNING)
    assert (judged.total("learning"), judged.mismatched, judged.unshown) == (20, 0, 0)


def test_learning_beyond_its_share_is_named() -> None:
    gate = match_rate(held(route(9_900, {MARKED: 100})), **LEARNING)
    assert gate.result is GateResult.FAILED
    assert "(expected in at most 0.1% of pairs, seen in 100 of 10,000 (1%))" in gate.message


def test_a_rule_for_the_marker_lets_learning_change_more() -> None:
    rules = expecting("5", "header:x-learning", learningMarker="header:x-learning")
    judged = tallied(route(9_900, {MARKED: 100}), **rules)
    assert (judged.total("learning"), judged.mismatched) == (100, 0)
    assert {d.excused_by for d in judged.differences} == {
        "learning: the answer carries header:x-learning"
    }


def test_critical_places_are_critical_whatever_learning_did() -> None:
    critical = {"critical": [{"path": "$.confidence", "reason": "money"}]}
    asked = {"comparison": LEARNING["comparison"] | critical}
    judged = tallied(route(99_980, {MARKED: 20}), **asked)
    assert (judged.mismatched, judged.total("critical")) == (20, 20)


def test_the_preset_has_a_marker_where_the_shadow_learns() -> None:
    learned = spec(preset="HAL9", learning="ShadowOnly")
    assert learned.effective_learning_marker == "header:x-hal9-learning"
    assert spec(preset="HAL9").effective_learning_marker is None
    assert spec(learning="ShadowOnly").effective_learning_marker is None
    own = spec(preset="HAL9", **LEARNING)
    assert own.effective_learning_marker == "header:x-learning"


def test_a_marker_is_never_counted_singly() -> None:
    both = {MARKER: 25, "header:x-learning missing": 25}
    seen = route(0, {place: 20 * pairs for place, pairs in both.items()})
    ledger = held(seen.model_copy(update={"uniform": control(100, both, both)}))
    assert [rule.path for rule in hints(spec(), ledger)] == ["header:x-learning"]
    assert hints(spec(**LEARNING), ledger) == ()


def test_a_comparator_names_the_marker_at_once_and_looks_at_its_presence_only() -> None:
    config = ComparatorConfig(
        version="1", epoch="e", resource="a/b", nonce="n", shadow=Target(host="s", port=1),
        reference=None, marker="header:x-9f3a2c71d0",
    )  # fmt: skip
    rules = Rules(config).of("GET", "/a")
    shape = Shape()
    plain, marked = Answer(200, {}), Answer(200, {"x-9f3a2c71d0": "a"})
    found = compare(shape, plain, marked, marker=rules.marker)
    assert [(node.path, kind) for node, kind, _ in found.places] == [
        ("header:x-9f3a2c71d0", "extra")
    ]
    other = Answer(200, {"x-9f3a2c71d0": "b"})
    assert not compare(shape, marked, other, marker=rules.marker).places
