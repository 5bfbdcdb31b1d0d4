"""A cluster in Docker, through pytest-kind (which downloads kind itself)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kind.cluster import KindCluster as Kind

from dev.cluster import images
from dev.cluster.base import ClusterError, Progress, run
from dev.cluster.store import cache_folder, locked

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence


class KindCluster:
    """One kind cluster with one node, the container `<name>-control-plane`."""

    provider = "kind"
    has_node = True

    def __init__(self, name: str, progress: Progress) -> None:
        self.name = name
        self._progress = progress
        self._kind = Kind(name, kubeconfig=cache_folder() / "kind" / f"{name}.kubeconfig")
        self.kubeconfig = Path(self._kind.kubeconfig_path)
        self._node = f"{name}-control-plane"

    @classmethod
    def start(cls, name: str, progress: Progress) -> KindCluster:
        """Create the cluster, or find it running."""
        with locked(f"cluster-{name}"), progress.step(f"starting kind cluster {name!r} in Docker"):
            cluster = cls(name, progress)
            cluster.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
            cluster._kind.create()
        return cluster

    @classmethod
    def find(cls, name: str, progress: Progress) -> KindCluster | None:
        """Give the cluster of this name if its node's container runs."""
        cluster = cls(name, progress)
        command = ["docker", "inspect", "--format", "{{.State.Running}}", cluster._node]
        return cluster if run(command, check=False).stdout.strip() == "true" else None

    def load_image(self, archive: Path) -> None:
        """Put the images of an OCI archive on the node."""
        run([self._kind.kind_path, "load", "image-archive", archive, "--name", self.name])

    def build_image(
        self, tag: str, dockerfile: Path, context: Path, build_args: Mapping[str, str] | None = None
    ) -> Path:
        """Build with Docker."""
        return images.build(tag, dockerfile, context, build_args or {}, self._progress)

    def node_run(
        self, argv: Sequence[str], *, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the node's container."""
        return run(["docker", "exec", self._node, *argv], check=check, timeout=timeout)

    def signal_container(self, namespace: str, pod: str, container: str, signal: int) -> list[int]:
        """Send a signal to every process of a running container; returns their ids on the node."""
        labels = {"namespace": namespace, "name": pod}
        chosen = [f"--label=io.kubernetes.pod.{key}={value}" for key, value in labels.items()]
        found = self.node_run(["crictl", "ps", "-q", *chosen, f"--name=^{container}$"]).stdout
        if not found.split():
            raise ClusterError(f"no running container {namespace}/{pod}/{container}")
        details = json.loads(self.node_run(["crictl", "inspect", found.split()[0]]).stdout)
        first = int(details["info"]["pid"])
        cgroup = self.node_run(["cat", f"/proc/{first}/cgroup"]).stdout.rpartition("::")[2].strip()
        members = self.node_run(["cat", f"/sys/fs/cgroup{cgroup}/cgroup.procs"], check=False)
        pids = [int(pid) for pid in members.stdout.split()] or [first]
        self.node_run(["kill", f"-{int(signal)}", *map(str, pids)])
        return pids

    def down(self) -> None:
        """Delete the cluster."""
        self._kind.delete()
