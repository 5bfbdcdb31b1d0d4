"""The Debian packages that a node and image builds need."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster import consent
from dev.cluster.base import ClusterError, Progress, Unavailable, environment, run
from dev.cluster.choose import ALTERNATIVES
from dev.cluster.store import locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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


def ensure(
    needed: Mapping[str, tuple[str, str]],
    progress: Progress,
    *,
    ask: bool = False,
    also: Sequence[str] = (),
    avoid: str = ALTERNATIVES,
) -> None:
    """Install what is missing, after saying so and what `also` will change; see `consent`.

    `avoid` says what else a person can do: in a sentence after `to avoid it,`.
    """
    with locked("packages"):
        packages = missing(needed)
        if packages and not (shutil.which("apt-get") and os.geteuid() == 0):
            raise Unavailable(
                f"Packages are missing here: {', '.join(packages)}. Installing them needs apt-get "
                f"and root; install them yourself, or {avoid}."
            )
        reasons = ", ".join(f"{package} ({why})" for package, why in packages.items())
        installs = [f"apt-get installs {reasons}"] if packages else []
        consent.obtain([*installs, *also], progress, ask=ask, avoid=avoid)
        if packages:
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
