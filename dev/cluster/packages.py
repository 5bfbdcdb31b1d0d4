"""The Debian packages that a node and image builds need."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster.base import ClusterError, Progress, Unavailable, environment, run
from dev.cluster.store import locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CNI_FOLDER = "/usr/lib/cni"

# A program whose absence shows that the package is missing; the package; what it is for.
CONTROL_PLANE: Mapping[str, tuple[str, str]] = {
    "openssl": ("openssl", "the cluster's certificates"),
}
IMAGES: Mapping[str, tuple[str, str]] = {
    "buildah": ("buildah", "builds images without Docker"),
    "debootstrap": ("debootstrap", "makes the base image"),
}
NODE: Mapping[str, tuple[str, str]] = {
    "containerd": ("containerd", "runs the containers"),
    "runc": ("runc", "runs the containers"),
    f"{CNI_FOLDER}/bridge": ("containernetworking-plugins", "connects the pods"),
    "iptables": ("iptables", "Services"),
    "conntrack": ("conntrack", "Services"),
    "ip": ("iproute2", "the cluster's own network"),
    "socat": ("socat", "kubectl port-forward"),
    "ethtool": ("ethtool", "kubelet"),
    "modprobe": ("kmod", "kubelet"),
    **CONTROL_PLANE,
    **IMAGES,
}


def find(program: str) -> str:
    """Give the path of an installed program; ClusterError where there is none."""
    if (path := _which(program)) is None:
        raise ClusterError(f"`{program}` is not installed on this machine")
    return path


def missing(needed: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Give the packages that are not there, with what each is for."""
    return {
        package: purpose for program, (package, purpose) in needed.items() if not _which(program)
    }


def _which(program: str) -> str | None:
    return shutil.which(program, path=environment()["PATH"])


def ensure(needed: Mapping[str, tuple[str, str]], progress: Progress, *, ask: bool = False) -> None:
    """Install what is missing, after saying so; asks when `ask` is set and this is a terminal."""
    with locked("packages"):
        packages = missing(needed)
        if not packages:
            return
        if not shutil.which("apt-get") or os.geteuid() != 0:
            raise Unavailable(
                f"Installing packages needs apt-get and root; install these yourself: "
                f"{', '.join(packages)}. Or set SHADOW_KUBECONFIG to the kubeconfig of a cluster "
                "that you have."
            )
        reasons = ", ".join(f"{package} ({why})" for package, why in packages.items())
        progress.say(f"this changes the machine: apt-get installs {reasons}")
        progress.say(
            "to avoid it, set SHADOW_KUBECONFIG to a cluster that you have, or start Docker"
        )
        if ask and sys.stdin.isatty() and input("install them? [y/N] ").strip().lower() != "y":
            raise ClusterError("nothing was installed")
        with progress.step("installing Debian packages: about 30 s"):
            _install(list(packages))


def _install(packages: list[str]) -> None:
    quiet = environment(DEBIAN_FRONTEND="noninteractive")
    with _without_services():
        run(["apt-get", "update", "-qq"], env=quiet)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
        run([*install, *packages], env=quiet)


@contextmanager
def _without_services() -> Iterator[None]:
    """Start no service of the packages meanwhile: the cluster runs its own containerd."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()
