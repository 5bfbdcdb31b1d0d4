"""A real Kubernetes from its Go modules and Debian packages, without Docker."""

from __future__ import annotations

import random
import shutil
import socket
from typing import TYPE_CHECKING

from dev.cluster import images, namespace, node, packages, plane
from dev.cluster.base import ClusterError, Progress, run
from dev.cluster.pki import Authority
from dev.cluster.plane import Layout
from dev.cluster.processes import Process, marked
from dev.cluster.programs import CONTROL_PLANE, NODE, programs, tool
from dev.cluster.running import ensure_running, wait_for
from dev.cluster.state import BOOT_ID, State, names
from dev.cluster.store import cluster_folder, locked

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NODE_CHANGES = (
    "for the node's own network, a network interface shadowdev<number> with an address of "
    f"{plane.LINKS}; for its pods, cgroups shadow-operator-<name>; both go with the cluster"
)


class SourceCluster:
    """A running cluster that `start` made or found."""

    provider = "source"

    def __init__(self, state: State, progress: Progress) -> None:
        self._state = state
        self._progress = progress
        self.layout = state.layout
        self.name = state.layout.name
        self.has_node = state.layout.has_node
        self.kubeconfig = state.layout.kubeconfig

    def component(self, name: str) -> Process:
        """Give the process of one of its programs, such as `kube-apiserver`; for tests."""
        return self._state.processes[name]

    def load_image(self, archive: Path) -> None:
        """Put the images of an OCI archive on the node."""
        self._needs_node("load an image")
        node.load_image(self.layout, self._holder(), archive)

    def build_image(
        self, tag: str, dockerfile: Path, context: Path, build_args: Mapping[str, str] | None = None
    ) -> Path:
        """Build with buildah on our own base image; `BASE_IMAGE` is set unless given."""
        return images.build(tag, dockerfile, context, build_args or {}, self._progress)

    def node_run(
        self, argv: Sequence[str], *, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the cluster's namespaces: its network, mounts and process ids."""
        self._needs_node("run something on the node")
        return run([*namespace.enter(self._holder()), *argv], check=check, timeout=timeout)

    def signal_container(self, namespace: str, pod: str, container: str, signal: int) -> list[int]:
        """Send a signal to every process of a running container; returns their ids on the node."""
        self._needs_node("send a signal to a container")
        pids = node.container_pids(self.layout, self._holder(), namespace, pod, container)
        self.node_run(["kill", f"-{int(signal)}", *map(str, pids)])
        return pids

    def down(self) -> None:
        """Stop every process and remove every trace; the folder goes too."""
        stop(self.name)

    def _holder(self) -> Process:
        return self._state.processes[namespace.HOLDER]

    def _needs_node(self, what: str) -> None:
        if not self.has_node:
            raise ClusterError(f"cluster {self.name!r} is a bare control plane; can't {what} there")


def find(name: str, progress: Progress) -> SourceCluster | None:
    """Give the cluster of this name if its API server is running."""
    state = State.read(name)
    server = state.processes.get("kube-apiserver") if state else None
    if state is None or server is None or not server.alive():
        return None
    return SourceCluster(state, progress)


def prepare(progress: Progress, *, ask: bool = False) -> None:
    """Bring what a cluster with a node and its images are made of, so that a start is quick."""
    packages.ensure(packages.NODE, progress, ask=ask)
    programs((*CONTROL_PLANE, *NODE), progress)
    for name in ("kubectl", "helm"):
        tool(name, progress)
    packages.ensure(packages.IMAGES, progress, ask=ask)
    images.base_image(progress)


def start(
    name: str, *, control_plane_only: bool, progress: Progress, ask: bool = False
) -> SourceCluster:
    """Start a cluster, or start again what is missing of a running one.

    With `ask`, a person at a terminal is asked before the machine is changed.
    """
    needed = packages.CONTROL_PLANE if control_plane_only else packages.NODE
    unchanged = control_plane_only or find(name, progress) is not None
    packages.ensure(needed, progress, ask=ask, also=() if unchanged else (NODE_CHANGES,))
    wanted = CONTROL_PLANE if control_plane_only else (*CONTROL_PLANE, *NODE)
    binaries = programs(wanted, progress)
    with locked(f"cluster-{name}"):
        state = _usable_state(name)
        if state is None:
            state = _new_state(name, has_node=not control_plane_only)
        elif state.layout.has_node == control_plane_only:
            kind = "a full node" if control_plane_only else "a bare control plane"
            raise ClusterError(
                f"cluster {name!r} is {kind}; choose another --name, or take it down first"
            )
        cluster = SourceCluster(state, progress)
        with progress.step(f"starting cluster {name!r}: {state.layout.server}"):
            _start_control_plane(state, binaries)
            if state.layout.has_node:
                node.start(state, binaries, progress)
        return cluster


def stop(name: str) -> None:
    """End the cluster `name` in whatever state it is; nothing happens if there is none."""
    with locked(f"cluster-{name}"):
        _remove(name)


def _remove(name: str) -> None:
    folder = cluster_folder(name)
    state = State.read(name)
    recorded = list(state.processes.values()) if state else []
    # The holder's end is the end of everything in its namespaces; the rest are the wrappers
    # outside, and whatever was started in the instant before it could be written down.
    for process in [*recorded, *marked(folder)]:
        process.kill()
    if state and state.layout.has_node:
        namespace.disconnect(state.layout)
    namespace.remove_cgroups(name)
    if folder.exists():
        namespace.unmount_below(folder)
        shutil.rmtree(folder)


def _usable_state(name: str) -> State | None:
    """Give the state to go on with; clear away what is left of one from before a reboot."""
    state = State.read(name)
    if state and state.boot == BOOT_ID.read_text().strip():
        holder = state.processes.get(namespace.HOLDER)
        if not state.layout.has_node or (holder and holder.alive()):
            # What ended since is started again, and is no reason to give up waiting for the rest.
            for component, process in list(state.processes.items()):
                if not process.alive():
                    del state.processes[component]
            return state
    _remove(name)
    return None


def _new_state(name: str, *, has_node: bool) -> State:
    folder = cluster_folder(name)
    with locked("slots"):
        folder.mkdir(parents=True, mode=0o700)
        slot = namespace.free_slot(_taken_slots()) if has_node else 0
        port = 6443 if has_node else _free_port()
        state = State(Layout(name, folder, has_node, slot, port), BOOT_ID.read_text().strip())
        state.write()
    return state


def _taken_slots() -> set[int]:
    states = (State.read(name) for name in names())
    return {state.layout.slot for state in states if state and state.layout.has_node}


def _free_port() -> int:
    """Find a free port below those that the kernel gives to outgoing connections."""
    while True:
        port = random.randint(20000, 29999)  # noqa: S311 - not a secret
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


def _start_control_plane(state: State, binaries: Mapping[str, Path]) -> None:
    layout = state.layout
    _write_credentials(layout)
    if layout.has_node:
        namespace.ensure(state)
    ensure_running(state, "etcd", [str(binaries["etcd"]), *plane.etcd(layout)])
    server = [str(binaries["kube-apiserver"]), *plane.kube_apiserver(layout)]
    ensure_running(state, "kube-apiserver", server)
    wait_for(state, "/readyz")
    manager = [str(binaries["kube-controller-manager"]), *plane.kube_controller_manager(layout)]
    ensure_running(state, "kube-controller-manager", manager)
    # Without it no pod is accepted in the namespace.
    wait_for(state, "/api/v1/namespaces/default/serviceaccounts/default")


def _write_credentials(layout: Layout) -> None:
    authority = Authority(layout.pki)
    authority.create()
    authority.issue("apiserver", "/CN=kube-apiserver", plane.server_hosts(layout))
    authority.issue("kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client")
    authority.issue("front-proxy", "/CN=front-proxy")
    subjects = {**plane.SUBJECTS, "kubelet": plane.kubelet_subject(layout)}
    for user, subject in subjects.items():
        authority.kubeconfig(layout.user(user), layout.name, layout.server, user, subject)
    admin = "/O=system:masters/CN=admin"
    authority.kubeconfig(layout.kubeconfig, layout.name, layout.server, "admin", admin)
