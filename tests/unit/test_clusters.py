"""Events that come in bursts count for less."""

import random

import pytest

from shadow_operator.core.numbers.clusters import Cluster, Clusters
from shadow_operator.core.numbers.sequential import lower_bound

DAY = 2880


def effect(clusters: list[Cluster], more: float = 0.0, less: float = 0.0) -> float:
    """Return the design effect of clusters, and of further events that none of them has."""
    seen = Clusters.of(clusters)
    return seen.effect(seen.more + more, seen.less + less)


def test_a_burst_counts_as_one_event() -> None:
    found = effect([Cluster(60, 60 if number == 7 else 0) for number in range(DAY)])
    assert found == pytest.approx(60, rel=0.01)
    assert lower_bound(60 / found, 60 * DAY / found, 0.0025) < 0.001
    assert lower_bound(60, 60 * DAY, 0.0025) < lower_bound(600, 60 * DAY, 0.0025)


def drawn(draw: random.Random, *rates: float) -> Cluster:
    """Give 60 pairs of which some are worth +1, and some -1, independently of each other."""
    return Cluster(60, *(sum(draw.random() < rate for _ in range(60)) for rate in rates))


@pytest.mark.parametrize("rates", [(0.02,), (0.02, 0.02), (0.3, 0.02)])
def test_events_that_are_spread_count_as_they_are(rates: tuple[float, ...]) -> None:
    draw = random.Random(1)  # noqa: S311 - repeatable
    assert effect([drawn(draw, *rates) for _ in range(DAY)]) == pytest.approx(1.0, abs=0.1)


CASES: dict[str, tuple[list[Cluster], float]] = {
    "nothing seen": ([], 1.0),
    "no event": ([Cluster(60, 0)] * 9, 1.0),
    "all events": ([Cluster(60, 60)] * 9, 1.0),
    "more alike than chance makes them": ([Cluster(100, 5)] * 9, 1.0),
    "one cluster only: it may be one burst": ([Cluster(100, 40)], 40.0),
    "one cluster only, and all of it": ([Cluster(100, 100)], 100.0),
    "clusters without pairs are none": ([Cluster(100, 40), Cluster(0, 0)], 40.0),
    "bursts of the one side and of the other": (
        [Cluster(1000, 30), Cluster(1000, 0, 30)] + [Cluster(1000, 0)] * 98, 30.0,
    ),
    "both fail more often in the same interval: their excess is no burst": (
        [Cluster(1000, 30, 30)] + [Cluster(1000, 0)] * 99, 1.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("clusters", "expected"), CASES.values(), ids=CASES)
def test_the_design_effect(clusters: list[Cluster], expected: float) -> None:
    assert effect(clusters) == pytest.approx(expected, rel=0.02)


def test_further_events_count_as_spread() -> None:
    assert effect([Cluster(1000, 10), Cluster(1000, 0)], more=990) == pytest.approx(1.19, rel=0.02)
    both = effect([Cluster(1000, 10), Cluster(1000, 0)], more=90, less=900)
    assert both == pytest.approx(1.14, rel=0.01)


def test_added_one_by_one_clusters_are_the_same() -> None:
    clusters = [Cluster(100, 5, 1), Cluster(0, 0), Cluster(80, 0, 20)]
    sums = Clusters()
    for one in clusters:
        sums = sums.plus(one)
    assert sums == Clusters.of(clusters)
