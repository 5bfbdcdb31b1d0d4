"""Readings as comparators and Envoys would give them, for tests of judgement."""

from collections.abc import Mapping
from functools import lru_cache
from math import exp
from statistics import NormalDist
from typing import Any

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
from shadow_operator.api.spec import Spec
from shadow_operator.comparator.room import Room
from shadow_operator.comparator.sketch import MAPPING, Latencies
from shadow_operator.core.snapshot import Found, MirrorReading

EPOCH = "e1-1"
ROUTE = "GET /api/v1/neurons/{}"


def spec(**changes: Any) -> Spec:
    """Give the smallest spec, with changes in the words of the resource."""
    return Spec.model_validate(
        {
            "phase": "Shadow",
            "productionRef": {"deploymentName": "hal9-server", "serviceName": "hal9-service"},
            "shadow": {"image": "hal9:new"},
        }
        | changes
    )


def place(text: str) -> Place:
    """Read a place: `$.state text`, `status status 200>500`."""
    path, kind, *detail = text.split()
    return Place(path=path, kind=PlaceKind(kind), detail=detail[0] if detail else "")


def signature(places: str, pairs: int, first: float = 0.0, last: float = 600.0) -> Signature:
    """Give a signature: `$.state text, $.time timestamp` in so many pairs."""
    read = sorted((place(text) for text in places.split(", ")), key=lambda p: (p.path, p.kind))
    return Signature(places=tuple(read), pairs=pairs, first_time=first, last_time=last)


def table(counts: Mapping[str, int]) -> tuple[PlaceCount, ...]:
    """Give a table of places."""
    return tuple(PlaceCount(place=place(text), pairs=pairs) for text, pairs in counts.items())


def control(
    triples: int,
    reference: Mapping[str, int] | None = None,
    shadow: Mapping[str, int] | None = None,
) -> ControlCounts:
    """Give triples, and where the reference and the shadow disagreed in them."""
    return ControlCounts(
        triples=triples, reference=table(reference or {}), shadow=table(shadow or {})
    )


def route(
    matched: int = 0,
    differing: Mapping[str, int] | None = None,
    *,
    name: str = ROUTE,
    present: Mapping[str, float] | None = None,
    **changes: Any,
) -> RouteCounts:
    """Give a route with 10 leaves a pair; `differing` maps places to pairs.

    `present` maps a path to the share of the reference's answers that have it; one leaf each.
    The reference takes `seconds` (0.01), the shadow `slower` times as long.
    """
    method, template = name.split()
    slower, reference = changes.pop("slower", 1.0), changes.pop("seconds", 0.01)
    signatures = tuple(signature(text, pairs) for text, pairs in (differing or {}).items())
    signatures += changes.pop("signatures", ())
    hinted_only = changes.get("hinted_only", 0)
    pairs = matched + hinted_only + changes.get("overflow", 0) + sum(s.pairs for s in signatures)
    paths = tuple(
        PathCount(path=path, reference=round(share * pairs), shadow=pairs, leaves=pairs)
        for path, share in (present or {}).items()
    )
    return RouteCounts(
        method=method,
        template=template,
        pairs=pairs,
        matched=matched,
        signatures=signatures,
        paths=paths,
        leaves=10 * pairs,
        **{
            "shadow_latency": timed(pairs, slower * reference),
            "reference_latency": timed(pairs, reference),
            "latency_ratio": timed(pairs, slower),
        }
        | changes,
    )


@lru_cache(maxsize=1024)
def timed(count: int, middle: float, spread: float = 0.05) -> Sketch:
    """Give a sketch of so many, log-normal around `middle`; without chance, each in its place."""
    sketch = Latencies(Room(1 << 20))
    steps, normal = min(count, 200), NormalDist(0.0, spread)
    for step in range(steps):
        sketch.add(middle * exp(normal.inv_cdf((step + 0.5) / steps)))
    few, rest = divmod(count, max(1, steps))
    bins = {key: inside * few for key, inside in sketch.bins.items() if few}
    if rest:
        key = MAPPING.key(middle)
        bins[key] = bins.get(key, 0) + rest
    return Sketch(count=count, total=count * middle, largest=sketch.largest, bins=bins)


def snapshot(
    *routes: RouteCounts, time: float = 30.0, pod: str = "a", boot: str = "1", **changes: Any
) -> ComparatorSnapshot:
    """Give a snapshot in which every received copy became a pair, unless said otherwise."""
    pairs = sum(
        r.shadow_latency.count + sum(r.unproven.values()) + r.shadow_errors + r.shadow_timeouts
        for r in routes
    )
    return ComparatorSnapshot.model_validate(
        {
            "pod_uid": pod,
            "boot_id": boot,
            "epoch": EPOCH,
            "config_version": "c",
            "started_time": 0.0,
            "time": time,
            "received": pairs,
            "eligible": pairs,
            "routes": routes,
        }
        | changes
    )


def mirror(eligible: int, *, boot: str = "m1", percent: int | None = 100) -> MirrorReading:
    """Give the counters of an Envoy of which half of all requests are eligible."""
    return MirrorReading(
        pod="hal9-mirror-a",
        boot=boot,
        requests=2 * eligible,
        eligible=eligible,
        copies=eligible,
        copies_failed=0,
        active=0,
        percent=percent,
        answered=2 * eligible,
        latency={20: 2 * eligible},
    )


def comparators(*snapshots: ComparatorSnapshot) -> dict[str, Found[ComparatorSnapshot]]:
    """Give them as the snapshot of a reconcile has them."""
    return {f"hal9-comparator-{one.pod_uid}": Found(one) for one in snapshots}


def mirrors(*readings: MirrorReading) -> dict[str, Found[MirrorReading]]:
    """Give them as the snapshot of a reconcile has them."""
    return {f"hal9-mirror-{one.boot}": Found(one) for one in readings}
