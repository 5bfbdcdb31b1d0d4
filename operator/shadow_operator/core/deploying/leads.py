"""What leads requests to a Service: Ingress, HTTPRoute and VirtualService."""

from collections.abc import Iterator
from typing import Any

from shadow_operator.core.snapshot import Manifest


def named(manifest: Manifest) -> str:
    """Name it as people do: `Ingress shop`."""
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def leads_to(manifest: Manifest, service: str) -> bool:
    """Whether it sends requests to this Service of its own namespace."""
    namespace = manifest["metadata"].get("namespace", "")
    short = (service, f"{service}.{namespace}", f"{service}.{namespace}.svc")
    return any(one in short or one.startswith(f"{short[-1]}.") for one in _to(manifest))


def _to(manifest: Manifest) -> Iterator[str]:
    spec: dict[str, Any] = manifest.get("spec") or {}
    match manifest["kind"]:
        case "Ingress":
            yield from _backends(spec)
        case "HTTPRoute":
            for rule in spec.get("rules") or ():
                for one in rule.get("backendRefs") or ():
                    own = manifest["metadata"].get("namespace")
                    if one.get("kind", "Service") == "Service" and one.get("namespace", own) == own:
                        yield str(one.get("name", ""))
        case "VirtualService":
            for route in spec.get("http") or ():
                for one in route.get("route") or ():
                    yield str((one.get("destination") or {}).get("host", ""))


def _backends(spec: dict[str, Any]) -> Iterator[str]:
    backends = [spec.get("defaultBackend") or {}]
    for rule in spec.get("rules") or ():
        paths = (rule.get("http") or {}).get("paths") or ()
        backends += [path.get("backend") or {} for path in paths]
    yield from (str((one.get("service") or {}).get("name", "")) for one in backends)
