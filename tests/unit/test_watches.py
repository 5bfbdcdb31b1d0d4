"""What is watched, and whom the events wake."""

import copy
import logging
from collections.abc import Mapping
from typing import Any, Final

import kopf
import pytest

from shadow_operator.controller import operator
from shadow_operator.controller.operator import KINDS, Operator
from shadow_operator.controller.settings import OperatorSettings
from shadow_operator.controller.workers import Key, Workers
from tests.support.world import NAME, World

RESOURCES: Final = {
    plural: kopf.Resource(group, version, plural) for group, version, plural in KINDS
}


class Woken(Workers):
    """Writes down whom somebody wakes."""

    def __init__(self) -> None:
        self.keys: list[Key] = []

    def ensure(self, key: Key) -> None:
        self.wake(key)

    def wake(self, key: Key) -> None:
        self.keys.append(key)


class Unconnected(Operator):
    """Connects to no API server."""

    async def start(self, logger: object) -> None:
        self.workers = Woken()


@pytest.fixture
def memo() -> Operator:
    return Unconnected(OperatorSettings(operator_image="operator:1"))


async def started(memo: Operator) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    await operator._startup(memo=memo, settings=settings, logger=logging.getLogger())
    return settings


async def send(
    memo: Operator, plural: str, body: Mapping[str, Any], kind: str = "MODIFIED"
) -> None:
    event = {"type": kind, "object": {"metadata": {"namespace": NAME} | body["metadata"]}}
    await operator._object_changed(
        memo=memo,
        namespace=NAME,
        labels=body["metadata"].get("labels", {}),
        resource=RESOURCES[plural],
        event=event,
    )


async def test_all_objects_of_productions_kinds_are_watched_and_of_others_only_ours(
    memo: Operator,
) -> None:
    selectors = (await started(memo)).watching.label_selectors
    whole = {plural for plural, kind in RESOURCES.items() if not list(selectors.collect(kind))}
    assert whole == {"deployments", "services"}


async def test_production_made_anew_wakes_its_resource_until_that_is_deleted(
    memo: Operator,
) -> None:
    await started(memo)
    assert isinstance(memo.workers, Woken)
    world = World()
    assert world.service is not None

    async def look(kind: str) -> None:
        event = {"type": kind, "object": world.body}
        await operator._resource_changed(memo=memo, namespace=NAME, name=NAME, event=event)

    await look("ADDED")
    await send(memo, "services", world.service, "DELETED")
    await send(memo, "services", {"metadata": {"name": "nobody's"}}, "DELETED")
    assert memo.workers.keys == [(NAME, NAME)] * 2
    await look("DELETED")
    await send(memo, "services", world.service)
    assert memo.workers.keys == [(NAME, NAME)] * 3


async def test_a_child_wakes_its_resource_whatever_changes(memo: Operator) -> None:
    await started(memo)
    child = {"metadata": {"name": "hal9-shadow", "labels": {"hal9.ai/shadow": NAME}}}
    for plural in RESOURCES:
        await send(memo, plural, child)
    assert isinstance(memo.workers, Woken)
    assert memo.workers.keys == [(NAME, NAME)] * len(RESOURCES)


def test_one_memo_serves_every_object(memo: Operator) -> None:
    assert copy.copy(memo) is memo
