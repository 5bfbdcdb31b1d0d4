"""Quantiles of latency and their bounds, from bins."""

import random

import pytest

from shadow_operator.core.numbers import envoy_bins
from shadow_operator.core.numbers.envoy_bins import EDGES, bin_of


def bins(values: list[float]) -> dict[int, int]:
    """Count values."""
    return envoy_bins.merged({bin_of(int(value)): 1} for value in values)


@pytest.mark.parametrize(
    ("latency", "lower", "upper"),
    [(0, 0, 1), (1, 1, 2), (41, 40, 42), (99, 98, 100), (100, 100, 110), (990, 980, 1000)],
)
def test_a_bin_is_a_tenth_of_its_value_wide_at_most_or_a_millisecond(
    latency: int, lower: int, upper: int
) -> None:
    number = bin_of(latency)
    assert (EDGES[number], EDGES[number + 1]) == (lower, upper)


def test_no_latency_is_too_long() -> None:
    assert bin_of(10**9) == len(EDGES) - 1
    assert envoy_bins.quantile({bin_of(10**9): 3}, 0.5) == EDGES[-1]


def test_quantiles_lie_within_their_bin() -> None:
    rng = random.Random(1)  # noqa: S311 - repeatable
    values = sorted(rng.lognormvariate(3.5, 0.5) for _ in range(5000))
    for q in (0.5, 0.99):
        assert envoy_bins.quantile(bins(values), q) == pytest.approx(
            values[int(q * 5000)], rel=0.05
        )


def test_bounds_hold_as_often_as_they_promise() -> None:
    rng = random.Random(2)  # noqa: S311 - repeatable
    level, tries = 0.05, 400
    true_p99 = 33.115 * 2.718281828 ** (0.5 * 2.326348)
    missed = {"lower": 0, "upper": 0}
    for _ in range(tries):
        seen = bins([rng.lognormvariate(3.5, 0.5) for _ in range(1000)])
        lower = envoy_bins.lower_bound(seen, 0.99, level)
        upper = envoy_bins.upper_bound(seen, 0.99, level)
        assert lower is not None
        assert upper is not None
        missed["lower"] += lower > true_p99
        missed["upper"] += upper < true_p99
    assert all(misses < 2 * level * tries for misses in missed.values())


def test_few_requests_bound_nothing() -> None:
    few = bins([20.0] * 100)
    assert envoy_bins.upper_bound(few, 0.99, 1e-5) is None
    assert envoy_bins.lower_bound({}, 0.5, 1e-5) is None


def test_what_came_since_a_reading_is_the_difference() -> None:
    assert envoy_bins.since({1: 5, 2: 3}, {1: 4, 2: 3}) == {1: 1}
