"""The live dashboard: one frame as a picture for a terminal, or as plain lines."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shadow_operator.api.reasons import ConditionType
from shadow_operator.api.status import Gate, Latency, LayerHealth, Soak
from shadow_operator.cli.happened import Happened
from shadow_operator.cli.text import MARKS, NO, NOT_ASKED, UNKNOWN, YES, layer_line, sign_of
from shadow_operator.core.wording import count, duration, percent, progress

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from shadow_operator.api.resource import ShadowDeployment

WIDE: Final = 110
"""Columns from which on the gates stand beside the rest."""
EVENTS: Final = 6
"""Events that are shown, the newest."""
_STYLES: Final = {YES: "green", NO: "red", UNKNOWN: "yellow"}


@dataclass(frozen=True)
class Frame:
    """What is known at one moment."""

    resource: "ShadowDeployment"
    now: datetime
    production_rate: float | None = None
    """Requests of production a second."""
    pair_rate: float | None = None
    """Compared requests a second."""
    events: tuple[Happened, ...] = field(default=())
    """The newest last."""
    remark: str = ""
    """What could not be read, as a sentence."""

    @property
    def name(self) -> str:
        """Namespace and name."""
        return f"{self.resource.namespace}/{self.resource.name}"

    @property
    def phase(self) -> str:
        """Where the machinery is."""
        phase = self.resource.status.phase
        return phase.value if phase else "Unknown"

    @property
    def blocked_by(self) -> str:
        """What is first in the way of a verdict, in one word; empty where nothing is."""
        summary = self.resource.status.summary
        return (summary.blocked_by if summary else "") or ""


# Facts: name and text, in groups


def facts(frame: Frame) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Give what stands in each panel but those of layers, gates and events."""
    seen = frame.resource.status
    yield "Traffic", list(_traffic(frame))
    yield "Answers", list(_answers(frame))
    yield "Latency", list(_latency(seen.latency))
    yield "Soak", list(_soak(seen.soak))


def _traffic(frame: Frame) -> Iterator[tuple[str, str]]:
    seen = frame.resource.status
    mirror = seen.mirror
    yield "production", _rate(frame.production_rate, "requests")
    yield "compared", _rate(frame.pair_rate, "pairs")
    if mirror:
        effective = "?" if mirror.effective_percent is None else f"{mirror.effective_percent}%"
        yield "copied", f"{effective} of {mirror.requested_percent}% asked for"
        yield "coverage", percent(float(mirror.coverage)) if mirror.coverage else "not known yet"
    active = seen.condition(ConditionType.MIRRORING_ACTIVE)
    if active and sign_of(active) != YES:
        yield "off", active.message


def _rate(rate: float | None, what: str) -> str:
    return "not known" if rate is None else f"{rate:,.1f} {what}/s"


def _answers(frame: Frame) -> Iterator[tuple[str, str]]:
    seen = frame.resource.status.comparison
    if seen is None or not seen.compared:
        yield "match", "nothing is compared yet"
        return
    rate = percent(float(seen.match_rate)) if seen.match_rate else "not known"
    bound = seen.match_rate_lower_bound
    yield "match", f"{rate}, at least {percent(float(bound))}" if bound else rate
    yield "judged", percent(float(seen.judged_share)) if seen.judged_share else "not known"
    yield "pairs", f"{count(seen.compared)} compared, {count(seen.unproven)} prove nothing"
    critical = f", {count(seen.critical)} of them critical" if seen.mismatched else ""
    yield "differ", f"{count(seen.mismatched)}{critical}"
    yield "fail", f"{count(seen.shadow_errors)} errors, {count(seen.timeouts)} timeouts"


def _latency(seen: Latency | None) -> Iterator[tuple[str, str]]:
    if seen is None:
        yield "p50", "nothing is timed yet"
        return
    for role in ("shadow", "reference", "production"):
        quantiles = getattr(seen, role)
        if quantiles:
            yield role, f"p50 {quantiles.p50} ms, p99 {quantiles.p99} ms"
    if seen.p50_difference_percent and seen.p99_difference_percent:
        yield (
            "difference",
            f"p50 {seen.p50_difference_percent}%, p99 {seen.p99_difference_percent}%",
        )


def _soak(seen: Soak | None) -> Iterator[tuple[str, str]]:
    if seen is None:
        yield "soak", "not started"
        return
    yield "soak", f"{progress(seen.elapsed_seconds, seen.required_seconds)} {seen.state}"
    if seen.reason:
        yield "stands", seen.reason
    if seen.last_restart_reason:
        yield "restarted", seen.last_restart_reason


# Plain lines


def summary_line(frame: Frame) -> str:
    """Write a frame in one line, for a log."""
    seen = frame.resource.status
    columns = seen.summary
    parts = [f"{frame.now:%H:%M:%S}", frame.name, frame.phase]
    if columns:
        named = (
            ("match", columns.match),
            ("soak", columns.soak),
            ("mirror", columns.mirror),
            ("p50", columns.p50),
            ("p99", columns.p99),
            ("errors", columns.errors),
            ("blocked by", columns.blocked_by),
        )
        parts += [f"{name} {text}" for name, text in named if text]
    if seen.verdict:
        parts.append(seen.verdict.decision)
    return "  ".join(parts)


def lines(frame: Frame) -> Iterator[str]:
    """Write a whole frame in plain lines."""
    seen = frame.resource.status
    yield summary_line(frame)
    for name, pairs in facts(frame):
        yield from (f"{name}: {key}: {text}" for key, text in pairs)
    for layer in seen.health.layers if seen.health else ():
        yield f"Layer: {layer_line(layer)}"
    yield from (f"Gate: {MARKS[g.result]} {g.name} {_numbers(g)}".rstrip() for g in seen.gates)
    yield from (
        f"Event: {event.time:%H:%M:%S} {event.reason}: {event.message}"
        for event in frame.events[-EVENTS:]
    )
    if frame.remark:
        yield frame.remark


def _numbers(gate: Gate) -> str:
    wanted = f"({gate.threshold})" if gate.threshold else ""
    return f"{gate.observed or ''} {wanted}".strip()


# The picture


def picture(frame: Frame, width: int) -> "RenderableType":
    """Draw a frame for a terminal of so many columns."""
    from rich.console import Group  # noqa: PLC0415 - only a person at a terminal sees it

    seen = frame.resource.status
    left = Group(
        *(
            _panel(name, _pairs(pairs, bar=_bar(seen.soak) if name == "Soak" else None))
            for name, pairs in facts(frame)
        ),
        *_layers(seen.health.layers if seen.health else ()),
    )
    if width < WIDE:
        return Group(_head(frame), *_gates_in_the_way(seen.gates), left, *_events(frame))
    beside = _grid(5, 6, padding=0)
    gates = _gates(seen.gates, sentences=width >= 2 * WIDE)
    beside.add_row(left, _panel("Gates", gates) if seen.gates else "")
    return Group(_head(frame), beside, *_events(frame))


def _panel(title: str, inside: "RenderableType") -> "RenderableType":
    from rich import box  # noqa: PLC0415
    from rich.panel import Panel  # noqa: PLC0415

    return Panel(inside, title=title, title_align="left", box=box.ROUNDED, border_style="dim")


def _head(frame: Frame) -> "RenderableType":
    from rich.text import Text  # noqa: PLC0415

    seen = frame.resource.status
    text = Text.assemble((frame.name, "bold"), "  ", (frame.phase, "bold cyan"))
    if frame.blocked_by:
        text.append("  ").append(f"waits for {frame.blocked_by}", "yellow")
    if seen.last_measurement_time:
        age = (frame.now - seen.last_measurement_time).total_seconds()
        text.append("  ").append(f"measured {duration(max(0.0, age))} ago", "dim")
    if seen.verdict:
        style = {"ProceedToCanary": "green", "Investigate": "red"}.get(
            seen.verdict.decision, "yellow"
        )
        text.append(f"\n{seen.verdict.decision}", f"bold {style}")
    text.append(f"\n{seen.message or 'The operator has not looked at it yet.'}")
    if frame.remark:
        text.append(f"\n{frame.remark}", "dim")
    return _panel("Shadow", text)


def _bar(soak: Soak | None) -> "RenderableType | None":
    from rich.progress_bar import ProgressBar  # noqa: PLC0415

    if soak is None or not soak.required_seconds:
        return None
    return ProgressBar(
        total=soak.required_seconds,
        completed=min(soak.elapsed_seconds, soak.required_seconds),
        complete_style="green",
        finished_style="green",
    )


def _grid(*ratios: int, padding: int = 1) -> "Table":
    from rich.table import Table  # noqa: PLC0415

    grid = Table.grid(padding=(0, padding), expand=True)
    for ratio in ratios:
        grid.add_column(ratio=ratio or None, no_wrap=not ratio)
    return grid


def _pairs(
    pairs: Iterable[tuple[str, str]], bar: "RenderableType | None" = None
) -> "RenderableType":
    grid = _grid(0, 1)
    for name, text in pairs:
        grid.add_row(f"[dim]{name:<10}[/dim]", _escaped(text))
    if bar:
        grid.add_row("", bar)
    return grid


def _layers(layers: Iterable[LayerHealth]) -> "Iterator[RenderableType]":
    grid = _grid(0, 0, 1)
    for layer in layers:
        active = f"{layer.neurons:,} neurons active" if layer.neurons is not None else ""
        said = active if active and MARKS[layer.state] == YES else layer.message
        grid.add_row(_sign(MARKS[layer.state]), layer.name, _escaped(said))
    if grid.row_count:
        yield _panel("Layers", grid)


def _gates(gates: Iterable[Gate], *, sentences: bool) -> "RenderableType":
    grid = _grid(0, 0, 1, 2) if sentences else _grid(0, 0, 1)
    for gate in gates:
        row = (_sign(MARKS[gate.result]), gate.name.value, _escaped(_numbers(gate)))
        grid.add_row(*row, *((_escaped(gate.message),) if sentences else ()))
    return grid


def _gates_in_the_way(gates: Sequence[Gate]) -> "Iterator[RenderableType]":
    """Show, where there is little room, only those that do not pass."""
    fine = {YES, NOT_ASKED}
    rest = [gate for gate in gates if MARKS[gate.result] not in fine]
    if gates:
        title = f"Gates: {len(gates) - len(rest)} of {len(gates)} are not in the way"
        yield _panel(title, _gates(rest, sentences=False) if rest else "")


def _events(frame: Frame) -> "Iterator[RenderableType]":
    grid = _grid(0, 0, 1)
    for event in frame.events[-EVENTS:]:
        style = "yellow" if event.warning else "dim"
        grid.add_row(
            f"[dim]{event.time:%H:%M:%S}[/dim]",
            f"[{style}]{event.reason}[/{style}]",
            _escaped(event.message),
        )
    if grid.row_count:
        yield _panel("Events", grid)


def _sign(sign: str) -> str:
    style = _STYLES.get(sign, "dim")
    return f"[{style}]{sign}[/{style}]"


def _escaped(text: str) -> str:
    from rich.markup import escape  # noqa: PLC0415

    return escape(text)
