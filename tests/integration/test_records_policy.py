"""Who may write what into `spec.records`: the chart's admission policy, judged by an API server."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dev.cluster.base import ClusterError, wait_until
from dev.cluster.programs import tool
from dev.install import CHART, RELEASE, kubectl_for
from shadow_operator.cli.access import Access
from tests.support.schema import CRD_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.cluster import Cluster, Progress
    from dev.kubectl import Kubectl

NAMESPACE = "records-policy"
GITOPS = "system:serviceaccount:argocd:argocd-application-controller"
TEMPLATE = "templates/records-policy.yaml"
EPOCH = "abc-1"
RESOURCE: dict[str, Any] = {
    "apiVersion": "hal9.ai/v1alpha1",
    "kind": "ShadowDeployment",
    "metadata": {"name": "hal9"},
    "spec": {
        "productionRef": {"deploymentName": "hal9-server", "serviceName": "hal9-service"},
        "shadow": {"image": "hal9:new"},
    },
}


def record(by: str, decision: str = "Noted", minute: int = 0, **more: str) -> dict[str, str]:
    """Give a record as somebody might write it."""
    time = f"2026-01-31T14:{minute:02}:00Z"
    return {"time": time, "by": by, "decision": decision, "note": "fine", **more}


APPROVED = record("anna", "Approved", epoch=EPOCH)
LAPSED = record("anna", "Approved", minute=1, epoch="old-1")


@pytest.fixture(scope="module")
def kubectl(control_plane: Cluster, progress: Progress) -> Iterator[Kubectl]:
    """Give an API server that knows the definition and the policy."""
    kubectl = kubectl_for(control_plane, progress)
    kubectl("apply", "--server-side", "--force-conflicts", "--filename", str(CRD_FILE))
    rendered = subprocess.run(
        [
            *(str(tool("helm", progress)), "template", RELEASE, str(CHART)),
            *("--kube-version", "1.34", "--show-only", TEMPLATE),
            *("--set", f"approval.trustedAccounts={{{GITOPS}}}"),
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    kubectl("create", "namespace", NAMESPACE)
    kubectl("apply", "--filename=-", stdin=rendered)
    wait_until("the policy is in force", lambda: _is_in_force(kubectl))
    yield kubectl
    kubectl("delete", "--filename=-", stdin=rendered)
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _is_in_force(kubectl: Kubectl) -> bool:
    try:
        return OWN_NAME in refusal(kubectl, "anna", [record("ben")], dry=True)
    except ClusterError:
        return False


@pytest.fixture
def resource(kubectl: Kubectl) -> Iterator[Kubectl]:
    """Give a resource that was judged, and that anna has approved twice."""
    assert refusal(kubectl, GITOPS, [APPROVED, LAPSED]) == ""
    verdict = {
        "decision": "ExtendShadow",
        "reason": "InsufficientEvidence",
        "decidedTime": "2026-01-31T14:00:00Z",
        "epoch": EPOCH,
    }
    where = ("--namespace", NAMESPACE, "shadowdeployment", "hal9")
    status = json.dumps({"status": {"verdict": verdict}})
    kubectl("patch", *where, "--subresource=status", "--type=merge", f"--patch={status}")
    yield kubectl
    kubectl("delete", *where)


def refusal(
    kubectl: Kubectl, user: str, records: list[dict[str, str]], *, dry: bool = False
) -> str:
    """Apply the resource with these records as somebody; give what the API server says against."""
    body = {**RESOURCE, "spec": {**RESOURCE["spec"], "records": records}}
    options = ["--dry-run=server"] if dry else []
    done = subprocess.run(
        [
            *(str(kubectl.program), "--kubeconfig", str(kubectl.kubeconfig)),
            *("--as", user, "--as-group", "system:masters", "--namespace", NAMESPACE),
            *("apply", "--server-side", "--force-conflicts", "--filename=-", *options),
        ],
        input=json.dumps(body),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = done.stderr if done.returncode else ""
    assert not said or "spec.records" in said or dry, said
    return said


OWN_NAME = "a record is in the name of who writes it"
TAKEN_BACK = "can be taken back only by who made it"
BEN = record("ben", "Rejected", minute=2, epoch=EPOCH)

CASES: dict[str, tuple[str, list[dict[str, str]], str]] = {
    "one's own": ("ben", [APPROVED, LAPSED, BEN], ""),
    "in the name of another": ("anna", [APPROVED, LAPSED, BEN], OWN_NAME),
    "a changed word of another": ("ben", [{**APPROVED, "note": "all is well"}, LAPSED], OWN_NAME),
    "nothing new": ("ben", [APPROVED, LAPSED], ""),
    "a decision of another taken back": ("ben", [LAPSED], TAKEN_BACK),
    "one's own taken back": ("anna", [LAPSED], ""),
    "a decision about another epoch taken away": ("ben", [APPROVED], ""),
    "what stands in Git, by who applies it": (GITOPS, [BEN], ""),
}


@pytest.mark.parametrize(("user", "records", "says"), CASES.values(), ids=CASES.keys())
def test_people_speak_for_themselves(
    user: str, records: list[dict[str, str]], says: str, resource: Kubectl
) -> None:
    said = refusal(resource, user, records)
    assert says in said
    assert bool(said) == bool(says)


def test_a_resource_is_not_created_in_the_name_of_another(kubectl: Kubectl) -> None:
    assert OWN_NAME in refusal(kubectl, "ben", [APPROVED], dry=True)
    assert refusal(kubectl, "anna", [APPROVED], dry=True) == ""


def test_the_api_server_says_who_asks(
    kubectl: Kubectl, control_plane: Cluster, tmp_path: Path
) -> None:
    settings = yaml.safe_load(control_plane.kubeconfig.read_text())
    settings["users"][0]["user"] = {
        "token": kubectl("create", "token", "default", "--namespace", NAMESPACE).strip()
    }
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(settings))
    name = Access(str(file), None, NAMESPACE).user()
    assert name == f"system:serviceaccount:{NAMESPACE}:default"
