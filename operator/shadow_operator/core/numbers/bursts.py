"""Whether slow answers come in bursts: how far counts of intervals vary beyond chance.

Bounds of `core/numbers/sequential` take observations as independent. Slow answers are not: a full
node or a garbage collection makes many of them slow at once. So each interval's count of answers
above the quantile that was known *before* it (of the reference, for its own and the shadow's
answers) is compared with what chance allows. The mean of the squared deviations, 1 for independent
answers, is the dispersion of a quasi-likelihood (McCullagh and Nelder, Generalized Linear Models,
2nd edition 1989, section 4.5). What exceeds 1 is multiplied by (1 + r) / (1 - r), where r is how
much of it persists from one interval to the next, as in an autoregressive series. By the sum,
counts are divided before they are judged.
"""

from math import ceil, sqrt
from typing import Final

from pydantic import BaseModel, ConfigDict

from shadow_operator.core.numbers.histogram import Histogram, Timing

_PRIOR: Final = 4.0
"""Intervals of independent answers that are taken as seen: two intervals alone tell nothing."""
_MOST_PERSISTENT: Final = 0.9
_LEAST_BEFORE: Final = 100
"""Observations that make a quantile known."""
_STEPS: Final = 4
"""The factor is rounded up to quarters, so that bounds need not be worked out ever anew."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class Burst(_Frozen):
    """Deviations of intervals, in units of the standard deviation that chance allows."""

    deviations: float = 0.0
    """Sum of their squares."""
    lasting: float = 0.0
    """Sum of the products of neighbours."""
    last: float = 0.0
    intervals: int = 0

    @property
    def factor(self) -> float:
        """By how much fewer observations count than there are, 1 or more."""
        excess = (self.deviations - self.intervals) / (self.intervals + _PRIOR)
        if excess <= 0:
            return 1.0
        # A correlation from few intervals is known to 1 / sqrt(n) only: the worse is taken.
        persists = max(0.0, self.lasting) / (excess * (self.intervals + _PRIOR))
        r = min(_MOST_PERSISTENT, persists + 1 / sqrt(self.intervals))
        factor = 1.0 + excess * (1 + r) / (1 - r)
        return ceil(factor * _STEPS - 0.5) / _STEPS

    def seen(
        self, before: Histogram, after: Histogram, share: float, of: Histogram | None = None
    ) -> "Burst":
        """Take over one interval: what came between two totals, around this quantile.

        `of`: the quantile is that of other observations.
        """
        of = before if of is None else of
        width = max(before.width, after.width, of.width)
        before, after, of = before.widened(width), after.widened(width), of.widened(width)
        known, new = before.count, after.count - before.count
        if known < _LEAST_BEFORE or of.count < _LEAST_BEFORE or new <= 0:
            return self
        key, _ = of.edge(share)
        above = before.above(key)
        # Where all lie on one side, the next may still be the first that does not.
        chance = min(max(above, 0.5), known - 0.5) / known
        more = after.above(key) - above - new * chance
        allowed = new * chance * (1 - chance) * (1 + new / known)
        deviation = round(more / sqrt(allowed), 3)
        return Burst(
            deviations=round(self.deviations + deviation**2, 3),
            lasting=round(self.lasting + deviation * self.last, 3),
            last=deviation,
            intervals=self.intervals + 1,
        )


class Bursts(_Frozen):
    """Of the quantiles that are judged."""

    ratio: Burst = Burst()
    """Of the median of the ratio."""
    shadow: Burst = Burst()
    """Of the 99th percentile."""
    reference: Burst = Burst()

    def seen(self, before: Timing, after: Timing) -> "Bursts":
        """Take over one interval: what came between two totals.

        Slow answers of the shadow are those that would be slow for the reference: its own 99th
        percentile may lie among answers that all waited for the same, where a hair's breadth more
        looks like a burst.
        """
        return Bursts(
            ratio=self.ratio.seen(before.ratio, after.ratio, 0.5),
            shadow=self.shadow.seen(before.shadow, after.shadow, 0.99, of=before.reference),
            reference=self.reference.seen(before.reference, after.reference, 0.99),
        )
