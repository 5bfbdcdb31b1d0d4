"""What is recorded of production while `phase: None` is asked for."""

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from shadow_operator.core.baseline import KEY, Baseline
from shadow_operator.core.pods import PRODUCTION
from shadow_operator.core.snapshot import Amount, Found, Node, RoomReading
from shadow_operator.core.usage import Use
from tests.support.world import EVIDENCE, World

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
    numbers = count()
    world = asleep(usage=lambda _: Amount(500 + next(numbers) % 97, GIB + _noise(next(numbers))))
    for _ in range(2880):
        world.reconcile(60.0)
    stored = recorded(world)
    assert len(stored.usage.series) <= 160
    assert len(stored.stored()[KEY]) < 4096


def _noise(number: int) -> int:
    return number * 7919 % 4096 * 65536
