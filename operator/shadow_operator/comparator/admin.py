"""The admin port: snapshot, samples, metrics, probes, and the shadow's layers passed through."""

from collections.abc import Sequence
from typing import Final, Protocol

import aiohttp
import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from shadow_operator.api.evidence import ComparatorSnapshot, Mismatches
from shadow_operator.comparator.client import Address

SCRAPER: Final = "operator"
"""`GET /snapshot?scraper=operator` feeds the dead man. A person who looks with curl does not."""

MOST_SAMPLES: Final = 500
"""Of one answer to `GET /samples?limit=N`."""

PASSED_SECONDS: Final = 10.0
PASSED_BYTES: Final = 1 << 20
"""A larger answer is not passed through: half of one would be a wrong one."""

_PASSED_HEADERS: Final = ("Accept",)


class Process(Protocol):
    """What the admin port shows."""

    @property
    def ready(self) -> bool:
        """Whether copies are welcome."""

    def snapshot(self) -> ComparatorSnapshot:
        """Everything measured so far."""

    def samples(self, limit: int) -> Mismatches:
        """Give the latest pairs that differed."""

    def mark_scraped(self) -> None:
        """Note that the operator has read the snapshot."""

    def shadow_addresses(self) -> Sequence[Address]:
        """Where the shadow is now."""


def encode(snapshot: ComparatorSnapshot) -> bytes:
    """Return a snapshot as JSON; what has its default is left out, except the schema version."""
    content = snapshot.model_dump(mode="json", exclude_defaults=True)
    return orjson.dumps(
        {"schema_version": snapshot.schema_version, **content}, option=orjson.OPT_NON_STR_KEYS
    )


def application(process: Process, registry: CollectorRegistry) -> web.Application:
    """Build the admin server."""
    session: list[aiohttp.ClientSession] = []

    async def snapshot(request: web.Request) -> web.Response:
        body = encode(process.snapshot())
        if request.query.get("scraper") == SCRAPER:
            process.mark_scraped()
        return web.Response(body=body, content_type="application/json")

    async def samples(request: web.Request) -> web.Response:
        asked = request.query.get("limit", "")
        limit = min(int(asked), MOST_SAMPLES) if asked.isdecimal() else MOST_SAMPLES
        body = orjson.dumps(process.samples(limit).model_dump(mode="json"))
        return web.Response(body=body, content_type="application/json")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        ready = process.ready
        return web.Response(text="ok\n" if ready else "draining\n", status=200 if ready else 503)

    async def hierarchical(request: web.Request) -> web.Response:
        return await _pass_through(session[0], process.shadow_addresses(), request)

    async def open_session(_: web.Application) -> None:
        session.append(
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=PASSED_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        )

    async def close_session(_: web.Application) -> None:
        await session.pop().close()

    app = web.Application()
    app.on_startup.append(open_session)
    app.on_cleanup.append(close_session)
    app.add_routes(
        [
            web.get("/snapshot", snapshot),
            web.get("/samples", samples),
            web.get("/metrics", metrics),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/hierarchical/{tail:.*}", hierarchical),
        ]
    )
    return app


async def _pass_through(
    session: aiohttp.ClientSession, addresses: Sequence[Address], request: web.Request
) -> web.Response:
    """Answer with what the first shadow pod answers to the same path."""
    if ".." in request.path:
        return web.Response(status=404)
    if not addresses:
        return web.json_response({"state": "NotDeployed"}, status=503)
    host, port = addresses[0]
    shown = f"[{host}]" if ":" in host else host
    headers = {name: request.headers[name] for name in _PASSED_HEADERS if name in request.headers}
    try:
        async with session.get(
            f"http://{shown}:{port}{request.raw_path}", headers=headers, allow_redirects=False
        ) as answer:
            body = await _whole(answer.content)
            if body is None:
                return web.json_response({"state": "TooLarge"}, status=502)
            return web.Response(
                body=body,
                status=answer.status,
                headers={"Content-Type": answer.headers.get("Content-Type", "text/plain")},
            )
    except (aiohttp.ClientError, TimeoutError, OSError):
        return web.json_response({"state": "Unreachable"}, status=502)


async def _whole(content: aiohttp.StreamReader) -> bytes | None:
    """Read to the end; None where that is too much."""
    body = bytearray()
    async for part in content.iter_any():
        body += part
        if len(body) > PASSED_BYTES:
            return None
    return bytes(body)
