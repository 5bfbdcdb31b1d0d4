"""Network policies: who may call clones and comparators, and what they may call.

A pod that a policy selects may do only what some policy allows, so each policy here says both what
comes in and what goes out.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from shadow_operator.api.enums import Egress, MirrorProvider
from shadow_operator.api.names import LABEL_ROLE, LABEL_SHADOW, Role
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.api.spec import EgressTarget, Selector
from shadow_operator.core import names
from shadow_operator.core.deploying import objects
from shadow_operator.core.deploying.serving import Serving
from shadow_operator.core.snapshot import Manifest, Settings

Rule: TypeAlias = dict[str, Any]

DNS: Final[Mapping[str, Any]] = {
    "to": [
        {"namespaceSelector": {}},
        # Resolvers on the node: NodeLocal DNSCache, and a provider's metadata server.
        {"ipBlock": {"cidr": "169.254.0.0/16"}},
    ],
    # Behind the Service of OpenShift's resolver stands 5353: rules see a pod's own port.
    "ports": [
        {"port": port, "protocol": protocol} for port in (53, 5353) for protocol in ("UDP", "TCP")
    ],
}
"""Resolvers in the cluster; none outside of it, since names asked there carry data out."""

CLONES: Final = (Role.SHADOW, Role.REFERENCE, Role.PROBE)
"""The probe stands under the clones' policy: what it can't reach, they can't."""


def clones_policy(
    resource: ShadowDeployment,
    serving: Serving,
    settings: Settings,
    *,
    metrics_port: int | None = None,
) -> Manifest:
    """Let comparators and the operator call clones; clones call DNS and `egressTo`.

    `metrics_port`: where the operator reads metrics, if it does.
    """
    spec = resource.spec.clones
    callers = [_pods(resource.name, Role.COMPARATOR), _operator(settings)]
    egress: list[Rule] = (
        [{}]
        if spec.egress is Egress.ALLOW
        else [dict(DNS), *(_egress(target) for target in spec.egress_to)]
    )
    return _policy(
        resource,
        Role.SHADOW,
        names.clones_policy(resource.name),
        _pod_selector(resource.name, CLONES),
        ingress=[
            {"from": callers, "ports": [_tcp(serving.container_port)]},
            *(
                [{"from": [_operator(settings)], "ports": [_tcp(metrics_port)]}]
                if metrics_port not in {None, serving.container_port}
                else []
            ),
        ],
        egress=egress,
    )


def comparator_policy(resource: ShadowDeployment, serving: Serving) -> Manifest:
    """Let the mirror send copies; comparators call clones and DNS.

    The admin port answers with counts and with what the shadow says of its layers, so everybody who
    reaches it may ask: where Prometheus runs is not known, and the API server, through which people
    read samples, is no pod. A mirror of the user's own (`External`) may stand anywhere.
    """
    copies: Rule = {"ports": [_tcp(names.COPIES_PORT)]}
    if resource.spec.mirror.provider is not MirrorProvider.EXTERNAL:
        copies["from"] = [_pods(resource.name, Role.MIRROR)]
    clones = [_pods(resource.name, role) for role in (Role.SHADOW, Role.REFERENCE)]
    return _policy(
        resource,
        Role.COMPARATOR,
        names.child(resource.name, Role.COMPARATOR),
        {"matchLabels": names.selector(resource.name, Role.COMPARATOR)},
        ingress=[copies, {"ports": [_tcp(names.ADMIN_PORT)]}],
        egress=[dict(DNS), {"to": clones, "ports": [_tcp(serving.container_port)]}],
    )


def _policy(
    resource: ShadowDeployment,
    role: Role,
    name: str,
    pod_selector: Rule,
    *,
    ingress: list[Rule],
    egress: list[Rule],
) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": objects.metadata(resource, role, name),
        "spec": {
            "podSelector": pod_selector,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    }


def _pod_selector(name: str, roles: Iterable[Role]) -> Rule:
    values = [str(role) for role in roles]
    return {
        "matchLabels": {LABEL_SHADOW: name},
        "matchExpressions": [{"key": LABEL_ROLE, "operator": "In", "values": values}],
    }


def _pods(name: str, role: Role) -> Rule:
    return {"podSelector": {"matchLabels": names.selector(name, role)}}


def _operator(settings: Settings) -> Rule:
    return {
        "namespaceSelector": {
            "matchLabels": {"kubernetes.io/metadata.name": settings.operator_namespace}
        },
        "podSelector": {"matchLabels": dict(settings.operator_labels)},
    }


def _egress(target: EgressTarget) -> Rule:
    peer: Rule = {}
    if target.cidr is not None:
        peer["ipBlock"] = {"cidr": target.cidr}
    if target.pod_selector is not None:
        peer["podSelector"] = _labels(target.pod_selector)
    if target.namespace_selector is not None:
        peer["namespaceSelector"] = _labels(target.namespace_selector)
    ports = [{"port": port.port, "protocol": str(port.protocol)} for port in target.ports]
    return {"to": [peer], **({"ports": ports} if ports else {})}


def _labels(selector: Selector) -> Rule:
    return {"matchLabels": dict(selector.match_labels)} if selector.match_labels else {}


def _tcp(port: int) -> Rule:
    return {"port": port, "protocol": "TCP"}
