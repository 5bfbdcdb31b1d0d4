"""Every child against a real API server: accepted as it is, and no drift right after."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kubernetes import client, config, dynamic

from shadow_operator.api.names import API_VERSION, FIELD_MANAGER, KIND
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core.deploying import children
from shadow_operator.core.deploying.drift import differs
from shadow_operator.core.snapshot import Manifest
from tests.support.clones import BASE, SETTINGS, Case, cases, merged, production
from tests.support.schema import CRD_FILE

NAMESPACE = f"children-{uuid.uuid4().hex[:8]}"
NOT_EVERYWHERE = {"ImageVolume"}
"""Features of Kubernetes that the oldest supported version has not; their cases `need` them."""

CASES = {
    "a plain deployment": {},
    **{
        case["test"]: case
        for case in cases()
        if "refused" not in case and case.get("needs") not in NOT_EVERYWHERE
    },
}


class ApiServer:
    """What these tests ask of an API server."""

    def __init__(self, kubeconfig: str) -> None:
        self._client = config.new_client_from_config(kubeconfig)  # type: ignore[no-untyped-call]
        self._dynamic = dynamic.DynamicClient(self._client)  # type: ignore[no-untyped-call]

    def apply(self, manifest: Manifest, *, dry_run: bool = False) -> dict[str, Any]:
        """Apply as the operator does; unknown fields are refused."""
        done: dict[str, Any] = (
            self._kind(manifest)
            .server_side_apply(
                body=dict(manifest),
                name=manifest["metadata"]["name"],
                namespace=manifest["metadata"].get("namespace"),
                field_manager=FIELD_MANAGER,
                force_conflicts=True,
                field_validation="Strict",
                **({"dry_run": "All"} if dry_run else {}),
            )
            .to_dict()
        )
        return done

    def create(self, manifest: Manifest, **options: Any) -> dict[str, Any]:
        done: dict[str, Any] = (
            self._kind(manifest)
            .create(body=dict(manifest), namespace=manifest["metadata"].get("namespace"), **options)
            .to_dict()
        )
        return done

    def get(self, manifest: Manifest) -> dict[str, Any]:
        metadata = manifest["metadata"]
        there: dict[str, Any] = (
            self._kind(manifest)
            .get(name=metadata["name"], namespace=metadata.get("namespace"))
            .to_dict()
        )
        return there

    def delete(self, manifest: Manifest) -> None:
        self._kind(manifest).delete(name=manifest["metadata"]["name"])

    def close(self) -> None:
        self._client.close()

    def _kind(self, manifest: Manifest) -> Any:
        return self._dynamic.resources.get(
            api_version=manifest["apiVersion"], kind=manifest["kind"]
        )


NAMESPACE_OBJECT: Manifest = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": NAMESPACE,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
    },
}


@pytest.fixture(scope="module")
def api(control_plane: Any) -> Iterator[ApiServer]:
    server = ApiServer(str(control_plane.kubeconfig))
    server.apply(yaml.safe_load(CRD_FILE.read_text()))
    server.apply(NAMESPACE_OBJECT)
    yield server
    server.delete(NAMESPACE_OBJECT)
    server.close()


@pytest.fixture(scope="module")
def resource(api: ApiServer) -> ShadowDeployment:
    """Give a resource that exists: the garbage collector takes children of others away."""
    wanted = {"apiVersion": API_VERSION, "kind": KIND, **moved(BASE["resource"])}
    del wanted["metadata"]["uid"]
    deadline = time.monotonic() + 30
    while True:
        try:
            return ShadowDeployment.parse(api.apply(wanted))
        except (dynamic.exceptions.ResourceNotFoundError, client.ApiException) as error:
            # The kind is served a moment after its definition was accepted.
            if time.monotonic() > deadline or getattr(error, "status", 404) != 404:
                raise


def moved(manifest: dict[str, Any]) -> dict[str, Any]:
    """Give a copy in the namespace of these tests."""
    copied: dict[str, Any] = merged(manifest, {"metadata": {"namespace": NAMESPACE}})
    return copied


def children_of(case: Case, resource: ShadowDeployment, api: ApiServer) -> tuple[Manifest, ...]:
    """Build the children of production as the API server has it, with all its defaults."""
    deployment, service = (
        api.create(moved(manifest), dry_run="All", field_validation="Ignore")
        for manifest in production(case)
    )
    spec = merged(BASE["resource"]["spec"], case.get("spec", {}))
    body = {"metadata": resource.metadata.model_dump(), "spec": spec}
    wanted = ShadowDeployment.parse(body)
    told = children.comparator_config(wanted, deployment, service, SETTINGS, epoch="e-1", nonce="n")
    built = children.desired(wanted, deployment, service, SETTINGS, told)
    return (*built.all, children.probe(wanted, deployment, service, SETTINGS))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_child_is_accepted_and_does_not_drift(
    case: Case, resource: ShadowDeployment, api: ApiServer
) -> None:
    for manifest in children_of(case, resource, api):
        if manifest["kind"] == "Pod":
            continue
        api.apply(manifest)
        assert differs(manifest, api.get(manifest)) == ()


def test_applying_a_child_again_changes_nothing(resource: ShadowDeployment, api: ApiServer) -> None:
    for manifest in children_of({}, resource, api):
        first = api.apply(manifest, dry_run=manifest["kind"] == "Pod")
        if manifest["kind"] != "Pod":
            assert api.apply(manifest)["metadata"].get("generation") == first["metadata"].get(
                "generation"
            )


def test_a_field_that_is_no_longer_ours_goes(resource: ShadowDeployment, api: ApiServer) -> None:
    def shadow(spec: dict[str, Any]) -> Manifest:
        manifests = children_of({"spec": spec}, resource, api)
        return next(
            m
            for m in manifests
            if m["metadata"]["name"] == "next-shadow" and m["kind"] == "Deployment"
        )

    before = shadow({"shadow": {"env": [{"name": "EXTRA", "value": "1"}]}})
    after = shadow({})
    api.apply(before)
    live = api.get(after)
    assert differs(after, live) == (
        "metadata.annotations.hal9.ai/applied",
        "spec.template.metadata.annotations.hal9.ai/together",
    )
    api.apply(after)
    container = api.get(after)["spec"]["template"]["spec"]["containers"][0]
    assert [entry["name"] for entry in container["env"]] == ["MODE"]


RESTRICTED = {
    "production": {
        "pod": {"securityContext": {"runAsNonRoot": True, "runAsUser": 1000}},
        "container": {
            "securityContext": {"capabilities": {"drop": ["ALL"]}, "privileged": True},
        },
    }
}
"""Production that is restricted but for what the clones lose."""


def test_pods_run_in_a_restricted_namespace(resource: ShadowDeployment, api: ApiServer) -> None:
    manifests = children_of(RESTRICTED, resource, api)
    names = {"next-shadow", "next-reference", "next-comparator", "next-probe"}
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": manifest["metadata"]["name"], "namespace": NAMESPACE},
            "spec": manifest["spec"]
            if manifest["kind"] == "Pod"
            else manifest["spec"]["template"]["spec"],
        }
        for manifest in manifests
        if manifest["kind"] in {"Deployment", "Pod"}
    ]
    assert {pod["metadata"]["name"] for pod in pods} == names
    _wait_for_default_account(api)
    for pod in pods:
        api.create(pod, dry_run="All", field_validation="Strict")


def test_a_restricted_namespace_refuses_what_the_clones_lose(
    resource: ShadowDeployment, api: ApiServer
) -> None:
    deployment, _ = production(RESTRICTED)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "production", "namespace": NAMESPACE},
        "spec": deployment["spec"]["template"]["spec"],
    }
    _wait_for_default_account(api)
    with pytest.raises(dynamic.exceptions.ForbiddenError, match="violates PodSecurity"):
        api.create(pod, dry_run="All")


def _wait_for_default_account(api: ApiServer) -> None:
    """Wait until the namespace can have pods."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": NAMESPACE},
    }
    deadline = time.monotonic() + 30
    while True:
        try:
            api.get(account)
        except dynamic.exceptions.NotFoundError:
            assert time.monotonic() < deadline, "no service account was made"
        else:
            return
