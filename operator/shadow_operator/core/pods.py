"""From a pod as the API server has it to the few facts that decisions need."""

import datetime
import math
from collections.abc import Iterable
from typing import Any, Final

from shadow_operator.api.names import LABEL_ROLE
from shadow_operator.core import quantity
from shadow_operator.core.snapshot import Amount, Bounds, Manifest, Pod

PRODUCTION: Final = "production"
"""Role of a pod without our label."""

OVERDUE_SECONDS: Final = 60.0
"""A pod that is not ready and should have ended so long ago is gone: its node is lost, and nobody
is there to say so."""


def read_pod(manifest: Manifest, container: str | None = None, *, now: float) -> Pod:
    """Read a pod; `container` is the one that serves, where the pod has it; else the first.

    A pod that is gone has no address, whatever its status says: by now it may be another pod's.
    """
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    statuses = status.get("containerStatuses") or []
    serving = _serving(manifest, statuses, container)
    last = (serving.get("lastState") or {}).get("terminated") or {}
    return Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        role=(metadata.get("labels") or {}).get(LABEL_ROLE, PRODUCTION),
        ip="" if _is_gone(metadata, status, now) else status.get("podIP", ""),
        ready=_is_true(status, "Ready"),
        terminating="deletionTimestamp" in metadata,
        ends_by=_ends_by(metadata),
        image_id=serving.get("imageID", ""),
        container_id=" ".join(one.get("containerID", "") for one in statuses),
        restarts=sum(one.get("restartCount", 0) for one in statuses),
        last_termination=last.get("reason", ""),
        waiting=_waiting(status, statuses),
        bounds=read_bounds(manifest["spec"]),
    )


def read_bounds(pod: Manifest) -> dict[str, Bounds]:
    """Read what each container that keeps running asks for and may use; `pod` is a pod's spec."""
    sidecars = [c for c in pod.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    return {
        container["name"]: Bounds(
            read_amount((container.get("resources") or {}).get("requests")),
            read_amount((container.get("resources") or {}).get("limits")),
        )
        for container in (*pod["containers"], *sidecars)
    }


def read_amount(quantities: Manifest | None) -> Amount:
    """Read `{cpu: 250m, memory: 1Gi}`, rounded up; what is not said or no quantity is 0."""
    return Amount(*(_whole((quantities or {}).get(n, 0), s) for n, s in _SCALES.items()))


_SCALES: Final = {"cpu": 1000, "memory": 1}


def _whole(text: object, scale: int) -> int:
    try:
        return math.ceil(quantity.parse(text) * scale)
    except ValueError:
        return 0


def _is_gone(metadata: Manifest, status: Manifest, now: float) -> bool:
    if status.get("phase") in {"Failed", "Succeeded"}:
        return True
    ends_by = _ends_by(metadata)
    late = ends_by is not None and now - ends_by > OVERDUE_SECONDS
    return late and not _is_true(status, "Ready")


def _ends_by(metadata: Manifest) -> float | None:
    """Read the time of a deletion, which for a pod is the end of its grace period."""
    end = metadata.get("deletionTimestamp")
    return None if end is None else datetime.datetime.fromisoformat(end).timestamp()


def _serving(manifest: Manifest, statuses: list[Any], container: str | None) -> dict[str, Any]:
    first = manifest["spec"]["containers"][0]["name"]
    named = {one["name"]: one for one in statuses}
    return named.get(container or first) or named.get(first) or {}


def _is_true(status: Manifest, condition: str) -> bool:
    return any(
        one["type"] == condition and one["status"] == "True"
        for one in status.get("conditions") or ()
    )


def _waiting(status: Manifest, statuses: Iterable[Any]) -> str:
    for one in statuses:
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return _joined(waiting["reason"], waiting.get("message", ""))
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _joined(condition.get("reason", ""), condition.get("message", ""))
    return ""


def _joined(reason: str, message: str) -> str:
    """Join them to a clause; the scheduler's further sentences say nothing that helps."""
    first = message.partition(". ")[0].rstrip(".")
    return f"{reason}: {first}"[:200] if first else reason
