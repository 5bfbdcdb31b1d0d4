"""What the real Envoy counts of production's answers: by status and size, by template."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shadow_operator.api.spec import Mirror
from shadow_operator.core.comparing import mix
from tests.support import envoy
from tests.support.wire import Answer, Server, ask, eventually

RULE = Mirror.model_validate(
    {
        "methods": ["GET", "HEAD"],
        "include": [{"path": "/api", "reason": "r"}, {"path": "/x", "reason": "r"}],
        "exclude": [
            {"path": "/api/admin", "reason": "r"},
            {"path": "/api/one", "match": "Exact", "reason": "r"},
        ],
    }
)
LONG = f"/api/{'long-' * 49}x"
TEMPLATES = (
    *(LONG, "/api/new", "/api/{id}", "/api/{id}/a.b", "/other/{id}"),
    *(f"/x/{'{a}/' * 60}{number}" for number in range(40)),
)
ITEM, NEW, DOTTED, LAST = "/api/{id}", "/api/new", "/api/{id}/a.b", TEMPLATES[mix.MOST_TEMPLATES]

ASKED = (
    *(("GET", f"/api/{number}?s=200", ITEM, "2xx") for number in range(3)),
    ("HEAD", "/api/7?s=200", ITEM, "2xx"),
    ("GET", "/api/7?s=304", ITEM, "2xx"),
    ("GET", "/api/7?s=404", ITEM, "404"),
    ("GET", "/api/7?s=503", ITEM, "5xx"),
    ("GET", "/api/new?s=401", NEW, "401"),
    ("GET", "/api/7/a.b?s=200&a=/api/new", DOTTED, "2xx"),
    ("GET", "/api/7/a_b?s=410", None, "4xx"),
    ("GET", f"{LONG}?s=200", LONG, "2xx"),
    ("GET", f"/x/{'a/' * 60}{LAST.rpartition('/')[2]}?s=200", None, "2xx"),
)
NOT_ELIGIBLE = (
    ("POST", "/api/7?s=404"),
    ("GET", "/api/admin?s=404"),
    ("GET", "/api/one?s=404"),
    ("GET", "/other/7?s=404"),
    ("GET", "/apis?s=404"),
)


async def _answer(request: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    asked = re.search(rb"s=(\d+)", request)
    assert asked
    writer.write(b"HTTP/1.1 %s A\r\ncontent-length: 0\r\n\r\n" % asked[1])
    await writer.drain()


@asynccontextmanager
async def _mirrored(folder: Path, answer: Answer) -> AsyncIterator[envoy.Envoy]:
    async with (
        Server(answer) as production,
        Server() as comparator,
        envoy.running(
            folder,
            (production.host, production.port),
            (comparator.host, comparator.port),
            RULE,
            templates=TEMPLATES,
        ) as proxy,
    ):
        yield proxy


async def _asked(proxy: envoy.Envoy, head: str) -> None:
    await ask(proxy.host, proxy.port, f"{head}\r\nHost: h\r\nContent-Length: 0\r\n\r\n".encode())


def _counted(asked: Iterable[tuple[str, str, str | None, str]]) -> dict[str, dict[str, int]]:
    """Give what is counted of requests (method, path, template, group), by key of the mix."""
    expected: dict[str, dict[str, int]] = {}
    for _, _, template, group in asked:
        for key in [mix.ALL, *([mix.key(template)] if template else [])]:
            mine = expected.setdefault(key, {})
            mine[group] = mine.get(group, 0) + 1
    return expected


async def test_answers_are_counted_by_template_and_status(tmp_path: Path) -> None:
    async with _mirrored(tmp_path, _answer) as proxy:
        await proxy.percent(100)
        for method, path in (*NOT_ELIGIBLE, *(asked[:2] for asked in ASKED)):
            await _asked(proxy, f"{method} {path} HTTP/1.1")
        await _asked(proxy, "GET /api/7?s=404 HTTP/1.1\r\nX-Shadow-Copy: any")

        async def complete() -> bool:
            counted = (await proxy.read()).statuses.get(mix.ALL, {})
            return sum(counted.values()) >= len(ASKED)

        await eventually(complete)
        reading = await proxy.read()

    assert reading.statuses == _counted(ASKED)
    assert reading.eligible == len(ASKED)
    assert reading.active == 0


WHOLE = (
    ("GET", "/api/7?n=0", ITEM, "0"),
    ("GET", "/api/7?n=2", ITEM, "1"),
    ("GET", "/api/7?n=299", ITEM, "100"),
    ("GET", "/api/7?n=300", ITEM, "300"),
    ("GET", "/api/7?n=345&chunked", ITEM, "300"),
    ("GET", "/api/new?n=999", NEW, "300"),
    ("GET", "/api/new?n=1000", NEW, "1000"),
    ("GET", "/api/7/a_b?n=500000", None, "300000"),
)
NOT_WHOLE = (
    "GET /api/7?n=40 HTTP/1.1\r\nIf-None-Match: a",
    "GET /api/7?n=40 HTTP/1.1\r\nRange: bytes=0-39",
    "GET /api/7?n=40&s=404 HTTP/1.1",
    "GET /api/7?n=40&s=206 HTTP/1.1",
    "HEAD /api/7?n=40 HTTP/1.1",
    "POST /api/7?n=40 HTTP/1.1",
    "GET /api/admin?n=40 HTTP/1.1",
)


async def _answer_sized(
    request: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    line = request.partition(b"\r\n")[0]
    status, number = re.search(rb"s=(\d+)", line), re.search(rb"n=(\d+)", line)
    assert number
    size = int(number[1])
    writer.write(b"HTTP/1.1 %b A\r\n" % (status[1] if status else b"200"))
    if b"&chunked" in line:
        writer.write(b"transfer-encoding: chunked\r\n\r\n")
        for _part in range(size):
            writer.write(b"1\r\nx\r\n")
        writer.write(b"0\r\n\r\n")
    else:
        writer.write(b"content-length: %d\r\n\r\n" % size)
        writer.write(
            b"" if line.startswith(b"HEAD") else b"x" * (size // 2 if b"&broken" in line else size)
        )
    await writer.drain()
    if b"&broken" in line:
        writer.close()


async def _gone(proxy: envoy.Envoy, path: str) -> None:
    """Ask, and go away with the head of the answer."""
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


async def test_whole_bodies_are_counted_by_template_and_size(tmp_path: Path) -> None:
    async with _mirrored(tmp_path, _answer_sized) as proxy:
        for head in NOT_WHOLE:
            await _asked(proxy, head)
        with pytest.raises(asyncio.IncompleteReadError):
            await _asked(proxy, "GET /api/7?n=40&broken HTTP/1.1")
        await _gone(proxy, "/api/7?n=30000000")
        for method, path, _, _ in WHOLE:
            await _asked(proxy, f"{method} {path} HTTP/1.1")

        async def complete() -> bool:
            reading = await proxy.read()
            counted = sum(reading.sizes.get(mix.ALL, {}).values())
            return counted >= len(WHOLE) and reading.active == 0

        await eventually(complete)
        reading = await proxy.read()

    assert reading.sizes == _counted(WHOLE)
    assert reading.latency
