"""The pictures of a report: each a small function of it; None where there is nothing to draw."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from math import floor
from typing import Final

from shadow_operator.api.enums import GateName, UsedBy
from shadow_operator.api.status import Soak
from shadow_operator.core.wording import count, memory, percent, progress
from shadow_operator.report.axes import Chart, Key, labelled, nines, ticks, times
from shadow_operator.report.drawing import (
    BAD,
    BLUE,
    GOOD,
    GREY,
    ORANGE,
    Area,
    Dash,
    Line,
    Mark,
    Picture,
    Point,
    bar,
)
from shadow_operator.report.model import Report, Span, Use

_STYLE: Final[dict[UsedBy, tuple[str, Dash]]] = {
    UsedBy.SHADOW: (BLUE, ()),
    UsedBy.REFERENCE: (GREY, (5, 3)),
    UsedBy.PRODUCTION: (ORANGE, (1.5, 2.5)),
}
"""Told apart in print without colours as well."""
_FEWEST: Final = 2
"""Points that make a line."""


def pictures(report: Report) -> tuple[Picture, ...]:
    """Draw all of them."""
    return tuple(picture for draw in PICTURES if (picture := draw(report)))


def match_rate(report: Report) -> Picture | None:
    """Match rate with its bound over time, on a scale of nines."""
    seen = [
        (_at(span.time), span.match_rate, span.lower_bound)
        for span in report.course
        if span.match_rate is not None and span.lower_bound is not None
    ]
    if len(seen) < _FEWEST:
        return None
    limit = _limit(report, GateName.MATCH_RATE)
    low = 1.0 if min(rate for _, rate, _ in seen) >= 0.9 else 0.0
    best = _best((bound for _, _, bound in seen), limit)
    chart = Chart.over((seen[0][0], seen[-1][0]), (low, best))
    rates = [(time, nines(rate)) for time, rate, _ in seen]
    bounds = [(time, nines(bound)) for time, _, bound in seen]
    marks: list[Mark] = [
        *chart.frame(
            "Match rate",
            times(chart.x.low, chart.x.high),
            ((n, _nines_text(n, best)) for n in range(int(low), int(best) + 1)),
            (Key("up to then", BLUE), Key("lower bound", GREY, (5, 3)), Key("asked for", BAD)),
        ),
        Area((*chart.points(rates), *reversed(chart.points(bounds))), BLUE, 0.10),
    ]
    if limit:
        y = chart.y(nines(limit))
        marks.append(Line(((chart.x.start, y), (chart.x.end, y)), BAD, 1.0))
    marks += [
        Line(chart.points(bounds), GREY, 1.2, (5, 3)),
        Line(chart.points(rates), BLUE, 1.8),
    ]
    _, rate, bound = seen[-1]
    return _picture(
        chart,
        "Match rate",
        f"Match rate of all pairs up to each moment, at the end {percent(rate)}, and "
        f"its lower 95 % bound, at the end {percent(bound)}. The scale is one of nines.",
        marks,
    )


def _best(bounds: Iterable[float], limit: float | None) -> float:
    """Give the nines at which 100 % is drawn: above all that has to be told apart."""
    return float(max(3, *(floor(nines(bound)) for bound in bounds), round(nines(limit or 0.0))) + 1)


def _nines_text(number: float, best: float) -> str:
    return "100%" if number >= best else percent(1 - 10.0**-number)


def latency(report: Report) -> Picture | None:
    """Latency by percentile, as HdrHistogram draws it: the tail has the room that it needs."""
    seen = report.latency
    if not seen:
        return None
    most = max(q.milliseconds for one in seen for q in one.quantiles)
    last = max(nines(one.quantiles[-1].share) for one in seen)
    chart = Chart.over((0.0, max(2.0, last)), (0.0, 1.08 * most))
    shares = [(nines(s), f"{100 * s:g}%") for s in (0.5, 0.9, 0.99, 0.999, 0.9999)]
    marks = [
        *chart.frame(
            "Latency by percentile, ms",
            [(0.0, "fastest"), *(tick for tick in shares if tick[0] <= chart.x.high + 0.01)],
            labelled(ticks(0.0, chart.y.high), lambda v: f"{v:g}"),
            (Key(one.role, *_STYLE[one.role]) for one in seen),
        ),
        *(
            Line(
                chart.points((nines(q.share), q.milliseconds) for q in one.quantiles),
                _STYLE[one.role][0],
                1.8,
                _STYLE[one.role][1],
            )
            for one in seen
        ),
    ]
    spans = "; ".join(f"{one.role}: {count(one.count)}, {one.span}" for one in seen)
    return _picture(
        chart,
        "Latency",
        f"What share of answers took at most so long. {spans[:1].upper()}{spans[1:]}.",
        marks,
    )


@dataclass(frozen=True, slots=True)
class _Measure:
    """What of a pod is drawn."""

    title: str
    heading: str
    take: Callable[[Use], int]
    write: Callable[[float], str]
    unit: float = 1.0
    """What ticks are round numbers of."""


_CPU: Final = _Measure(
    "CPU", "CPU of a pod, millicores", lambda use: use.cpu_millicores, lambda value: f"{value:g}m"
)
_MEMORY: Final = _Measure(
    "Memory", "Memory of a pod", lambda use: use.memory_bytes, memory, float(1 << 20)
)


def cpu(report: Report) -> Picture | None:
    """CPU of a pod over time."""
    return _used(report, _CPU)


def memory_used(report: Report) -> Picture | None:
    """Memory of a pod over time."""
    return _used(report, _MEMORY)


def _used(report: Report, what: _Measure) -> Picture | None:
    lines = {
        role: [
            (_at(span.time), float(what.take(span.usage[role])))
            for span in report.course
            if role in span.usage
        ]
        for role in _STYLE
    }
    lines = {role: points for role, points in lines.items() if len(points) >= _FEWEST}
    if not lines:
        return None
    most = max(value for points in lines.values() for _, value in points)
    chart = Chart.over(_reach(lines.values()), (0.0, 1.1 * most or 1.0))
    heights = (tick * what.unit for tick in ticks(0.0, chart.y.high / what.unit, 4))
    marks = [
        *chart.frame(
            what.heading,
            times(chart.x.low, chart.x.high),
            labelled(heights, what.write),
            (Key(role, *_STYLE[role]) for role in lines),
        ),
        *(
            Line(chart.points(points), _STYLE[role][0], 1.6, _STYLE[role][1])
            for role, points in lines.items()
        ),
    ]
    ends = ", ".join(f"{role} {what.write(points[-1][1])}" for role, points in lines.items())
    caption = f"{what.title} of a pod, mean over pods; at the end {ends}."
    return _picture(chart, what.title, caption, marks)


def learning(report: Report) -> Picture | None:
    """Error gradient over time."""
    seen = [
        (_at(span.time), span.learning.gradient)
        for span in report.course
        if span.learning and span.learning.gradient is not None
    ]
    if len(seen) < _FEWEST:
        return None
    most = max(value for _, value in seen)
    chart = Chart.over((seen[0][0], seen[-1][0]), (0.0, 1.1 * most or 1.0))
    marks = [
        *chart.frame(
            "Error gradient",
            times(chart.x.low, chart.x.high),
            labelled(ticks(0.0, chart.y.high, 4), lambda v: f"{v:g}"),
        ),
        Line(chart.points(seen), BLUE, 1.8),
    ]
    return _picture(chart, "Learning", report.learning, marks)


def timeline(report: Report) -> Picture | None:
    """Draw coverage, the soak clock, and when how much was copied."""
    seen, soak = report.course, report.soak
    if len(seen) < _FEWEST or soak is None:
        return None
    begin, end = _at(seen[0].time) - seen[0].seconds, _at(seen[-1].time)
    chart = Chart.over((begin, end), (0.0, 125.0))
    asked = max(1, soak.required_seconds)
    clock = [
        (begin, 0.0),
        *((_at(span.time), min(100.0, 100 * span.soaked_seconds / asked)) for span in seen),
    ]
    marks: list[Mark] = [
        *chart.frame(
            "Coverage and soak",
            times(begin, end),
            labelled(ticks(0.0, 100.0, 4), lambda v: f"{v:g}%"),
            (Key("copies that arrived", ORANGE, (1.5, 2.5)), Key("soak", BLUE)),
        ),
        *_mirrored(seen, chart),
        Area(chart.under(clock), BLUE, 0.10),
        *(Line(chart.points(run), ORANGE, 1.4, (1.5, 2.5)) for run in _coverage(seen)),
        Line(chart.points(clock), BLUE, 1.8),
    ]
    caption = (
        "Copies that arrived of those expected, and the soak clock of the time that is asked for. "
        "The bar is green while copies were made, the darker the more of the requests."
        f"{_soak_text(soak)}"
    )
    return _picture(chart, "Coverage and soak", caption, marks)


def _coverage(seen: Iterable[Span]) -> Iterable[list[Point]]:
    """Give the percentage of copies that arrived, apart for each time in which some should have."""
    for expected, group in groupby(seen, key=lambda span: span.expected > 0):
        if expected:
            spans = list(group)
            points = [(_at(span.time), 100 * span.received / span.expected) for span in spans]
            yield [(_at(spans[0].time) - spans[0].seconds, points[0][1]), *points]


def _mirrored(seen: Iterable[Span], chart: Chart) -> Iterable[Mark]:
    """Draw when how much was copied, where production's requests are seen."""
    top = chart.y.end
    shares = groupby(seen, key=lambda span: span.production.percent if span.production else 0)
    for share, group in shares:
        spans = [(_at(span.time) - span.seconds, _at(span.time)) for span in group]
        start, stop = chart.x(spans[0][0]), chart.x(spans[-1][1])
        if share:
            opacity = round(0.2 + 0.6 * share / 100, 2)
            yield Area(bar(start, top, stop - start, 7), GOOD, opacity)


def _soak_text(soak: Soak) -> str:
    why = f" Last restart: {soak.last_restart_reason}." if soak.last_restart_reason else ""
    return (
        f" Soak {progress(soak.elapsed_seconds, soak.required_seconds)}, {soak.state.lower()}.{why}"
    )


def _limit(report: Report, name: GateName) -> float | None:
    """Give the percentage that a gate asks for, as a ratio."""
    gate = next((gate for gate in report.gates if gate.name is name), None)
    number = re.search(r"[0-9.]+", gate.threshold or "") if gate else None
    return float(number[0]) / 100 if number else None


def _reach(lines: Iterable[list[Point]]) -> tuple[float, float]:
    moments = [x for points in lines for x, _ in points]
    return min(moments), max(moments)


def _at(time: datetime) -> float:
    return time.timestamp()


def _picture(chart: Chart, title: str, caption: str, marks: Iterable[Mark]) -> Picture:
    return Picture(title, caption, chart.width, chart.height, tuple(marks))


PICTURES: Final = (match_rate, latency, cpu, memory_used, learning, timeline)
"""In the order of the report."""
