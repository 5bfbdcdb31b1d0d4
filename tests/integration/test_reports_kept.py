"""Reports are kept in a real API server, with the rights that the chart gives and no others."""

import base64
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import Cluster, Progress
from dev.cluster.programs import tool
from dev.install import CHART, RELEASE, kubectl_for
from dev.kubectl import Kubectl
from shadow_operator.adapters.kubernetes import KubernetesApi, connect
from shadow_operator.api.names import LABEL_REPORT
from shadow_operator.controller.filing import keep_report
from shadow_operator.core.actions import Plan
from shadow_operator.core.snapshot import Found, Snapshot
from shadow_operator.core.telling import reports
from shadow_operator.report.kept import JSON_KEY
from shadow_operator.report.model import Report
from tests.support.clones import SETTINGS
from tests.support.reported import Run, ended
from tests.support.world import EVIDENCE, NAME

NAMESPACE = "reports-kept"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:operator"


@pytest.fixture(scope="module")
def kubectl(control_plane: Cluster, progress: Progress) -> Iterator[Kubectl]:
    """Give an API server on which an account has what the chart's role has, in one namespace."""
    kubectl = kubectl_for(control_plane, progress)
    rendered = subprocess.run(
        [str(tool("helm", progress)), "template", RELEASE, str(CHART), "--kube-version", "1.34"],
        check=True,
        capture_output=True,
        text=True,
    )
    role = next(
        manifest
        for manifest in yaml.safe_load_all(rendered.stdout)
        if manifest
        and manifest["kind"] == "ClusterRole"
        and manifest["metadata"]["name"] == RELEASE
    )
    kubectl("create", "namespace", NAMESPACE)
    own = {**role, "kind": "Role", "metadata": {"name": "operator", "namespace": NAMESPACE}}
    kubectl("apply", "--filename=-", stdin=json.dumps(own))
    kubectl(
        *("create", "rolebinding", "operator", "--namespace", NAMESPACE, "--role=operator"),
        f"--serviceaccount={NAMESPACE}:operator",
    )
    yield kubectl
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@asynccontextmanager
async def as_operator(cluster: Cluster, folder: Path) -> AsyncIterator[KubernetesApi]:
    """Reach the API server as the operator's account."""
    settings = yaml.safe_load(cluster.kubeconfig.read_text())
    [entry], [user] = settings["clusters"], settings["users"]
    files = {}
    for name, text in {
        "ca": entry["cluster"]["certificate-authority-data"],
        "cert": user["user"]["client-certificate-data"],
        "key": user["user"]["client-key-data"],
    }.items():
        files[name] = folder / name
        files[name].write_bytes(base64.b64decode(text))
    context = ssl.create_default_context(cafile=files["ca"])
    context.load_cert_chain(files["cert"], files["key"])
    headers = {"Impersonate-User": ACCOUNT}
    async with connect(entry["cluster"]["server"], verify=context, headers=headers) as api:
        yield api


def read(world: Run) -> Snapshot:
    """Give what the operator would have read, in the namespace of this test."""
    body = {**world.body, "metadata": {**world.body["metadata"], "namespace": NAMESPACE}}
    return Snapshot(body, Found({}), SETTINGS, ledger=Found(world.objects[EVIDENCE]))


def kept(kubectl: Kubectl) -> dict[str, dict[str, Any]]:
    """Give the reports that are there."""
    found = kubectl.get("configmaps", "-n", NAMESPACE, "-l", f"{LABEL_REPORT}={NAME}")
    return {one["metadata"]["name"]: one for one in found["items"]}


async def test_reports_are_written_rewritten_and_the_last_five_stay(
    control_plane: Cluster, kubectl: Kubectl, tmp_path: Path
) -> None:
    world = ended(wrong=0.02, hours=0.5, soak_hours=24)
    snapshot, refs = read(world), [reports.reference(NAME, f"{n}-1") for n in range(6)]
    async with as_operator(control_plane, tmp_path) as api:
        for number, ref in enumerate([*refs, refs[-1]]):
            plan = Plan(report=ref, status=world.status)
            done = await keep_report(api, snapshot, plan, world.now + number)
            assert done == plan
    there = kept(kubectl)
    assert set(there) == {ref.name for ref in refs[1:]}
    newest = there[refs[-1].name]
    assert "ownerReferences" not in newest["metadata"]
    report = Report.model_validate_json(newest["data"][JSON_KEY])
    assert report.written_time.timestamp() == world.now + len(refs)
    assert report.summary.decision == "Investigate"


async def test_where_it_may_not_write_status_names_no_report(
    control_plane: Cluster, kubectl: Kubectl, tmp_path: Path
) -> None:
    world = ended(wrong=0.02, hours=0.5, soak_hours=24)
    kubectl("create", "namespace", f"{NAMESPACE}-none")
    snapshot = read(world)
    metadata = {**snapshot.body["metadata"], "namespace": f"{NAMESPACE}-none"}
    snapshot = replace(snapshot, body={**snapshot.body, "metadata": metadata, "status": {}})
    plan = Plan(report=reports.reference(NAME, "1-1"), status=world.status)
    assert "reportRef" in world.status
    async with as_operator(control_plane, tmp_path) as api:
        done = await keep_report(api, snapshot, plan, world.now)
    kubectl("delete", "namespace", f"{NAMESPACE}-none", "--wait=false")
    assert done.status is not None
    assert "reportRef" not in done.status
