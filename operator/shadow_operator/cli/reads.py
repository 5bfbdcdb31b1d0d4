"""What a person may read of a cluster, as the operator's own snapshot; nothing is changed by it.

What can't be read is `Unknown` with its reason: people often may see less than the operator.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar
from urllib.parse import quote

from shadow_operator.api.names import LABEL_SHADOW, PLURAL
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.cli.access import Access
from shadow_operator.core import names
from shadow_operator.core.deploying import entry, mirror
from shadow_operator.core.deploying.selectors import SELECTING_KINDS
from shadow_operator.core.planning import evidence
from shadow_operator.core.planning.outlook import Surroundings
from shadow_operator.core.pods import read_pod
from shadow_operator.core.recording import metered
from shadow_operator.core.snapshot import (
    Found,
    Item,
    Manifest,
    Missing,
    ObjectRef,
    RoomReading,
    Settings,
    Snapshot,
    Unknown,
    found,
)

T = TypeVar("T")

_PLURALS: Final[Mapping[str, str]] = {
    "ConfigMap": "configmaps",
    "DaemonSet": "daemonsets",
    "Deployment": "deployments",
    "HTTPRoute": "httproutes",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "Ingress": "ingresses",
    "NetworkPolicy": "networkpolicies",
    "Node": "nodes",
    "NodeMetrics": "nodes",
    "Pod": "pods",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "PodMetrics": "pods",
    "PodMonitor": "podmonitors",
    "ReplicaSet": "replicasets",
    "ResourceQuota": "resourcequotas",
    "Service": "services",
    "ServiceMonitor": "servicemonitors",
    "ShadowDeployment": PLURAL,
    "VirtualService": "virtualservices",
}
_LEADING: Final = (
    ("networking.k8s.io/v1", "Ingress"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("networking.istio.io/v1", "VirtualService"),
)
"""Kinds that lead requests to a Service."""
_AT_ONCE: Final = 8


class Reads:
    """GETs of one cluster with the user's own rights."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def get(self, ref: ObjectRef, namespace: str | None) -> Item[Manifest]:
        """Read one object; `namespace` is None for what has none."""
        what = f"get {_PLURALS[ref.kind]}"
        return self._asked(f"{_path(ref.api_version, ref.kind, namespace)}/{ref.name}", what)

    def list(
        self, api_version: str, kind: str, namespace: str | None, selector: str = ""
    ) -> Item[tuple[Manifest, ...]]:
        """Read all of a kind; a kind that the cluster does not know is `Missing`."""
        query = f"?labelSelector={quote(selector)}" if selector else ""
        path = _path(api_version, kind, namespace) + query
        item = self._asked(path, f"list {_PLURALS[kind]}")
        if not isinstance(item, Found):
            return item
        own = {"apiVersion": api_version, "kind": kind}
        return Found(tuple({**own, **one} for one in item.value.get("items") or ()))

    def _asked(self, path: str, what: str) -> Item[Manifest]:
        status, body = self._access.answer(path)
        if status == 404:
            return Missing()
        if status in {401, 403}:
            return Unknown(f"you may not {what}")
        if not 200 <= status < 300:
            return Unknown(f"the API server answers {status} to: {what}")
        answer: dict[str, Any] = json.loads(body)
        return Found(answer)


def _path(api_version: str, kind: str, namespace: str | None) -> str:
    group = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"{group}{where}/{_PLURALS[kind]}"


def snapshot(
    reads: Reads, resource: ShadowDeployment, body: Manifest, now: float
) -> tuple[Snapshot, Surroundings]:
    """Read all that says what would be in the way. `now` in seconds since the epoch."""
    namespace, name, production = resource.namespace, resource.name, resource.spec.production_ref
    refs = (*names.references(name), *mirror.references(name), entry.reference(name))
    deployment = ObjectRef("apps/v1", "Deployment", production.deployment_name)
    with ThreadPoolExecutor(_AT_ONCE) as pool:

        def get(ref: ObjectRef) -> Future[Item[Manifest]]:
            return pool.submit(reads.get, ref, namespace)

        def lists(
            kinds: Iterable[tuple[str, str]], where: str | None = namespace, selector: str = ""
        ) -> list[Future[Item[tuple[Manifest, ...]]]]:
            return [pool.submit(reads.list, *kind, where, selector) for kind in kinds]

        children = {ref: get(ref) for ref in refs}
        one, other, kept = (
            get(deployment),
            get(ObjectRef("v1", "Service", production.service_name)),
            get(evidence.reference(name)),
        )
        selecting, leading = lists(SELECTING_KINDS), lists(_LEADING)
        [pods] = lists([("v1", "Pod")], selector=f"{LABEL_SHADOW}={name}")
        [agents] = lists([("apps/v1", "DaemonSet")], "kube-system")
        nodes, node_usage = lists([("v1", "Node"), (metered.API, "NodeMetrics")], None)
        quotas, usage = lists([("v1", "ResourceQuota"), (metered.API, "PodMetrics")])
        [autoscalers] = lists([("autoscaling/v2", "HorizontalPodAutoscaler")])
    read = Snapshot(
        body=body,
        namespace_annotations=Missing(),
        settings=SETTINGS,
        deployment=one.result(),
        service=other.result(),
        selecting=_all(selecting),
        children={ref: future.result() for ref, future in children.items()},
        pods=_parsed(pods.result(), lambda items: tuple(read_pod(o, now=now) for o in items)),
        usage=_parsed(usage.result(), metered.pods),
        room=RoomReading(
            _parsed(nodes.result(), metered.nodes),
            _parsed(node_usage.result(), metered.node_usage),
            quotas.result(),
            autoscalers.result(),
            network=Unknown("only the operator does"),
        ),
        ledger=kept.result(),
    )
    return read, Surroundings(leading=_all(leading), agents=_parsed(agents.result(), _named))


SETTINGS: Final = Settings(
    operator_image="operator",
    envoy_image="envoy",
    operator_namespace="shadow-system",
    operator_labels={},
)
"""What only the installation knows is not looked at: what our own pods ask for does not depend on
it."""


def _named(items: Iterable[Manifest]) -> tuple[str, ...]:
    return tuple(one["metadata"]["name"] for one in items)


def _all(futures: Iterable[Future[Item[tuple[Manifest, ...]]]]) -> Item[tuple[Manifest, ...]]:
    """Give what all lists have together; one that could not be read makes it unknown."""
    items = [future.result() for future in futures]
    for item in items:
        if isinstance(item, Unknown):
            return item
    return Found(tuple(one for item in items for one in found(item) or ()))


def _parsed(item: Item[tuple[Manifest, ...]], parse: Callable[[Iterable[Manifest]], T]) -> Item[T]:
    if not isinstance(item, Found):
        return item
    try:
        return Found(parse(item.value))
    except (KeyError, TypeError, ValueError) as error:
        return Unknown(f"what answered makes no sense ({type(error).__name__})")
