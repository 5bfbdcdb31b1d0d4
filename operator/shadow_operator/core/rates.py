"""Gates on rates: exact bounds, looked at seldom, because each look is a chance to be wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shadow_operator.api.base import ratio
from shadow_operator.api.enums import GateMode, GateName, GateResult, ReferenceMode
from shadow_operator.api.spec import ExcessGate, Spec
from shadow_operator.api.status import Gate
from shadow_operator.core.case import Case, Outcome, concluded, inconclusive, not_applicable, wanted
from shadow_operator.core.statistics import clean_trials, lower_bound, trials_for, upper_bound
from shadow_operator.core.tally import Tally
from shadow_operator.core.wording import count, percent

LEVEL: Final = 0.05
"""Chance, at the first look, that a rate passes although it is just not good enough."""
EARLY_LEVEL: Final = 0.001
"""Level at which a rate fails before its look; such a version is far from passing."""
EARLY_PAIRS: Final = 100
"""No rate fails before so many pairs: a start is not a trend."""
REFERENCE_PART: Final = 0.2
"""Part of the level that pays for the uncertainty of the reference's own errors."""
_NEVER: Final = "No number of pairs can prove 100 %; set a threshold below."


def first_look(spec: Spec) -> int:
    """Return with how many pairs a look can pass at all, so that none is wasted."""
    needed = [clean_trials(1 - limit, (1 - REFERENCE_PART) * LEVEL) for limit in _limits(spec)]
    rate = ratio(spec.gates.match_rate.min_percent)
    compares = spec.reference.mode is not ReferenceMode.NONE
    if compares and rate < 1 and spec.gates.match_rate.mode != GateMode.OFF:
        needed.append(clean_trials(rate, LEVEL))
    return max(needed, default=1)


def _limits(spec: Spec) -> list[float]:
    excesses = (spec.gates.shadow_errors, spec.gates.timeouts)
    limits = [ratio(g.max_excess_percent) for g in excesses if g.mode != GateMode.OFF]
    return [limit for limit in limits if limit > 0]


def look_level(number: int) -> float:
    """Return the level of a look: each later one, at twice the pairs, has half of the level."""
    return float(LEVEL / 2 ** (number - 1))


def match_rate(case: Case) -> Outcome:
    """Response match rate (runbook: > 99.9 %)."""
    name, tally = GateName.MATCH_RATE, case.tally
    if not case.compares:
        return not_applicable(name, "There is no reference to match.")
    minimum = ratio(case.spec.gates.match_rate.min_percent)
    decided, pending = tally.compared, tally.pending
    if not decided + pending:
        return inconclusive(name, "No pair was compared yet.")
    # What is undecided counts against passing, and for not failing.
    total, bad = decided + pending, tally.mismatched + pending + tally.unshown
    rate = _Rate(
        passes=lambda level: lower_bound(total - bad, total, level) > minimum,
        fails=lambda level: upper_bound(total - tally.mismatched, total, level) < minimum,
        needed=lambda level: trials_for(tally.mismatched, minimum, level),
        trials=total,
        hangs=lambda level: lower_bound(total - tally.mismatched, total, level) > minimum,
    )
    gate = Gate(
        name=name,
        result=GateResult.INCONCLUSIVE,
        observed=percent(tally.matched / decided) if decided else None,
        threshold=f"> {case.spec.gates.match_rate.min_percent}%",
        bound=percent(lower_bound(total - bad, total, LEVEL)),
        samples=total,
        source="comparator",
    )
    return _judged(case, gate, rate, _match_sentence(tally))


def _match_sentence(tally: Tally) -> str:
    judged = "" if tally.judged_share is None else f" ({percent(tally.judged_share)} judged)"
    text = f"{count(tally.matched)} of {count(tally.compared)} pairs match{judged}"
    if tally.pending:
        text += f"; {count(tally.pending)} more need controls that tell noise from change"
    if tally.unshown:
        text += f"; of {count(tally.unshown)} expected ones it is not shown yet that they are rare"
    worst = next((d for d in tally.differences if d.counts), None)
    if worst:
        text += f"; most often {worst.sentence()} in {count(worst.pairs)} pairs"
    return text


def shadow_errors(case: Case) -> Outcome:
    """Errors of the shadow in excess of the reference's (runbook: response errors are not OK)."""
    return _excess(case, GateName.SHADOW_ERRORS, case.spec.gates.shadow_errors, "errors")


def timeouts(case: Case) -> Outcome:
    """Timeouts of the shadow in excess of the reference's (runbook: no timeouts)."""
    return _excess(case, GateName.TIMEOUTS, case.spec.gates.timeouts, "timeouts")


def _excess(case: Case, name: GateName, settings: ExcessGate, what: str) -> Outcome:
    trials = case.tally.attempts
    if not trials:
        return inconclusive(name, "Nothing was sent to the shadow yet.")
    limit = ratio(settings.max_excess_percent)
    shadow, reference = case.tally.total(f"shadow_{what}"), case.tally.total(f"reference_{what}")

    def most(level: float) -> float:
        mine, its = (1 - REFERENCE_PART) * level, REFERENCE_PART * level
        return upper_bound(shadow, trials, mine) - lower_bound(reference, trials, its)

    def least(level: float) -> float:
        mine, its = (1 - REFERENCE_PART) * level, REFERENCE_PART * level
        return lower_bound(shadow, trials, mine) - upper_bound(reference, trials, its)

    rate = _Rate(
        passes=lambda level: most(level) <= limit,
        fails=lambda level: least(level) > limit,
        needed=lambda level: trials_for(
            max(0, shadow - reference), 1 - limit, (1 - REFERENCE_PART) * level
        ),
        trials=trials,
    )
    gate = Gate(
        name=name,
        result=GateResult.INCONCLUSIVE,
        observed=_points((shadow - reference) / trials),
        threshold=f"<= {settings.max_excess_percent}%",
        bound=_points(most(LEVEL)),
        samples=trials,
        source="comparator",
    )
    sentence = (
        f"{count(shadow)} {what} of the shadow against {count(reference)} of the reference in "
        f"{count(trials)} requests"
    )
    return _judged(case, gate, rate, sentence)


def _points(excess: float) -> str:
    return f"{excess * 100:+.3f}%"


@dataclass(frozen=True, slots=True)
class _Rate:
    passes: Callable[[float], bool]
    """At this level."""
    fails: Callable[[float], bool]
    needed: Callable[[float], int | None]
    """Trials with which it passes if no further failure comes; None: never."""
    trials: int
    hangs: Callable[[float], bool] = lambda _: False
    """Whether it would pass if all undecided pairs turned out well."""


def _judged(case: Case, gate: Gate, rate: _Rate, sentence: str) -> Outcome:
    """Judge a rate: it passes only at a look, and fails at any time if it is clearly worse."""
    if rate.trials >= EARLY_PAIRS and rate.fails(EARLY_LEVEL):
        return Outcome(concluded(gate, GateResult.FAILED, f"{sentence}."))
    number = case.due or (case.look.number if case.look else None)
    if number is None:
        return _before_look(case, gate, rate, sentence)
    level = look_level(number)
    if rate.fails(level):
        return Outcome(concluded(gate, GateResult.FAILED, f"{sentence}."))
    if rate.passes(level) if case.due else _passed_before(case, gate.name):
        return Outcome(concluded(gate, GateResult.PASSED, f"{sentence}."))
    if case.due and rate.hangs(level):
        text = f"{sentence}; the decision waits for what is undecided."
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, text), hangs=True)
    return _between_looks(case, gate, rate, sentence, number)


def _passed_before(case: Case, name: GateName) -> bool:
    return case.look is not None and name in case.look.passed


def _before_look(case: Case, gate: Gate, rate: _Rate, sentence: str) -> Outcome:
    needed = rate.needed(LEVEL)
    if needed is None:
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, f"{sentence}. {_NEVER}"))
    missing = max(0, max(needed, first_look(case.spec)) - rate.trials)
    needs = case.needs(missing) if missing else None
    when = "it is judged then" if case.soaked else "it is judged when the soak is complete"
    wait = f"{wanted(needs)}, {when}" if needs else when
    eta = needs.eta_seconds if needs else 0
    return Outcome(
        concluded(gate, GateResult.INCONCLUSIVE, f"{sentence}; {wait}.", needs),
        on_course=eta is not None and eta <= case.remaining_soak,
    )


def _between_looks(case: Case, gate: Gate, rate: _Rate, sentence: str, number: int) -> Outcome:
    needed = rate.needed(look_level(number + 1))
    if needed is None:
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, f"{sentence}. {_NEVER}"))
    looked = case.pairs if case.due or case.look is None else case.look.pairs
    needs = case.needs(max(1, needed - rate.trials, 2 * looked - case.pairs))
    text = f"{sentence}; that does not decide yet, {wanted(needs)}."
    return Outcome(concluded(gate, GateResult.INCONCLUSIVE, text, needs))


RATES: Final = frozenset({GateName.MATCH_RATE, GateName.SHADOW_ERRORS, GateName.TIMEOUTS})
"""Gates that can pass only at a look."""
