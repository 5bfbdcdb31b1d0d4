"""The production guard, judged at every interval over simulated production."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest

from shadow_operator.core.numbers import series
from shadow_operator.core.recording import guard
from shadow_operator.core.recording.guard import GuardRecord, GuardState
from shadow_operator.core.recording.ledger import Ledger, encode, size
from shadow_operator.core.recording.production import Course
from tests.support.guarded import HOUR, INTERVAL, Guarded
from tests.support.readings import spec

WATCHING, SUSPECTED = GuardState.WATCHING, GuardState.SUSPECTED
DEGRADED, PAUSED = GuardState.DEGRADED, GuardState.PAUSED
RECORDING = 300.0
Fields = dict[str, float]


def changes(states: list[GuardState]) -> list[GuardState]:
    """Give the states one after the other, without repetitions."""
    return [state for n, state in enumerate(states) if n == 0 or state is not states[n - 1]]


def started(course: Callable[[Guarded], Fields], **options: Any) -> Guarded:
    """Record production, then let copies begin."""
    return Guarded(course, **options).run(RECORDING, percent=0).run(INTERVAL, percent=100)


BY_THE_MIRROR: dict[str, Callable[[Guarded], Fields]] = {
    "a fifth slower": lambda g: {"median": 48.0 if g.percent else 40.0},
    "a fifth slower, at ten requests a second": lambda g: {
        "median": 52.0 if g.percent else 40.0,
        "requests": 300,
    },
    "twice as slow, and quick": lambda g: {"median": 4.0 if g.percent else 2.0},
    "one request in a hundred fails": lambda g: {"error_rate": 0.01 if g.percent else 0.0005},
}


@pytest.mark.parametrize("harm", BY_THE_MIRROR)
def test_what_the_mirror_does_ends_after_two_intervals_and_a_person_is_asked(harm: str) -> None:
    run = started(BY_THE_MIRROR[harm])
    assert run.state is WATCHING
    run.run(INTERVAL)
    assert run.state is SUSPECTED
    assert run.record.holds(run.spec)
    run.run(180)
    assert changes(run.states) == [WATCHING, SUSPECTED, PAUSED]
    run.run(HOUR)
    assert run.state is PAUSED
    assert "without copies it recovered" in run.record.message


def test_harm_that_begins_hours_later_is_the_mirrors_all_the_same() -> None:
    run = started(lambda g: {"median": 48.0 if g.percent and g.age > 5 * HOUR else 40.0})
    run.run(4.8 * HOUR)
    assert changes(run.states) == [WATCHING]
    run.run(1200)
    assert changes(run.states) == [WATCHING, SUSPECTED, PAUSED]


def test_the_finding_names_the_numbers() -> None:
    run = started(lambda g: {"median": 48.0 if g.percent else 40.0}).run(300)
    assert "p50 rose from 40." in run.record.message
    assert "p99 rose from 12" in run.record.message
    assert "for 60 s under mirroring" in run.record.message


def test_slowed_by_something_else_it_resumes_by_itself_and_takes_the_new_course_as_normal() -> None:
    run = started(lambda g: {"median": 48.0 if g.age > 900 else 40.0}).run(3 * HOUR)
    assert changes(run.states) == [WATCHING, SUSPECTED, DEGRADED, WATCHING]
    assert "something else is the cause" in run.record.message
    assert len(run.record.resumed) == 1
    assert run.states.index(WATCHING, run.states.index(DEGRADED)) * INTERVAL < 900 + 600


def test_while_production_gets_worse_by_itself_copies_stay_off() -> None:
    def worse(g: Guarded) -> Fields:
        return {"median": 40.0 * math.exp(max(0.0, min(g.age, 3600.0) - 900.0) / 1000.0)}

    run = started(worse).run(3600 - RECORDING - INTERVAL)
    assert run.state is DEGRADED
    run.run(900)
    assert changes(run.states)[-3:] == [SUSPECTED, DEGRADED, WATCHING]


def test_the_fourth_suspicion_of_a_day_asks_a_person() -> None:
    def jumps(g: Guarded) -> Fields:
        return {"median": 40.0 * 1.3 ** int(g.age / (2 * HOUR))}

    run = started(jumps).run(7.5 * HOUR)
    assert (run.state, len(run.record.resumed)) == (WATCHING, 3)
    run.run(HOUR)
    assert run.state is PAUSED
    assert "number 4 in a day" in run.record.message


def test_suspicions_are_counted_for_a_day() -> None:
    run = started(lambda g: {"median": 48.0 if g.age > 900 else 40.0})
    for hours_ago, state in ((25, WATCHING), (23, PAUSED)):
        run.record = GuardRecord(resumed=(run.now - hours_ago * HOUR,) * 3)
        twin = copy.deepcopy(run).run(1800)
        assert twin.state is state


def daily(g: Guarded) -> Fields:
    """Swing fourfold in a day, load and latency, from the mean upwards."""
    swing = 2 ** math.sin(2 * math.pi * g.age / 86400)
    return {"median": 40.0 * swing, "requests": 1500 * swing}


HARMLESS: dict[str, Callable[[Guarded], Fields]] = {
    "nothing but noise": lambda g: {},
    "very few requests": lambda g: {"requests": 3},
    "a p99 that is restless": lambda g: {"median": 40.0 * g.rng.lognormvariate(0, 0.1)},
    "slower for one interval in four": lambda g: {
        "median": 60.0 if g.rng.random() < 0.25 else 40.0
    },
    "bursts of errors": lambda g: {"error_rate": 0.02 if g.rng.random() < 0.1 else 0.0},
    "half a percent slower": lambda g: {"median": 40.2 if g.percent else 40.0},
}


@pytest.mark.parametrize("course", HARMLESS)
def test_production_as_it_is_asks_nobody(course: str) -> None:
    run = started(HARMLESS[course], seed=7).run(8 * HOUR)
    assert PAUSED not in run.states
    assert len(run.record.resumed) <= 1


@pytest.mark.parametrize(("seed", "requests"), [(1, 1500), (2, 1500), (3, 60)])
def test_a_day_with_fourfold_swings_of_load_and_latency_asks_nobody(
    seed: int, requests: int
) -> None:
    def course(g: Guarded) -> Fields:
        fields = daily(g)
        return fields | {"requests": fields["requests"] * requests / 1500}

    run = started(course, seed=seed).run(24 * HOUR)
    assert changes(run.states) == [WATCHING]


EARLY, LATE = 6 * HOUR, 15 * HOUR
BY_ITSELF = [WATCHING, SUSPECTED, DEGRADED, WATCHING]
BY_COPIES = [WATCHING, SUSPECTED, PAUSED]
TWICE: dict[str, tuple[float, float, list[GuardState]]] = {
    "something else first, then the mirror": (EARLY, LATE, [*BY_ITSELF, *BY_COPIES[1:], WATCHING]),
    "the mirror first, then something else": (LATE, EARLY, [*BY_COPIES, *BY_ITSELF]),
}
"""When something else begins to slow production, for three hours; when copies do, until a person
has mended it; and what the guard makes of the day."""


@pytest.mark.parametrize(("other", "mirror", "states"), TWICE.values(), ids=TWICE)
def test_of_two_incidents_in_a_day_with_its_swings_the_mirror_did_the_one_that_ends_without_copies(
    other: float, mirror: float, states: list[GuardState]
) -> None:
    def course(g: Guarded) -> Fields:
        fields = daily(g)
        slowed = other <= g.age < other + 3 * HOUR
        slowed |= g.age >= mirror and g.percent > 0 and g.spec.restarted_at is None
        return fields | {"median": fields["median"] * (1.25 if slowed else 1.0)}

    run = started(course)
    run.run(mirror + HOUR - run.age)
    assert run.state is PAUSED
    run.spec = spec(restartedAt="mended")
    run.run(RECORDING, percent=0).run(24 * HOUR - run.age, percent=100)
    assert changes(run.states) == states
    for began in (other, mirror):
        first = next(n for n, s in enumerate(run.states) if s is SUSPECTED and n > began / INTERVAL)
        assert (first + 1) * INTERVAL - began <= 3 * INTERVAL


YESTERDAY: dict[str, tuple[float, list[GuardState]]] = {
    "as slow": (48.0, [WATCHING]),
    "less slow": (42.0, [WATCHING, SUSPECTED, DEGRADED, WATCHING]),
}


@pytest.mark.parametrize("then", YESTERDAY)
def test_what_was_so_yesterday_is_the_rhythm_of_the_day(then: str) -> None:
    median, states = YESTERDAY[then]
    run = started(lambda g: {"median": 48.0 if g.age > 900 else 40.0})
    same_hour = Course(
        end=run.begun + 1800 - 86400, seconds=1800, requests=9000, p50=median, p99=3.2 * median
    )
    run.series = (same_hour, *run.series)
    assert changes(run.run(HOUR).states) == states


def test_without_requests_the_suspicion_is_not_decided_and_copies_stay_off() -> None:
    def silent(g: Guarded) -> Fields:
        if g.state is not WATCHING:
            return {"requests": 0}
        return {"median": 48.0 if g.percent else 40.0}

    run = started(silent).run(2 * HOUR)
    assert changes(run.states) == [WATCHING, SUSPECTED]


def test_only_another_restarted_at_resumes_and_old_harm_is_no_normal_course() -> None:
    run = started(lambda g: {"median": 48.0 if g.percent else 40.0}).run(HOUR)
    assert run.record.paused(run.spec)
    run.spec = spec(suspend=True, samplingPercent=50)
    assert run.run(INTERVAL).record.paused(run.spec)
    run.spec = spec(restartedAt="now")
    assert not run.record.holds(run.spec)
    run.run(INTERVAL, percent=0)
    assert (run.state, run.record.resumed) == (WATCHING, ())
    run.run(RECORDING, percent=0).run(600, percent=100)
    assert run.state is PAUSED, "it is judged anew"


THRESHOLDS: dict[str, tuple[dict[str, Any], Callable[[Guarded], Fields]]] = {
    "slower by less than is allowed": (
        {"maxP50IncreasePercent": 30, "maxP99IncreasePercent": 30},
        lambda g: {"median": 48.0 if g.percent else 40.0},
    ),
    "fewer errors than are allowed": (
        {"maxErrorIncreasePercent": "2"},
        lambda g: {"error_rate": 0.01 if g.percent else 0.0005},
    ),
    "for less time than is allowed": (
        {"forSeconds": 600},
        lambda g: {"median": 48.0 if g.percent and 400 < g.age < 800 else 40.0},
    ),
}


@pytest.mark.parametrize("allowed", THRESHOLDS)
def test_what_the_spec_allows_is_no_harm(allowed: str) -> None:
    limits, course = THRESHOLDS[allowed]
    run = started(course, spec=spec(guard=limits)).run(2 * HOUR)
    assert changes(run.states) == [WATCHING]


def test_the_same_records_give_the_same_decision_after_a_restart_in_every_state() -> None:
    """The operator is new at every interval: all that it has is what was stored."""
    stories = (*BY_THE_MIRROR.values(), lambda g: {"median": 48.0 if g.age > 900 else 40.0})
    for course in stories:
        run = started(course).run(HOUR)
        twin = GuardRecord()
        seen: list[GuardState] = []
        stored: tuple[Course, ...] = ()
        for end in range(1, len(run.states) + 1):
            stored = tuple(
                Course.model_validate_json(c.model_dump_json()) for c in run.kept[end - 1]
            )
            twin = GuardRecord.model_validate_json(twin.model_dump_json())
            twin = guard.judged(twin, run.spec, stored, now=stored[-1].end)
            seen.append(twin.state)
        assert seen == run.states


def test_two_days_of_records_are_small() -> None:
    run = started(daily).run(600)
    kept = run.series
    for number in range(2 * 2880):
        like = run.series[number % len(run.series)]
        kept = series.appended(kept, like.model_copy(update={"end": run.now + 30.0 * number + 30}))
    ledger = Ledger(epoch="e", begun=0.0, production=kept, guard=run.record)
    assert size(encode(ledger)) < 9 * 1024
