"""Events that come in bursts count for less."""

import random

import pytest

from shadow_operator.core.numbers.clusters import Cluster, design_effect
from shadow_operator.core.numbers.sequential import lower_bound

DAY = 2880


def test_a_burst_counts_as_one_event() -> None:
    clusters = [(60.0, 60.0 if number == 7 else 0.0) for number in range(DAY)]
    effect = design_effect(clusters)
    assert effect == pytest.approx(60, rel=0.01)
    assert lower_bound(60 / effect, 60 * DAY / effect, 0.0025) < 0.001
    assert lower_bound(60, 60 * DAY, 0.0025) < lower_bound(600, 60 * DAY, 0.0025)


def test_events_that_are_spread_count_as_they_are() -> None:
    draw = random.Random(1)  # noqa: S311 - repeatable
    clusters = [(60.0, float(sum(draw.random() < 0.02 for _ in range(60)))) for _ in range(DAY)]
    assert design_effect(clusters) == pytest.approx(1.0, abs=0.1)


CASES: dict[str, tuple[list[Cluster], float, float]] = {
    "nothing seen": ([], 0.0, 1.0),
    "no event": ([(60, 0)] * 9, 0.0, 1.0),
    "all events": ([(60, 60)] * 9, 0.0, 1.0),
    "more alike than chance makes them": ([(100, 5)] * 9, 0.0, 1.0),
    "one cluster only: it may be one burst": ([(100, 40)], 0.0, 40.0),
    "clusters without pairs are none": ([(100, 40), (0, 0)], 0.0, 40.0),
    "further events count as spread": ([(1000, 10), (1000, 0)], 990.0, 1.19),
}


@pytest.mark.parametrize(("clusters", "spread", "effect"), CASES.values(), ids=CASES)
def test_the_design_effect(clusters: list[Cluster], spread: float, effect: float) -> None:
    assert design_effect(clusters, spread=spread) == pytest.approx(effect, rel=0.02)
