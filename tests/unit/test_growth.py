"""Growth of memory: a leak is found, and nothing that services do besides is taken for one."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from shadow_operator.api.enums import GateResult
from shadow_operator.api.status import Gate
from shadow_operator.core.numbers.growth import Point, trend
from shadow_operator.core.numbers.statistics import student_quantile
from shadow_operator.core.recording.usage import Run, Usage
from tests.support import memory
from tests.support.memory import (
    Make,
    collected,
    constant,
    growing,
    growth,
    leak,
    noisy,
    rise,
    steps,
)

PASSED, FAILED = GateResult.PASSED, GateResult.FAILED
INCONCLUSIVE, ERROR = GateResult.INCONCLUSIVE, GateResult.ERROR
NOT_APPLICABLE = GateResult.NOT_APPLICABLE
ALONE: dict[str, Any] = {"reference": {"mode": "None", "controlPercent": 0}}


def run(shadow: Make, reference: Make | None, seed: int, hours: float, **changes: Any) -> Usage:
    """Give what is known at the end."""
    first, second = memory.seeded(seed), memory.seeded(seed + 10_000)
    seen = memory.watched(shadow(first), reference(second) if reference else None, hours, **changes)
    *_, last = seen
    return last


def _thinned(usage: Usage) -> Usage:
    return usage.model_copy(update={"series": usage.series[-1::-12][::-1]})


HARMLESS: dict[str, tuple[Make, Make]] = {
    "constant": (noisy(constant), noisy(constant)),
    "an initial rise of minutes": (noisy(rise(300)), noisy(constant)),
    "an initial rise of ten minutes": (noisy(rise(600)), noisy(constant)),
    "an initial rise of an hour in both": (noisy(rise(3600, 200)), noisy(rise(3600, 200))),
    "a collector that runs every minute": (collected(60), collected(60)),
    "a collector that runs every five minutes": (collected(300), collected(300)),
    "a collector that only the new version has": (collected(180), noisy(constant)),
    "steps": (steps, steps),
}


@pytest.mark.parametrize(("shadow", "reference"), HARMLESS.values(), ids=HARMLESS)
def test_what_services_do_is_never_a_leak(shadow: Make, reference: Make) -> None:
    for seed in range(6):
        first, second = memory.seeded(seed), memory.seeded(seed + 10_000)
        seen = memory.watched(shadow(first), reference(second), 2.0)
        for number, usage in enumerate(seen):
            if number % 2 == seed % 2:
                assert growth(usage).result is not FAILED, f"seed {seed}, interval {number}"


def _looks(shadow: Make, reference: Make, seed: int, hours: float, soak: float) -> list[Gate]:
    """Judge at every look."""
    seen = memory.watched(
        shadow(memory.seeded(seed)), reference(memory.seeded(seed + 10_000)), hours
    )
    return [growth(usage, soakSeconds=int(soak)) for usage in memory.looks(seen, soak)]


def test_a_leak_just_too_large_hardly_ever_passes_at_any_look() -> None:
    allowed = growing(noisy(constant), 25.6)
    passed = sum(
        any(gate.result is PASSED for gate in _looks(allowed, noisy(constant), seed, 3.5, 10800.0))
        for seed in range(8)
    )
    assert passed <= 1


def test_memory_that_does_not_grow_passes_when_the_shortest_soak_ends() -> None:
    for seed in range(4):
        *_, due = _looks(noisy(constant), noisy(constant), seed, 3.0, 10800.0)
        assert due.result is PASSED, due.message


def test_between_two_looks_the_gate_says_the_same() -> None:
    seen = list(memory.watched(steps(memory.seeded(1)), steps(memory.seeded(2)), 7.0))
    ages = [usage.taken for usage in memory.looks(seen, 86400.0)]
    for begin, end in list(pairwise(ages))[::5]:
        between = [usage for usage in seen if begin <= usage.taken < end]
        assert len({growth(usage).message for usage in between[::4]}) == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_leak_of_a_megabyte_a_minute_fails_within_36_minutes(seed: int) -> None:
    results = [
        growth(usage)
        for usage in memory.watched(
            noisy(leak)(memory.seeded(seed)), noisy(constant)(memory.seeded(seed + 99)), 0.6
        )
    ]
    failed = [gate for gate in results if gate.result is FAILED]
    assert failed
    assert "of the limit a day" in failed[0].message
    assert failed[0].threshold == "<= 5%/day"
    assert results[0].result is INCONCLUSIVE


ENDS: dict[str, tuple[Callable[[], Usage], dict[str, Any], GateResult, str]] = {
    "constant for four hours": (
        lambda: run(noisy(constant), noisy(constant), 2, 4),
        {"soakSeconds": 14400},
        PASSED,
        "more than the reference's",
    ),
    "a leak that the reference has, too": (
        lambda: run(noisy(leak), noisy(leak), 2, 4), {"soakSeconds": 14400}, PASSED, "+281"
    ),
    "a leak without a reference": (
        lambda: run(noisy(leak), None, 1, 1), ALONE, FAILED, "of the limit a day ("
    ),
    "a reference that shrinks accuses nobody": (
        lambda: run(noisy(constant), noisy(lambda t: 250 - t / 60), 1, 1), {}, INCONCLUSIVE, ""
    ),
    "a leak without a limit": (
        lambda: run(noisy(leak), noisy(constant), 1, 1, limit=0),
        {},
        FAILED,
        "of what the reference uses (there is no limit) a day",
    ),
    "a leak that is allowed": (
        lambda: run(noisy(lambda t: 150 + t / 36000), noisy(constant), 1, 24),
        {"gates": {"memoryGrowth": {"maxPercentPerDay": 10}}},
        PASSED,
        "",
    ),
    "a slow leak over a day": (
        lambda: run(noisy(lambda t: 150 + t / 1200), noisy(constant), 1, 24), {}, FAILED, "+14"
    ),
    "too early": (
        lambda: run(noisy(constant), noisy(constant), 1, 0.25),
        {},
        INCONCLUSIVE,
        "judged when the pods are 28m 55s old and their initial rise (10m",
    ),
    "a leak in a soak too short to show that there is none": (
        lambda: run(noisy(leak), noisy(constant), 1, 1), {"soakSeconds": 3600}, FAILED, "+28"
    ),
    "a soak too short to show that there is no leak": (
        lambda: run(noisy(constant), noisy(constant), 1, 2),
        {"soakSeconds": 7200},
        NOT_APPLICABLE,
        "shorter than 3h can show a leak, but not that there is none",
    ),
    "a soak too short": (
        lambda: run(noisy(leak), noisy(constant), 1, 1),
        {"soakSeconds": 600},
        NOT_APPLICABLE,
        "shorter than an hour",
    ),
    "no metrics API": (
        lambda: Usage(asked=3600.0, absent=True), {}, NOT_APPLICABLE, "no metrics API"
    ),
    "a metrics API that fails": (
        lambda: Usage(asked=3600.0, problem="it is down"), {}, ERROR, "it is down"
    ),
    "a metrics API that fails for a moment": (
        lambda: Usage(asked=60.0, problem="it is down"), {}, INCONCLUSIVE, ""
    ),
    "a metrics API that ceased": (
        lambda: run(noisy(constant), noisy(constant), 1, 2).model_copy(
            update={"asked": 2 * 3600 + 901.0, "problem": "it is down"}
        ),
        {},
        ERROR,
        "it is down",
    ),
    "too few samples": (
        lambda: _thinned(run(noisy(constant), noisy(constant), 1, 1)),
        {},
        INCONCLUSIVE,
        "too few samples",
    ),
    "processes that began anew": (
        lambda: run(noisy(leak), noisy(constant), 1, 1).model_copy(
            update={"runs": {r: Run(pods="q", since=3000.0) for r in ("shadow", "reference")}}
        ),
        {},
        INCONCLUSIVE,
        "they are 10m old",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("build", "changes", "result", "says"), ENDS.values(), ids=ENDS)
def test_growth_is_judged(
    build: Callable[[], Usage], changes: dict[str, Any], result: GateResult, says: str
) -> None:
    gate = growth(build(), **changes)
    assert (gate.result, says in gate.message) == (result, True), gate.message


def test_what_it_waits_for_is_said() -> None:
    gate = growth(run(noisy(constant), noisy(constant), 1, 0.25))
    assert gate.needs is not None
    assert gate.needs.eta_seconds == 835


def test_one_outlier_moves_the_slope_little() -> None:
    points = [Point(30.0 * n, 100.0 + n, 30.0) for n in range(60)]
    points[30] = Point(900.0, 10_000.0, 30.0)
    found = trend(points)
    assert found is not None
    assert abs(found.slope - 1 / 30) < 0.01 / 30


def test_neighbours_that_are_alike_widen_the_interval() -> None:
    margins = []
    for turn in (1, 4):
        values = [(n // turn) % 2 for n in range(16)]
        found = trend([Point(75.0 * n, value, 75.0) for n, value in enumerate(values)])
        assert found is not None
        margins.append(found.upper(0.05) - found.slope)
    assert margins[1] > 2 * margins[0]


def test_a_trend_that_passes_by_itself_is_told_more_carefully() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0]
    found = trend([Point(75.0 * n, value, 75.0) for n, value in enumerate(values)])
    assert found is not None
    assert found.slope < found.upper(0.01) < found.cautious_upper(0.01) < 1.0


@pytest.mark.parametrize(
    ("level", "freedom", "value"),
    [(0.05, 1, 6.314), (0.05, 10, 1.812), (0.001, 3, 10.215), (0.025, 1e6, 1.960)],
)
def test_the_quantiles_of_student(level: float, freedom: float, value: float) -> None:
    assert student_quantile(level, freedom) == pytest.approx(value, abs=1e-3)
