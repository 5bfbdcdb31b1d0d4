"""How much less than an independent one an event counts, because events come in bursts.

Pairs of one interval are a cluster. The design effect is the variance of a rate as the clusters
show it, by that of as many independent pairs; counts divided by it are judged as if they were
independent: J. N. K. Rao and A. J. Scott, "A simple method for the analysis of clustered binary
data", Biometrics 48 (1992). Never less than 1: clusters that happen to be alike prove nothing more.
"""

from collections.abc import Iterable

Cluster = tuple[float, float]
"""(Pairs, events of them)."""


def design_effect(clusters: Iterable[Cluster], *, spread: float = 0.0) -> float:
    """Return the design effect of a rate; 1 where no cluster has an event.

    `spread`: further events, of which is only known how many; taken as spread evenly. Where there
    is one cluster only, nothing tells its events from one burst: they count for one.
    """
    seen = [cluster for cluster in clusters if cluster[0] > 0]
    pairs = sum(n for n, _ in seen)
    events = sum(x for _, x in seen)
    rate = min(1.0, (events + spread) / pairs) if pairs else 0.0
    if events <= 0 or rate >= 1.0:
        return 1.0
    if len(seen) < 2:
        return max(1.0, events)
    squares = sum((x - events / pairs * n) ** 2 for n, x in seen)
    measured = squares * len(seen) / (len(seen) - 1) + spread * (1 - rate)
    return max(1.0, measured / ((events + spread) * (1 - rate)))
