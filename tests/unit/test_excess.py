"""Bounds of an excess that hold at every look."""

import random

import pytest

from shadow_operator.core.numbers.excess import below, lower_bound, requests_below, upper_bound

LEVEL = 0.05


@pytest.mark.parametrize(
    ("discordant", "excess"), [(0.02, 0.02), (0.05, 0.02), (0.2, 0.02), (0.5, 0.1), (0.3, 0.0)]
)
def test_the_true_excess_is_rejected_at_any_look_in_at_most_one_of_twenty_runs(
    discordant: float, excess: float
) -> None:
    draw, runs, wrong = random.Random(1), 300, 0  # noqa: S311 - repeatable
    for _ in range(runs):
        shadow = reference = requests = 0
        for _ in range(60):
            for _ in range(10):
                shot = draw.random()
                shadow += shot < (discordant + excess) / 2
                reference += (discordant + excess) / 2 <= shot < discordant
            requests += 10
            if below(shadow, reference, requests, excess) >= 2.9958:
                wrong += 1
                break
    assert wrong <= 1.5 * LEVEL * runs


@pytest.mark.parametrize(("each", "requests"), [(0, 4443), (0.001, 23_200), (0.01, 165_000)])
def test_the_price_depends_on_requests_in_which_one_side_fails(each: float, requests: int) -> None:
    failures = each * requests
    assert upper_bound(failures, failures, requests, LEVEL) <= 0.001
    assert upper_bound(0.95 * failures, 0.95 * failures, 0.95 * requests, LEVEL) > 0.001


def test_a_bound_is_on_the_right_side_of_what_was_seen() -> None:
    assert lower_bound(50, 2, 5000, LEVEL) < 48 / 5000 < upper_bound(50, 2, 5000, LEVEL)
    assert lower_bound(50, 2, 5000, LEVEL) > 0.003
    assert lower_bound(2, 50, 5000, LEVEL) == -upper_bound(50, 2, 5000, LEVEL)


def test_without_a_request_everything_is_possible() -> None:
    assert (lower_bound(0, 0, 0, LEVEL), upper_bound(0, 0, 0, LEVEL)) == (-1.0, 1.0)


@pytest.mark.parametrize(("shadow", "reference"), [(0, 0), (3, 0), (3, 9)])
def test_the_first_number_of_requests_that_is_enough_is_known(shadow: int, reference: int) -> None:
    needed = requests_below(shadow, reference, 0.001, LEVEL)
    assert needed is not None
    assert upper_bound(shadow, reference, needed, LEVEL) <= 0.001 + 1e-9
    assert upper_bound(shadow, reference, needed - 2, LEVEL) > 0.001


def test_single_failures_of_the_reference_hardly_delay_what_a_failing_shadow_shows() -> None:
    fails = {reference: lower_bound(30, reference, 3000, 0.001) for reference in (0, 1, 2)}
    assert fails[2] > 0.001
    assert fails[0] > fails[1] > fails[2]


def test_no_excess_at_all_can_not_be_proved() -> None:
    assert requests_below(0, 0, 0.0, LEVEL) is None
