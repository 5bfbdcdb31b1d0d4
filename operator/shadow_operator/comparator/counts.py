"""What a comparator has measured, while it runs: per route, bounded, without a value."""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shadow_operator.api.evidence import ComparatorConfig, PlaceKind
from shadow_operator.comparator.room import SNAPSHOT_BYTES, Room
from shadow_operator.comparator.sketch import SMALLEST, Latencies
from shadow_operator.comparator.warming import Warming
from shadow_operator.core.comparing import mix
from shadow_operator.core.comparing.answer import (
    EVENT_STREAM,
    Answer,
    IncomparableError,
    proves_nothing,
)
from shadow_operator.core.comparing.compare import Difference, Pods, compare
from shadow_operator.core.comparing.differing import Edges, edges_of
from shadow_operator.core.comparing.named import rule_matcher
from shadow_operator.core.comparing.routes import OTHER, Route, Routes
from shadow_operator.core.comparing.shape import Shape

MAX_ROUTES: Final = 200
SIGNATURES: Final = 256
"""Distinct signatures of one route; of pairs with further ones each place is counted singly."""
SIGNATURE_PLACES: Final = 32
"""A pair that differs at more places is counted in `overflow`."""
RESERVED_BYTES: Final = SNAPSHOT_BYTES // 4
"""What signatures leave for places that are counted singly."""
TABLE_PLACES: Final = 256
"""Distinct places in each table of single places."""
SAMPLES: Final = 2
"""Latest pairs kept per signature."""
TRIGGERED_PER_SIGNATURE: Final = 40
"""A signature that was seen this often needs no further extra control."""

_PLACE_BYTES: Final = 180
"""Of a place in the snapshot, in both tables of a control."""
_SAMPLE_BYTES: Final = 260

ERROR: Final = "Error"
TIMEOUT: Final = "Timeout"


@dataclass(slots=True)
class Result:
    """What became of one call to a clone."""

    pod: str
    """Its address."""
    answer: Answer | None
    failure: str
    """`Error` or `Timeout` where there is no answer; else empty."""
    seconds: float
    """From the request's last byte out to the answer's last byte in."""
    held: int = 0
    """Bytes of memory taken for the answer's body."""
    received: float = 0.0
    """When the answer's last byte came, in seconds of a clock that only rises."""


@dataclass(frozen=True, slots=True)
class RouteRules:
    """The operator's hints for one route: tests of a place's path."""

    hinted: Callable[[str], bool]
    unordered: Callable[[str], bool] | None
    edges: Edges
    marker: str

    def singly(self, place: Difference) -> bool:
        """Return whether a place is counted singly: hinted, or the order of an unordered array."""
        node, kind, _ = place
        if kind is PlaceKind.ORDER and self.unordered is not None and self.unordered(node.path):
            return True
        return self.hinted(node.path)


class Rules:
    """Hints of the configuration in force, worked out per route when it is first seen."""

    def __init__(self, config: ComparatorConfig) -> None:
        self._config = config
        self._known: dict[tuple[str, str], RouteRules] = {}

    def of(self, method: str, template: str) -> RouteRules:
        """Return the hints for a route."""
        rules = self._known.get((method, template))
        if rules is None:
            if len(self._known) > 4 * MAX_ROUTES:  # templates change while routes are learned
                self._known.clear()
            config = self._config
            rules = self._known[method, template] = RouteRules(
                rule_matcher(config.hints, template, method),
                rule_matcher(config.unordered, template, method) if config.unordered else None,
                edges_of(config.edges),
                config.marker.removeprefix("header:"),
            )
        return rules


class PairSample(NamedTuple):
    """`evidence.Sample` while it is cheap to make one per pair that differs."""

    time: float
    request_id: str
    shadow_pod: str
    reference_pod: str
    shadow_status: int
    reference_status: int
    shadow_bytes: int
    reference_bytes: int


@dataclass(slots=True)
class SignatureTally:
    """Pairs that differed at exactly the same places."""

    first: float
    last: float = 0.0
    pairs: int = 0
    controls: int = 0
    """Extra controls that were asked for it."""
    samples: deque[PairSample] = field(default_factory=lambda: deque(maxlen=SAMPLES))


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a difference is noise: one more control would help to tell."""

    places: frozenset[Difference]
    signature: SignatureTally

    def ask(self) -> None:
        """Note that the control is asked for."""
        self.signature.controls += 1


class PlaceTable:
    """In how many pairs each place differed; what finds no room is counted.

    Tables that are compared with each other share the places that they `know`, so that each of
    them has a place or none does.
    """

    __slots__ = ("_known", "_room", "overflow", "pairs")

    def __init__(self, room: Room, known: set[Difference] | None = None) -> None:
        self._room = room
        self._known: set[Difference] = set() if known is None else known
        self.pairs: Counter[Difference] = Counter()
        self.overflow = 0

    def add(self, places: Iterable[Difference]) -> None:
        """Count one pair's differing places."""
        for place in places:
            if place not in self._known and not self._admit(place):
                self.overflow += 1
                continue
            self.pairs[place] += 1
            place[0].differed = True

    def hold(self, places: Iterable[Difference]) -> bool:
        """Say whether there is room for each of them, and keep it."""
        return all(place in self._known or self._admit(place) for place in places)

    def _admit(self, place: Difference) -> bool:
        there_is = len(self._known) < TABLE_PLACES
        if there_is and self._room.take(_PLACE_BYTES + len(place[0].path)):
            self._known.add(place)
            return True
        return False


class ControlTally:
    """Triples of shadow, reference and control."""

    __slots__ = ("reference", "shadow", "triples")

    def __init__(self, room: Room) -> None:
        self.triples = 0
        known: set[Difference] = set()
        self.reference = PlaceTable(room, known)
        self.shadow = PlaceTable(room, known)

    def add(self, reference: Iterable[Difference], shadow: Iterable[Difference]) -> None:
        """Count where reference and control, and shadow and reference, differed."""
        self.triples += 1
        self.reference.add(reference)
        self.shadow.add(shadow)


class RouteTally:
    """All counts of one route."""

    def __init__(self, method: str, route: Route, room: Room, warming: Warming) -> None:
        self.method = method
        self.route = route
        self.shape = Shape()
        self._room = room
        self._warming = warming
        self.pairs = 0
        self.matched = 0
        self.hinted_only = 0
        self.overflow = 0
        self.leaves = 0
        self.shadow_calls = 0
        self.shadow_failed = 0
        """Calls to the shadow without an answer, or with a status of 500 or above."""
        self.unpaired = 0
        """Answers of the shadow where there is no reference."""
        self.signatures: dict[frozenset[Difference], SignatureTally] = {}
        self.hinted = PlaceTable(room)
        self.uniform = ControlTally(room)
        self.triggered = ControlTally(room)
        self.unproven: Counter[str] = Counter()
        self.incomparable: Counter[str] = Counter()
        self.reference_statuses: Counter[str] = Counter()
        self.reference_sizes: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        """`shadow_errors`, `both_timeouts`, ... -> pairs."""
        self.shadow_latency = Latencies(room)
        self.reference_latency = Latencies(room)
        self.latency_ratio = Latencies(room)

    def alone(self, shadow: Result) -> None:
        """Count a call to the shadow where there is no reference."""
        self._call(shadow)
        if shadow.answer is None:
            self.failures["shadow_errors" if shadow.failure == ERROR else "shadow_timeouts"] += 1
        else:
            self.unpaired += 1
            self.shadow_latency.add(shadow.seconds)

    def pair(
        self,
        shadow: Result,
        reference: Result,
        control: Result | None,
        rules: RouteRules,
        *,
        now: float,
        request_id: str,
        whole: bool = True,
    ) -> Question | None:
        """Count one pair; return what one more control would tell something about.

        `whole`: production was asked for a whole answer as well.
        """
        self._call(shadow)
        if reference.answer is not None:
            self._mix(reference.answer, whole=whole)
        if shadow.answer is None or reference.answer is None:
            self.failures[_failure(shadow, reference)] += 1
            return None
        if proves_nothing(reference.answer.status, shadow.answer.status):
            self.unproven[str(reference.answer.status)] += 1
            return None
        try:
            found = compare(
                self.shape,
                reference.answer,
                shadow.answer,
                unordered=rules.unordered,
                edges=rules.edges,
                marker=rules.marker,
                pods=Pods(
                    reference.pod,
                    shadow.pod,
                    is_shadow=True,
                    reference_time=reference.received,
                    other_time=shadow.received,
                ),
            )
        except IncomparableError as error:
            self.incomparable[str(error)] += 1
            return None
        self.pairs += 1
        self.leaves += found.leaves
        self._time(shadow, reference, now)
        if control is not None:
            self._control(self.uniform, reference, control, found.places, rules)
        tally = self._differing(found.places, rules, now)
        if tally is None:
            return None
        tally.samples.append(_sample(shadow, reference, now, request_id))
        if control is not None or tally.controls >= TRIGGERED_PER_SIGNATURE:
            return None
        return Question(found.places, tally)

    def _mix(self, reference: Answer, *, whole: bool) -> None:
        """Count what kind of answer it is, as the Envoys count production's."""
        self.reference_statuses[mix.group(reference.status)] += 1
        if whole and reference.cut != EVENT_STREAM and mix.is_sized(self.method, reference.status):
            self.reference_sizes[mix.size_class(reference.size)] += 1

    def _call(self, shadow: Result) -> None:
        self.shadow_calls += 1
        self.shadow_failed += shadow.answer is None or shadow.answer.status >= 500

    def _time(self, shadow: Result, reference: Result, now: float) -> None:
        """Count how long both took, and which of them longer, unless a pod still warms up."""
        answered = self._warming.answered
        if answered(shadow.pod, now) & answered(reference.pod, now):  # both are noted
            self.shadow_latency.add(shadow.seconds)
            self.reference_latency.add(reference.seconds)
            self.latency_ratio.add(shadow.seconds / max(reference.seconds, SMALLEST))

    def control(
        self,
        question: Question,
        reference: Result,
        control: Result,
        rules: RouteRules,
    ) -> None:
        """Count the control that was asked for because a pair differed."""
        self._control(self.triggered, reference, control, question.places, rules)

    def _control(
        self,
        tally: ControlTally,
        reference: Result,
        control: Result,
        shadow_places: Iterable[Difference],
        rules: RouteRules,
    ) -> None:
        if reference.answer is None or control.answer is None:
            return
        try:
            found = compare(
                self.shape,
                reference.answer,
                control.answer,
                unordered=rules.unordered,
                edges=rules.edges,
                marker=rules.marker,
                count=False,
                pods=Pods(
                    reference.pod,
                    control.pod,
                    is_shadow=False,
                    reference_time=reference.received,
                    other_time=control.received,
                ),
            )
        except IncomparableError:
            return
        tally.add(found.places, shadow_places)

    def _differing(
        self, places: frozenset[Difference], rules: RouteRules, now: float
    ) -> SignatureTally | None:
        if not places:
            self.matched += 1
            return None
        hinted = [place for place in places if rules.singly(place)]
        if hinted:
            self.hinted.add(hinted)
            places = places.difference(hinted)
        if not places:
            self.hinted_only += 1
            return None
        tally = self.signatures.get(places)
        if tally is None:
            if not self._admit(places):
                self._count_singly(places)
                return None
            tally = self.signatures[places] = SignatureTally(first=now)
            for place in places:
                place[0].differed = True
        tally.pairs += 1
        tally.last = now
        return tally

    def _count_singly(self, places: frozenset[Difference]) -> None:
        """Count a pair whose signature finds no room: noise is told all the same, by its places."""
        if len(places) <= SIGNATURE_PLACES and self.hinted.hold(places):
            self.hinted.add(places)
            self.hinted_only += 1
        else:
            self.overflow += 1

    def _admit(self, places: frozenset[Difference]) -> bool:
        if len(self.signatures) >= SIGNATURES or len(places) > SIGNATURE_PLACES:
            return False
        # Every place may appear as a signature's place and as a counted path.
        size = sum(2 * (_PLACE_BYTES + len(node.path)) for node, _, _ in places)
        size += SAMPLES * _SAMPLE_BYTES
        return self._room.free >= size + RESERVED_BYTES and self._room.take(size)


def _failure(shadow: Result, reference: Result) -> str:
    if shadow.answer is not None:
        return "reference_errors" if reference.failure == ERROR else "reference_timeouts"
    if reference.answer is not None:
        return "shadow_errors" if shadow.failure == ERROR else "shadow_timeouts"
    both_late = shadow.failure == TIMEOUT and reference.failure == TIMEOUT
    return "both_timeouts" if both_late else "both_errors"


def _sample(shadow: Result, reference: Result, now: float, request_id: str) -> PairSample:
    assert shadow.answer is not None  # noqa: S101 - a pair that differed has two answers
    assert reference.answer is not None  # noqa: S101
    return PairSample(
        time=round(now, 3),
        request_id=request_id,
        shadow_pod=shadow.pod,
        reference_pod=reference.pod,
        shadow_status=shadow.answer.status,
        reference_status=reference.answer.status,
        shadow_bytes=shadow.answer.size,
        reference_bytes=reference.answer.size,
    )


class Counts:
    """Everything that one process has counted since it started."""

    def __init__(self, declared: Iterable[str] = ()) -> None:
        self.routes = Routes(declared)
        self.received = 0
        self.eligible = 0
        self.skipped: Counter[str] = Counter()
        self.shed: Counter[str] = Counter()
        self.credentials: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        """Connections of mirrors that were closed, by reason."""
        self.room = Room(SNAPSHOT_BYTES)
        self.tallies: dict[tuple[str, Route], RouteTally] = {}
        self._warming = Warming()
        self._other = Route(OTHER)
        self._methods: set[str] = set()

    def tally(self, method: str, path: str) -> RouteTally:
        """Return the counts of a request's route (path without query)."""
        route = self.routes.of(path)
        tally = self.tallies.get((method, route))
        if tally is None:
            self._methods.add(method)
            # One place per method is kept for the routes that find none.
            if len(self.tallies) >= MAX_ROUTES - 2 * len(self._methods):
                route = self._other
            made = RouteTally(method, route, self.room, self._warming)
            tally = self.tallies.setdefault((method, route), made)
        return tally
