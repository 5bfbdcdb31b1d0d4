"""Each constraint of the schema against a real API server: one accepted, one refused case.

The cases are objects in tests/data/crd; bounds, enumerations and required fields are broken one by
one, from the resource in which every field is set.
"""

import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Protocol

import pytest
import yaml
from kubernetes import client, config

from dev.cluster import Progress
from dev.cluster.programs import tool
from shadow_operator.api.names import GROUP, PLURAL, VERSION
from shadow_operator.cli import offline
from tests.support.crd_cases import EVERY_FIELD, TRICKY, Resource, cases, variants, with_companions
from tests.support.schema import CRD_FILE, ROOT
from tests.support.violations import Variant, edges, violations

NAMESPACE = f"crd-constraints-{uuid.uuid4().hex[:8]}"
KIND = (GROUP, VERSION, NAMESPACE, PLURAL)


class ControlPlane(Protocol):
    @property
    def kubeconfig(self) -> Any: ...


class ApiServer:
    """What these tests ask of an API server that knows the CustomResourceDefinition."""

    def __init__(self, kubeconfig: str, program: str) -> None:
        self._command = [program, "--kubeconfig", kubeconfig, "--namespace", NAMESPACE]
        self._client = config.new_client_from_config(kubeconfig)  # type: ignore[no-untyped-call]
        self._resources = client.CustomObjectsApi(self._client)

    def close(self) -> None:
        self._client.close()

    def refusal(self, resource: Resource) -> str:
        """Try to create the resource, keeping nothing; the message, or empty if accepted."""
        try:
            self._resources.create_namespaced_custom_object(
                *KIND, resource, dry_run="All", field_validation="Strict"
            )
        except client.ApiException as error:
            if error.status not in {400, 422}:
                raise
            return str(error.body)
        return ""

    def kubectl(self, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._command, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane, progress: Progress) -> Iterator[ApiServer]:
    server = ApiServer(str(control_plane.kubeconfig), str(tool("kubectl", progress)))
    for arguments in (
        ("apply", "--filename", str(CRD_FILE)),
        ("create", "namespace", NAMESPACE),
    ):
        done = server.kubectl(*arguments)
        assert done.returncode == 0, done.stderr
    _wait_until_served(server)
    yield server
    server.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    server.close()


def _wait_until_served(server: ApiServer) -> None:
    deadline = time.monotonic() + 30
    while (done := server.kubectl("get", PLURAL)).returncode != 0:
        assert time.monotonic() < deadline, done.stderr


@pytest.mark.parametrize("resource", cases("accepted"))
def test_an_accepted_case_is_accepted(api: ApiServer, resource: Resource) -> None:
    assert api.refusal(resource) == ""


@pytest.mark.parametrize("resource", cases("refused"))
def test_a_refused_case_is_refused_in_a_sentence(api: ApiServer, resource: Resource) -> None:
    assert _json_text(resource["metadata"]["annotations"]["refused-because"]) in api.refusal(
        resource
    )


@pytest.mark.parametrize(("resource", "variant"), variants(violations))
def test_a_value_beyond_a_bound_is_refused(
    api: ApiServer, resource: Resource, variant: Variant
) -> None:
    assert variant.refusal in api.refusal({**resource, "spec": variant.resource})


@pytest.mark.parametrize(("resource", "variant"), variants(edges))
def test_a_value_at_the_edge_is_accepted(
    api: ApiServer, resource: Resource, variant: Variant
) -> None:
    assert api.refusal({**resource, "spec": with_companions(variant)}) == ""


@pytest.mark.parametrize("resource", TRICKY.values(), ids=TRICKY.keys())
def test_lint_and_the_api_server_agree(api: ApiServer, resource: Resource) -> None:
    said = api.refusal(resource)
    assert bool(offline.refusals(resource)) == bool(said), said or offline.refusals(resource)


def test_production_can_only_change_while_there_is_no_shadow(api: ApiServer) -> None:
    resource: Resource = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "ShadowDeployment",
        "metadata": {"name": "change"},
        "spec": {
            "phase": "Shadow",
            "productionRef": {"deploymentName": "shop", "serviceName": "shop"},
            "shadow": {"image": "shop:new"},
        },
    }
    elsewhere = deepcopy(resource)
    elsewhere["spec"]["productionRef"]["serviceName"] = "other"
    stopped, both = deepcopy(resource), deepcopy(elsewhere)
    stopped["spec"]["phase"] = both["spec"]["phase"] = "None"

    assert _apply(api, resource) == ""
    for at_once in (elsewhere, both):
        assert "set phase: None before productionRef is changed" in _apply(api, at_once)
    assert _apply(api, stopped) == ""
    assert _apply(api, elsewhere) == ""


def test_the_smallest_example_is_accepted_and_gets_the_defaults_of_the_runbook(
    api: ApiServer,
) -> None:
    resource = yaml.safe_load((ROOT / "examples/smallest.yaml").read_text("utf-8"))
    resource["metadata"]["namespace"] = NAMESPACE
    done = api.kubectl(
        "create", "--dry-run=server", "-o", "yaml", "-f", "-", stdin=json.dumps(resource)
    )
    assert done.returncode == 0, done.stderr
    spec = yaml.safe_load(done.stdout)["spec"]
    assert spec["gates"]["matchRate"] == {"mode": "Required", "minPercent": "99.9"}
    assert spec["gates"]["latencyP99"] == {"mode": "Required", "maxIncreasePercent": 10}
    assert spec["soakSeconds"] == 86_400
    assert spec["mirror"]["methods"] == ["GET", "HEAD"]


def test_kubectl_explain_is_documentation(api: ApiServer) -> None:
    done = api.kubectl("explain", "shadowdeployment.spec.clones.replicas")
    assert "Pods of the shadow and of the reference each (1..100, default 2)" in " ".join(
        done.stdout.split()
    )


def test_the_short_name_and_get_all_find_the_resource(api: ApiServer) -> None:
    resource = deepcopy(EVERY_FIELD[0])
    assert _apply(api, resource) == ""
    assert "every-field" in api.kubectl("get", "shd").stdout
    assert "shadowdeployment.hal9.ai/every-field" in api.kubectl("get", "all").stdout


def _apply(api: ApiServer, resource: Resource) -> str:
    # As JSON: PyYAML writes the string "1e-6" without quotes, and YAML 1.2 reads a number.
    return api.kubectl("apply", "-f", "-", stdin=json.dumps(resource)).stderr


def _json_text(text: str) -> str:
    """Give the text as it stands inside the JSON of a Status object."""
    return text.replace('"', '\\"')
