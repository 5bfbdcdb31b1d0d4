"""Connections of mirrors: deadlines, bounds, an end, and every refusal counted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shadow_operator.comparator import receive
from shadow_operator.comparator.pairs import MAX_RECEIVING
from shadow_operator.comparator.receive import IDLE_SECONDS, MESSAGE_SECONDS
from tests.support.comparator import DEADLINE, Bench, answer, running

SAME = answer({"state": "on"})
GET = b"GET /thing HTTP/1.1\r\nhost: a\r\n\r\n"
STALLED = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9000\r\n\r\n" + b"x" * 2000
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@asynccontextmanager
async def connected(
    bench: Bench, first: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open one more connection, write to it, and wait until the comparator has it."""
    before = len(bench.comparator._connections.open)
    reader, writer = await asyncio.open_connection(*bench.comparator.copies_address)
    writer.write(first)
    await bench.until(lambda: len(bench.comparator._connections.open) > before)
    try:
        async with asyncio.timeout(DEADLINE):
            yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def pass_seconds(bench: Bench, seconds: float) -> None:
    """Check the connections as if so much time had passed."""
    connections = bench.comparator._connections
    connections.check(connections.time() + seconds)


async def test_a_copy_that_stalls_is_given_up_and_takes_no_memory_from_pairs() -> None:
    async with running([SAME], [SAME], methods=["POST"]) as bench:
        async with connected(bench, STALLED) as (reader, _):
            pairs, memory = bench.comparator.pairs, bench.comparator._client.memory
            await bench.until(lambda: pairs._receiving.free < MAX_RECEIVING)
            assert memory.free == memory.size
            pass_seconds(bench, MESSAGE_SECONDS - 1)
            assert not reader.at_eof()
            pass_seconds(bench, MESSAGE_SECONDS + 1)
            assert (await reader.read()).startswith(b"HTTP/1.1 408")
        assert pairs._receiving.free == MAX_RECEIVING
        assert (await bench.settled()).shed == {"Broken": 1}
        assert bench.comparator.counts.refused == {"TooSlow": 1}


async def test_many_stalled_copies_leave_room_for_copies_without_a_body() -> None:
    async with running([SAME], [SAME], methods=["GET", "POST"]) as bench:
        pairs = bench.comparator.pairs
        pairs._receiving.take(pairs._receiving.free)
        await bench.send("/a", method="POST", data=b"x")
        await bench.send("/b")
        snapshot = await bench.settled()
    assert snapshot.shed == {"Overload": 1}
    assert [(route.method, route.matched) for route in snapshot.routes] == [("GET", 1)]


@pytest.mark.parametrize("half", [b"GET /thi", b"GET /thing HTTP/1.1\r\nhost: a\r\nx-a"])
async def test_half_a_request_is_given_up(half: bytes) -> None:
    async with running([SAME], [SAME]) as bench, connected(bench, half) as (reader, _):
        (connection,) = bench.comparator._connections.open
        await bench.until(lambda: connection._reading)
        pass_seconds(bench, MESSAGE_SECONDS + 1)
        assert (await reader.read()).startswith(b"HTTP/1.1 408")
        assert bench.comparator.counts.refused == {"TooSlow": 1}


@pytest.mark.parametrize("first", [b"", GET])
async def test_an_idle_connection_is_closed_in_the_end(first: bytes) -> None:
    async with running([SAME], [SAME]) as bench, connected(bench, first) as (reader, _):
        if first:
            assert await reader.readexactly(len(OK)) == OK
        pass_seconds(bench, IDLE_SECONDS - 1)
        assert bench.comparator._connections.open
        pass_seconds(bench, IDLE_SECONDS + 1)
        assert await reader.read() == b""
        assert not bench.comparator.counts.refused


async def test_connections_over_their_number_are_closed_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(receive, "MAX_CONNECTIONS", 1)
    async with running([SAME], [SAME]) as bench, connected(bench, b""):
        assert await bench.raw(b"") == b""
        assert bench.comparator.counts.refused == {"TooManyConnections": 1}


async def test_what_is_not_http_is_counted_and_shown() -> None:
    async with running([SAME], [SAME]) as bench:
        assert (await bench.raw(b"\x16\x03\x01\x00\xa5\x01\x00")).startswith(b"HTTP/1.1 400")
        async with bench.client.get(f"{bench.admin}/metrics") as response:
            assert 'shadow_connections_refused_total{reason="NotHTTP"} 1.0' in await response.text()


async def test_a_connection_lives_as_long_as_the_mirror_likes() -> None:
    async with running([SAME], [SAME]) as bench, connected(bench, GET + GET) as (reader, _):
        assert await reader.readexactly(2 * len(OK)) == OK + OK


async def test_a_connection_ends_with_an_answer_where_it_may_grow_only_so_old() -> None:
    async with (
        running([SAME], [SAME], connection_seconds=1e-9) as bench,
        connected(bench, b"") as (reader, writer),
    ):
        (connection,) = bench.comparator._connections.open
        connection._started -= 1
        writer.write(GET)
        assert await reader.read() == LAST
        assert (await bench.route()).matched == 1


async def test_an_idle_connection_is_closed_where_it_may_grow_only_so_old() -> None:
    async with (
        running([SAME], [SAME], connection_seconds=30) as bench,
        connected(bench, b"") as (reader, _),
    ):
        pass_seconds(bench, 31)
        assert await reader.read() == b""


async def test_a_mirror_that_does_not_read_its_answers_is_not_read() -> None:
    async with running([SAME], [SAME]) as bench, connected(bench, b"") as (reader, writer):
        (connection,) = bench.comparator._connections.open
        connection.pause_writing()
        writer.write(GET)
        await bench.snapshot()
        assert bench.comparator.counts.received == 0
        connection.resume_writing()
        assert await reader.readexactly(len(OK)) == OK
