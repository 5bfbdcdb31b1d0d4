"""Clones of production's Deployment that never look like production.

`RULES` is the whole of it, in order: each rule changes the draft of a clone and says what it left
out. Fields of pods and containers are copied by allow list, so what a later Kubernetes adds is not
copied before somebody has thought about it.

Decisions that are not obvious:

- Pods are replaced all at once (`Recreate`): shadow pods of two versions behind one Service would
  mix two epochs' answers, and a surge would need headroom that nobody measured.
- Lifecycle hooks are left out: they register a pod with something outside, or wait for users'
  requests that a clone never gets.
- Storage becomes an empty directory with a size limit: without one a clone that writes what
  production writes to a claim fills the node's disk, and the kubelet evicts its neighbours.
- A lower priority needs a PriorityClass; `preemptionPolicy: Never` alone is refused by the API
  server. So production's class goes, and the class of `Settings.clone_priority_class` comes where
  the installation has one.
- Changes of production's configuration restart its clones too: annotations `checksum/...` are
  kept, and `kubectl rollout restart` of production is kept under a name of our own, so that one of
  a clone by a person stays theirs.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from shadow_operator.api.names import Role
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core import names
from shadow_operator.core.deploying import objects
from shadow_operator.core.deploying.cloning import containers, environment, identity, pods, storage
from shadow_operator.core.deploying.cloning.draft import Draft, Notes
from shadow_operator.core.deploying.serving import serving
from shadow_operator.core.snapshot import Manifest, Settings


@dataclass(frozen=True, slots=True)
class Clone:
    """A Deployment to apply, and what it has not of production's."""

    manifest: Manifest
    notes: tuple[str, ...]
    """One clause each, for status: `container metrics-agent is left out`."""


RULES: Final[tuple[Callable[[Draft], Notes], ...]] = (
    containers.leave_out_other_containers,
    containers.copy_known_container_fields,
    containers.run_the_right_image,
    containers.open_no_host_port,
    containers.probe_only_what_is_cloned,
    pods.copy_known_pod_fields,
    pods.carry_only_harmless_annotations,
    pods.schedule_apart_from_production,
    pods.yield_to_everybody,
    identity.give_no_identity,
    identity.give_no_privileges,
    storage.mount_only_what_is_there,
    storage.replace_storage,
    environment.omit_secrets,
    environment.explain_what_is_empty,
    environment.set_environment,
    environment.set_resources,
)
"""In the order in which they are applied; later ones see what earlier ones left."""


def clone(
    deployment: Manifest,
    service: Manifest,
    resource: ShadowDeployment,
    role: Role,
    settings: Settings,
    *,
    running_image: str = "",
) -> Clone:
    """Build the Deployment of the shadow or the reference from production's.

    `deployment` and `service` are production's as the API server has them. `running_image` is the
    image id that the reference should run (`reference.running_image`). Raises `CannotClone`.
    """
    template = deployment["spec"]["template"]
    meta = template.get("metadata") or {}
    draft = Draft(
        pod=copy.deepcopy(dict(template["spec"])),
        annotations=dict(meta.get("annotations") or {}),
        resource=resource,
        settings=settings,
        role=role,
        serving=serving(deployment, service, resource.spec),
        running_image=running_image,
        production_labels=meta.get("labels") or {},
    )
    notes = [draft.serving.note] if draft.serving.note else []
    for rule in RULES:
        notes.extend(rule(draft))
    return Clone(_deployment(draft, deployment), tuple(dict.fromkeys(notes)))


def _deployment(draft: Draft, production: Manifest) -> Manifest:
    name, role = draft.resource.name, draft.role
    spec: dict[str, Any] = {
        "replicas": draft.resource.spec.clones.replicas,
        "revisionHistoryLimit": 2,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": names.selector(name, role)},
        "template": {
            "metadata": {
                "labels": names.labels(name, role),
                "annotations": draft.annotations,
            },
            "spec": draft.pod,
        },
    }
    if deadline := production["spec"].get("progressDeadlineSeconds"):
        spec["progressDeadlineSeconds"] = deadline
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": objects.metadata(draft.resource, role, names.child(name, role)),
        "spec": spec,
    }
