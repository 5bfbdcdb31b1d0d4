"""How commands reach a real API server, and what they say where they can't."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dev.cluster.base import ClusterError, wait_until
from dev.install import kubectl_for
from shadow_operator.api.names import LABEL_EVIDENCE
from shadow_operator.cli.access import Access
from shadow_operator.cli.errors import CliError, Exit
from tests.support.schema import CRD_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.cluster import Cluster, Progress
    from dev.kubectl import Kubectl

NAMESPACE = "cli-access"
RESOURCE = """
apiVersion: hal9.ai/v1alpha1
kind: ShadowDeployment
metadata: {name: hal9}
spec:
  productionRef: {deploymentName: hal9-server, serviceName: hal9-service}
  shadow: {image: "hal9:new"}
"""


@pytest.fixture(scope="module")
def kubectl(control_plane: Cluster, progress: Progress) -> Iterator[Kubectl]:
    """Give an API server that knows the definition, and one resource."""
    kubectl = kubectl_for(control_plane, progress)
    kubectl("apply", "--server-side", "--force-conflicts", "--filename", str(CRD_FILE))
    wait_until("the definition is served", lambda: _is_served(kubectl))
    kubectl("create", "namespace", NAMESPACE)
    kubectl("apply", "--namespace", NAMESPACE, "--filename=-", stdin=RESOURCE)
    yield kubectl
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _is_served(kubectl: Kubectl) -> bool:
    try:
        kubectl("get", "shadowdeployments")
    except ClusterError:
        return False
    return True


@pytest.fixture
def settings(control_plane: Cluster, kubectl: Kubectl) -> dict[str, Any]:
    """Give the kubeconfig of an administrator, to be changed."""
    read: dict[str, Any] = yaml.safe_load(control_plane.kubeconfig.read_text())
    return copy.deepcopy(read)


def access(settings: dict[str, Any], folder: Path, namespace: str | None = NAMESPACE) -> Access:
    """Open it with this kubeconfig."""
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(settings))
    return Access(str(file), None, namespace)


def test_a_resource_is_listed_read_and_changed(settings: dict[str, Any], tmp_path: Path) -> None:
    cluster = access(settings, tmp_path)
    assert [one["metadata"]["name"] for one in cluster.list()] == ["hal9"]
    cluster.patch("hal9", {"spec": {"samplingPercent": 7}})
    assert cluster.get("hal9")["spec"]["samplingPercent"] == 7


def test_the_namespace_is_that_of_the_context(settings: dict[str, Any], tmp_path: Path) -> None:
    settings["contexts"][0]["context"]["namespace"] = NAMESPACE
    cluster = access(settings, tmp_path, namespace=None)
    assert cluster.namespace == NAMESPACE
    assert len(cluster.list()) == 1


def recorded(name: str, of: str) -> dict[str, Any]:
    """Give a ConfigMap of evidence."""
    metadata = {"name": name, "labels": {LABEL_EVIDENCE: of}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"schema": "1"}}


def event(second: int, of: str, reason: str, kind: str = "Normal") -> dict[str, Any]:
    """Give an event as the operator posts it."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{of}.{second}"},
        "eventTime": f"2026-01-31T14:05:0{second}.000000Z",
        "reportingController": "shadow-operator",
        "reportingInstance": "shadow-operator",
        "action": "Reconcile",
        "reason": reason,
        "type": kind,
        "note": "It happened.",
        "regarding": {
            "apiVersion": "hal9.ai/v1alpha1",
            "kind": "ShadowDeployment",
            "name": of,
            "namespace": NAMESPACE,
        },
    }


def test_evidence_and_events_are_those_of_the_resource(
    settings: dict[str, Any], kubectl: Kubectl, tmp_path: Path
) -> None:
    objects = (
        recorded("hal9-evidence", of="hal9"),
        recorded("other", of="hal9-2"),
        event(2, "hal9", "MirroringStarted"),
        event(1, "hal9", "ClonesUnavailable", "Warning"),
        event(3, "hal9-2", "MirroringStarted"),
    )
    kubectl("apply", "--namespace", NAMESPACE, "--filename=-", stdin=yaml.safe_dump_all(objects))
    cluster = access(settings, tmp_path)
    assert cluster.evidence("hal9") == {"hal9-evidence": {"schema": "1"}}
    assert [(event.reason, event.warning) for event in cluster.events("hal9")] == [
        ("ClonesUnavailable", True),
        ("MirroringStarted", False),
    ]
    assert cluster.evidence("none") == {}
    assert cluster.events("none") == ()


def test_what_may_not_be_listed_is_a_sentence(
    settings: dict[str, Any], kubectl: Kubectl, tmp_path: Path
) -> None:
    _without_rights(settings, kubectl)
    with pytest.raises(CliError, match="You may not list configmaps in namespace cli-access; see"):
        access(settings, tmp_path).evidence("hal9")


def _without_rights(settings: dict[str, Any], kubectl: Kubectl) -> None:
    token = kubectl("create", "token", "default", "--namespace", NAMESPACE).strip()
    settings["users"][0]["user"] = {"token": token}


def _unreachable(settings: dict[str, Any], _: Kubectl) -> None:
    settings["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"


def _mistrusted(settings: dict[str, Any], _: Kubectl) -> None:
    for name in ("certificate-authority", "certificate-authority-data"):
        settings["clusters"][0]["cluster"].pop(name, None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_mistrusted, "The API server https://"),
        (_without_rights, f"You may not get ShadowDeployments in namespace {NAMESPACE}; see: "),
        (_unreachable, "The API server https://127.0.0.1:1 does not answer ("),
    ],
)
def test_what_can_not_be_asked_is_a_sentence(
    change: Any, says: str, settings: dict[str, Any], kubectl: Kubectl, tmp_path: Path
) -> None:
    change(settings, kubectl)
    with pytest.raises(CliError) as caught:
        access(settings, tmp_path).get("hal9")
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)
    assert caught.value.status is Exit.UNKNOWN


@pytest.mark.parametrize(
    ("name", "spec", "says"),
    [
        ("hal9", {"samplingPercent": 101}, "spec.samplingPercent"),
        ("none", {"samplingPercent": 1}, "There is no ShadowDeployment none in namespace"),
    ],
)
def test_what_makes_no_sense_is_refused(
    name: str, spec: dict[str, Any], says: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(CliError, match=says) as caught:
        access(settings, tmp_path).patch(name, {"spec": spec})
    assert caught.value.status is Exit.USAGE


def test_without_a_kubeconfig_the_sentence_says_where_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="Set KUBECONFIG, or name a file with --kubeconfig"):
        Access(str(tmp_path / "none"), None, None)
