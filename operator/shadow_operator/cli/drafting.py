"""A commented ShadowDeployment, from what stands in the cluster."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from shadow_operator.api.errors import InvalidSpec
from shadow_operator.api.names import API_VERSION, KIND, NAME_MAX_LENGTH, Role
from shadow_operator.api.presets import HAL9
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.reads import SETTINGS
from shadow_operator.core.deploying import cloning
from shadow_operator.core.deploying.serving import serving
from shadow_operator.core.errors import CannotClone
from shadow_operator.core.judging.load import LARGEST_LOAD
from shadow_operator.core.planning.preflight import remedy

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Workload:
    """What is to be shadowed."""

    namespace: str
    deployment: Manifest
    service: Manifest
    image: str

    @property
    def pod(self) -> Manifest:
        """Production's pod."""
        pod: Manifest = self.deployment["spec"]["template"]["spec"]
        return pod

    @property
    def replicas(self) -> int:
        """Pods of production."""
        return int(self.deployment["spec"].get("replicas", 1))

    @property
    def looks_like_hal9(self) -> bool:
        """Whether the service is HAL9: its image, its labels or its environment say so."""
        template = self.deployment["spec"]["template"]
        labels = ((template.get("metadata") or {}).get("labels") or {}).values()
        containers = self.pod["containers"]
        images = [str(c.get("image", "")).rpartition("/")[2] for c in containers]
        variables = [one["name"] for c in containers for one in c.get("env") or ()]
        return any(re.match(r"hal9\b", word) for word in (*labels, *images)) or any(
            name.startswith("HAL9_") for name in variables
        )


_ENDINGS: Final = ("-server", "-deployment", "-app", "-api")


def name_for(deployment: str) -> str:
    """Make the name of a resource from that of a Deployment: `hal9` of `hal9-server`."""
    ending = next((end for end in _ENDINGS if deployment.endswith(end)), "")
    plain = re.sub(r"[^a-z0-9-]+", "-", deployment.removesuffix(ending).lower()).lstrip(
        "-0123456789"
    )
    return plain[:NAME_MAX_LENGTH].rstrip("-") or "shadow"


def resource(workload: Workload, name: str) -> str:
    """Write it with `phase: None`; comments say what was found, and which field changes it."""
    port = _port(workload.service)
    spec: Manifest = {
        "productionRef": {
            "deploymentName": workload.deployment["metadata"]["name"],
            "serviceName": workload.service["metadata"]["name"],
            **({"portName": port["name"]} if port.get("name") else {}),
        },
        "shadow": {"image": workload.image},
    }
    lines = [
        *_head(workload, name),
        "spec:",
        "  phase: None # Shadow starts it",
        "  samplingPercent: 100 # of the requests that can be compared",
        *_preset(workload),
        *_production(workload, spec),
        "  shadow:",
        f"    image: {_scalar(workload.image)}",
        *_clones(workload, name, spec),
        "  mirror:",
        "    methods: [GET, HEAD] # others repeat writes in the clones",
        "    # Credentials that clones may have; without them such requests prove nothing.",
        "    # forwardHeaders: [Authorization]",
        "  soakSeconds: 86400",
        "  approval: NotRequired # Required: a person has to approve as well",
    ]
    return "\n".join(lines) + "\n"


def _head(workload: Workload, name: str) -> Iterator[str]:
    deployment, service = (
        workload.deployment["metadata"]["name"],
        workload.service["metadata"]["name"],
    )
    yield f"# A shadow of Deployment {deployment} behind Service {service}. Applied as it is, it"
    yield "# changes nothing. Before that:  kubectl shadow preflight -f FILE"
    yield f"apiVersion: {API_VERSION}"
    yield f"kind: {KIND}"
    yield "metadata:"
    yield f"  name: {_scalar(name)}"
    yield f"  namespace: {_scalar(workload.namespace)}"


def _preset(workload: Workload) -> Iterator[str]:
    if workload.looks_like_hal9:
        yield "  # It looks like HAL9. A layer that is not listed is switched off in the shadow."
        yield "  preset: HAL9"
        yield f"  layers: [{', '.join(HAL9.layers)}]"


def _port(service: Manifest) -> Manifest:
    """Give the port that requests come by: the first that can speak HTTP."""
    ports = service["spec"].get("ports") or ()
    return next((port for port in ports if port.get("protocol", "TCP") == "TCP"), {})


def _production(workload: Workload, spec: Manifest) -> Iterator[str]:
    yield "  productionRef: # read, never changed"
    for field, value in spec["productionRef"].items():
        yield f"    {field}: {_scalar(value)}"
    ports = workload.service["spec"].get("ports") or ()
    others = [
        str(port.get("name") or port["port"]) for port in ports if port != _port(workload.service)
    ]
    if others:
        yield f"    # Other ports pass without a mirror: {', '.join(others)}."


def _clones(workload: Workload, name: str, spec: Manifest) -> Iterator[str]:
    metadata = {"name": name, "namespace": workload.namespace}
    try:
        wanted = ShadowDeployment.parse({"metadata": metadata, "spec": spec})
    except InvalidSpec as error:
        raise CliError(Exit.USAGE, str(error)) from error
    yield "  clones: # the same for the shadow and for the reference"
    notes: tuple[str, ...] = ()
    try:
        served = serving(workload.deployment, workload.service, wanted.spec)
        notes = cloning.clone(
            workload.deployment, workload.service, wanted, Role.SHADOW, SETTINGS
        ).notes
    except CannotClone as error:
        yield f"    # To be settled first: {error}"
    else:
        container = _scalar(served.container)
        yield f"    containerName: {container} # it answers on port {served.container_port}"
    replicas = max(2, ceil(workload.replicas / LARGEST_LOAD))
    yield f"    replicas: {replicas} # production has {workload.replicas}"
    yield from _variables(workload)
    yield "    egress: Deny # all but DNS and what egressTo names, such as a copy of the database"
    if notes:
        yield "    # What the clones do not have of production's pods:"
    yield from (f"    # - {note}{remedy(note)}" for note in notes)


def _variables(workload: Workload) -> Iterator[str]:
    """Name the variables that come from Secrets; the clones get them unless they are listed."""
    names = [
        one["name"]
        for container in workload.pod["containers"]
        for one in container.get("env") or ()
        if "secretKeyRef" in (one.get("valueFrom") or {})
    ]
    if names:
        yield "    # From Secrets; the clones get them unless they stand here:"
        yield f"    # omitSecretEnv: [{', '.join(map(_scalar, dict.fromkeys(names)))}]"


_PLAIN: Final = re.compile(r"[A-Za-z][-A-Za-z0-9_./@]*(:[-A-Za-z0-9_./@]+)*")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def _scalar(text: str) -> str:
    """Write a string so that YAML reads it as one."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else json.dumps(text)
