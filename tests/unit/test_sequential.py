"""Bounds that hold at every look."""

import random
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow_operator.core.numbers.sequential import (
    above,
    below,
    lower_bound,
    p_value,
    trials_below,
    upper_bound,
)

LEVEL = 0.05
WANTED = log(1 / LEVEL)
RUNS = 1000


def rejected(rate: float, against: float, looks: int, *, seed: int) -> tuple[float, float]:
    """Give the shares of runs in which "less than" and "more than" is said at any look."""
    random_ = random.Random(seed)  # noqa: S311 - draws samples
    said_less = said_more = 0
    for _ in range(RUNS):
        events, less, more = 0, False, False
        for trials in range(1, looks + 1):
            events += random_.random() < rate
            if trials % 5 == 0:
                less = less or below(events, trials, against) >= WANTED
                more = more or above(events, trials, against) >= WANTED
        said_less, said_more = said_less + less, said_more + more
    return said_less / RUNS, said_more / RUNS


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.5])
def test_the_truth_is_rejected_at_any_look_in_at_most_one_of_twenty_runs(rate: float) -> None:
    # Three standard errors of 1,000 runs are 2 points.
    less, more = rejected(rate, rate, 400, seed=1)
    assert less <= LEVEL + 0.02
    assert more <= LEVEL + 0.02


def test_what_is_false_is_rejected_by_enough_trials() -> None:
    assert rejected(0.1, 0.5, 60, seed=2)[0] > 0.99
    assert rejected(0.9, 0.5, 60, seed=3)[1] > 0.99


@pytest.mark.parametrize(
    ("events", "rate", "trials"),
    [(0, 0.001, 4512), (0, 0.01, 449), (0, 0.5, 7), (1, 0.001, 6851), (5, 0.001, 14079)],
)
def test_the_price_of_looking_is_known(events: int, rate: float, trials: int) -> None:
    assert trials_below(events, rate, LEVEL) == trials
    assert below(events, trials, rate) >= WANTED > below(events, trials - 1, rate)


def test_nothing_proves_that_a_rate_is_less_than_nothing() -> None:
    assert trials_below(0, 0.0, LEVEL) is None


@given(st.integers(1, 5000), st.data())
def test_bounds_enclose_what_was_seen_and_agree_with_the_tests(
    trials: int, data: st.DataObject
) -> None:
    events = data.draw(st.integers(0, trials))
    low, high = lower_bound(events, trials, LEVEL), upper_bound(events, trials, LEVEL)
    assert 0.0 <= low <= events / trials <= high <= 1.0
    if high < 1.0:
        assert below(events, trials, min(1.0, high + 1e-9)) >= WANTED - 1e-6
    if low > 0.0:
        assert above(events, trials, max(0.0, low - 1e-9)) >= WANTED - 1e-6


@given(st.integers(1, 2000), st.floats(0.0, 0.2), st.floats(0.01, 0.5))
def test_evidence_against_a_rate_grows_with_its_distance(
    trials: int, share: float, step: float
) -> None:
    events = trials * share
    near = min(0.98, share + 0.02)
    far = min(0.99, near + step)
    assert below(events, trials, far) >= below(events, trials, near) - 1e-9


def test_no_trial_says_nothing() -> None:
    assert upper_bound(0, 0, LEVEL) == 1.0
    assert lower_bound(0, 0, LEVEL) == 0.0


def test_evidence_is_a_p_value() -> None:
    assert p_value(WANTED) == pytest.approx(LEVEL)
    assert p_value(-3.0) == 1.0
