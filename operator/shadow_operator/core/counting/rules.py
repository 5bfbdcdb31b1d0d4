"""Rules of `spec.comparison`, applied to what was counted; so a changed rule re-judges the past."""

import hashlib
from collections.abc import Iterable
from fractions import Fraction
from typing import Final

from shadow_operator.api.evidence import PathRule, Place, PlaceKind, RouteCounts
from shadow_operator.api.spec import Comparison, ExpectedVariation, PlaceRule, Spec, Tolerance
from shadow_operator.core.comparing.differing import edges_of, largest, own_edges
from shadow_operator.core.comparing.named import same_route

ANY = "*"
TOLERANCE: Final = "tolerance: "
"""How the excuse of a number begins that is close enough."""


def rules_version(spec: Spec) -> str:
    """Return a short hash of all that evidence is judged by; under another it is judged anew.

    That is the rules, the gates, and whether a control tells noise from change.
    """
    text = spec.model_dump_json(
        include={
            "comparison": {
                "ignore", "unordered", "critical", "tolerances", "expected_variations",
                "learning_marker",
            },
            "gates": True,
            "reference": {"control_percent"},
        }
    )  # fmt: skip
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def excuse(comparison: Comparison, route: RouteCounts, place: Place) -> str | None:
    """Return the rule that excuses the place and its reason, or None."""
    for rule in comparison.ignore:
        if _covers(rule, route, place):
            return f"ignore: {rule.reason}"
    if place.kind is PlaceKind.ORDER:
        for rule in comparison.unordered:
            if _covers(rule, route, place):
                return f"unordered: {rule.reason}"
    if place.kind is PlaceKind.NUMBER:
        for tolerance in comparison.tolerances:
            if _covers(tolerance, route, place) and _tolerates(comparison, tolerance, place):
                return f"{TOLERANCE}{tolerance.reason}"
    return None


def number_edges(comparison: Comparison) -> tuple[str, ...]:
    """Return the edges that tolerances need besides the powers of ten.

    They hold for all numbers, since a place may get its name only later.
    """
    return own_edges(tolerance.relative for tolerance in comparison.tolerances)


def _tolerates(comparison: Comparison, tolerance: Tolerance, place: Place) -> bool:
    most = largest(place.detail, edges_of(number_edges(comparison)))
    return most is not None and most <= Fraction(tolerance.relative)


def variation(comparison: Comparison, route: RouteCounts, place: Place) -> ExpectedVariation | None:
    """Return the rule that expects the place to differ, or None."""
    rules = comparison.expected_variations
    return next((rule for rule in rules if _covers(rule, route, place)), None)


def listed_as_critical(comparison: Comparison, route: RouteCounts, place: Place) -> bool:
    """Return whether `comparison.critical` names the place."""
    return any(_covers(rule, route, place) for rule in comparison.critical)


def path_rules(rules: Iterable[PlaceRule]) -> tuple[PathRule, ...]:
    """Return the rules that a comparator can apply: those that name one exact place."""
    return tuple(
        PathRule(path=rule.path, route=None if rule.route == ANY else rule.route)
        for rule in rules
        if rule.path != ANY
    )


def _covers(rule: PlaceRule, route: RouteCounts, place: Place) -> bool:
    if not same_route(rule.route, method=route.method, template=route.template):
        return False
    return rule.path in {ANY, place.path}
