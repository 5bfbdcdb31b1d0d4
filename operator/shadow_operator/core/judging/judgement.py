"""Judgement in three steps: `advance` the ledger, `judge` it, `settle` what was decided.

All three are pure; the same ledger and the same rules always give the same judgement.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shadow_operator.api.enums import GateMode, GateName, GateResult, Learning, SoakState
from shadow_operator.api.evidence import PathRule
from shadow_operator.api.reasons import SoakReason
from shadow_operator.api.spec import Spec
from shadow_operator.api.status import (
    ComparisonStatus,
    Gate,
    Latency,
    Soak,
    TopDifference,
    Verdict,
)
from shadow_operator.core.counting.blocks import effect_of
from shadow_operator.core.counting.proposals import proposal
from shadow_operator.core.counting.rules import path_rules, rules_version
from shadow_operator.core.counting.tally import NOISE, Difference, Tally, tally
from shadow_operator.core.judging import latency, self_test
from shadow_operator.core.judging.case import Case
from shadow_operator.core.judging.gates import PAUSING, RULED, gates
from shadow_operator.core.judging.levels import PASSING
from shadow_operator.core.judging.route_gate import listed
from shadow_operator.core.judging.verdict import Choice, Subject, decide
from shadow_operator.core.numbers.sequential import upper_bound
from shadow_operator.core.recording import guard
from shadow_operator.core.recording import soak as clock
from shadow_operator.core.recording.collect import advance
from shadow_operator.core.recording.guard import GuardState
from shadow_operator.core.recording.headroom import Headroom
from shadow_operator.core.recording.learning import standing
from shadow_operator.core.recording.ledger import (
    Decided,
    Ledger,
    UnreadableLedger,
    begin,
    decode,
    encode,
)
from shadow_operator.core.recording.usage import Usage
from shadow_operator.core.wording import percent, progress, ratio_text

__all__ = [
    "Judgement",
    "Ledger",
    "Subject",
    "UnreadableLedger",
    "advance",
    "begin",
    "decode",
    "encode",
    "guarded",
    "hints",
    "judge",
    "settle",
]

TOP_DIFFERENCES: Final = 10
LARGEST_HINTS: Final = 256
"""Hints that the comparators get at most."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the ledger says under the rules of now, in the words of status."""

    gates: tuple[Gate, ...]
    verdict: Verdict | None
    """None until something was sent to the shadow."""
    comparison: ComparisonStatus
    latency: Latency | None
    soak: Soak
    coverage: str | None
    """Ratio text for `status.mirror.coverage`."""
    next_step: str
    """One command; empty while there is no verdict."""
    blocked_by: str
    """Column: first gate in the way, or `soak 6h/24h`; empty where nothing is."""
    match_column: str | None
    """`99.97%/84%`: of what was judged, and how much that is."""
    soak_column: str
    """`6h/24h`."""
    errors_column: str | None
    """Errors and timeouts in excess of the reference's."""
    late: tuple[GateName, ...]
    """Required gates that need more time than the soak still takes."""
    final: bool
    """`afterVerdict` applies: proceed, failed after the whole soak, or out of time."""
    soak_complete: bool
    untested: tuple[str, ...]
    """Routes with too few pairs to be judged."""
    rules: str
    """Version of the rules that were applied."""
    learning: tuple[GateResult, str] | None
    """Whether the shadow learns, and how far it came; None where it shall not."""
    last_copy: float | None
    """When copies were last seen to have been sent to the clones."""
    usage: Usage
    """What shadow, reference and production use."""
    headroom: Headroom | None
    """Room before the first copy."""
    clock: clock.Soak
    """The soak clock after what these gates do to it."""


def guarded(spec: Spec, before: Ledger, after: Ledger, *, now: float) -> Ledger:
    """Let the production guard judge what `after` has recorded since `before`.

    Where nothing new was read of production it decides nothing, but a person can resume.
    """
    if after.production is before.production and before.guard.state is not GuardState.PAUSED:
        return after
    found = guard.judged(after.guard, spec, after.production, now=now)
    return after.model_copy(update={"guard": found})


def judge(spec: Spec, ledger: Ledger, subject: Subject, *, now: float) -> Judgement:
    """Judge the evidence. `now` (seconds since the epoch) only dates what changes."""
    rules = rules_version(spec)
    ledger = _re_judged(ledger, rules)
    counted = tally(spec, ledger.counts, interval=ledger.interval)
    soaked = ledger.soak.counted >= spec.soak_seconds
    case = Case(
        spec=spec,
        ledger=ledger,
        tally=counted,
        soaked=soaked,
        design_effect=effect_of(ledger.blocks, counted),
        shadow_image=subject.shadow_image,
    )
    outcomes = gates(case)
    before = ledger.decided if ledger.decided and ledger.decided.rules == rules else None
    choice = decide(case, outcomes, before, subject)
    choice = self_test.choose(case, choice, subject.commands) if choice else None
    judged = tuple(outcome.gate for outcome in outcomes)
    soak = _completed(ledger.soak, now) if soaked else _after_failures(spec, ledger, judged, now)
    return Judgement(
        gates=judged,
        verdict=_verdict(choice, ledger, subject, now) if choice else None,
        comparison=_comparison(spec, ledger, counted, case.design_effect).model_copy(
            update={"routes": listed(case)}
        ),
        latency=latency.status(counted.counts.timing),
        soak=_soak(spec, soak, complete=soaked),
        coverage=_coverage(ledger),
        next_step=choice.next_step if choice else "",
        blocked_by=choice.blocked_by if choice else "",
        match_column=_match_column(counted),
        soak_column=progress(soak.counted, spec.soak_seconds),
        errors_column=_errors_column(counted),
        late=choice.late if choice else (),
        final=choice.final if choice else False,
        soak_complete=soaked,
        untested=tuple(route.name for route in counted.untested),
        rules=rules,
        learning=_learning(spec, ledger),
        last_copy=ledger.last_copy,
        usage=ledger.usage,
        headroom=ledger.headroom,
        clock=soak,
    )


def settle(spec: Spec, ledger: Ledger, judgement: Judgement, *, now: float) -> Ledger:
    """Write down what was decided: the decision, and what gates did to the soak."""
    decided = ledger.decided
    if judgement.verdict:
        decided = Decided(
            decision=judgement.verdict.decision,
            time=judgement.verdict.decided_time.timestamp(),
            rules=judgement.rules,
            soak_too_short=bool(judgement.late) or (decided is not None and decided.soak_too_short),
        )
    return ledger.model_copy(update={"soak": judgement.clock, "decided": decided})


def hints(spec: Spec, ledger: Ledger) -> tuple[PathRule, ...]:
    """Return the places that comparators shall count singly: ignored ones, and known noise.

    Sorted, so that the same evidence gives the same configuration. Places that
    `comparison.critical` names stay in the signatures, and so do bodies that were not looked
    through, and the marker of learning; and a path that also differs in a way that is undecided,
    since pairs that differ at hinted places only are not asked again.
    """
    counted = tally(spec, ledger.counts, interval=ledger.interval)
    undecided = {(d.place.path, d.route) for d in counted.differences if d.pending}
    found = {
        (difference.place.path, difference.route)
        for difference in counted.differences
        if difference.excused_by
        and difference.excused_by.startswith(NOISE)
        and not difference.listed
        and not difference.place.unread
        and difference.place.path != spec.effective_learning_marker
    }
    noise = tuple(PathRule(path=path, route=route) for path, route in sorted(found - undecided))
    return (path_rules(spec.comparison.ignore) + noise)[:LARGEST_HINTS]


def _re_judged(ledger: Ledger, rules: str) -> Ledger:
    """Give the soak back what gates took that failed under other rules."""
    if ledger.decided is None or ledger.decided.rules == rules:
        return ledger
    return ledger.model_copy(update={"soak": clock.give_back(ledger.soak)})


def _completed(soak: clock.Soak, now: float) -> clock.Soak:
    since = soak.complete_since if soak.complete_since is not None else now
    return soak.model_copy(update={"complete_since": since})


def _after_failures(spec: Spec, ledger: Ledger, judged: tuple[Gate, ...], now: float) -> clock.Soak:
    """Begin at zero where a Required gate fails before the soak is complete.

    A gate that rules can turn takes the time away only as long as it fails under the same rules: a
    changed rule re-judges the past, so it gives the time back.
    """
    soak = ledger.soak.model_copy(update={"complete_since": None})
    failed = [gate.name for gate in judged if gate.result is GateResult.FAILED]
    failed = [name for name in failed if name not in PAUSING]
    required = [name for name in failed if spec.mode(name) is GateMode.REQUIRED]
    lasting: list[GateName] = [name for name in required if name not in RULED]
    if lasting:
        reason = f"gate {lasting[0]} failed"
        if lasting[0] is GateName.RESOURCES and ledger.usage.killed:
            reason += f": {ledger.usage.last_restart}"
        return clock.restart(soak, now=now, reason=reason, failing=True)
    if required:
        reasons = [f"gate {name} failed" for name in required]
        lasts = soak.failing and soak.restart_reason in reasons
        return clock.forfeit(soak, now=now, reason=soak.restart_reason if lasts else reasons[0])
    return clock.hold(soak)


def _verdict(choice: Choice, ledger: Ledger, subject: Subject, now: float) -> Verdict:
    before = ledger.decided
    since = before.time if before and before.decision is choice.decision else now
    return Verdict(
        decision=choice.decision,
        reason=choice.reason,
        message=choice.message[:1024],
        decided_time=_moment(since),
        epoch=ledger.epoch,
        shadow_image_id=subject.shadow_image,
        production_image_id=subject.production_image,
    )


def _comparison(spec: Spec, ledger: Ledger, counted: Tally, effect: float) -> ComparisonStatus:
    counts, coverage = ledger.counts, ledger.coverage
    strict, all_pairs = counted.mismatched + counted.pending, counted.compared + counted.pending
    strict += counted.unshown
    rate = counted.match_rate
    share = counted.judged_share
    return ComparisonStatus(
        received=counts.received,
        eligible=counts.eligible,
        eligible_share=(
            ratio_text(coverage.eligible / coverage.requests) if coverage.requests else None
        ),
        compared=counted.compared,
        matched=counted.matched,
        noise=counted.total("noise"),
        ignored=counted.total("ignored"),
        expected=counted.total("expected"),
        mismatched=counted.mismatched,
        critical=counted.total("critical"),
        unproven=counted.unproven + counted.total("pending"),
        judged_share=None if share is None else ratio_text(share),
        shadow_errors=counted.total("shadow_errors"),
        timeouts=counted.total("shadow_timeouts"),
        match_rate=None if rate is None else ratio_text(rate),
        match_rate_lower_bound=(
            ratio_text(1 - upper_bound(strict / effect, all_pairs / effect, PASSING))
            if all_pairs
            else None
        ),
        top_differences=tuple(
            _top(difference, proposal(difference, counted, spec.comparison))
            for difference in counted.differences[:TOP_DIFFERENCES]
        ),
    )


_UNDECIDED: Final = "undecided: noise or change, more controls will tell"


def _top(difference: Difference, proposed: str) -> TopDifference:
    excused = difference.excused_by or (_UNDECIDED if difference.pending else None)
    return TopDifference(
        route=difference.route[:256],
        path=difference.place.path[:256],
        kind=difference.place.kind.value,
        count=difference.pairs,
        critical=difference.critical and difference.counts,
        excused_by=excused[:256] if excused else None,
        proposal=proposed or None,
    )


def _learning(spec: Spec, ledger: Ledger) -> tuple[GateResult, str] | None:
    if spec.learning is Learning.DISABLED:
        return None
    return standing(ledger.learning, ledger.advanced or 0.0)


def _soak(spec: Spec, soak: clock.Soak, *, complete: bool) -> Soak:
    reason = soak.standstill or (SoakReason.GATE_FAILED if soak.failing else "")
    if complete:
        state, reason = SoakState.COMPLETE, ""
    elif not (soak.started or soak.failing):
        state = SoakState.NOT_STARTED
    else:
        state = SoakState.STOPPED if reason else SoakState.RUNNING
    return Soak(
        required_seconds=spec.soak_seconds,
        elapsed_seconds=int(soak.counted),
        state=state,
        reason=reason[:64] or None,
        last_restart=None if soak.last_restart is None else _moment(soak.last_restart),
        last_restart_reason=soak.restart_reason[:128] or None,
    )


def _coverage(ledger: Ledger) -> str | None:
    expected = ledger.coverage.expected
    return ratio_text(max(0, ledger.received) / expected) if expected >= 1 else None


def _match_column(counted: Tally) -> str | None:
    if counted.match_rate is None:
        return None
    share = counted.judged_share
    return f"{percent(counted.match_rate, 2)}/{percent(share or 0.0, 0)}"


def _errors_column(counted: Tally) -> str | None:
    if not counted.attempts:
        return None
    excess = sum(
        counted.total(f"shadow_{what}") - counted.total(f"reference_{what}")
        for what in ("errors", "timeouts")
    )
    return f"{100 * excess / counted.attempts:.2f}%"


def _moment(time: float) -> datetime:
    return datetime.fromtimestamp(time, UTC)
