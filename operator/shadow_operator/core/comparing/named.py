"""Which routes and places a rule names."""

from collections.abc import Callable, Iterable

from shadow_operator.api.evidence import PathRule


def rule_matcher(rules: Iterable[PathRule], route: str, method: str) -> Callable[[str], bool]:
    """Return a test whether a place's path is named by one of the rules for this route.

    Paths are matched exactly as they are shown; `*` stands for every place, and as a route for
    every route.
    """
    paths = {
        rule.path
        for rule in rules
        if rule.route is None or same_route(rule.route, method=method, template=route)
    }
    return (lambda _: True) if "*" in paths else paths.__contains__


def same_route(route: str, *, method: str, template: str) -> bool:
    """Return whether a rule's route is this one: `GET /a/{id}`, `/a/{id}` (all methods) or `*`.

    Names in braces do not matter.
    """
    if route == "*":
        return True
    named, _, path = route.rpartition(" ")
    return named in {"", method} and _anonymous(path) == _anonymous(template)


def _anonymous(template: str) -> tuple[str, ...]:
    return tuple(
        "{}" if segment.startswith("{") and segment.endswith("}") else segment
        for segment in template.split("/")
    )
