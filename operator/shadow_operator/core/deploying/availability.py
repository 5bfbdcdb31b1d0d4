"""Whether the workloads that the operator created can do their part."""

from collections.abc import Iterable
from dataclasses import dataclass

from shadow_operator.core.snapshot import Found, Item, Manifest, Missing, Pod, Unknown


@dataclass(frozen=True, slots=True)
class Availability:
    """One Deployment and its pods."""

    name: str
    complete: bool
    """All pods run the newest template and are available: it may start."""
    usable: bool
    """At least one pod of the newest template is ready: what has begun may go on."""
    ready: int
    desired: int
    restarts: int
    message: str
    """Why it is not complete; empty when it is."""


def availability(name: str, live: Item[Manifest], pods: Iterable[Pod]) -> Availability:
    """Judge a Deployment by its status and its pods (`pods` of its role only)."""
    pods = [pod for pod in pods if not pod.terminating]
    restarts = sum(pod.restarts for pod in pods)
    match live:
        case Missing():
            return Availability(name, False, False, 0, 0, restarts, f"{name} does not exist yet")
        case Unknown(reason):
            return Availability(name, False, False, 0, 0, restarts, f"{name}: {reason}")
        case Found(deployment):
            return _of_deployment(name, deployment, pods, restarts)


def _of_deployment(name: str, deployment: Manifest, pods: list[Pod], restarts: int) -> Availability:
    status = deployment.get("status") or {}
    desired = deployment["spec"].get("replicas", 1)
    seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    updated, ready = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    total = status.get("replicas", 0)
    complete = seen and desired > 0 and updated == ready == total == desired
    usable = seen and updated > 0 and total == updated and ready > 0
    return Availability(
        name,
        complete,
        usable,
        ready,
        desired,
        restarts,
        "" if complete else _why(name, desired, ready, pods),
    )


def _why(name: str, desired: int, ready: int, pods: list[Pod]) -> str:
    if desired == 0:
        return f"{name} is scaled to 0 replicas"
    if ready >= desired:
        return f"{name} is being replaced"
    waiting = sorted({pod.waiting for pod in pods if pod.waiting})
    because = f": {waiting[0]}" if waiting else ""
    return f"{name}: {ready} of {desired} pods are available{because}"
