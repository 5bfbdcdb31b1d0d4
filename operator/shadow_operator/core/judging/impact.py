"""What status says about production: how it runs under mirroring against how it ran without."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from shadow_operator.api.enums import GateName, GateResult, MirrorProvider
from shadow_operator.api.spec import Spec
from shadow_operator.api.status import Gate, Quantiles
from shadow_operator.core.judging.case import Case, Outcome, not_applicable
from shadow_operator.core.recording import guard, harm
from shadow_operator.core.recording.guard import GuardState
from shadow_operator.core.recording.ledger import Ledger
from shadow_operator.core.recording.production import Course
from shadow_operator.core.wording import count

LEAST_WATCHED: Final = 300
"""Requests under mirroring that the guard has to have judged before it says that all is well."""
UNSEEN: Final = (
    "Your own mirror sends the copies, and no preset names production's metrics, so its requests "
    "are not seen here, nor guarded."
)


@dataclass(frozen=True, slots=True)
class Impact:
    """Production in the newest intervals under mirroring, and what it is compared with."""

    now: Course
    normal: Course | None

    @property
    def sentence(self) -> str:
        """Give the numbers: `p50 12.3 ms (12.1 ms before), ...`."""
        shown = ", ".join(
            f"{m.name} {m.shown(m.value(self.now))}"
            + (f" ({m.shown(m.value(self.normal))} before)" if self.normal else "")
            for m in harm.MEASURES
        )
        return f"{shown} in the last {self.now.seconds:.0f} s under mirroring."

    @property
    def change(self) -> str | None:
        """Give by how much it is worse: `p50 +1.2% p99 -0.4% 5xx +0.01%`; None: than nothing."""
        if self.normal is None:
            return None
        p50, p99, errors = (
            (measure.value(self.now), measure.value(self.normal)) for measure in harm.MEASURES
        )
        quantiles = (("p50", *p50), ("p99", *p99))
        parts = [f"{name} {_more(100 * (now / then - 1))}" for name, now, then in quantiles if then]
        return " ".join((*parts, f"5xx {100 * (errors[0] - errors[1]):+.2f}%"))


def _more(percent: float) -> str:
    return f"{percent:+.1f}%" if abs(percent) < 10 else f"{percent:+.0f}%"


def impact(spec: Spec, ledger: Ledger) -> Impact | None:
    """Return the numbers of now; None where nothing was timed under mirroring lately."""
    now = _timed(spec, ledger)
    if not now:
        return None
    normal = guard.normal(spec, ledger.guard, ledger.production, now)
    timed = any(course.bins for course in normal)
    return Impact(harm.pooled(now), harm.pooled(normal) if timed else None)


def _timed(spec: Spec, ledger: Ledger) -> Sequence[Course]:
    """Return the newest intervals under mirroring; none where nothing was timed in them."""
    now = guard.lately(spec, ledger.production)
    return now if any(course.bins for course in now) else ()


def lately(case: Case, measure: str) -> str:
    """Give `p50` or `p99` of production now: `production's own 12.3 ms`; empty: it is not known."""
    now, found = _timed(case.spec, case.ledger), harm.BY_NAME[measure]
    return f"production's own {found.shown(found.value(harm.pooled(now)))}" if now else ""


def quantiles(ledger: Ledger) -> Quantiles | None:
    """Return the latency of production in its newest interval."""
    newest = ledger.production[-1] if ledger.production else None
    if newest is None or not newest.bins:
        return None
    return Quantiles(p50=f"{newest.p50:.1f}", p99=f"{newest.p99:.1f}")


def unreadable(spec: Spec, ledger: Ledger) -> str:
    """Say why production's requests can't be read now; empty where they can."""
    if spec.mirror.provider is MirrorProvider.ENVOY or not ledger.meter.problem:
        return ""
    return f"Production's own metrics can't be read, so nothing is guarded: {ledger.meter.problem}."


def production_impact(case: Case) -> Outcome:
    """Production runs no worse than without copies, as far as its guard can tell."""
    name, record = GateName.PRODUCTION_IMPACT, case.ledger.guard
    if not case.spec.sees_production:
        return not_applicable(name, UNSEEN)
    suspected = f"{record.message}; copies are off to see whether it recovers."
    problem = unreadable(case.spec, case.ledger)
    for holds, result, text in (
        (record.paused(case.spec), GateResult.FAILED, record.message),
        (record.state is GuardState.SUSPECTED, GateResult.INCONCLUSIVE, suspected),
        (record.state is GuardState.DEGRADED, GateResult.INCONCLUSIVE, record.message),
        (problem, GateResult.ERROR, problem),
    ):
        if holds:
            return Outcome(_gate(case, result, text))
    if record.watched < LEAST_WATCHED:
        return _early(case, record.watched)
    seen = impact(case.spec, case.ledger)
    numbers = f" Now {seen.sentence}" if seen else ""
    return Outcome(
        _gate(
            case,
            GateResult.PASSED,
            f"No harm in {count(record.watched)} requests of production under mirroring.{numbers}",
        )
    )


def _early(case: Case, watched: int) -> Outcome:
    """Wait for requests; at first the guard compares none, so that there is no rate yet."""
    mirrored = case.ledger.mirrored
    early = mirrored < 2 * guard.NORMAL_SECONDS + case.spec.guard.for_seconds
    sofar, what = 0 if early else watched, "requests"
    wait = case.wait(LEAST_WATCHED - watched, sofar, what, seconds=mirrored)
    text = f"{count(watched)} requests of production were judged under mirroring; {wait.clause}."
    outcome = wait.outcome(_gate(case, GateResult.INCONCLUSIVE, text), text)
    return replace(outcome, on_course=outcome.on_course or early)


def _judged(case: Case) -> Impact | None:
    """Return what the guard went by: the harm that it found, else the numbers of now."""
    record = case.ledger.guard
    if record.harm is not None:
        return Impact(record.harm, record.normal)
    return impact(case.spec, case.ledger)


def _gate(case: Case, result: GateResult, message: str) -> Gate:
    limits, by_envoy = case.spec.guard, case.spec.mirror.provider is MirrorProvider.ENVOY
    seen = _judged(case)
    return Gate(
        name=GateName.PRODUCTION_IMPACT,
        result=result,
        observed=seen.change if seen else None,
        threshold=(
            f"p50 +{limits.max_p50_increase_percent}% p99 +{limits.max_p99_increase_percent}% "
            f"5xx +{limits.max_error_increase_percent}%"
        ),
        samples=case.ledger.guard.watched,
        window_seconds=int(case.ledger.mirrored),
        source="envoy" if by_envoy else case.ledger.meter.source or "metrics",
        message=message,
    )
