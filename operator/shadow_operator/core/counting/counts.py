"""Counts of comparator processes: reduced to what judging needs, added up, folded to fit."""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Final

from pydantic import BaseModel, ConfigDict

from shadow_operator.api.evidence import (
    ComparatorSnapshot,
    ControlCounts,
    PathCount,
    Place,
    PlaceCount,
    PlaceKind,
    RouteCounts,
    Signature,
    Sketch,
)
from shadow_operator.core.comparing.instances import merged as merged_trend
from shadow_operator.core.numbers.histogram import Timing, timing_of

OTHER_ROUTES: Final = "{*}"
"""Template under which routes are counted that found no room."""
TIGHT_ROUTES: Final = 15
TIGHT_BINS: Final = 40
"""Bins of a histogram of latencies that are left where only so few routes find room."""


class Counts(BaseModel):
    """What one or several comparator processes have counted; merges by addition."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    received: int = 0
    eligible: int = 0
    skipped: dict[str, int] = {}
    shed: dict[str, int] = {}
    credentials: dict[str, int] = {}
    routes: tuple[RouteCounts, ...] = ()
    """Without samples and without the bins of the sketches."""
    timing: Timing = Timing()
    """Latencies over all routes."""

    @property
    def answered(self) -> int:
        """Eligible copies that were sent to the clones."""
        return self.eligible - sum(self.shed.values())


def counts_of(snapshot: ComparatorSnapshot) -> Counts:
    """Reduce a snapshot to what judging needs."""
    return Counts(
        received=snapshot.received,
        eligible=snapshot.eligible,
        skipped=snapshot.skipped,
        shed=snapshot.shed,
        credentials=snapshot.credentials,
        routes=tuple(sorted(map(_reduced, snapshot.routes), key=lambda route: route.name)),
        timing=timing_of(snapshot.routes),
    )


def _reduced(route: RouteCounts) -> RouteCounts:
    return route.model_copy(
        update={
            "signatures": tuple(s.model_copy(update={"samples": ()}) for s in route.signatures),
            "shadow_latency": _without_bins(route.shadow_latency),
            "reference_latency": _without_bins(route.reference_latency),
            "latency_ratio": Sketch(),
        }
    )


def _without_bins(sketch: Sketch) -> Sketch:
    return sketch.model_copy(update={"bins": {}})


def merged(parts: Iterable[Counts]) -> Counts:
    """Add counts up; the result does not depend on the order of the parts."""
    parts = list(parts)
    routes: dict[str, list[RouteCounts]] = {}
    for part in parts:
        for route in part.routes:
            routes.setdefault(route.name, []).append(route)
    return Counts(
        received=sum(part.received for part in parts),
        eligible=sum(part.eligible for part in parts),
        skipped=_added(part.skipped for part in parts),
        shed=_added(part.shed for part in parts),
        credentials=_added(part.credentials for part in parts),
        routes=tuple(reduce(_merged_route, routes[name]) for name in sorted(routes)),
        timing=reduce(Timing.plus, (part.timing for part in parts), Timing()).fitted(),
    )


_SUMS = (
    "pairs", "matched", "hinted_only", "overflow", "shadow_errors", "reference_errors",
    "both_errors", "shadow_timeouts", "reference_timeouts", "both_timeouts", "leaves",
)  # fmt: skip


def _merged_route(a: RouteCounts, b: RouteCounts) -> RouteCounts:
    return RouteCounts(
        method=a.method,
        template=a.template,
        signatures=_merged_signatures(a.signatures + b.signatures),
        hinted=_merged_places(a.hinted + b.hinted),
        unproven=_added((a.unproven, b.unproven)),
        reference_statuses=_added((a.reference_statuses, b.reference_statuses)),
        reference_sizes=_added((a.reference_sizes, b.reference_sizes)),
        incomparable=_added((a.incomparable, b.incomparable)),
        uniform=_merged_control(a.uniform, b.uniform),
        triggered=_merged_control(a.triggered, b.triggered),
        paths=_merged_paths((*_own(a), *_own(b))),
        shadow_latency=_merged_sketch(a.shadow_latency, b.shadow_latency),
        reference_latency=_merged_sketch(a.reference_latency, b.reference_latency),
        **{name: getattr(a, name) + getattr(b, name) for name in _SUMS},
    )


def _added(tables: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for table in tables:
        for key, count in table.items():
            total[key] = total.get(key, 0) + count
    return dict(sorted(total.items()))


def place_key(place: Place) -> tuple[str, str, str]:
    """Return the order of places."""
    return (place.path, place.kind, place.detail)


def _signature_key(signature: Signature) -> tuple[tuple[str, str, str], ...]:
    return tuple(place_key(place) for place in signature.places)


def _merged_signatures(signatures: Iterable[Signature]) -> tuple[Signature, ...]:
    by_key: dict[tuple[tuple[str, str, str], ...], Signature] = {}
    for signature in signatures:
        key = _signature_key(signature)
        other = by_key.get(key)
        by_key[key] = signature if other is None else Signature(
            places=signature.places,
            pairs=signature.pairs + other.pairs,
            first_time=min(signature.first_time, other.first_time),
            last_time=max(signature.last_time, other.last_time),
        )  # fmt: skip
    return tuple(by_key[key] for key in sorted(by_key))


def _merged_places(counts: Iterable[PlaceCount]) -> tuple[PlaceCount, ...]:
    by_place: dict[Place, int] = {}
    for count in counts:
        by_place[count.place] = by_place.get(count.place, 0) + count.pairs
    return tuple(
        PlaceCount(place=place, pairs=by_place[place]) for place in sorted(by_place, key=place_key)
    )


def _merged_control(a: ControlCounts, b: ControlCounts) -> ControlCounts:
    return ControlCounts(
        triples=a.triples + b.triples,
        reference=_merged_places(a.reference + b.reference),
        shadow=_merged_places(a.shadow + b.shadow),
        overflow=a.overflow + b.overflow,
    )


def _own(route: RouteCounts) -> Iterable[PathCount]:
    """Give the counts of paths, with the pairs that they are counted of."""
    for path in route.paths:
        yield path if path.pairs else path.model_copy(update={"pairs": route.pairs})


def _merged_paths(paths: Iterable[PathCount]) -> tuple[PathCount, ...]:
    by_path: dict[str, PathCount] = {}
    for path in paths:
        other = by_path.get(path.path)
        by_path[path.path] = path if other is None else PathCount(
            path=path.path,
            reference=path.reference + other.reference,
            shadow=path.shadow + other.shadow,
            leaves=path.leaves + other.leaves,
            pairs=path.pairs + other.pairs,
            more=path.more + other.more,
            less=path.less + other.less,
            within_pods=merged_trend(path.within_pods, other.within_pods),
        )  # fmt: skip
    return tuple(by_path[name] for name in sorted(by_path))


def _merged_sketch(a: Sketch, b: Sketch) -> Sketch:
    return Sketch(
        count=a.count + b.count,
        total=a.total + b.total,
        largest=max(a.largest, b.largest),
        zero=a.zero + b.zero,
    )


def tightened(counts: Counts, signatures: int, routes: int) -> Counts:
    """Keep so many signatures of a route (and a multiple of places), and so many routes.

    Of a signature that is folded each place is counted singly, as far as there is room for places;
    else it counts as overflow: no pair is lost. Changes of status, type and members are the last
    signatures to go, then the most frequent ones.
    """
    small = tuple(_tightened(route, signatures) for route in _at_most(counts.routes, routes))
    timing = counts.timing.fitted(TIGHT_BINS) if routes <= TIGHT_ROUTES else counts.timing
    return counts.model_copy(update={"routes": small, "timing": timing})


def _at_most(routes: tuple[RouteCounts, ...], room: int) -> tuple[RouteCounts, ...]:
    """Count all but the most frequent routes together, for each method."""
    if len(routes) <= room:
        return routes
    by_pairs = sorted(routes, key=lambda route: (-route.pairs, route.name))
    parts = [*by_pairs[:room], *map(_folded, by_pairs[room:])]
    return merged(Counts(routes=(route,)) for route in parts).routes


def _folded(route: RouteCounts) -> RouteCounts:
    """Count a route among the other ones: its signatures become overflow."""
    return _tightened(route, 0).model_copy(
        update={
            "template": OTHER_ROUTES,
            "hinted": (),
            "hinted_only": 0,
            "paths": (),
            "overflow": route.overflow + route.hinted_only + _pairs(route.signatures),
        }
    )


_STRUCTURAL = frozenset({PlaceKind.STATUS, PlaceKind.MISSING, PlaceKind.EXTRA, PlaceKind.TYPE})


def _tightened(route: RouteCounts, room: int) -> RouteCounts:
    by_weight = sorted(route.signatures, key=_weight)
    kept, rest = by_weight[:room], by_weight[room:]
    places = {place for signature in kept for place in signature.places}
    places |= {count.place for count in route.hinted}
    singly, lost = _singly(rest, places, 4 * room)
    paths = {place.path for place in places}
    missing = {place.path for place in places if place.kind is PlaceKind.MISSING}
    return route.model_copy(
        update={
            "signatures": tuple(sorted(kept, key=_signature_key)),
            "hinted_only": route.hinted_only + _pairs(singly),
            "hinted": _merged_places((*route.hinted, *_places(singly))),
            "overflow": route.overflow + _pairs(lost),
            "uniform": _tightened_control(route.uniform, paths, 4 * room),
            "triggered": _tightened_control(route.triggered, paths, 4 * room),
            "paths": _tightened_paths(route.paths, paths, missing, 4 * room),
        }
    )


def _singly(
    rest: Iterable[Signature], places: set[Place], room: int
) -> tuple[list[Signature], list[Signature]]:
    """Tell signatures whose places find room, which are added to `places`, from those that don't.

    Those go first that bring no new place: noise of some fields is many signatures of few places.
    """
    singly, lost = list[Signature](), list[Signature]()
    for signature in sorted(rest, key=lambda one: (-one.pairs, len(one.places))):
        new = set(signature.places) - places
        if not new or len(places) + len(new) <= room:
            places |= new
            singly.append(signature)
        else:
            lost.append(signature)
    return singly, lost


def _places(signatures: Iterable[Signature]) -> Iterable[PlaceCount]:
    for signature in signatures:
        for place in signature.places:
            yield PlaceCount(place=place, pairs=signature.pairs)


def _tightened_paths(
    counts: tuple[PathCount, ...], paths: set[str], missing: set[str], room: int
) -> tuple[PathCount, ...]:
    """Keep the counts of kept places; a missing member can't be judged without its count."""
    kept = tuple(count for count in counts if count.path in paths)
    rest = [count.path for count in kept if count.path not in missing]
    rest = rest[: max(0, room - len(missing))]
    return tuple(count for count in kept if count.path in missing or count.path in rest)


def _weight(signature: Signature) -> tuple[bool, int, tuple[tuple[str, str, str], ...]]:
    structural = any(place.kind in _STRUCTURAL for place in signature.places)
    return (not structural, -signature.pairs, _signature_key(signature))


def _pairs(signatures: Iterable[Signature]) -> int:
    return sum(signature.pairs for signature in signatures)


def _tightened_control(counts: ControlCounts, paths: set[str], room: int) -> ControlCounts:
    """Keep the most frequent paths whole: a place is judged by reference and shadow together."""
    by_path: dict[str, list[PlaceCount]] = {}
    for count in counts.reference + counts.shadow:
        if count.place.path in paths:
            by_path.setdefault(count.place.path, []).append(count)
    kept: set[str] = set()
    for path in sorted(by_path, key=lambda path: (-sum(c.pairs for c in by_path[path]), path)):
        places = len({count.place for count in by_path[path]})
        if places <= room:
            room -= places
            kept.add(path)
    return counts.model_copy(
        update={
            "reference": tuple(c for c in counts.reference if c.place.path in kept),
            "shadow": tuple(c for c in counts.shadow if c.place.path in kept),
        }
    )
