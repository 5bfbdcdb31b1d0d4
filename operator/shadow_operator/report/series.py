"""What the evidence tells over time, as the report shows it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from shadow_operator.api.enums import UsedBy
from shadow_operator.api.spec import Spec
from shadow_operator.core.counting.blocks import effect_of
from shadow_operator.core.counting.tally import Tally
from shadow_operator.core.judging.history import Span as Seen
from shadow_operator.core.judging.history import history
from shadow_operator.core.judging.levels import PASSING
from shadow_operator.core.numbers import envoy_bins
from shadow_operator.core.numbers.histogram import Histogram
from shadow_operator.core.numbers.sequential import upper_bound
from shadow_operator.core.recording.intervals import Latency
from shadow_operator.core.recording.ledger import Ledger
from shadow_operator.core.recording.production import Course as Interval
from shadow_operator.core.recording.usage import ROLES
from shadow_operator.core.wording import duration
from shadow_operator.report.model import (
    Distribution,
    Learned,
    Production,
    Quantile,
    Span,
    Typical,
    Use,
)

SHARES: Final = (
    *(0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99),
    *(0.995, 0.997, 0.998, 0.999, 0.9995, 0.9998, 0.9999),
)
LEAST_BEYOND: Final = 5
"""A quantile that fewer answers exceed is chance."""


def course(spec: Spec, ledger: Ledger, counted: Tally) -> tuple[Span, ...]:
    """Give what was measured over time; the match rate of a span is that of all pairs up to it."""
    seen, spans = history(spec, ledger), []
    effect = effect_of(ledger.blocks, counted)
    pairs = max(0, counted.compared - sum(one.pairs for one in seen))
    bad = max(0.0, counted.mismatched - sum(one.mismatched for one in seen))
    for one in seen:
        pairs, bad = pairs + one.pairs, bad + one.mismatched
        bound = 1 - upper_bound(bad / effect, pairs / effect, PASSING) if pairs else None
        spans.append(
            _span(one).model_copy(
                update={
                    "match_rate": _six(1 - bad / pairs) if pairs else None,
                    "lower_bound": None if bound is None else _six(bound),
                }
            )
        )
    return tuple(spans)


def _span(seen: Seen) -> Span:
    usage = {UsedBy(role): seen.usage.of(role) for role in ROLES} if seen.usage else {}
    learned = seen.learning
    return Span(
        time=moment(seen.end),
        seconds=round(seen.seconds, 1),
        pairs=seen.pairs,
        mismatched=round(seen.mismatched, 2),
        expected=max(0, seen.expected),
        received=max(0, seen.received),
        soaked_seconds=seen.soaked,
        standstill=seen.standstill,
        shadow=_typical(seen.shadow),
        reference=_typical(seen.reference),
        production=_production(seen.production) if seen.production else None,
        usage={
            role: Use(cpu_millicores=use.cpu, memory_bytes=use.memory)
            for role, use in usage.items()
            if use.pods
        },
        learning=Learned(cycles=learned.cycles, gradient=learned.gradient) if learned else None,
    )


def _production(seen: Interval) -> Production:
    return Production(
        seconds=round(seen.seconds, 1),
        percent=seen.percent,
        requests=seen.requests,
        errors=seen.errors,
        latency=_typical(seen),
    )


def _typical(seen: Interval | Latency) -> Typical | None:
    return Typical(p50=seen.p50, p99=seen.p99) if seen.p99 else None


def distributions(ledger: Ledger) -> tuple[Distribution, ...]:
    """Give the latencies of each role that was timed."""
    timing = ledger.timing
    found = (
        _of_pairs(UsedBy.SHADOW, timing.shadow),
        _of_pairs(UsedBy.REFERENCE, timing.reference),
        _of_production(ledger.production),
    )
    return tuple(one for one in found if one.quantiles)


def _of_production(seen: Iterable[Interval]) -> Distribution:
    """Give production's newest latencies: under mirroring where there are any."""
    timed = [interval for interval in seen if interval.bins]
    under = [interval for interval in timed if interval.percent]
    timed, when = (under, "under") if under else (timed, "without")
    bins = envoy_bins.merged(interval.bins for interval in timed)
    size = envoy_bins.size(bins)
    return Distribution(
        role=UsedBy.PRODUCTION,
        count=size,
        quantiles=tuple(
            Quantile(share=q, milliseconds=round(envoy_bins.quantile(bins, q), 2))
            for q in _shown(size)
        ),
        span=(
            f"all requests of the last {duration(sum(i.seconds for i in timed))} {when} mirroring, "
            "in whole milliseconds by Envoy"
        ),
    )


def _of_pairs(role: UsedBy, seen: Histogram) -> Distribution:
    return Distribution(
        role=role,
        count=seen.count,
        quantiles=tuple(
            Quantile(share=q, milliseconds=round(1000 * seen.quantile(q), 3))
            for q in _shown(seen.count)
        ),
        span="pairs whose pods were both warm",
    )


def _shown(size: int) -> tuple[float, ...]:
    return tuple(q for q in SHARES if min(q, 1 - q) * size >= LEAST_BEYOND)


def increase(ledger: Ledger) -> tuple[float | None, float | None]:
    """Return how many percent more CPU and memory the shadow uses than the reference.

    A pod of each, over all spans in which both were measured; None where none was.
    """
    both = [
        (record.seconds, record.of(UsedBy.SHADOW), record.of(UsedBy.REFERENCE))
        for record in ledger.usage.series
        if record.of(UsedBy.SHADOW).pods and record.of(UsedBy.REFERENCE).pods
    ]

    def more(shadow: float, reference: float) -> float | None:
        return 100 * (shadow / reference - 1) if reference else None

    return (
        more(sum(s * a.cpu for s, a, _ in both), sum(s * b.cpu for s, _, b in both)),
        more(sum(s * a.memory for s, a, _ in both), sum(s * b.memory for s, _, b in both)),
    )


def moment(time: float) -> datetime:
    """Give a moment."""
    return datetime.fromtimestamp(time, UTC)


def _six(ratio: float) -> float:
    return round(max(0.0, ratio), 6)
