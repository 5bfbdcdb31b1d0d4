"""Addresses of clones: looked up again and again, kept while the name server is away."""

import asyncio
import socket

import pytest

from shadow_operator.api.evidence import Target
from shadow_operator.comparator import clones as module
from shadow_operator.comparator.client import Address
from shadow_operator.comparator.clones import Clones, resolve

TARGET = Target(host="pods", port=80)
PODS: list[Address] = [("10.0.0.1", 80), ("10.0.0.2", 80)]


class Names:
    """A name server that answers what it is told."""

    def __init__(self) -> None:
        self.pods: list[Address] | OSError = PODS
        self.asked = 0

    async def __call__(self, target: Target) -> list[Address]:
        self.asked += 1
        if isinstance(self.pods, OSError):
            raise self.pods
        return self.pods


async def test_a_name_gives_its_addresses_with_the_targets_port() -> None:
    assert await resolve(Target(host="127.0.0.1", port=81)) == [("127.0.0.1", 81)]


@pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_NODATA])
async def test_a_name_without_addresses_is_an_empty_list(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise socket.gaierror(code, "no")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fails)
    assert await resolve(TARGET) == []


async def test_addresses_stay_while_the_name_server_does_not_answer_and_go_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = Names()
    clones = Clones(TARGET, names)
    await clones.refresh()
    names.pods = OSError("no answer")
    await clones.refresh()
    assert clones.addresses == PODS
    monkeypatch.setattr(module, "KEEP_SECONDS", 0.0)
    await clones.refresh()
    assert not clones.addresses


async def test_pods_that_are_gone_are_used_no_more() -> None:
    names = Names()
    clones = Clones(TARGET, names)
    await clones.refresh()
    names.pods = []
    await clones.refresh()
    assert clones.choose(0) is None


async def test_a_refused_connection_asks_again_before_the_regular_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    names = Names()
    clones = Clones(TARGET, names)
    changed = asyncio.Event()
    task = asyncio.create_task(clones.follow(changed.set))
    for asked in (1, 2):
        async with asyncio.timeout(3):
            await changed.wait()
        assert names.asked == asked
        changed.clear()
        clones.refresh_soon()
    task.cancel()


async def test_another_target_forgets_the_old_addresses_at_once() -> None:
    clones = Clones(TARGET, Names())
    await clones.refresh()
    clones.retarget(TARGET)
    assert clones.addresses == PODS
    clones.retarget(Target(host="elsewhere", port=80))
    assert not clones.addresses


async def test_a_session_has_its_pod_others_take_turns_and_another_is_different() -> None:
    clones = Clones(TARGET, Names())
    await clones.refresh()
    assert {clones.choose(7) for _ in range(5)} == {PODS[1]}
    assert {clones.choose(0) for _ in range(5)} == set(PODS)
    assert {clones.another(PODS[0]) for _ in range(5)} == {PODS[1]}
    assert clones.another(PODS[1]) == PODS[0]
