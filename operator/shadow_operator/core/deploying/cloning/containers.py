"""Which containers are cloned, with which of their fields."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from shadow_operator.api.enums import SelfTest
from shadow_operator.api.names import Role
from shadow_operator.core.deploying.cloning.draft import Draft, Notes, only, set_or_drop, unique
from shadow_operator.core.deploying.reference import pullable
from shadow_operator.core.errors import CannotClone


def leave_out_other_containers(draft: Draft) -> Notes:
    """Only the container that answers, and those that the spec names."""
    spec = draft.resource.spec.clones
    wanted = {draft.serving.container, *spec.keep_containers}
    known = {c["name"] for kind in _CONTAINER_LISTS for c in draft.pod.get(kind) or ()}
    if missing := sorted(wanted - known):
        raise CannotClone(
            f"clones.keepContainers names {', '.join(missing)}, and production's containers are "
            f"{', '.join(sorted(known))}."
        )
    for kind, word in _CONTAINER_LISTS.items():
        containers = draft.pod.get(kind) or []
        left_out = [c for c in containers if c["name"] not in wanted]
        draft.left_out_ports |= _ports(left_out)
        set_or_drop(draft.pod, kind, [c for c in containers if c["name"] in wanted])
        for container in left_out:
            yield f"{word} {container['name']} is left out"
    draft.left_out_ports -= _ports(draft.containers) | {draft.serving.container_port}


_CONTAINER_LISTS: Final = {"initContainers": "init container", "containers": "container"}


def copy_known_container_fields(draft: Draft) -> Notes:
    for container in draft.containers:
        for field in sorted(container.keys() - _CONTAINER_FIELDS):
            if container.pop(field) and field in _CONTAINER_FIELDS_MISSED:
                yield f"{field} of container {container['name']} is left out"


_CONTAINER_FIELDS: Final = frozenset(
    {
        "args",
        "command",
        "env",
        "envFrom",
        "image",
        "imagePullPolicy",
        "livenessProbe",
        "name",
        "ports",
        "readinessProbe",
        "resizePolicy",
        "resources",
        "restartPolicy",
        "securityContext",
        "startupProbe",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "volumeMounts",
        "workingDir",
    }
)
_CONTAINER_FIELDS_MISSED: Final = frozenset({"lifecycle", "volumeDevices"})


def run_the_right_image(draft: Draft) -> Notes:
    """Run the new version in the shadow, and what production's pods really run in the reference."""
    container = draft.container
    if draft.role is Role.SHADOW and draft.resource.spec.self_test is SelfTest.DISABLED:
        container["image"] = draft.resource.spec.shadow.image
    elif image := pullable(draft.running_image, container["image"]):
        container["image"] = image
    return ()


def open_no_host_port(draft: Draft) -> Notes:
    """Drop host ports; name each port's number in probes, since a second name of it goes."""
    for container in draft.containers:
        ports = container.get("ports") or ()
        if any(port.get("hostPort") for port in ports):
            yield f"host ports of container {container['name']} are left out"
        numbers = {port["name"]: port["containerPort"] for port in ports if port.get("name")}
        for _, action in _actions(container):
            action["port"] = numbers.get(action["port"], action["port"])
        kept = [only(port, {"containerPort", "name", "protocol"}) for port in ports]
        set_or_drop(container, "ports", unique(kept, "containerPort", "protocol"))


def probe_only_what_is_cloned(draft: Draft) -> Notes:
    """Drop a probe that asks a container that is left out: the clone would never be ready."""
    for container in draft.containers:
        for probe, action in list(_actions(container)):
            if action.pop("host", None):
                yield f"{probe} of container {container['name']} asks the pod's own address"
            if action["port"] in draft.left_out_ports:
                del container[probe]
                yield (
                    f"{probe} of container {container['name']} is left out: it asks another "
                    f"container (port {action['port']})"
                )


def _actions(container: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the name of each probe over the network, and what it does."""
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        for action in (container.get(probe) or {}).values():
            if isinstance(action, dict) and "port" in action:
                yield probe, action


def _ports(containers: Iterable[dict[str, Any]]) -> set[int]:
    return {port["containerPort"] for c in containers for port in c.get("ports") or ()}
