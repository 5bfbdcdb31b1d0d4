"""The runbook's questions, each answered by the gates that decide it."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from shadow_operator.api.enums import GateName, GateResult, Phase, SoakState
from shadow_operator.api.status import Gate, Status, TopDifference
from shadow_operator.cli import waiting
from shadow_operator.cli.commands.samples import sample_lines
from shadow_operator.cli.durations import duration as duration_option
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.target import Output, Target, command
from shadow_operator.cli.text import NO, UNKNOWN, YES, gate_line, mark, show, write
from shadow_operator.core.wording import count, percent
from shadow_operator.core.wording import duration as written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shadow_operator.api.resource import ShadowDeployment
    from shadow_operator.cli.evidence import Compared


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "verify", example="hal9-migrate verify --tests shadow-comparison --report")(verify)


class Test(StrEnum):
    """Questions of the runbook's validation phase."""

    COMPARISON = "shadow-comparison"
    LATENCY = "latency-comparison"
    ERRORS = "error-analysis"
    STABILITY = "stability"


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
    Test.STABILITY: (
        GateName.PRODUCTION_IMPACT,
        GateName.SHADOW_ERRORS,
        GateName.TIMEOUTS,
        GateName.LAYERS,
        GateName.RESOURCES,
        GateName.MEMORY_GROWTH,
        GateName.ALERTS,
    ),
}

STABLE_SECONDS: Final = 1800
"""What the runbook asks for."""


def verify(  # noqa: PLR0917 - each is an option of the command line
    target: Target,
    tests: Annotated[Test, typer.Option(help="Which question.")],
    duration: Annotated[
        int | None,
        duration_option("Look back so far; of stability (default 30m) the rest is waited for."),
    ] = None,
    report: Annotated[bool, typer.Option("--report", help="Show all gates.")] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", help="Name a rule for each difference, and the latest requests."),
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10, help="How many differences.")] = 10,
    output: Annotated[
        str | None, typer.Option("--output", metavar="FILE", help="Write to a file as well.")
    ] = None,
) -> None:
    """Answer one question of the runbook from the gates that decide it.

    Exit status 1 where one of them failed, 3 where one is not decided yet.
    """
    if tests is Test.STABILITY:
        resource = _wait_until_stable(target, duration or STABLE_SECONDS)
        lines = [f"{YES} {_standing(resource.status)}"]
    else:
        resource = target.read()
        lines = [_lately(target, resource, tests, duration)] if duration else []
    seen, wanted = resource.status, _GATES[tests]
    gates = [gate for gate in seen.gates if report or gate.name in wanted]
    if not gates:
        raise CliError(Exit.UNKNOWN, "Nothing was judged yet; see: kubectl shadow status")
    places = seen.comparison.top_differences[:limit] if seen.comparison else ()
    lines += [gate_line(gate, coloured=False) for gate in gates]
    if verbose or tests is Test.COMPARISON:
        lines += difference_lines(places, verbose=verbose)
    if verbose and tests is Test.COMPARISON:
        lines += sample_lines(target, resource, limit)
    if target.form in {Output.JSON, Output.YAML}:
        show(target.form, _plain(tests, gates, places))
    else:
        for line in lines:
            print(_coloured(line))
    if output:
        write(output, lines)
    _end(gate.result for gate in gates if gate.name in wanted)


def _end(results: Iterable[GateResult]) -> None:
    found = set(results)
    if GateResult.FAILED in found:
        raise typer.Exit(Exit.NO)
    if found & {GateResult.INCONCLUSIVE, GateResult.ERROR}:
        raise typer.Exit(Exit.UNKNOWN)


def _coloured(line: str) -> str:
    return mark(line[0]) + line[1:] if line[0] in {YES, NO, UNKNOWN} else line


def _plain(tests: Test, gates: Iterable[Gate], places: Iterable[TopDifference]) -> object:
    return {
        "test": tests.value,
        "gates": [_dumped(gate) for gate in gates],
        "differences": [_dumped(place) for place in places],
    }


def _dumped(model: Gate | TopDifference) -> object:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def difference_lines(places: Iterable[TopDifference], *, verbose: bool) -> list[str]:
    """Write where answers differ; with `verbose` also the rule that would excuse it."""
    lines: list[str] = []
    for one in places:
        lines.append(
            f"  {one.route} {one.path} {one.kind} in {one.count} pairs"
            + (" (critical)" if one.critical else "")
            + (f": excused by {one.excused_by}" if one.excused_by else "")
        )
        if verbose and one.proposal:
            lines.append("    If that is meant to be, below spec:")
            lines += [f"      {line}" for line in one.proposal.splitlines()]
    return lines


# --duration


def _lately(target: Target, resource: "ShadowDeployment", tests: Test, seconds: int) -> str:
    """Say what the last seconds showed; gates judge all of the epoch."""
    from shadow_operator.cli import evidence  # noqa: PLC0415 - `--help` needs none of it

    known = evidence.parse(target.access.evidence(resource.name), resource.name)
    since = datetime.now(UTC).timestamp() - seconds
    found = evidence.compared(known, resource.spec, since=since)
    if found is None:
        raise CliError(
            Exit.UNKNOWN,
            f"Nothing was compared in the last {written(seconds)}; see: kubectl shadow status",
        )
    return f"In the last {written(found.seconds)}: {_SAID[tests](found)}"


def _said_of_answers(found: "Compared") -> str:
    rate = percent(1 - found.mismatched / found.pairs) if found.pairs else "none"
    return (
        f"{count(found.pairs)} pairs, {rate} match, {found.mismatched:.0f} differ, "
        f"{count(found.unproven)} prove nothing"
    )


def _said_of_latency(found: "Compared") -> str:
    if not found.shadow.p99 or not found.reference.p99:
        return f"{count(found.pairs)} pairs, none was timed"
    parts = (
        f"{name} {mine:.1f} ms against {its:.1f} ms ({100 * (mine / its - 1):+.1f}%)"
        for name, mine, its in (
            ("p50", found.shadow.p50, found.reference.p50),
            ("p99", found.shadow.p99, found.reference.p99),
        )
    )
    return f"{count(found.pairs)} pairs, {', '.join(parts)}"


def _said_of_errors(found: "Compared") -> str:
    return (
        f"{count(found.answered)} requests, {count(found.shadow_errors)} errors and "
        f"{count(found.shadow_timeouts)} timeouts of the shadow, {count(found.reference_errors)} "
        f"and {count(found.reference_timeouts)} of the reference"
    )


_SAID: "Final[Mapping[Test, Callable[[Compared], str]]]" = {
    Test.COMPARISON: _said_of_answers,
    Test.LATENCY: _said_of_latency,
    Test.ERRORS: _said_of_errors,
}


# stability


def _wait_until_stable(target: Target, wanted: int) -> "ShadowDeployment":
    """Wait until the soak clock has run for so many seconds; a failure on the way ends it.

    The clock counts only time of which it is proved that copies were compared, and begins at zero
    where the shadow crashes or a gate fails.
    """
    first = resource = target.read()
    until = time.monotonic() + 2 * wanted + _PATIENCE
    with waiting.following(wanted) as tell:
        while _elapsed(resource) < wanted:
            seen = resource.status
            _check_that_it_goes_on(first.status, seen, wanted)
            if time.monotonic() > until:
                raise CliError(
                    Exit.UNKNOWN,
                    f"Not {written(wanted)} of stability in {written(2 * wanted + _PATIENCE)}: "
                    f"{_standing(seen)}",
                )
            tell(_elapsed(resource), _standing(seen))
            time.sleep(waiting.POLL_SECONDS)
            resource = target.read()
    return resource


_PATIENCE: Final = 600
"""Seconds that are waited for besides twice the time that is asked for."""
_OVER: Final = {Phase.IDLE, Phase.COMPLETED, Phase.ABORTED, Phase.TERMINATING}


def _elapsed(resource: "ShadowDeployment") -> int:
    return resource.status.soak.elapsed_seconds if resource.status.soak else 0


def _check_that_it_goes_on(first: Status, seen: Status, wanted: int) -> None:
    failed = [
        gate_line(gate, coloured=False)
        for gate in seen.gates
        if gate.name in _GATES[Test.STABILITY] and gate.result is GateResult.FAILED
    ]
    if failed:
        raise CliError(Exit.NO, failed[0])
    if first.soak and seen.soak and first.soak.last_restart != seen.soak.last_restart:
        why = seen.soak.last_restart_reason or "no reason given"
        raise CliError(Exit.NO, f"{NO} The soak began again: {why}")
    if seen.phase in _OVER or seen.soak is None:
        done = written(seen.soak.elapsed_seconds if seen.soak else 0)
        raise CliError(
            Exit.UNKNOWN,
            f"Nothing runs that could be stable for {written(wanted)} (there is {done}); start a "
            "shadow, with spec.soakSeconds at least so long: hal9-migrate migrate --phase shadow",
        )


def _standing(seen: Status) -> str:
    if seen.soak is None:
        return "nothing runs yet"
    stands = seen.soak.reason if seen.soak.state is SoakState.STOPPED else None
    said = f", stands: {stands}" if stands else ""
    return f"Stable for {written(seen.soak.elapsed_seconds)}{said}"
