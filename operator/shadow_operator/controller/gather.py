"""Reads everything that one reconcile decides on, once, into one frozen `Snapshot`."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
import orjson

from shadow_operator.adapters import comparators, envoy, layers, usage
from shadow_operator.adapters.kubernetes import ApiError, KubernetesApi
from shadow_operator.adapters.pods import reachable
from shadow_operator.adapters.prometheus import Prometheus
from shadow_operator.api.enums import GateMode, RequestedPhase
from shadow_operator.api.errors import InvalidSpec
from shadow_operator.api.names import API_VERSION, KIND, LABEL_SHADOW, Role
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.controller import metrics
from shadow_operator.controller.workers import Key
from shadow_operator.core import names
from shadow_operator.core.deploying import entry, mirror
from shadow_operator.core.deploying.selectors import SELECTING_KINDS
from shadow_operator.core.deploying.serving import serving
from shadow_operator.core.errors import CannotClone
from shadow_operator.core.planning import evidence, room
from shadow_operator.core.planning.situation import Situation
from shadow_operator.core.pods import read_pod
from shadow_operator.core.snapshot import (
    AlertReading,
    Found,
    Item,
    LayerReading,
    LogReading,
    Manifest,
    Missing,
    ObjectRef,
    Pod,
    PodUsage,
    RoomReading,
    Settings,
    Snapshot,
    Unknown,
    found,
)
from shadow_operator.core.telling.unreadable import read_resource, salvage


@dataclass(frozen=True, slots=True)
class Sources:
    """Where everything is read from."""

    api: KubernetesApi
    http: httpx.AsyncClient
    """For calls to pods."""
    settings: Settings
    prometheus: Prometheus | None = None


async def gather(sources: Sources, key: Key, now: float) -> Snapshot | None:
    """Read the resource and all that belongs to it; None when the resource is gone.

    `now` in seconds since the epoch: only pods that are not gone by then are called. Raises
    `ApiError` where the resource itself can't be read: there is nothing to decide on then.
    """
    api, (namespace, name) = sources.api, key
    body = await api.get(ObjectRef(API_VERSION, KIND, name), namespace)
    if isinstance(body, Missing):
        return None
    if isinstance(body, Unknown):
        raise ApiError(body.reason)
    annotations = await _namespace_annotations(api, namespace)
    try:
        resource = read_resource(body.value)
    except InvalidSpec:
        resource = salvage(body.value)
    return await _gather_all(sources, body.value, annotations, resource, now)


async def _gather_all(
    sources: Sources,
    body: Manifest,
    annotations: Item[Mapping[str, str]],
    resource: ShadowDeployment,
    now: float,
) -> Snapshot:
    known = await _gather_first(sources, body, annotations, resource, now)
    situation = Situation(known, resource, now)
    (used, room), read = await asyncio.gather(
        _usage(sources, situation), _gather_others(sources, resource, known, situation, now)
    )
    if situation.records_baseline or situation.meters_production:
        told = metrics.of_production(sources.http, sources.prometheus, resource, read, now)
        read = replace(read, requests=await told)
    return replace(read, usage=used, room=room)


async def _gather_others(
    sources: Sources, resource: ShadowDeployment, known: Snapshot, situation: Situation, now: float
) -> Snapshot:
    api, http, pods = sources.api, sources.http, found(known.pods) or ()
    ours, (selected, production_pods, health, (alerts, logs), told) = await asyncio.gather(
        asyncio.gather(
            _each(pods, Role.COMPARATOR, lambda pod: comparators.scrape(http, pod.ip)),
            _each(
                pods,
                Role.MIRROR,
                lambda pod: envoy.read(
                    http, pod.ip, pod=pod.name, boot=f"{pod.uid}/{pod.container_id}"
                ),
            ),
            _probe(situation.child("v1", "Pod", names.child(resource.name, Role.PROBE))),
        ),
        asyncio.gather(
            _in_the_way(api, situation),
            _production_pods(api, resource, known, now),
            _layers(http, resource, known.children),
            _prometheus(sources.prometheus, resource),
            metrics.of_shadow(http, resource, known),
        ),
    )
    (measured, mirrors, probe), (unlisted, selecting) = ours, selected
    return replace(
        known,
        production_pods=production_pods,
        selecting=selecting,
        children={**known.children, **unlisted},
        comparators=measured,
        mirrors=mirrors,
        layers=metrics.with_neurons(health, told.values()),
        alerts=alerts,
        logs=logs,
        learning=metrics.learned(resource, told),
        probe=probe[0],
        probe_reachable_from_here=probe[1],
    )


async def _gather_first(
    sources: Sources,
    body: Manifest,
    annotations: Item[Mapping[str, str]],
    resource: ShadowDeployment,
    now: float,
) -> Snapshot:
    """Read what tells what else has to be read."""
    api, namespace, name = sources.api, resource.namespace, resource.name
    production = resource.spec.production_ref
    deployment, service, (listed, pods), ledger = await asyncio.gather(
        api.get(ObjectRef("apps/v1", "Deployment", production.deployment_name), namespace),
        api.get(ObjectRef("v1", "Service", production.service_name), namespace),
        _listed(api, namespace, name),
        api.get(evidence.reference(name), namespace),
    )
    return Snapshot(
        body=body,
        namespace_annotations=annotations,
        settings=sources.settings,
        deployment=deployment,
        service=service,
        children=listed,
        pods=_as_pods(pods, now, _serving_container(resource, deployment, service)),
        ledger=ledger,
    )


async def _namespace_annotations(api: KubernetesApi, namespace: str) -> Item[Mapping[str, str]]:
    item = await api.get(ObjectRef("v1", "Namespace", namespace), None)
    if isinstance(item, Found):
        return Found(item.value["metadata"].get("annotations") or {})
    return item


def _serving_container(
    resource: ShadowDeployment, deployment: Item[Manifest], service: Item[Manifest]
) -> str | None:
    """Give the container whose image counts; None where that is not to be found out."""
    if not isinstance(deployment, Found) or not isinstance(service, Found):
        return None
    try:
        return serving(deployment.value, service.value, resource.spec).container
    except CannotClone:
        return None


async def _production_pods(
    api: KubernetesApi, resource: ShadowDeployment, known: Snapshot, now: float
) -> Item[tuple[Pod, ...]]:
    if not isinstance(known.deployment, Found):
        return known.deployment
    selector = label_selector(known.deployment.value["spec"]["selector"])
    container = _serving_container(resource, known.deployment, known.service)
    return _as_pods(await api.list("v1", "Pod", resource.namespace, selector), now, container)


def label_selector(selector: Mapping[str, Any]) -> str:
    """Write a `LabelSelector` as a query has it."""
    labels = [f"{key}={value}" for key, value in sorted(selector.get("matchLabels", {}).items())]
    for rule in selector.get("matchExpressions") or ():
        key, values = rule["key"], f"({','.join(rule.get('values') or ())})"
        labels.append(
            {
                "In": f"{key} in {values}",
                "NotIn": f"{key} notin {values}",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[rule["operator"]]
        )
    return ",".join(labels)


def _as_pods(
    item: Item[tuple[Manifest, ...]], now: float, container: str | None = None
) -> Item[tuple[Pod, ...]]:
    if isinstance(item, Found):
        pods = (read_pod(manifest, container, now=now) for manifest in item.value)
        return Found(tuple(sorted(pods, key=lambda pod: pod.name)))
    return item


async def _listed(
    api: KubernetesApi, namespace: str, name: str
) -> tuple[dict[ObjectRef, Item[Manifest]], Item[tuple[Manifest, ...]]]:
    """Read all that has our label with one list per kind: children, and all our pods.

    A list that failed says nothing about its kind.
    """
    wanted = (*names.references(name), *mirror.references(name), entry.reference(name))
    kinds = sorted({(ref.api_version, ref.kind) for ref in wanted})
    answers = await asyncio.gather(
        *(api.list(*kind, namespace, f"{LABEL_SHADOW}={name}") for kind in kinds)
    )
    lists = dict(zip(kinds, answers, strict=True))
    items: dict[ObjectRef, Item[Manifest]] = {
        ObjectRef.of(manifest): Found(manifest)
        for answer in answers
        for manifest in found(answer) or ()
    }
    for ref in wanted:
        if isinstance(answer := lists[ref.api_version, ref.kind], Unknown):
            items[ref] = answer
    return {ref: items.get(ref, Missing()) for ref in wanted}, lists["v1", "Pod"]


async def _in_the_way(
    api: KubernetesApi, situation: Situation
) -> tuple[dict[ObjectRef, Item[Manifest]], Item[tuple[Manifest, ...]]]:
    """Read what may be in the way of children that are to be made: by its name, by its selector."""
    namespace, refs = situation.resource.namespace, _may_be_there(situation)
    no_shadow = isinstance(situation.deployment(Role.SHADOW), Missing)
    selecting, there = await asyncio.gather(
        _selecting(api, namespace, wanted=situation.wants_clones and no_shadow),
        asyncio.gather(*(api.get(ref, namespace) for ref in refs)),
    )
    return dict(zip(refs, there, strict=True)), selecting


def _may_be_there(situation: Situation) -> list[ObjectRef]:
    """Give what no list shows and may all the same be there, without our label.

    It is a stranger's, or a child that somebody took the label from. It must be seen before a child
    is made in its place, and before the finalizer comes off; else it is of no account.
    """
    name, absent = situation.name, situation.snapshot.children
    made: set[ObjectRef] = set()
    if situation.through_envoy:
        made.add(entry.reference(name))
    if situation.wants_clones:
        made |= {*names.references(name), *(mirror.references(name) if made else ())}
    refs = absent if situation.deleting else made
    return [ref for ref in refs if isinstance(absent[ref], Missing)]


async def _selecting(
    api: KubernetesApi, namespace: str, *, wanted: bool
) -> Item[tuple[Manifest, ...]]:
    if not wanted:  # it is judged before the clones are made
        return Found(())
    lists = await asyncio.gather(*(api.list(*kind, namespace) for kind in SELECTING_KINDS))
    for item in lists:
        if isinstance(item, Unknown):
            return item
    return Found(tuple(manifest for item in lists for manifest in found(item) or ()))


async def _each(pods: Iterable[Pod], role: Role, read: Any) -> dict[str, Any]:
    chosen = [pod for pod in pods if pod.role == role and pod.ip]
    return dict(
        zip((pod.name for pod in chosen), await asyncio.gather(*map(read, chosen)), strict=True)
    )


async def _layers(
    http: httpx.AsyncClient,
    resource: ShadowDeployment,
    children: Mapping[ObjectRef, Item[Manifest]],
) -> tuple[LayerReading, ...]:
    spec, template = resource.spec, resource.spec.effective_layer_path_template
    if spec.phase is RequestedPhase.NONE or not spec.layers or not template:
        return ()
    service = found(children[ObjectRef("v1", "Service", names.child(resource.name, Role.SHADOW))])
    if service is None:
        return ()
    address, port = service["spec"].get("clusterIP"), service["spec"]["ports"][0]["port"]
    host = f"[{address}]" if ":" in str(address) else address
    return await layers.probe(http, f"http://{host}:{port}", template, spec.layers)


async def _prometheus(
    prometheus: Prometheus | None, resource: ShadowDeployment
) -> tuple[Item[tuple[AlertReading, ...]], Item[LogReading | None]]:
    """Ask for what a gate wants to know."""
    gates = resource.spec.gates
    alerts: Item[tuple[AlertReading, ...]] = Missing()
    logs: Item[LogReading | None] = Missing()
    if prometheus is None or resource.spec.phase is not RequestedPhase.SHADOW:
        return alerts, logs
    if gates.alerts.mode is not GateMode.OFF:
        alerts = await prometheus.alerts(resource.namespace)
    if gates.log_volume.mode is not GateMode.OFF:
        logs = await prometheus.logs(resource.namespace, resource.name)
    return alerts, logs


async def _usage(
    sources: Sources, situation: Situation
) -> tuple[Item[Mapping[str, PodUsage]], RoomReading | None]:
    """Read what pods use, and while it may still be decided to start how much room there is."""
    baseline = situation.records_baseline
    if not (situation.wants_clones or baseline):
        return Missing(), None
    api, namespace = sources.api, situation.resource.namespace
    wanted = situation.baseline.wants_room(situation.now) if baseline else room.is_open(situation)
    if not wanted:
        return await usage.of_pods(api, namespace), None
    return await asyncio.gather(usage.of_pods(api, namespace), _room(sources, namespace))


async def _room(sources: Sources, namespace: str) -> RoomReading:
    if sources.prometheus is None:
        return await usage.room(sources.api, namespace)
    read, network = await asyncio.gather(
        usage.room(sources.api, namespace), sources.prometheus.network()
    )
    return replace(read, network=network)


async def _probe(pod: Item[Manifest]) -> tuple[Item[Mapping[str, Any]], bool | None]:
    """Read what the isolation probe reported, and try the same connection from here."""
    if not isinstance(pod, Found):
        return pod, None
    report = probe_report(pod.value)
    if not isinstance(report, Found):
        return report, None
    host, _, port = str(report.value["target"]).rpartition(":")
    return report, await reachable(host.strip("[]"), int(port))


def probe_report(pod: Manifest) -> Item[Mapping[str, Any]]:
    """Give the line that the probe left; `Unknown` until it has ended."""
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        ended = (status.get("state") or {}).get("terminated")
        if ended:
            try:
                report = orjson.loads(ended.get("message") or "")
            except orjson.JSONDecodeError:
                return Unknown(f"the isolation probe ended without a report ({ended['reason']})")
            return Found(report) if "target" in report else Unknown("the report names no target")
    return Unknown("the isolation probe runs")
