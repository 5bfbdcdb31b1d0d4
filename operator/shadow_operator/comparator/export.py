"""Turn counts into a snapshot: names as they may be shown now, equal names added up."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import chain

from shadow_operator.api.evidence import (
    ControlCounts,
    Mismatch,
    Mismatches,
    PathCount,
    Place,
    PlaceCount,
    RouteCounts,
    Sample,
    Signature,
)
from shadow_operator.comparator.counts import (
    SAMPLES,
    ControlTally,
    Counts,
    PlaceTable,
    RouteTally,
    SignatureTally,
)
from shadow_operator.comparator.sketch import merged, wire
from shadow_operator.core.comparing.compare import Difference
from shadow_operator.core.comparing.instances import merged as merged_trend
from shadow_operator.core.comparing.shape import Node


def routes(counts: Counts) -> tuple[RouteCounts, ...]:
    """Return what was counted per route, sorted by name.

    A learned segment may have turned out to be a value since: then several tallies have one name
    and are added up.
    """
    named: defaultdict[tuple[str, str], list[RouteTally]] = defaultdict(list)
    for tally in counts.tallies.values():
        named[tally.route.template, tally.method].append(tally)
    return tuple(
        _route(method, template, tallies)
        for (template, method), tallies in sorted(named.items(), key=lambda item: item[0])
    )


def _route(method: str, template: str, tallies: Sequence[RouteTally]) -> RouteCounts:
    failures = _sum(tally.failures for tally in tallies)
    return RouteCounts(
        method=method,
        template=template,
        pairs=sum(tally.pairs for tally in tallies),
        matched=sum(tally.matched for tally in tallies),
        hinted_only=sum(tally.hinted_only for tally in tallies),
        signatures=_signatures(tallies),
        overflow=sum(tally.overflow for tally in tallies),
        hinted=_places([tally.hinted for tally in tallies]),
        unproven=dict(_sum(tally.unproven for tally in tallies)),
        reference_statuses=dict(_sum(tally.reference_statuses for tally in tallies)),
        reference_sizes=dict(_sum(tally.reference_sizes for tally in tallies)),
        incomparable=dict(_sum(tally.incomparable for tally in tallies)),
        uniform=_controls([tally.uniform for tally in tallies]),
        triggered=_controls([tally.triggered for tally in tallies]),
        paths=_paths(tallies),
        leaves=sum(tally.leaves for tally in tallies),
        shadow_latency=wire(merged(tally.shadow_latency for tally in tallies)),
        reference_latency=wire(merged(tally.reference_latency for tally in tallies)),
        latency_ratio=wire(merged(tally.latency_ratio for tally in tallies)),
        **failures,
    )


def _sum(counters: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return total


def _place(difference: Difference) -> tuple[str, str, str]:
    node, kind, detail = difference
    return (node.path, kind.value, detail)


def _wire(place: tuple[str, str, str]) -> Place:
    path, kind, detail = place
    return Place.model_validate({"path": path, "kind": kind, "detail": detail})


def _signatures(tallies: Sequence[RouteTally]) -> tuple[Signature, ...]:
    named: defaultdict[tuple[tuple[str, str, str], ...], list[SignatureTally]] = defaultdict(list)
    for tally in tallies:
        for places, signature in tally.signatures.items():
            named[tuple(sorted({_place(place) for place in places}))].append(signature)
    return tuple(
        Signature(
            places=tuple(_wire(place) for place in places),
            pairs=sum(signature.pairs for signature in signatures),
            first_time=round(min(signature.first for signature in signatures), 3),
            last_time=round(max(signature.last for signature in signatures), 3),
            samples=_samples(signatures),
        )
        for places, signatures in sorted(named.items(), key=lambda item: item[0])
    )


def mismatches(counts: Counts, limit: int) -> Mismatches:
    """Return the latest pairs that differed, newest first, at most `limit`."""
    found = [
        Mismatch(
            method=route.method,
            template=route.template,
            places=signature.places,
            pairs=signature.pairs,
            sample=sample,
        )
        for route in routes(counts)
        for signature in route.signatures
        for sample in signature.samples
    ]
    found.sort(key=lambda one: -one.sample.time)
    return Mismatches(samples=tuple(found[:limit]), kept=len(found))


def _samples(signatures: Sequence[SignatureTally]) -> tuple[Sample, ...]:
    found = sorted(chain.from_iterable(signature.samples for signature in signatures))
    return tuple(Sample(**sample._asdict()) for sample in found[-SAMPLES:])


def _places(tables: Sequence[PlaceTable]) -> tuple[PlaceCount, ...]:
    named: Counter[tuple[str, str, str]] = Counter()
    for table in tables:
        for place, pairs in table.pairs.items():
            named[_place(place)] += pairs
    return tuple(
        PlaceCount(place=_wire(place), pairs=pairs) for place, pairs in sorted(named.items())
    )


def _controls(tallies: Sequence[ControlTally]) -> ControlCounts:
    return ControlCounts(
        triples=sum(tally.triples for tally in tallies),
        reference=_places([tally.reference for tally in tallies]),
        shadow=_places([tally.shadow for tally in tallies]),
        overflow=sum(tally.reference.overflow + tally.shadow.overflow for tally in tallies),
    )


def _paths(tallies: Sequence[RouteTally]) -> tuple[PathCount, ...]:
    """Count answers per path that ever differed, of the pairs of the tallies where it did.

    Folded keys are counted per key and shown under one name, so their sum is cut at the number of
    pairs.
    """
    named: defaultdict[str, list[Node]] = defaultdict(list)
    for tally in tallies:
        for node in tally.shape:
            if node.differed:
                named[node.path].append(node)
    return tuple(_path(path, nodes) for path, nodes in sorted(named.items()))


def _path(path: str, nodes: Sequence[Node]) -> PathCount:
    pairs = sum(shape.pairs for shape in {node.shape for node in nodes})
    return PathCount(
        path=path,
        reference=min(pairs, sum(node.reference for node in nodes)),
        shadow=min(pairs, sum(node.shadow for node in nodes)),
        leaves=sum(below.leaves for below in _distinct(nodes)),
        pairs=pairs,
        more=sum(node.more for node in nodes),
        less=sum(node.less for node in nodes),
        within_pods=reduce(merged_trend, (n.instances.trend for n in nodes if n.instances), ""),
    )


def _distinct(nodes: Iterable[Node]) -> set[Node]:
    return {below for node in nodes for below in node.below()}
