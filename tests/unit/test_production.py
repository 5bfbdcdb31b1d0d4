"""Events of production's own objects wake the resources that stand on them, and nobody else."""

from collections.abc import Mapping
from typing import Any

import pytest

from shadow_operator.controller.production import ProductionRefs

KEY = ("hal9", "hal9")
OTHER = ("hal9", "other")


def resource(deployment: str = "hal9-server", service: str = "hal9-service") -> dict[str, Any]:
    return {"spec": {"productionRef": {"deploymentName": deployment, "serviceName": service}}}


def event(kind: str, body: dict[str, Any], **changes: Any) -> Mapping[str, Any]:
    metadata = {"namespace": "hal9", "uid": "u", "generation": 1, "resourceVersion": "1"}
    return {"type": kind, "object": {"metadata": metadata | body | changes}}


SERVICE: dict[str, Any] = {"name": "hal9-service", "generation": None}
DEPLOYMENT: dict[str, Any] = {"name": "hal9-server"}


def refs() -> ProductionRefs:
    refs = ProductionRefs()
    refs.refer(KEY, resource())
    refs.woken("services", event("ADDED", SERVICE))
    refs.woken("deployments", event("ADDED", DEPLOYMENT))
    return refs


@pytest.mark.parametrize(
    ("plural", "what", "wakes"),
    [
        pytest.param("services", event("DELETED", SERVICE), True, id="its Service is deleted"),
        pytest.param("services", event("ADDED", SERVICE, uid="v"), True, id="and made anew"),
        pytest.param(
            "services", event("MODIFIED", SERVICE, resourceVersion="2"), True, id="a port changes"
        ),
        pytest.param("services", event("MODIFIED", SERVICE), False, id="a list is read again"),
        pytest.param(
            "services",
            event("MODIFIED", SERVICE, name="another", resourceVersion="2"),
            False,
            id="a Service that nobody names",
        ),
        pytest.param(
            "services",
            event("MODIFIED", SERVICE, namespace="shop", resourceVersion="2"),
            False,
            id="its name in another namespace",
        ),
        pytest.param(
            "services",
            event("MODIFIED", DEPLOYMENT, resourceVersion="2"),
            False,
            id="a Service with the Deployment's name",
        ),
        pytest.param(
            "deployments", event("MODIFIED", DEPLOYMENT, generation=2), True, id="a rollout begins"
        ),
        pytest.param(
            "deployments",
            event("MODIFIED", DEPLOYMENT, resourceVersion="2"),
            False,
            id="a pod of it becomes ready",
        ),
        pytest.param(
            "deployments",
            event("MODIFIED", DEPLOYMENT, deletionTimestamp="2026-01-01T00:00:00Z"),
            True,
            id="its Deployment is on its way out",
        ),
        pytest.param("deployments", event("DELETED", DEPLOYMENT), True, id="and gone"),
    ],
)
def test_what_changes_production_wakes_its_resource(
    plural: str, what: Mapping[str, Any], wakes: bool
) -> None:
    assert refs().woken(plural, what) == ({KEY} if wakes else set())


def test_an_event_wakes_all_resources_that_name_the_object() -> None:
    seen = refs()
    seen.refer(OTHER, resource(deployment="next"))
    assert seen.woken("services", event("DELETED", SERVICE)) == {KEY, OTHER}


def test_a_resource_that_names_another_object_is_woken_by_that_one_only() -> None:
    seen = refs()
    seen.refer(KEY, resource(service="next"))
    assert seen.woken("services", event("DELETED", SERVICE)) == set()
    assert seen.woken("services", event("ADDED", SERVICE, name="next")) == {KEY}


def test_a_resource_that_is_gone_is_woken_by_nothing_and_leaves_nothing_behind() -> None:
    seen = refs()
    seen.forget(KEY)
    assert seen.woken("services", event("DELETED", SERVICE)) == set()
    assert seen == ProductionRefs()


@pytest.mark.parametrize("body", [{}, {"spec": None}, {"spec": {"productionRef": "unreadable"}}])
def test_a_spec_that_names_nothing_is_no_error(body: Mapping[str, Any]) -> None:
    seen = ProductionRefs()
    seen.refer(KEY, body)
    assert seen == ProductionRefs()
