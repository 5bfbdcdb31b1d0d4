"""Is a differing place noise? Judged from how much the reference disagrees with itself.

The comparator asks a second reference pod (the control) for a uniform sample of requests, at the
same moment; and once more for pairs that differed (triggered). If the new version changes nothing
at a place, then shadow, reference and control are exchangeable there, and three things follow:

1. In the uniform sample the shadow differs from the reference as often as the control does. Given
   `s` and `r` such triples, `s` is at most as large as Binomial(s + r, 1/2) makes likely. (Both
   share the reference's answer, which only makes the test more careful.)
2. Given that the shadow differs from the reference, one of both is the odd one out, equally likely;
   so the control differs from the reference in at least half of the triggered triples. Some places
   say which of both is odd: in `200>503` the shadow, in `503>200` the reference. These belong
   together, or the half where the reference is odd would be missing. See `_views`.
3. A place that has a direction is as frequent as its opposite. Of numbers and lengths, which may
   hang on how busy a pod is, one direction may be up to three times as frequent.

The tests are repeated with every reading, so their evidence is a test martingale that holds at
every look (`core/numbers/sequential`). Where one of them is refuted, the place is a change.
Otherwise it is noise once there is enough evidence that the reference does disagree with itself in
that way, and undecided before.

A value of the instance (`core/comparing/instances`) is refuted by no pair: there are only as many
of them as pods, so that they are not exchangeable from pair to pair. Where the reference's pods
differ from each other, and every pod of both roles keeps its value, or lets it rise at the same
pace, it is noise whatever the tests say.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import log
from typing import Final, TypeAlias

from shadow_operator.api.evidence import Place, PlaceCount, PlaceKind, RouteCounts
from shadow_operator.core.comparing.instances import CONSTANT, UNKNOWN, is_instance
from shadow_operator.core.numbers import sequential

MINIMUM_TRIPLES = 20
"""Fewer uniform triples say nothing about noise."""
MINIMUM_TRIGGERED = 10
"""Nor do fewer triggered ones in which the shadow differed."""
MINIMUM_DISAGREEMENTS = 3
"""The reference must have disagreed with itself so often in the uniform sample."""
UNIFORM_LEVEL: Final = 2e-5
"""Level of the test on the uniform sample: nineteen differences of the shadow and none of the
reference refute noise."""
TRIGGERED_LEVEL: Final = 4e-5
"""Level of the test on triggered triples. Eighteen clean controls refute noise; a comparator asks
up to 20 for each signature, so the level must not be stricter."""
DIRECTION_LEVEL: Final = 2e-5
"""Level of the test on directions. Nineteen in one direction and none in the other refute noise."""
ONE_WAY_SHARE: Final = 0.75
"""So much of what differs in size may be larger in the shadow, or smaller."""
ALL_PAIRS_LEVEL: Final = 2e-5
"""Level of the comparison of all pairs with the uniform sample. The four add up to 1e-4 for one
place: one percent for a hundred places, at all looks together."""

BY_KIND_ALONE = frozenset({PlaceKind.TIMESTAMP, PlaceKind.IDENTIFIER})
"""Where there is no control at all, these kinds are excused unseen, and status says so."""


_GRADED = frozenset({PlaceKind.NUMBER, PlaceKind.TIMESTAMP})
"""Kinds whose detail says by how much, as a power of ten."""
_SIZED = frozenset({PlaceKind.NUMBER, PlaceKind.LENGTH, PlaceKind.TEXT})
"""Kinds of which either side has more."""
_FOLLOWED = _GRADED | {PlaceKind.TEXT, PlaceKind.IDENTIFIER, PlaceKind.HEADER}
"""Kinds of values that are followed within each pod."""


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
    def exceeds(self) -> bool:
        """Whether the shadow differs in the uniform sample more often than the control."""
        return _more(self.shadow, self.reference, 0.5, UNIFORM_LEVEL)

    @property
    def refuted(self) -> bool:
        """Whether the shadow differs there more than noise would."""
        clean = self.triggered_shadow - self.triggered_reference
        return self.exceeds or _more(clean, self.triggered_reference, 0.5, TRIGGERED_LEVEL)

    @property
    def supported(self) -> bool:
        """Whether the reference was seen to disagree with itself there."""
        uniform = self.triples >= MINIMUM_TRIPLES and self.reference >= MINIMUM_DISAGREEMENTS
        return uniform or (
            self.triggered_shadow >= MINIMUM_TRIGGERED
            and self.triggered_reference >= MINIMUM_DISAGREEMENTS
        )

    @property
    def disagreements(self) -> int:
        """How often the reference disagreed with itself."""
        return self.reference + self.triggered_reference

    @property
    def told(self) -> bool:
        """Whether there are controls enough to tell how often it does."""
        return self.triples >= MINIMUM_TRIPLES or self.triggered_shadow >= MINIMUM_TRIGGERED

    @property
    def usual(self) -> bool:
        """Whether the reference's pods differ from each other there most of the time."""
        uniform = self.triples >= MINIMUM_TRIPLES and 2 * self.reference >= self.triples
        return uniform or (
            self.triggered_shadow >= MINIMUM_TRIGGERED
            and 2 * self.triggered_reference >= self.triggered_shadow
        )

    @property
    def more_often_in_all_pairs(self) -> bool:
        """Whether all pairs differ there more often than the reference in the uniform sample.

        If they differ equally often, a difference is one of the pairs, and not of the reference,
        with the share that pairs have of both samples.
        """
        if self.triples < MINIMUM_TRIPLES or not self.shadow:  # or there was no room for the place
            return False
        share = self.pairs / (self.pairs + self.triples)
        return _more(self.differing, self.reference, share, ALL_PAIRS_LEVEL)


Key: TypeAlias = tuple[str, PlaceKind]
View: TypeAlias = Callable[[Place], bool]
"""Which places (of the same key) count as the same difference."""


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
        self._paths = {count.path: count for count in route.paths}
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
        of_instance = self._of_instance(place)
        if of_instance is Standing.NOISE:
            return of_instance
        exact = self._count(place, lambda other: _as_bad(place, other))
        views = [self._count(place, view) for view in _views(place)]
        refuted = exact.exceeds or any(view.refuted for view in views)
        if refuted or self._one_way(place) or self._grown(place):
            return of_instance
        if self._supported(place, views):
            return Standing.NOISE
        return of_instance if exact.more_often_in_all_pairs else Standing.UNDECIDED

    def reason(self, place: Place) -> str:
        """Say what shows that a place is noise."""
        if not self._controlled:
            return "by its kind alone, there is no control"
        if self._of_instance(place) is Standing.NOISE:
            alike = self._paths[place.path].within_pods == CONSTANT
            how = "keeps its own" if alike else "lets it rise at the same pace"
            return f"a value of the instance, each pod {how}"
        count = self._count(place, lambda _: True)
        if count.reference:
            return f"the reference differs from itself in {count.reference} of {count.triples}"
        return (
            f"the reference differs from itself in {count.triggered_reference} of "
            f"{count.triggered_shadow} that were asked again"
        )

    def _of_instance(self, place: Place) -> Standing:
        """Say whether the place holds a value of the instance; change: it does not."""
        path = self._paths.get(place.path)
        if path is None or place.kind not in _FOLLOWED:
            return Standing.CHANGE
        trend, count = path.within_pods, self._count(place, lambda _: True)
        if not count.disagreements or not (trend == UNKNOWN or is_instance(trend)):
            return Standing.CHANGE
        if trend == UNKNOWN or not count.told:
            return Standing.UNDECIDED
        # Counters of two pods are equal now and then, what each pod keeps is not.
        known = count.usual if trend == CONSTANT else count.supported
        return Standing.NOISE if known else Standing.CHANGE

    def _grown(self, place: Place) -> bool:
        """Whether the shadow's numbers or lengths are nearly all larger, or nearly all smaller."""
        path = self._paths.get(place.path)
        if path is None or place.kind not in _SIZED:
            return False
        larger, smaller = max(path.more, path.less), min(path.more, path.less)
        return _more(larger, smaller, ONE_WAY_SHARE, DIRECTION_LEVEL)

    def _supported(self, place: Place, views: list[_Counts]) -> bool:
        """Whether the reference differs from itself in the same way.

        Its hiccups with 503 do not excuse a 404. Only numbers and times have degrees.
        """
        if place.kind in _GRADED:
            return views[0].supported and self._in_range(place)
        return all(view.supported for view in views)

    def _one_way(self, place: Place) -> bool:
        """Whether pairs differ so more often than in the opposite direction.

        Pairs that found no room may have differed in any direction.
        """
        opposite = _opposite(place)
        if opposite is None:
            return False
        there, back = self._pairs(place), self._pairs(opposite) + self._route.overflow
        return _more(there, back, 0.5, DIRECTION_LEVEL)

    def _pairs(self, place: Place) -> int:
        return self._count(place, lambda other: other == place).differing

    def _count(self, place: Place, like: View) -> _Counts:
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
        seen = (
            magnitude(count.place)
            for name in ("reference", "triggered_reference")
            for count in self._tables[name][1].get(_key(place), ())
        )
        return magnitude(place) <= max(seen, default=-400) + 1


def _more(events: int, others: int, share: float, level: float) -> bool:
    """Whether events are more than `share` of both, at any look, but for a chance of `level`."""
    if events <= 0:
        return False
    return sequential.above(events, events + others, share) >= log(1 / level)


def _key(place: Place) -> Key:
    """Return what is indexed together: a member that is missing and one that is extra."""
    kind = PlaceKind.MISSING if place.kind is PlaceKind.EXTRA else place.kind
    return (place.path, kind)


def _views(place: Place) -> tuple[View, ...]:
    """Return the ways to look at a place from which no answer shows which side is odd.

    Of statuses and types, each of the two is looked at alone: "is it 503?" has only two answers,
    so if one of shadow and reference is 503 and the other is not, the control differs from the
    reference in half of the cases, whatever else it may be.
    """
    if place.kind in _GRADED:
        return (lambda _: True, lambda other: _as_bad(place, other))
    if place.kind in {PlaceKind.MISSING, PlaceKind.EXTRA}:
        return (lambda _: True,)
    sides = _sides(place)
    if sides is None:
        return (lambda other: _as_bad(place, other),)
    return tuple(_involving(side) for side in sides)


def _involving(side: str) -> View:
    return lambda other: side in (_sides(other) or ())


def _sides(place: Place) -> tuple[str, str] | None:
    """Return what reference and shadow answered where the place says it: `200>503`."""
    reference, arrow, shadow = place.detail.partition(">")
    return (reference, shadow) if arrow else None


def _opposite(place: Place) -> Place | None:
    """Return the place that reference and shadow would make with their roles exchanged.

    None where it is the same place.
    """
    if place.kind is PlaceKind.MISSING:
        return place.model_copy(update={"kind": PlaceKind.EXTRA})
    if place.kind is PlaceKind.EXTRA:
        return place.model_copy(update={"kind": PlaceKind.MISSING})
    sides = _sides(place)
    return place.model_copy(update={"detail": f"{sides[1]}>{sides[0]}"}) if sides else None


def _by_key(table: Iterable[PlaceCount]) -> dict[Key, list[PlaceCount]]:
    by_key: dict[Key, list[PlaceCount]] = defaultdict(list)
    for count in table:
        by_key[_key(count.place)].append(count)
    return by_key


def _as_bad(place: Place, other: Place) -> bool:
    if place.kind in _GRADED:
        return magnitude(other) >= magnitude(place)
    return other == place


def magnitude(place: Place) -> int:
    """Return the power of ten: -3 for `1e-3`, by how much numbers differ; 0 for times."""
    exponent = place.detail.partition("e")[2]
    return int(exponent) if exponent.lstrip("+-").isdigit() else 0
