"""The simulation of errors and timeouts in bursts, on a small scale."""

import pytest

from bench.failures import A_MINUTE, HOUR, Decisions, Scenario, run

RUNS = 10


def decided(scenario: Scenario) -> list[Decisions]:
    return [run(scenario, seed) for seed in range(RUNS)]


def test_a_halt_a_day_fails_nothing_but_would_as_if_independent() -> None:
    found = decided(Scenario("", halts=2))
    assert [one.operator for one in found if one.operator] == []
    assert any(one.plain and not one.plain.passed for one in found)


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_what_breaks_for_good_fails_soon(share: float) -> None:
    for one in decided(Scenario("", 0.0005, 0.0005, share=share, breaks=HOUR)):
        assert one.operator is not None
        assert not one.operator.passed
        assert one.operator.intervals - HOUR <= 12 * A_MINUTE


def test_bursts_of_a_version_that_is_not_good_enough_pass_as_if_independent_only() -> None:
    found = decided(Scenario("", 0.001, burst=20, soak=2880))
    assert [one.operator for one in found if one.operator and one.operator.passed] == []
    assert any(one.plain and one.plain.passed for one in found)
