"""Commands that say how it stands: status, health, validate."""

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from shadow_operator.api.enums import HealthState, RequestedPhase
from shadow_operator.api.reasons import ConditionStatus, ConditionType
from shadow_operator.api.status import Status
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.target import Output, Target, command
from shadow_operator.cli.text import MARKS, NO, UNKNOWN, YES, gate_line, mark, show, sign_of

if TYPE_CHECKING:
    from shadow_operator.api.resource import ShadowDeployment


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "status", example="hal9-migrate status")(status)
    command(app, "health", example="hal9-migrate health --system shadow")(health)
    command(app, "validate", example="hal9-migrate validate --phase shadow")(validate)


# status


def status(target: Target) -> None:
    """Say where the migration stands: phase, progress of the soak, health, verdict, next step."""
    if target.form not in {Output.TEXT, Output.WIDE}:
        _print_whole(target)
        return
    resource = target.read()
    for line in status_lines(resource, wide=target.form is Output.WIDE):
        print(line)


def status_lines(resource: "ShadowDeployment", *, wide: bool = False) -> Iterable[str]:
    """Give the lines of `status`; the first ones are those that the runbook quotes."""
    seen = resource.status
    phase = resource.spec.phase.value.lower()
    yield f"Current Phase: {phase}"
    if resource.spec.phase is RequestedPhase.SHADOW:
        yield f"Migration Phase: {phase}"
    yield f"Migration Progress: {_progress(seen)}%"
    yield f"Health Status: {_health(seen)}"
    yield ""
    yield from (f"{mark(sign_of(one))} {one.type}: {one.message}" for one in seen.conditions)
    if wide:
        yield ""
        yield from map(gate_line, seen.gates)
    if seen.verdict:
        yield ""
        yield f"Verdict: {seen.verdict.decision} ({seen.verdict.reason}): {seen.verdict.message}"
    if seen.next_step:
        yield f"Next: {seen.next_step}"


def _print_whole(target: Target) -> None:
    body = target.body()
    if target.form is Output.NAME:
        print(f"shadowdeployment.hal9.ai/{body['metadata']['name']}")
    else:
        show(target.form, body)


def _progress(seen: Status) -> int:
    soak = seen.soak
    return min(100, 100 * soak.elapsed_seconds // soak.required_seconds) if soak else 0


def _health(seen: Status) -> str:
    ready = seen.condition(ConditionType.READY)
    if ready is None:
        return f"{mark(UNKNOWN)} Unknown: the operator has not looked at it yet"
    if ready.status is ConditionStatus.TRUE:
        return f"{mark(YES)} Healthy"
    return f"{mark(MARKS[ready.status])} {ready.reason}: {ready.message}"


# health


class System(StrEnum):
    """Whose health."""

    SHADOW = "shadow"


def health(
    target: Target,
    system: Annotated[System, typer.Option(help="Whose health.")] = System.SHADOW,
) -> None:
    """Show the layers and workloads of the shadow; exit status 1 where one is unhealthy."""
    resource = target.read()
    found = resource.status.health
    if found is None or not (found.layers or found.workloads):
        raise CliError(Exit.UNKNOWN, f"Nothing of {system} runs; see: kubectl shadow status")
    members = [
        *((layer.name, layer.state, layer.message) for layer in found.layers),
        *((workload.name, workload.state, workload.message) for workload in found.workloads),
    ]
    if target.form in {Output.JSON, Output.YAML}:
        show(target.form, found.model_dump(mode="json", by_alias=True, exclude_none=True))
    else:
        for name, state, message in members:
            said = f": {message}" if message else ""
            print(f"{mark(MARKS[state])} {name} {state}{said}")
    known = {state for _, state, _ in members}
    if HealthState.UNHEALTHY in known:
        raise typer.Exit(Exit.NO)
    if HealthState.UNKNOWN in known:
        raise typer.Exit(Exit.UNKNOWN)


# validate

GREENS: Final = {
    ConditionType.MIRRORING_ACTIVE: "Traffic mirroring active",
    ConditionType.RESPONSES_MATCH: "Response comparison passing",
    ConditionType.RESOURCES_ACCEPTABLE: "Resource usage acceptable",
    ConditionType.PRODUCTION_UNAFFECTED: "No production impact",
    ConditionType.LEARNING_ACTIVE: "Learning system active",
}
"""The runbook's five lines."""


class Phase(StrEnum):
    """What is validated."""

    SHADOW = "shadow"


def validate(
    target: Target,
    phase: Annotated[Phase, typer.Option(help="Which phase.")] = Phase.SHADOW,
) -> None:
    """Check the runbook's five greens, each with its reason where it is not green.

    A dash says that it was not asked for, a question mark that it is not known yet.
    """
    seen = target.read().status
    conditions = {kind: seen.condition(kind) for kind in GREENS}
    signs = {kind: sign_of(condition) for kind, condition in conditions.items()}
    if target.form in {Output.JSON, Output.YAML}:
        found = (condition for condition in conditions.values() if condition)
        show(target.form, [one.model_dump(mode="json", by_alias=True) for one in found])
    else:
        for kind, condition in conditions.items():
            said = condition.message if condition else "not observed yet"
            why = "" if signs[kind] == YES else f" ({said})"
            print(f"{mark(signs[kind])} {GREENS[kind]}{why}")
    _end(set(signs.values()))


def _end(signs: set[str]) -> None:
    if NO in signs:
        raise typer.Exit(Exit.NO)
    if UNKNOWN in signs:
        raise typer.Exit(Exit.UNKNOWN)
