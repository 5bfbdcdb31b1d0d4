"""Annotations reach a Grafana, and one that is slow, refuses or is dead harms nobody."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from shadow_operator.adapters.grafana import Grafana, GrafanaError
from shadow_operator.api.reasons import EventReason
from shadow_operator.controller.annotator import EVENT_SECONDS, WAITING, Annotator
from shadow_operator.core.actions import Annotation, Event, Mark
from shadow_operator.core.snapshot import Manifest
from tests.support.world import World

MARK = Annotation(Mark.START, 1_700_000_000.25, "Shadow hal9/hal9: deployment started")
TOKEN = "glsa_t0ken"


class Server:
    """A Grafana on the loopback address, one answer for each request."""

    def __init__(self, *statuses: int, slow: bool = False, breaks_off: bool = False) -> None:
        self.heads: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self._statuses = [*statuses]
        self._slow, self._breaks_off = slow, breaks_off
        self.url = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Server"]:
        """Listen until the end of the block."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield self
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        self.heads.append(head)
        self.bodies.append(json.loads(await reader.readexactly(length)))
        if self._slow:
            writer.write(b"HTTP/1.1 200 OK\r\n")
            await reader.read()  # until the client gives up
        elif not self._breaks_off:
            status = self._statuses.pop(0) if self._statuses else 200
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}".encode())
            with suppress(ConnectionError):
                await writer.drain()
        writer.close()


class Told:
    """Events that were posted, and a clock."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Event]] = []
        self.now = 0.0

    async def __call__(self, resource: Manifest, event: Event) -> None:
        """Take an event."""
        self.events.append((resource["metadata"]["name"], event))


@asynccontextmanager
async def annotator(url: str, told: Told, *, seconds: float = 2.0) -> AsyncIterator[Annotator]:
    """Run one that pauses for nothing."""
    async with Grafana(url, TOKEN, seconds=seconds) as grafana:
        made = Annotator(grafana, told, clock=lambda: told.now, pauses=(0.0, 0.0))
        task = asyncio.create_task(made.run())
        yield made
        task.cancel()


async def test_a_mark_is_what_grafana_documents() -> None:
    async with Server().listening() as server, Grafana(server.url + "/", f"{TOKEN}\n") as grafana:
        await grafana.annotate("shop", "catalog", MARK)
    assert server.heads[0].startswith("POST /api/annotations HTTP/1.1\r\n")
    assert f"authorization: bearer {TOKEN}\r\n" in server.heads[0].lower()
    assert server.bodies == [
        {
            "time": 1_700_000_000_250,
            "tags": ["migration", "shadow-start", "shadowdeployment:catalog", "namespace:shop"],
            "text": "Shadow hal9/hal9: deployment started",
        }
    ]


@pytest.mark.parametrize(
    ("server", "calls", "why"),
    [
        (Server(401), 1, "it answered 401"),
        (Server(302), 1, "it answered 302"),
        (Server(503, 500, 502), 3, "it answered 502"),
        (Server(429, 200), 2, ""),
        (Server(slow=True), 1, "it did not answer in 0.2 s or broke off"),
        (Server(breaks_off=True), 1, "it did not answer in 0.2 s or broke off"),
    ],
    ids=["refuses", "redirects", "fails", "is busy once", "is slow", "breaks off"],
)
async def test_a_failure_is_told_after_few_attempts(server: Server, calls: int, why: str) -> None:
    """What may have been taken is not sent again, lest the mark is there twice."""
    told = Told()
    async with server.listening(), annotator(server.url, told, seconds=0.2) as sender:
        sender.take(World().body, [MARK])
        await sender.sent()
    assert len(server.bodies) == calls
    expected = f"Grafana has no mark shadow-start: {why}. Nothing else is changed by that."
    assert [event.message for _, event in told.events] == ([expected] if why else [])
    for _, event in told.events:
        assert event.reason is EventReason.ANNOTATION_FAILED
        assert event.warning
        assert TOKEN not in event.message


async def test_a_dead_grafana_costs_the_reconcile_nothing_and_one_event() -> None:
    async with Server().listening() as server:
        url = server.url
    told = Told()
    async with annotator(url, told) as sender:
        sender.take(World().body, [MARK] * 3)  # returns before anything is sent
        assert told.events == []
        await sender.sent()
    assert [event.message.split(": ")[1] for _, event in told.events] == [
        "no connection to it opens. Nothing else is changed by that."
    ]


async def test_a_resource_is_told_again_after_a_while() -> None:
    told = Told()
    async with Server(401, 401, 401).listening() as server, annotator(server.url, told) as sender:
        for told.now in (0.0, EVENT_SECONDS - 1, EVENT_SECONDS):
            sender.take(World().body, [MARK])
            await sender.sent()
    assert len(told.events) == 2


async def test_what_finds_no_room_is_given_up() -> None:
    told = Told()
    async with Server().listening() as server, annotator(server.url, told) as sender:
        sender.take(World().body, [MARK] * (WAITING + 5))
        await sender.sent()
    assert len(server.bodies) == WAITING


@pytest.mark.parametrize(
    "grafana",
    [lambda: Grafana("http://a:b:c", TOKEN), lambda: Grafana("http://127.0.0.1:1", "tök\u2028en")],
    ids=["its address", "its token"],
)
async def test_what_can_not_be_used_is_said_without_showing_it(
    grafana: Callable[[], Grafana],
) -> None:
    with pytest.raises(GrafanaError, match="its address or token can't be used"):
        async with grafana() as made:
            await made.annotate("shop", "catalog", MARK)
