"""Commands before the first shadow: init writes a resource, preflight says what is in its way."""

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from shadow_operator.api.enums import CheckResult
from shadow_operator.cli.commands.files import File
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.target import Output, Target, command
from shadow_operator.cli.text import NO, NOT_ASKED, UNKNOWN, YES, mark

if TYPE_CHECKING:
    from shadow_operator.cli.reads import Reads
    from shadow_operator.core.planning.outlook import Finding

Manifest = dict[str, Any]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    example = "kubectl shadow init --deployment hal9-server --service hal9-service --image hal9:new"
    command(app, "init", example=f"{example} > shadow.yaml")(init)
    command(app, "preflight", example="kubectl shadow preflight -f shadow.yaml")(preflight)


# init


def init(
    target: Target,
    deployment: Annotated[str, typer.Option(help="The Deployment that serves production.")],
    service: Annotated[str, typer.Option(help="The Service that leads to it.")],
    image: Annotated[str, typer.Option(help="Image of the new version.")],
) -> None:
    """Print a ShadowDeployment for a workload, with comments, ready for Git.

    It has phase: None, so that applying it changes nothing. Nothing is written to the cluster.
    """
    from shadow_operator.cli import drafting  # noqa: PLC0415 - takes its time
    from shadow_operator.cli.reads import Reads  # noqa: PLC0415

    reads, namespace = Reads(target.access), target.access.namespace
    workload = drafting.Workload(
        namespace=namespace,
        deployment=_there(reads, namespace, ("apps/v1", "Deployment", deployment)),
        service=_there(reads, namespace, ("v1", "Service", service)),
        image=image,
    )
    print(drafting.resource(workload, target.name or drafting.name_for(deployment)), end="")


def _there(reads: "Reads", namespace: str, ref: tuple[str, str, str]) -> Manifest:
    from shadow_operator.core.snapshot import Found, Missing, ObjectRef  # noqa: PLC0415

    item = reads.get(ObjectRef(*ref), namespace)
    if isinstance(item, Found):
        return dict(item.value)
    if isinstance(item, Missing):
        raise CliError(
            Exit.USAGE,
            f"There is no {ref[1]} {ref[2]} in namespace {namespace}; see: "
            f"kubectl -n {namespace} get deployments,services",
        )
    raise CliError(Exit.UNKNOWN, f"{ref[1]} {ref[2]} could not be read: {item.reason}.")


# preflight


def preflight(
    target: Target,
    filename: File,
    requests_per_second: Annotated[
        float | None,
        typer.Option(min=0.0, help="Requests of production, where nothing was recorded yet."),
    ] = None,
) -> None:
    """Say what would be in the way of a shadow; nothing is changed.

    ✓ is well, ✗ has to be changed first, ? is for you to look at, and a dash only says something.
    """
    from shadow_operator.cli import manifests, offline  # noqa: PLC0415 - takes its time

    manifest = manifests.only_resource(filename)
    if problems := offline.refusals(manifest):
        for problem in problems:
            print(f"{mark(NO)} {problem}")
        raise typer.Exit(Exit.NO)
    found = _look(target.inside(manifest), manifest, requests_per_second)
    if target.form is Output.JSON:
        print(json.dumps([_plain(one) for one in found], indent=2, ensure_ascii=False))
    else:
        for one in found:
            print(f"{mark(_SIGNS[one.result])} {one.name}: {one.message}")
    results = {one.result for one in found}
    if CheckResult.FAILED in results:
        raise typer.Exit(Exit.NO)
    if CheckResult.UNKNOWN in results:
        raise typer.Exit(Exit.UNKNOWN)


_SIGNS: Final = {
    CheckResult.PASSED: YES,
    CheckResult.FAILED: NO,
    CheckResult.UNKNOWN: UNKNOWN,
    None: NOT_ASKED,
}


def _plain(finding: "Finding") -> dict[str, str | None]:
    return {"name": finding.name, "result": finding.result, "message": finding.message}


def _look(target: Target, manifest: Manifest, rate: float | None) -> tuple["Finding", ...]:
    from shadow_operator.api.resource import ShadowDeployment  # noqa: PLC0415
    from shadow_operator.cli import reads  # noqa: PLC0415
    from shadow_operator.core.planning.outlook import Look  # noqa: PLC0415
    from shadow_operator.core.planning.preflight import findings  # noqa: PLC0415

    name, namespace = manifest["metadata"]["name"], target.access.namespace
    live = next((one for one in target.access.list() if one["metadata"]["name"] == name), {})
    body = {
        **manifest,
        "metadata": {"namespace": namespace, **(live.get("metadata") or manifest["metadata"])},
        "status": live.get("status") or {},
    }
    resource, now = ShadowDeployment.parse(body), time.time()
    snapshot, around = reads.snapshot(reads.Reads(target.access), resource, body, now)
    around = replace(around, requests_per_second=rate)
    return findings(Look.at(snapshot, resource, around, now))
