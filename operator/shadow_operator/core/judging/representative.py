"""Whether the clones answer as production does: two that lack its state agree, and prove nothing.

The reference's answers are held against production's own to the same requests, by status and by the
size of their body: for each declared template, and for all other routes together.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

from shadow_operator.api.evidence import RouteCounts
from shadow_operator.core.comparing import mix
from shadow_operator.core.comparing.mix import BEYOND, SIZES, Mix
from shadow_operator.core.counting.tally import RouteTally
from shadow_operator.core.judging.case import Case
from shadow_operator.core.judging.unproven import REFUSALS, missing_credential
from shadow_operator.core.numbers.statistics import lower_bound, upper_bound
from shadow_operator.core.wording import count, percent

LEVEL: Final = 0.01
"""Chance that alike mixes are called unlike, at one look."""


class Differing(Protocol):
    """How two mixes differ beyond the bound."""

    @property
    def instead(self) -> str:
        """What the clones answer more often than production, a key of `_ADVICE`."""

    def sentence(self, advice: str) -> str:
        """Say as a clause how they differ, and what to do."""


@dataclass(frozen=True, slots=True)
class Unlike:
    """Two mixes of statuses that differ."""

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


def unlike(production: Mix, clones: Mix) -> Unlike | None:
    """Return how mixes of statuses differ, or None where they may be alike.

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


SMALLER: Final = "smaller"
LARGER: Final = "larger"


@dataclass(frozen=True, slots=True)
class Shifted:
    """Two mixes of sizes, one of which is shifted by more than a whole class."""

    instead: str
    """What the clones' answers are: `SMALLER` or `LARGER`."""
    production: float
    """Share of production's answers that have so many bytes or more:"""
    production_bytes: int
    clones: float
    """Share of the clones' that have so many or more:"""
    clones_bytes: int

    def sentence(self, advice: str) -> str:
        """Say as a clause how they differ, and what to do."""
        return (
            f"of production's answers {percent(self.production, 0)} have "
            f"{count(self.production_bytes)} bytes or more, of the clones' "
            f"{percent(self.clones, 0)} have {count(self.clones_bytes)} or more: {advice}"
        )


def shifted(production: Mix, clones: Mix) -> Shifted | None:
    """Return how mixes of sizes differ, or None where they may be alike.

    They differ where the share of one that is as large as a class or larger exceeds the share of
    the other that is as large as the class *below* it or larger, by the exact bounds of `unlike`.
    So bodies that differ by less than the width of a class never do.
    """
    theirs, mine = sum(production.values()), sum(clones.values())
    if not theirs or not mine:
        return None
    steps = list(pairwise(SIZES[1:]))
    level = LEVEL / (4 * len(steps))
    found: list[Shifted] = []
    for low, high in steps:
        many, few = _at_least(production, high), _at_least(clones, low)
        if _apart(many, theirs, few, mine, level):
            found.append(Shifted(SMALLER, many / theirs, high, few / mine, low))
        many, few = _at_least(clones, high), _at_least(production, low)
        if _apart(many, mine, few, theirs, level):
            found.append(Shifted(LARGER, few / theirs, low, many / mine, high))
    return max(found, key=lambda one: abs(one.production - one.clones), default=None)


def _at_least(sizes: Mix, size: int) -> int:
    return sum(n for begin, n in sizes.items() if int(begin) >= size)


def _apart(many: int, of_many: int, few: int, of_few: int, level: float) -> bool:
    if many / of_many - few / of_few <= BEYOND:
        return False
    return lower_bound(many, of_many, level) - upper_bound(few, of_few, level) > BEYOND


def is_counted(case: Case, template: str) -> bool:
    """Whether production's answers are counted of this template by itself."""
    return template in case.spec.effective_routes[: mix.MOST_TEMPLATES]


@dataclass(frozen=True, slots=True)
class _Aspect:
    """One way in which answers are held against production's."""

    differ: Callable[[Mix, Mix], Differing | None]
    production: Callable[[Case], Mapping[str, Mix]]
    """Key of the mix -> production's answers, in hundredths."""
    clones: Callable[[RouteCounts], Mix]

    def of(self, case: Case, route: RouteTally) -> Differing | None:
        """Return how a route of the clones differs from production."""
        template = route.name.partition(" ")[2]
        if is_counted(case, template):
            mine = self._sum(one for one in case.tally.counts.routes if one.template == template)
            return self.differ(mix.whole(self.production(case).get(mix.key(template), {})), mine)
        return self._of_the_rest(case, route)

    def _of_the_rest(self, case: Case, route: RouteTally) -> Differing | None:
        """Blame a route for the mix of all that are not counted singly, if it has its part."""
        rest, routes = self._rest(case), case.tally.counts.routes
        mine = self.differ(rest, self._sum(one for one in routes if one.name == route.name))
        if mine is None:  # nearly always, and cheaper than to look at all
            return None
        others = self._sum(one for one in routes if not is_counted(case, one.template))
        together = self.differ(rest, others)
        return mine if together and together.instead == mine.instead else None

    def _rest(self, case: Case) -> Mix:
        counted = self.production(case)
        rest = Counter(counted.get(mix.ALL, {}))
        for template in case.spec.effective_routes[: mix.MOST_TEMPLATES]:
            rest -= Counter(counted.get(mix.key(template), {}))  # nothing falls below zero
        return mix.whole(rest)

    def _sum(self, routes: Iterable[RouteCounts]) -> Mix:
        total: Counter[str] = Counter()
        for route in routes:
            total.update(self.clones(route))
        return total


_ASPECTS: Final = (
    _Aspect(unlike, lambda case: case.ledger.answers, lambda route: route.reference_statuses),
    _Aspect(shifted, lambda case: case.ledger.sizes, lambda route: route.reference_sizes),
)
"""The first in which a route differs is named: what fails is small as well."""


def not_representative(case: Case, route: RouteTally) -> str | None:
    """Return how a route of the clones answers otherwise than production, and what to do."""
    for aspect in _ASPECTS:
        found = aspect.of(case, route)
        if found:
            return found.sentence(_advice(case, found.instead))
    return None


_ADVICE: Final[Mapping[str, str]] = {
    "404": "they lack its data; seed the clones, or let them reach it (clones.egressTo)",
    "429": "they limit their clients; raise that limit in clones.env",
    "5xx": "they lack something that they call; let them reach it (clones.egressTo)",
    "2xx": "its state is not theirs; seed the clones",
    SMALLER: "they lack its data; seed the clones",
    LARGER: "its state is not theirs; seed the clones",
    "3xx": "they may lack a credential; see mirror.forwardHeaders",
}


def _advice(case: Case, group: str) -> str:
    if group in REFUSALS:
        carried = missing_credential(case)
        if carried:
            return f"list {carried[0]} in mirror.forwardHeaders"
        return "they lack a credential (mirror.forwardHeaders), or a Secret of production's"
    return _ADVICE.get(group, "see what production has and they lack")
