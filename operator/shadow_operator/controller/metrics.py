"""Reads what production and the shadow say in their own metrics, where a preset knows the names."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

import httpx

from shadow_operator.adapters import learning, requests
from shadow_operator.adapters.prometheus import Prometheus
from shadow_operator.api.enums import Learning, RequestedPhase
from shadow_operator.api.names import Role
from shadow_operator.api.presets import Preset
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core.deploying.serving import metrics_port, serving
from shadow_operator.core.errors import CannotClone
from shadow_operator.core.recording.meter import MOST_PROCESSES
from shadow_operator.core.snapshot import (
    Found,
    Item,
    LayerReading,
    LearningReading,
    Pod,
    RequestsReading,
    Snapshot,
    Unknown,
    found,
)

T = TypeVar("T")


async def of_production(
    http: httpx.AsyncClient,
    prometheus: Prometheus | None,
    resource: ShadowDeployment,
    known: Snapshot,
    now: float,
) -> dict[str, Item[RequestsReading]]:
    """Read what production's own metrics say of requests: by Prometheus, else from its pods."""
    preset = resource.spec.effective_preset
    if preset is None:
        return {}
    failed: dict[str, Item[RequestsReading]] = {}
    if prometheus is not None:
        deployment = resource.spec.production_ref.deployment_name
        told = await prometheus.requests(resource.namespace, deployment, preset, now)
        if isinstance(told, Found) and told.value:
            return {one.boot: Found(one) for one in told.value}
        if isinstance(told, Unknown):
            failed = {"Prometheus": Unknown(f"Prometheus: {told.reason}")}
    return {**await _of_pods(http, preset, resource, known, now), **failed}


async def _of_pods(
    http: httpx.AsyncClient,
    preset: Preset,
    resource: ShadowDeployment,
    known: Snapshot,
    now: float,
) -> dict[str, Item[RequestsReading]]:
    port = _port(resource, known)
    if port is None:
        return {}

    async def read(pod: Pod) -> Item[RequestsReading]:
        boot = f"{pod.uid}/{pod.container_id}"
        return await requests.read(http, _address(pod, port), boot, preset, now)

    pods = [pod for pod in found(known.production_pods) or () if pod.ready]
    return await _each(pods[:MOST_PROCESSES], read)


async def _each(pods: Iterable[Pod], read: Callable[[Pod], Awaitable[T]]) -> dict[str, T]:
    chosen = [pod for pod in pods if pod.ip]
    told = await asyncio.gather(*map(read, chosen))
    return {pod.name: item for pod, item in zip(chosen, told, strict=True)}


def _port(resource: ShadowDeployment, known: Snapshot) -> int | None:
    deployment, service = found(known.deployment), found(known.service)
    if deployment is None or service is None:
        return None
    try:
        return metrics_port(deployment, serving(deployment, service, resource.spec))
    except CannotClone:
        return None


def _address(pod: Pod, port: int) -> str:
    return f"[{pod.ip}]:{port}" if ":" in pod.ip else f"{pod.ip}:{port}"


async def of_shadow(
    http: httpx.AsyncClient, resource: ShadowDeployment, known: Snapshot
) -> dict[str, learning.Told]:
    spec, preset = resource.spec, resource.spec.effective_preset
    port, wanted = _port(resource, known), spec.phase is RequestedPhase.SHADOW
    if not (wanted and spec.tells_by_metrics) or preset is None or port is None:
        return {}

    async def read(pod: Pod) -> learning.Told:
        boot = f"{pod.uid}/{pod.container_id}"
        return await learning.read(http, _address(pod, port), boot, preset)

    pods = [pod for pod in found(known.pods) or () if pod.ready and pod.role == Role.SHADOW]
    return await _each(pods, read)


def learned(
    resource: ShadowDeployment, told: Mapping[str, learning.Told]
) -> dict[str, Item[LearningReading]]:
    if resource.spec.learning is not Learning.SHADOW_ONLY:
        return {}
    return {pod: one.learning for pod, one in told.items()}


def with_neurons(
    layers: Iterable[LayerReading], told: Iterable[learning.Told]
) -> tuple[LayerReading, ...]:
    """Add to each layer the active neurons of a pod, mean over those that tell."""
    counts = [one.neurons for one in told]

    def of(layer: str) -> int | None:
        known = [each[layer.lower()] for each in counts if layer.lower() in each]
        return max(0, round(sum(known) / len(known))) if known else None

    return tuple(replace(layer, neurons=of(layer.name)) for layer in layers)
