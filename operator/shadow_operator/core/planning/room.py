"""Reads from a snapshot how much room there is (`core/recording/headroom`)."""

from collections.abc import Iterable
from typing import Final

from shadow_operator.api.names import LABEL_ROLE
from shadow_operator.core.planning.situation import Situation
from shadow_operator.core.pods import read_amount, read_bounds
from shadow_operator.core.recording.headroom import Asked, Headroom, Network
from shadow_operator.core.snapshot import (
    Amount,
    Found,
    Item,
    Manifest,
    Missing,
    RoomReading,
    Unknown,
    found,
)


def is_open(situation: Situation) -> bool:
    """Whether it is still to be read: before the first copy, until nodes could be read."""
    progress = situation.progress
    return situation.wants_clones and progress.headroom != situation.epoch


def read(situation: Situation) -> Headroom | None:
    """Read it, once all Deployments are there, because they say what is asked for; else None."""
    live = [found(situation.deployment(role)) for role in situation.roles]
    there = [deployment for deployment in live if deployment is not None]
    return read_for(situation, there) if len(there) == len(live) else None


def read_for(situation: Situation, deployments: Iterable[Manifest]) -> Headroom | None:
    """Read it for pods of these Deployments; None where nothing was read."""
    room = situation.snapshot.room
    if room is None:
        return None
    asked = _asked(deployments)
    nodes = found(room.nodes)
    total = sum((node.allocatable for node in nodes or ()), Amount())
    used, problem = _used(situation, room)
    network, why_not = _network(room)
    autoscaler = _autoscaler(situation, room)
    known = Headroom(
        nodes=len(nodes or ()),
        cpu=total.cpu,
        memory=total.memory,
        used_cpu=used.cpu if used else None,
        used_memory=used.memory if used else None,
        problem=problem[:160],
        network=network,
        network_problem=why_not[:120],
        autoscaler=autoscaler,
        autoscaler_problem=_unread(room.autoscalers),
        quota_problem=_unread(room.quotas),
        asked=asked,
    )
    return known.model_copy(update={"quota": _short_quota(situation, room, known)[:160]})


def _unread(item: Item[tuple[Manifest, ...]]) -> str:
    return item.reason[:60] if isinstance(item, Unknown) else ""


def _asked(deployments: Iterable[Manifest]) -> dict[str, Asked]:
    return {
        one["spec"]["template"]["metadata"]["labels"][LABEL_ROLE]: _asked_by(one, _replicas(one))
        for one in deployments
    }


def _asked_by(deployment: Manifest, pods: int) -> Asked:
    """Give what so many pods of a Deployment ask for."""
    bounds = read_bounds(deployment["spec"]["template"]["spec"]).values()
    each = sum((one.requests for one in bounds), Amount())
    return Asked(pods=pods, cpu=each.cpu, memory=each.memory)


def _replicas(deployment: Manifest) -> int:
    return int(deployment["spec"].get("replicas", 1))


def _autoscaler(situation: Situation, room: RoomReading) -> Asked | None:
    """Give what production's autoscaler may still ask for; None where none scales it."""
    production = found(situation.snapshot.deployment)
    if production is None:
        return None
    name = situation.spec.production_ref.deployment_name
    most = max(
        (
            int(one["spec"]["maxReplicas"])
            for one in found(room.autoscalers) or ()
            if _scales(one["spec"]["scaleTargetRef"], name)
        ),
        default=0,
    )
    more = most - _replicas(production)
    return _asked_by(production, more) if more > 0 else None


def _scales(target: Manifest, deployment: str) -> bool:
    return (target["kind"], target["name"]) == ("Deployment", deployment)


def _used(situation: Situation, room: RoomReading) -> tuple[Amount | None, str]:
    """Give what the nodes use without our pods, or why that is not known."""
    nodes, usage = room.nodes, room.usage
    if not isinstance(nodes, Found):
        return None, f"nodes are not known ({_why(nodes, 'nodes')})"
    if not nodes.value:
        return None, "no node takes pods without a toleration"
    if not isinstance(usage, Found):
        return None, f"what nodes use is not known ({_why(usage, 'metrics API')})"
    lacking = [node.name for node in nodes.value if node.name not in usage.value]
    if lacking:
        return None, f"what {len(lacking)} of {len(nodes.value)} nodes use is not known"
    samples = found(situation.snapshot.usage) or {}
    ours = (samples[pod.name].total for pod in situation.pods if pod.name in samples)
    total = sum((usage.value[node.name] for node in nodes.value), Amount())
    return total - sum(ours, Amount()), ""


def _network(room: RoomReading) -> tuple[Network | None, str]:
    """Give what the nodes' network carries, or why that is not known; "" without Prometheus."""
    read, nodes = room.network, found(room.nodes)
    if isinstance(read, Missing):
        return None, ""
    if isinstance(read, Unknown):
        return None, f"Prometheus can't be asked ({read.reason})"
    if not nodes:
        return None, "nodes are not known"
    known = [read.value[node.name] for node in nodes if node.name in read.value]
    if len(known) < len(nodes):
        number = len(nodes) - len(known)
        return None, f"Prometheus has no node_network_speed_bytes of {number} of {len(nodes)} nodes"
    busier = (max(one.received, one.sent) for one in known)
    return Network(speed=int(sum(one.speed for one in known)), used=int(sum(busier))), ""


def _why(item: Missing | Unknown, what: str) -> str:
    return item.reason if isinstance(item, Unknown) else f"the cluster has no {what}"


_QUOTA_NAMES: Final = {
    "requests.cpu": "cpu",
    "cpu": "cpu",
    "requests.memory": "memory",
    "memory": "memory",
}


def _short_quota(situation: Situation, room: RoomReading, known: Headroom) -> str:
    """Name a quota that leaves too little for the pods that do not run yet."""
    running = sum((pod.requests for pod in situation.pods), Amount())
    missing = known.all_asked - running + known.kept
    for quota in found(room.quotas) or ():
        status = quota.get("status") or {}
        for name, kind in _QUOTA_NAMES.items():
            if name not in (status.get("hard") or {}):
                continue
            hard, used = (
                getattr(read_amount({kind: (status.get(part) or {}).get(name, 0)}), kind)
                for part in ("hard", "used")
            )
            if 0 < getattr(missing, kind) > hard - used:
                short = f"quota {quota['metadata']['name']} leaves too little {name}"
                return f"{short} for {known.wanted_by}"
    return ""
