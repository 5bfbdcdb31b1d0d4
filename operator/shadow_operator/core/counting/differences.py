"""Where the answers of one route differ, and what that is: excused, meant, open or a change."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from shadow_operator.api.evidence import Place, PlaceCount, PlaceKind, RouteCounts, Signature
from shadow_operator.api.spec import Comparison, ExpectedVariation
from shadow_operator.core.counting.noise import RouteNoise, Standing
from shadow_operator.core.counting.rules import excuse, listed_as_critical, variation
from shadow_operator.core.counting.variations import EXPECTED, LEARNING, Share, is_marker

NOISE: Final = "noise"
"""How the excuse of a noisy place begins."""
PRACTICALLY_ALL: Final = 0.99
"""A member that this share of the reference's answers has must not be missing."""
REPRODUCED_PAIRS: Final = 3
"""A critical difference counts once so many pairs showed it, in two intervals."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place of one route where pairs differed."""

    route: str
    """`GET /api/v1/neurons/{}`."""
    place: Place
    pairs: int
    listed: bool
    """Whether `comparison.critical` names it."""
    critical: bool
    reproduced: bool
    excused_by: str | None
    """`noise`, or the rule and its reason."""
    pending: bool
    """Not decided yet whether it is noise."""
    share: Share | None = None
    """What a rule lets differ here, and how much does."""

    @property
    def counts(self) -> bool:
        """Whether it is a mismatch."""
        return self.excused_by is None and not self.pending

    def sentence(self) -> str:
        """Name it as people look for it."""
        detail = f" {self.place.detail}" if self.place.detail else ""
        beyond = f" ({self.share.sentence()})" if self.share and self.share.exceeded else ""
        return f"{self.route} {self.place.path} {self.place.kind}{detail}{beyond}"


@dataclass(frozen=True, slots=True)
class Rules:
    """What all routes are judged by."""

    comparison: Comparison
    marker: str | None
    """Place that only an answer has that learning changed."""
    controlled: bool
    interval: float


@dataclass(frozen=True, slots=True)
class Seen:
    """In how many pairs a place differed, and when."""

    pairs: int
    first: float
    last: float


def places_of(signatures: Iterable[Signature], hinted: Iterable[PlaceCount]) -> dict[Place, Seen]:
    """Add up in how many pairs each place differed."""
    seen: dict[Place, Seen] = {}
    for signature in signatures:
        for place in signature.places:
            before = seen.get(place)
            seen[place] = Seen(
                signature.pairs + (before.pairs if before else 0),
                min(signature.first_time, before.first if before else signature.first_time),
                max(signature.last_time, before.last if before else signature.last_time),
            )
    for count in hinted:
        # Hinted places carry no times; that they are hinted means that they were seen for long.
        before = seen.get(count.place)
        pairs = count.pairs + (before.pairs if before else 0)
        seen[count.place] = Seen(pairs, float("-inf"), float("inf"))
    return seen


class Judge:
    """Judges the places of one route."""

    def __init__(self, route: RouteCounts, rules: Rules) -> None:
        # What controls have shown stays shown when the spec asks no more of them.
        controlled = route.uniform.triples + route.triggered.triples > 0 or rules.controlled
        self.route = route
        self.rules = rules
        noise = RouteNoise(route, controlled=controlled)
        self.excused: dict[Place, str] = {}
        """By a rule, or as noise."""
        self.expected: dict[Place, ExpectedVariation] = {}
        """Of the others, those that are meant to differ."""
        self.pending: set[Place] = set()
        """Of the others, those of which it is not decided whether they are noise."""
        for place in places_of(route.signatures, route.hinted):
            excused = excuse(rules.comparison, route, place)
            stands = Standing.CHANGE if excused else noise.standing(place)
            rule = variation(rules.comparison, route, place)
            if excused:
                self.excused[place] = excused
            elif stands is Standing.NOISE:
                self.excused[place] = f"{NOISE}: {noise.reason(place)}"
            else:
                if rule is not None:
                    self.expected[place] = rule
                if stands is Standing.UNDECIDED:
                    self.pending.add(place)

    def is_learned(self, signature: Signature) -> bool:
        """Return whether learning changed these answers, and nothing critical is in them."""
        marked = any(
            is_marker(place, self.rules.marker) and place not in self.excused
            for place in signature.places
        )
        return marked and not any(
            place not in self.excused and self._is_critical(place) for place in signature.places
        )

    def shares(self, signatures: Iterable[Signature]) -> dict[ExpectedVariation, Share]:
        """Count for each rule of variations in how many pairs what it expects differs.

        Where it is not known which places differed together, each was in a pair of its own.
        """
        pairs: Counter[ExpectedVariation] = Counter()
        for signature in signatures:
            for rule in {self.expected[p] for p in signature.places if p in self.expected}:
                pairs[rule] += signature.pairs
        for count in self.route.hinted:
            if count.place in self.expected:
                pairs[self.expected[count.place]] += count.pairs
        whole = self.route.pairs
        return {rule: Share(min(n, whole), whole, rule.max_percent) for rule, n in pairs.items()}

    def difference(
        self, place: Place, seen: Seen, shares: Mapping[ExpectedVariation, Share]
    ) -> Difference:
        """Give the difference at a place under the rules."""
        excused, rule = self.excused.get(place), self.expected.get(place)
        share = shares[rule] if rule else None
        if rule and share and not share.exceeded:
            excused = f"{EXPECTED}{rule.reason}"
        return Difference(
            route=self.route.name,
            place=place,
            pairs=seen.pairs,
            listed=listed_as_critical(self.rules.comparison, self.route, place),
            critical=excused is None and self._is_critical(place),
            reproduced=(
                seen.pairs >= REPRODUCED_PAIRS and seen.last - seen.first >= self.rules.interval
            ),
            excused_by=excused,
            pending=excused is None and place in self.pending,
            share=share,
        )

    def learned(self, place: Place, seen: Seen) -> Difference:
        """Give the difference that answers have there which learning changed."""
        return replace(
            self.difference(place, seen, dict.fromkeys(self.expected.values(), _NO_SHARE)),
            critical=False,
            excused_by=f"{LEARNING}the answer carries {self.rules.marker}",
            pending=False,
            share=None,
        )

    def _is_critical(self, place: Place) -> bool:
        listed = listed_as_critical(self.rules.comparison, self.route, place)
        return listed or _is_critical(self.route, place)


_NO_SHARE: Final = Share(0, 1, "100")


def _is_critical(route: RouteCounts, place: Place) -> bool:
    if place.kind is PlaceKind.TYPE:
        return True
    if place.kind is PlaceKind.STATUS:
        reference, _, shadow = place.detail.partition(">")
        return reference[:1] != shadow[:1]
    if place.kind is PlaceKind.MISSING:
        return _presence(route, place.path) >= PRACTICALLY_ALL
    return False


def _presence(route: RouteCounts, path: str) -> float:
    """Return the share of the reference's answers that have the path."""
    found = next((count for count in route.paths if count.path == path), None)
    pairs = (found.pairs or route.pairs) if found else 0
    return found.reference / pairs if found and pairs else 0.0
