"""`make demo`: a good and a broken new version of HAL9, from nothing to two verdicts."""

from __future__ import annotations

import argparse
import re
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from dev import cluster as clusters
from dev import guest
from dev.cluster import Cluster, ClusterError, Progress, Unavailable
from dev.cluster.__main__ import main as cluster_command
from dev.cluster.shell import exports
from dev.guest import DEFINITION, MADE_BY_DEMO
from dev.install import RELEASE, install, kubectl_for, namespace, uninstall
from dev.outcome import Case, Outcome
from dev.provision import HAL9, LOCAL, ROOT, check, provide

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dev.kubectl import Kubectl

CLUSTER = "demo"
EXAMPLE = ROOT / "examples/hal9"
EXAMPLE_IMAGE = f"{LOCAL}/{HAL9.name}:dev"
INTERVAL_SECONDS = 5
PATIENCE_SECONDS = 900
"""How long a verdict may take once the resource is there."""


CASES = (
    Case("hal9", EXAMPLE / "shadow.yaml", "a good new version", "ProceedToCanary"),
    Case(
        "hal9-broken",
        EXAMPLE / "shadow-broken.yaml",
        "a new version with a planted bug: a wrong category in 3 of 100 signals",
        "Investigate",
        ("POST /api/v1/signal", "$.result.category"),
    ),
)

NAMESPACES = (RELEASE, *(case.namespace for case in CASES))
"""Every namespace that the demo makes."""


class Demo:
    """The steps, in order."""

    def __init__(self, cluster: Cluster, progress: Progress) -> None:
        self._cluster = cluster
        self._progress = progress
        self._kubectl: Kubectl = kubectl_for(cluster, progress)
        self._image = EXAMPLE_IMAGE

    def run(self) -> bool:
        """Go from a bare cluster to verdicts; returns whether all are right."""
        install(self._cluster, self._kubectl, INTERVAL_SECONDS, self._progress, MADE_BY_DEMO)
        self._image = provide(HAL9, self._cluster, self._progress)
        spaces = yaml.safe_dump_all(namespace(case.namespace, MADE_BY_DEMO) for case in CASES)
        self._kubectl("apply", "--filename", "-", stdin=spaces)
        for case in CASES:
            self._forget(case)
            self._start_production(case)
        for case in CASES:
            self._progress.say(f"{case.namespace}: applying {case.manifest.name}: {case.story}")
            self._apply(case, case.manifest)
        with _watching(self._kubectl, self._progress):
            outcomes = self._wait()
        self._summarize(outcomes)
        return all(one.right for one in outcomes)

    def _forget(self, case: Case) -> None:
        """Take away what an earlier run has left, so that this one measures for itself."""
        resource = "shadowdeployment", "hal9", "--namespace", case.namespace
        if self._kubectl("get", *resource, "--ignore-not-found"):
            with self._progress.step(f"{case.namespace}: removing the last run"):
                self._kubectl("delete", *resource, timeout=600)

    def _start_production(self, case: Case) -> None:
        with self._progress.step(f"{case.namespace}: production, and clients of its stable entry"):
            self._apply(case, EXAMPLE / "production.yaml")
            self._apply(case, EXAMPLE / "traffic.yaml")
            self._kubectl(
                *("rollout", "status", "deployment/hal9-server"),
                *("--namespace", case.namespace, "--timeout=120s"),
                timeout=150,
            )

    def _apply(self, case: Case, manifest: Path) -> None:
        text = manifest.read_text(encoding="utf-8").replace(EXAMPLE_IMAGE, self._image)
        self._kubectl("apply", "--namespace", case.namespace, "--filename", "-", stdin=text)

    def _wait(self) -> list[Outcome]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            outcomes = [self._look(case) for case in CASES]
            if all(one.final for one in outcomes):
                return outcomes
            if time.monotonic() > deadline:
                lines = [line for one in outcomes if not one.final for line in one.stuck()]
                raise ClusterError(
                    f"no verdict after {PATIENCE_SECONDS} s. What is stuck:\n" + "\n".join(lines)
                )
            time.sleep(1)

    def _look(self, case: Case) -> Outcome:
        resource = self._kubectl.get("shadowdeployment", "hal9", "--namespace", case.namespace)
        return Outcome(case, resource.get("status", {}))

    def _summarize(self, outcomes: list[Outcome]) -> None:
        print(f"\n{self._kubectl('get', 'shadowdeployments', '--all-namespaces')}")
        for one in outcomes:
            print("\n".join(one.describe()))
            print(f"  clients   {self._clients(one.case)}\n")
        print(
            "Look further (all of it stays until `make demo-down`):\n"
            f"  {_short(exports(self._cluster))}\n"
            "  kubectl get shadowdeployments --all-namespaces\n"
            "  kubectl describe shadowdeployment hal9 --namespace hal9-broken\n"
            "  kubectl get events --namespace hal9-broken\n"
            f"  kubectl logs deployment/{RELEASE} --namespace {RELEASE}"
        )

    def _clients(self, case: Case) -> str:
        """Say how production did as its clients saw it: the traffic generator's last line."""
        log = self._kubectl(
            *("logs", "deployment/hal9-traffic", "--namespace", case.namespace, "--tail=1")
        )
        if found := re.search(r"requests=(\d+) failures=(\d+)", log):
            return f"{int(found[1]):,} requests through hal9-mirror, {int(found[2]):,} failed"
        return log.strip() or "no line from hal9-traffic yet"


def _short(line: str) -> str:
    """Write paths as people do, from `~`."""
    return line.replace(f"={Path.home()}/", "=~/")


@contextmanager
def _watching(kubectl: Kubectl, progress: Progress) -> Iterator[None]:
    """Print what `kubectl get shadowdeployments --watch` says meanwhile."""
    command = "get", "shadowdeployments", "--all-namespaces", "--watch"
    progress.say(f"kubectl {' '.join(command)}")
    with kubectl.start(*command) as process:  # leaving closes its pipe
        thread = threading.Thread(target=_say_changes, args=(process.stdout, progress), daemon=True)
        thread.start()
        try:
            yield
        finally:
            process.terminate()
            thread.join()


def _say_changes(lines: Iterable[str], progress: Progress) -> None:
    """Say each line of `kubectl get --watch` in which more than the age changed."""
    seen: dict[str, str] = {}
    for line in lines:
        words = line.split()
        which, columns = " ".join(words[:2]), " ".join(words[2:-1])
        if seen.get(which) != columns:
            seen[which] = columns
            progress.say(line.rstrip())


def up(progress: Progress, *, ask: bool = True) -> int:
    """Run the demo; returns the exit status."""
    started = time.monotonic()
    declared = yaml.safe_load(CASES[0].manifest.read_text(encoding="utf-8"))["spec"]
    progress.say(
        f"The demo starts a cluster, installs the operator and shadows {len(CASES)} new versions "
        "of HAL9: " + "; ".join(f"{one.story} must end in {one.decision}" for one in CASES)
    )
    progress.say(
        "First time about 20 min where Kubernetes must be compiled, then under 4. Shortened for "
        f"the demo: measured each {INTERVAL_SECONDS} s, soak {declared['soakSeconds']} s "
        "(the runbook: 24 h)"
    )
    cluster = clusters.ensure(CLUSTER, progress=progress, ask=ask)
    check(cluster)
    if cluster.provider == "existing":
        refuse_strangers(kubectl_for(cluster, progress))
    right = Demo(cluster, progress).run()
    minutes, seconds = divmod(int(time.monotonic() - started), 60)
    answer = "Both verdicts are right" if right else "A verdict is wrong"
    print(f"\n{answer}; it took {minutes}:{seconds:02d}")
    return 0 if right else 1


def refuse_strangers(kubectl: Kubectl) -> None:
    """Raise Unavailable where somebody else's things have the names of the demo's."""
    if found := guest.strangers(kubectl, NAMESPACES):
        raise Unavailable(
            f"The cluster that SHADOW_KUBECONFIG names has {', '.join(found)}, which the demo did "
            "not make and would change. Nothing was changed. Name a cluster without them, or unset "
            "SHADOW_KUBECONFIG for one of the demo's own."
        )


def down(progress: Progress) -> int:
    """Remove the demo; returns the exit status."""
    cluster = clusters.find(CLUSTER, progress=progress)
    if cluster is not None and cluster.provider == "existing":
        _remove_from(cluster, progress)
        return 0
    return cluster_command(["down", "--name", CLUSTER])


def _remove_from(cluster: Cluster, progress: Progress) -> None:
    """Take the demo out of a cluster that stays: the resources while the operator still runs."""
    kubectl = kubectl_for(cluster, progress)
    ours = guest.made_by_demo(kubectl, NAMESPACES)
    defined = guest.find(kubectl, "customresourcedefinition", DEFINITION)
    for name in ours:
        if defined and name != RELEASE:
            with progress.step(f"removing the shadow in {name}"):
                kubectl("delete", "shadowdeployments", "--all", "--namespace", name, timeout=600)
    if RELEASE in ours:
        uninstall(cluster, kubectl, progress)
    for name in ours:
        kubectl("delete", "namespace", name, "--ignore-not-found", timeout=180)
    for one in guest.standing(kubectl, NAMESPACES):
        progress.say(f"{one} stays; it is not the demo's, or may have other users")


def main(arguments: list[str] | None = None) -> int:
    """Run `up` or `down`; returns the exit status."""
    parser = argparse.ArgumentParser(prog=".venv/bin/python -m dev.demo", description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    parser.add_argument(
        "--yes", action="store_true", help="don't ask before the machine is changed"
    )
    options = parser.parse_args(arguments)
    progress = Progress(sys.stdout)
    try:
        return down(progress) if options.command == "down" else up(progress, ask=not options.yes)
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 2
    except ClusterError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        print("What was started keeps running for a look; `make demo-down` removes it.")
        return 1
    except KeyboardInterrupt:
        print("\nstopped; `make demo-down` removes what was started", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
