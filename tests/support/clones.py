"""The cases of tests/data/clones: merge patches over one production and the clones of it."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from shadow_operator.api.names import Role
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core.deploying.cloning import Clone, clone
from shadow_operator.core.snapshot import Settings

FOLDER: Final = Path(__file__).parents[1] / "data" / "clones"
BASE: Final[dict[str, Any]] = yaml.safe_load((FOLDER / "base.yaml").read_text())

SETTINGS: Final = Settings(
    operator_image="operator:1",
    envoy_image="envoy:1",
    operator_namespace="shadow-system",
    operator_labels={"app.kubernetes.io/name": "shadow-operator"},
)

Case: TypeAlias = dict[str, Any]
"""`test` (a sentence), what differs in `production`, `service`, `spec`, `settings`, `role` and
`running_image`; then what differs in the `clone`, and its `notes`, or why it is `refused`."""


def cases() -> Iterator[Case]:
    """Give all cases of all files but the base."""
    for file in sorted(FOLDER.glob("*.yaml")):
        if file.name != "base.yaml":
            yield from yaml.safe_load(file.read_text())


def production(case: Case) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give production's Deployment and Service."""
    deployment = _patched(BASE["deployment"], case.get("production", {}))
    return deployment, merged(BASE["service"], case.get("service", {}))


def resource(spec: Mapping[str, Any] | None = None) -> ShadowDeployment:
    """Give the resource with this merge patch of its spec."""
    return ShadowDeployment.parse(merged(BASE["resource"], {"spec": spec or {}}))


def settings(case: Case) -> Settings:
    """Give the settings of the installation."""
    return replace(SETTINGS, **case.get("settings", {}))


def clone_of(case: Case) -> Clone:
    """Make the clone that the case is about."""
    return clone(
        *production(case),
        resource(case.get("spec")),
        Role(case.get("role", "reference")),
        settings(case),
        running_image=case.get("running_image", ""),
    )


def expected(case: Case) -> dict[str, Any]:
    """Give the manifest that should come of it."""
    clones: dict[str, dict[str, Any]] = BASE["clones"]
    return _patched(clones[case.get("role", "reference")], case.get("clone", {}))


def merged(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386); the target stays as it is."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result: dict[str, Any] = copy.deepcopy(dict(target)) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _patched(deployment: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Patch a Deployment's `spec`, its template's `annotations`, its `pod`, its `container`."""
    spec = merged(deployment["spec"], patch.get("spec", {}))
    template = spec["template"]
    template["metadata"] = merged(
        template["metadata"], {"annotations": patch.get("annotations", {})}
    )
    template["spec"] = merged(template["spec"], patch.get("pod", {}))
    containers = template["spec"]["containers"]
    at = next((i for i, c in enumerate(containers) if c["name"] == "web"), 0)
    containers[at] = merged(containers[at], patch.get("container", {}))
    return {**deployment, "spec": spec}
