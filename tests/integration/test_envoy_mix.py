"""What the real Envoy counts of production's answers, for all requests and by template."""

import asyncio
import re
from pathlib import Path

from shadow_operator.api.spec import Mirror
from shadow_operator.core.comparing import mix
from tests.support import envoy
from tests.support.wire import Server, ask, eventually

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


async def test_answers_are_counted_by_template_and_status(tmp_path: Path) -> None:
    async with (
        Server(_answer) as production,
        Server() as comparator,
        envoy.running(
            tmp_path,
            (production.host, production.port),
            (comparator.host, comparator.port),
            RULE,
            templates=TEMPLATES,
        ) as proxy,
    ):
        await proxy.percent(100)
        for method, path in (*NOT_ELIGIBLE, *(asked[:2] for asked in ASKED)):
            request = f"{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
            await ask(proxy.host, proxy.port, request.encode())
        marked = b"GET /api/7?s=404 HTTP/1.1\r\nHost: h\r\nX-Shadow-Copy: any\r\n\r\n"
        await ask(proxy.host, proxy.port, marked)

        async def complete() -> bool:
            counted = (await proxy.read()).statuses.get(mix.ALL, {})
            return sum(counted.values()) >= len(ASKED)

        await eventually(complete)
        reading = await proxy.read()

    expected: dict[str, dict[str, int]] = {}
    for _, _, template, group in ASKED:
        for key in [mix.ALL, *([mix.key(template)] if template else [])]:
            mine = expected.setdefault(key, {})
            mine[group] = mine.get(group, 0) + 1
    assert reading.statuses == expected
    assert reading.eligible == len(ASKED)
    assert reading.active == 0
