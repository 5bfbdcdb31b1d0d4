"""Bounds and tests against scipy's, and against the numbers that docs promise."""

import math
import random
import time

import pytest
from scipy import stats

from shadow_operator.core.numbers.statistics import (
    at_least,
    at_most,
    lower_bound,
    no_more_often,
    regularized_beta,
    upper_bound,
)


def _cases() -> list[tuple[int, int, float]]:
    dice = random.Random(7)  # noqa: S311 - repeatable
    cases = [(0, 1, 0.05), (1, 1, 0.05), (0, 10**7, 0.001), (10**7, 10**7, 0.001), (1, 2, 0.5)]
    for _ in range(400):
        trials = int(10 ** dice.uniform(0, 7))
        near_an_end = dice.choice([0, trials - min(trials, dice.randint(0, 40))])
        successes = dice.choice([near_an_end, dice.randint(0, trials)])
        cases.append((successes, trials, dice.choice([0.05, 0.04, 0.01, 0.001])))
    return cases


def test_bounds_are_those_of_clopper_and_pearson() -> None:
    for successes, trials, level in _cases():
        failures = trials - successes
        lower = stats.beta.ppf(level, successes, failures + 1) if successes else 0.0
        upper = stats.beta.ppf(1 - level, successes + 1, failures) if failures else 1.0
        assert lower_bound(successes, trials, level) == pytest.approx(lower, abs=1e-9)
        assert upper_bound(successes, trials, level) == pytest.approx(upper, abs=1e-9)


def test_tails_are_those_of_the_binomial_distribution() -> None:
    for successes, trials, probability in _cases():
        assert at_most(successes, trials, probability) == pytest.approx(
            stats.binom.cdf(successes, trials, probability), rel=1e-5, abs=1e-12
        )
        assert at_least(successes, trials, probability) == pytest.approx(
            stats.binom.sf(successes - 1, trials, probability), rel=1e-5, abs=1e-12
        )


def test_the_hypergeometric_test_is_fishers() -> None:
    dice = random.Random(7)  # noqa: S311 - repeatable
    for _ in range(200):
        of, of_many = dice.randint(1, 300), dice.randint(1, 5000)
        few, many = dice.randint(0, of), dice.randint(0, of_many)
        expected = stats.hypergeom.cdf(few, of + of_many, few + many, of)
        assert no_more_often(few, of, many, of_many) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("x", "expected"), [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5)])
def test_the_beta_function_has_its_ends_and_its_middle(x: float, expected: float) -> None:
    assert regularized_beta(3, 3, x) == pytest.approx(expected)


def test_a_day_at_a_thousand_pairs_a_second_is_bounded_in_an_instant() -> None:
    begun = time.process_time()
    bound = lower_bound(86_395_000, 86_400_000, 0.0123)
    assert time.process_time() - begun < 1.0
    assert math.isclose(bound, stats.beta.ppf(0.0123, 86_395_000, 5_001), abs_tol=1e-9)
