"""The first reason against a resource wins, and each says what to do."""

from collections.abc import Callable
from typing import Any

import pytest

from shadow_operator.core.planning.acceptance import CHECKS, refusal
from tests.support.world import COPIES_SERVICE, World, stranger

SELECTS_ALL = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "everything", "namespace": "hal9"},
    "spec": {"selector": {"app.kubernetes.io/managed-by": "shadow-operator"}},
}


def not_supported(world: World) -> None:
    world.edit(reference={"mode": "Production"})


def without_deployment(world: World) -> None:
    world.production = None


def without_service(world: World) -> None:
    world.service = None


def with_a_stranger(world: World) -> None:
    world.objects[COPIES_SERVICE] = stranger(COPIES_SERVICE)


def selected_with_production(world: World) -> None:
    assert world.production is not None
    labels = world.production["spec"]["template"]["metadata"]["labels"]
    labels["app.kubernetes.io/managed-by"] = "shadow-operator"
    world.selecting = (SELECTS_ALL, {**SELECTS_ALL, "metadata": {"name": "another"}})


def selected(world: World) -> None:
    world.selecting = ({**SELECTS_ALL, "spec": {"selector": {"hal9.ai/role": "shadow"}}},)


REASONS: dict[str, tuple[Callable[[World], Any], str]] = {
    "NotSupportedYet": (not_supported, "reference.mode"),
    "ProductionNotFound": (without_deployment, "create it, or correct spec.productionRef"),
    "ChildNameTaken": (with_a_stranger, "Delete it or make it anew under another name"),
}


def reason(world: World) -> tuple[str, str]:
    refused = refusal(world.situation)
    return (refused.reason, refused.message) if refused else ("", "")


@pytest.mark.parametrize(("expected", "case"), REASONS.items(), ids=REASONS)
def test_each_reason_says_what_to_do(
    expected: str, case: tuple[Callable[[World], Any], str]
) -> None:
    world = World()
    case[0](world)
    found, message = reason(world)
    assert found == expected
    assert case[1] in message


NEXT: dict[str, tuple[Callable[[World], Any], str]] = {
    "a field of a later version": (not_supported, ""),
    "no Deployment": (without_deployment, "kubectl -n hal9 get deployments,services"),
    "a stranger, who is not renamed by an edit of the resource": (
        with_a_stranger,
        "kubectl -n hal9 get service hal9-comparator -o yaml",
    ),
    "a selector": (selected_with_production, "kubectl -n hal9 get service everything -o yaml"),
}


@pytest.mark.parametrize(("change", "command"), NEXT.values(), ids=NEXT)
def test_each_reason_gives_the_command_that_shows_it(
    change: Callable[[World], Any], command: str
) -> None:
    world = World()
    change(world)
    refused = refusal(world.situation)
    assert refused is not None
    assert refused.next_step == command


def test_a_good_resource_is_accepted() -> None:
    assert reason(World()) == ("", "")


def test_without_its_service_production_is_not_found_either() -> None:
    world = World()
    without_service(world)
    assert reason(world)[0] == "ProductionNotFound"


def test_what_selects_only_clones_is_somebodys_own_wish() -> None:
    world = World()
    selected(world)
    assert reason(world) == ("", "")


def test_every_service_of_production_that_would_select_clones_is_in_the_way() -> None:
    world = World()
    selected_with_production(world)
    found, message = reason(world)
    assert found == "SelectorConflict"
    assert "Service everything selects" in message
    assert "Service another selects" in message


def test_what_selects_pods_matters_only_where_clones_are_asked_for() -> None:
    world = World()
    selected_with_production(world)
    world.edit(phase="None")
    assert reason(world) == ("", "")


def test_the_first_reason_wins() -> None:
    world = World()
    for change in (selected, with_a_stranger, without_service, without_deployment, not_supported):
        change(world)
    assert reason(world)[0] == "NotSupportedYet"
    assert len(CHECKS) == 6
