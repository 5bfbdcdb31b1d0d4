"""Which container of production answers, and on which port."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from shadow_operator.api.spec import Spec
from shadow_operator.core.deploying.selectors import matches_labels
from shadow_operator.core.errors import CannotClone
from shadow_operator.core.snapshot import Manifest


@dataclass(frozen=True, slots=True)
class Serving:
    """How production's requests come in."""

    container: str
    """Name of the container to clone and to give the new image."""
    container_port: int
    """Port on the pod's address that answers in a clone."""
    service_port: int
    """Port of production's Service."""
    app_protocol: str = ""
    """`appProtocol` of the Service's port."""
    note: str = ""
    """What was assumed, if anything."""


def serving(deployment: Manifest, service: Manifest, spec: Spec) -> Serving:
    """Find the container behind the Service's port; raise `CannotClone` where there is none.

    As in kube-proxy's world a named target port is the first container port of that name; the
    number of a target port needs no declaration.
    """
    _require_same_pods(deployment, service)
    port = _service_port(service, spec.production_ref.port_name)
    pod = deployment["spec"]["template"]["spec"]
    behind = _behind(pod, port, service["metadata"]["name"])
    chosen = spec.clones.container_name
    if chosen is None and behind.container not in _names(pod.get("containers", ())):
        raise CannotClone(
            f"The port {_port_text(port)} of Service {service['metadata']['name']} leads to "
            f"{behind.container or 'no container that declares it'}; set clones.containerName to "
            f"the container that runs the new version: {_listed(pod.get('containers', ()))}."
        )
    if chosen is None or chosen == behind.container:
        return behind
    return _of_chosen(pod, chosen, behind, spec)


def metrics_port(deployment: Manifest, served: Serving) -> int:
    """Give the port on which a clone tells its metrics: the one named so, else the serving one."""
    containers = deployment["spec"]["template"]["spec"].get("containers", ())
    cloned = [container for container in containers if container["name"] == served.container]
    named = (
        port["containerPort"]
        for _, port in _tcp_ports(cloned)
        if port.get("name") in {"metrics", "http-metrics"}
    )
    return next(named, served.container_port)


def _require_same_pods(deployment: Manifest, service: Manifest) -> None:
    name = service["metadata"]["name"]
    wanted = service["spec"].get("selector")
    if service["spec"].get("type") == "ExternalName" or not wanted:
        raise CannotClone(
            f"Service {name} selects no pods; name the Service that leads to Deployment "
            f"{deployment['metadata']['name']} in productionRef.serviceName."
        )
    labels = deployment["spec"]["template"].get("metadata", {}).get("labels") or {}
    if not matches_labels(wanted, labels):
        raise CannotClone(
            f"Service {name} does not select the pods of Deployment "
            f"{deployment['metadata']['name']}; name a Service and a Deployment of the same pods "
            "in productionRef."
        )


def _service_port(service: Manifest, name: str | None) -> Manifest:
    ports = service["spec"].get("ports") or ()
    named = [port for port in ports if name is None or port.get("name") == name]
    if not named:
        known = ", ".join(str(port.get("name") or port["port"]) for port in ports) or "none"
        raise CannotClone(
            f"Service {service['metadata']['name']} has no port"
            f"{f' named {name}' if name else ''}; its ports are: {known}."
        )
    port: Manifest = named[0]
    if port.get("protocol", "TCP") != "TCP":
        raise CannotClone(
            f"The port {_port_text(port)} of Service {service['metadata']['name']} speaks "
            f"{port['protocol']}; only HTTP over TCP can be mirrored: set productionRef.portName."
        )
    return port


def _behind(pod: Manifest, port: Manifest, service: str) -> Serving:
    """Find the container and number of the target port; the container may stay unknown."""
    target = port.get("targetPort", port["port"])
    found = [
        (container["name"], declared["containerPort"])
        for container, declared in _tcp_ports(_serving_containers(pod))
        if target in (declared["containerPort"], declared.get("name"))
    ]
    if not found and isinstance(target, str):
        raise CannotClone(
            f"The port {_port_text(port)} of Service {service} leads to a container port named "
            f"{target}, and no container of production's Deployment has one."
        )
    containers = pod.get("containers", ())
    if not found:
        only = containers[0]["name"] if len(containers) == 1 else ""
        found = [(only, int(target))]
    name, number = found[0]
    return Serving(name, number, port["port"], port.get("appProtocol", ""))


def _of_chosen(pod: Manifest, chosen: str, behind: Serving, spec: Spec) -> Serving:
    """Give the serving port where a person named another container than the one behind it."""
    containers = {container["name"]: container for container in pod.get("containers", ())}
    if chosen not in containers:
        raise CannotClone(
            f"clones.containerName is {chosen}, and production's containers are "
            f"{_listed(containers.values())}."
        )
    if not behind.container or behind.container in spec.clones.keep_containers:
        return Serving(chosen, behind.container_port, behind.service_port, behind.app_protocol)
    ports = [port["containerPort"] for _, port in _tcp_ports([containers[chosen]])]
    if len(ports) != 1:
        raise CannotClone(
            f"The Service leads to container {behind.container}, which is not cloned, and "
            f"container {chosen} declares {len(ports)} ports; list {behind.container} in "
            "clones.keepContainers."
        )
    return Serving(
        chosen,
        ports[0],
        behind.service_port,
        behind.app_protocol,
        f"clones are called on port {ports[0]} of container {chosen}, without the container "
        f"{behind.container} in front of it",
    )


def _serving_containers(pod: Manifest) -> Iterator[Manifest]:
    yield from pod.get("containers", ())
    for container in pod.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            yield container


def _tcp_ports(containers: Iterable[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    for container in containers:
        for port in container.get("ports") or ():
            if port.get("protocol", "TCP") == "TCP":
                yield container, port


def _port_text(port: Manifest) -> str:
    return str(port.get("name") or port["port"])


def _names(containers: Iterable[Any]) -> tuple[str, ...]:
    return tuple(container["name"] for container in containers)


def _listed(containers: Iterable[Any]) -> str:
    return ", ".join(_names(containers))
