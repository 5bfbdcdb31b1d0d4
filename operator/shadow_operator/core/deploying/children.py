"""Everything that the operator creates for a resource, except the mirror: plain manifests.

Each holds only the fields that are ours, is owned by the resource, and is stamped (`objects`), so
that `drift` can compare it with the live object.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shadow_operator.api.enums import (
    MirrorProvider,
    PathMatchType,
    ReferenceMode,
    SelfTest,
)
from shadow_operator.api.evidence import ComparatorConfig, PathMatch, PathRule, Target
from shadow_operator.api.names import LABEL_ROLE, Role
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.api.spec import EgressTarget
from shadow_operator.api.spec import PathRule as SpecPathRule
from shadow_operator.core import names
from shadow_operator.core.counting.rules import number_edges, path_rules
from shadow_operator.core.deploying import cloning, objects, policies
from shadow_operator.core.deploying.selectors import matches_labels
from shadow_operator.core.deploying.serving import Serving, metrics_port, serving
from shadow_operator.core.snapshot import Manifest, Settings

CONFIG_FOLDER: Final = "/etc/comparator"
CONFIG_FILE: Final = "config.json"
COMPARATOR_REPLICAS: Final = 2
OTHERS_CONNECTION_SECONDS: Final = 30.0
"""How long a connection of a mirror that is not ours lasts: one that is open stays where it is when
the Service leads elsewhere."""
PROBE_SECONDS: Final = 15
"""For how long the isolation probe tries; network policies take effect seconds after a start."""


@dataclass(frozen=True, slots=True)
class Children:
    """The objects of one resource in the order in which they may come to be."""

    policies: tuple[Manifest, ...]
    """Before anything that they protect from."""
    clones: tuple[Manifest, ...]
    """Deployments and Services of shadow and reference."""
    comparator: tuple[Manifest, ...]
    notes: tuple[str, ...]
    """What the clones have not of production's, one clause each."""

    @property
    def all(self) -> tuple[Manifest, ...]:
        """Every manifest, in that order."""
        return (*self.policies, *self.clones, *self.comparator)


def desired(
    resource: ShadowDeployment,
    deployment: Manifest,
    service: Manifest,
    settings: Settings,
    config: ComparatorConfig,
    *,
    running_image: str = "",
) -> Children:
    """Build all children from production's Deployment and Service.

    `config` comes from `comparator_config`, `running_image` from `reference.running_image`. Raises
    `CannotClone` with a sentence for the user.
    """
    served = serving(deployment, service, resource.spec)
    clones = [
        cloning.clone(deployment, service, resource, role, settings, running_image=running_image)
        for role in clone_roles(resource)
    ]
    services = [s for role in clone_roles(resource) for s in _services(resource, role, served)]
    return Children(
        policies=_stamped(
            [
                policies.clones_policy(
                    resource,
                    served,
                    settings,
                    metrics_port=(
                        metrics_port(deployment, served) if resource.spec.tells_by_metrics else None
                    ),
                ),
                policies.comparator_policy(resource, served),
            ]
        ),
        clones=_stamped([*_together([clone.manifest for clone in clones]), *services]),
        comparator=_stamped(_comparator(resource, settings, config)),
        notes=tuple(dict.fromkeys(note for clone in clones for note in clone.notes)),
    )


def _together(clones: Sequence[Manifest]) -> Iterable[Manifest]:
    """Let the pods of all roles begin anew where those of one do.

    Otherwise a new shadow would be asked for what only the older reference has been told.
    """
    hashed = objects.fingerprint([one["spec"]["template"] for one in clones])
    for one in clones:
        template = one["spec"]["template"]
        meta = template["metadata"]
        annotations = {**meta["annotations"], names.ANNOTATION_TOGETHER: hashed}
        template = {**template, "metadata": {**meta, "annotations": annotations}}
        yield {**one, "spec": {**one["spec"], "template": template}}


def clone_roles(resource: ShadowDeployment) -> tuple[Role, ...]:
    """Give the roles that are cloned: without `reference.mode: Clone` only the shadow."""
    if resource.spec.reference.mode is ReferenceMode.CLONE:
        return (Role.SHADOW, Role.REFERENCE)
    return (Role.SHADOW,)


def comparator_config(
    resource: ShadowDeployment,
    deployment: Manifest,
    service: Manifest,
    settings: Settings,
    *,
    epoch: str,
    nonce: str,
    hints: Iterable[PathRule] = (),
    sample_percent: int = 100,
) -> ComparatorConfig:
    """Build what comparators are told; its version is the hash of the rest.

    `hints` are the places that judgement counts singly; `sample_percent` is what they compare of
    the copies that arrive. Raises `CannotClone`.
    """
    spec, port = resource.spec, serving(deployment, service, resource.spec).container_port
    roles = clone_roles(resource)

    def target(role: Role) -> Target:
        host = names.pods_service(resource.name, role)
        return Target(host=f"{host}.{resource.namespace}.svc.{settings.cluster_domain}", port=port)

    config = ComparatorConfig(
        version="",
        epoch=epoch,
        resource=f"{resource.namespace}/{resource.name}",
        nonce=nonce,
        shadow=target(Role.SHADOW),
        reference=target(Role.REFERENCE) if Role.REFERENCE in roles else None,
        control_percent=spec.reference.control_percent,
        methods=tuple(map(str, spec.mirror.methods)),
        include=_path_matches(spec.mirror.include),
        exclude=_path_matches(spec.mirror.exclude),
        forward_headers=tuple(header.lower() for header in spec.mirror.forward_headers),
        timeout_seconds=spec.comparison.timeout_seconds,
        max_body_bytes=spec.comparison.max_body_bytes,
        max_requests_per_second=_per_pod(spec.mirror.max_requests_per_second),
        sample_percent=sample_percent,
        connection_seconds=(
            OTHERS_CONNECTION_SECONDS if spec.mirror.provider is MirrorProvider.EXTERNAL else None
        ),
        routes=spec.effective_routes,
        hints=tuple(hints),
        unordered=path_rules(spec.comparison.unordered),
        plant_faults=spec.self_test is SelfTest.PLANTED_FAULT,
        edges=number_edges(spec.comparison),
        marker=spec.effective_learning_marker or "",
        preset=spec.effective_preset_name,
    )
    return config.model_copy(
        update={"version": objects.fingerprint(config.model_dump(mode="json"))}
    )


def probe_target(
    resource: ShadowDeployment, deployment: Manifest, service: Manifest, settings: Settings
) -> str:
    """Give `host:port` that clones must not reach, for the isolation probe.

    It is production itself, since a clone that calls production is what isolation is for. Where
    `egressTo` may allow that, it is the API server, which the operator reaches for certain. A CIDR
    that holds the API server too makes the probe say `not isolated`: wrong, but on the safe side.
    """
    if any(_may_reach(target, deployment) for target in resource.spec.clones.egress_to):
        return f"kubernetes.default.svc.{settings.cluster_domain}:443"
    served = serving(deployment, service, resource.spec)
    address = service["spec"].get("clusterIP")
    if address in (None, "", "None"):
        host = f"{service['metadata']['name']}.{resource.namespace}.svc.{settings.cluster_domain}"
        return f"{host}:{served.container_port}"
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{served.service_port}"


def probe(
    resource: ShadowDeployment, deployment: Manifest, service: Manifest, settings: Settings
) -> Manifest:
    """Build the pod that tests, under the clones' policy, whether anybody enforces it.

    It is of use with `clones.egress: Deny` only. A pod can't be changed: where `drift` sees a
    difference, delete it and create it anew.
    """
    target = probe_target(resource, deployment, service, settings)
    meta = objects.metadata(resource, Role.PROBE, names.child(resource.name, Role.PROBE))
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**meta, "annotations": dict(objects.NO_INJECTION)},
        "spec": {
            **objects.own_pod(settings),
            "restartPolicy": "Never",
            "activeDeadlineSeconds": 120,
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "probe",
                    "image": settings.operator_image,
                    "imagePullPolicy": settings.image_pull_policy,
                    "args": ["probe", "--target", target, "--seconds", str(PROBE_SECONDS)],
                    "securityContext": dict(objects.CONTAINER_SECURITY),
                    "resources": {
                        "requests": {"cpu": "10m", "memory": "32Mi"},
                        "limits": {"memory": "64Mi"},
                    },
                }
            ],
        },
    }
    return objects.stamped(manifest)


def _may_reach(target: EgressTarget, deployment: Manifest) -> bool:
    """Whether this target of `egressTo` may be production; what can't be known may be."""
    if target.cidr is not None or target.namespace_selector is not None:
        return True
    wanted = target.pod_selector.match_labels if target.pod_selector else {}
    labels = deployment["spec"]["template"].get("metadata", {}).get("labels") or {}
    return matches_labels(wanted, labels)


def _services(resource: ShadowDeployment, role: Role, served: Serving) -> Iterable[Manifest]:
    """Give a Service for people and probes, and a headless one whose addresses are the pods."""
    protocol = {"appProtocol": served.app_protocol} if served.app_protocol else {}
    port = {"name": "serving", "targetPort": served.container_port, "protocol": "TCP", **protocol}
    name, selector = resource.name, names.selector(resource.name, role)
    yield _service(
        resource,
        role,
        names.child(name, role),
        {"selector": selector, "ports": [{**port, "port": served.service_port}]},
    )
    yield _service(
        resource,
        role,
        names.pods_service(name, role),
        {
            "clusterIP": "None",
            "selector": selector,
            "ports": [{**port, "port": served.container_port}],
        },
    )


def _service(resource: ShadowDeployment, role: Role, name: str, spec: dict[str, Any]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": objects.metadata(resource, role, name),
        "spec": spec,
    }


def comparator_service(resource: ShadowDeployment, *, receives: bool) -> Manifest:
    """Build the Service that copies are sent to.

    It leads nowhere unless it `receives`: a mirror that is not ours can't be switched off, so its
    copies are kept out here.
    """
    selector = names.selector(resource.name, Role.COMPARATOR)
    return objects.stamped(
        _comparator_service(resource, selector if receives else {**selector, **_NOBODY})
    )


def lets_copies_in(manifest: Manifest) -> bool:
    """Whether this is the Service that copies are sent to, and it receives them."""
    chosen = manifest.get("spec", {}).get("selector") or {}
    return manifest["kind"] == "Service" and chosen.get(LABEL_ROLE) == Role.COMPARATOR


_NOBODY: Final[Mapping[str, str]] = {LABEL_ROLE: "nobody"}
"""Selects no pod."""


def _comparator_service(resource: ShadowDeployment, selector: Mapping[str, str]) -> Manifest:
    return _service(
        resource,
        Role.COMPARATOR,
        names.child(resource.name, Role.COMPARATOR),
        {
            "selector": dict(selector),
            "ports": [
                {"name": "copies", "port": names.COPIES_PORT, "targetPort": "copies"},
                {"name": "admin", "port": names.ADMIN_PORT, "targetPort": "admin"},
            ],
        },
    )


def _comparator(
    resource: ShadowDeployment, settings: Settings, config: ComparatorConfig
) -> Iterable[Manifest]:
    name = names.child(resource.name, Role.COMPARATOR)
    meta = objects.metadata(resource, Role.COMPARATOR, name)
    selector = names.selector(resource.name, Role.COMPARATOR)
    yield {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": meta,
        "data": {CONFIG_FILE: config.model_dump_json()},
    }
    yield _comparator_service(resource, selector)
    yield {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": meta,
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector}},
    }
    yield {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "replicas": COMPARATOR_REPLICAS,
            "revisionHistoryLimit": 2,
            # Copies sent while no comparator listens are lost: the new ones come first.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {
                    "labels": names.labels(resource.name, Role.COMPARATOR),
                    "annotations": dict(objects.NO_INJECTION),
                },
                "spec": _comparator_pod(name, selector, settings, config.epoch),
            },
        },
    }


def _comparator_pod(
    name: str, selector: Mapping[str, str], settings: Settings, epoch: str
) -> dict[str, Any]:
    """Build the pod; the epoch is part of it, so that a new epoch starts with empty counts."""
    return {
        **objects.own_pod(settings),
        # After SIGTERM the last counts are served until they are scraped, for 25 s at most.
        "terminationGracePeriodSeconds": 30,
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": dict(selector)},
            }
        ],
        "containers": [
            {
                "name": "comparator",
                "image": settings.operator_image,
                "imagePullPolicy": settings.image_pull_policy,
                "args": ["comparator", "--config", f"{CONFIG_FOLDER}/{CONFIG_FILE}"],
                "env": [
                    _from_field("POD_NAME", "metadata.name"),
                    _from_field("POD_UID", "metadata.uid"),
                    {"name": "EPOCH", "value": epoch},
                ],
                "ports": [
                    {"name": "copies", "containerPort": names.COPIES_PORT},
                    {"name": "admin", "containerPort": names.ADMIN_PORT},
                ],
                # On a busy node Python needs its time; a restart would only take it again.
                "startupProbe": {
                    "httpGet": {"path": "/healthz", "port": "admin"},
                    "periodSeconds": 1,
                    "failureThreshold": 120,
                },
                "readinessProbe": {
                    "httpGet": {"path": "/readyz", "port": "admin"},
                    "periodSeconds": 2,
                },
                "livenessProbe": {
                    "httpGet": {"path": "/healthz", "port": "admin"},
                    "periodSeconds": 10,
                    "timeoutSeconds": 5,
                },
                "resources": {
                    "requests": {"cpu": "100m", "memory": "128Mi"},
                    "limits": {"memory": "512Mi"},
                },
                "securityContext": dict(objects.CONTAINER_SECURITY),
                "volumeMounts": [{"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True}],
            }
        ],
        "volumes": [{"name": "config", "configMap": {"name": name}}],
    }


def _from_field(variable: str, path: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _path_matches(rules: Iterable[SpecPathRule]) -> tuple[PathMatch, ...]:
    return tuple(
        PathMatch(value=rule.path, prefix=rule.match is PathMatchType.PREFIX) for rule in rules
    )


def _per_pod(limit: int | None) -> int | None:
    """Share a limit over the comparators, rounded up: a limit of one would else stop them all."""
    return None if limit is None else -(-limit // COMPARATOR_REPLICAS)


def _stamped(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    return tuple(map(objects.stamped, manifests))
