"""The verdict: from gates and soak to one decision, its reason, its sentence and the next step."""

from dataclasses import dataclass
from math import ceil

from shadow_operator.api.enums import AfterVerdict, Decision, GateMode, GateName, GateResult
from shadow_operator.api.names import LABEL_ROLE, LABEL_SHADOW, Role
from shadow_operator.api.reasons import ConditionType, VerdictReason
from shadow_operator.api.spec import LONGEST_RUN
from shadow_operator.api.status import Gate
from shadow_operator.core.commands import Commands
from shadow_operator.core.judging.case import Case, Outcome
from shadow_operator.core.judging.unproven import missing_credential
from shadow_operator.core.recording.ledger import Decided
from shadow_operator.core.wording import count, duration, percent, progress, words

PASSING = frozenset({GateResult.PASSED, GateResult.NOT_APPLICABLE})


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom the verdict is about."""

    name: str
    namespace: str
    shadow_image: str = ""
    """Image id as the kubelet resolved it."""
    production_image: str = ""

    @property
    def commands(self) -> Commands:
        """What a person can do about it."""
        return Commands(self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was decided, before it is written down."""

    decision: Decision
    reason: VerdictReason
    message: str
    next_step: str
    """One command."""
    blocked_by: str
    """First gate in the way, or the soak; empty where nothing is."""
    final: bool
    """More evidence of this epoch will not be waited for."""
    late: tuple[GateName, ...] = ()
    """Required gates that need more time than the soak still takes."""


def decide(
    case: Case, outcomes: tuple[Outcome, ...], before: Decided | None, subject: Subject
) -> Choice | None:
    """Decide; None until something was sent to the shadow.

    `before` is the decision under the same rules: `ProceedToCanary` stays until a gate fails or the
    soak begins anew, since what was shown is shown, even if nothing is measured any more.
    """
    if not case.tally.attempts:
        return None
    required = [
        outcome for outcome in outcomes if case.spec.mode(outcome.gate.name) is GateMode.REQUIRED
    ]
    failed = [o.gate for o in required if o.gate.result is GateResult.FAILED]
    if failed:
        return _investigate(case, failed, subject)
    open_ones = [o for o in required if o.gate.result not in PASSING]
    withdrawn = any(o.gate.name is GateName.APPROVAL for o in open_ones)
    kept = before is not None and before.decision is Decision.PROCEED_TO_CANARY and not withdrawn
    if case.soaked and (kept or not open_ones):
        return _proceed(case, outcomes, subject)
    return _extend(case, open_ones, subject)


def _investigate(case: Case, failed: list[Gate], subject: Subject) -> Choice:
    first = failed[0]
    others = f" Also failed: {', '.join(gate.name for gate in failed[1:])}." if failed[1:] else ""
    return Choice(
        decision=Decision.INVESTIGATE,
        reason=_REASONS.get(first.name, VerdictReason.GATE_FAILED),
        message=f"{first.name}: {first.message}{others}",
        next_step=_show(first, subject),
        blocked_by=first.name,
        final=case.soaked or _expired(case),
    )


_REASONS = {
    GateName.PRODUCTION_IMPACT: VerdictReason.PRODUCTION_HARMED,
    GateName.CRITICAL_DIFFERENCES: VerdictReason.CRITICAL_DIFFERENCE,
}


def _proceed(case: Case, outcomes: tuple[Outcome, ...], subject: Subject) -> Choice:
    tally, gates = case.tally, [outcome.gate for outcome in outcomes]
    silent = sum(gate.result is GateResult.NOT_APPLICABLE for gate in gates)
    rate = (
        f"{count(tally.matched)} of {count(tally.compared)} pairs match "
        f"({percent(tally.judged_share or 0.0)} of the values judged)"
        if case.compares
        else f"{count(tally.attempts)} requests were answered, none compared"
    )
    return Choice(
        decision=Decision.PROCEED_TO_CANARY,
        reason=VerdictReason.ALL_GATES_PASSED,
        message=(
            f"{rate} over {duration(case.ledger.soak.counted)} of soak; "
            f"{sum(g.result is GateResult.PASSED for g in gates)} gates passed, {silent} do not "
            f"apply."
        ),
        next_step=subject.commands.patch({"phase": "None"}),
        blocked_by="",
        final=True,
    )


def _extend(case: Case, open_ones: list[Outcome], subject: Subject) -> Choice:
    blocking = next((o.gate for o in open_ones if not o.on_course), None)
    if blocking is None and case.soaked and open_ones:
        blocking = open_ones[0].gate
    expired, late = _expired(case), tuple(o.gate.name for o in open_ones if o.late)
    soak = f"soak {progress(case.ledger.soak.counted, case.spec.soak_seconds)}"
    if expired:
        reason = VerdictReason.MAX_DURATION_REACHED
    elif blocking is None:
        reason = VerdictReason.SOAK_INCOMPLETE
    elif blocking.result is GateResult.ERROR:
        reason = VerdictReason.GATE_ERROR
    elif late:
        reason = VerdictReason.SOAK_TOO_SHORT
    else:
        reason = VerdictReason.INSUFFICIENT_EVIDENCE
    why = f"{blocking.name}: {blocking.message}" if blocking else _soak_sentence(case, soak)
    others = [name for name in late if blocking is None or name is not blocking.name]
    also = "also " if len(others) < len(late) else ""
    why += f" The soak is {also}too short for: {', '.join(others)}." if others else ""
    return Choice(
        decision=Decision.EXTEND_SHADOW,
        reason=reason,
        message=f"{_expired_sentence(case)}{why}" if expired else why,
        next_step=_unblock(case, blocking, subject),
        blocked_by=blocking.name if blocking else soak,
        final=expired,
        late=late,
    )


def _soak_sentence(case: Case, soak: str) -> str:
    if _over(case):
        return f"{soak}; the run is over: start it again, if need be with more maxDurationSeconds."
    stands = case.ledger.soak.standstill
    return (
        f"{soak}; the clock stands: {words(stands)}."
        if stands
        else f"{soak}; nothing is in the way."
    )


def _expired(case: Case) -> bool:
    return case.ledger.mirrored >= case.spec.max_duration_seconds


def _over(case: Case) -> bool:
    """Whether there is nothing more to wait for: the time is over, and the mirror off."""
    return _expired(case) and case.spec.after_verdict is not AfterVerdict.KEEP


def _expired_sentence(case: Case) -> str:
    return f"Mirrored for {duration(case.ledger.mirrored)} without a decision. "


def _unblock(case: Case, blocking: Gate | None, subject: Subject) -> str:
    commands, listed = subject.commands, case.spec.mirror.forward_headers
    if blocking is not None and blocking.name is GateName.APPROVAL:
        return commands.approve()
    unproven = blocking is not None and blocking.name is GateName.UNPROVEN
    lost = missing_credential(case) if unproven else None
    changes = {"mirror": {"forwardHeaders": [*listed, lost[0]]}} if lost else {}
    if _over(case):
        return commands.restart(**changes)
    if changes:
        return commands.patch(changes)
    if blocking is None:
        return commands.wait(ConditionType.SOAK_COMPLETE, int(case.remaining_soak) + 300)
    longer = _longer(case, blocking)
    return commands.patch({"maxDurationSeconds": longer}) if longer else _show(blocking, subject)


def _longer(case: Case, gate: Gate) -> int | None:
    """Give the `maxDurationSeconds` with which what the gate waits for still comes.

    None where the run takes so long anyway, or none may; a critical difference is looked at first.
    """
    eta = gate.needs.eta_seconds if gate.needs else None
    if eta is None or gate.name is GateName.CRITICAL_DIFFERENCES:
        return None
    seconds = 3600 * ceil((case.ledger.mirrored + eta) / 3600)
    return seconds if case.spec.max_duration_seconds < seconds <= LONGEST_RUN else None


_NEEDS = r"""{range .status.gates[?(@.needs)]}{.name}: {.message}{"\n"}{end}"""
_DIFFERENCES = (
    r"""{range .status.comparison.topDifferences[*]}{.route} {.path} {.kind} {.count}{"\n"}{end}"""
)
_LACKING = r"""{range .status.comparison.routes[?(@.missing)]}{.name}: {.missing}{"\n"}{end}"""
_IN_THE_LOGS = frozenset({GateName.SHADOW_ERRORS, GateName.TIMEOUTS, GateName.LAYERS})


def _show(gate: Gate, subject: Subject) -> str:
    if gate.name is GateName.PRODUCTION_IMPACT and gate.result is GateResult.FAILED:
        return subject.commands.restart()
    mismatches = gate.name is GateName.MATCH_RATE and gate.result is GateResult.FAILED
    if mismatches or gate.name is GateName.CRITICAL_DIFFERENCES:
        return subject.commands.show(_DIFFERENCES)
    if gate.name is GateName.ROUTES:
        return subject.commands.show(_LACKING)
    if gate.name in _IN_THE_LOGS:
        pods = f"{LABEL_SHADOW}={subject.name},{LABEL_ROLE}={Role.SHADOW}"
        return subject.commands.run("logs", "-l", pods, "--prefix", "--tail", "100")
    alone = f"""{{.status.gates[?(@.name=="{gate.name}")].message}}"""
    waits = gate.needs is not None and gate.needs.eta_seconds is not None
    return subject.commands.show(_NEEDS if waits else alone)
