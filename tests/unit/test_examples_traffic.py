"""The traffic generator of examples/hal9: it hides no failure, and it keeps its rate."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from examples.hal9.hal9sim import faults, traffic
from examples.hal9.hal9sim.mix import Mix
from examples.hal9.hal9sim.server import Hal9
from examples.hal9.hal9sim.settings import Settings
from examples.hal9.hal9sim.traffic import Plan, Tally

HAL9_FOLDER = Path(__file__).parents[2] / "examples" / "hal9"


@asynccontextmanager
async def hal9(**settings: Any) -> AsyncIterator[str]:
    """Serve one instance; give its address."""
    async with TestServer(Hal9(Settings(**{"latency_ms": 0, **settings})).app()) as server:
        yield str(server.make_url("")).rstrip("/")


async def send(url: str, **plan: Any) -> dict[str, Any]:
    lines: list[str] = []
    short = {"rate": 200, "duration": 0.5, **plan}
    return await traffic.run(Plan(url, **short), asyncio.Event(), lines.append)


async def test_a_healthy_service_gets_the_whole_mix_and_no_failure() -> None:
    async with hal9() as url:
        summary = await send(url, rate=400, duration=1)
    assert summary["failures"] == 0
    assert summary["requests"] == 400
    assert summary["requests_by_name"].keys() == dict(Mix.WEIGHTS).keys()
    assert 0 < summary["p50_ms"] <= summary["p99_ms"]


async def test_the_rate_is_kept_however_many_connections_there_are() -> None:
    async with hal9() as url:
        counts = [
            (await send(url, rate=100, duration=0.5, connections=number))["requests"]
            for number in (1, 32)
        ]
    assert counts == [50, 50]


async def test_an_answer_that_is_not_right_is_counted_by_kind() -> None:
    planted = faults.parse("errors:code=502,route=/api/v1/status;status:code=200,method=POST")
    async with hal9(faults=planted) as url:
        summary = await send(url)
    kinds = summary["failures_by_kind"]
    assert kinds.keys() == {"status: status 502", "signal: status 200"}
    named = summary["requests_by_name"]
    assert kinds["status: status 502"] == named["status"]
    assert kinds["signal: status 200"] == named["signal"]


async def test_an_answer_without_the_id_of_its_signal_is_a_failure() -> None:
    async with hal9(faults=faults.parse("missing-field:field=signal_id")) as url:
        summary = await send(url)
    assert summary["failures_by_kind"].keys() == {"signal: KeyError"}


async def test_a_service_that_is_not_there_fails_every_request() -> None:
    async with hal9() as url:
        pass
    summary = await send(url, duration=0.1)
    assert summary["failures"] == summary["requests"] == 20


async def test_an_answer_that_does_not_come_is_a_timeout() -> None:
    async with hal9(faults=faults.parse("latency:ms=60000,route=/api/v1/status")) as url:
        summary = await send(url, rate=20, duration=0.1, timeout=0.1, paths=("/api/v1/status",))
    assert summary["failures_by_kind"] == {"/api/v1/status: timeout": 2}


async def test_a_request_that_the_client_repeated_by_itself_is_a_failure() -> None:
    """A server that closes a kept connection instead of answering the second request on it."""

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await reader.read(1)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer_once, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        summary = await send(url, rate=50, duration=0.1, connections=1, paths=("/",))
    assert summary["failures_by_kind"] == {"/: resent": 4}


async def test_latency_counts_from_when_a_request_was_due() -> None:
    """One connection, 100 ms an answer, a request due every 50 ms: they queue at the client."""
    async with hal9(faults=faults.parse("latency:ms=100")) as url:
        summary = await send(url, rate=20, duration=0.25, connections=1, paths=("/api/v1/status",))
    assert summary["requests"] == 5
    assert summary["p99_ms"] >= 290
    assert summary["late_starts"] >= 2


async def test_requests_that_last_run_beside_the_others_and_end_well() -> None:
    async with hal9() as url:
        summary = await send(url, held=3, streams=3, websockets=3, held_seconds=1)
    assert summary["failures_by_kind"] == {}
    named = summary["requests_by_name"]
    assert [named[name] for name in ("held", "stream", "websocket")] == [3, 3, 3]


async def test_requests_that_last_can_be_sent_alone() -> None:
    async with hal9() as url:
        summary = await send(url, rate=0, duration=0.1, held=2, held_seconds=0.2)
    assert (summary["requests_by_name"], summary["failures"]) == ({"held": 2}, 0)


async def test_requests_that_last_and_are_cut_off_are_failures() -> None:
    hal9 = Hal9(Settings(latency_ms=0))
    server = TestServer(hal9.app())
    await server.start_server(shutdown_timeout=0.1)
    url = str(server.make_url("")).rstrip("/")
    lasting = {"held": 2, "stream": 2, "websocket": 2}
    plan = Plan(
        url, rate=1, duration=0.1, held=2, streams=2, websockets=2, held_seconds=30, timeout=2
    )
    sending = asyncio.create_task(traffic.run(plan, asyncio.Event()))
    async with asyncio.timeout(5):
        while hal9._active < sum(lasting.values()) or not hal9._requests:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await server.close()
    kinds = Counter[str]()
    for kind, number in (await sending)["failures_by_kind"].items():
        kinds[kind.partition(":")[0]] += number
    assert kinds == lasting


def test_the_same_seed_gives_the_same_requests() -> None:
    first, again, other = (
        [mix.next() for _ in range(50)] for mix in (Mix(seed=1), Mix(seed=1), Mix(seed=2))
    )
    assert first == again != other


def test_a_signal_stored_a_moment_ago_may_be_unknown_to_another_instance() -> None:
    mix = Mix(seed=1)
    mix.learned("sig-1")
    recent = next(request for request in iter(mix.next, None) if request.name == "recent")
    assert recent.path == "/api/v1/signal/sig-1"
    assert recent.right == frozenset({200, 404})


def test_quantiles_are_right_to_two_percent() -> None:
    tally = Tally()
    for number in range(1, 1001):
        tally.add("x", None, number / 1000)
    assert tally.quantile_ms(0.5) == pytest.approx(500, rel=0.02)
    assert tally.quantile_ms(0.99) == pytest.approx(990, rel=0.02)
    assert Tally().quantile_ms(0.5) == 0


async def command(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hal9sim.traffic", *arguments),
        cwd=HAL9_FOLDER,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize(("planted", "status"), [("", 0), ("errors:route=/api/v1/neurons", 1)])
async def test_the_exit_status_tells_whether_every_answer_was_right(
    planted: str, status: int
) -> None:
    async with hal9(faults=faults.parse(planted)) as url:
        child = await command(
            f"--url={url}", "--rate=50", "--duration=2", "--progress=0.2", "--wait=5"
        )
        out, _ = await child.communicate()
    *progress, summary = out.decode().splitlines()
    assert child.returncode == status
    assert progress[0].startswith("t=0s requests=")
    assert (json.loads(summary)["failures"] > 0) == bool(status)
    assert ("status 500]=" in progress[-1]) == bool(status)


async def test_sigterm_ends_endless_traffic_with_a_summary() -> None:
    async with hal9() as url:
        child = await command(f"--url={url}", "--rate=50", "--progress=0.1")
        assert child.stdout
        await asyncio.wait_for(child.stdout.readline(), 20)
        child.terminate()
        out, _ = await asyncio.wait_for(child.communicate(), 20)
    assert child.returncode == 0
    assert json.loads(out.decode().splitlines()[-1])["requests"] > 0


async def test_a_service_that_never_comes_up_is_said_in_a_sentence() -> None:
    child = await command("--url=http://127.0.0.1:9", "--wait=0.1")
    _, error = await asyncio.wait_for(child.communicate(), 20)
    assert child.returncode == 1
    assert error.decode() == "no answer from http://127.0.0.1:9/health in 0.1 s\n"
