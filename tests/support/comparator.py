"""A comparator on loopback between a mirror's client and clones that a test makes up."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from shadow_operator.api.evidence import (
    ComparatorConfig,
    ComparatorSnapshot,
    RouteCounts,
    Target,
)
from shadow_operator.comparator.client import Address
from shadow_operator.comparator.server import Comparator, Identity

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

DEADLINE = 10.0
"""Seconds that a condition has to come true."""


@dataclass
class Seen:
    """A request as a clone got it."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header's value."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def answer(
    content: object = None,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> Handler:
    """Make a handler that always answers the same."""

    async def handle(_: web.Request) -> web.StreamResponse:
        data = json.dumps(content).encode() if body is None else body
        given = {"Content-Type": "application/json", **(headers or {})}
        return web.Response(status=status, body=data, headers=given)

    return handle


async def never(_: web.Request) -> web.StreamResponse:
    """Accept a request and do not answer it."""
    await asyncio.Event().wait()
    raise AssertionError


@dataclass
class Clone:
    """One pod that answers as it is told and remembers what it got."""

    handler: Handler
    address: Address = ("", 0)
    seen: list[Seen] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Note the request and answer it."""
        headers = [(key.decode(), value.decode()) for key, value in request.raw_headers]
        self.seen.append(Seen(request.method, request.raw_path, headers, await request.read()))
        return await self.handler(request)


@dataclass
class Bench:
    """A running comparator with its clones."""

    comparator: Comparator
    shadows: list[Clone]
    references: list[Clone]
    client: aiohttp.ClientSession
    config: ComparatorConfig

    @property
    def copies(self) -> str:
        """URL of the data port."""
        host, port = self.comparator.copies_address
        return f"http://{host}:{port}"

    @property
    def admin(self) -> str:
        """URL of the admin port."""
        host, port = self.comparator.admin_address
        return f"http://{host}:{port}"

    async def send(self, path: str = "/thing", *, method: str = "GET", **kwargs: Any) -> int:
        """Send one copy as a mirror does, and return the status of its answer."""
        async with self.client.request(method, self.copies + path, **kwargs) as response:
            assert await response.read() == b""
            return response.status

    async def raw(self, data: bytes) -> bytes:
        """Write bytes to the data port, and return all that comes until it closes."""
        async with asyncio.timeout(DEADLINE):
            reader, writer = await asyncio.open_connection(*self.comparator.copies_address)
            writer.write(data)
            received = await reader.read()
            writer.close()
            return received

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110 - the condition has no event
                await asyncio.sleep(0.002)

    async def settled(self) -> ComparatorSnapshot:
        """Wait until no pair is under way, and return what was measured."""
        await self.until(lambda: self.comparator.in_flight == 0)
        return await self.snapshot()

    async def snapshot(self, query: str = "") -> ComparatorSnapshot:
        """Read the snapshot as the operator does."""
        async with self.client.get(f"{self.admin}/snapshot{query}") as response:
            assert response.status == 200
            return ComparatorSnapshot.model_validate_json(await response.read())

    async def route(self) -> RouteCounts:
        """Return the counts of the only route."""
        (route,) = (await self.settled()).routes
        return route


async def _serve(stack: AsyncExitStack, clone: Clone, host: str, port: int) -> None:
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{tail:.*}", clone.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, host, port).start()
    clone.address = runner.addresses[0][:2]


@asynccontextmanager
async def running(
    shadows: list[Handler], references: list[Handler], **settings: Any
) -> AsyncIterator[Bench]:
    """Run clones and a comparator on loopback; `settings` are fields of `ComparatorConfig`."""
    async with AsyncExitStack() as stack:
        roles = {"shadow": [Clone(one) for one in shadows]}
        roles["reference"] = [Clone(one) for one in references]
        for clones in roles.values():
            for clone in clones:
                await _serve(stack, clone, "127.0.0.1", 0)

        async def find(target: Target) -> list[Address]:
            return [clone.address for clone in roles[target.host]]

        defaults: dict[str, Any] = {
            "version": "1",
            "epoch": "e1",
            "resource": "ns/name",
            "nonce": "n0nce",
            "shadow": {"host": "shadow", "port": 1},
            "reference": {"host": "reference", "port": 1},
            "control_percent": 0,
        }
        config = ComparatorConfig.model_validate({**defaults, **settings})
        comparator = Comparator(config, Identity("pod", "uid", "e1"), find=find)
        await comparator.start(host="127.0.0.1", copies_port=0, admin_port=0)
        stack.push_async_callback(comparator.stop)
        client = await stack.enter_async_context(
            aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())
        )
        yield Bench(comparator, roles["shadow"], roles["reference"], client, config)
