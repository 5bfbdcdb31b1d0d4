"""What is recorded of production while `phase: None` is asked for."""

from dataclasses import replace
from math import inf
from typing import Any

import pytest

from shadow_operator.core.pods import PRODUCTION
from shadow_operator.core.recording.baseline import KEY, Baseline
from shadow_operator.core.recording.production import Course
from shadow_operator.core.recording.usage import Usage, Use, taken
from shadow_operator.core.snapshot import (
    Amount,
    Found,
    Item,
    Node,
    Pod,
    PodUsage,
    RequestsReading,
    RoomReading,
    Unknown,
)
from tests.support.world import EVIDENCE, START, World

GIB = 1 << 30
FREE = RoomReading(
    nodes=Found((Node("one", Amount(8000, 32 * GIB)),)),
    usage=Found({"one": Amount(2000, 8 * GIB)}),
    quotas=Found(()),
)


def asleep(**fields: Any) -> World:
    """Give a world in which nothing is asked for, and the operator has looked once."""
    known: dict[str, Any] = {"usage": lambda _: Amount(500, GIB), "room": FREE} | fields
    world = World(**known)
    world.edit(phase="None")
    for _ in range(3):
        world.reconcile()
    return world


def recorded(world: World) -> Baseline:
    """Give what is stored."""
    return Baseline.read(world.objects[EVIDENCE]["data"])


def headroom(world: World) -> dict[str, Any] | None:
    """Give the check of status."""
    checks = world.status.get("preflight", [])
    return next((check for check in checks if check["name"] == "headroom"), None)


@pytest.mark.parametrize(("interval", "seconds"), [(30.0, 60.0), (5.0, 10.0), (120.0, 120.0)])
def test_a_record_is_due_after_two_intervals_or_a_minute(interval: float, seconds: float) -> None:
    known = Baseline(usage=Usage(asked=START))
    assert not known.is_due(START + 0.8 * seconds, interval)
    assert known.is_due(START + seconds, interval)


def test_what_production_uses_is_recorded_once_a_minute() -> None:
    world = asleep()
    for _ in range(24):
        world.reconcile(15.0)
    series = recorded(world).usage.series
    assert len(series) == 6
    assert series[-1].of(PRODUCTION) == Use(cpu=500, memory=GIB, largest=GIB, pods=3)
    assert not series[-1].of("shadow").pods


def test_between_two_records_nothing_is_written() -> None:
    world = asleep()
    assert world.reconcile().evidence is None


def test_status_says_what_production_uses_and_what_clones_would_ask_for() -> None:
    world = asleep()
    [role] = world.status["resources"]["roles"]
    assert (role["name"], role["cpuMillicores"], role["pods"]) == ("production", 500, 3)
    assert world.status["resources"]["message"].startswith("Asked for: shadow 2 x ")


def test_headroom_is_judged_before_anything_is_asked_for() -> None:
    check = headroom(asleep())
    assert check is not None
    assert check["result"] == "Passed"
    assert check["observed"] == "75%/75%"
    assert check["threshold"] == "> 50%/50%"
    assert "Clones ask for" in check["message"]


def test_too_little_room_is_seen_before_the_start() -> None:
    full = replace(FREE, usage=Found({"one": Amount(7000, 8 * GIB)}))
    check = headroom(asleep(room=full))
    assert check is not None
    assert (check["result"], check["observed"]) == ("Failed", "12%/75%")


def test_without_a_metrics_api_the_check_says_so() -> None:
    world = asleep(usage=None, room=replace(FREE, usage=Found({})))
    check = headroom(world)
    assert check is not None
    assert check["result"] == "Unknown"
    assert "what 1 of 1 nodes use is not known" in check["message"]
    assert recorded(world).usage.absent


def test_where_production_can_not_be_cloned_room_is_told_all_the_same() -> None:
    world = asleep()
    assert world.service is not None
    world.service["spec"]["ports"][0]["targetPort"] = "nonsense"
    world.reconcile(400.0)
    world.reconcile()
    check = headroom(world)
    assert check is not None
    assert check["observed"] == "75%/75%"
    assert "Clones ask for" not in check["message"]


def told(requests: int, errors: int = 0, boot: str = "a") -> RequestsReading:
    """Give what a pod says: of ten answers nine take up to 10 ms and one up to 100 ms."""
    buckets = {0.01: requests * 9 // 10, 0.1: requests, inf: requests}
    return RequestsReading(boot, requests, errors, buckets)


def courses(*readings: dict[str, Item[RequestsReading]]) -> tuple[Course, ...]:
    """Give what is recorded of these, a minute apart."""
    world = asleep(requests=readings[0])
    for reading in readings[1:]:
        world.requests = reading
        world.reconcile(30.0)
        world.reconcile(30.0)
    world.reconcile(0.0)
    return recorded(world).requests


def test_requests_are_recorded_as_productions_own_metrics_say() -> None:
    [course] = courses({"p": Found(told(1000))}, {"p": Found(told(1600, errors=6))})
    assert (course.requests, course.errors, course.percent) == (600, 6, 0)
    assert course.seconds == pytest.approx(60, abs=5)
    assert course.p50 == pytest.approx(5.6, abs=0.1)
    assert course.p99 == pytest.approx(91.0, abs=0.1)


READINGS: dict[str, tuple[dict[str, Item[RequestsReading]], int | None]] = {
    "another process": ({"p": Found(told(1600, boot="b"))}, None),
    "an old reading": ({"p": Found(told(900))}, None),
    "no reading": ({"p": Unknown("/metrics answered 503")}, None),
    "one of two": ({"p": Found(told(1600)), "q": Found(told(5, boot="b"))}, 600),
}


@pytest.mark.parametrize(("reading", "expected"), READINGS.values(), ids=READINGS)
def test_only_processes_count_that_were_read_before(
    reading: dict[str, Item[RequestsReading]], expected: int | None
) -> None:
    found = courses({"p": Found(told(1000))}, reading)
    assert [course.requests for course in found[:1]] == ([] if expected is None else [expected])


def test_after_a_start_the_baseline_stays_as_it_was() -> None:
    world = asleep()
    before = recorded(world)
    world.edit(phase="Shadow")
    for _ in range(5):
        world.reconcile(60.0)
        world.settle()
    assert recorded(world) == before


@pytest.mark.parametrize("text", ["", "nonsense", "bm9uc2Vuc2U="])
def test_what_can_not_be_read_is_recorded_anew(text: str) -> None:
    assert Baseline.read({KEY: text}) == Baseline()


def test_two_days_of_it_are_a_few_kilobytes() -> None:
    known = Baseline()
    pods = (Pod("p", "p", PRODUCTION),)
    for minute in range(2880):
        now = START + 60 * minute
        use = Amount(500 + _noise(minute) % 97, GIB + 65536 * _noise(minute))
        used = taken(
            known.usage,
            Found({"p": PodUsage(now, {"server": use})}),
            {PRODUCTION: pods},
            now=now,
            copying=False,
        )
        requests = 977 * minute + _noise(minute) % 89
        read = [Found(told(requests + n, minute, boot=f"{n}")) for n in range(30)]
        known = known.model_copy(update={"usage": used}).with_requests(read, now)
    assert (len(known.usage.series), len(known.requests)) <= (160, 160)
    assert len(known.stored()[KEY]) < 8192
    assert Baseline.read(known.stored()) == known


def _noise(number: int) -> int:
    return number * 7919 % 4096
