"""The shadow learns, and only it; whether it does and how far it came is read from its metrics."""

import random
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from shadow_operator.adapters.learning import Told, read
from shadow_operator.api.enums import GateName, GateResult
from shadow_operator.api.names import Role
from shadow_operator.api.presets import HAL9
from shadow_operator.api.reasons import ConditionType
from shadow_operator.controller.metrics import with_neurons
from shadow_operator.core.judging.judgement import Subject, begin, judge
from shadow_operator.core.names import clones_policy
from shadow_operator.core.recording.learning import Learning, noted, standing
from shadow_operator.core.recording.ledger import LARGEST_BYTES, decode, encode, size
from shadow_operator.core.snapshot import Found, Item, LayerReading, LearningReading, Unknown
from tests.support.readings import EPOCH, spec
from tests.support.world import NAME, World, up

UNREAD = Unknown("/metrics answered 503")


def said(cycles: float, *, boot: str = "a", gradient: float | None = None) -> Item[LearningReading]:
    return Found(LearningReading(boot, cycles, cycles / 10, gradient))


def after(*readings: dict[str, Item[LearningReading]], every: float = 30.0) -> Learning:
    """Take over one reading after the other; the last one at `every` times their number."""
    learning = Learning()
    for number, reading in enumerate(readings):
        learning = noted(learning, reading, now=(number + 1) * every, interval=every)
    return learning


METRICS = """# TYPE hal9_learning_cycles_total counter
hal9_learning_cycles_total 120.0
# TYPE hal9_learning_adjustments_total counter
hal9_learning_adjustments_total{layer="a"} 7.0
hal9_learning_adjustments_total{layer="b"} 5.0
"""
GRADIENT = "# TYPE hal9_learning_error_gradient gauge\nhal9_learning_error_gradient 0.25\n"
ANSWERS: dict[str, tuple[httpx.Response, Item[LearningReading]]] = {
    "counters and a gradient": (
        httpx.Response(200, text=METRICS + GRADIENT),
        Found(LearningReading("b", 120, 12, 0.25)),
    ),
    "no gradient": (httpx.Response(200, text=METRICS), Found(LearningReading("b", 120, 12))),
    "nothing of learning": (
        httpx.Response(200, text=GRADIENT),
        Unknown("/metrics has no hal9_learning_cycles_total"),
    ),
    "no metrics": (httpx.Response(404), Unknown("/metrics answered 404")),
    "something else": (
        httpx.Response(200, text="<html> {"),
        Unknown("/metrics is not in Prometheus' text format"),
    ),
}


@pytest.mark.parametrize(("answer", "expected"), ANSWERS.values(), ids=ANSWERS)
async def test_a_pod_is_asked_for_its_metrics(
    answer: httpx.Response, expected: Item[LearningReading]
) -> None:
    transport = httpx.MockTransport(lambda _: answer)
    async with httpx.AsyncClient(transport=transport) as client:
        assert (await read(client, "10.0.0.1:8080", "b", HAL9)).learning == expected


NEURONS = """# TYPE hal9_neurons_active gauge
hal9_neurons_active{layer="substrate"} 4.0
hal9_neurons_active{layer="protocol"} NaN
hal9_neurons_active 9.0
"""


async def test_a_pod_tells_the_active_neurons_of_its_layers() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text=NEURONS))
    async with httpx.AsyncClient(transport=transport) as client:
        told = await read(client, "10.0.0.1:8080", "b", HAL9)
    assert told.neurons == {"substrate": 4.0}
    assert isinstance(told.learning, Unknown)


def test_neurons_of_a_layer_are_the_mean_over_pods_that_tell() -> None:
    layers = (LayerReading("Substrate", True, ""), LayerReading("Protocol", True, ""))
    told = (Told(UNREAD, {"substrate": 3.0}), Told(UNREAD, {"substrate": 6.0}), Told(UNREAD))
    assert [layer.neurons for layer in with_neurons(layers, told)] == [4, None]


def test_neurons_alone_move_status_once_in_an_interval() -> None:
    world = up(layers=["Substrate"])

    def neurons(active: int, seconds: float) -> int | None:
        world.layers = (LayerReading("Substrate", True, "", active),)
        world.reconcile(seconds)
        found: int | None = world.status["health"]["layers"][0].get("neurons")
        return found

    assert [neurons(4, 2.0), neurons(5, 2.0), neurons(6, 30.0), neurons(7, 2.0)] == [4, 4, 4, 7]


def test_cycles_add_up_over_pods_and_restarts() -> None:
    learning = after(
        {"p": said(10, boot="a"), "q": said(5, boot="b")},
        {"p": said(30, boot="a"), "q": UNREAD},
        {"p": said(3, boot="a2"), "q": said(6, boot="b")},
        {"p": said(3, boot="a2"), "q": said(6, boot="b")},
    )
    assert (learning.cycles, learning.last_cycle) == (39, 90.0)
    assert [span.cycles for span in learning.series] == [15, 20, 4, 0]
    assert learning.problem == ""


STANDINGS = {
    "nobody was asked": (Learning(), 30.0, GateResult.INCONCLUSIVE, "was not asked yet"),
    "nobody answers": (after({"p": UNREAD}), 30.0, GateResult.ERROR, "p: /metrics answered 503"),
    "no cycle yet": (after({"p": said(0)}), 30.0, GateResult.INCONCLUSIVE, "No learning cycle"),
    "cycles": (after({"p": said(20)}), 30.0, GateResult.PASSED, "20 learning cycles, 2 adjustmen"),
    "one reading is lost": (after({"p": said(20)}, {"p": UNREAD}), 60.0, GateResult.PASSED, "20"),
    "all are lost for long": (
        after({"p": said(20)}, {"p": UNREAD}), 1_000.0, GateResult.ERROR, "can't be read",
    ),
    "no cycle for long": (
        after(*[{"p": said(20)}] * 40), 1_200.0, GateResult.INCONCLUSIVE, "No cycle for 19m",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("learning", "now", "result", "text"), STANDINGS.values(), ids=STANDINGS)
def test_learning_goes_on_while_there_are_cycles(
    learning: Learning, now: float, result: GateResult, text: str
) -> None:
    found, sentence = standing(learning, now)
    assert found is result
    assert text in sentence
    wanted = spec(preset="HAL9", learning="ShadowOnly")
    ledger = begin(EPOCH, now=0.0, interval=30.0)
    ledger = ledger.model_copy(update={"learning": learning, "advanced": now})
    judged = judge(wanted, ledger, Subject("a", "a"), now=now)
    [gate] = [gate for gate in judged.gates if gate.name is GateName.LEARNING]
    assert gate.result is result
    [gate] = [
        gate
        for gate in judge(spec(), ledger, Subject("a", "a"), now=now).gates
        if gate.name is GateName.LEARNING
    ]
    assert gate.result is GateResult.NOT_APPLICABLE


GRADIENTS: dict[str, tuple[Sequence[float], str]] = {
    "it falls": ([1 - number / 100 for number in range(40)], "falls: -1.2 an hour (95%: -1.2 to"),
    "it rises": ([number / 100 for number in range(40)], "rises: +1.2 an hour (95%: +1.2 to"),
    "it stays": ([0.5 + number % 2 / 100 for number in range(40)], "no clear trend: "),
    "it was told too seldom": ([0.5] * 9, "too few readings for a trend"),
}


@pytest.mark.parametrize(("gradients", "text"), GRADIENTS.values(), ids=GRADIENTS)
def test_the_trend_of_the_error_gradient_has_an_interval(
    gradients: Sequence[float], text: str
) -> None:
    readings = [{"p": said(n + 1, gradient=value)} for n, value in enumerate(gradients)]
    learning = after(*readings)
    _, sentence = standing(learning, 30.0 * len(readings))
    assert text in sentence
    assert len(sentence) <= 240


def test_a_day_of_learning_in_a_hundred_pods_take_little_room() -> None:
    dice, learning = random.Random(3), Learning()  # noqa: S311 - repeatable
    for number in range(2_880):
        pods = {
            f"p{pod}": said(number * 10 + pod, boot=f"{pod}", gradient=dice.random())
            for pod in range(100)
        }
        learning = noted(learning, pods, now=1.7e9 + number * 30.0, interval=30.0)
    empty = begin(EPOCH, now=0.0, interval=30.0)
    stored = encode(empty.model_copy(update={"learning": learning}))
    assert size(stored) - size(encode(empty)) < 8_192 < LARGEST_BYTES
    kept = decode(stored)
    assert kept is not None
    assert kept.learning == learning


def learns(**changes: Any) -> World:
    return up(preset="HAL9", learning="ShadowOnly", **changes)


def env(world: World, role: Role) -> dict[str, str]:
    live = world.deployment(role)
    assert live is not None
    [container] = live["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one.get("value", "") for one in container.get("env") or ()}


def test_only_the_shadow_gets_the_switch() -> None:
    world = learns()
    assert env(world, Role.SHADOW)["HAL9_HIERARCHICAL_LEARNING"] == "shadow-only"
    assert "HAL9_HIERARCHICAL_LEARNING" not in env(world, Role.REFERENCE)


def test_without_a_preset_learning_is_refused_with_what_helps() -> None:
    world = World()
    world.edit(learning="ShadowOnly")
    for _ in range(3):
        world.reconcile()
    accepted = condition(world, "Accepted")
    assert accepted["status"] == "False"
    assert "set preset: HAL9, or learning: Disabled" in accepted["message"]


def condition(world: World, name: str = ConditionType.LEARNING_ACTIVE) -> dict[str, Any]:
    return next(c for c in world.status["conditions"] if c["type"] == name)


def test_status_says_how_learning_goes_and_what_switching_it_costs() -> None:
    world = up(preset="HAL9")
    assert condition(world)["status"] == "False"
    assert "ShadowOnly would begin a new epoch" in condition(world)["message"]
    assert "learning" not in world.status
    epoch = world.progress.epoch

    world = learns()
    assert world.progress.epoch != epoch
    assert condition(world)["reason"] == "NoCycles"
    for number in range(3):
        world.learning = {"hal9-shadow-0": said(20.0 * number)}
        world.reconcile(30.0)
    assert (condition(world)["status"], condition(world)["reason"]) == ("True", "Learning")
    assert "Disabled would begin a new epoch" in condition(world)["message"]
    assert world.status["learning"]["message"].startswith("40 learning cycles, 4 adjustments")


def test_the_operator_may_read_the_port_of_metrics_only_where_it_tells_something() -> None:
    def ports(world: World) -> list[int]:
        policies = [ref for ref in world.objects if ref.kind == "NetworkPolicy"]
        [ref] = [ref for ref in policies if ref.name == clones_policy(NAME)]
        rules = world.objects[ref]["spec"]["ingress"]
        return [port["port"] for rule in rules for port in rule["ports"]]

    assert 9090 not in ports(with_metrics(World()))
    assert 9090 in ports(with_metrics(World(), preset="HAL9", learning="ShadowOnly"))
    assert 9090 in ports(with_metrics(World(), layers=["Substrate"]))
    assert 9090 not in ports(with_metrics(World(), layers=["Substrate"], preset="None"))


def with_metrics(world: World, **changes: Any) -> World:
    assert world.production is not None
    [container] = world.production["spec"]["template"]["spec"]["containers"][:1]
    container["ports"] = [
        *(port for port in container.get("ports") or () if port.get("name") != "metrics"),
        {"name": "metrics", "containerPort": 9090},
    ]
    world.edit(**changes)
    return world.until(lambda w: w.progress.mirroring)
