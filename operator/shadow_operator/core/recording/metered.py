"""Nodes and what is used, as the API server and its metrics API have them.

A member that has not what is looked for raises `KeyError`, `TypeError` or `ValueError`.
"""

import datetime
from collections.abc import Iterable, Mapping
from typing import Final

from shadow_operator.core.pods import read_amount
from shadow_operator.core.snapshot import Amount, Manifest, Node, PodUsage

API: Final = "metrics.k8s.io/v1beta1"
"""The API of metrics-server."""


def pods(items: Iterable[Manifest]) -> Mapping[str, PodUsage]:
    """Read what pods use: pod name -> its newest sample."""
    return {
        item["metadata"]["name"]: PodUsage(
            datetime.datetime.fromisoformat(item["timestamp"]).timestamp(),
            {one["name"]: read_amount(one["usage"]) for one in item["containers"]},
        )
        for item in items
    }


def node_usage(items: Iterable[Manifest]) -> Mapping[str, Amount]:
    """Read what nodes use, by name."""
    return {item["metadata"]["name"]: read_amount(item["usage"]) for item in items}


def nodes(items: Iterable[Manifest]) -> tuple[Node, ...]:
    """Read the nodes that take pods."""
    return tuple(
        Node(item["metadata"]["name"], read_amount(item["status"]["allocatable"]))
        for item in items
        if _takes_pods(item)
    )


def _takes_pods(node: Manifest) -> bool:
    spec = node.get("spec") or {}
    ready = any(
        one["type"] == "Ready" and one["status"] == "True"
        for one in node["status"].get("conditions") or ()
    )
    kept_away = any(
        taint["effect"] in {"NoSchedule", "NoExecute"} for taint in spec.get("taints") or ()
    )
    return ready and not spec.get("unschedulable") and not kept_away
