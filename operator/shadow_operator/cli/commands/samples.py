"""Mismatch samples: which requests differed, as the comparators remember them.

They are read from each comparator pod through the API server, with the user's own rights. A sample
has no value of a request or an answer: enough to find the request in one's own logs.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from shadow_operator.api.names import LABEL_ROLE, LABEL_SHADOW, Role
from shadow_operator.cli.errors import CliError
from shadow_operator.cli.target import Target

if TYPE_CHECKING:
    from shadow_operator.api.evidence import Mismatch, Mismatches
    from shadow_operator.api.resource import ShadowDeployment
    from shadow_operator.cli.access import Access, Manifest

WHAT = "get pods/proxy"
"""The right that it takes."""


def sample_lines(target: Target, resource: "ShadowDeployment", limit: int) -> list[str]:
    """Give the latest samples, newest first, as lines; and why there are none, or not all."""
    found, silent = read(target.access, resource.name, limit)
    lines = list(chain.from_iterable(map(lines_of, found[:limit])))
    if not (found or silent):
        lines = ["  No pair that differed is remembered."]
    head = f"Samples, newest first (none of a value; at most {limit}):"
    return [head, *lines, *(f"  Not known: {why}" for why in silent)]


def read(access: "Access", name: str, limit: int) -> "tuple[list[Mismatch], list[str]]":
    """Ask every comparator for its latest `limit`; gives them newest first, and what failed."""
    found: list[Mismatch] = []
    silent: list[str] = []
    try:
        pods = access.pods(f"{LABEL_SHADOW}={name},{LABEL_ROLE}={Role.COMPARATOR}")
    except CliError as error:
        return [], [str(error)]
    for pod in pods:
        if "deletionTimestamp" in pod["metadata"]:
            continue  # it may not answer any more
        try:
            found += _of(access, pod, limit).samples
        except CliError as error:
            silent.append(f"{pod['metadata']['name']}: {error}")
    return sorted(found, key=lambda one: -one.sample.time), silent


def _of(access: "Access", pod: "Manifest", limit: int) -> "Mismatches":
    from pydantic import ValidationError  # noqa: PLC0415

    from shadow_operator.api.evidence import Mismatches  # noqa: PLC0415
    from shadow_operator.cli.errors import Exit  # noqa: PLC0415

    where = f"/api/v1/namespaces/{access.namespace}/pods/{pod['metadata']['name']}"
    path = f"{where}:{_admin_port(pod)}/proxy/samples?limit={limit}"
    try:
        return Mismatches.model_validate_json(access.raw(path, WHAT))
    except ValidationError as error:
        raise CliError(Exit.UNKNOWN, "it is of another version") from error


def _admin_port(pod: "Manifest") -> int:
    ports = (port for one in pod["spec"]["containers"] for port in one.get("ports") or ())
    return next((int(port["containerPort"]) for port in ports if port.get("name") == "admin"), 0)


def lines_of(one: "Mismatch") -> Iterable[str]:
    """Give a sample as lines."""
    sample = one.sample
    when = datetime.fromtimestamp(sample.time, UTC)
    request = sample.request_id or "without a request id"
    yield f"  {when:%Y-%m-%d %H:%M:%S.%f}"[:-3] + f"Z {one.method} {one.template} {request}"
    yield (
        f"    shadow {sample.shadow_pod} {sample.shadow_status}, {sample.shadow_bytes} bytes; "
        f"reference {sample.reference_pod} {sample.reference_status}, "
        f"{sample.reference_bytes} bytes"
    )
    places = (f"{place.path} {place.kind} {place.detail}".rstrip() for place in one.places)
    yield f"    differs in {', '.join(places)} (as {one.pairs} pairs)"
