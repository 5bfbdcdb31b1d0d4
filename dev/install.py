"""`make install`: build the operator's image and install the chart in a cluster."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from dev import cluster as clusters
from dev.cluster import Cluster, ClusterError, Progress
from dev.cluster.base import run
from dev.cluster.programs import tool
from dev.cluster.shell import exports
from dev.kubectl import Kubectl
from dev.provision import ENVOY, OPERATOR, ROOT, check, provide

if TYPE_CHECKING:
    from collections.abc import Mapping

RELEASE = "shadow-operator"
"""The Helm release and its namespace."""
CHART = ROOT / "helm/shadow-operator"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def kubectl_for(cluster: Cluster, progress: Progress) -> Kubectl:
    """Give kubectl for this cluster: the machine's own, else one that is built."""
    return Kubectl(tool("kubectl", progress), cluster.kubeconfig)


def namespace(name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Give the manifest of a namespace whose pods are restricted."""
    metadata = {"name": name, "labels": {**RESTRICTED, **labels}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def install(
    cluster: Cluster,
    kubectl: Kubectl,
    interval_seconds: int,
    progress: Progress,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Bring both images to the cluster and install or upgrade the release there.

    The labels are those of its namespace; what an earlier installation put there goes.
    """
    operator = provide(OPERATOR, cluster, progress)
    envoy = provide(ENVOY, cluster, progress)
    repository, tag = operator.rsplit(":", 1)
    kubectl("apply", "--filename", "-", stdin=json.dumps(namespace(RELEASE, labels or {})))
    values = {
        "image.repository": repository,
        "image.tag": tag,
        "envoy.image": envoy,
        "settings.intervalSeconds": str(interval_seconds),
        "settings.logFormat": "console",
    }
    if cluster.provider != "existing":
        values["image.pullPolicy"] = "Never"  # the node has them, and no registry does
    settings = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    with progress.step(
        f"helm upgrade --install {RELEASE}: the chart with its CustomResourceDefinition, least "
        f"rights, a measurement each {interval_seconds} s"
    ):
        wait = "--wait", "--timeout", "3m"
        _helm(cluster, progress, "upgrade", "--install", RELEASE, str(CHART), *settings, *wait)


def uninstall(cluster: Cluster, kubectl: Kubectl, progress: Progress) -> None:
    """Remove the release and its namespace; the CustomResourceDefinition stays."""
    with progress.step(f"helm uninstall {RELEASE}"):
        _helm(cluster, progress, "uninstall", RELEASE, "--ignore-not-found", "--wait")
        kubectl("delete", "namespace", RELEASE, "--ignore-not-found", timeout=180)


def _helm(cluster: Cluster, progress: Progress, *words: str) -> None:
    target = "--kubeconfig", str(cluster.kubeconfig), "--namespace", RELEASE
    run([tool("helm", progress), *target, *words])


def main(arguments: list[str] | None = None) -> int:
    """Install into a running cluster; returns the exit status."""
    parser = argparse.ArgumentParser(prog=".venv/bin/python -m dev.install", description=__doc__)
    parser.add_argument("--name", default="shadow-dev", help="the cluster (%(default)s)")
    parser.add_argument(
        "--interval", type=int, default=30, help="seconds between measurements (%(default)s)"
    )
    parser.add_argument(
        "--yes", action="store_true", help="don't ask before packages are installed"
    )
    options = parser.parse_args(arguments)
    progress = Progress()
    try:
        cluster = clusters.require(options.name, progress=progress, ask=not options.yes)
        check(cluster)
        install(cluster, kubectl_for(cluster, progress), options.interval, progress)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    progress.say(f"the operator runs in namespace {RELEASE}; next: kubectl apply -f shadow.yaml")
    print(exports(cluster))
    return 0


if __name__ == "__main__":
    sys.exit(main())
