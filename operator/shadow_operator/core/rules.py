"""Rules of `spec.comparison`, applied to what was counted; so a changed rule re-judges the past."""

import hashlib
from collections.abc import Iterable

from shadow_operator.api.evidence import PathRule, Place, PlaceKind
from shadow_operator.api.spec import Comparison, PlaceRule

ANY = "*"


def rules_version(comparison: Comparison) -> str:
    """Return a short hash of all rules: evidence judged under other rules is judged anew."""
    text = comparison.model_dump_json(
        include={"ignore", "unordered", "critical", "tolerances", "expected_variations"}
    )
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def excuse(comparison: Comparison, template: str, place: Place) -> str | None:
    """Return the rule that excuses the place and its reason, or None."""
    for rule in comparison.ignore:
        if _covers(rule, template, place):
            return f"ignore: {rule.reason}"
    if place.kind is PlaceKind.ORDER:
        for rule in comparison.unordered:
            if _covers(rule, template, place):
                return f"unordered: {rule.reason}"
    return None


def listed_as_critical(comparison: Comparison, template: str, place: Place) -> bool:
    """Return whether `comparison.critical` names the place."""
    return any(_covers(rule, template, place) for rule in comparison.critical)


def path_rules(rules: Iterable[PlaceRule]) -> tuple[PathRule, ...]:
    """Return the rules that a comparator can apply: those that name one exact place."""
    return tuple(
        PathRule(path=rule.path, route=None if rule.route == ANY else rule.route)
        for rule in rules
        if rule.path != ANY
    )


def same_route(route: str, template: str) -> bool:
    """Return whether a rule's route is this template: names in braces do not matter."""
    return route == ANY or _anonymous(route) == _anonymous(template)


def _covers(rule: PlaceRule, template: str, place: Place) -> bool:
    if not same_route(rule.route, template):
        return False
    return rule.path in {ANY, place.path}


def _anonymous(template: str) -> tuple[str, ...]:
    return tuple(
        "{}" if segment.startswith("{") and segment.endswith("}") else segment
        for segment in template.split("/")
    )
