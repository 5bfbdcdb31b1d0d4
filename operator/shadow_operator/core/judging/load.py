"""Load of a clone against load of a production pod: more of it, and latencies say nothing."""

from collections.abc import Callable
from functools import wraps
from math import ceil
from typing import Final

from shadow_operator.api.enums import GateResult, MirrorProvider
from shadow_operator.core.judging.case import Case, Outcome, concluded
from shadow_operator.core.wording import count

LARGEST_LOAD: Final = 1.5
"""Times the load of a production pod that a clone may have."""
_SLACK: Final = 1.05
"""Production and comparators are not read at the same moment."""
LEAST_COPIES: Final = 100
"""Fewer copies don't tell how much load there is."""
UNKNOWN: Final = " How much load a production pod has is not known with this mirror."


def unlike(case: Case) -> str:
    """Say that the clones have more load than production, and what helps; empty if they have not.

    Known where something counts production's requests.
    """
    load, by_envoy = case.ledger.load, case.spec.mirror.provider is MirrorProvider.ENVOY
    copies = case.ledger.coverage.expected if by_envoy else case.ledger.answered
    if not known(case) or not load.production or copies < LEAST_COPIES:
        return ""
    times = load.shadow / load.production
    if times <= LARGEST_LOAD * _SLACK:
        return ""
    room = LARGEST_LOAD * load.production - load.everywhere
    if room > 0:
        now = case.spec.clones.replicas
        wanted = ceil(now * (load.shadow - load.everywhere) / room)
        advice = f"clones.replicas: {count(max(wanted, now + 1))} makes it comparable"
    else:
        advice = "requests that go to every clone are most of it; a lower samplingPercent helps"
    return f"A clone gets {times:.1f} times the load of a production pod; {advice}."


def known(case: Case) -> bool:
    """Return whether production's load is counted."""
    return case.spec.sees_production


def like_production(judge: Callable[[Case], Outcome]) -> Callable[[Case], Outcome]:
    """Let a gate decide only where a clone's load is like that of a production pod."""

    @wraps(judge)
    def judged(case: Case) -> Outcome:
        outcome = judge(case)
        why = unlike(case)
        if not why or outcome.gate.result is GateResult.NOT_APPLICABLE:
            return outcome
        text = f"{why} {outcome.gate.message}"
        return Outcome(concluded(outcome.gate, GateResult.INCONCLUSIVE, text))

    return judged
