"""Which pods a pair goes to, when it is asked again, and how pairs end with the process."""

import asyncio
import random
from collections.abc import Callable

import pytest

from shadow_operator.comparator import pairs as module
from shadow_operator.comparator.counts import TRIGGERED_PER_SIGNATURE
from shadow_operator.core.comparing.answer import Answer
from tests.support.comparator import Bench, answer, never, running

SAME = answer({"state": "on"})
OTHER = answer({"state": "off"})


@pytest.mark.parametrize("pods", [2, 3])
@pytest.mark.parametrize("percent", [0, 5, 100])
async def test_pods_of_a_role_serve_alike(percent: int, pods: int) -> None:
    async with running([SAME] * pods, [SAME] * pods, control_percent=percent) as bench:
        bench.comparator.pairs._random = random.Random(1)  # noqa: S311 - draws the sample
        for _ in range(120):
            await bench.send()
        (route,) = (await bench.settled()).routes
        served = [[len(pod.seen) for pod in role] for role in (bench.shadows, bench.references)]
    controls = route.uniform.triples
    assert (percent == 0, percent == 100) == (controls == 0, controls == 120)
    for role in served:
        assert sum(role) == 120 + controls
        assert max(role) - min(role) <= (controls if percent == 5 else 0)


def _full(monkeypatch: pytest.MonkeyPatch, _: Bench) -> Callable[[], None]:
    before = module.MAX_EXTRA
    monkeypatch.setattr(module, "MAX_EXTRA", 0)
    return lambda: monkeypatch.setattr(module, "MAX_EXTRA", before)


def _alone(_: pytest.MonkeyPatch, bench: Bench) -> Callable[[], None]:
    references = bench.comparator._references
    before = references.addresses
    references.addresses = before[:1]

    def again() -> None:
        references.addresses = before

    return again


@pytest.mark.parametrize("hinder", [_full, _alone])
async def test_a_control_that_was_not_asked_for_is_not_spent(
    hinder: Callable[[pytest.MonkeyPatch, Bench], Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running([OTHER], [SAME, SAME]) as bench:
        free = hinder(monkeypatch, bench)
        for _ in range(TRIGGERED_PER_SIGNATURE):
            await bench.send()
        assert (await bench.route()).triggered.triples == 0
        free()
        for _ in range(TRIGGERED_PER_SIGNATURE + 5):
            await bench.send()
        assert (await bench.route()).triggered.triples == TRIGGERED_PER_SIGNATURE


async def test_what_an_extra_control_waits_with_is_bytes_and_no_content(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forgotten: list[Answer] = []

    def forget(one: Answer) -> None:
        forgotten.append(one)

    monkeypatch.setattr(Answer, "forget", forget)
    async with running([OTHER], [never, SAME]) as bench:
        await bench.send()
        await bench.until(lambda: len(bench.references[0].seen) == 1)
    assert len(forgotten) == 2


async def test_pairs_that_take_too_long_are_given_up_in_time_to_read_the_snapshot() -> None:
    async with running([never], [SAME], timeout_seconds=600) as bench:
        await bench.send()
        await bench.send()
        drain = asyncio.create_task(bench.comparator.drain(linger=0, end=1))
        await bench.until(lambda: bench.comparator.in_flight == 0)
        assert not drain.done()
        final = await bench.snapshot("?scraper=operator")
        assert await drain
    assert (final.eligible, final.shed, final.routes) == (2, {"Draining": 2}, ())


async def test_a_pair_that_only_waits_for_an_extra_control_was_counted() -> None:
    async with running([OTHER], [never, SAME], timeout_seconds=600) as bench:
        await bench.send()
        await bench.until(lambda: len(bench.references[0].seen) == 1)
        await bench.comparator.drain(linger=0, end=0.1)
        final = await bench.snapshot()
    assert (final.shed, final.in_flight) == ({}, 0)
    assert (final.routes[0].pairs, final.routes[0].triggered.triples) == (1, 0)
