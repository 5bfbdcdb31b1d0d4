"""Commands that read: status, health, validate, verify."""

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from shadow_operator.api.enums import GateName, GateResult, HealthState, RequestedPhase
from shadow_operator.api.reasons import ConditionStatus, ConditionType, Reason
from shadow_operator.api.status import Condition, Gate, Status
from shadow_operator.cli.commands.samples import sample_lines
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.target import Output, Target, command
from shadow_operator.cli.text import MARKS, NO, NOT_ASKED, UNKNOWN, YES, mark

if TYPE_CHECKING:
    from shadow_operator.api.resource import ShadowDeployment


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "status", example="hal9-migrate status")(status)
    command(app, "health", example="hal9-migrate health --system shadow")(health)
    command(app, "validate", example="hal9-migrate validate --phase shadow")(validate)
    command(app, "verify", example="hal9-migrate verify --tests shadow-comparison --report")(verify)


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
    yield from (f"{_sign(one)} {one.type}: {one.message}" for one in seen.conditions)
    if wide:
        yield ""
        yield from map(_gate_line, seen.gates)
    if seen.verdict:
        yield ""
        yield f"Verdict: {seen.verdict.decision} ({seen.verdict.reason}): {seen.verdict.message}"
    if seen.next_step:
        yield f"Next: {seen.next_step}"


def _print_whole(target: Target) -> None:
    body = target.body()
    if target.form is Output.JSON:
        print(json.dumps(body, indent=2))
    elif target.form is Output.NAME:
        print(f"shadowdeployment.hal9.ai/{body['metadata']['name']}")
    else:
        import yaml  # noqa: PLC0415 - only this form needs it

        print(yaml.safe_dump(body, sort_keys=False), end="")


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


def _sign(condition: Condition) -> str:
    if condition.reason == Reason.NOT_REQUESTED:
        return mark(NOT_ASKED)
    if condition.type in {ConditionType.RECONCILING, ConditionType.STALLED}:
        return mark(NO)
    return mark(MARKS[condition.status])


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
    states = {HealthState.HEALTHY: YES, HealthState.UNHEALTHY: NO, HealthState.DISABLED: NOT_ASKED}
    for name, state, message in members:
        said = f": {message}" if message else ""
        print(f"{mark(states.get(state, UNKNOWN))} {name} {state}{said}")
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
    signs = []
    for kind, text in GREENS.items():
        condition = seen.condition(kind)
        sign = _plain_sign(condition)
        signs.append(sign)
        why = "" if sign == YES else f" ({condition.message if condition else 'not observed yet'})"
        print(f"{mark(sign)} {text}{why}")
    if NO in signs:
        raise typer.Exit(Exit.NO)
    if UNKNOWN in signs:
        raise typer.Exit(Exit.UNKNOWN)


def _plain_sign(condition: Condition | None) -> str:
    if condition is None:
        return UNKNOWN
    asked = condition.reason != Reason.NOT_REQUESTED
    return MARKS[condition.status] if asked else NOT_ASKED


# verify


class Test(StrEnum):
    """Questions of the runbook's validation phase."""

    COMPARISON = "shadow-comparison"
    LATENCY = "latency-comparison"
    ERRORS = "error-analysis"


_GATES: Final = {
    Test.COMPARISON: (
        GateName.CRITICAL_DIFFERENCES,
        GateName.MATCH_RATE,
        GateName.JUDGED_SHARE,
        GateName.UNPROVEN,
        GateName.MINIMUM_PAIRS,
    ),
    Test.LATENCY: (GateName.LATENCY_P50, GateName.LATENCY_P99, GateName.TIMEOUTS),
    Test.ERRORS: (GateName.SHADOW_ERRORS, GateName.TIMEOUTS),
}


def verify(  # noqa: PLR0917 - each is an option of the command line
    target: Target,
    tests: Annotated[Test, typer.Option(help="Which question.")],
    report: Annotated[bool, typer.Option(help="Show every gate, not only its own.")] = False,
    verbose: Annotated[
        bool, typer.Option(help="Name the places that differ, and the latest requests.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10, help="How many of them.")] = 10,
    output: Annotated[str | None, typer.Option("--output", help="Write to a file as well.")] = None,
) -> None:
    """Answer one question of the runbook from the gates that decide it."""
    resource = target.read()
    seen = resource.status
    wanted = _GATES[tests]
    gates = [gate for gate in seen.gates if report or gate.name in wanted]
    if not gates:
        raise CliError(Exit.UNKNOWN, "Nothing was judged yet; see: kubectl shadow status")
    lines = [_gate_line(gate) for gate in gates]
    if verbose or tests is Test.COMPARISON:
        lines += _differences(seen, limit)
    if verbose and tests is Test.COMPARISON:
        lines += sample_lines(target, resource, limit)
    for line in lines:
        print(line)
    if output:
        _write(output, lines)
    results = {gate.result for gate in gates if gate.name in wanted}
    if GateResult.FAILED in results:
        raise typer.Exit(Exit.NO)
    if results & {GateResult.INCONCLUSIVE, GateResult.ERROR}:
        raise typer.Exit(Exit.UNKNOWN)


def _gate_line(gate: Gate) -> str:
    wanted = f" ({gate.threshold})" if gate.threshold else ""
    numbers = f" {gate.observed}{wanted}" if gate.observed else ""
    return f"{mark(MARKS[gate.result])} {gate.name}{numbers}: {gate.message}"


def _differences(seen: Status, limit: int) -> list[str]:
    found = seen.comparison.top_differences[:limit] if seen.comparison else ()
    return [
        f"  {one.route} {one.path} {one.kind} in {one.count} pairs"
        + (" (critical)" if one.critical else "")
        + (f": excused by {one.excused_by}" if one.excused_by else "")
        for one in found
    ]


def _write(path: str, lines: list[str]) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - a path as typed
            file.write("\n".join(lines) + "\n")
    except OSError as error:
        raise CliError(Exit.USAGE, f"{path} can't be written: {error.strerror}") from error
