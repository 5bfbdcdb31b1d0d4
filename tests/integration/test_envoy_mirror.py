"""What the real Envoy copies, how it is told, and that no comparator can hurt production."""

import asyncio
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector, web

from shadow_operator.api.spec import Mirror
from shadow_operator.core.deploying.mirror import drain_script
from shadow_operator.core.numbers.envoy_bins import EDGES
from shadow_operator.core.snapshot import MirrorReading
from tests.support import envoy
from tests.support.wire import OK, Server, ask, eventually

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"

RULE = Mirror.model_validate(
    {
        "methods": ["GET", "HEAD", "POST"],
        "include": [{"path": "/api", "reason": "r"}, {"path": "/x", "reason": "r"}],
        "exclude": [
            {"path": "/api/admin", "reason": "r"},
            {"path": "/api/one", "match": "Exact", "reason": "r"},
        ],
    }
)

COPIED = {
    "a GET": b"GET /api HTTP/1.1\r\nHost: h\r\n\r\n",
    "a HEAD": b"HEAD /api/ HTTP/1.1\r\nHost: h\r\n\r\n",
    "a query is no part of a path": b"GET /api?x=/admin HTTP/1.1\r\nHost: h\r\n\r\n",
    "everything below": b"GET /api/v1/a/b HTTP/1.1\r\nHost: h\r\n\r\n",
    "the second path": b"GET /x/y HTTP/1.1\r\nHost: h\r\n\r\n",
    "a prefix ends with a segment": b"GET /api/administrators HTTP/1.1\r\nHost: h\r\n\r\n",
    "what is below an exact path": b"GET /api/one/two HTTP/1.1\r\nHost: h\r\n\r\n",
    "a POST with a body that fits": (
        b"POST /api HTTP/1.1\r\nHost: h\r\nContent-Length: 1024\r\n\r\n" + b"a" * 1024
    ),
    "a POST with an empty body": b"POST /api HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
}

NOT_COPIED = {
    "a method that is not listed": b"DELETE /api HTTP/1.1\r\nHost: h\r\n\r\n",
    "a path that is not included": b"GET /other HTTP/1.1\r\nHost: h\r\n\r\n",
    "an included path ends with a segment": b"GET /apis HTTP/1.1\r\nHost: h\r\n\r\n",
    "an excluded path": b"GET /api/admin HTTP/1.1\r\nHost: h\r\n\r\n",
    "below an excluded path": b"GET /api/admin/x HTTP/1.1\r\nHost: h\r\n\r\n",
    "an excluded exact path": b"GET /api/one?x=1 HTTP/1.1\r\nHost: h\r\n\r\n",
    "a copy": b"GET /api HTTP/1.1\r\nHost: h\r\nX-Shadow-Copy: any\r\n\r\n",
    "a WebSocket": (
        b"GET /api HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    ),
    "CONNECT": b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    "an event stream": b"GET /api HTTP/1.1\r\nHost: h\r\nAccept: Text/Event-Stream, */*\r\n\r\n",
    "gRPC": (
        b"POST /api HTTP/1.1\r\nHost: h\r\nContent-Type: application/grpc+proto\r\n"
        b"Content-Length: 0\r\n\r\n"
    ),
    "a body of unknown length": (
        b"POST /api HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "a body that is too large": (
        b"POST /api HTTP/1.1\r\nHost: h\r\nContent-Length: 1025\r\n\r\n" + b"a" * 1025
    ),
}


@asynccontextmanager
async def _mirrored(
    folder: Path, rule: Mirror | None = None, max_body_bytes: int = 1 << 20
) -> AsyncIterator[tuple[envoy.Envoy, Server, Server]]:
    async with (
        Server() as production,
        Server() as comparator,
        envoy.running(
            folder,
            (production.host, production.port),
            (comparator.host, comparator.port),
            rule,
            max_body_bytes=max_body_bytes,
        ) as proxy,
    ):
        yield proxy, production, comparator


async def _counted(proxy: envoy.Envoy, requests: int) -> MirrorReading:
    """Read the counters once this many requests are counted and none is in progress."""
    reading = await proxy.read()

    async def complete() -> bool:
        nonlocal reading
        reading = await proxy.read()
        return reading.requests >= requests and reading.active == 0

    await eventually(complete)
    return reading


async def test_the_rule_decides_what_is_copied(tmp_path: Path) -> None:
    async with _mirrored(tmp_path, RULE, 1024) as (proxy, production, comparator):
        await proxy.percent(100)
        for request in (*NOT_COPIED.values(), *COPIED.values()):
            await ask(proxy.host, proxy.port, request)
        await eventually(lambda: len(comparator.requests) >= len(COPIED))
        reading = await _counted(proxy, len(COPIED) + len(NOT_COPIED))
        copied = [request.partition(b"\r\n")[0] for request in comparator.requests]
        assert sorted(copied) == sorted(
            request.partition(b"\r\n")[0] for request in COPIED.values()
        )
        assert len(production.requests) == reading.requests == len(COPIED) + len(NOT_COPIED)
        assert reading.eligible == reading.copies == len(COPIED)
        assert reading.copies_failed == 0


async def test_a_copy_is_the_request_with_its_host_and_body(tmp_path: Path) -> None:
    async with _mirrored(tmp_path, RULE) as (proxy, _, comparator):
        await proxy.percent(100)
        request = b"POST /api//a HTTP/1.1\r\nhost: Example:1\r\ncontent-length: 3\r\n\r\nabc"
        await ask(proxy.host, proxy.port, request)
        await eventually(lambda: bool(comparator.requests))
        head, _, body = comparator.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /api//a HTTP/1.1\r\nhost: Example:1\r\ncontent-length: 3\r\n")
        assert body == b"abc"


async def test_the_percentage_changes_without_a_restart(tmp_path: Path) -> None:
    async with _mirrored(tmp_path) as (proxy, production, _):
        requests = copies = 0
        for percent, least, most in ((0, 0, 0), (50, 60, 140), (100, 200, 200), (0, 0, 0)):
            if requests:
                await proxy.percent(percent)
            for _ in range(200):
                assert await ask(proxy.host, proxy.port, GET) == OK
            requests += 200
            reading = await _counted(proxy, requests)
            assert reading.percent == percent
            assert reading.requests == reading.eligible == len(production.requests) == requests
            assert least <= reading.copies - copies <= most, percent
            copies = reading.copies


async def test_a_restarted_envoy_copies_nothing_until_it_is_told(tmp_path: Path) -> None:
    async with _mirrored(tmp_path) as (proxy, _, comparator):
        await proxy.percent(100)
        await proxy.stop()
        await proxy.start()
        assert await ask(proxy.host, proxy.port, GET) == OK
        reading = await _counted(proxy, 1)
        assert (reading.percent, reading.copies, comparator.requests) == (0, 0, [])


REFUSED = (
    "/",
    "/stats",
    "/stats/prometheus",
    "/config_dump",
    "/quitquitquit",
    "/healthcheck/fail",
    "/drain_listeners",
    "/runtime_modify?shadow.percent=101",
    "/runtime_modify?shadow.percent=-1",
    "/runtime_modify?shadow.percent=1&other.key=1",
    "/runtime_modify?shadowxpercent=1",
)


async def test_the_control_listener_lets_nothing_else_through(tmp_path: Path) -> None:
    async with _mirrored(tmp_path) as (proxy, _, __):
        for path in REFUSED:
            for method in ("GET", "POST"):
                assert await proxy.control(method, path) == 404, path
        assert await proxy.control("GET", "/runtime_modify?shadow.percent=1") == 404
        assert await proxy.control("POST", "/runtime_modify?shadow.percent=1") == 200


async def test_envoy_is_not_ready_for_its_first_request_before_it_reaches_production(
    tmp_path: Path,
) -> None:
    port = envoy.free_port()
    async with envoy.running(
        tmp_path, ("127.0.0.1", port), ("127.0.0.1", 9), wait_for="/ready"
    ) as proxy:
        assert await proxy.control("GET", "/reachable") == 503
        async with Server(port=port):
            assert await ask(proxy.host, proxy.port, GET) == OK  # whatever the test found
            await eventually(lambda: _answers(proxy, "/reachable", 200))
        gone = await ask(proxy.host, proxy.port, GET)
        assert gone.startswith(b"HTTP/1.1 503 ")
        async with Server(port=port):
            assert await ask(proxy.host, proxy.port, GET) == OK
        assert await proxy.control("GET", "/ready") == 200


async def _answers(proxy: envoy.Envoy, path: str, status: int) -> bool:
    return await proxy.control("GET", path) == status


async def test_production_does_not_wait_for_the_comparators_name(tmp_path: Path) -> None:
    async with (
        Server() as production,
        envoy.running(
            tmp_path, (production.host, production.port), ("no-such-name.invalid.", 8080)
        ) as proxy,
    ):
        await proxy.percent(100)
        assert await ask(proxy.host, proxy.port, GET) == OK
        reading = await _counted(proxy, 1)
        assert (reading.eligible, reading.copies, reading.copies_failed) == (1, 0, 1)


HARM = {"killed": signal.SIGKILL, "frozen": signal.SIGSTOP}


@asynccontextmanager
async def _comparator_process() -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.wire", "127.0.0.1", "0"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    try:
        yield process, int(await process.stdout.readline())
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("harm", HARM)
async def test_production_does_not_notice_a_comparator_that_is(tmp_path: Path, harm: str) -> None:
    async with (
        Server() as production,
        _comparator_process() as (comparator, port),
        envoy.running(
            tmp_path, (production.host, production.port), ("127.0.0.1", port), RULE
        ) as proxy,
    ):
        await proxy.percent(100)
        healthy = await _load(proxy, 500, b"a" * 1000)
        comparator.send_signal(HARM[harm])
        harmed = await _load(proxy, 3000, b"a" * 1000)
        assert healthy.statuses == {200: 500}
        assert harmed.statuses == {200: 3000}
        assert harmed.slowest_seconds < 10
        reading = await proxy.read()
        assert reading.eligible == 3500
        assert reading.copies_failed >= 1000


async def test_large_bodies_for_a_frozen_comparator_fill_no_memory_and_stop_nobody(
    tmp_path: Path,
) -> None:
    async with (
        Server() as production,
        _comparator_process() as (comparator, port),
        envoy.running(
            tmp_path, (production.host, production.port), ("127.0.0.1", port), RULE
        ) as proxy,
    ):
        await proxy.percent(100)
        await _load(proxy, 10, b"a" * 1000)
        comparator.send_signal(signal.SIGSTOP)
        before = proxy.memory_bytes()
        largest = await _load(proxy, 400, b"a" * (1 << 20))
        assert largest.statuses == {200: 400}
        assert largest.slowest_seconds < 15
        assert proxy.memory_bytes() - before < 400 << 20
        too_large = await _load(proxy, 2, b"a" * (50 << 20))
        assert too_large.statuses == {200: 2}
        assert too_large.slowest_seconds < 15
        print(
            "LARGE",
            largest.slowest_seconds,
            too_large.slowest_seconds,
            before >> 20,
            proxy.memory_bytes() >> 20,
            await proxy.read(),
        )


async def test_a_rollout_of_production_fails_no_request_that_is_safe_to_repeat(
    tmp_path: Path,
) -> None:
    # Pods behind one address: the kernel chooses one for each connection, as kube-proxy does.
    port = envoy.free_port()
    pods = [await _pod(port), await _pod(port)]
    try:
        async with envoy.running(tmp_path, ("127.0.0.1", port), ("127.0.0.1", 9)) as proxy:
            load = asyncio.create_task(_until_done(proxy, done := asyncio.Event()))
            for _ in range(5):
                await _counted_more(proxy, 200)
                pods.append(await _pod(port))
                await pods.pop(0).cleanup()
            done.set()
            statuses = await load
            assert set(statuses) == {200}
            assert (await _counted(proxy, statuses[200])).requests == statuses[200]
    finally:
        for pod in pods:
            await pod.cleanup()


async def _pod(port: int) -> web.AppRunner:
    """Serve as production: stopping, it ends what it works on and closes idle connections."""

    async def handle(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/api", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_port=True).start()
    return runner


async def _until_done(proxy: envoy.Envoy, done: asyncio.Event) -> Counter[int]:
    statuses: Counter[int] = Counter()

    async def client(session: ClientSession) -> None:
        while not done.is_set():
            async with session.get(f"http://{proxy.host}:{proxy.port}/api") as answer:
                await answer.read()
            statuses[answer.status] += 1

    async with ClientSession() as session:
        await asyncio.gather(*(client(session) for _ in range(10)))
    return statuses


async def _counted_more(proxy: envoy.Envoy, requests: int) -> None:
    seen = (await proxy.read()).requests

    async def more() -> bool:
        return (await proxy.read()).requests >= seen + requests

    await eventually(more)


async def test_new_connections_go_to_the_twin_of_a_killed_envoy_at_once(tmp_path: Path) -> None:
    async with Server() as production:
        upstream, comparator = (production.host, production.port), ("127.0.0.1", 9)
        async with (
            envoy.running(tmp_path, upstream, comparator) as proxy,
            envoy.running(tmp_path, upstream, comparator, twin_of=proxy) as twin,
        ):
            for _ in range(100):
                assert await ask(proxy.host, proxy.port, GET) == OK
            shared = [(await one.read()).requests for one in (proxy, twin)]
            assert all(shared), "both take connections"
            await proxy.stop()
            for _ in range(100):
                assert await ask(proxy.host, proxy.port, GET) == OK


async def test_an_envoy_that_stops_lets_its_requests_end_and_its_clients_go(
    tmp_path: Path,
) -> None:
    release = asyncio.Event()

    async def answer(request: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if request.startswith(b"GET /held "):
            await release.wait()
        writer.write(OK)

    async with (
        Server(answer) as production,
        envoy.running(tmp_path, (production.host, production.port), ("127.0.0.1", 9)) as proxy,
    ):
        held = asyncio.create_task(
            ask(proxy.host, proxy.port, b"GET /held HTTP/1.1\r\nHost: h\r\n\r\n", seconds=30)
        )
        await eventually(lambda: bool(production.requests))
        drain = await asyncio.create_subprocess_exec(
            *("bash", "-c", drain_script(proxy.admin_port, settle_seconds=1))
        )
        await eventually(lambda: _answers(proxy, "/ready", 503))
        assert b"connection: close\r\n" in await ask(proxy.host, proxy.port, GET)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await drain.wait()
        release.set()
        assert b"connection: close\r\n" in await held
        async with asyncio.timeout(5):
            assert await drain.wait() == 0


async def test_a_body_does_not_wait_for_a_copy_that_cannot_connect(tmp_path: Path) -> None:
    with ExitStack() as sockets:
        comparator, *others = (sockets.enter_context(socket.socket()) for _ in range(5))
        comparator.bind(("127.0.0.1", 0))
        comparator.listen(0)
        for other in others:  # they fill the queue of connections that nobody accepts
            other.setblocking(False)
            other.connect_ex(comparator.getsockname())
        async with (
            Server() as production,
            envoy.running(
                tmp_path, (production.host, production.port), comparator.getsockname(), RULE
            ) as proxy,
        ):
            await proxy.percent(100)
            # A body that fills a buffer waits for the 1 s after which connecting is given up.
            for _ in range(6):
                outcome = await _load(proxy, 1, b"a" * (1 << 20))
                assert outcome.statuses == {200: 1}
                assert outcome.slowest_seconds < 0.9
            assert (await proxy.read()).copies == 0


class _Outcome:
    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.slowest_seconds = 0.0


async def _load(proxy: envoy.Envoy, requests: int, body: bytes) -> _Outcome:
    """Send POST requests over 20 connections as fast as they are answered."""
    outcome = _Outcome()
    left = iter(range(requests))

    async def client(session: ClientSession) -> None:
        for _ in left:
            start = time.perf_counter()
            url = f"http://{proxy.host}:{proxy.port}/api"
            async with session.post(url, data=BytesIO(body), allow_redirects=False) as answer:
                await answer.read()
            outcome.statuses[answer.status] += 1
            outcome.slowest_seconds = max(outcome.slowest_seconds, time.perf_counter() - start)

    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        await asyncio.gather(*(client(session) for _ in range(20)))
    return outcome


async def test_latency_and_errors_of_production_are_counted_and_streams_are_not_timed(
    tmp_path: Path,
) -> None:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(float(request.query.get("s", "0")))
        return web.Response(status=int(request.query.get("status", "200")))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = envoy.free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with (
            envoy.running(tmp_path, ("127.0.0.1", port), ("127.0.0.1", 9)) as instance,
            ClientSession(f"http://{instance.host}:{instance.port}") as client,
        ):
            for query in ("", "", "?s=0.25", "?status=503"):
                async with client.get(f"/x{query}"):
                    pass
            async with client.post("/x?status=500"):
                pass
            async with client.get("/x?s=0.2", headers={"Accept": "text/event-stream"}):
                pass
            reading = await _read_until(instance, lambda r: sum(r.latency.values()) == 5)
            assert (reading.requests, reading.answered, reading.errors) == (6, 6, 2)
            assert [EDGES[number] for number in reading.latency if EDGES[number] > 100] == [250]
            await runner.cleanup()
            async with client.post("/x"):
                pass
            reading = await _read_until(instance, lambda r: r.answered == 7)
            assert reading.errors == 3
    finally:
        await runner.cleanup()


async def _read_until(
    instance: envoy.Envoy, holds: Callable[[MirrorReading], bool]
) -> MirrorReading:
    async def seen() -> bool:
        return holds(await instance.read())

    await eventually(seen, 5)
    return await instance.read()
