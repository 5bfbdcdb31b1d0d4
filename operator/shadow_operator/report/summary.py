"""The runbook's migration log (section 7.2), filled in."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from shadow_operator.api.base import utc_text
from shadow_operator.api.enums import Decision
from shadow_operator.core.wording import count, duration, percent
from shadow_operator.report.model import Report, Summary

TITLE: Final = "Shadow Mode Deployment Summary"
BOXES: Final = {
    Decision.PROCEED_TO_CANARY: "Proceed to Canary",
    Decision.EXTEND_SHADOW: "Extend Shadow Mode",
    Decision.INVESTIGATE: "Investigate Issues",
}
_LINE: Final = "_" * 65
_UNKNOWN: Final = "not known"


def fields(report: Report) -> tuple[tuple[str, str], ...]:
    """Give the first lines: name and value."""
    summary = report.summary
    going_on = f"still running at {_written(report.written_time)}"
    return (
        ("Start Time", _written(summary.started_time)),
        ("End Time", _written(summary.ended_time) if _has_ended(summary) else going_on),
        ("Duration", duration(summary.duration_seconds) if summary.started_time else _UNKNOWN),
    )


def results(report: Report) -> tuple[tuple[str, str], ...]:
    """Give the lines of the results: name and value."""
    summary = report.summary
    return (
        ("Response Match Rate", _match(summary)),
        (
            "Latency Impact",
            _percents(p50=summary.latency_p50_percent, p99=summary.latency_p99_percent),
        ),
        ("Resource Increase", _percents(CPU=summary.cpu_percent, memory=summary.memory_percent)),
        ("Errors Detected", _errors(summary)),
    )


def boxes(report: Report) -> tuple[tuple[bool, str], ...]:
    """Give the boxes of the decision: whether checked, and the text."""
    return tuple((report.summary.decision is decision, text) for decision, text in BOXES.items())


def lines(report: Report) -> Iterator[str]:
    """Give the whole form as text, with room to write where there are no notes."""
    yield TITLE
    yield "=" * len(TITLE)
    yield from (f"{name}: {value}" for name, value in fields(report))
    yield ""
    yield "Results:"
    yield from (f"- {name}: {value}" for name, value in results(report))
    yield ""
    for first, (checked, text) in zip(("Decision: ", *[" " * 10] * 2), boxes(report), strict=True):
        yield f"{first}[{'x' if checked else ' '}] {text}"
    yield ""
    yield "Operator Notes:"
    yield from notes(report) or (_LINE, _LINE)


def notes(report: Report) -> tuple[str, ...]:
    """Give what people decided and noted, the oldest first."""
    return tuple(
        f"{one.time} {one.by}: {one.decision}: {one.note}"
        for one in sorted(report.records, key=lambda record: record.time)
    )


def _has_ended(summary: Summary) -> bool:
    return summary.ended_time is not None or summary.started_time is None


def _written(time: datetime | None) -> str:
    return utc_text(time) if time else _UNKNOWN


def _match(summary: Summary) -> str:
    if summary.match_rate is None:
        return _UNKNOWN
    bound, share = summary.match_rate_lower_bound, summary.judged_share
    more = [f"at least {percent(float(bound))} by 95 % confidence"] if bound else []
    more += [f"{percent(float(share))} of the values judged"] if share else []
    text = f"{percent(float(summary.match_rate))} of {count(summary.compared)} pairs"
    return f"{text} ({', '.join(more)})" if more else text


def _percents(**numbers: str | None) -> str:
    known = [f"{number}% ({name})" for name, number in numbers.items() if number is not None]
    return ", ".join(known) or _UNKNOWN


def _errors(summary: Summary) -> str:
    errors = summary.errors
    total = errors.shadow_errors + errors.shadow_timeouts
    own = errors.reference_errors + errors.reference_timeouts
    if not errors.attempts:
        return _UNKNOWN
    if not total + own:
        return f"0 of {count(errors.attempts)} requests"
    return (
        f"{count(total)} of {count(errors.attempts)} requests ({count(errors.shadow_errors)} "
        f"errors, {count(errors.shadow_timeouts)} timeouts; the reference: {count(own)})"
    )
