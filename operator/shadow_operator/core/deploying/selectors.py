"""Label selectors, and which of them would take a clone for production.

Semantics of `metav1.LabelSelector`: an absent selector matches nothing, an empty one everything,
requirements are joined by and, `NotIn` also matches where the key is absent. Nobody checks the
selector of a monitor when it is written: one with an unknown operator selects nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from shadow_operator.api.enums import Egress
from shadow_operator.core.snapshot import Manifest

Labels: TypeAlias = Mapping[str, str]


SELECTING_KINDS: Final = (
    ("v1", "Service"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("apps/v1", "ReplicaSet"),
    ("monitoring.coreos.com/v1", "ServiceMonitor"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
)
"""Kinds that select pods by labels; the clones must not be taken for production by one."""


def matches_labels(wanted: Labels, labels: Labels) -> bool:
    """Whether the labels have all wanted values (a Service's or ReplicationController's way)."""
    return all(labels.get(key) == value for key, value in wanted.items())


_OPERATORS: Final[Mapping[str, Callable[[str | None, list[str]], bool]]] = MappingProxyType(
    {
        "In": lambda value, values: value is not None and value in values,
        "NotIn": lambda value, values: value not in values,
        "Exists": lambda value, _: value is not None,
        "DoesNotExist": lambda value, _: value is None,
    }
)


def matches(selector: Mapping[str, Any] | None, labels: Labels) -> bool:
    """Whether a label selector matches these labels."""
    if selector is None:
        return False
    return matches_labels(selector.get("matchLabels") or {}, labels) and all(
        _holds(term, labels) for term in selector.get("matchExpressions") or ()
    )


def _holds(term: Mapping[str, Any], labels: Labels) -> bool:
    test = _OPERATORS.get(term.get("operator", ""))
    return test is not None and test(labels.get(term["key"]), term.get("values") or [])


def conflicts(
    clone: Labels,
    selecting: Iterable[Manifest],
    production: Labels,
    *,
    production_service: Labels = MappingProxyType({}),
    egress: Egress = Egress.DENY,
) -> tuple[str, ...]:
    """Give a sentence for each object that would take a clone for production.

    `clone` are the labels of a clone's pods and of its Services, `production` those of production's
    pods, `production_service` those of its Service (a ServiceMonitor goes by them). `selecting` are
    the objects of the namespace that select by labels; the resource's own children among them never
    select production. An object that selects only clones is somebody's own wish.
    """
    return tuple(
        f"{manifest['kind']} {manifest['metadata']['name']} selects production and would select "
        f"the clones too, which {_HARM[manifest['kind']]}; let its selector name a label that "
        "only production has."
        for manifest in selecting
        if _selects(manifest, production, production_service)
        and _selects(manifest, clone, clone)
        and _is_harmful(manifest, egress)
    )


_HARM: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Service": "sends them production's requests",
        "PodDisruptionBudget": "lets them stand in for production's pods when nodes are drained",
        "NetworkPolicy": "lets them call what clones.egress: Deny forbids",
        "ReplicaSet": "lets it take them over or count them",
        "PodMonitor": "mixes their metrics with production's",
        "ServiceMonitor": "mixes their metrics with production's",
    }
)
"""Kind -> what goes wrong when it selects a clone."""


def _selects(manifest: Manifest, pod: Labels, service: Labels) -> bool:
    spec = manifest.get("spec") or {}
    if manifest["kind"] == "Service":
        # A Service without a selector has endpoints that somebody else writes.
        return bool(spec.get("selector")) and matches_labels(spec["selector"], pod)
    if manifest["kind"] == "NetworkPolicy":
        return matches(spec.get("podSelector") or {}, pod)
    labels = service if manifest["kind"] == "ServiceMonitor" else pod
    return matches(spec.get("selector"), labels)


def _is_harmful(manifest: Manifest, egress: Egress) -> bool:
    """Whether selecting a clone does harm; it does, except for most network policies.

    Policies add up, and a rule for the whole namespace says nothing about production: denying by
    default, or letting somebody in, gives a clone no traffic. But one that lets it out to more than
    name servers undoes `egress: Deny`, and the isolation probe, which tries one target, need not
    notice.
    """
    if manifest["kind"] != "NetworkPolicy":
        return True
    spec = manifest["spec"]
    rules = spec.get("egress") or () if "Egress" in spec.get("policyTypes", ["Egress"]) else ()
    return egress is Egress.DENY and not all(_only_dns(rule) for rule in rules)


def _only_dns(rule: Mapping[str, Any]) -> bool:
    ports = rule.get("ports") or ()
    return bool(ports) and all(
        port.get("port") in _DNS_PORTS and "endPort" not in port for port in ports
    )


_DNS_PORTS: Final = (53, 5353, "dns", "dns-tcp")
