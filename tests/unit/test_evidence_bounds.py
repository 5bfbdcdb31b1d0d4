"""Whatever differs, evidence and status stay small, and noise alone accuses nobody."""

import json
import random
from typing import Any

from shadow_operator.core.recording.ledger import LARGEST_BYTES, size
from tests.support.counting import CountingWorld, Service, noisy
from tests.support.world import EVIDENCE, mirroring

LETTERS = "bcdfghjklm"
LARGEST_STATUS = 32 * 1024


def word(number: int) -> str:
    return "".join(LETTERS[int(digit)] for digit in f"{number:06d}")


def with_differences(distinct: int, routes: int, state: str) -> Service:
    """Add members of which each pair has some, all in all so many distinct places."""
    each = distinct // routes

    def service(dice: random.Random, number: int) -> dict[str, Any]:
        first = 1000 * (number % routes)
        some = [word(first + (20 * (number // routes) + n) % each) for n in range(20)]
        return noisy(dice, number) | {"members": dict.fromkeys(some, state)}

    return service


def counting(**spec: Any) -> CountingWorld:
    world = CountingWorld(reference=noisy, shadow=noisy)
    world.edit(**spec)
    world.traffic = 0
    world.until(mirroring)
    return world


def test_a_healthy_version_with_twelve_independent_noisy_fields_proceeds() -> None:
    world = counting(soakSeconds=1200)
    for number in range(60):
        world.traffic = 3000 if number < 3 else 300  # 4,096 signatures before there are hints
        world.reconcile(30.0)
        assert world.status["comparison"]["mismatched"] == 0
    assert world.status["verdict"]["decision"] == "ProceedToCanary", world.status["verdict"]


def test_ten_thousand_differences_and_twelve_noisy_fields_fit() -> None:
    world, routes = counting(soakSeconds=1200), 50
    world.path = lambda number: f"/{word(number % 10)}/{word(number % routes)}/{number}"
    world.reference = with_differences(10_000, routes, "on")
    world.shadow = with_differences(10_000, routes, "off")
    world.traffic = 2000
    for _ in range(5):
        world.reconcile(30.0)
        assert size(world.objects[EVIDENCE]["data"]) <= LARGEST_BYTES
        assert len(json.dumps(world.status)) < LARGEST_STATUS
    assert world.status["comparison"]["matched"] == 0, "what finds no room is never hidden"
    assert world.status["verdict"]["decision"] == "Investigate"
