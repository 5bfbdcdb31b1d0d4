"""Pairs that prove nothing: how many there may be, why they are none, and what to do about it."""

from collections import Counter
from collections.abc import Mapping
from math import ceil
from typing import Final

from shadow_operator.api.enums import GateName, GateResult
from shadow_operator.api.evidence import CREDENTIAL_HEADERS
from shadow_operator.api.status import Gate, Needs
from shadow_operator.core.comparing import mix
from shadow_operator.core.judging.case import Case, Outcome, concluded, inconclusive, not_applicable
from shadow_operator.core.wording import count, percent, words


def unproven(case: Case) -> Outcome:
    """Pairs that prove nothing: both sides 401 for want of a credential, no answer to compare with.

    What is left out of the comparison must not be most of it, nor a choice of its own.
    """
    name, tally = GateName.UNPROVEN, case.tally
    total = tally.attempts
    if not case.compares:
        return not_applicable(name, "There is no reference to compare with.")
    if not total:
        return inconclusive(name, "No pair was compared yet.")
    maximum = case.spec.gates.unproven.max_percent
    allowed = allowed_unproven(case, production_of(case))
    own = allowed > maximum / 100
    gate = Gate(
        name=name,
        result=GateResult.PASSED,
        observed=percent(tally.unproven / total),
        threshold=f"<= {percent(allowed)}{' (production)' if own else ''}",
        samples=total,
        source="comparator",
        message=f"{count(tally.unproven)} of {count(total)} pairs prove nothing.",
    )
    if tally.unproven / total > allowed:
        # Time alone brings none of them: what came so far proves too little.
        good = ceil(tally.unproven / allowed) - total if allowed else None
        text, needs = _unproven_sentence(case, total), Needs(pairs=good) if good else None
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, text, needs))
    if tally.unproven / total > maximum / 100:
        text = f"{gate.message[:-1]}, no larger a share than of production's own answers."
        return Outcome(concluded(gate, GateResult.PASSED, text))
    return Outcome(gate)


def production_of(case: Case, template: str = "") -> mix.Mix:
    """Return production's answers: of a template that it is counted of, or of all routes."""
    counted = case.ledger.answers.get(mix.key(template) if template else mix.ALL, {})
    return mix.whole(counted)


def allowed_unproven(case: Case, production: mix.Mix) -> float:
    """Return which share of pairs may prove nothing: the spec's, or production's own if larger."""
    maximum, own = case.spec.gates.unproven.max_percent / 100, mix.unproven_share(production)
    return max(maximum, min(1.0, own + mix.BEYOND)) if own else maximum


REFUSALS: Final = frozenset({"401", "403", "407"})
"""Statuses for want of a credential."""

_UNPROVEN: Final = {
    "both_errors": ("neither side answered", "see what the clones can't reach"),
    "both_timeouts": ("neither side answered in time", "see what the clones wait for"),
    "reference_errors": ("the reference did not answer", "see what it can't reach"),
    "reference_timeouts": ("the reference did not answer in time", "see what it waits for"),
    "BodyTooLarge": ("bodies were too large to keep", "comparison.maxBodyBytes keeps more"),
    "Memory": ("there was no memory for bodies", "a lower mirror.maxRequestsPerSecond needs less"),
    "404": ("both sides answered 404", "the clones may lack production's data"),
    "429": ("both sides answered 429", "the clones limit their clients"),
}
"""Why pairs prove nothing, as a clause, and what to do about it."""


def _unproven_sentence(case: Case, total: int) -> str:
    reasons: Counter[str] = Counter()
    for route in case.tally.routes:
        reasons.update(route.unproven)
    reason, pairs = _most_frequent(reasons)
    clause, advice = explained(reason)
    text = f"In {percent(pairs / total)} of {count(total)} pairs {clause}"
    carried = missing_credential(case)
    if carried:
        header, copies = carried
        return (
            f"{text}, which proves nothing. {count(copies)} of {count(case.tally.counts.eligible)} "
            f"requests carry {header}, which copies lose; listed in mirror.forwardHeaders it goes "
            f"through."
        )
    return f"{text}, which proves nothing{'; ' + advice if advice else ''}."


def advised(case: Case, reasons: Mapping[str, int], total: int) -> str:
    """Say in one clause what most of these pairs are, and what to do about it."""
    reason, pairs = _most_frequent(reasons)
    clause, advice = explained(reason)
    carried = missing_credential(case)
    if carried and reason in REFUSALS:
        advice = f"list {carried[0]} in mirror.forwardHeaders"
    return f"in {percent(pairs / total)} of them {clause}{'; ' + advice if advice else ''}"


def _most_frequent(reasons: Mapping[str, int]) -> tuple[str, int]:
    return max(reasons.items(), key=lambda item: (item[1], item[0]))


def explained(reason: str) -> tuple[str, str]:
    """Give a reason as a clause, and what to do about it; empty where nothing is."""
    return _UNPROVEN.get(reason) or _other_reason(reason)


def _other_reason(reason: str) -> tuple[str, str]:
    if reason.isdigit():
        advice = "see why the clones can't answer" if reason[0] == "5" else ""
        return f"both sides answered {reason}", advice
    return (
        f"bodies could not be compared ({words(reason)})",
        "mirror.exclude leaves such paths out, comparison.ignore accepts their bodies",
    )


def missing_credential(case: Case) -> tuple[str, int] | None:
    """Return the credential header that most copies lose, if that explains refused pairs."""
    counts = case.tally.counts
    refused = sum(
        pairs
        for route in counts.routes
        for status, pairs in route.unproven.items()
        if status in REFUSALS
    )
    listed = {header.lower() for header in case.spec.mirror.forward_headers}
    lost = set(CREDENTIAL_HEADERS) - listed
    known = {header: n for header, n in counts.credentials.items() if header in lost and n}
    if not refused or not known:
        return None
    return max(known.items(), key=lambda item: (item[1], item[0]))
