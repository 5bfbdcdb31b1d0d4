"""The resource as one object: metadata, spec and the last written status."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from shadow_operator.api.base import Model, StatusModel, Time
from shadow_operator.api.errors import InvalidSpec
from shadow_operator.api.spec import Spec
from shadow_operator.api.status import Status


class Metadata(StatusModel):
    """What the operator reads of `metadata`."""

    name: str
    namespace: str
    uid: str = ""
    generation: int = 0
    annotations: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None


class ShadowDeployment(Model):
    """A new version of a service, shadow-tested with copies of production's requests."""

    model_config = ConfigDict(extra="ignore")

    metadata: Metadata
    spec: Spec
    status: Status = Status()

    @property
    def name(self) -> str:
        """Name of the resource; its children's names begin with it."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """Namespace of the resource, of production and of all children."""
        return self.metadata.namespace

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "ShadowDeployment":
        """Read an object of the API server; raise InvalidSpec with a sentence per problem."""
        try:
            spec = Spec.model_validate(body.get("spec") or {})
        except ValidationError as error:
            raise InvalidSpec(tuple(_sentence(problem) for problem in error.errors())) from error
        return cls(
            metadata=Metadata.model_validate(dict(body["metadata"])),
            spec=spec,
            status=Status.parse(dict(body.get("status") or {})),
        )


def _sentence(problem: ErrorDetails) -> str:
    path = "spec"
    for part in problem["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return f"{path}: {problem['msg']}."
