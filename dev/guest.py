"""Manners in a cluster that is somebody else's: what stood there before is not touched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dev.install import RELEASE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dev.kubectl import Kubectl

DEFINITION = "shadowdeployments.hal9.ai"

MADE_BY_DEMO: Mapping[str, str] = {"app.kubernetes.io/managed-by": "shadow-operator-demo"}
"""Labels of every namespace that the demo makes."""
RELEASE_OF: Mapping[str, str] = {
    "meta.helm.sh/release-name": RELEASE,
    "meta.helm.sh/release-namespace": RELEASE,
}
"""Annotations of the CustomResourceDefinition that our release installs, and leaves behind."""


def find(kubectl: Kubectl, kind: str, name: str) -> dict[str, Any] | None:
    """Give one object, or None where it does not exist."""
    text = kubectl("get", kind, name, "--ignore-not-found", "--output", "json")
    found: dict[str, Any] | None = json.loads(text) if text.strip() else None
    return found


def standing(kubectl: Kubectl, namespaces: Iterable[str]) -> list[str]:
    """Name which of these namespaces, and whether the CustomResourceDefinition, are there."""
    found = [f"namespace {name}" for name in namespaces if find(kubectl, "namespace", name)]
    if find(kubectl, "customresourcedefinition", DEFINITION):
        found.append(f"CustomResourceDefinition {DEFINITION}")
    return found


def made_by_demo(kubectl: Kubectl, namespaces: Iterable[str], *, made: bool = True) -> list[str]:
    """Give those of these namespaces that are there and that the demo has made, or has not."""
    found = {name: find(kubectl, "namespace", name) for name in namespaces}
    return [
        name for name, one in found.items() if one and _has(one, "labels", MADE_BY_DEMO) == made
    ]


def strangers(kubectl: Kubectl, namespaces: Sequence[str]) -> list[str]:
    """Name what the demo would change or take over although it is not the demo's."""
    found = [f"namespace {name}" for name in made_by_demo(kubectl, namespaces, made=False)]
    definition = find(kubectl, "customresourcedefinition", DEFINITION)
    if definition is None:
        return found
    if not _has(definition, "annotations", RELEASE_OF):
        found.append(f"CustomResourceDefinition {DEFINITION}")
    # The demo's operator would serve them, wherever they are.
    listed = kubectl.get(DEFINITION, "--all-namespaces")["items"]
    places = sorted({one["metadata"]["namespace"] for one in listed} - set(namespaces))
    return [*found, *(f"a ShadowDeployment in namespace {place}" for place in places)]


def _has(one: Mapping[str, Any], where: str, marks: Mapping[str, str]) -> bool:
    present: Mapping[str, str] = one["metadata"].get(where, {})
    return marks.items() <= present.items()
