"""A whole cluster from source: it works, it survives kills, and nothing of it stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dev import cluster as clusters
from dev.cluster import Silent
from dev.cluster.base import wait_until
from dev.cluster.namespace import cgroups, mounts_below
from dev.cluster.processes import marked
from dev.cluster.programs import tool
from dev.cluster.source import SourceCluster, start

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = "localhost/dev-cluster-test:1"
DOCKERFILE = """ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE}
USER 65532:65532
WORKDIR /tmp
CMD ["python3", "-m", "http.server", "8000"]
"""
WEB = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: web
      image: localhost/dev-cluster-test:1
      readinessProbe: {httpGet: {path: /, port: 8000}, periodSeconds: 1}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8000}]}
"""
CALL_SERVICE = (
    "import urllib.request as r; print(r.urlopen('http://web.default', timeout=2).status)"
)
CALL_API = """
import ssl, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
request = urllib.request.Request("https://kubernetes.default/version")
request.add_header("Authorization", "Bearer " + open(folder + "token").read())
context = ssl.create_default_context(cafile=folder + "ca.crt")
print(urllib.request.urlopen(request, context=context, timeout=5).status)
"""
# An address of TEST-NET-2, which is on no network.
LEAVE = "import socket; socket.create_connection(('198.51.100.1', 80), timeout=1)"


class Kubectl:
    def __init__(self, cluster: clusters.Cluster) -> None:
        program = str(tool("kubectl", Silent()))
        self._command = [program, f"--kubeconfig={cluster.kubeconfig}"]

    def __call__(self, *words: str, stdin: str | None = None) -> str:
        done = self.attempt(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def attempt(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, *words],
            check=False,
            capture_output=True,
            text=True,
            input=stdin,
            timeout=120,
        )

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--output=json"))

    def python(self, program: str) -> subprocess.CompletedProcess[str]:
        return self.attempt("exec", "web", "--", "python3", "-c", program)


@pytest.fixture(scope="module")
def image(cluster: clusters.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if cluster.provider == "existing":
        pytest.skip("images can't be put on the nodes of the cluster of SHADOW_KUBECONFIG")
    context = tmp_path_factory.mktemp("context")
    (context / "Dockerfile").write_text(DOCKERFILE)
    return cluster.build_image(IMAGE, context / "Dockerfile", context)


def serve_web(cluster: clusters.Cluster, image: Path) -> Kubectl:
    kubectl = Kubectl(cluster)
    cluster.load_image(image)
    kubectl("apply", "--filename=-", stdin=WEB)
    kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    wait_until("an answer of the Service", lambda: kubectl.python(CALL_SERVICE).stdout != "", 30)
    return kubectl


@pytest.fixture(scope="module")
def kubectl(cluster: clusters.Cluster, image: Path) -> Iterator[Kubectl]:
    kubectl = serve_web(cluster, image)
    yield kubectl
    kubectl("delete", "--filename=-", stdin=WEB)


def test_a_pod_reaches_a_service_by_name_also_when_it_is_itself(kubectl: Kubectl) -> None:
    assert kubectl.python(CALL_SERVICE).stdout == "200\n"


def test_a_pod_reaches_the_api_with_its_service_account(kubectl: Kubectl) -> None:
    assert kubectl.python(CALL_API).stdout == "200\n"


def test_logs_are_served(kubectl: Kubectl) -> None:
    assert "GET / HTTP/1.1" in kubectl("logs", "web")


def test_usage_of_pods_is_served(kubectl: Kubectl) -> None:
    def measured() -> bool:
        return "web" in kubectl.attempt("top", "pods", "--namespace=default").stdout

    wait_until("a measurement of the pod", measured, 90)


def test_a_frozen_container_answers_again_when_it_is_thawed(
    kubectl: Kubectl, cluster: clusters.Cluster
) -> None:
    address = kubectl.json("get", "pod", "web")["status"]["podIP"]

    def answers() -> bool:
        url = f"http://{address}:8000/"
        call = f"import urllib.request as r; r.urlopen({url!r}, timeout=1)"
        return cluster.node_run(["python3", "-c", call], check=False).returncode == 0

    assert answers()
    frozen = cluster.signal_container("default", "web", "web", signal.SIGSTOP)
    try:
        assert frozen
        assert not answers()
    finally:
        assert cluster.signal_container("default", "web", "web", signal.SIGCONT) == frozen
    wait_until("an answer", answers, 10)


def from_source(cluster: clusters.Cluster) -> SourceCluster:
    if not isinstance(cluster, SourceCluster):
        pytest.skip(f"about clusters from source; this one is {cluster.provider}")
    return cluster


def test_no_packet_leaves_for_an_address_outside(
    kubectl: Kubectl, cluster: clusters.Cluster
) -> None:
    def dropped() -> int:
        show = ["iptables", "-t", "mangle", "-nvxL", "POSTROUTING"]
        lines = from_source(cluster).node_run(show).stdout.splitlines()
        return sum(int(line.split()[0]) for line in lines if " DROP " in line)

    before = dropped()
    assert "TimeoutError" in kubectl.python(LEAVE).stderr
    assert dropped() > before


def traces(cluster: SourceCluster) -> list[str]:
    """Everything on this machine that would not be there without this cluster."""
    layout = cluster.layout
    link = Path(f"/sys/class/net/{layout.interface}")
    return [
        *(f"process {process.pid}" for process in marked(layout.folder)),
        *(f"mount {path}" for path in mounts_below(layout.folder)),
        *(f"cgroup {path}" for path in cgroups(layout.name) if path.exists()),
        *([f"interface {link.name}"] if link.exists() else []),
        *([f"folder {layout.folder}"] if layout.folder.exists() else []),
    ]


def machine_state() -> list[str]:
    """Rules and settings of the machine itself, which no cluster may change."""
    settings = ["vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops"]
    settings += ["net/ipv4/ip_forward", "net/netfilter/nf_conntrack_max"]
    paths = [Path("/proc/sys") / name for name in settings]
    rules = subprocess.run(["iptables-save"], check=True, capture_output=True, text=True).stdout
    return [
        *(path.read_text() for path in paths if path.exists()),
        *(line for line in rules.splitlines() if line.startswith("-A")),
    ]


def test_a_second_cluster_runs_beside_the_first_survives_kills_and_leaves_nothing(
    kubectl: Kubectl, cluster: clusters.Cluster, image: Path
) -> None:
    first = from_source(cluster)
    before = machine_state()
    name = f"second-{os.getpid()}"
    try:
        second = start(name, control_plane_only=False, progress=Silent())
        beside = serve_web(second, image)
        assert second.layout.address != first.layout.address

        # Killed programs come back, and the pods never noticed.
        pod = beside.json("get", "pod", "web")["metadata"]["uid"]
        for component in ("kube-apiserver", "etcd", "containerd", "kubelet", "kube-proxy"):
            second.component(component).kill()
        second = start(name, control_plane_only=False, progress=Silent())
        wait_until(
            "the Service after the kills",
            lambda: beside.python(CALL_SERVICE).stdout == "200\n",
            60,
        )
        found = beside.json("get", "pod", "web")
        assert found["metadata"]["uid"] == pod
        assert found["status"]["containerStatuses"][0]["restartCount"] == 0

        # With the holder everything else ends.
        known = marked(second.layout.folder)
        second.component("holder").kill()
        wait_until("the end of all", lambda: not any(p.alive() for p in known))
        assert traces(second)
    finally:
        clusters.remove(name)
    assert traces(second) == []
    clusters.remove(name)
    assert machine_state() == before

    assert kubectl.python(CALL_SERVICE).stdout == "200\n"
