"""Rules that would excuse a difference which looks harmless, ready to be pasted; people decide.

Nothing here excuses anything. A rule is proposed for what is frequent, and known by its whole name,
and looks harmless by its kind and by what the controls have shown; never for a critical place, a
status, a type, a member that is missing or one that is new.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Final

from shadow_operator.api.evidence import Place, PlaceKind, RouteCounts
from shadow_operator.api.spec import Comparison
from shadow_operator.core.comparing.differing import edges_of, largest
from shadow_operator.core.comparing.shape import FOLDED, KNOWN_HEADERS
from shadow_operator.core.counting.rules import number_edges
from shadow_operator.core.counting.tally import Difference, Tally

FREQUENT_PAIRS: Final = 10
"""Fewer pairs are looked at one by one; and they must have come in two intervals."""
SMALL: Final = Fraction("1e-6")
"""Relative difference of numbers that may be another way of rounding."""
VARIES: Final = 3
"""Controls in which the reference must have differed from itself: what it keeps stable, a date or
an id, is no harmless one when it changes."""
LONGEST: Final = 384
"""Bytes of a proposal; a rule that is cut is none."""

_TELLING: Final = frozenset(
    {
        "server", "via", "x-powered-by", "x-request-id", "x-correlation-id", "x-amz-cf-id",
        "x-amz-id-2", "x-amz-request-id", "x-cache", "x-response-time", "x-runtime",
    }
)  # fmt: skip
"""Known headers that tell something to people; the others tell clients what to do."""

_Rule = Mapping[str, object]


def proposal(difference: Difference, counted: Tally, comparison: Comparison) -> str:
    """Write the rule as one line of YAML below `spec`; empty where none is proposed."""
    place = difference.place
    open_to = (
        difference.counts
        and not (difference.critical or difference.listed or difference.share)
        and difference.reproduced
        and difference.pairs >= FREQUENT_PAIRS
        and FOLDED not in difference.route + place.path
    )
    look = _LOOKS.get(place.kind) if open_to else None
    found = look(difference, counted, comparison) if look else None
    if found is None:
        return ""
    field, more = found
    rule = {"route": difference.route, "path": place.path, **more, "reason": "<why>"}
    members = ", ".join(f"{name}: {_quoted(value)}" for name, value in rule.items())
    text = f"comparison: {{{field}: [{{{members}}}]}}"
    return text if len(text.encode()) <= LONGEST else ""


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


_Found = tuple[str, _Rule] | None
"""Field of `comparison`, and what its rule has besides a place and a reason."""


def _number(difference: Difference, counted: Tally, comparison: Comparison) -> _Found:
    """Tolerate numbers that are never far apart there."""
    edges = edges_of(number_edges(comparison))
    apart = [
        largest(other.place.detail, edges)
        for other in _open_at(difference, counted)
        if other.place.kind is PlaceKind.NUMBER
    ]
    known = [edge for edge in apart if edge is not None]
    if len(known) < len(apart) or max(known) > SMALL:
        return None
    return "tolerances", {"relative": edges.names[edges.exact.index(max(known))]}


def _order(_difference: Difference, _counted: Tally, _comparison: Comparison) -> _Found:
    return "unordered", {}


def _text(difference: Difference, counted: Tally, _comparison: Comparison) -> _Found:
    """Ignore what changes from call to call anyway, and headers that tell clients nothing.

    A rule `ignore` excuses whatever happens at its place, so nothing else may happen there.
    """
    others = {other.place.kind for other in _open_at(difference, counted)}
    if not others <= _HARMLESS:
        return None
    _, is_header, name = difference.place.path.partition("header:")
    if is_header:
        return ("ignore", {}) if name in _TELLING or name not in KNOWN_HEADERS else None
    route = next(r for r in counted.counts.routes if r.name == difference.route)
    return ("ignore", {}) if _varies(route, difference.place) else None


def _varies(route: RouteCounts, place: Place) -> bool:
    """Say whether the reference differs from itself there, though not as the shadow does."""
    tables = (route.uniform.reference, route.triggered.reference)
    return sum(c.pairs for table in tables for c in table if c.place == place) >= VARIES


def _open_at(difference: Difference, counted: Tally) -> Iterable[Difference]:
    """Give all that differs at the same place and is not excused."""
    return (
        other
        for other in counted.differences
        if other.route == difference.route
        and other.place.path == difference.place.path
        and other.excused_by is None
    )


_HARMLESS: Final = frozenset({PlaceKind.TIMESTAMP, PlaceKind.IDENTIFIER, PlaceKind.HEADER})

_LOOKS: Final[Mapping[PlaceKind, Callable[[Difference, Tally, Comparison], _Found]]] = {
    PlaceKind.NUMBER: _number,
    PlaceKind.ORDER: _order,
    **dict.fromkeys(_HARMLESS, _text),
}
