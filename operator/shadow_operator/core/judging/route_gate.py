"""Which routes are judged, each by itself: a mean over all of them hides the one that is not.

A route that must be judged is one that many of the requests take, or that the spec names. What a
route lacks is looked for in the order in which it helps to know it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from shadow_operator.api.base import ratio
from shadow_operator.api.enums import GateMode, GateName, GateResult, RouteResult
from shadow_operator.api.status import Gate, RouteStatus
from shadow_operator.core.comparing.named import same_route
from shadow_operator.core.counting.tally import RouteTally
from shadow_operator.core.judging.case import (
    Case,
    Outcome,
    Wait,
    concluded,
    inconclusive,
    not_applicable,
)
from shadow_operator.core.judging.levels import FAILING, PASSING
from shadow_operator.core.judging.representative import not_representative
from shadow_operator.core.judging.unproven import advised, allowed_unproven, production_of
from shadow_operator.core.numbers.sequential import lower_bound, upper_bound
from shadow_operator.core.wording import count, percent, ratio_text

LISTED: Final = 20
"""Routes in status."""


@dataclass(frozen=True, slots=True)
class RouteJudgement:
    """How one route stands."""

    route: RouteTally
    result: RouteResult
    missing: str = ""
    """What it lacks, or why it fails, as a clause."""
    pairs: int = 0
    """More pairs that it needs, where it needs nothing else."""

    @property
    def sentence(self) -> str:
        """Name the route and what it lacks."""
        return f"{self.route.name}: {self.missing}"


def routes(case: Case) -> Outcome:
    """Every route that must be judged is, and none fails on its own bound."""
    name = GateName.ROUTES
    if not case.compares:
        return not_applicable(name, "There is no reference to compare with.")
    judged = judged_routes(case)
    if not case.tally.attempts:
        return inconclusive(name, "No pair was compared yet.")
    due = [one for one in judged if one.result is not RouteResult.UNTESTED]
    done = [one for one in due if one.result is RouteResult.JUDGED]
    gate = Gate(
        name=name,
        result=GateResult.PASSED,
        observed=f"{len(done)} of {len(due)} judged",
        threshold="all",
        samples=case.tally.compared,
        source="comparator",
    )
    failed = [one for one in judged if one.result is RouteResult.FAILED]
    if failed:
        return Outcome(concluded(gate, GateResult.FAILED, f"{_named(failed)}."))
    if not due:
        text = f"No route is judged, for each is rare; the first: {_named(list(judged[:1]))}."
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, text))
    missing = [one for one in due if one.result is RouteResult.INCONCLUSIVE]
    if missing:
        return _undecided(case, gate, missing)
    rare = [one.route.name for one in judged if one.result is RouteResult.UNTESTED]
    text = f"All {len(due)} routes that must be judged are.{_untested(rare)}"
    return Outcome(concluded(gate, GateResult.PASSED, text))


def _undecided(case: Case, gate: Gate, missing: list[RouteJudgement]) -> Outcome:
    waits = all(one.pairs for one in missing)
    if not waits:
        # What time alone does not cure is said first.
        missing = sorted(missing, key=lambda one: bool(one.pairs))
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, f"{_named(missing)}."))
    wait = _wait(case, missing)
    return wait.outcome(gate, f"{_named(missing)}; {wait.clause}.")


def _wait(case: Case, missing: Iterable[RouteJudgement]) -> Wait:
    """Wait for so many requests of all routes as bring the missing pairs of the slowest one."""
    total = case.tally.attempts
    needed = max(one.pairs * total / max(1, one.route.pairs) for one in missing)
    return case.wait(needed, total, "pairs of all routes")


def _named(routes: list[RouteJudgement]) -> str:
    more = f"; and {len(routes) - 3} more routes" if routes[3:] else ""
    return "; ".join(one.sentence for one in routes[:3]) + more


def _untested(rare: list[str]) -> str:
    if not rare:
        return ""
    more = f" and {len(rare) - 3} more" if rare[3:] else ""
    return f" Untested, because rare: {', '.join(rare[:3])}{more}."


def judged_routes(case: Case) -> tuple[RouteJudgement, ...]:
    """Judge every route: those that fail first, then those that lack something, then by size."""
    found = [_judged(case, route) for route in case.tally.routes if route.attempts]
    found += [
        RouteJudgement(RouteTally(name=template), RouteResult.INCONCLUSIVE, "no request for it yet")
        for template in case.spec.gates.routes.required
        if not any(_is(template, one.route) for one in found)
    ]
    return tuple(sorted(found, key=_rank))


_ORDER: Final = (
    RouteResult.FAILED,
    RouteResult.INCONCLUSIVE,
    RouteResult.JUDGED,
    RouteResult.UNTESTED,
)


def _rank(one: RouteJudgement) -> tuple[int, int, str]:
    return (_ORDER.index(one.result), -one.route.attempts, one.route.name)


def _judged(case: Case, route: RouteTally) -> RouteJudgement:
    for check in CHECKS:
        found = check(case, route)
        if found is None:
            continue
        if found.result is RouteResult.INCONCLUSIVE and not _is_due(case, route):
            return RouteJudgement(route, RouteResult.UNTESTED, found.missing)
        return found
    return RouteJudgement(route, RouteResult.JUDGED)


def _is_due(case: Case, route: RouteTally) -> bool:
    """Whether it must be judged: many requests take it, or the spec names it."""
    settings = case.spec.gates.routes
    if route.attempts * 100 > settings.min_share_percent * case.tally.attempts:
        return True
    return any(_is(template, route) for template in settings.required)


def _is(template: str, route: RouteTally) -> bool:
    method, _, path = route.name.partition(" ")
    return same_route(template, method=method, template=path)


def _fails(case: Case, route: RouteTally) -> RouteJudgement | None:
    """Too many pairs of it mismatch, which all routes together may hide."""
    settings = case.spec.gates.match_rate
    total = route.compared + route.pending
    if settings.mode is not GateMode.REQUIRED or total < case.spec.gates.minimum_pairs.per_route:
        return None
    level, effect = FAILING / len(case.tally.routes), case.design_effect
    shown = lower_bound(route.mismatched / effect, total / effect, level)
    if shown <= 1 - ratio(settings.min_percent):
        return None
    worst = next((d for d in case.tally.differences if d.route == route.name and d.counts), None)
    text = f"{count(route.mismatched)} of {count(total)} pairs mismatch"
    if worst:
        text += f", most often {worst.place.path} {worst.place.kind}"
    return RouteJudgement(route, RouteResult.FAILED, text)


def _is_unlike_production(case: Case, route: RouteTally) -> RouteJudgement | None:
    """Clones answer it otherwise than production does, so that they test something else."""
    found = not_representative(case, route)
    return _lacks(route, found) if found else None


def _proves_too_little(case: Case, route: RouteTally) -> RouteJudgement | None:
    """Most of its pairs prove nothing, which is not so in production; more would not either."""
    unproven = sum(route.unproven.values())
    production = production_of(case, route.name.partition(" ")[2])
    if unproven <= allowed_unproven(case, production) * route.attempts:
        return None
    return _lacks(route, advised(case, route.unproven, route.attempts))


def _has_few_pairs(case: Case, route: RouteTally) -> RouteJudgement | None:
    minimum = case.spec.gates.minimum_pairs.per_route
    if route.pairs >= minimum:
        return None
    text = f"{count(route.pairs)} of {count(minimum)} pairs"
    return RouteJudgement(route, RouteResult.INCONCLUSIVE, text, minimum - route.pairs)


def _is_mostly_excused(case: Case, route: RouteTally) -> RouteJudgement | None:
    minimum, share = case.spec.gates.judged_share.min_percent, route.judged_share
    if share is None or share >= minimum / 100:
        return None
    return _lacks(
        route, f"only {percent(share)} of its values are judged, the rest is noise or ignored"
    )


def _lacks(route: RouteTally, what: str) -> RouteJudgement:
    return RouteJudgement(route, RouteResult.INCONCLUSIVE, what)


CHECKS: Final[tuple[Callable[[Case, RouteTally], RouteJudgement | None], ...]] = (
    _fails,
    _is_unlike_production,
    _proves_too_little,
    _has_few_pairs,
    _is_mostly_excused,
)
"""In this order; the first that has something to say decides."""


def listed(case: Case) -> tuple[RouteStatus, ...]:
    """Give the routes as status lists them."""
    return tuple(map(_status, judged_routes(case)[:LISTED])) if case.compares else ()


def _status(one: RouteJudgement) -> RouteStatus:
    route = one.route
    total, share = route.compared + route.pending, route.judged_share
    bad = route.mismatched + route.pending + route.unshown
    return RouteStatus(
        name=route.name,
        pairs=route.pairs,
        match_rate_lower_bound=(
            ratio_text(1 - upper_bound(bad, total, PASSING)) if total else None
        ),
        judged_share=None if share is None else ratio_text(share),
        result=one.result,
        missing=one.missing or None,
    )
