"""How often the judge may be wrong in all."""

import pytest

from shadow_operator.core.counting import noise
from shadow_operator.core.judging.levels import FAILING

FAIL_BY_A_BOUND = 8
"""Match rate, routes, errors, timeouts, both latencies, throughput, growth of memory."""
NOISY_PLACES = 20


def test_an_unchanged_version_with_twenty_noisy_places_is_accused_in_one_run_of_a_hundred() -> None:
    place = (
        noise.UNIFORM_LEVEL + noise.TRIGGERED_LEVEL + noise.DIRECTION_LEVEL + noise.ALL_PAIRS_LEVEL
    )
    assert place == pytest.approx(1e-4)
    assert FAIL_BY_A_BOUND * FAILING + NOISY_PLACES * place == pytest.approx(0.01)
