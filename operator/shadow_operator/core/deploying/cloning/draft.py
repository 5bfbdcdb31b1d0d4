"""A clone in the making, and the helpers that its rules share."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from shadow_operator.api.names import Role
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core.deploying.selectors import Labels
from shadow_operator.core.deploying.serving import Serving
from shadow_operator.core.snapshot import Settings

Notes: TypeAlias = Iterable[str]
"""What a rule left out, one clause each."""


@dataclass
class Draft:
    """Rules change `pod`, `annotations` and `left_out_ports`, and read the rest."""

    pod: dict[str, Any]
    """The pod spec, at first production's."""
    annotations: dict[str, str]
    """Annotations of the pod template, at first production's."""
    resource: ShadowDeployment
    settings: Settings
    role: Role
    serving: Serving
    running_image: str
    production_labels: Labels
    left_out_ports: set[int] = field(default_factory=set)
    """Ports that only containers declare that are not cloned."""

    @property
    def container(self) -> dict[str, Any]:
        """The container that answers."""
        container: dict[str, Any] = next(
            c for c in self.pod["containers"] if c["name"] == self.serving.container
        )
        return container

    @property
    def containers(self) -> Iterator[dict[str, Any]]:
        """All containers, init containers first."""
        yield from self.pod.get("initContainers", [])
        yield from self.pod["containers"]


def only(mapping: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """Give the entries with these keys."""
    return {key: mapping[key] for key in sorted(mapping.keys() & set(fields))}


def unique(items: Iterable[dict[str, Any]], *keys: str) -> list[dict[str, Any]]:
    """Keep the last of those with the same key: server-side apply refuses the others."""
    return list({tuple(item.get(key) for key in keys): item for item in items}.values())


def set_or_drop(mapping: dict[str, Any], key: str, value: Any) -> None:
    """Set a field, or remove it where the value is empty."""
    if value:
        mapping[key] = value
    else:
        mapping.pop(key, None)
