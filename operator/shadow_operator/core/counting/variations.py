"""Differences that are meant, and how many pairs may have them.

What `comparison.expectedVariations` names may differ in a share of a route's pairs; answers that
learning changed, told by a marker, in a share of all pairs. Such a share is shown to be allowed, or
shown to be exceeded, by an exact bound; in between the pairs count against passing only.
"""

from dataclasses import dataclass
from typing import Final

from shadow_operator.api.base import ratio
from shadow_operator.api.evidence import Place, PlaceKind
from shadow_operator.api.spec import Comparison
from shadow_operator.core.numbers.statistics import lower_bound, upper_bound
from shadow_operator.core.wording import count, percent

EXPECTED: Final = "expected: "
"""How the excuse of a place begins that is meant to differ."""
LEARNING: Final = "learning: "
"""How the excuse of a place begins that differs in answers that learning changed."""
LEARNING_PERCENT: Final = "0.1"
"""Percentage of all pairs that learning may change (runbook: learning errors are OK)."""
LEVEL: Final = 0.001
"""Level of both bounds: strict, because they are read again and again."""


@dataclass(frozen=True, slots=True)
class Share:
    """In how many pairs something differs that is expected, and in how many it may."""

    pairs: int
    of: int
    max_percent: str

    @property
    def exceeded(self) -> bool:
        """Whether it is shown that more pairs differ than may."""
        return lower_bound(self.pairs, self.of, LEVEL) > ratio(self.max_percent)

    @property
    def shown(self) -> bool:
        """Whether it is shown that no more pairs differ than may."""
        return upper_bound(self.pairs, self.of, LEVEL) <= ratio(self.max_percent)

    def sentence(self) -> str:
        """Say what is too much, as a clause."""
        return (
            f"expected in at most {self.max_percent}% of pairs, seen in {count(self.pairs)} of "
            f"{count(self.of)} ({percent(self.pairs / self.of)})"
        )


def learning_percent(comparison: Comparison, marker: str) -> str:
    """Return the share that learning may change; a rule that names the marker sets another."""
    rules = comparison.expected_variations
    return next((r.max_percent for r in rules if r.path == marker), LEARNING_PERCENT)


def is_marker(place: Place, marker: str | None) -> bool:
    """Return whether only the shadow's answer says here that learning changed it."""
    return place.path == marker and place.kind is PlaceKind.EXTRA


def has_owner(excused_by: str | None, *owners: str) -> bool:
    """Return whether an excuse is of one of these owners: begins so."""
    return excused_by is not None and excused_by.startswith(owners)
