"""Commands for pipelines: wait for the verdict, or apply a file and follow it to its verdict."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from shadow_operator.api.enums import Decision, RequestedPhase, SoakState
from shadow_operator.api.reasons import ConditionType, VerdictReason
from shadow_operator.api.status import Status
from shadow_operator.cli import waiting
from shadow_operator.cli.commands.files import File
from shadow_operator.cli.durations import duration
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.target import Target, command

if TYPE_CHECKING:
    from shadow_operator.api.resource import ShadowDeployment

TWO_HOURS: Final = 7200
Timeout = Annotated[int | None, duration("How long at most (default 2h).")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "wait", example="kubectl shadow wait --for verdict --timeout 2h")(wait)
    command(app, "run", example="kubectl shadow run -f shadow.yaml --timeout 2h")(run)


class What(StrEnum):
    """What can be waited for."""

    VERDICT = "verdict"


def wait(
    target: Target,
    what: Annotated[What, typer.Option("--for", help="What to wait for.")] = What.VERDICT,
    timeout: Timeout = None,
) -> None:
    """Wait for a final verdict; exit status 0 for ProceedToCanary, 1 for Investigate, else 3."""
    limit = timeout or TWO_HOURS
    _conclude(_awaited(target, limit), f"No {what} after {limit} s")


def run(
    target: Target,
    filename: File,
    timeout: Timeout = None,
    force: Annotated[
        bool, typer.Option("--force-conflicts", help="Take over fields that others have set.")
    ] = False,
) -> None:
    """Apply a ShadowDeployment, follow it, and end with its verdict.

    Exit status 0 for ProceedToCanary, 1 for Investigate, 3 for ExtendShadow or when time is over.
    What was applied stays.
    """
    from shadow_operator.cli import manifests  # noqa: PLC0415 - takes its time

    manifest = manifests.only_resource(filename)
    if (manifest.get("spec") or {}).get("phase", RequestedPhase.NONE) == RequestedPhase.NONE:
        raise CliError(Exit.USAGE, f"{filename} has phase: None, so there would be no verdict.")
    there = replace(target.inside(manifest), name=manifest["metadata"].get("name"))
    resource = there.apply(manifest, force=force)
    print(f"{resource.namespace}/{resource.name} is applied")
    limit = timeout or TWO_HOURS
    _conclude(_awaited(there, limit, tell=True), f"No verdict after {limit} s")


def _awaited(target: Target, timeout: int, *, tell: bool = False) -> "ShadowDeployment":
    """Give the resource once its verdict is final, nothing can come of it, or time is over.

    What the operator says of an earlier generation does not count.
    """
    said, until = "", time.monotonic() + timeout
    while True:
        resource = target.read()
        seen = resource.status
        observed = _is_observed(resource)
        line = " ".join(_progress(seen)) if observed else ""
        if tell and line not in {"", said}:
            print(f"{datetime.now(UTC):%H:%M:%S} {line}", flush=True)
            said = line
        over = time.monotonic() > until
        if over or (observed and (is_final(seen) or _stalled(seen))):
            return resource
        time.sleep(waiting.POLL_SECONDS)


def _is_observed(resource: "ShadowDeployment") -> bool:
    return (resource.status.observed_generation or 0) >= resource.metadata.generation


def _progress(seen: Status) -> Iterator[str]:
    """Give the words of a line of progress: what a person would look at first."""
    yield f"{seen.phase}:"
    if columns := seen.summary:
        for name in ("soak", "match", "mirror"):
            if value := getattr(columns, name):
                yield f"{name} {value}"
        if columns.blocked_by:
            yield f"blocked by {columns.blocked_by}"
    # What counts up is in the columns; a sentence with its numbers would be new at every look.
    verdict = seen.verdict
    if verdict and verdict.decision is not Decision.EXTEND_SHADOW:
        yield verdict.decision
    elif not verdict and seen.message:
        yield seen.message


def is_final(seen: Status) -> bool:
    """Whether more evidence would not be waited for, also where copies go on (afterVerdict)."""
    verdict, soak = seen.verdict, seen.soak
    if verdict is None:
        return False
    soaked = soak is not None and soak.state is SoakState.COMPLETE
    return (
        (seen.phase is not None and seen.phase.value == "Completed")
        or verdict.decision is Decision.PROCEED_TO_CANARY
        or verdict.reason == VerdictReason.MAX_DURATION_REACHED
        or (verdict.decision is Decision.INVESTIGATE and soaked)
    )


def _stalled(seen: Status) -> str:
    """Say what only a person can change; empty where nothing is."""
    stalled = seen.condition(ConditionType.STALLED)
    return stalled.message if stalled else ""


_EXITS: Final = {
    Decision.PROCEED_TO_CANARY: Exit.GREEN,
    Decision.INVESTIGATE: Exit.NO,
    Decision.EXTEND_SHADOW: Exit.UNKNOWN,
}


def _conclude(resource: "ShadowDeployment", late: str) -> None:
    seen = resource.status
    if _is_observed(resource) and is_final(seen) and seen.verdict:
        print(f"{seen.verdict.decision}: {seen.verdict.message}")
        raise typer.Exit(_EXITS[seen.verdict.decision])
    if _is_observed(resource) and (stalled := _stalled(seen)):
        raise CliError(Exit.UNKNOWN, f"{stalled} Next: {seen.next_step or 'see status'}")
    raise CliError(Exit.UNKNOWN, f"{late}: {seen.message or 'nothing observed'}")
