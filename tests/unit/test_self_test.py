"""The judge on trial: what runs in a self-test, what is planted, and what comes of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from shadow_operator.api.enums import Decision
from shadow_operator.api.names import Role
from shadow_operator.api.reasons import VerdictReason
from shadow_operator.comparator.counts import Result
from shadow_operator.comparator.plant import ONE_IN, Planter
from shadow_operator.core.comparing.answer import Answer
from shadow_operator.core.deploying.cloning import clone
from shadow_operator.core.planning.epochs import wanted_epoch
from shadow_operator.core.recording.progress import Progress
from shadow_operator.core.telling.unreadable import read_resource, salvage
from tests.support.clones import BASE, SETTINGS, merged, production
from tests.support.comparator import answer, running
from tests.support.world import World
from tests.unit.test_judgement import Routes, Run, buggy, noisy

NEW = {
    "layers": ["Substrate"],
    "shadow": {"env": [{"name": "MODE", "value": "new"}], "resources": {"limits": {"cpu": "9"}}},
}


def body(kind: str) -> dict[str, Any]:
    """Give the resource with all that a new version may ask for, in this kind of self-test."""
    whole: dict[str, Any] = merged(BASE["resource"], {"spec": {**NEW, "selfTest": kind}})
    return whole


# What runs


@pytest.mark.parametrize("kind", ["Unchanged", "PlantedFault"])
@pytest.mark.parametrize("read", [read_resource, salvage])
def test_the_shadow_is_a_second_reference(kind: str, read: Callable[[Any], Any]) -> None:
    resource = read(body(kind))
    shadow, reference = (
        clone(*production({}), resource, role, SETTINGS, running_image="").manifest["spec"]
        for role in (Role.SHADOW, Role.REFERENCE)
    )
    shadow, reference = (one["template"]["spec"]["containers"] for one in (shadow, reference))
    assert shadow == reference
    assert resource.spec.layers == ()


def test_the_routes_of_the_preset_stay() -> None:
    assert "/api/v1/neurons/{id}" in read_resource(body("Unchanged")).spec.effective_routes


def test_each_kind_is_an_epoch_of_its_own() -> None:
    deployment, _ = production({})
    epochs = {
        wanted_epoch(read_resource(body(kind)).spec, deployment, Progress())
        for kind in ("Disabled", "Unchanged", "PlantedFault")
    }
    assert len(epochs) == 3


# What is planted


def planted(content: object, *, answers: int = ONE_IN, spared: str = "") -> list[Any]:
    """Give the bodies that come out of so many equal answers."""
    planter = Planter()
    one = Answer(200, {"content-type": "application/json"}, json.dumps(content).encode())
    results = [
        planter.changed(Result("pod", one, "", 0.1), lambda path: path == spared)
        for _ in range(answers)
    ]
    return [json.loads(result.answer.body) for result in results if result.answer]


def test_one_answer_of_fifty_gets_one_wrong_value() -> None:
    right = {"name": "a", "size": 3, "on": True, "of": [{"id": 1}]}
    bodies = planted(right, answers=4 * ONE_IN)
    wrong = [body for body in bodies if body != right]
    assert [sum(body[k] != right[k] for k in right) for body in wrong] == [1] * 4


def test_places_take_turns() -> None:
    bodies = planted({"a": 1, "b": 2}, answers=2 * ONE_IN)
    assert [body for body in bodies if body != {"a": 1, "b": 2}] == [
        {"a": 1, "b": 4},
        {"a": 2, "b": 2},
    ]


@pytest.mark.parametrize(
    "content",
    [
        {"time": "2026-11-23T12:00:00Z"},
        {"id": "7c9e6679-7425-40de-944b-e07fc1f90ae7"},
        {"epoch": 1_764_000_000},
        {"2026-11": 1},
        {"known": 1},
        [],
        None,
    ],
)
def test_where_answers_vary_by_nature_nothing_is_planted(content: object) -> None:
    assert planted(content, spared="$.known") == [content] * ONE_IN


def test_an_answer_that_is_no_json_gets_one_byte_more() -> None:
    planter = Planter()
    one = Answer(200, {"content-type": "text/plain"}, b"fine")
    results = [planter.changed(Result("p", one, "", 0.1), lambda _: False) for _ in range(ONE_IN)]
    assert results[-1].answer
    assert results[-1].answer.body == b"fine~"


async def test_a_comparator_that_plants_counts_the_differences() -> None:
    same = answer({"state": "on"})
    async with running([same], [same], plant_faults=True) as bench:
        for _ in range(2 * ONE_IN):
            await bench.send()
        (route,) = (await bench.settled()).routes
    assert (route.pairs, route.matched) == (2 * ONE_IN, 2 * ONE_IN - 2)


# What comes of it


@pytest.mark.parametrize(
    ("kind", "routes", "decision", "reason", "says"),
    [
        (
            "Unchanged",
            noisy,
            Decision.EXTEND_SHADOW,
            VerdictReason.SELF_TEST_PASSED,
            "Self-test passed, nothing counts as a difference.",
        ),
        (
            "Unchanged",
            buggy,
            Decision.INVESTIGATE,
            VerdictReason.SELF_TEST_FAILED,
            "Self-test failed, the same version does not pass.",
        ),
        (
            "PlantedFault",
            buggy,
            Decision.EXTEND_SHADOW,
            VerdictReason.SELF_TEST_PASSED,
            "Self-test passed, the planted fault was caught. match-rate: ",
        ),
        (
            "PlantedFault",
            noisy,
            Decision.INVESTIGATE,
            VerdictReason.SELF_TEST_FAILED,
            "Self-test failed, no planted fault was caught in",
        ),
    ],
)
def test_the_verdict_is_about_the_judge(
    kind: str, routes: Routes, decision: Decision, reason: VerdictReason, says: str
) -> None:
    run = Run(selfTest=kind)
    judged = run.go(1200, routes)
    assert judged.verdict
    assert (judged.verdict.decision, judged.verdict.reason) == (decision, reason)
    assert judged.verdict.message.startswith(says)
    assert Decision.PROCEED_TO_CANARY not in run.decisions


def test_a_self_test_that_passed_is_over() -> None:
    assert Run(selfTest="Unchanged").go(1200).final


def test_a_planted_fault_that_was_caught_needs_no_soak() -> None:
    judged = Run(selfTest="PlantedFault").go(300, buggy)
    assert judged.final
    assert not judged.soak_complete
    assert judged.next_step.endswith("""-p '{"spec":{"selfTest":"Disabled"}}'""")


def test_the_condition_says_that_it_passed() -> None:
    world = World()
    world.edit(selfTest="Unchanged", soakSeconds=30)
    world.traffic = 10_000
    world.until(lambda w: w.status.get("phase") == "Completed", seconds=10.0)
    seen = {one["type"]: one for one in world.status["conditions"]}
    assert (seen["SelfTestPassed"]["status"], seen["SelfTestPassed"]["reason"]) == (
        "True",
        "SelfTestPassed",
    )
    assert seen["SelfTestPassed"]["message"] == world.status["verdict"]["message"]
