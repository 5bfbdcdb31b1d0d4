"""Is a differing place noise? Judged from how much the reference disagrees with itself.

The comparator asks a second reference pod (the control) for a uniform sample of requests, at the
same moment; and once more for pairs that differed (triggered). If the new version changes nothing
at a place, then shadow, reference and control are exchangeable there, and two things follow:

1. In the uniform sample the shadow differs from the reference as often as the control does. Given
   `s` and `r` such triples, `s` is at most as large as Binomial(s + r, 1/2) makes likely. (Both
   share the reference's answer, which only makes the test more careful.)
2. Given that the shadow differs from the reference, one of both is the odd one out, equally likely;
   so the control differs from the reference in at least half of the triggered triples.

Where one of them is refuted, the place is a change. Otherwise it is noise once there is enough
evidence that the reference does disagree with itself, and undecided before.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from shadow_operator.api.evidence import Place, PlaceCount, PlaceKind, RouteCounts
from shadow_operator.core.statistics import at_least, at_most, no_more_often

MINIMUM_TRIPLES = 20
"""Fewer uniform triples say nothing about noise."""
MINIMUM_TRIGGERED = 10
"""Nor do fewer triggered ones in which the shadow differed."""
MINIMUM_DISAGREEMENTS = 3
"""The reference must have disagreed with itself so often in the uniform sample."""
LEVEL = 0.01
"""Level of the tests on the uniform sample."""
TRIGGERED_LEVEL = 0.001
"""Level of the test on triggered triples: stricter, because its null is met exactly by rare noise
and the test is repeated with every reading. Ten clean controls refute noise."""

BY_KIND_ALONE = frozenset({PlaceKind.TIMESTAMP, PlaceKind.IDENTIFIER})
"""Where there is no control at all, these kinds are excused unseen, and status says so."""


class Standing(StrEnum):
    """What the evidence says about one place."""

    NOISE = "noise"
    CHANGE = "change"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class _Counts:
    """In how many pairs and triples a place, or one like it, differed."""

    pairs: int
    differing: int
    triples: int
    reference: int
    shadow: int
    triggered_reference: int
    triggered_shadow: int

    @property
    def refuted(self) -> bool:
        """Whether the shadow differs there more than noise would."""
        uniform = at_least(self.shadow, self.shadow + self.reference, 0.5)
        if uniform < LEVEL:
            return True
        triggered = at_most(self.triggered_reference, self.triggered_shadow, 0.5)
        return self.triggered_shadow > 0 and triggered < TRIGGERED_LEVEL

    @property
    def supported(self) -> bool:
        """Whether the reference was seen to disagree with itself there."""
        uniform = self.triples >= MINIMUM_TRIPLES and self.reference >= MINIMUM_DISAGREEMENTS
        return uniform or (
            self.triggered_shadow >= MINIMUM_TRIGGERED
            and self.triggered_reference >= MINIMUM_DISAGREEMENTS
        )

    @property
    def more_often_in_all_pairs(self) -> bool:
        """Whether all pairs differ there more often than the reference in the uniform sample."""
        if self.triples < MINIMUM_TRIPLES:
            return False
        return no_more_often(self.reference, self.triples, self.differing, self.pairs) < LEVEL


Key: TypeAlias = tuple[str, PlaceKind]


class RouteNoise:
    """The noise test for the places of one route."""

    def __init__(self, route: RouteCounts, *, controlled: bool) -> None:
        """Index what was counted; `controlled` False: there is no second reference pod."""
        self._route = route
        self._controlled = controlled
        self._signatures: dict[Key, list[tuple[int, tuple[Place, ...]]]] = defaultdict(list)
        for signature in route.signatures:
            for key in {_key(place) for place in signature.places}:
                places = tuple(place for place in signature.places if _key(place) == key)
                self._signatures[key].append((signature.pairs, places))
        self._hinted = _by_key(route.hinted)
        self._tables = {
            "reference": (route.uniform, _by_key(route.uniform.reference)),
            "shadow": (route.uniform, _by_key(route.uniform.shadow)),
            "triggered_reference": (route.triggered, _by_key(route.triggered.reference)),
            "triggered_shadow": (route.triggered, _by_key(route.triggered.shadow)),
        }

    def standing(self, place: Place) -> Standing:
        """Say what a place is."""
        if not self._controlled:
            return Standing.NOISE if place.kind in BY_KIND_ALONE else Standing.CHANGE
        same_kind = self._count(place, lambda _: True)
        as_bad = self._count(place, lambda other: _as_bad(place, other))
        if same_kind.refuted or as_bad.refuted:
            return Standing.CHANGE
        if same_kind.supported and self._in_range(place):
            return Standing.NOISE
        return Standing.CHANGE if as_bad.more_often_in_all_pairs else Standing.UNDECIDED

    def _count(self, place: Place, like: Callable[[Place], bool]) -> _Counts:
        key = _key(place)
        in_signatures = sum(
            pairs for pairs, places in self._signatures.get(key, ()) if any(map(like, places))
        )
        in_hints = sum(count.pairs for count in self._hinted.get(key, ()) if like(count.place))
        controls = {
            name: min(
                control.triples,
                sum(count.pairs for count in table.get(key, ()) if like(count.place)),
            )
            for name, (control, table) in self._tables.items()
        }
        return _Counts(
            pairs=self._route.pairs,
            differing=min(self._route.pairs, in_signatures + in_hints),
            triples=self._route.uniform.triples,
            **controls,
        )

    def _in_range(self, place: Place) -> bool:
        """Whether the reference differs from itself by about as much.

        Noise in the last digit of a number does not excuse a difference of one percent; random
        numbers excuse one that is a power of ten larger than any seen so far.
        """
        if place.kind is not PlaceKind.NUMBER:
            return True
        seen = (
            magnitude(count.place)
            for name in ("reference", "triggered_reference")
            for count in self._tables[name][1].get(_key(place), ())
        )
        return magnitude(place) <= max(seen, default=-400) + 1


def _key(place: Place) -> Key:
    return (place.path, place.kind)


def _by_key(table: Iterable[PlaceCount]) -> dict[Key, list[PlaceCount]]:
    by_key: dict[Key, list[PlaceCount]] = defaultdict(list)
    for count in table:
        by_key[_key(count.place)].append(count)
    return by_key


def _as_bad(place: Place, other: Place) -> bool:
    if place.kind is PlaceKind.NUMBER:
        return magnitude(other) >= magnitude(place)
    return other.detail == place.detail


def magnitude(place: Place) -> int:
    """Return the power of ten of a number's relative difference: -3 for `1e-3`."""
    exponent = place.detail.partition("e")[2]
    return int(exponent) if exponent.lstrip("+-").isdigit() else 0
