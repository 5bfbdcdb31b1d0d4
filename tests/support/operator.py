"""Fixtures that give tests a node with the operator on it, and a namespace of their own there."""

from __future__ import annotations

import os
import re
import secrets
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from dev import cluster as clusters
from dev.cluster import Cluster, ClusterError, Progress, Unavailable
from dev.install import RELEASE, install, kubectl_for
from dev.provision import HAL9, Image, check, provide
from tests.support.cluster import clear
from tests.support.kubectl import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.kubectl import Kubectl

INTERVAL_SECONDS = 5
"""Seconds between measurements in tests; 30 where people run it."""

RUNNING = "SHADOW_TEST_CLUSTER"
"""Names a running cluster of ours with the operator installed (`make install`), to develop tests
against; nothing of it is started, installed or taken down then."""

FAILED = pytest.StashKey[bool]()
"""Whether the test itself failed."""


@dataclass(frozen=True)
class ShadowCluster:
    """A cluster with the operator, and the images that tests run."""

    cluster: Cluster
    kubectl: Kubectl
    progress: Progress
    _images: dict[str, str] = field(default_factory=dict)

    def image(self, image: Image) -> str:
        """Build an image, bring it to the node, and give its reference."""
        if image.name not in self._images:
            self._images[image.name] = provide(image, self.cluster, self.progress)
        return self._images[image.name]

    @property
    def hal9_image(self) -> str:
        """Give the image of the HAL9 example, production and new version in one."""
        return self.image(HAL9)

    @property
    def operator(self) -> Namespace:
        """Give the operator's own namespace."""
        return Namespace(RELEASE, self.kubectl)

    def operator_pods(self) -> list[dict[str, Any]]:
        """Give the operator's pods that are not on their way out."""
        pods = self.operator.list("pods", "app.kubernetes.io/name=shadow-operator")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def kill_operator(self) -> None:
        """Kill the operator's process; the kubelet starts it again in the same pod."""
        pod = self.operator_pods()[0]["metadata"]["name"]
        self.cluster.signal_container(RELEASE, pod, "operator", signal.SIGKILL)

    def delete_operator(self) -> None:
        """Delete the operator's pod without grace; its Deployment makes another."""
        pod = self.operator_pods()[0]["metadata"]["name"]
        self.operator("delete", "pod", pod, "--grace-period=0", "--force")


@pytest.fixture(scope="session")
def shadow_cluster(request: pytest.FixtureRequest, progress: Progress) -> ShadowCluster:
    """Give a node with the operator installed; the whole session shares it."""
    if name := os.environ.get(RUNNING):
        running = clusters.find(name, progress=progress)
        assert running is not None, f"{RUNNING}={name}, but no cluster of that name is running"
        assert running.provider != "existing", f"{RUNNING} is for ours: unset SHADOW_KUBECONFIG"
        return ShadowCluster(running, kubectl_for(running, progress), progress)
    cluster: Cluster = request.getfixturevalue("cluster")
    try:
        check(cluster)
    except Unavailable as error:
        pytest.skip(f"no images on this cluster: {error}")
    kubectl = kubectl_for(cluster, progress)
    if cluster.provider == "existing":
        clear(cluster, kubectl, progress)  # tests of the API alone have left the definition there
    install(cluster, kubectl, INTERVAL_SECONDS, progress)
    return ShadowCluster(cluster, kubectl, progress)


@pytest.fixture
def namespace(request: pytest.FixtureRequest, shadow_cluster: ShadowCluster) -> Iterator[Namespace]:
    """Give a fresh namespace; at the end it is deleted, and a failure shows what was in it."""
    yield from fresh_namespace(request, shadow_cluster)


def fresh_namespace(
    request: pytest.FixtureRequest, shadow_cluster: ShadowCluster
) -> Iterator[Namespace]:
    """Do what `namespace` does, for fixtures of another scope."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).removeprefix("test-")[:40]
    name = f"{words.strip('-')}-{secrets.token_hex(2)}"
    namespace = Namespace(name, shadow_cluster.kubectl)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": name, "labels": labels}
    namespace.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    try:
        yield namespace
        if request.node.stash.get(FAILED, False):
            _tell(shadow_cluster, namespace)
    finally:
        remove(namespace)


def _tell(shadow_cluster: ShadowCluster, namespace: Namespace) -> None:
    print(f"\n--- namespace {namespace.name} ---\n{namespace.describe()}")
    with suppress(ClusterError):
        log = shadow_cluster.operator("logs", f"deployment/{RELEASE}", "--tail=60")
        print(f"--- operator ---\n{log}")


def remove(namespace: Namespace) -> None:
    """Delete the namespace; clients and production first, since nobody calls them any more.

    The namespace goes after every pod: while its controller sees one of Envoy, which may take an
    hour to end its requests, it comes back only after half of that.
    """
    not_ours = "--selector=!hal9.ai/shadow"
    namespace("delete", "deployments", not_ours, "--wait=false")
    namespace("delete", "pods", not_ours, "--grace-period=1", "--wait=false")
    namespace("delete", "shadowdeployments", "--all", "--wait=false")
    namespace.wait("end of resources and pods", lambda: _is_empty(namespace))
    namespace("delete", "namespace", namespace.name, "--wait=false")


def _is_empty(namespace: Namespace) -> bool:
    """Tell whether nothing runs; a pod on its way out is not given its whole grace period.

    One that is not must be left to its owner: a ReplicaSet that is still there would replace it.
    """
    pods = namespace.list("pods")
    going = [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" in pod["metadata"]]
    if going:
        end_now = "--grace-period=1", "--wait=false", "--ignore-not-found"
        namespace("delete", "pods", *going, *end_now)
    return not pods and not namespace.list("shadowdeployments")
