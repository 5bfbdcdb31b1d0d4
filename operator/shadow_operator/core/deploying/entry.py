"""The stable entry: the Service `<name>-mirror`, which users point their ingress at.

It leads to Envoys in front of production, or straight to production's own pods. It has no owner and
is never deleted. What it looks like when it leads straight to production is kept on it, so that it
can be led back when production's Service is gone, and by hand when the operator is (README.md).
"""

from typing import Any, Final

import orjson

from shadow_operator.api.names import GROUP, Role
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core import names
from shadow_operator.core.deploying.objects import stamped
from shadow_operator.core.errors import CannotMirror
from shadow_operator.core.snapshot import Manifest, ObjectRef

ANNOTATION_LEAD_BACK: Final = f"{GROUP}/lead-back"
"""On the entry: the JSON patch (RFC 6902) that leads it straight to production."""
ANNOTATION_UID: Final = f"{GROUP}/uid"
"""On what has no owner: uid of the resource that it was made for."""


def reference(name: str) -> ObjectRef:
    """Give the reference of the entry of a resource."""
    return ObjectRef("v1", "Service", names.child(name, Role.MIRROR))


def manifest(resource: ShadowDeployment, service: Manifest, *, through_envoy: bool) -> Manifest:
    """Build the entry: production's ports, leading to production or to Envoy.

    `service` is production's. `through_envoy` asks for Envoys that are all available with their
    newest configuration. Both states go in one write, and a connection that is open goes on where
    it is. Raise `CannotMirror` where no entry can stand for the Service.
    """
    return _manifest(resource, straight(service), through_envoy=through_envoy)


def led_back(resource: ShadowDeployment, live: Manifest) -> Manifest | None:
    """Build the entry that leads to production as it was last known; None where nothing is."""
    known = remembered(live)
    return _manifest(resource, known, through_envoy=False) if known else None


def straight(service: Manifest) -> dict[str, Any]:
    """Give the spec of an entry that leads to production as its own Service does.

    Raise `CannotMirror` where no entry can stand for the Service.
    """
    require_pods(service)
    spec = service["spec"]
    return {
        "selector": dict(spec["selector"]),
        "ports": [_port(port, port.get("targetPort", port["port"])) for port in spec["ports"]],
        "sessionAffinity": spec.get("sessionAffinity", "None"),
        "internalTrafficPolicy": spec.get("internalTrafficPolicy", "Cluster"),
        **{field: spec[field] for field in _KEPT if field in spec},
    }


_OF_PODS: Final = ("sessionAffinityConfig", "publishNotReadyAddresses")
"""Says how to choose among production's pods, not among Envoys."""
_KEPT: Final = ("ipFamilies", "ipFamilyPolicy", "trafficDistribution", *_OF_PODS)


def remembered(live: Manifest) -> dict[str, Any] | None:
    """Give the spec that leads this entry straight to production; None where it is not known."""
    try:
        patch = orjson.loads(live["metadata"]["annotations"][ANNOTATION_LEAD_BACK])
        spec = {step["path"].removeprefix(_SPEC): step["value"] for step in patch}
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return spec if spec.get("selector") and spec.get("ports") else None


_SPEC: Final = "/spec/"


def require_pods(service: Manifest) -> None:
    """Raise `CannotMirror` where the Service leads to no pods, or on no port."""
    spec, name = service["spec"], service["metadata"]["name"]
    if spec.get("type") == "ExternalName" or not spec.get("selector"):
        raise CannotMirror(
            f"Service {name} selects no pods, so no entry can stand for it; name the Service that "
            "leads to production's pods in productionRef.serviceName."
        )
    if not spec.get("ports"):
        raise CannotMirror(
            f"Service {name} has no ports, so no entry can stand for it; give it the port that "
            "clients use."
        )


def port_name(number: int) -> str:
    """Name a container port, so that old and new Envoys may number their listeners differently."""
    return f"port-{number}"


def metadata(resource: ShadowDeployment) -> dict[str, Any]:
    """Give the metadata of what stands in production's path: it has no owner.

    The garbage collector would remove it while clients still come through it.
    """
    return {
        "name": names.child(resource.name, Role.MIRROR),
        "namespace": resource.namespace,
        "labels": names.labels(resource.name, Role.MIRROR),
        "annotations": {ANNOTATION_UID: resource.metadata.uid},
    }


def _manifest(
    resource: ShadowDeployment, known: dict[str, Any], *, through_envoy: bool
) -> Manifest:
    steps = [{"op": "add", "path": _SPEC + field, "value": known[field]} for field in known]
    meta = metadata(resource)
    patch = orjson.dumps(steps, option=orjson.OPT_SORT_KEYS).decode()
    return stamped(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                **meta,
                "annotations": {**meta["annotations"], ANNOTATION_LEAD_BACK: patch},
            },
            "spec": {
                "type": "ClusterIP",
                **(_to_envoys(resource.name, known) if through_envoy else known),
            },
        }
    )


def _to_envoys(name: str, known: dict[str, Any]) -> dict[str, Any]:
    return {
        **{field: value for field, value in known.items() if field not in _OF_PODS},
        "selector": names.selector(name, Role.MIRROR),
        "ports": [_port(port, port_name(port["port"])) for port in known["ports"]],
    }


def _port(port: Manifest, target: int | str) -> dict[str, Any]:
    kept = ("name", "port", "protocol", "appProtocol")
    return {**{field: port[field] for field in kept if field in port}, "targetPort": target}
