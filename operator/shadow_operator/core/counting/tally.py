"""Counted signatures under the rules: which pairs match, which do not, and who excuses what.

Nothing here looks at values: a pair is its signature. A pair counts as

- mismatched, if a place of it is a change that no rule excuses,
- pending, if otherwise a place of it is not decided yet (too few controls),
- unproven, if otherwise its bodies were not looked through and differ as noise does,
- expected, if it carries the marker of learning and no critical difference,
- ignored, expected or noise, if every place is excused by a rule, as meant, or as noise,
- matched, if it differs nowhere.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from shadow_operator.api.enums import ReferenceMode
from shadow_operator.api.evidence import Place, PlaceKind, RouteCounts, Signature
from shadow_operator.api.spec import Spec
from shadow_operator.core.counting.counts import Counts, place_key
from shadow_operator.core.counting.differences import NOISE, Difference, Judge, Rules, places_of
from shadow_operator.core.counting.judged_share import excused_leaves
from shadow_operator.core.counting.variations import (
    EXPECTED,
    LEARNING,
    Share,
    has_owner,
    learning_percent,
)

__all__ = ["NOISE", "Difference", "RouteTally", "Tally", "is_controlled", "server_errors", "tally"]


@dataclass(frozen=True, slots=True)
class RouteTally:
    """One route under the rules: the pairs are those of the next seven counts but `overflow`."""

    name: str
    pairs: int = 0
    """Pairs that prove something."""
    identical: int = 0
    noise: int = 0
    ignored: int = 0
    expected: int = 0
    """Pairs that differ only where it is meant, or because learning changed the answer."""
    mismatched: int = 0
    overflow: int = 0
    """Of the mismatched ones, pairs whose signature found no room."""
    pending: int = 0
    critical: int = 0
    """Of the mismatched ones, pairs with a critical difference."""
    learning: int = 0
    """Of the expected ones, pairs whose answer learning changed."""
    unshown: int = 0
    """Of the expected ones, pairs of which it is not shown that they are as rare as they must."""
    unproven: Mapping[str, int] = field(default_factory=dict)
    """Why -> requests that prove nothing: `401` (both sides), `both_timeouts`, `TooLarge`."""
    attempts: int = 0
    """Requests that were sent to the shadow, whatever came back."""
    shadow_errors: int = 0
    reference_errors: int = 0
    shadow_timeouts: int = 0
    reference_timeouts: int = 0
    leaves: int = 0
    excused_leaves: int = 0
    differences: tuple[Difference, ...] = ()

    @property
    def matched(self) -> int:
        """Pairs that differ nowhere, or at excused places only."""
        return self.identical + self.noise + self.ignored + self.expected

    @property
    def compared(self) -> int:
        """Pairs whose outcome is decided."""
        return self.matched + self.mismatched

    @property
    def judged_share(self) -> float | None:
        """How much of its answers was really compared; None before the first value."""
        return 1 - self.excused_leaves / self.leaves if self.leaves else None


@dataclass(frozen=True, slots=True)
class Tally:
    """All routes under the rules."""

    counts: Counts
    routes: tuple[RouteTally, ...]
    untested: tuple[RouteTally, ...]
    """Routes with fewer pairs than a judgement of them needs."""
    differences: tuple[Difference, ...] = field(default=())
    """Critical ones first, of these the statuses, then by pairs; excused ones last."""

    def total(self, name: str) -> int:
        """Sum one count over all routes."""
        return sum(getattr(route, name) for route in self.routes)

    @property
    def matched(self) -> int:
        """Pairs that differ nowhere, or at excused places only."""
        return self.total("matched")

    @property
    def mismatched(self) -> int:
        """Pairs with a difference that counts."""
        return self.total("mismatched")

    @property
    def pending(self) -> int:
        """Undecided pairs of routes that have pairs enough to be judged.

        Those of the others leave the rate, as their routes are listed as untested.
        """
        untested = {route.name for route in self.untested}
        return sum(route.pending for route in self.routes if route.name not in untested)

    @property
    def unshown(self) -> int:
        """Expected pairs of which it is not shown that they are as rare as they must be."""
        return self.total("unshown")

    @property
    def compared(self) -> int:
        """Pairs whose outcome is decided."""
        return self.matched + self.mismatched

    @property
    def match_rate(self) -> float | None:
        """Matched pairs of compared ones; None before the first."""
        return self.matched / self.compared if self.compared else None

    @property
    def judged_share(self) -> float | None:
        """How much of the answers was really compared: leaves at places that nothing excuses."""
        leaves = self.total("leaves")
        return 1 - self.total("excused_leaves") / leaves if leaves else None

    @property
    def unproven(self) -> int:
        """Requests that prove nothing."""
        return sum(sum(route.unproven.values()) for route in self.routes)

    @property
    def attempts(self) -> int:
        """Requests that were sent to the shadow, whatever came back."""
        return self.total("attempts")


def is_controlled(spec: Spec) -> bool:
    """Return whether the spec lets a second reference pod be asked."""
    return spec.reference.control_percent > 0 and spec.clones.replicas >= 2


def tally(spec: Spec, counts: Counts, *, interval: float) -> Tally:
    """Apply the rules of `spec` to what was counted."""
    controlled = is_controlled(spec)
    alone = spec.reference.mode is ReferenceMode.NONE
    rules = Rules(spec.comparison, spec.effective_learning_marker, controlled, interval)
    routes = _with_learning(
        rules, tuple(_route(route, rules, alone=alone) for route in counts.routes)
    )
    minimum = spec.gates.minimum_pairs.per_route
    return Tally(
        counts=counts,
        routes=routes,
        untested=() if alone else tuple(r for r in routes if r.pairs < minimum),
        differences=tuple(sorted((d for r in routes for d in r.differences), key=_rank)),
    )


def _with_learning(rules: "Rules", routes: tuple[RouteTally, ...]) -> tuple[RouteTally, ...]:
    """Judge the share of all pairs that learning changed."""
    learned, marker = sum(route.learning for route in routes), rules.marker
    if not learned or marker is None:
        return routes
    share = Share(
        pairs=learned,
        of=sum(route.pairs for route in routes),
        max_percent=learning_percent(rules.comparison, marker),
    )
    if share.shown:
        return routes
    return tuple(_learned(route, share) for route in routes)


def _learned(route: RouteTally, share: Share) -> RouteTally:
    """Take back what learning was thought to excuse, or note that it is not shown yet."""
    if not share.exceeded:
        return replace(route, unshown=route.unshown + route.learning)
    return replace(
        route,
        expected=route.expected - route.learning,
        mismatched=route.mismatched + route.learning,
        learning=0,
        differences=tuple(
            replace(d, excused_by=None, share=share) if has_owner(d.excused_by, LEARNING) else d
            for d in route.differences
        ),
    )


def _rank(difference: Difference) -> tuple[bool, bool, bool, bool, int, str, tuple[str, str, str]]:
    """Order what status shows; an error's body lacks every member, so its status comes first."""
    return (
        difference.excused_by is not None,
        not difference.critical,
        difference.pending,
        not (difference.critical and difference.place.kind is PlaceKind.STATUS),
        -difference.pairs,
        difference.route,
        place_key(difference.place),
    )


def _route(route: RouteCounts, rules: Rules, *, alone: bool) -> RouteTally:
    judge = Judge(route, rules)
    learns = [judge.is_learned(signature) for signature in route.signatures]
    marked = [s for s, learned in zip(route.signatures, learns, strict=True) if learned]
    others = [s for s, learned in zip(route.signatures, learns, strict=True) if not learned]
    seen = places_of(others, route.hinted)
    shares = judge.shares(others)
    differences = {place: judge.difference(place, seen[place], shares) for place in seen}
    learned = [judge.learned(place, times) for place, times in places_of(marked, ()).items()]
    split = _with_hinted(route, differences, _split(others, differences))
    errors, reference_errors = server_errors(route)
    learning = sum(signature.pairs for signature in marked)
    return RouteTally(
        name=route.name,
        pairs=route.pairs - split.unread.total(),
        identical=route.matched,
        noise=split.noise,
        ignored=split.ignored,
        expected=split.expected + learning,
        mismatched=split.mismatched + route.overflow,
        overflow=route.overflow,
        pending=split.pending,
        critical=split.critical,
        learning=learning,
        unshown=split.unshown,
        unproven=_unproven(route, split.unread),
        attempts=_attempts(route, alone=alone),
        shadow_errors=route.shadow_errors + errors,
        reference_errors=route.reference_errors + reference_errors,
        shadow_timeouts=route.shadow_timeouts,
        reference_timeouts=route.reference_timeouts,
        leaves=route.leaves,
        excused_leaves=excused_leaves(route, differences.values()),
        differences=(
            *(differences[place] for place in sorted(differences, key=place_key)),
            *sorted(learned, key=lambda difference: place_key(difference.place)),
        ),
    )


NO_REFERENCE: Final = ("reference_errors", "reference_timeouts", "both_errors", "both_timeouts")
"""Outcomes in which the reference did not answer, so that there was nothing to compare with."""


def _unproven(route: RouteCounts, unread: "Counter[str]") -> Mapping[str, int]:
    failed = Counter({name: getattr(route, name) for name in NO_REFERENCE})
    return failed + Counter(route.unproven) + Counter(route.incomparable) + unread


def _attempts(route: RouteCounts, *, alone: bool) -> int:
    failed = route.shadow_errors + route.shadow_timeouts
    if alone:
        return route.shadow_latency.count + failed
    return (
        route.pairs
        + sum(route.unproven.values())
        + sum(route.incomparable.values())
        + failed
        + route.reference_errors
        + route.reference_timeouts
        + route.both_errors
        + route.both_timeouts
    )


@dataclass(frozen=True, slots=True)
class _Split:
    noise: int = 0
    ignored: int = 0
    pending: int = 0
    mismatched: int = 0
    critical: int = 0
    expected: int = 0
    unshown: int = 0
    unread: "Counter[str]" = field(default_factory=Counter)
    """Why bodies were not looked through -> pairs that differ there, as noise does."""


def _split(signatures: Iterable[Signature], of: Mapping[Place, Difference]) -> _Split:
    noise = ignored = pending = mismatched = critical = expected = unshown = 0
    unread: Counter[str] = Counter()
    for signature in signatures:
        places = [of[place] for place in signature.places]
        blind = next((p.place.detail for p in places if _is_unread_noise(p)), None)
        if any(place.counts for place in places):
            mismatched += signature.pairs
            critical += signature.pairs if any(p.critical and p.counts for p in places) else 0
        elif any(place.pending for place in places):
            pending += signature.pairs
        elif blind is not None:
            unread[blind] += signature.pairs
        elif any(map(_is_expected, places)):
            expected += signature.pairs
            unshown += 0 if all(map(_is_shown, places)) else signature.pairs
        elif all(map(_is_noise, places)):
            noise += signature.pairs
        else:
            ignored += signature.pairs
    return _Split(noise, ignored, pending, mismatched, critical, expected, unshown, unread)


def _with_hinted(route: RouteCounts, of: Mapping[Place, Difference], split: _Split) -> _Split:
    """Add the pairs that differ at hinted places only.

    Hinted places are counted singly, so it is not known which of them differed together. Where one
    of them is not excused (any more), the worst is assumed: each of its differences was in a pair
    of its own, which would have matched otherwise.
    """
    hinted = [(of[count.place], count.pairs) for count in route.hinted]
    changed = sum(pairs for difference, pairs in hinted if difference.counts)
    critical = sum(p for difference, p in hinted if difference.counts and difference.critical)
    undecided = sum(pairs for difference, pairs in hinted if difference.pending)
    meant = sum(pairs for difference, pairs in hinted if _is_expected(difference))
    unshown = sum(pairs for difference, pairs in hinted if not _is_shown(difference))
    by_rule = max((p for d, p in hinted if d.excused_by and not _is_noise(d)), default=0)
    unread = Counter({d.place: pairs for d, pairs in hinted if _is_unread_noise(d)})

    only, changed = _taken(route.hinted_only, changed)
    noise, changed = _taken(split.noise, changed)
    ignored, changed = _taken(split.ignored, changed)
    pending, changed = _taken(split.pending, changed)
    expected, changed = _taken(split.expected, changed)
    mismatched = route.hinted_only + split.noise + split.ignored + split.pending + split.expected
    mismatched -= only + noise + ignored + pending + expected
    only_pending = min(only, undecided)
    only -= only_pending
    only_unread: Counter[str] = Counter()
    for place, pairs in unread.items():
        only_unread[place.detail] += min(only, pairs)
        only -= min(only, pairs)
    only_expected = min(only, meant)
    only -= only_expected
    only_ignored = min(only, by_rule)
    return _Split(
        noise=noise + only - only_ignored,
        ignored=ignored + only_ignored,
        pending=pending + only_pending,
        mismatched=split.mismatched + mismatched,
        critical=split.critical + min(mismatched, critical),
        expected=expected + only_expected,
        unshown=min(expected + only_expected, split.unshown + unshown),
        unread=split.unread + only_unread,
    )


def _taken(pool: int, wanted: int) -> tuple[int, int]:
    """Take as many as wanted out of a pool; return what stays in it and what is still wanted."""
    taken = min(pool, wanted)
    return pool - taken, wanted - taken


def _is_noise(difference: Difference) -> bool:
    return difference.excused_by is not None and difference.excused_by.startswith(NOISE)


def _is_expected(difference: Difference) -> bool:
    return has_owner(difference.excused_by, EXPECTED)


def _is_shown(difference: Difference) -> bool:
    """Say whether a difference that is expected, if it is, is shown to be as rare as it must."""
    share = difference.share if _is_expected(difference) else None
    return share is None or share.shown


def _is_unread_noise(difference: Difference) -> bool:
    return difference.place.unread and _is_noise(difference)


def server_errors(route: RouteCounts) -> tuple[int, int]:
    """Count pairs in which only the shadow, and only the reference, answered 5xx.

    A pair has one status at most, in its signature or among the hinted places.
    """
    shadow = reference = 0
    places = [(place, s.pairs) for s in route.signatures for place in s.places]
    places += [(count.place, count.pairs) for count in route.hinted]
    for place, pairs in places:
        if place.kind is not PlaceKind.STATUS:
            continue
        before, _, after = place.detail.partition(">")
        shadow += pairs if after[:1] == "5" != before[:1] else 0
        reference += pairs if before[:1] == "5" != after[:1] else 0
    return shadow, reference
