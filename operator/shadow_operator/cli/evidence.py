"""What the operator recorded, for commands that look back: their only way to it.

It is read with the user's own rights, and judged by nobody here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from shadow_operator.api.spec import Spec
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.core.judging.history import history
from shadow_operator.core.numbers import envoy_bins
from shadow_operator.core.pods import PRODUCTION
from shadow_operator.core.recording.baseline import Baseline
from shadow_operator.core.recording.intervals import Latency
from shadow_operator.core.recording.ledger import Ledger, UnreadableLedger, decode
from shadow_operator.core.recording.production import Course
from shadow_operator.core.recording.usage import ROLES, UsageRecord


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was recorded of one resource."""

    ledger: Ledger | None
    """Of the newest epoch; None before there was any."""
    baseline: Baseline


def parse(stored: Mapping[str, Mapping[str, str]], name: str) -> Evidence:
    """Read the ConfigMaps of a resource (name -> data)."""
    data = stored.get(f"{name}-evidence") or {}
    try:
        return Evidence(decode(data), Baseline.read(data))
    except UnreadableLedger as error:
        raise CliError(Exit.UNKNOWN, str(error)) from error


@dataclass(frozen=True, slots=True)
class Rates:
    """How much came in the newest interval, a second; None where it is not known."""

    production: float | None = None
    """Requests of production."""
    pairs: float | None = None
    """Requests that shadow and reference both answered."""


def newest(evidence: Evidence) -> Rates:
    """Give the rates of now."""
    ledger = evidence.ledger
    if ledger is None:
        return Rates()
    course = ledger.production[-1] if ledger.production else None
    block = ledger.blocks[-1] if ledger.blocks else None
    return Rates(
        course.requests / course.seconds if course and course.seconds else None,
        block.pairs / block.seconds if block and block.seconds else None,
    )


@dataclass(frozen=True, slots=True)
class Ran:
    """How production ran for a while."""

    seconds: float
    requests: int
    errors: int
    p50: float
    """Milliseconds; 0 where nothing was timed."""
    p99: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def error_rate(self) -> float:
        """Share of the requests that failed."""
        return self.errors / self.requests if self.requests else 0.0


def ran(courses: Iterable[Course]) -> Ran | None:
    """Add up; None where there is nothing. Quantiles are of all where their bins are known."""
    parts = list(courses)
    if not parts:
        return None
    whole = reduce(Course.merged, parts)
    bins = envoy_bins.merged(part.bins for part in parts)
    exact = bool(bins) and all(part.bins for part in parts if part.requests)
    return Ran(
        whole.seconds,
        whole.requests,
        whole.errors,
        envoy_bins.quantile(bins, 0.5) if exact else whole.p50,
        envoy_bins.quantile(bins, 0.99) if exact else whole.p99,
    )


def production(evidence: Evidence, *, since: float, copied: bool) -> Ran | None:
    """Give how production ran since then (seconds since the epoch), with copies or without."""
    courses = _courses(evidence)
    return ran(c for c in courses if c.end > since and (c.percent > 0) == copied)


def _courses(evidence: Evidence) -> list[Course]:
    own = evidence.ledger.production if evidence.ledger else ()
    return sorted((*evidence.baseline.requests, *own), key=lambda course: course.end)


@dataclass(frozen=True, slots=True)
class Used:
    """What one pod of a role used, record by record; times are seconds since the epoch."""

    times: tuple[float, ...]
    cpu: tuple[int, ...]
    """Millicores, mean over pods."""
    memory: tuple[int, ...]
    """Bytes, mean over pods."""
    pods: int
    """Pods of now."""


def used(evidence: Evidence, *, since: float) -> dict[str, Used]:
    """Give what each role used since then; without those that were not measured."""
    own = evidence.ledger.usage.series if evidence.ledger else ()
    series = sorted((*evidence.baseline.usage.series, *own), key=lambda record: record.end)
    found: dict[str, Used] = {}
    for role in ROLES:
        records = [r for r in series if r.end > since and r.of(role).pods]
        if records:
            found[role] = Used(
                tuple(r.end for r in records),
                tuple(r.of(role).cpu for r in records),
                tuple(r.of(role).memory for r in records),
                records[-1].of(role).pods,
            )
    return found


def without_metrics(evidence: Evidence) -> str:
    """Say why nothing is known of what pods use; empty where it is known or not asked yet."""
    latest = max(
        (evidence.baseline.usage, *((evidence.ledger.usage,) if evidence.ledger else ())),
        key=lambda usage: usage.asked,
    )
    return "the cluster has no metrics API" if latest.absent else latest.problem


@dataclass(frozen=True, slots=True)
class Recorded:
    """Production without copies: the recording before the start."""

    begin: float
    end: float
    seconds: float
    """Of these, the ones that were recorded."""
    ran: Ran | None
    """None where its requests are not seen yet."""
    used: Used | None
    source: str
    """Who counted the requests: `envoy`, production's own `metrics`, or `prometheus`."""


def recording(evidence: Evidence, wanted: float) -> Recorded | None:
    """Give the newest recording, of at most so many seconds; None where there is none."""
    counted, idle = _last_without_copies(evidence), evidence.baseline
    both: tuple[Sequence[Course | UsageRecord], ...] = (
        counted,
        idle.requests or idle.usage.series,
    )
    spans = max(both, key=lambda series: series[-1].end if series else 0.0)
    courses, source = (
        (counted, _counter(evidence.ledger))
        if spans is counted
        else (idle.requests, idle.meter.source or "metrics")
    )
    if not spans:
        return None
    end = spans[-1].end
    inside = [span for span in spans if span.end > end - wanted]
    begin = max(end - wanted, inside[0].end - inside[0].seconds)
    use = used(evidence, since=begin).get(PRODUCTION)
    return Recorded(
        begin,
        end,
        sum(span.seconds for span in inside),
        ran(c for c in courses if c.end > begin),
        use,
        source,
    )


def _counter(ledger: Ledger | None) -> str:
    """Say who counted production's requests since the start."""
    if ledger is None or ledger.seen_by == "envoy":
        return "envoy"
    return ledger.meter.source


def _last_without_copies(evidence: Evidence) -> list[Course]:
    """Give the newest intervals without copies that nothing lies between."""
    courses = list(evidence.ledger.production if evidence.ledger else ())
    while courses and courses[-1].percent:
        courses.pop()
    start = len(courses)
    while start and not courses[start - 1].percent:
        start -= 1
    return courses[start:]


@dataclass(frozen=True, slots=True)
class Compared:
    """What comparators counted in a time. Latencies in milliseconds; 0 where none was timed."""

    seconds: float
    pairs: int
    mismatched: float
    """Under the rules of now."""
    unproven: int
    answered: int
    """Copies that were sent to the clones."""
    shadow_errors: int
    reference_errors: int
    shadow_timeouts: int
    reference_timeouts: int
    shadow: Latency
    reference: Latency

    @property
    def rates(self) -> dict[str, float]:
        """Answers of each role a second."""
        lost = {
            "shadow": self.shadow_errors + self.shadow_timeouts,
            "reference": self.reference_errors + self.reference_timeouts,
        }
        return {role: (self.answered - less) / self.seconds for role, less in lost.items()}


_SUMS: Final = (
    "seconds", "pairs", "mismatched", "unproven", "answered",
    "shadow_errors", "reference_errors", "shadow_timeouts", "reference_timeouts",
)  # fmt: skip


def compared(evidence: Evidence, spec: Spec, *, since: float) -> Compared | None:
    """Add up what was counted since then (seconds since the epoch); None where nothing was."""
    ledger = evidence.ledger
    spans = [span for span in history(spec, ledger) if span.end > since] if ledger else []
    if not sum(span.answered for span in spans):
        return None
    shadow = reference = Latency()
    pairs = 0
    for span in spans:
        weight = pairs / (pairs + span.pairs) if pairs + span.pairs else 0.5
        shadow, reference = (
            shadow.merged(span.shadow, weight),
            reference.merged(span.reference, weight),
        )
        pairs += span.pairs
    sums = {name: sum(getattr(span, name) for span in spans) for name in _SUMS}
    return Compared(**sums, shadow=shadow, reference=reference)


def rates(evidence: Evidence, spec: Spec, *, since: float) -> dict[str, float]:
    """Give requests of production, and answers of each clone, a second since then."""
    made = ran(c for c in _courses(evidence) if c.end > since)
    counted = compared(evidence, spec, since=since)
    return ({"production": made.rate} if made else {}) | (counted.rates if counted else {})
