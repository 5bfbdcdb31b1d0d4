"""Through the real Envoy, production sees and answers what it would see and answer without it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import envoy
from tests.support.wire import OK, Server, always, ask, eventually

UNCHANGED = {
    "the least that a request can be": b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "names of headers keep their case": (
        b"GET / HTTP/1.1\r\nHost: Example.com:123\r\nX-CamelCase: v\r\nx-lower_under: u\r\n\r\n"
    ),
    "a path is not normalised": b"GET /A//b/../c%2Fd%41/./?x=%20Y&&= HTTP/1.1\r\nHost: h\r\n\r\n",
    "odd characters in a path": b'GET /a"b<c>|{}^`\\[] HTTP/1.1\r\nHost: h\r\n\r\n',
    "bytes that are not ASCII in a value": b"GET / HTTP/1.1\r\nHost: h\r\nX-U: \xc3\xa9\r\n\r\n",
    "repeated and empty headers": (
        b"GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-A: 2\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n"
    ),
    "what proxies in front have added": (
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.2.3.4, 10.0.0.1\r\n"
        b"Via: 1.1 a\r\nForwarded: for=1.2.3.4\r\nX-Forwarded-Host: f\r\n"
        b"x-request-id: 11111111-2222-4333-8444-555555555555\r\n"
        b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n"
    ),
    "a gateway that is an Envoy too": (
        b"GET / HTTP/1.1\r\nHost: h\r\nx-envoy-attempt-count: 1\r\n"
        b"x-envoy-external-address: 1.2.3.4\r\nx-envoy-original-path: /a\r\n"
        b"X-Forwarded-Proto: https\r\nx-envoy-internal: true\r\n"
        b"x-envoy-expected-rq-timeout-ms: 15000\r\n\r\n"
    ),
    "200 KB of headers": b"GET / HTTP/1.1\r\nHost: h\r\nX-B: " + b"a" * 200_000 + b"\r\n\r\n",
    "1,500 headers": (
        b"GET / HTTP/1.1\r\nHost: h\r\n"
        + b"".join(b"X-%d: 1\r\n" % number for number in range(1500))
        + b"\r\n"
    ),
    "a HEAD": b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
    "a GET with a body": b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
    "a method of WebDAV": b"PROPFIND / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "a body in chunks, with a trailer": (
        b"POST / HTTP/1.1\r\nHost: h\r\nTrailer: x-t\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n"
    ),
    "CONNECT": b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    "a client that is refused an upgrade": (
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    ),
}

CHANGED = {
    "HTTP/1.0 without a host becomes HTTP/1.1": (
        b"GET /x HTTP/1.0\r\n\r\n",
        b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ),
    "an absolute URL becomes a path": (
        b"GET http://other/x?y HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /x?y HTTP/1.1\r\nHost: other\r\n\r\n",
    ),
    "a fragment goes": (
        b"GET /x#y HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    "an upgrade that nobody needs is not offered": (
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: TLS/1.2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    "hop-by-hop headers end here": (
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nKeep-Alive: timeout=5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    "nobody tells Envoy to ask production again": (
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 10.0.0.1\r\nx-envoy-retry-on: 5xx,4xx\r\n"
        b"x-envoy-max-retries: 9\r\nx-envoy-upstream-rq-timeout-ms: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n",
    ),
}

ANSWERS = {
    "names, order and reason phrase": (
        b"HTTP/1.1 200 All Fine\r\nX-CasE: 1\r\nServer: mine\r\n"
        b"date: Mon, 23 Nov 2026 12:00:00 GMT\r\nX-Request-ID: r\r\ncontent-length: 2\r\n\r\nok"
    ),
    "chunks": (
        b"HTTP/1.1 200 OK\r\ndate: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
        b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    ),
    "an error with headers for Envoy": (
        b"HTTP/1.1 503 Service Unavailable\r\ndate: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
        b"retry-after: 1\r\nvia: 1.1 x\r\ncontent-length: 0\r\n\r\n"
    ),
    "100 KB of headers": (
        b"HTTP/1.1 200 OK\r\ndate: Mon, 23 Nov 2026 12:00:00 GMT\r\nx-b: "
        + b"a" * 30_000
        + b"\r\nx-c: "
        + b"a" * 70_000
        + b"\r\ncontent-length: 0\r\n\r\n"
    ),
}


UPGRADE = b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


@pytest.fixture
async def production() -> AsyncIterator[Server]:
    async with Server() as server:
        yield server


@pytest.fixture
async def proxy(tmp_path: Path, production: Server) -> AsyncIterator[envoy.Envoy]:
    async with (
        Server() as comparator,
        envoy.running(
            tmp_path, (production.host, production.port), (comparator.host, comparator.port)
        ) as proxy,
    ):
        await proxy.percent(100)
        yield proxy


async def test_requests_reach_production_as_they_were_sent(
    production: Server, proxy: envoy.Envoy
) -> None:
    for name, request in UNCHANGED.items():
        production.requests.clear()
        await ask(proxy.host, proxy.port, request)
        assert [_sorted(received) for received in production.requests] == [_sorted(request)], name


async def test_what_production_sees_differently_is_known(
    production: Server, proxy: envoy.Envoy
) -> None:
    for name, (sent, received) in CHANGED.items():
        production.requests.clear()
        await ask(proxy.host, proxy.port, sent)
        assert production.requests == [received], name


@pytest.mark.parametrize("name", ANSWERS)
async def test_answers_reach_the_client_as_they_were_sent(tmp_path: Path, name: str) -> None:
    async with (
        Server(always(ANSWERS[name])) as production,
        envoy.running(tmp_path, (production.host, production.port), ("127.0.0.1", 9)) as proxy,
    ):
        request = b"GET / HTTP/1.1\r\nHost: h\r\nx-envoy-retry-on: 5xx\r\n\r\n"
        assert await ask(proxy.host, proxy.port, request) == ANSWERS[name]
        assert len(production.requests) == 1


async def test_a_websocket_talks_both_ways(tmp_path: Path) -> None:
    async def switch(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SWITCHED)
        while chunk := await reader.read(100):
            writer.write(chunk.upper())

    async with (
        Server(switch) as production,
        envoy.running(tmp_path, (production.host, production.port), ("127.0.0.1", 9)) as proxy,
    ):
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        writer.write(UPGRADE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        for _ in range(3):
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"PING"
        assert (await proxy.read()).active == 1
        writer.close()
        await writer.wait_closed()


async def test_an_event_arrives_before_the_stream_goes_on(tmp_path: Path) -> None:
    seen = asyncio.Event()

    async def stream(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await seen.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    async with (
        Server(stream) as production,
        envoy.running(tmp_path, (production.host, production.port), ("127.0.0.1", 9)) as proxy,
    ):
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\naccept: text/event-stream\r\n\r\n")
        async with asyncio.timeout(10):
            await reader.readuntil(b"one\r\n")
            seen.set()
            await reader.readuntil(b"two\r\n0\r\n\r\n")
        writer.close()
        await writer.wait_closed()


async def test_requests_and_websockets_outlive_envoys_timeouts(tmp_path: Path) -> None:
    # By default Envoy gives up after 15 s; connections to production are replaced after 30 s.
    seconds = 35

    async def hold(
        request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if request.startswith(b"GET /ws "):
            writer.write(SWITCHED)
            writer.write(await reader.readexactly(4))
            return
        await asyncio.sleep(seconds)
        writer.write(OK)

    async with (
        Server(hold) as production,
        envoy.running(tmp_path, (production.host, production.port), ("127.0.0.1", 9)) as proxy,
    ):
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        writer.write(UPGRADE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
        assert await ask(proxy.host, proxy.port, request, seconds=seconds + 20) == OK
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
        writer.close()
        await writer.wait_closed()


async def test_production_may_ask_a_client_to_wait_with_its_body(tmp_path: Path) -> None:
    async def refuse(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()

    async with (
        Server(refuse) as production,
        envoy.running(tmp_path, (production.host, production.port), ("127.0.0.1", 9)) as proxy,
    ):
        production.requests.clear()
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        writer.write(
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
            b"Expect: 100-continue\r\n\r\n0\r\n\r\n"
        )
        async with asyncio.timeout(10):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.close()
        await writer.wait_closed()


async def test_http_2_stays_http_2(tmp_path: Path) -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    # :method GET, :scheme http, :path /, :authority h (RFC 7541, section 6): ends the stream.
    block = b"\x82\x86\x84\x41\x01h"
    headers = len(block).to_bytes(3, "big") + b"\x01\x05\x00\x00\x00\x01" + block

    async with (
        Server() as production,
        envoy.running(tmp_path, (production.host, production.port), ("127.0.0.1", 9)) as proxy,
    ):
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        writer.write(preface + settings + headers)
        await eventually(lambda: bool(production.requests))
        assert production.requests[0] == b"PRI * HTTP/2.0\r\n\r\n"
        writer.close()
        await writer.wait_closed()
        assert reader


async def test_other_ports_pass_as_bytes(tmp_path: Path) -> None:
    async def echo(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\xffnot http\r\n\r\n")

    async with (
        Server() as production,
        Server(echo) as other,
        envoy.running(
            tmp_path, (production.host, production.port), ("127.0.0.1", 9), tcp=other.port
        ) as proxy,
    ):
        reader, writer = await asyncio.open_connection(proxy.host, proxy.tcp_port)
        writer.write(b"\x00\x01\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"\x00\xffnot http\r\n\r\n"
        assert other.requests == [b"\x00\x01\r\n\r\n"]
        assert (await proxy.read()).active == 1
        writer.close()
        await writer.wait_closed()


def _sorted(request: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Take a request apart so that only the order of its headers does not matter."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    return first, sorted(headers), body
