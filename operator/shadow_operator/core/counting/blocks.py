"""Pairs and differences by interval, so that mismatches that came in bursts are known as such."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Final, Self

from pydantic import BaseModel, ConfigDict

from shadow_operator.api.evidence import Place
from shadow_operator.api.spec import Spec
from shadow_operator.core.counting.counts import Counts
from shadow_operator.core.counting.tally import Difference, Tally, tally
from shadow_operator.core.numbers.clusters import Cluster, Clusters

KEPT: Final = 6
"""Differences of a block that are told apart, the most frequent ones."""
OTHER: Final = "*"
"""Under which the rest of them is counted."""


class Block(BaseModel):
    """What one interval added (a record of `core/numbers/series`)."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    end: float
    seconds: float
    pairs: int
    differing: dict[str, int] = {}
    """Short hash of route and places -> pairs that differ there and that nothing excused then."""

    def merged(self, later: Self) -> Self:
        """Return one block for both spans."""
        total = dict(self.differing)
        for key, pairs in later.differing.items():
            total[key] = total.get(key, 0) + pairs
        return self.model_copy(
            update={
                "end": later.end,
                "seconds": self.seconds + later.seconds,
                "pairs": self.pairs + later.pairs,
                "differing": folded(total, KEPT),
            }
        )


def folded(differing: Mapping[str, int], room: int) -> dict[str, int]:
    """Keep so many differences apart, the most frequent ones."""
    named = sorted(
        ((key, pairs) for key, pairs in differing.items() if key != OTHER and pairs > 0),
        key=lambda item: (-item[1], item[0]),
    )
    rest = differing.get(OTHER, 0) + sum(pairs for _, pairs in named[room:])
    return dict(sorted(named[:room])) | ({OTHER: rest} if rest else {})


def block(
    before: Counts, after: Counts, spec: Spec, *, interval: float, now: float, seconds: float
) -> Block:
    """Return what came since `before`, under the rules of now.

    Evidence that is folded to fit moves to the overflow and comes back with the next reading: more
    than the sum of all has grown by is not taken for new.
    """
    end, pairs = round(now, 1), _pairs(after) - _pairs(before)
    if pairs <= 0:
        return Block(end=end, seconds=seconds, pairs=0)
    differences = tally(spec, after, interval=interval).differences
    old = _differing(before, differences, _is_open)
    new = _differing(after, differences, _is_open)
    room = max(0, min(pairs, sum(new.values()) - sum(old.values())))
    grown: dict[str, int] = {}
    added = {key: count - old.get(key, 0) for key, count in new.items()}
    for key, count in sorted(added.items(), key=lambda item: (-item[1], item[0])):
        grown[key] = min(room, max(0, count))
        room -= grown[key]
    return Block(end=end, seconds=seconds, pairs=pairs, differing=folded(grown, KEPT))


def effect_of(blocks: tuple[Block, ...], tallied: Tally) -> float:
    """Return the design effect of the mismatches under the rules of now.

    What was excused when it came and counts now is in no block: it is taken as spread evenly, and
    so are mismatches from before blocks were kept.
    """
    events = mismatches(blocks, tallied)
    seen = (Cluster(one.pairs, bad) for one, bad in zip(blocks, events, strict=True))
    return Clusters.of(seen).effect(tallied.mismatched)


def mismatches(blocks: tuple[Block, ...], tallied: Tally) -> list[float]:
    """Return the mismatches of each block under the rules of now, as well as that is known.

    Of differences that a block does not tell apart, the share counts that counts of all.
    """
    now = _differing(tallied.counts, tallied.differences, lambda d: d.counts)
    named = [sum(n for key, n in b.differing.items() if key in now) for b in blocks]
    other = [b.differing.get(OTHER, 0) for b in blocks]
    mismatched, known = tallied.mismatched, sum(named)
    share = min(1.0, mismatched / known) if known else 0.0
    rest = min(1.0, max(0, mismatched - known) / sum(other)) if sum(other) else 0.0
    return [share * n + rest * o for n, o in zip(named, other, strict=True)]


def _is_open(difference: Difference) -> bool:
    return difference.excused_by is None


def _pairs(counts: Counts) -> int:
    return sum(route.pairs for route in counts.routes)


def _differing(
    counts: Counts, differences: tuple[Difference, ...], wanted: Callable[[Difference], bool]
) -> dict[str, int]:
    """Give the pairs of each difference that is wanted; what found no room always is."""
    where = {(d.route, d.place) for d in differences if wanted(d)}
    found: dict[str, int] = {}
    for route in counts.routes:
        name = route.name
        parts = [(s.places, s.pairs) for s in route.signatures]
        parts += [((count.place,), count.pairs) for count in route.hinted]
        for places, pairs in parts:
            if any((name, place) in where for place in places):
                key = _key(name, places)
                found[key] = found.get(key, 0) + pairs
        if route.overflow:
            found[_key(name, ())] = route.overflow
    return found


def _key(route: str, places: tuple[Place, ...]) -> str:
    text = "\n".join((route, *(f"{p.path} {p.kind} {p.detail}" for p in places)))
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
