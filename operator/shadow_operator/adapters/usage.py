"""What pods and nodes use, from the metrics API; and what nodes, quotas and autoscalers allow.

The API is that of metrics-server, `metrics.k8s.io/v1beta1`. A cluster may have none: then an item
is `Missing`. Nothing here may delay a reconcile, so what takes longer than `PATIENCE` is `Unknown`.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from shadow_operator.adapters.kubernetes import KubernetesApi
from shadow_operator.core.recording import metered
from shadow_operator.core.snapshot import (
    Found,
    Item,
    Manifest,
    PodUsage,
    RoomReading,
    Unknown,
)

PATIENCE: Final = 3.0
"""Seconds that an answer may take."""

T = TypeVar("T")


async def of_pods(api: KubernetesApi, namespace: str) -> Item[Mapping[str, PodUsage]]:
    """Read what all pods of the namespace use: pod name -> its newest sample."""
    return await _read(api, metered.API, "PodMetrics", namespace, metered.pods)


async def room(api: KubernetesApi, namespace: str) -> RoomReading:
    """Read what tells how much room there is for pods of this namespace."""
    nodes, usage, quotas, autoscalers = await asyncio.gather(
        _read(api, "v1", "Node", None, metered.nodes),
        _read(api, metered.API, "NodeMetrics", None, metered.node_usage),
        _read(api, "v1", "ResourceQuota", namespace, tuple[Manifest, ...]),
        _read(api, "autoscaling/v2", "HorizontalPodAutoscaler", namespace, tuple[Manifest, ...]),
    )
    return RoomReading(nodes, usage, quotas, autoscalers)


async def _read(
    api: KubernetesApi,
    api_version: str,
    kind: str,
    namespace: str | None,
    parse: Callable[[Iterable[Manifest]], T],
) -> Item[T]:
    try:
        async with asyncio.timeout(PATIENCE):
            item = await api.list(api_version, kind, namespace)
    except TimeoutError:
        return Unknown(f"the API server did not answer within {PATIENCE:g} s")
    if not isinstance(item, Found):
        return item
    try:
        return Found(parse(item.value))
    except (KeyError, TypeError, ValueError) as error:
        return Unknown(f"what answered is no {kind} ({type(error).__name__})")
