"""How much less than an independent one an event counts, because events come in bursts.

Pairs of one interval are a cluster. The design effect is the variance of a mean as the clusters
show it, by that of as many independent pairs; counts divided by it are judged as if they were
independent: J. N. K. Rao and A. J. Scott, "A simple method for the analysis of clustered binary
data", Biometrics 48 (1992). Never less than 1: clusters that happen to be alike prove nothing more.

A pair is worth +1 or -1 if something happened in it, and 0 otherwise. A rate is the mean of pairs
that are worth +1 or 0; an excess (`core/numbers/excess`) that of pairs in which only the one side
failed, or only the other. Sums over clusters are enough, so that they need not be kept.
"""

from collections.abc import Iterable
from typing import NamedTuple, Self

from pydantic import BaseModel, ConfigDict


class Cluster(NamedTuple):
    """Pairs of one interval."""

    pairs: float
    more: float
    """Of these, the ones that are worth +1."""
    less: float = 0.0
    """That are worth -1."""


class Clusters(BaseModel):
    """Sums over clusters; those without pairs are none."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    number: int = 0
    pairs: float = 0.0
    more: float = 0.0
    less: float = 0.0
    pairs_squared: float = 0.0
    worth_by_pairs: float = 0.0
    """Of a cluster: (`more` - `less`) * `pairs`."""
    worth_squared: float = 0.0

    @classmethod
    def of(cls, clusters: Iterable[Cluster]) -> Self:
        """Sum up."""
        seen = [cluster for cluster in clusters if cluster.pairs > 0]
        return cls(
            number=len(seen),
            pairs=sum(one.pairs for one in seen),
            more=sum(one.more for one in seen),
            less=sum(one.less for one in seen),
            pairs_squared=sum(one.pairs**2 for one in seen),
            worth_by_pairs=sum((one.more - one.less) * one.pairs for one in seen),
            worth_squared=sum((one.more - one.less) ** 2 for one in seen),
        )

    def plus(self, cluster: Cluster) -> Self:
        """Return the sums with one more."""
        one = self.of([cluster])
        names = type(self).model_fields
        return self.model_copy(
            update={name: getattr(self, name) + getattr(one, name) for name in names}
        )

    def effect(self, more: float, less: float = 0.0) -> float:
        """Return the design effect of the mean; 1 where no cluster has an event.

        `more`, `less`: all events that are known, at least those of the clusters. Further ones are
        taken as spread evenly. Where there is one cluster only, nothing tells its events from one
        burst: they count for one.
        """
        events = self.more + self.less
        if events <= 0:
            return 1.0
        if self.number < 2:
            return max(1.0, events)
        spread = max(0.0, more - self.more) + max(0.0, less - self.less)
        mean = (max(more, self.more) - max(less, self.less)) / self.pairs
        square = (events + spread) / self.pairs
        variance = square - mean**2
        if variance <= 0:
            return 1.0
        measured = self._squares * self.number / (self.number - 1) + spread * variance / square
        return max(1.0, measured / (variance * self.pairs))

    @property
    def _squares(self) -> float:
        """Squared deviations of the clusters from their mean."""
        mean = (self.more - self.less) / self.pairs
        return self.worth_squared - 2 * mean * self.worth_by_pairs + mean**2 * self.pairs_squared
