"""How much of a route's answers was really compared: what neither noise nor a rule excuses."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from shadow_operator.api.evidence import Place, PlaceKind, RouteCounts
from shadow_operator.core.counting.differences import NOISE, Difference
from shadow_operator.core.counting.rules import TOLERANCE
from shadow_operator.core.counting.variations import EXPECTED, LEARNING, has_owner


def excused_leaves(route: RouteCounts, differences: Iterable[Difference]) -> int:
    """Count the values that nothing was found out about.

    Noise that a value is not there, or of another type, says nothing about the pairs in which both
    sides have it: there it is compared.
    """
    differences = [d for d in differences if not (_says_no_value(d.place) or _is_judged(d))]
    counting = {d.place.path for d in differences if d.counts}
    excused = [d for d in differences if d.excused_by and d.place.path not in counting]
    leaves = {count.path: count.leaves for count in route.paths}
    whole = _topmost(d.place.path for d in excused if not _is_at_times(d))
    total = sum(leaves.get(path, 0) for path in whole)
    at_times: Counter[str] = Counter()
    for difference in filter(_is_at_times, excused):
        at_times[difference.place.path] += difference.pairs
    for path in _topmost(at_times):
        if path not in whole and not any(_below(path, other) for other in whole):
            rest = leaves.get(path, 0) - sum(leaves.get(w, 0) for w in whole if _below(w, path))
            total += round(max(0, rest) * min(1.0, at_times[path] / route.pairs))
    return min(route.leaves, total)


_AT_TIMES: Final = frozenset({PlaceKind.MISSING, PlaceKind.EXTRA, PlaceKind.TYPE, PlaceKind.LENGTH})


def _is_at_times(difference: Difference) -> bool:
    return has_owner(difference.excused_by, NOISE) and difference.place.kind in _AT_TIMES


def _topmost(paths: Iterable[str]) -> set[str]:
    """Leave out what is below another one."""
    paths = set(paths)
    return {path for path in paths if not any(_below(path, other) for other in paths)}


def _says_no_value(place: Place) -> bool:
    """Say whether the values there were compared all the same: other order, or as far as read."""
    return place.kind is PlaceKind.ORDER or place.unread


def _is_judged(difference: Difference) -> bool:
    """Say whether an excused difference was looked at all the same: how far, or how often."""
    return has_owner(difference.excused_by, TOLERANCE, EXPECTED, LEARNING)


def _below(path: str, other: str) -> bool:
    return path != other and (path.startswith((f"{other}.", f"{other}[")))
