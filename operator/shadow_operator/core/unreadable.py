"""The resource as an object, also where its spec can't be read and it has to go all the same."""

from typing import Any, Final

from pydantic import ValidationError

from shadow_operator.api.errors import InvalidSpec
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.api.spec import ProductionRef
from shadow_operator.core.snapshot import Manifest

_NOBODY: Final = {"deploymentName": "unknown", "serviceName": "unknown"}


def read_resource(body: Manifest) -> ShadowDeployment:
    """Read it; raise `InvalidSpec`, but never for a resource that is being deleted.

    The API server may hold what it would refuse today (another version of the schema), and the
    finalizer must come off such a resource too.
    """
    try:
        return ShadowDeployment.parse(body)
    except InvalidSpec:
        if "deletionTimestamp" not in body["metadata"]:
            raise
    spec = {"phase": "None", "productionRef": _production(body), "shadow": {"image": "unknown"}}
    return ShadowDeployment.parse({**body, "spec": spec})


def _production(body: Manifest) -> Any:
    stored = (body.get("spec") or {}).get("productionRef")
    try:
        ProductionRef.model_validate(stored)
    except ValidationError:
        return _NOBODY
    return stored
