"""Gates on rates: their bounds hold at every look, so that they are judged at every interval."""

from dataclasses import dataclass
from math import ceil, log
from typing import Final, NamedTuple

from shadow_operator.api.base import ratio
from shadow_operator.api.enums import GateName, GateResult
from shadow_operator.api.spec import ExcessGate
from shadow_operator.api.status import Gate
from shadow_operator.core.counting.tally import RouteTally, Tally
from shadow_operator.core.judging.case import Case, Outcome, concluded, inconclusive, not_applicable
from shadow_operator.core.judging.levels import FAILING, PASSING
from shadow_operator.core.numbers import excess
from shadow_operator.core.numbers.sequential import lower_bound, trials_below, upper_bound
from shadow_operator.core.wording import count, percent

EARLY_PAIRS: Final = 100
"""No rate fails before so many pairs: a start is not a trend."""
BURSTS: Final = 1.5
"""Design effect from which it is said."""
ALONE: Final = 0.1
"""Share of the level for an excess that is bounded by what the shadow fails by itself."""
NEVER: Final = "No number of pairs can prove 100 %; set a threshold below."


def passes(events: float, trials: float, limit: float, effect: float = 1.0) -> bool:
    """Return whether events are shown to be rarer than `limit`; `effect` of them count as one."""
    return upper_bound(events / effect, trials / effect, PASSING) < limit


def fails(events: float, trials: float, limit: float, effect: float = 1.0) -> bool:
    """Return whether events are shown to be more frequent than `limit`; as `passes`."""
    if trials < EARLY_PAIRS:
        return False
    return lower_bound(events / effect, trials / effect, FAILING) > limit


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
    limit, effect = 1 - minimum, case.design_effect

    needed = trials_below(tally.mismatched / effect, limit, PASSING)
    rate = _Rate(
        passes=passes(bad, total, limit, effect),
        fails=fails(tally.mismatched, total, limit, effect),
        needed=None if needed is None else ceil(needed * effect),
        trials=total,
        hangs=passes(tally.mismatched, total, limit, effect),
    )
    gate = Gate(
        name=name,
        result=GateResult.INCONCLUSIVE,
        observed=percent(tally.matched / decided) if decided else None,
        threshold=f"> {case.spec.gates.match_rate.min_percent}%",
        bound=percent(1 - upper_bound(bad / effect, total / effect, PASSING)),
        samples=total,
        source="comparator",
    )
    return _judged(case, gate, rate, _match_sentence(tally, effect))


def _match_sentence(tally: Tally, effect: float) -> str:
    judged = "" if tally.judged_share is None else f" ({percent(tally.judged_share)} judged)"
    text = f"{count(tally.matched)} of {count(tally.compared)} pairs match{judged}"
    if tally.pending:
        text += f"; {count(tally.pending)} more need controls that tell noise from change"
    if tally.unshown:
        text += f"; of {count(tally.unshown)} expected ones it is not shown yet that they are rare"
    worst = next((d for d in tally.differences if d.counts), None)
    if worst:
        text += f"; most often {worst.sentence()} in {count(worst.pairs)} pairs"
    return text + _in_bursts("mismatches", effect)


def _in_bursts(what: str, effect: float) -> str:
    return f"; {what} come in bursts, so that {effect:.1f} count as one" if effect >= BURSTS else ""


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
    limit, failures = ratio(settings.max_excess_percent), case.ledger.failures
    shadow, reference = case.tally.total(f"shadow_{what}"), case.tally.total(f"reference_{what}")
    seen = Failed(
        shadow,
        reference,
        trials,
        effect=getattr(failures, what).effect(shadow, reference),
        alone=getattr(failures, f"shadow_{what}").effect(shadow),
    )
    rate = _Rate(
        passes=seen.passes(limit),
        fails=seen.fails(limit),
        needed=seen.needed(limit),
        trials=trials,
    )
    gate = Gate(
        name=name,
        result=GateResult.INCONCLUSIVE,
        observed=_points((shadow - reference) / trials),
        threshold=f"<= {settings.max_excess_percent}%",
        bound=_points(seen.most),
        samples=trials,
        source="comparator",
    )
    sentence = (
        f"{count(shadow)} {what} of the shadow against {count(reference)} of the reference in "
        f"{count(trials)} requests{_mostly(case.tally, what)}{_in_bursts(what, seen.effect)}"
    )
    return _judged(case, gate, rate, sentence)


@dataclass(frozen=True, slots=True)
class Failed:
    """Requests in which one side alone failed, and how many of them count as one."""

    shadow: int
    reference: int
    requests: int
    effect: float = 1.0
    """Design effect of the excess (`core/numbers/clusters`)."""
    alone: float = 1.0
    """Of the shadow's failures by themselves."""

    def fails(self, limit: float) -> bool:
        """Return whether the excess is shown to be larger."""
        requests = self.requests / self.effect
        shown = excess.below(
            self.reference / self.effect, self.shadow / self.effect, requests, -limit
        )
        return self.requests >= EARLY_PAIRS and shown >= -log(FAILING)

    def passes(self, limit: float) -> bool:
        """Return whether the excess is shown to be at most that."""
        return any(
            excess.below(way.shadow, way.reference, way.requests, limit) >= -log(way.level)
            for way in self._ways
        )

    @property
    def most(self) -> float:
        """Upper bound of the excess."""
        return min(excess.upper_bound(*way) for way in self._ways)

    def needed(self, limit: float) -> int | None:
        """Return how many requests pass if no further failure comes; None: none can."""
        found = (
            (excess.requests_below(way.shadow, way.reference, limit, way.level), way)
            for way in self._ways
        )
        many = (ceil(n * self.requests / way.requests) for n, way in found if n is not None)
        return min(many, default=None)

    @property
    def _ways(self) -> tuple["_Way", ...]:
        """Give the ways to bound the excess from above.

        What fails in the reference only lowers it. So without it the bound is one, too: a burst of
        the reference does not hold up a shadow that did not fail. As long as the reference fails
        nothing, both ways are one, and have the whole level; then they share it, as two gamblers
        would who began with a part of the wealth each.
        """
        requests = self.requests
        alone = _Way(self.shadow / self.alone, 0.0, requests / self.alone, PASSING)
        if not self.reference:
            return (alone,)
        shadow, reference = self.shadow / self.effect, self.reference / self.effect
        both = _Way(shadow, reference, requests / self.effect, (1 - ALONE) * PASSING)
        return (both, alone._replace(level=ALONE * PASSING))


class _Way(NamedTuple):
    """Arguments of `excess.upper_bound`."""

    shadow: float
    reference: float
    requests: float
    level: float


def _mostly(tally: Tally, what: str) -> str:
    """Name the route where the shadow fails most in excess of the reference."""

    def more(route: RouteTally) -> int:
        failed: int = getattr(route, f"shadow_{what}") - getattr(route, f"reference_{what}")
        return failed

    worst = max(tally.routes, key=more)
    return f", most of them in {worst.name}" if more(worst) > 0 else ""


def _points(difference: float) -> str:
    return f"{difference * 100:+.3f}%"


@dataclass(frozen=True, slots=True)
class _Rate:
    passes: bool
    fails: bool
    needed: int | None
    """Trials with which it passes if no further failure comes; None: never."""
    trials: int
    hangs: bool = False
    """Whether it would pass if all undecided pairs turned out well."""


def _judged(case: Case, gate: Gate, rate: _Rate, sentence: str) -> Outcome:
    """Judge a rate by the bounds of now."""
    if rate.fails:
        return Outcome(concluded(gate, GateResult.FAILED, f"{sentence}."))
    if rate.passes:
        return Outcome(concluded(gate, GateResult.PASSED, f"{sentence}."))
    if rate.hangs:
        text = f"{sentence}; the decision waits for what is undecided."
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, text), on_course=not case.soaked)
    if rate.needed is None:
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, f"{sentence}. {NEVER}"))
    wait = case.wait(rate.needed - rate.trials, rate.trials)
    return wait.outcome(gate, f"{sentence}; {wait.clause}.")
