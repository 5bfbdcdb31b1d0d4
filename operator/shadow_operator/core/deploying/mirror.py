"""What provider `Envoy` puts into the cluster: the Envoys behind the stable entry (`entry`)."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import quote

import orjson

from shadow_operator.api.names import GROUP, Role
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core import names
from shadow_operator.core.deploying import entry, envoy
from shadow_operator.core.deploying.envoy_http import Config
from shadow_operator.core.deploying.objects import (
    CONTAINER_SECURITY,
    NO_INJECTION,
    fingerprint,
    own_pod,
    stamped,
)
from shadow_operator.core.deploying.policies import DNS
from shadow_operator.core.errors import CannotMirror
from shadow_operator.core.snapshot import Manifest, ObjectRef, Settings

REPLICAS: Final = 2
FIRST_LISTENER: Final = 10_000
"""Envoy has no right to listen below 1024."""

SETTLE_SECONDS: Final = 10
"""How long a stopping Envoy serves at least: until every node sends new connections elsewhere."""
DRAIN_SECONDS: Final = 3600
"""How long a stopping Envoy waits for held requests, streams and WebSockets to end."""

CONFIG_FOLDER: Final = "/etc/envoy"


def references(name: str) -> tuple[ObjectRef, ...]:
    """Give every object of the mirror that `down` takes away: all but the entry Service."""
    mirror = names.child(name, Role.MIRROR)
    return (
        ObjectRef("apps/v1", "Deployment", mirror),
        ObjectRef("v1", "ConfigMap", mirror),
        ObjectRef("policy/v1", "PodDisruptionBudget", mirror),
        ObjectRef("networking.k8s.io/v1", "NetworkPolicy", mirror),
    )


def upstream(
    resource: ShadowDeployment, service: Manifest, deployment: Manifest, domain: str
) -> envoy.Upstream:
    """Give production's address; raise `CannotMirror` where Envoy can't stand in front of it."""
    entry.require_pods(service)
    _require_transparent(service)
    mirrored = _mirrored_port(service, resource.spec.production_ref.port_name)
    spec, name = service["spec"], service["metadata"]["name"]
    headless = spec["clusterIP"] == "None"
    return envoy.Upstream(
        address=f"{name}.{resource.namespace}.svc.{domain}." if headless else spec["clusterIP"],
        resolve=headless,
        ports=tuple(
            envoy.Port(
                number=port["port"],
                listener=FIRST_LISTENER + index,
                upstream=_pod_port(port, deployment) if headless else port["port"],
                mirrored=port["port"] == mirrored,
            )
            for index, port in enumerate(spec["ports"])
        ),
    )


_OTHER_PROVIDER: Final = "use mirror.provider: External and copy requests where clients come in"


def _require_transparent(service: Manifest) -> None:
    """Refuse what would reach other pods through Envoy than without it."""
    spec, name = service["spec"], service["metadata"]["name"]
    if spec.get("sessionAffinity", "None") != "None":
        raise CannotMirror(
            f"Service {name} has sessionAffinity: {spec['sessionAffinity']}, and through Envoy all "
            f"clients would have one address and share a pod; {_OTHER_PROVIDER}."
        )
    if spec.get("internalTrafficPolicy", "Cluster") != "Cluster":
        raise CannotMirror(
            f"Service {name} has internalTrafficPolicy: {spec['internalTrafficPolicy']}, and "
            f"Envoy's nodes may have no pod of production; {_OTHER_PROVIDER}."
        )
    for port in spec["ports"]:
        if port.get("protocol", "TCP") != "TCP":
            raise CannotMirror(
                f"Port {port['port']} of Service {name} is {port['protocol']}, which the entry "
                f"can't pass on; {_OTHER_PROVIDER}."
            )


_NOT_HTTP: Final = frozenset({"https", "tls", "tcp", "kubernetes.io/wss"})
"""Values of `appProtocol` whose bytes Envoy can't read as requests."""


def _mirrored_port(service: Manifest, wanted: str | None) -> int:
    name = service["metadata"]["name"]
    for port in service["spec"]["ports"]:
        if wanted in {None, port.get("name")}:
            if port.get("appProtocol", "").lower() in _NOT_HTTP:
                raise CannotMirror(
                    f"Port {port['port']} of Service {name} speaks {port['appProtocol']}, and only "
                    "plain HTTP can be mirrored; set productionRef.portName to such a port."
                )
            return int(port["port"])
    raise CannotMirror(f"Service {name} has no port named {wanted}; set productionRef.portName.")


def _pod_port(port: Manifest, deployment: Manifest) -> int:
    """Give the number of a target port on the pods; a headless Service maps no ports."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        for declared in container.get("ports") or ():
            if declared.get("name") == target:
                return int(declared["containerPort"])
    raise CannotMirror(
        f"Port {port['port']} of production's Service leads to a container port named {target}, "
        "and no container of production's Deployment has one."
    )


def manifests(
    resource: ShadowDeployment, service: Manifest, deployment: Manifest, settings: Settings
) -> tuple[Manifest, ...]:
    """Build everything of the mirror but its entry; `references` names the same.

    `service` and `deployment` are production's as the API server has them. Raise `CannotMirror`
    where Envoy can't stand in front of them.
    """
    production = upstream(resource, service, deployment, settings.cluster_domain)
    comparator = names.child(resource.name, Role.COMPARATOR)
    configs = {
        process.name: envoy.bootstrap(
            resource.spec.mirror,
            production,
            comparator=(
                f"{comparator}.{resource.namespace}.svc.{settings.cluster_domain}.",
                names.COPIES_PORT,
            ),
            max_body_bytes=resource.spec.comparison.max_body_bytes,
            templates=resource.spec.effective_routes,
            bind="::" if "IPv6" in service["spec"].get("ipFamilies", ()) else "0.0.0.0",  # noqa: S104  # a pod listens on all its addresses
            admin_port=process.admin_port,
            control_port=process.control_port,
        )
        for process in envoy.PROCESSES
    }
    return tuple(
        stamped(manifest)
        for manifest in (
            _config_map(resource, configs),
            _deployment(resource, settings, production, fingerprint(configs)),
            _disruption_budget(resource),
            _network_policy(resource, service, settings, production.ports),
        )
    )


def network_policy(
    resource: ShadowDeployment, service: Manifest, deployment: Manifest, settings: Settings
) -> Manifest:
    """Build the policy of the Envoys alone; raise as `manifests` does."""
    production = upstream(resource, service, deployment, settings.cluster_domain)
    return stamped(_network_policy(resource, service, settings, production.ports))


def in_front_of(envoys: Manifest, production: envoy.Upstream) -> bool:
    """Whether this Deployment of Envoys was made for production as it is now."""
    annotations = envoys["metadata"].get("annotations") or {}
    return bool(annotations.get(_ANNOTATION_UPSTREAM) == fingerprint(asdict(production)))


def _config_file(process: str) -> str:
    return f"{process}.json"


def _config_map(resource: ShadowDeployment, configs: Mapping[str, Config]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": entry.metadata(resource),
        "data": {
            _config_file(process): orjson.dumps(config, option=orjson.OPT_INDENT_2).decode()
            for process, config in configs.items()
        },
    }


def _deployment(
    resource: ShadowDeployment, settings: Settings, production: envoy.Upstream, config: str
) -> Manifest:
    selector, meta = names.selector(resource.name, Role.MIRROR), entry.metadata(resource)
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            **meta,
            "annotations": {
                **meta["annotations"],
                _ANNOTATION_UPSTREAM: fingerprint(asdict(production)),
            },
        },
        "spec": {
            "replicas": REPLICAS,
            "revisionHistoryLimit": 2,
            "selector": {"matchLabels": selector},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": {
                "metadata": {
                    "labels": names.labels(resource.name, Role.MIRROR),
                    "annotations": {**NO_INJECTION, _ANNOTATION_CONFIG: config},
                },
                "spec": {
                    **own_pod(settings),
                    "terminationGracePeriodSeconds": DRAIN_SECONDS,
                    "topologySpreadConstraints": [spread],
                    "containers": [
                        _container(settings, process, () if index else production.ports)
                        for index, process in enumerate(envoy.PROCESSES)
                    ],
                    "volumes": [
                        {
                            "name": "config",
                            "configMap": {"name": names.child(resource.name, Role.MIRROR)},
                        }
                    ],
                },
            },
        },
    }


_ANNOTATION_CONFIG: Final = f"{GROUP}/config"
"""On Envoy's pods: hash of their configuration, so that a new one starts new pods."""
_ANNOTATION_UPSTREAM: Final = f"{GROUP}/upstream"
"""On Envoy's Deployment: hash of where production was when it was made."""


def _container(
    settings: Settings, process: envoy.Process, ports: Iterable[envoy.Port]
) -> dict[str, Any]:
    """Build one of the containers; `ports` are the shared ones, which need one declaration."""
    control = {"containerPort": process.control_port, "name": f"control-{process.control_port}"}
    return {
        "name": process.name,
        "image": settings.envoy_image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": ["envoy"],
        "args": [
            *("--config-path", f"{CONFIG_FOLDER}/{_config_file(process.name)}"),
            *("--concurrency", "1"),
            *("--log-level", "warning"),
            "--disable-hot-restart",
        ],
        "ports": [
            *(
                {"containerPort": port.listener, "name": entry.port_name(port.number)}
                for port in ports
            ),
            control,
        ],
        # Ready for its first request once production can be reached from here: a network policy
        # that keeps Envoy out must not become an outage.
        "startupProbe": _probe(process, envoy.REACHABLE_PATH, failures=150),
        "readinessProbe": _probe(process, envoy.READY_PATH, failures=2),
        # No liveness probe: nothing that a restart mends is worth the requests that it costs.
        "lifecycle": {
            "preStop": {"exec": {"command": ["bash", "-c", drain_script(process.admin_port)]}}
        },
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            # No CPU limit, since throttling would slow production.
            "limits": {"memory": "1Gi"},
        },
        "securityContext": dict(CONTAINER_SECURITY),
        "volumeMounts": [{"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True}],
    }


def _probe(process: envoy.Process, path: str, *, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": process.control_port},
        "periodSeconds": 2,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }


def drain_script(admin_port: int = envoy.ADMIN_PORT, settle_seconds: int = SETTLE_SECONDS) -> str:
    """Give the bash script that makes Envoy ask its clients to go, and waits until they have.

    On SIGTERM alone Envoy exits at once and drops every request that it holds. The script needs
    nothing but bash and coreutils, which Envoy's own image has.
    """
    active = f"/stats?filter={quote(envoy.ACTIVE, safe='')}"
    return f"""
admin() {{
  exec 3<>/dev/tcp/127.0.0.1/{admin_port} || exit 0
  printf '%s %s HTTP/1.1\\r\\nHost: envoy\\r\\nConnection: close\\r\\n\\r\\n' "$1" "$2" >&3
  timeout 5 cat <&3
}}
admin POST /healthcheck/fail >/dev/null
sleep {settle_seconds}
while active=$(admin GET '{active}') && [[ $active =~ ': '[1-9] ]]; do sleep 1; done
"""


def _disruption_budget(resource: ShadowDeployment) -> Manifest:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": entry.metadata(resource),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": names.selector(resource.name, Role.MIRROR)},
        },
    }


def _network_policy(
    resource: ShadowDeployment,
    service: Manifest,
    settings: Settings,
    ports: Iterable[envoy.Port],
) -> Manifest:
    operator = {
        "namespaceSelector": {
            "matchLabels": {"kubernetes.io/metadata.name": settings.operator_namespace}
        },
        "podSelector": {"matchLabels": dict(settings.operator_labels)},
    }
    comparators = {"matchLabels": names.selector(resource.name, Role.COMPARATOR)}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": entry.metadata(resource),
        "spec": {
            "podSelector": {"matchLabels": names.selector(resource.name, Role.MIRROR)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"ports": [_policy_port(port.listener) for port in ports]},
                {"from": [operator], "ports": [_policy_port(port) for port in envoy.CONTROL_PORTS]},
            ],
            "egress": [
                {"to": [{"podSelector": {"matchLabels": dict(service["spec"]["selector"])}}]},
                {"to": [{"podSelector": comparators}], "ports": [_policy_port(names.COPIES_PORT)]},
                dict(DNS),
            ],
        },
    }


def _policy_port(port: int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": port}
