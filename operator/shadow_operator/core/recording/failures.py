"""Requests in which one side alone failed, interval by interval: whether they come in bursts.

No rule of the spec excuses a failure, so sums over intervals are enough (`core/numbers/clusters`).
"""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from shadow_operator.core.numbers.clusters import Cluster, Clusters


class Failures(BaseModel):
    """Of each interval: +1 where only the shadow failed, -1 where only the reference did."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    errors: Clusters = Clusters()
    """It gave no answer, or one with 5xx."""
    timeouts: Clusters = Clusters()
    shadow_errors: Clusters = Clusters()
    """The same of the shadow by itself, as if the reference had not failed."""
    shadow_timeouts: Clusters = Clusters()

    def seen(self, before: Mapping[str, int], after: Mapping[str, int]) -> "Failures":
        """Take over one interval: what came between two totals (`recording/intervals`)."""
        came = {name: max(0, count - before[name]) for name, count in after.items()}
        failed = came["shadow_errors"] + came["shadow_server_errors"]
        its_failed = came["reference_errors"] + came["reference_server_errors"]
        late, its_late = came["shadow_timeouts"], came["reference_timeouts"]
        # What was sent shortly before may fail in an interval in which nothing is sent.
        requests = max(came["answered"], failed + its_failed + late + its_late)
        return Failures(
            errors=self.errors.plus(Cluster(requests, failed, its_failed)),
            timeouts=self.timeouts.plus(Cluster(requests, late, its_late)),
            shadow_errors=self.shadow_errors.plus(Cluster(requests, failed)),
            shadow_timeouts=self.shadow_timeouts.plus(Cluster(requests, late)),
        )
