"""Server-side apply by `run`, and what stops a mirror without an operator, on a real API server."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from dev.cluster.base import ClusterError, wait_until
from dev.install import kubectl_for
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.cli.access import Access
from shadow_operator.cli.commands.change import by_hand
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.core.deploying import entry
from tests.support.schema import CRD_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster import Cluster, Progress
    from dev.kubectl import Kubectl

NAMESPACE = "cli-verdicts"
RESOURCE: dict[str, Any] = {
    "apiVersion": "hal9.ai/v1alpha1",
    "kind": "ShadowDeployment",
    "metadata": {"name": "shop"},
    "spec": {
        "phase": "Shadow",
        "samplingPercent": 10,
        "productionRef": {"deploymentName": "shop-server", "serviceName": "shop"},
        "shadow": {"image": "shop:new"},
    },
}
PRODUCTION: dict[str, Any] = {
    "metadata": {"name": "shop"},
    "spec": {"selector": {"app": "shop"}, "ports": [{"name": "http", "port": 80}]},
}


@pytest.fixture(scope="module")
def kubectl(control_plane: Cluster, progress: Progress) -> Iterator[Kubectl]:
    """Give an API server that knows the definition."""
    kubectl = kubectl_for(control_plane, progress)
    kubectl("apply", "--server-side", "--force-conflicts", "--filename", str(CRD_FILE))
    kubectl("create", "namespace", NAMESPACE)
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
def access(kubectl: Kubectl) -> Iterator[Access]:
    """Give the cluster as commands reach it, without a resource."""
    yield Access(str(kubectl.kubeconfig), None, NAMESPACE)
    kubectl("delete", "shadowdeployments", "--all", "--namespace", NAMESPACE)


def changed(**spec: Any) -> dict[str, Any]:
    """Give the file with other fields."""
    manifest = copy.deepcopy(RESOURCE)
    manifest["spec"].update(spec)
    return manifest


def test_a_file_is_made_and_then_changed_in_our_own_name(access: Access) -> None:
    made = access.apply(RESOURCE, force=False)
    assert made["metadata"]["generation"] == 1
    assert access.apply(RESOURCE, force=False)["metadata"]["generation"] == 1
    later = access.apply(changed(samplingPercent=20), force=False)
    assert later["spec"]["samplingPercent"] == 20
    assert [one["manager"] for one in later["metadata"]["managedFields"]] == ["kubectl-shadow"]


def test_what_somebody_else_has_set_is_taken_over_only_by_force(access: Access) -> None:
    access.apply(RESOURCE, force=False)
    access.patch("shop", {"spec": {"samplingPercent": 50}})
    with pytest.raises(CliError, match="--force-conflicts takes them over") as caught:
        access.apply(RESOURCE, force=False)
    assert 'conflict with "kubectl-shadow"' in str(caught.value)
    assert "samplingPercent" in str(caught.value)
    assert access.apply(RESOURCE, force=True)["spec"]["samplingPercent"] == 10


@pytest.mark.parametrize(
    ("spec", "says"),
    [({"samplingPercent": 101}, "spec.samplingPercent"), ({"sampling": 1}, "sampling")],
)
def test_what_makes_no_sense_is_refused(spec: dict[str, Any], says: str, access: Access) -> None:
    with pytest.raises(CliError, match=says) as caught:
        access.apply(changed(**spec), force=False)
    assert caught.value.status is Exit.USAGE


def _through_envoy(resource: ShadowDeployment) -> dict[str, Any]:
    return {**entry.manifest(resource, PRODUCTION, through_envoy=True)}


def _receiving(resource: ShadowDeployment) -> dict[str, Any]:
    selector = {"hal9.ai/shadow": resource.name, "hal9.ai/role": "comparator"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop-comparator"},
        "spec": {"selector": selector, "ports": [{"port": 8080}]},
    }


@pytest.mark.parametrize(
    ("provider", "service", "selector"),
    [
        ("Envoy", _through_envoy, {"app": "shop"}),
        ("External", _receiving, {"hal9.ai/shadow": "shop", "hal9.ai/role": "none"}),
    ],
)
def test_one_line_of_kubectl_ends_copies_without_an_operator(
    provider: str, service: Any, selector: dict[str, str], kubectl: Kubectl
) -> None:
    manifest = changed(mirror={"provider": provider})
    manifest["metadata"] |= {"namespace": NAMESPACE, "uid": "u"}
    resource = ShadowDeployment.parse(manifest)
    made = service(resource)
    kubectl("apply", "--namespace", NAMESPACE, "--filename=-", stdin=json.dumps(made))
    subprocess.run(
        ["sh", "-c", by_hand(resource)],
        check=True,
        capture_output=True,
        env={
            **os.environ,
            "KUBECONFIG": str(kubectl.kubeconfig),
            "PATH": f"{kubectl.program.parent}:{os.environ['PATH']}",
        },
    )
    name = made["metadata"]["name"]
    live = kubectl.get("service", name, "--namespace", NAMESPACE)
    assert live["spec"]["selector"] == selector
