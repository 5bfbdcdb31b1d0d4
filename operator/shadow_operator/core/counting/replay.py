"""What a comparator would count of two answers that a person has before them."""

from dataclasses import dataclass

from shadow_operator.api.evidence import Place, RouteCounts
from shadow_operator.api.spec import Spec
from shadow_operator.core.comparing.answer import Answer, IncomparableError, proves_nothing
from shadow_operator.core.comparing.compare import compare
from shadow_operator.core.comparing.differing import edges_of
from shadow_operator.core.comparing.named import rule_matcher
from shadow_operator.core.comparing.routes import Routes
from shadow_operator.core.comparing.shape import SHOWN_AFTER, Shape
from shadow_operator.core.counting import rules


@dataclass(frozen=True, slots=True)
class Counted:
    """One pair as it would be counted."""

    route: str
    """Method and template; a learned one needs more requests to be known."""
    outcome: str
    """`matched`, `differs`, `unproven`, or `incomparable` with the reason."""
    compared: bool = True
    """Whether it says anything of the shadow."""
    places: tuple[tuple[Place, str], ...] = ()
    """Where it differs, and the rule that excuses it; empty where none does. Noise is told by
    controls: one pair alone does not show it."""

    @property
    def mismatch(self) -> bool:
        """Whether it would count against the match rate, noise aside."""
        return any(not excuse for _, excuse in self.places)


def count(spec: Spec, method: str, path: str, *, reference: Answer, shadow: Answer) -> Counted:
    """Compare as comparators do, and apply the rules of the spec; `path` is without its query."""
    template = _template(spec, path)
    route = RouteCounts(method=method, template=template)
    if proves_nothing(reference.status, shadow.status):
        return Counted(route.name, "unproven", compared=False)
    unordered = rules.path_rules(spec.comparison.unordered)
    shape = Shape()
    try:
        for _ in range(SHOWN_AFTER):  # what was there so often has its name in the paths
            found = compare(
                shape,
                reference,
                shadow,
                unordered=rule_matcher(unordered, template, method) if unordered else None,
                edges=edges_of(rules.number_edges(spec.comparison)),
                marker=(spec.effective_learning_marker or "").removeprefix("header:"),
            )
    except IncomparableError as error:
        return Counted(route.name, f"incomparable: {error}", compared=False)
    places = sorted(
        (Place(path=node.path, kind=kind, detail=detail) for node, kind, detail in found.places),
        key=lambda place: (place.path, place.kind, place.detail),
    )
    judged = tuple((place, _excuse(spec, route, place)) for place in places)
    return Counted(route.name, "differs" if places else "matched", places=judged)


def _template(spec: Spec, path: str) -> str:
    routes = Routes(spec.effective_routes)
    return [routes.of(path).template for _ in range(SHOWN_AFTER)][-1]


def _excuse(spec: Spec, route: RouteCounts, place: Place) -> str:
    variation = rules.variation(spec.comparison, route, place)
    excuse = rules.excuse(spec.comparison, route, place)
    return excuse or (f"expected: {variation.reason}" if variation else "")
