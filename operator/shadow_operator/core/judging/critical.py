"""Gate on critical differences: what is reproduced fails, what is not must be shown to be rare."""

from dataclasses import replace

from shadow_operator.api.base import ratio
from shadow_operator.api.enums import GateName, GateResult
from shadow_operator.api.status import Gate
from shadow_operator.core.counting.tally import Difference
from shadow_operator.core.judging.case import Case, Outcome, concluded, inconclusive, not_applicable
from shadow_operator.core.judging.levels import PASSING
from shadow_operator.core.judging.rates import passes
from shadow_operator.core.numbers.sequential import trials_below
from shadow_operator.core.wording import count, percent


def critical_differences(case: Case) -> Outcome:
    """No critical difference: reproduced, and not noise."""
    name = GateName.CRITICAL_DIFFERENCES
    if not case.compares:
        return not_applicable(name, "There is no reference to differ from.")
    if not case.tally.compared:
        return inconclusive(name, "No pair was compared yet.")
    critical = [d for d in case.tally.differences if d.critical]
    proved = [d for d in critical if d.counts and d.reproduced]
    open_ = [d for d in critical if not _is_rare(case, d)]
    gate = Gate(
        name=name,
        result=GateResult.PASSED,
        observed=count(len(proved)),
        threshold="0",
        samples=case.tally.compared,
        source="comparator",
        message=_harmless_sentence(case, critical),
    )
    if proved:
        return Outcome(concluded(gate, GateResult.FAILED, _critical_sentence(case, proved)))
    if open_:
        return _unproved(case, gate, open_)
    return Outcome(gate)


def _is_rare(case: Case, difference: Difference) -> bool:
    """Whether what was seen and never again is shown to be as rare as a mismatch may be.

    A restart somewhere can make one answer of a day another one; that alone must not keep the
    gate open for ever. What a person calls critical is no such thing.
    """
    if difference.reproduced or difference.listed:
        return False
    return passes(difference.pairs, _pairs_of(case, difference), _rare(case))


def _rare(case: Case) -> float:
    return 1 - ratio(case.spec.gates.match_rate.min_percent)


def _pairs_of(case: Case, difference: Difference) -> int:
    return sum(r.compared + r.pending for r in case.tally.routes if r.name == difference.route)


def _harmless_sentence(case: Case, rare: list[Difference]) -> str:
    if not rare:
        return f"No critical difference in {count(case.tally.compared)} pairs."
    more = f", as {len(rare) - 1} more are" if len(rare) > 1 else ""
    first = rare[0]
    return (
        f"No critical difference was reproduced in {count(case.pairs)} pairs; {first.sentence()}, "
        f"seen in {count(first.pairs)}, is rarer than {percent(_rare(case))}{more}."
    )


def _critical_sentence(case: Case, proved: list[Difference]) -> str:
    more = f", and {len(proved) - 1} more" if len(proved) > 1 else ""
    return (
        f"{proved[0].sentence()} in {count(proved[0].pairs)} of {count(case.tally.compared)} "
        f"pairs{more}."
    )


def _unproved(case: Case, gate: Gate, open_: list[Difference]) -> Outcome:
    """Wait until each counts or is shown to be rare; where pairs alone need not do, say that."""
    missing = [(_until_rare(case, one), _pairs_of(case, one), one) for one in open_]
    unsure = next((one for pairs, _, one in missing if pairs is None), None)
    if unsure is not None:
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, _unsure_sentence(unsure)))
    pairs, sofar, slowest = max(missing, key=lambda one: (one[0] or 0) / max(1, one[1]))
    wait = case.wait(pairs or 0, sofar, "pairs of the route")
    text = (
        f"{_seen(slowest)}; it counts once 3 pairs in 2 intervals show it. To show that it is "
        f"rarer than {percent(_rare(case))}, {wait.clause}."
    )
    # It passes with time, but until then a person should look at it.
    return replace(wait.outcome(gate, text), on_course=False)


def _until_rare(case: Case, difference: Difference) -> int | None:
    """Return how many more pairs of the route show that it is rare; None: none do."""
    if difference.reproduced or difference.listed:
        return None
    needed = trials_below(difference.pairs, _rare(case), PASSING)
    return None if needed is None else max(1, needed - _pairs_of(case, difference))


def _unsure_sentence(difference: Difference) -> str:
    if difference.pending and difference.reproduced:
        return f"{_seen(difference)}; whether the reference does the same is not decided yet."
    return f"{_seen(difference)}; it counts once 3 pairs in 2 intervals show it."


def _seen(difference: Difference) -> str:
    return f"{difference.sentence()} in {count(difference.pairs)} pairs would be critical"
