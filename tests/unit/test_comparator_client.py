"""Calls to clones: whatever a clone does, its call ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from shadow_operator.comparator.client import MAX_HEAD, Address, Client, _Connection
from shadow_operator.comparator.counts import ERROR, Result
from shadow_operator.comparator.room import Room

REQUEST = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@asynccontextmanager
async def answering(
    answer: Callable[[asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[tuple[Client, Address]]:
    """Run a clone that reads a request and then does what it is told."""
    gone: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone.append(cast("asyncio.Task[None]", asyncio.current_task()))
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = Client(asyncio.get_running_loop(), Room(1 << 20))
    async with server:
        yield client, server.sockets[0].getsockname()[:2]
        await client.close()
        await asyncio.gather(*gone)


async def call(client: Client, address: Address) -> Result:
    async with asyncio.timeout(5):
        return await client.call(address, REQUEST, timeout=60, head_only=False, safe=True)


async def nothing(_: asyncio.StreamWriter) -> None:
    """Close without an answer."""


def defect(*_: object) -> None:
    raise ValueError("a defect of ours")


EARLY: dict[str, Callable[[_Connection, pytest.MonkeyPatch], object]] = {
    "it answers before it was asked": lambda connection, _: connection.data_received(BUSY),
    "it closes": lambda connection, _: connection.abort(),
    "a defect of ours": lambda _, monkeypatch: monkeypatch.setattr(_Connection, "send", defect),
}


@pytest.mark.parametrize("sentence", EARLY)
async def test_a_call_ends_whatever_happens_between_connecting_and_asking(
    sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    connect = loop.create_connection
    defects: list[Any] = []
    loop.set_exception_handler(lambda _, context: defects.append(context["exception"]))

    async def early(*args: Any) -> Any:
        transport, connection = await connect(*args)
        EARLY[sentence](connection, monkeypatch)
        return transport, connection

    async with answering(nothing) as (client, address):
        monkeypatch.setattr(loop, "create_connection", early)
        assert (await call(client, address)).failure == ERROR


CHUNKED = b"HTTP/1.1 200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"


async def test_a_field_after_the_body_is_no_header() -> None:
    async def trailers(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"x-a: 2\r\nx-checksum: 3\r\n\r\n")

    async with answering(trailers) as (client, address):
        answer = (await call(client, address)).answer
    assert answer is not None
    assert (answer.body, answer.headers) == (b"hi", {"x-a": "1", "transfer-encoding": "chunked"})


@pytest.mark.parametrize("field", [b"x-n: y\r\n", b"y"])
async def test_fields_after_the_body_are_bounded(field: bytes) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"x-first: ")
        for _ in range(64):
            writer.write(field * (MAX_HEAD // 8))
            await writer.drain()

    async with answering(endless) as (client, address):
        assert (await call(client, address)).failure == ERROR


async def test_an_answer_in_many_small_chunks_is_read_to_its_end() -> None:
    parts = MAX_HEAD // 4

    async def small(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(b"1\r\nx\r\n" * parts + b"0\r\n\r\n")

    async with answering(small) as (client, address):
        answer = (await call(client, address)).answer
    assert answer is not None
    assert answer.size == parts
