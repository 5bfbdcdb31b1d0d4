"""The simulation of the judge, on a small scale: it asks what the gates ask."""

import pytest

from bench.judgement import INTERVALS, LIMIT, NEVER, Decision, Scenario, least, run
from bench.picture import picture

RUNS = 60


def decided(scenario: Scenario) -> list[Decision | None]:
    return [run(scenario, seed) for seed in range(RUNS)]


def test_a_version_that_is_just_not_good_enough_seldom_passes_at_any_interval() -> None:
    passed = sum(one is not None and one.passed for one in decided(Scenario("", LIMIT)))
    assert passed <= 0.05 * RUNS + 5  # three standard deviations


@pytest.mark.parametrize(("rate", "burst"), [(LIMIT / 10, 1), (LIMIT / 10, 20), (LIMIT / 2, 5)])
def test_an_unchanged_version_does_not_fail_at_any_interval(rate: float, burst: int) -> None:
    fine = decided(Scenario("", rate, burst, soak=NEVER, intervals=INTERVALS // 4))
    assert sum(one is not None for one in fine) <= 1


@pytest.mark.parametrize(("rate", "passed", "pairs"), [(0.0, True, 10), (0.01, False, 10)])
def test_a_decision_is_right_and_takes_little_more_than_the_least(
    rate: float, passed: bool, pairs: int
) -> None:
    found = decided(Scenario("", rate, pairs=pairs))
    assert all(one is not None and one.passed is passed for one in found)
    mean = sum(one.pairs for one in found if one) / RUNS
    assert 0.8 * least(rate) < mean < 2.5 * least(rate)


def test_without_a_mismatch_the_least_is_known() -> None:
    assert least(0.0) == pytest.approx(2995, abs=1)


def test_the_picture_has_a_point_for_each_price() -> None:
    assert picture({0.0001: 7000.0, 0.01: 400.0}, least, LIMIT).count("<circle") == 2
