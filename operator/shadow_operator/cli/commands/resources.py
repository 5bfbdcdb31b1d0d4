"""Commands about what runs: room for a shadow, what pods use, neurons, learning."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from shadow_operator.api.enums import CheckResult, GateName, HealthState
from shadow_operator.api.reasons import ConditionType
from shadow_operator.api.status import Check, Status
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.target import Output, Target, command
from shadow_operator.cli.text import NO, NOT_ASKED, UNKNOWN, YES, layer_line, mark, show, sign_of
from shadow_operator.core.wording import cpu, memory

if TYPE_CHECKING:
    from shadow_operator.api.resource import ShadowDeployment


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "resources", example="hal9-cli resources --check-shadow-capacity")(resources)
    command(app, "neurons", example="hal9-cli neurons --status --hierarchical")(neurons)
    command(app, "learning", example="hal9-cli learning --metrics --hierarchical")(learning)


# resources


def resources(
    target: Target,
    check_shadow_capacity: Annotated[
        bool, typer.Option("--check-shadow-capacity", help="Is there room for a shadow?")
    ] = False,
) -> None:
    """Show what production and the clones use, or whether there is room for a shadow.

    Room is what nodes can give less what they use: now, while nothing is shadowed, else as it was
    before the first copy. Exit status 1 where it is too little, 3 where it is not known.
    """
    resource = target.read()
    if check_shadow_capacity:
        _capacity(target, resource)
    else:
        _use(target, resource.status)


def _capacity(target: Target, resource: "ShadowDeployment") -> None:
    check = next((c for c in resource.status.preflight if c.name == GateName.HEADROOM), None)
    if target.form in {Output.JSON, Output.YAML}:
        show(target.form, check.model_dump(mode="json", by_alias=True) if check else None)
    elif check is not None:
        for line in capacity_lines(resource, check):
            print(line)
    if check is None:
        raise CliError(
            Exit.UNKNOWN, "The operator has not looked for room yet; see: kubectl shadow status"
        )
    _end_with(check.result)


def capacity_lines(resource: "ShadowDeployment", check: Check) -> Iterable[str]:
    """Give the runbook's three lines, and what else is known."""
    gate = resource.spec.gates.headroom
    free = (check.observed or "").split("/")
    names = ("CPU Headroom", "Memory Headroom", "Network Capacity")
    least = (gate.min_cpu_percent, gate.min_memory_percent, gate.min_network_percent)
    for number, (name, wanted) in enumerate(zip(names, least, strict=True)):
        have = free[number].strip("?") if number < len(free) else ""
        yield f"{name}: {_amount(have, wanted)}"
    yield check.message


def _amount(have: str, wanted: int) -> str:
    if not have:
        return f"{mark(UNKNOWN)} not known (must be > {wanted}%)"
    if float(have.rstrip("%")) > wanted:
        return f"> {wanted}% {mark(YES)} ({have} is free)"
    return f"{have} {mark(NO)} (must be > {wanted}%)"


def _end_with(result: CheckResult) -> None:
    if result is CheckResult.FAILED:
        raise typer.Exit(Exit.NO)
    if result is CheckResult.UNKNOWN:
        raise typer.Exit(Exit.UNKNOWN)


def _use(target: Target, seen: Status) -> None:
    used = seen.resources
    if used is None:
        raise CliError(
            Exit.UNKNOWN, "What pods use was not measured yet; see: kubectl shadow status"
        )
    if target.form in {Output.JSON, Output.YAML}:
        show(target.form, used.model_dump(mode="json", by_alias=True, exclude_none=True))
        return
    for role in used.roles:
        amounts = (
            "use is not known"
            if role.cpu_millicores is None or role.memory_bytes is None
            else f"{cpu(role.cpu_millicores)} and {memory(role.memory_bytes)} each"
        )
        print(f"{role.name}: {role.pods} pods, {amounts}, {role.restarts} restarts")
    if used.message:
        print(used.message)


# neurons


Hierarchical = Annotated[
    bool, typer.Option("--hierarchical", help="Of the new system; there is no other here.")
]


def neurons(
    target: Target,
    status: Annotated[bool, typer.Option("--status", help="How each layer stands.")] = False,
    hierarchical: Hierarchical = False,
) -> None:
    """Show the layers of the new system and their active neurons.

    Exit status 1 where a layer is unhealthy, 3 where that is not known.
    """
    resource = target.read()
    layers = resource.status.health.layers if resource.status.health else ()
    if not layers:
        why = "no layers are asked for" if not resource.spec.layers else "no shadow runs"
        raise CliError(Exit.UNKNOWN, f"There are no layers to show: {why}.")
    if target.form in {Output.JSON, Output.YAML}:
        show(target.form, [one.model_dump(mode="json", by_alias=True) for one in layers])
    else:
        for layer in layers:
            print(layer_line(layer))
    states = {layer.state for layer in layers}
    if HealthState.UNHEALTHY in states:
        raise typer.Exit(Exit.NO)
    if HealthState.UNKNOWN in states:
        raise typer.Exit(Exit.UNKNOWN)


# learning


def learning(
    target: Target,
    metrics: Annotated[bool, typer.Option("--metrics", help="Cycles, error, trend.")] = False,
    hierarchical: Hierarchical = False,
) -> None:
    """Show how the new system learns, as a trend with its interval.

    Exit status 1 where it was asked to learn and does not, 3 where that is not known.
    """
    seen = target.read().status
    condition = seen.condition(ConditionType.LEARNING_ACTIVE)
    sign = sign_of(condition)
    if target.form in {Output.JSON, Output.YAML}:
        found = seen.learning
        show(target.form, found.model_dump(mode="json", by_alias=True) if found else None)
    else:
        print(f"{mark(sign)} {_learned(seen)}")
    if sign == NO:
        raise typer.Exit(Exit.NO)
    if sign in {UNKNOWN, NOT_ASKED}:
        raise typer.Exit(Exit.UNKNOWN)


def _learned(seen: Status) -> str:
    condition = seen.condition(ConditionType.LEARNING_ACTIVE)
    if sign_of(condition) == NOT_ASKED:
        return (
            "Learning is not asked for; switch it on in the shadow alone: "
            "hal9-migrate feature enable hierarchical_learning --shadow-only"
        )
    if seen.learning and seen.learning.message:
        return seen.learning.message
    return condition.message if condition else "Not observed yet."
