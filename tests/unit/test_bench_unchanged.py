"""The simulation of an unchanged version, on a small scale: it asks what the judge asks."""

from math import log

import numpy as np
import pytest

from bench.judgement import LIMIT
from bench.unchanged import (
    VERSIONS,
    Day,
    Version,
    fewest,
    least,
    wrong,
)
from shadow_operator.core.judging import rates
from shadow_operator.core.judging.latency import exceeding
from shadow_operator.core.judging.levels import FAILING
from shadow_operator.core.numbers.sequential import above

TRIALS = 6_000
SHORT = 100
"""Intervals of a day that is short enough for a test."""


@pytest.mark.parametrize("trials", [100, 1_000, TRIALS])
def test_a_rate_fails_from_the_tabled_number_of_events_on(trials: int) -> None:
    events = int(least(LIMIT, FAILING, TRIALS)[trials])
    assert rates.fails(events, trials, LIMIT)
    assert not rates.fails(events - 1, trials, LIMIT)


@pytest.mark.parametrize("trials", [1_000, TRIALS])
def test_the_bounds_of_a_percentile_are_those_of_the_gate(trials: int) -> None:
    few, many = exceeding(trials, 0.99, FAILING / 2)
    assert few is not None
    assert many is not None
    assert fewest(0.01, FAILING / 2, TRIALS)[trials] == int(few)
    assert least(0.01, FAILING / 2, TRIALS)[trials] == np.ceil(many)


def test_no_number_of_events_is_tabled_that_proves_nothing() -> None:
    tabled = least(0.5, 2e-5, 200)
    assert tabled[3] > 3  # not even three of three
    assert all(above(int(e), n, 0.5) >= log(1 / 2e-5) for n, e in enumerate(tabled) if e <= n)


def test_what_is_judged_wrongly_is_named() -> None:
    differing = Version("", mismatches=0.02)
    assert wrong(differing, 0, intervals=SHORT) == {"match-rate", "routes"}


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_an_unchanged_version_is_accused_of_nothing(version: Version) -> None:
    assert not any(wrong(version, seed, intervals=SHORT) for seed in range(5))


def test_the_same_seed_gives_the_same_day() -> None:
    first, second = (Day(Version("", failures=0.01), 3, 1).failures() for _ in range(2))
    assert (first == second).all()
