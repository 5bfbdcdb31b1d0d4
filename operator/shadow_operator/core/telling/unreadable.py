"""The resource as far as it can be read, where its spec can't be read as a whole.

The API server may hold what it would refuse today (another version of the schema). Such a resource
can still be stopped and deleted, and its entry still follows production.
"""

from collections.abc import Mapping
from typing import Any, Final

from shadow_operator.api.errors import InvalidSpec
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core.judging import self_test
from shadow_operator.core.snapshot import Manifest

_UNKNOWN: Final = "unknown"
_LEAST: Final[Mapping[str, Any]] = {
    "phase": "Shadow",
    "productionRef": {"deploymentName": _UNKNOWN, "serviceName": _UNKNOWN},
    "shadow": {"image": _UNKNOWN},
}
"""What stands for required fields that can't be read, and ends nothing."""


def read_resource(body: Manifest) -> ShadowDeployment:
    """Read it; raise `InvalidSpec`, but never for a resource that is being deleted.

    The finalizer must come off one that can't be read, too.
    """
    try:
        return _under_test(ShadowDeployment.parse(body))
    except InvalidSpec:
        if "deletionTimestamp" not in body["metadata"]:
            raise
    return salvage(body)


def salvage(body: Manifest) -> ShadowDeployment:
    """Read every field of the spec, and every member of such a field, that can be read alone."""
    spec, stored = dict(_LEAST), body.get("spec")
    for field, value in (stored if isinstance(stored, Mapping) else {}).items():
        if _reads(body, {**spec, field: value}):
            spec[field] = value
        elif isinstance(value, Mapping):
            for member, one in value.items():
                part = {**spec.get(field, {}), member: one}
                spec = {**spec, field: part} if _reads(body, {**spec, field: part}) else spec
    return _under_test(ShadowDeployment.parse({**body, "spec": spec}))


def _under_test(resource: ShadowDeployment) -> ShadowDeployment:
    """Give the resource with the spec that is acted on: in a self-test nothing of it is new."""
    return resource.model_copy(update={"spec": self_test.spec_of(resource.spec)})


def names_production(resource: ShadowDeployment) -> bool:
    """Whether a salvaged resource says which Deployment and Service serve production."""
    production = resource.spec.production_ref
    return _UNKNOWN not in {production.deployment_name, production.service_name}


def _reads(body: Manifest, spec: Mapping[str, Any]) -> bool:
    try:
        ShadowDeployment.parse({**body, "spec": spec})
    except InvalidSpec:
        return False
    return True
