"""Rules of `spec.comparison`, applied to what was counted; so a changed rule re-judges the past."""

import hashlib
from collections.abc import Iterable

from shadow_operator.api.evidence import PathRule, Place, PlaceKind, RouteCounts
from shadow_operator.api.spec import Comparison, PlaceRule, Spec
from shadow_operator.core.compare import same_route

ANY = "*"


def rules_version(spec: Spec) -> str:
    """Return a short hash of all that evidence is judged by; under another it is judged anew.

    That is the rules, the gates, and whether a control tells noise from change.
    """
    text = spec.model_dump_json(
        include={
            "comparison": {
                "ignore", "unordered", "critical", "tolerances", "expected_variations"
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
    return None


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
