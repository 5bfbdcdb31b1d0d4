"""`init` and `preflight` on a real API server, with the rights that a person has."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dev.cluster.base import ClusterError, wait_until
from dev.install import kubectl_for
from shadow_operator.cli.errors import Exit
from shadow_operator.cli.main import run
from tests.support.schema import CRD_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.cluster import Cluster, Progress
    from dev.kubectl import Kubectl

NAMESPACE = "cli-before"
LABELS = {"app": "shop"}
PRODUCTION: list[dict[str, Any]] = [
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop-server"},
        "spec": {
            "replicas": 4,
            "selector": {"matchLabels": LABELS},
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {
                    "serviceAccountName": "shop",
                    "initContainers": [{"name": "migrate", "image": "shop:old"}],
                    "containers": [
                        {
                            "name": "server",
                            "image": "shop:old",
                            "ports": [{"name": "http", "containerPort": 8080}],
                            "env": [
                                {
                                    "name": "DB_PASSWORD",
                                    "valueFrom": {"secretKeyRef": {"name": "db", "key": "p"}},
                                }
                            ],
                        },
                        {"name": "proxy", "image": "proxy:1"},
                    ],
                },
            },
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop"},
        "spec": {
            "selector": LABELS,
            "ports": [
                {"name": "http", "port": 80, "targetPort": "http"},
                {"name": "admin", "port": 81},
            ],
        },
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "shop"},
        "spec": {"defaultBackend": {"service": {"name": "shop", "port": {"number": 80}}}},
    },
]
READER: list[dict[str, Any]] = [
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "view",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": NAMESPACE}],
    },
]
INIT = ("init", "--deployment", "shop-server", "--service", "shop", "--image", "shop:new")


@pytest.fixture(scope="module")
def kubectl(control_plane: Cluster, progress: Progress) -> Iterator[Kubectl]:
    """Give an API server that knows the definition, and a workload without a shadow."""
    kubectl = kubectl_for(control_plane, progress)
    kubectl("apply", "--server-side", "--force-conflicts", "--filename", str(CRD_FILE))
    kubectl("create", "namespace", NAMESPACE)
    for manifest in (*PRODUCTION, *READER):
        kubectl("apply", "--namespace", NAMESPACE, "--filename=-", stdin=json.dumps(manifest))
    wait_until("the definition is served", lambda: _is_served(kubectl))
    yield kubectl
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _is_served(kubectl: Kubectl) -> bool:
    try:
        kubectl("get", "shadowdeployments")
    except ClusterError:
        return False
    return True


@pytest.fixture
def drafted(kubectl: Kubectl, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Give the file that `init` writes."""
    status = run(
        "kubectl shadow", [*INIT, "-n", NAMESPACE, "--kubeconfig", str(kubectl.kubeconfig)]
    )
    text = capsys.readouterr().out
    assert status == Exit.GREEN
    file = tmp_path / "shadow.yaml"
    file.write_text(text)
    return file


def test_what_init_writes_is_taken_as_it_is(
    drafted: Path, kubectl: Kubectl, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("kubectl shadow", ["lint", "-f", str(drafted)]) == Exit.GREEN, capsys.readouterr()
    kubectl("apply", "--dry-run=server", "--validate=strict", "--filename", str(drafted))
    text = drafted.read_text()
    for comment in (
        "# Other ports pass without a mirror: admin.",
        "# omitSecretEnv: [DB_PASSWORD]",
        "# - container proxy is left out (clones.keepContainers keeps it)",
        "# - service account shop is left out, with its token and pull secrets",
    ):
        assert comment in text


def preflight(kubeconfig: Path, file: Path, output: Any, *more: str) -> tuple[int, dict[str, Any]]:
    """Give the exit status, and the findings by name."""
    options = ["-f", str(file), "-o", "json", "--kubeconfig", str(kubeconfig), *more]
    status = run("kubectl shadow", ["preflight", *options])
    found: list[dict[str, Any]] = json.loads(output.readouterr().out)
    return status, {one["name"]: one for one in found}


def test_a_look_at_a_real_cluster_takes_seconds_and_changes_nothing(
    drafted: Path, kubectl: Kubectl, capsys: pytest.CaptureFixture[str]
) -> None:
    before = kubectl("get", "all,events", "--namespace", NAMESPACE, "-o", "name")
    began = time.monotonic()
    status, found = preflight(kubectl.kubeconfig, drafted, capsys)
    assert time.monotonic() - began < 10
    assert status == Exit.UNKNOWN
    assert found["spec"]["result"] == "Passed"
    assert found["production"]["result"] == "Unknown"
    assert "0 of 4 pods" in found["production"]["message"]
    assert found["names"]["result"] == "Passed"
    assert found["selectors"]["result"] == "Passed"
    assert "Ingress shop leads past it to Service shop" in found["entry"]["message"]
    assert "Secret db;" in found["secrets"]["message"]
    assert kubectl("get", "all,events", "--namespace", NAMESPACE, "-o", "name") == before


def test_with_the_rights_of_a_reader_it_says_what_it_could_not_see(
    drafted: Path, kubectl: Kubectl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = yaml.safe_load(kubectl.kubeconfig.read_text())
    token = kubectl("create", "token", "default", "--namespace", NAMESPACE).strip()
    settings["users"][0]["user"] = {"token": token}
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(settings))
    _grant(kubectl)
    status, found = preflight(file, drafted, capsys)
    assert status == Exit.UNKNOWN
    assert "you may not list nodes" in found["headroom"]["message"]
    assert found["production"]["message"].startswith("0 of 4 pods")


def _grant(kubectl: Kubectl) -> None:
    kubectl(
        *("create", "role", "shadow-reader", "--namespace", NAMESPACE),
        *("--verb=get,list", "--resource=shadowdeployments.hal9.ai"),
    )
    kubectl(
        *("create", "rolebinding", "shadow-reader", "--namespace", NAMESPACE),
        *("--role=shadow-reader", f"--serviceaccount={NAMESPACE}:default"),
    )
