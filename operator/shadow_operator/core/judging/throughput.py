"""Gate on throughput: what the shadow answered of the requests that the reference answered."""

from shadow_operator.api.enums import GateName, GateResult
from shadow_operator.api.status import Gate
from shadow_operator.core.judging.case import Case, Outcome, concluded, inconclusive, not_applicable
from shadow_operator.core.judging.levels import FAILING, PASSING
from shadow_operator.core.judging.rates import NEVER
from shadow_operator.core.numbers.sequential import lower_bound, trials_below, upper_bound
from shadow_operator.core.wording import count


def throughput(case: Case) -> Outcome:
    """Answers of the shadow against those of the reference, of the same requests.

    Both are asked the same at the same moment, so they differ only by what one of them failed to
    answer; an answer with an error is an answer.
    """
    name, limit = GateName.THROUGHPUT, case.spec.gates.throughput.max_difference_percent
    if not case.compares:
        return not_applicable(name, "There is no reference to compare with.")
    total, mine, its = _lost(case)
    if total <= its:
        return inconclusive(name, "The reference answered nothing yet.")
    differs = max(upper_bound(mine, total, PASSING), upper_bound(its, total, PASSING))
    surely = max(
        lower_bound(mine, total, FAILING / 4) - upper_bound(its, total, FAILING / 4),
        lower_bound(its, total, FAILING / 4) - upper_bound(mine, total, FAILING / 4),
    )
    gate = Gate(
        name=name,
        result=GateResult.INCONCLUSIVE,
        observed=f"{100 * ((total - mine) / (total - its) - 1):+.2f}%",
        threshold=f"within {limit}%",
        bound=f"{100 * differs:.2f}%",
        samples=total,
        source="comparator",
    )
    sentence = (
        f"The shadow answered {_rate(case, total - mine)} and the reference "
        f"{_rate(case, total - its)}, of the same requests"
    )
    if surely > limit / 100:
        return Outcome(concluded(gate, GateResult.FAILED, f"{sentence}."))
    if differs <= limit / 100:
        return Outcome(concluded(gate, GateResult.PASSED, f"{sentence}."))
    needed = trials_below(max(mine, its), limit / 100, PASSING)
    if needed is None:
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, f"{sentence}. {NEVER}"))
    wait = case.wait(needed - total, total)
    return wait.outcome(gate, f"{sentence}; {wait.clause}.")


def _lost(case: Case) -> tuple[int, int, int]:
    """Return the requests that one of them answered at least, and what each of them lost."""
    routes = case.tally.counts.routes
    mine = sum(route.shadow_errors + route.shadow_timeouts for route in routes)
    its = sum(route.reference_errors + route.reference_timeouts for route in routes)
    neither = sum(route.both_errors + route.both_timeouts for route in routes)
    return case.tally.attempts - neither, mine, its


def _rate(case: Case, answers: int) -> str:
    if not case.seconds:
        return f"{count(answers)} requests"
    return f"{answers / case.seconds:.1f} requests a second"
