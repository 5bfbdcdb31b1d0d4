"""Which provider a machine gets, decided from facts alone."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dev.cluster.base import ClusterError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "SHADOW_KUBECONFIG"
OVERRIDE = "SHADOW_CLUSTER"
Provider = Literal["existing", "kind", "source"]

ALTERNATIVES = (
    f"set {VARIABLE} to the kubeconfig of a cluster that you have (its context must be allowed to "
    "create namespaces and custom resources), or start a Docker engine (kind is used then)"
)
"""What to do where no cluster from source can or shall be."""


@dataclass(frozen=True)
class Machine:
    """What the decision looks at."""

    shadow_kubeconfig: str | None
    """The value of SHADOW_KUBECONFIG, None where it is unset or empty."""
    docker_answers: bool
    system: str
    """As `platform.system()` says: `Linux`, `Darwin`, `Windows`."""
    root: bool
    wanted: str | None = None
    """The value of SHADOW_CLUSTER, None where it is unset or empty."""

    @classmethod
    def look(cls, environment: Mapping[str, str] = os.environ) -> Machine:
        """Look at this machine."""
        return cls(
            shadow_kubeconfig=environment.get(VARIABLE) or None,
            docker_answers=docker_answers(),
            system=platform.system(),
            root=hasattr(os, "geteuid") and os.geteuid() == 0,
            wanted=environment.get(OVERRIDE) or None,
        )

    @property
    def existing(self) -> str | None:
        """The kubeconfig of the cluster to use that somebody else runs."""
        return None if self.wanted else self.shadow_kubeconfig


def choose(machine: Machine, *, control_plane_only: bool = False) -> Provider:
    """Give the provider to use; Unavailable with what to do where there is none.

    A bare control plane from source needs no root.
    """
    if machine.wanted not in {None, "kind", "source"}:
        raise ClusterError(f"{OVERRIDE}={machine.wanted}: write kind or source, or leave it unset")
    if machine.existing:
        return "existing"
    if machine.wanted == "kind" and not machine.docker_answers:
        raise Unavailable(f"{OVERRIDE}=kind, but no Docker engine answers: start one, or unset it.")
    if machine.docker_answers and machine.wanted != "source":
        return "kind"
    if machine.system != "Linux":
        raise Unavailable(
            f"No cluster can be built on {machine.system}: {ALTERNATIVES}, then try again."
        )
    if not machine.root and not control_plane_only:
        raise Unavailable(
            "A Kubernetes node from source needs root (network namespaces, cgroups, containerd): "
            f"run this as root, or {ALTERNATIVES}."
        )
    return "source"


def builds_with_docker() -> bool:
    """Whether Docker builds images here; SHADOW_CLUSTER=source leaves it out of everything."""
    return os.environ.get(OVERRIDE) != "source" and docker_answers()


def docker_answers() -> bool:
    """Whether a Docker engine, not only its client, is there."""
    if not shutil.which("docker"):
        return False
    try:
        command = ["docker", "info", "--format", "{{.ServerVersion}}"]
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
