"""Numbers over time, from what the operator recorded."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from shadow_operator.api.enums import GateName, HealthState
from shadow_operator.api.reasons import ConditionType
from shadow_operator.cli.durations import duration as duration_option
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.target import Output, Target, command
from shadow_operator.cli.text import MARKS, NO, UNKNOWN, gate_line, layer_line, mark, show, sign_of
from shadow_operator.core.wording import cpu, memory
from shadow_operator.core.wording import duration as written

if TYPE_CHECKING:
    from shadow_operator.api.resource import ShadowDeployment
    from shadow_operator.api.status import Status
    from shadow_operator.cli.evidence import Evidence, Ran, Used


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "metrics", example="hal9-migrate metrics --metric memory --duration 30m --graph")(
        metrics
    )


class What(StrEnum):
    """Words that may follow `metrics`."""

    BASELINE = "baseline"


class Metric(StrEnum):
    """Numbers that are recorded by role."""

    THROUGHPUT = "throughput"
    MEMORY = "memory"
    CPU = "cpu"


DEFAULT_SECONDS: Final = 600
"""What is looked back over where nothing is said."""


def metrics(  # noqa: PLR0917 - each is an option of the command line
    target: Target,
    what: Annotated[
        What | None, typer.Argument(help="`baseline`: production as it runs without copies.")
    ] = None,
    layer: Annotated[str | None, typer.Option(help="How a layer does, e.g. substrate.")] = None,
    metric: Annotated[Metric | None, typer.Option(help="One number, role by role.")] = None,
    production: Annotated[
        bool, typer.Option("--production", help="Production with copies and without.")
    ] = False,
    duration: Annotated[
        int | None, duration_option("Look back so far (default 10m); `baseline` waits for it.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Say whether the roles are alike.")
    ] = False,
    graph: Annotated[bool, typer.Option("--graph", help="Draw the course of memory or CPU.")] = (
        False
    ),
    save: Annotated[
        str | None, typer.Option("--save", metavar="FILE", help="Write the baseline as JSON.")
    ] = None,
) -> None:
    """Show numbers over time: the baseline, a layer, a metric, or production.

    They are what the operator recorded; only `baseline` waits for what is not recorded yet.
    Exit status 1 where they say no, 3 where nothing is recorded.
    """
    seconds = duration or DEFAULT_SECONDS
    asked = [what is not None, layer is not None, metric is not None, production]
    if sum(asked) != 1:
        raise CliError(
            Exit.USAGE,
            "Say one of: metrics baseline, --layer NAME, --metric throughput|memory|cpu, "
            "--production.",
        )
    if (save and what is None) or (graph and metric not in {Metric.MEMORY, Metric.CPU}):
        raise CliError(Exit.USAGE, "--save is for baseline, --graph for --metric memory or cpu.")
    if what is What.BASELINE:
        from shadow_operator.cli.baseline import baseline  # noqa: PLC0415 - only this needs it

        baseline(target, seconds, save)
    elif layer is not None:
        _layer(target, layer, seconds)
    elif production:
        _production(target, seconds)
    elif metric is Metric.THROUGHPUT:
        _throughput(target, seconds, compare=compare)
    else:
        _use(target, metric or Metric.MEMORY, seconds, compare=compare, graph=graph)


def _evidence(target: Target, resource: "ShadowDeployment") -> "Evidence":
    from shadow_operator.cli.evidence import parse  # noqa: PLC0415 - `--help` needs none of it

    return parse(target.access.evidence(resource.name), resource.name)


def _since(seconds: float) -> float:
    return datetime.now(UTC).timestamp() - seconds


def _nothing(what: str, seconds: int, why: str = "") -> CliError:
    because = f" ({why})" if why else ""
    return CliError(
        Exit.UNKNOWN,
        f"Nothing of {what} is recorded in the last {written(seconds)}{because}; "
        "see: kubectl shadow status",
    )


# Production


def _production(target: Target, seconds: int) -> None:
    from shadow_operator.cli import evidence  # noqa: PLC0415

    resource = target.read()
    known, since = _evidence(target, resource), _since(seconds)
    parts = {
        "with copies": evidence.production(known, since=since, copied=True),
        "without copies": evidence.production(known, since=since, copied=False),
    }
    found = {name: part for name, part in parts.items() if part}
    if target.form in {Output.JSON, Output.YAML}:
        show(target.form, {_KEYS[name]: _ran(part) for name, part in found.items()})
    elif found:
        print(f"{'production':<16}{'requests/s':>12}{'errors':>10}{'p50':>12}{'p99':>12}  in")
        for name, part in found.items():
            print(
                f"{name:<16}{part.rate:>12,.1f}{100 * part.error_rate:>9.2f}%"
                f"{_ms(part.p50):>12}{_ms(part.p99):>12}  {written(part.seconds)}"
            )
    if not found:
        raise _nothing(
            "production's requests",
            seconds,
            "they are seen where Envoy stands, or where a preset names its metrics",
        )
    _judge(resource.status, ConditionType.PRODUCTION_UNAFFECTED, target)


_KEYS: Final = {"with copies": "withCopies", "without copies": "withoutCopies"}


def _ms(value: float) -> str:
    return f"{value:.1f} ms" if value else "not timed"


def _ran(part: "Ran") -> dict[str, object]:
    return {
        "seconds": round(part.seconds),
        "requests": part.requests,
        "requestsPerSecond": round(part.rate, 2),
        "errors": part.errors,
        "p50Milliseconds": round(part.p50, 1),
        "p99Milliseconds": round(part.p99, 1),
    }


def _judge(seen: "Status", kind: ConditionType, target: Target) -> None:
    condition = seen.condition(kind)
    sign = sign_of(condition)
    if target.form not in {Output.JSON, Output.YAML}:
        print(f"{mark(sign)} {condition.message if condition else 'Not observed yet.'}")
    if sign == NO:
        raise typer.Exit(Exit.NO)
    if sign == UNKNOWN:
        raise typer.Exit(Exit.UNKNOWN)


def _gate(seen: "Status", name: GateName) -> None:
    """Print what a gate makes of it, and end with its answer."""
    gate = next((one for one in seen.gates if one.name is name), None)
    if gate is None:
        raise CliError(Exit.UNKNOWN, f"The gate {name} is not judged here.")
    print(gate_line(gate))
    if MARKS[gate.result] == NO:
        raise typer.Exit(Exit.NO)
    if MARKS[gate.result] == UNKNOWN:
        raise typer.Exit(Exit.UNKNOWN)


# Throughput


def _throughput(target: Target, seconds: int, *, compare: bool) -> None:
    from shadow_operator.cli import evidence  # noqa: PLC0415

    resource = target.read()
    rates = evidence.rates(_evidence(target, resource), resource.spec, since=_since(seconds))
    if not rates:
        raise _nothing("requests", seconds)
    if target.form in {Output.JSON, Output.YAML}:
        show(target.form, rates)
        return
    for role, rate in rates.items():
        print(f"{role:<12}{rate:>12,.1f} requests/s")
    if compare:
        print("messages, signals: not counted, since no name of such a metric is known")
        _gate(resource.status, GateName.THROUGHPUT)


# Memory and CPU


def _use(target: Target, metric: Metric, seconds: int, *, compare: bool, graph: bool) -> None:
    from shadow_operator.cli import evidence  # noqa: PLC0415

    resource = target.read()
    known = _evidence(target, resource)
    use = evidence.used(known, since=_since(seconds))
    if not use:
        raise _nothing("what pods use", seconds, evidence.without_metrics(known))
    if target.form in {Output.JSON, Output.YAML}:
        show(target.form, {role: _course(one, metric) for role, one in use.items()})
        return
    unit = memory if metric is Metric.MEMORY else cpu
    print(f"{'each pod of':<12}{'first':>12}{'now':>12}{'least':>12}{'most':>12}  in")
    for role, one in use.items():
        values = getattr(one, metric.value)
        cells = (values[0], values[-1], min(values), max(values))
        span = written(one.times[-1] - one.times[0])
        print(f"{role:<12}{''.join(f'{unit(cell):>12}' for cell in cells)}  {span}")
    if graph:
        from shadow_operator.cli.graph import draw  # noqa: PLC0415 - its library is only for this

        print(draw(use, metric.value))
    if compare or metric is Metric.MEMORY:
        _gate(
            resource.status,
            GateName.MEMORY_GROWTH if metric is Metric.MEMORY else GateName.RESOURCES,
        )


def _course(one: "Used", metric: Metric) -> list[dict[str, object]]:
    name = "memoryBytes" if metric is Metric.MEMORY else "cpuMillicores"
    return [
        {"time": f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}", name: value}
        for time, value in zip(one.times, getattr(one, metric.value), strict=True)
    ]


# A layer


def _layer(target: Target, name: str, seconds: int) -> None:
    resource = target.read()
    layers = resource.status.health.layers if resource.status.health else ()
    preset = resource.spec.effective_preset
    known = {one.lower(): one for one in (preset.layers if preset else resource.spec.layers)}
    if name.lower() not in known:
        names = ", ".join(known) or "none"
        raise CliError(Exit.USAGE, f"Unknown layer {name}; known are: {names}.")
    layer = next((one for one in layers if one.name == known[name.lower()]), None)
    if layer is None:
        raise _nothing(f"layer {name}", seconds, "no shadow runs")
    if target.form in {Output.JSON, Output.YAML}:
        show(target.form, layer.model_dump(mode="json", by_alias=True, exclude_none=True))
    else:
        print(layer_line(layer))
    if layer.state is HealthState.UNHEALTHY:
        raise typer.Exit(Exit.NO)
    if layer.state is HealthState.UNKNOWN:
        raise typer.Exit(Exit.UNKNOWN)
