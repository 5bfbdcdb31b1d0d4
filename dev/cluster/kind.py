"""A cluster in Docker, through pytest-kind (which downloads kind itself)."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from contextlib import chdir, contextmanager
from typing import TYPE_CHECKING

from pytest_kind.cluster import KindCluster as Kind

from dev.cluster import images
from dev.cluster.base import ClusterError, Progress, run
from dev.cluster.store import cache_folder, locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

# A node image belongs to a release of kind; pytest-kind alone would take one of Kubernetes 1.25.
KIND_VERSION = "v0.30.0"
NODE_IMAGE = (
    "kindest/node:v1.34.0@sha256:7416a61b42b1662ca6ca89f02028ac133a309a2a30ba309614e8ec94d976dc5a"
)
DOWNLOAD = "https://github.com/kubernetes-sigs/kind/releases/download"


class KindCluster:
    """One kind cluster with one node, the container `<name>-control-plane`."""

    provider = "kind"
    has_node = True

    def __init__(self, name: str, progress: Progress) -> None:
        self.name = name
        self._progress = progress
        self._folder = cache_folder() / "kind" / name
        self.kubeconfig = self._folder / "kubeconfig"
        self._node = f"{name}-control-plane"

    @classmethod
    def start(cls, name: str, progress: Progress) -> KindCluster:
        """Create the cluster, or find it running; one that was stopped is made anew."""
        with locked(f"cluster-{name}"), progress.step(f"starting kind cluster {name!r} in Docker"):
            cluster = cls(name, progress)
            state = cluster._state()
            if state == "stopped":
                cluster.down()
            kind = cluster._kind()
            if state == "running":
                export = "export", "kubeconfig", "--name", name
                run([kind.kind_path, *export, "--kubeconfig", cluster.kubeconfig])
            else:
                with _explained():
                    kind.create()
        return cluster

    @classmethod
    def find(cls, name: str, progress: Progress) -> KindCluster | None:
        """Give the cluster of this name if its node's container runs."""
        cluster = cls(name, progress)
        return cluster if cluster._state() == "running" else None

    def load_image(self, archive: Path) -> None:
        """Put the images of an OCI archive on the node."""
        load = "load", "image-archive", archive, "--name", self.name
        run([self._kind().kind_path, *load])

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
        """Delete the cluster, running or stopped; nothing happens where there is none."""
        if self._state() != "none":
            with _explained():
                self._kind().delete()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _state(self) -> str:
        """Tell whether the node's container is `running`, `stopped` or there is `none`."""
        command = ["docker", "inspect", "--format", "{{.State.Running}}", self._node]
        answer = run(command, check=False).stdout.strip()
        return {"true": "running", "false": "stopped"}.get(answer, "none")

    def _kind(self) -> Kind:
        """Give pytest-kind's view of it, with kind itself downloaded where it is not yet."""
        self._folder.mkdir(parents=True, exist_ok=True)
        program = cache_folder() / "kind" / f"kind-{KIND_VERSION}"
        if not program.exists():
            self._progress.say(f"downloading kind {KIND_VERSION}; KIND_DOWNLOAD_URL names another")
        os.environ.setdefault("KIND_DOWNLOAD_URL", _address())
        # It makes a folder `.pytest-kind` where it is called.
        with _explained(), chdir(self._folder):
            kind = Kind(self.name, self.kubeconfig, image=NODE_IMAGE, kind_path=program)
            kind.ensure_kind()
        return kind


def _address() -> str:
    """Tell where kind for this machine is; pytest-kind knows one architecture only."""
    machine = platform.machine().lower()
    architecture = "arm64" if machine in {"arm64", "aarch64"} else "amd64"
    return f"{DOWNLOAD}/{KIND_VERSION}/kind-{platform.system().lower()}-{architecture}"


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what pytest-kind raises into an error that says what to do."""
    try:
        yield
    except (OSError, subprocess.CalledProcessError) as error:  # requests' errors are OSErrors
        raise ClusterError(
            f"kind did not work: {error}. What it said is above; SHADOW_CLUSTER=source builds a "
            "cluster without Docker (Linux, root), SHADOW_KUBECONFIG names one that you have"
        ) from error
