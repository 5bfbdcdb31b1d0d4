"""Which marks a transition makes, and that none is made twice."""

from collections.abc import Callable
from typing import Any

import pytest

from shadow_operator.api.names import Role
from shadow_operator.core.actions import Annotation, Mark
from tests.support.world import World, up


def marks(world: World, looks: int = 6, seconds: float = 2.0) -> list[Annotation]:
    """Let the operator look some times; give the marks."""
    found: list[Annotation] = []
    for _ in range(looks):
        found += world.reconcile(seconds).annotations
        world.settle()
    return found


def stopped(world: World) -> None:
    world.annotations["hal9.ai/stop"] = "an outage"


def resumed(world: World) -> None:
    stopped(world)
    marks(world)
    del world.annotations["hal9.ai/stop"]


def taken_down(world: World) -> None:
    world.edit(phase="None")


def deleted_after_it_was_taken_down(world: World) -> None:
    taken_down(world)
    marks(world)
    world.delete()


OUTAGE = "Shadow hal9/hal9: copying ends: Stopped: an outage"
DOWN = "Shadow hal9/hal9: the shadow is taken down"
BEGINS = "Shadow hal9/hal9: copying begins, 100 % of the eligible requests after the ramp"

MADE: dict[str, tuple[Callable[[World], Any], list[tuple[Mark, str]]]] = {
    "nothing": (lambda _: None, []),
    "another percentage": (lambda world: world.edit(samplingPercent=50), []),
    "a stop": (stopped, [(Mark.PAUSE, OUTAGE)]),
    "a stop that is taken back": (resumed, [(Mark.START, BEGINS)]),
    "the way down": (taken_down, [(Mark.STOP, DOWN)]),
    "a deletion": (lambda world: world.delete(), [(Mark.STOP, DOWN)]),
    "a deletion of what is down": (deleted_after_it_was_taken_down, []),
    "a refusal of what runs": (lambda world: world.edit(mirror={"provider": "Istio"}), []),
}


@pytest.mark.parametrize(("change", "expected"), MADE.values(), ids=MADE)
def test_each_transition_makes_its_mark_once(
    change: Callable[[World], Any], expected: list[tuple[Mark, str]]
) -> None:
    world = up()
    change(world)
    assert [(one.mark, one.text) for one in marks(world)] == expected


def test_the_way_up_marks_the_deployment_and_then_the_first_copy() -> None:
    world = World()
    found = [one for one in marks(world, 10) if one.mark is not Mark.VERDICT]
    assert [(one.mark, one.text, one.begins_copies) for one in found] == [
        (Mark.START, "Shadow hal9/hal9: deployment started, image example.com/hal9:new", False),
        (Mark.START, BEGINS, True),
    ]
    assert found[0].time < found[1].time < world.now


def test_clones_that_break_pause_it_with_their_reason() -> None:
    world = up()
    world.break_down(Role.SHADOW)
    [mark] = world.reconcile().annotations
    assert mark.mark is Mark.PAUSE
    assert mark.text.startswith("Shadow hal9/hal9: copying ends: ")


def test_a_refused_resource_makes_no_mark_until_it_is_accepted() -> None:
    world = World()
    world.edit(mirror={"provider": "Istio"})
    assert marks(world) == []
    world.edit(mirror={"provider": "Envoy"})
    assert marks(world)[0].text.endswith("deployment started, image example.com/hal9:new")


def test_an_operator_that_starts_anew_makes_no_mark_again() -> None:
    """All that it knows is in the objects: nothing of the process before is left."""
    world = up()
    again = World(
        spec=world.spec,
        objects=world.objects,
        pods=world.pods,
        envoys=world.envoys,
        answered=world.answered,
        finalizers=world.finalizers,
        status=world.status,
        generation=world.generation,
        now=world.now,
    )
    assert marks(again) == []


def test_a_verdict_of_yes_or_no_is_marked_and_one_that_waits_is_not() -> None:
    world = up(soakSeconds=60, gates={"minimumPairs": {"total": 100}})
    world.traffic = 20_000
    found = [one for one in marks(world, 12, 30.0) if one.mark is Mark.VERDICT]
    assert [one.text.split(": ")[1] for one in found] == ["ProceedToCanary"]


def test_a_long_text_is_cut() -> None:
    world = up()
    world.annotations["hal9.ai/stop"] = "why " * 500
    [mark] = world.reconcile().annotations
    assert len(mark.text) == 500
