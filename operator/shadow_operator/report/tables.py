"""What the forms show in rows: the same cells in each."""

from dataclasses import dataclass
from typing import Final

import yaml

from shadow_operator.api.base import utc_text
from shadow_operator.api.enums import GateResult, HealthState, RouteResult
from shadow_operator.api.reasons import ConditionStatus, ConditionType, Reason
from shadow_operator.api.status import Condition
from shadow_operator.core.wording import count, duration, percent
from shadow_operator.report.model import JudgedGate, Report

YES, NO, OPEN, NONE = "✓", "✗", "?", "\u2013"
MARKS: Final = {
    GateResult.PASSED: YES,
    GateResult.FAILED: NO,
    GateResult.INCONCLUSIVE: OPEN,
    GateResult.ERROR: OPEN,
    GateResult.NOT_APPLICABLE: NONE,
    ConditionStatus.TRUE: YES,
    ConditionStatus.FALSE: NO,
    ConditionStatus.UNKNOWN: OPEN,
    HealthState.HEALTHY: YES,
    HealthState.UNHEALTHY: NO,
    HealthState.UNKNOWN: OPEN,
    HealthState.DISABLED: NONE,
    RouteResult.JUDGED: YES,
    RouteResult.FAILED: NO,
    RouteResult.INCONCLUSIVE: OPEN,
    RouteResult.UNTESTED: NONE,
}
"""Told apart without colours."""
GREENS: Final = {
    ConditionType.MIRRORING_ACTIVE: "Traffic mirroring active",
    ConditionType.RESPONSES_MATCH: "Response comparison passing",
    ConditionType.RESOURCES_ACCEPTABLE: "Resource usage acceptable",
    ConditionType.PRODUCTION_UNAFFECTED: "No production impact",
    ConditionType.LEARNING_ACTIVE: "Learning system active",
}
"""The runbook's five lines."""

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a heading; the first cell of a row may be a mark."""

    title: str
    columns: Row
    rows: tuple[Row, ...]
    note: str = ""
    """A sentence above."""


def tables(report: Report) -> tuple[Table, ...]:
    """Give the tables that have rows, in the order of the report."""
    made = (greens, records, gates, routes, layers, counts)
    return tuple(table for make in made if (table := make(report)).rows)


def greens(report: Report) -> Table:
    """Give the runbook's five greens."""
    rows = tuple((_sign(one), GREENS[one.type], one.message) for one in report.conditions)
    return Table("Validation", ("", "check", "what was found"), rows)


def _sign(condition: Condition) -> str:
    return NONE if condition.reason == Reason.NOT_REQUESTED else MARKS[condition.status]


def gates(report: Report) -> Table:
    """Give every gate with its numbers."""
    return Table(
        "Gates",
        ("", "gate", "observed", "must be", "bound", "samples", "needs", "source", "sentence"),
        tuple(_gate(gate) for gate in report.gates),
        "The bound decides: a gate passes when it is on the right side of what must be.",
    )


def _gate(gate: JudgedGate) -> Row:
    return (
        MARKS[gate.result],
        f"{gate.name}" + (f" ({gate.mode.lower()})" if gate.mode != "Required" else ""),
        gate.observed or "",
        gate.threshold or "",
        gate.bound or "",
        "" if gate.samples is None else count(gate.samples),
        _needs(gate),
        gate.source or "",
        f"{gate.result}: {gate.message}",
    )


def _needs(gate: JudgedGate) -> str:
    needs = gate.needs
    if needs is None:
        return ""
    pairs = f"{count(needs.pairs)} pairs" if needs.pairs is not None else ""
    eta = f"about {duration(needs.eta_seconds)}" if needs.eta_seconds is not None else ""
    return ", ".join(part for part in (pairs, eta) if part)


def records(report: Report) -> Table:
    """Give what people decided and noted."""
    rows = tuple(
        (one.time, one.by, one.decision, one.note, _about(one.epoch, report.subject.epoch))
        for one in sorted(report.records, key=lambda record: record.time)
    )
    return Table("Records", ("when", "who", "decision", "why", "about"), rows)


def _about(epoch: str | None, this: str) -> str:
    if epoch is None:
        return ""
    return "this epoch" if epoch == this else f"epoch {epoch}"


def layers(report: Report) -> Table:
    """Give what the layers of the shadow said last."""
    rows = tuple((MARKS[one.state], one.name, one.message or one.state) for one in report.layers)
    return Table("Layers", ("", "layer", "what it says"), rows)


def routes(report: Report) -> Table:
    """Give the routes, those that fail or lack something first."""
    seen = report.comparison.routes if report.comparison else ()
    rows = tuple(
        (
            MARKS[route.result],
            route.name,
            count(route.pairs),
            _share(route.match_rate_lower_bound),
            _share(route.judged_share),
            route.missing or route.result,
        )
        for route in seen
    )
    columns = ("", "route", "pairs", "match rate at least", "judged", "what it lacks")
    return Table("Routes", columns, rows)


def counts(report: Report) -> Table:
    """Give what became of the copies and the pairs."""
    seen, copies = report.comparison, report.coverage
    if seen is None:
        return Table("Counts", (), ())
    named = (
        ("requests of production meanwhile", copies.requests),
        ("of these eligible", copies.eligible),
        ("copies expected", copies.expected),
        ("copies received", copies.received),
        ("pairs compared", seen.compared),
        ("matched", seen.matched),
        ("of these differing as noise does", seen.noise),
        ("of these differing as a rule allows", seen.ignored),
        ("of these differing as is meant", seen.expected),
        ("mismatched", seen.mismatched),
        ("of these critical", seen.critical),
        ("proving nothing", seen.unproven),
    )
    return Table("Counts", ("what", "number"), tuple((what, count(n)) for what, n in named))


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference as people read it."""

    heading: str
    says: str
    rule: str
    """YAML, or empty."""
    advice: str
    """What to think of the rule."""
    counts: bool


def differences(report: Report) -> tuple[Difference, ...]:
    """Give the differences, each with the rule that would excuse it."""
    return tuple(
        Difference(
            heading=f"{one.route} {one.path}",
            says=(
                f"{one.kind}{f' {one.detail}' if one.detail else ''} in {count(one.pairs)} pairs"
                f"{', critical' if one.critical else ''}"
                f"{f'; excused: {one.excused_by}' if one.excused_by else ''}"
            ),
            rule=one.rule or "",
            advice=(
                "Evidence says that it is harmless. The rule that would excuse it:"
                if one.looks_harmless
                else "It does not look harmless. Only if the change is meant, this would excuse it:"
            )
            if one.rule
            else "",
            counts=one.excused_by is None,
        )
        for one in report.differences
    )


def identity(report: Report) -> tuple[tuple[str, str], ...]:
    """Give what the report is about: name and value."""
    subject = report.subject
    pairs = (
        ("Resource", f"{subject.namespace}/{subject.name}"),
        ("New version", subject.shadow_image),
        ("Image of the shadow", subject.shadow_image_id),
        ("Image of production", subject.production_image_id),
        ("Epoch", subject.epoch),
        ("Generation", str(subject.generation)),
        ("Phase", subject.phase),
        ("Report made", utc_text(report.written_time)),
    )
    return tuple((name, value) for name, value in pairs if value)


def spec_yaml(report: Report) -> str:
    """Give the configuration as YAML."""
    return str(yaml.safe_dump(report.configuration.spec, sort_keys=False, allow_unicode=True))


def verdict(report: Report) -> tuple[str, str]:
    """Give the verdict in one word, and its sentence."""
    summary = report.summary
    if summary.decision is None:
        return "No verdict yet", "Nothing was sent to the shadow, or nothing is known of it."
    return summary.decision.value, summary.message


def title(report: Report) -> str:
    """Name the report."""
    return f"Shadow report: {report.subject.namespace}/{report.subject.name}"


def _share(ratio: str | None) -> str:
    return percent(float(ratio)) if ratio else ""
