"""The one function that makes a report: from the resource and its evidence, at a moment."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from shadow_operator.api.enums import GateMode, Phase, RequestedPhase, SelfTest
from shadow_operator.api.reasons import ConditionType
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.api.spec import Spec
from shadow_operator.core.counting.tally import Tally, tally
from shadow_operator.core.judging import latency
from shadow_operator.core.recording.ledger import Ledger, decode
from shadow_operator.core.recording.progress import Progress
from shadow_operator.core.telling import reports
from shadow_operator.report import differences, method, series
from shadow_operator.report.model import (
    Configuration,
    Coverage,
    Errors,
    JudgedGate,
    Report,
    Subject,
    Summary,
)
from shadow_operator.report.series import moment

GREENS: Final = (
    ConditionType.MIRRORING_ACTIVE,
    ConditionType.RESPONSES_MATCH,
    ConditionType.RESOURCES_ACCEPTABLE,
    ConditionType.PRODUCTION_UNAFFECTED,
    ConditionType.LEARNING_ACTIVE,
)
"""The runbook's five lines."""
_OVER: Final = frozenset({Phase.COMPLETED, Phase.IDLE, Phase.ABORTED, Phase.TERMINATING})


def build(resource: ShadowDeployment, data: Mapping[str, str], now: float) -> Report:
    """Make the report. `data`: that of the evidence ConfigMap, empty where there is none.

    What was judged is taken from status, as the operator wrote it; what was measured from the
    evidence. Raise UnreadableLedger where that can't be read.
    """
    spec, seen = resource.spec, resource.status
    ledger, progress = decode(data), Progress.read(data)
    counted = tally(spec, ledger.counts, interval=ledger.interval) if ledger else None
    comparison = seen.comparison
    return Report(
        written_time=moment(now),
        subject=_subject(resource, ledger, progress),
        summary=_summary(resource, ledger, counted, now),
        gates=tuple(_gates(resource)),
        conditions=tuple(one for kind in GREENS if (one := seen.condition(kind))),
        soak=seen.soak,
        comparison=comparison.model_copy(update={"top_differences": ()}) if comparison else None,
        differences=differences.differences(counted, spec.comparison) if counted else (),
        latency=series.distributions(ledger) if ledger else (),
        course=series.course(spec, ledger, counted) if ledger and counted else (),
        coverage=_coverage(ledger) if ledger else Coverage(),
        layers=seen.health.layers if seen.health else (),
        learning=seen.learning.message if seen.learning else "",
        configuration=Configuration(
            spec=configured(spec),
            provider=spec.mirror.provider,
            sampling_percent=spec.sampling_percent,
        ),
        records=spec.records,
        method=tuple(method.method(spec, ledger)),
        limits=tuple(method.limits(spec, ledger, counted)),
    )


def _subject(resource: ShadowDeployment, ledger: Ledger | None, progress: Progress) -> Subject:
    verdict = resource.status.verdict
    return Subject(
        name=resource.name,
        namespace=resource.namespace,
        epoch=ledger.epoch if ledger else (verdict.epoch if verdict else ""),
        generation=resource.metadata.generation,
        phase=resource.status.phase or "",
        shadow_image=resource.spec.shadow.image,
        shadow_image_id=verdict.shadow_image_id if verdict else progress.shadow_image,
        production_image_id=verdict.production_image_id if verdict else progress.production_image,
    )


def _gates(resource: ShadowDeployment) -> Iterable[JudgedGate]:
    for gate in resource.status.gates:
        mode = resource.spec.mode(gate.name)
        yield JudgedGate(
            **gate.model_dump(), mode=GateMode.ADVISORY if mode is GateMode.OFF else mode
        )


def _summary(
    resource: ShadowDeployment, ledger: Ledger | None, counted: Tally | None, now: float
) -> Summary:
    seen, verdict = resource.status, resource.status.verdict
    comparison = seen.comparison
    started, ended = _span(resource, ledger)
    until = ended.timestamp() if ended else now
    judged = latency.status(ledger.timing) if ledger else None
    cpu, memory = series.increase(ledger) if ledger else (None, None)
    tested = resource.spec.self_test
    return Summary(
        started_time=started,
        ended_time=ended,
        duration_seconds=max(0, int(until - started.timestamp())) if started else 0,
        match_rate=comparison.match_rate if comparison else None,
        match_rate_lower_bound=comparison.match_rate_lower_bound if comparison else None,
        judged_share=comparison.judged_share if comparison else None,
        compared=comparison.compared if comparison else 0,
        latency_p50_percent=judged.p50_difference_percent if judged else None,
        latency_p99_percent=judged.p99_difference_percent if judged else None,
        cpu_percent=None if cpu is None else f"{cpu:+.1f}",
        memory_percent=None if memory is None else f"{memory:+.1f}",
        errors=_errors(counted) if counted else Errors(),
        decision=verdict.decision if verdict else None,
        reason=verdict.reason if verdict else "",
        message=verdict.message if verdict else "",
        decided_time=verdict.decided_time if verdict else None,
        self_test=None if tested is SelfTest.DISABLED else tested.value,
    )


def _span(
    resource: ShadowDeployment, ledger: Ledger | None
) -> tuple[datetime | None, datetime | None]:
    """Give when copies began and ended; None for an end that has not come."""
    if ledger is None or ledger.first_measurement is None or ledger.last_copy is None:
        return None, None
    ended = moment(ledger.last_copy) if _is_over(resource) else None
    return moment(ledger.first_measurement), ended


def _is_over(resource: ShadowDeployment) -> bool:
    """Whether copies have ended; the final report is written in the look that ends them."""
    seen, kept = resource.status, resource.status.report_ref
    if resource.spec.phase is RequestedPhase.NONE or seen.phase in _OVER:
        return True
    if kept is None or not kept.final or seen.verdict is None:
        return False
    return kept.name == reports.reference(resource.name, seen.verdict.epoch).name


def _errors(counted: Tally) -> Errors:
    return Errors(
        shadow_errors=counted.total("shadow_errors"),
        shadow_timeouts=counted.total("shadow_timeouts"),
        reference_errors=counted.total("reference_errors"),
        reference_timeouts=counted.total("reference_timeouts"),
        attempts=counted.attempts,
    )


def _coverage(ledger: Ledger) -> Coverage:
    counts = ledger.counts
    return Coverage(
        requests=ledger.coverage.requests,
        eligible=ledger.coverage.eligible,
        expected=round(ledger.coverage.expected),
        received=max(0, ledger.received),
        skipped=counts.skipped,
        shed=counts.shed,
    )


def configured(spec: Spec) -> dict[str, Any]:
    """Give the spec without defaults, records, and the values of environment variables."""
    written = spec.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, exclude={"records"}
    )
    cleaned: dict[str, Any] = _without_values(written)
    return cleaned


def _without_values(part: Any, name: str = "") -> Any:
    if isinstance(part, dict):
        return {
            key: "(left out)" if name == "env" and key == "value" else _without_values(value, key)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [_without_values(one, name) for one in part]
    return part
