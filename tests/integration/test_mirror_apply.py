"""The mirror's objects against a real API server: accepted, stable, and the entry flips cleanly."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core.deploying import entry, mirror
from shadow_operator.core.deploying.drift import differs
from shadow_operator.core.snapshot import Manifest
from tests.integration.test_children_apply import ApiServer
from tests.support.clones import BASE, SETTINGS, Case, merged, production

NAMESPACE = f"mirror-{uuid.uuid4().hex[:8]}"
NAMESPACE_OBJECT: Manifest = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": NAMESPACE,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
    },
}

SERVICES: dict[str, Case] = {
    "a plain Service": {},
    "a port without a name": {"service": {"spec": {"ports": [{"port": 80}]}}},
    "a port that is a number, and one with a protocol": {
        "service": {
            "spec": {
                "ports": [
                    {"name": "web", "port": 80, "targetPort": 8000, "appProtocol": "http"},
                    {"name": "db", "port": 5432, "targetPort": 5432},
                ]
            }
        }
    },
    "a headless Service": {"service": {"spec": {"clusterIP": "None"}}},
}


@pytest.fixture(scope="module")
def api(control_plane: Any) -> Iterator[ApiServer]:
    server = ApiServer(str(control_plane.kubeconfig))
    server.apply(NAMESPACE_OBJECT)
    yield server
    server.delete(NAMESPACE_OBJECT)
    server.close()


def here(manifest: Manifest) -> dict[str, Any]:
    """Give a copy in the namespace of these tests."""
    moved: dict[str, Any] = merged(manifest, {"metadata": {"namespace": NAMESPACE}})
    return moved


def objects(api: ApiServer, case: Case) -> tuple[ShadowDeployment, Manifest, Manifest]:
    """Give the resource, and production's Deployment and Service with all defaults."""
    deployment, service = (
        api.create(here(manifest), dry_run="All", field_validation="Ignore")
        for manifest in production(case)
    )
    return ShadowDeployment.parse(here(BASE["resource"])), deployment, service


@pytest.mark.parametrize("case", SERVICES.values(), ids=SERVICES)
def test_every_object_of_the_mirror_is_accepted_and_does_not_drift(
    api: ApiServer, case: Case
) -> None:
    resource, deployment, service = objects(api, case)
    for manifest in mirror.manifests(resource, service, deployment, SETTINGS):
        assert differs(manifest, api.apply(manifest)) == ()


@pytest.mark.parametrize("case", SERVICES.values(), ids=SERVICES)
def test_the_entry_flips_whole_and_back(api: ApiServer, case: Case) -> None:
    resource, _, service = objects(api, case)
    for through_envoy in (False, True, False):
        wanted = entry.manifest(resource, service, through_envoy=through_envoy)
        live = api.apply(wanted)
        assert differs(wanted, live) == ()
        assert live["spec"]["selector"] == wanted["spec"]["selector"]
        assert [port["targetPort"] for port in live["spec"]["ports"]] == [
            port["targetPort"] for port in wanted["spec"]["ports"]
        ]
        assert live["spec"]["clusterIP"] not in {"", "None"}


def test_an_envoy_is_admitted_where_pods_are_restricted(api: ApiServer) -> None:
    resource, deployment, service = objects(api, {})
    built = mirror.manifests(resource, service, deployment, SETTINGS)
    template = next(m for m in built if m["kind"] == "Deployment")["spec"]["template"]
    metadata = {**template["metadata"], "name": "envoy", "namespace": NAMESPACE}
    pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": metadata}
    assert api.create(pod, dry_run="All", field_validation="Strict")["kind"] == "Pod"
