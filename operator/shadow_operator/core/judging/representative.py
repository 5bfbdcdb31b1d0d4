"""Whether the clones answer as production does: two that lack its state agree, and prove nothing.

The statuses of the reference's answers are held against those of production's own answers to the
same requests: by declared template, and for all other routes together.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from shadow_operator.api.evidence import RouteCounts
from shadow_operator.core.comparing import mix
from shadow_operator.core.comparing.mix import BEYOND, Statuses
from shadow_operator.core.counting.tally import RouteTally
from shadow_operator.core.judging.case import Case
from shadow_operator.core.judging.unproven import REFUSALS, missing_credential, production_of
from shadow_operator.core.numbers.statistics import lower_bound, upper_bound
from shadow_operator.core.wording import percent

LEVEL: Final = 0.01
"""Chance that alike mixes are called unlike, at one look."""


@dataclass(frozen=True, slots=True)
class Unlike:
    """Two mixes that differ beyond the bound."""

    usual: str
    """Group that is rarer in the clones."""
    production: float
    """Its share in production."""
    instead: str
    """Group that is more frequent in the clones."""
    clones: float
    """Its share in the clones."""

    def sentence(self, advice: str) -> str:
        """Say as a clause how they differ, and what to do."""
        return (
            f"production answers {self.usual} in {percent(self.production, 0)} of its requests, "
            f"the clones {self.instead} in {percent(self.clones, 0)}: {advice}"
        )


def unlike(production: Statuses, clones: Statuses) -> Unlike | None:
    """Return how the mixes differ, or None where they may be alike.

    They differ where the exact bounds (Clopper and Pearson) of a group's two shares lie further
    apart than `BEYOND`; the level is split over groups and bounds.
    """
    groups = sorted({*production, *clones})
    theirs, mine = sum(production.values()), sum(clones.values())
    if not theirs or not mine:
        return None
    level = LEVEL / (2 * len(groups))
    differ = any(
        _apart(clones.get(group, 0), mine, production.get(group, 0), theirs, level)
        or _apart(production.get(group, 0), theirs, clones.get(group, 0), mine, level)
        for group in groups
    )
    if not differ:
        return None
    excess = {g: clones.get(g, 0) / mine - production.get(g, 0) / theirs for g in groups}
    usual, instead = min(groups, key=excess.__getitem__), max(groups, key=excess.__getitem__)
    return Unlike(usual, production.get(usual, 0) / theirs, instead, clones[instead] / mine)


def _apart(many: int, of_many: int, few: int, of_few: int, level: float) -> bool:
    if many / of_many - few / of_few <= BEYOND:
        return False
    return lower_bound(many, of_many, level) - upper_bound(few, of_few, level) > BEYOND


def is_counted(case: Case, template: str) -> bool:
    """Whether production's answers are counted of this template by itself."""
    return template in case.spec.effective_routes[: mix.MOST_TEMPLATES]


def not_representative(case: Case, route: RouteTally) -> str | None:
    """Return how a route of the clones answers otherwise than production, and what to do."""
    template = route.name.partition(" ")[2]
    if is_counted(case, template):
        mine = _answers(one for one in case.tally.counts.routes if one.template == template)
        found = unlike(production_of(case, template), mine)
    else:
        found = _unlike_the_rest(case, route)
    return found.sentence(_advice(case, found.instead)) if found else None


def _unlike_the_rest(case: Case, route: RouteTally) -> Unlike | None:
    """Blame a route for the mix of all that are not counted singly, if it has its part in it."""
    rest, routes = _rest(case), case.tally.counts.routes
    mine = unlike(rest, _answers(one for one in routes if one.name == route.name))
    if mine is None:  # nearly always, and cheaper than to look at all
        return None
    together = unlike(rest, _answers(o for o in routes if not is_counted(case, o.template)))
    return mine if together and together.instead == mine.instead else None


def _rest(case: Case) -> Statuses:
    counted = case.ledger.answers
    rest = Counter(counted.get(mix.ALL, {}))
    for template in case.spec.effective_routes[: mix.MOST_TEMPLATES]:
        rest -= Counter(counted.get(mix.key(template), {}))  # nothing falls below zero
    return mix.whole(rest)


def _answers(routes: Iterable[RouteCounts]) -> Statuses:
    total: Counter[str] = Counter()
    for route in routes:
        total.update(route.reference_statuses)
    return total


_ADVICE: Final[Mapping[str, str]] = {
    "404": "they lack its data; seed the clones, or let them reach it (clones.egressTo)",
    "429": "they limit their clients; raise that limit in clones.env",
    "5xx": "they lack something that they call; let them reach it (clones.egressTo)",
    "2xx": "its state is not theirs; seed the clones",
    "3xx": "they may lack a credential; see mirror.forwardHeaders",
}


def _advice(case: Case, group: str) -> str:
    if group in REFUSALS:
        carried = missing_credential(case)
        if carried:
            return f"list {carried[0]} in mirror.forwardHeaders"
        return "they lack a credential (mirror.forwardHeaders), or a Secret of production's"
    return _ADVICE.get(group, "see what production has and they lack")
