"""Rules name routes and places as status shows them."""

import pytest

from shadow_operator.api.spec import Comparison
from shadow_operator.core.counting.rules import (
    excuse,
    listed_as_critical,
    path_rules,
    rules_version,
)
from tests.support.readings import place, route, spec

SIGNAL = route(name="GET /api/v1/signal/{}")
CASES = {
    "its exact place in its route": ("/api/v1/signal/{}", "$.age", "$.age number 1e0", True),
    "names in braces do not matter": ("/api/v1/signal/{id}", "$.age", "$.age number 1e0", True),
    "another place": ("/api/v1/signal/{}", "$.age", "$.ages number 1e0", False),
    "a place below": ("/api/v1/signal/{}", "$.age", "$.age.days number 1e0", False),
    "its method and its route": ("GET /api/v1/signal/{}", "$.age", "$.age number 1e0", True),
    "its method and names in braces": (
        "GET /api/v1/signal/{id}",
        "$.age",
        "$.age number 1e0",
        True,
    ),
    "another method": ("POST /api/v1/signal/{}", "$.age", "$.age number 1e0", False),
    "its method and another route": ("GET /api/v1/neurons/{}", "$.age", "$.age number 1e0", False),
    "another route": ("/api/v1/neurons/{}", "$.age", "$.age number 1e0", False),
    "every route": ("*", "$.age", "$.age number 1e0", True),
    "every place": ("/api/v1/signal/{}", "*", "status status 200>500", True),
    "a header": ("*", "header:etag", "header:etag header", True),
}


@pytest.mark.parametrize(("named", "path", "where", "covers"), CASES.values(), ids=CASES.keys())
def test_a_rule_covers(named: str, path: str, where: str, covers: bool) -> None:
    rule = {"route": named, "path": path, "reason": "cache age"}
    ignoring = Comparison.model_validate({"ignore": [rule]})
    critical = Comparison.model_validate({"critical": [rule]})
    expected = "ignore: cache age" if covers else None
    assert excuse(ignoring, SIGNAL, place(where)) == expected
    assert listed_as_critical(critical, SIGNAL, place(where)) is covers


def test_an_unordered_array_excuses_its_order_and_nothing_else() -> None:
    comparison = Comparison.model_validate({"unordered": [{"path": "$.tags", "reason": "a set"}]})
    assert excuse(comparison, SIGNAL, place("$.tags order")) == "unordered: a set"
    assert excuse(comparison, SIGNAL, place("$.tags length")) is None


def test_a_comparator_gets_the_rules_that_name_a_place() -> None:
    comparison = Comparison.model_validate(
        {
            "ignore": [
                {"path": "$.age", "reason": "r"},
                {"route": "/a", "path": "header:etag", "reason": "r"},
                {"route": "/b", "reason": "r"},
            ]
        }
    )
    assert [(rule.route, rule.path) for rule in path_rules(comparison.ignore)] == [
        (None, "$.age"),
        ("/a", "header:etag"),
    ]


def test_the_version_changes_with_rules_and_gates_and_not_with_the_rest() -> None:
    plain = rules_version(spec())
    assert rules_version(spec(comparison={"timeoutSeconds": 3}, soakSeconds=60)) == plain
    ignoring = {"ignore": [{"path": "$.a", "reason": "r"}]}
    for changes in (
        {"comparison": ignoring},
        {"gates": {"matchRate": {"minPercent": "99"}}},
        {"gates": {"eligibleShare": {"mode": "Required"}}},
        {"reference": {"controlPercent": 1}},
    ):
        assert rules_version(spec(**changes)) != plain
