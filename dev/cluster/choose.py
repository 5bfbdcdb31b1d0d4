"""Which provider a machine gets, decided from facts alone."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dev.cluster.base import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "SHADOW_KUBECONFIG"
Provider = Literal["existing", "kind", "source"]

_ALTERNATIVES = (
    f"set {VARIABLE} to the kubeconfig of a cluster that you have (its context must be allowed to "
    "create namespaces and custom resources), or start a Docker engine (kind is used then)"
)


@dataclass(frozen=True)
class Machine:
    """What the decision looks at."""

    shadow_kubeconfig: str | None
    """The value of SHADOW_KUBECONFIG, None where it is unset or empty."""
    docker_answers: bool
    system: str
    """As `platform.system()` says: `Linux`, `Darwin`, `Windows`."""
    root: bool

    @classmethod
    def look(cls, environment: Mapping[str, str] = os.environ) -> Machine:
        """Look at this machine."""
        return cls(
            shadow_kubeconfig=environment.get(VARIABLE) or None,
            docker_answers=docker_answers(),
            system=platform.system(),
            root=hasattr(os, "geteuid") and os.geteuid() == 0,
        )


def choose(machine: Machine, *, control_plane_only: bool = False) -> Provider:
    """Give the provider to use; Unavailable with what to do where there is none.

    A bare control plane from source needs no root.
    """
    if machine.shadow_kubeconfig:
        return "existing"
    if machine.docker_answers:
        return "kind"
    if machine.system != "Linux":
        raise Unavailable(
            f"No cluster can be built on {machine.system}: {_ALTERNATIVES}, then try again."
        )
    if not machine.root and not control_plane_only:
        raise Unavailable(
            "A Kubernetes node from source needs root (network namespaces, cgroups, containerd): "
            f"run this as root, or {_ALTERNATIVES}."
        )
    return "source"


def docker_answers() -> bool:
    """Whether a Docker engine, not only its client, is there."""
    if not shutil.which("docker"):
        return False
    try:
        command = ["docker", "info", "--format", "{{.ServerVersion}}"]
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
