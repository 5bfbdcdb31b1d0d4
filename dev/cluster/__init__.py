"""A Kubernetes cluster for development, tests and the demo, on whatever machine this is."""

from __future__ import annotations

from dev.cluster import source
from dev.cluster.base import Cluster, ClusterError, Progress, Silent, Unavailable
from dev.cluster.choose import Machine, choose
from dev.cluster.existing import ExistingCluster
from dev.cluster.kind import KindCluster

__all__ = [
    "Cluster",
    "ClusterError",
    "Progress",
    "Silent",
    "Unavailable",
    "ensure",
    "find",
    "remove",
    "require",
]


def ensure(
    name: str,
    *,
    control_plane_only: bool = False,
    progress: Progress | None = None,
    machine: Machine | None = None,
    ask: bool = False,
) -> Cluster:
    """Find the cluster `name` or start it; return when it is ready.

    Raises Unavailable when this machine can't have one and ClusterError when it should but
    something went wrong; both say what to do. With `ask`, a person at a terminal is asked before
    the machine is changed.
    """
    machine = machine or Machine.look()
    progress = progress or Progress()
    provider = choose(machine, control_plane_only=control_plane_only)
    if provider == "existing":
        return ExistingCluster(name, machine.existing or "", progress, ask=ask)
    if provider == "kind":
        return KindCluster.start(name, progress)
    return source.start(name, control_plane_only=control_plane_only, progress=progress, ask=ask)


def find(
    name: str,
    *,
    progress: Progress | None = None,
    machine: Machine | None = None,
    ask: bool = False,
) -> Cluster | None:
    """Give the running cluster `name`, or None; start nothing. `ask` is as in `ensure`."""
    machine = machine or Machine.look()
    progress = progress or Progress()
    if machine.existing:
        return ExistingCluster(name, machine.existing, progress, ask=ask)
    if machine.wanted != "kind" and (cluster := source.find(name, progress)) is not None:
        return cluster
    if machine.wanted != "source" and machine.docker_answers:
        return KindCluster.find(name, progress)
    return None


def require(name: str, *, progress: Progress | None = None, ask: bool = False) -> Cluster:
    """Give the running cluster `name`; ClusterError where there is none."""
    if (cluster := find(name, progress=progress, ask=ask)) is None:
        raise ClusterError(f"no cluster {name!r} is running; `make cluster NAME={name}` starts it")
    return cluster


def remove(name: str, *, machine: Machine | None = None) -> None:
    """Remove the cluster `name` and every trace of it, also of one that crashed.

    Nothing happens where there is none, or where the cluster is not ours.
    """
    machine = machine or Machine.look()
    source.stop(name)
    if machine.docker_answers:
        KindCluster(name, Silent()).down()
