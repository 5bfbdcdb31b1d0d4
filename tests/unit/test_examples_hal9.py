"""examples/hal9: the simulated service, over HTTP on loopback ports and as a real process."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from examples.hal9.hal9sim.lifecycle import serve
from examples.hal9.hal9sim.network import LAYERS, BadSignalError, Memory, Network, Signal
from examples.hal9.hal9sim.server import Hal9
from examples.hal9.hal9sim.settings import BadSettingError, Settings

HAL9_FOLDER = Path(__file__).parents[2] / "examples" / "hal9"
SIGNAL = {"content": "the ember forest beyond the harbor", "source": "client-7", "intensity": 0.25}
COMPARED = (
    "/health",
    "/api/v1/signal/seed-0042",
    "/api/v1/neurons",
    "/api/v1/neurons?layer=protocol",
    "/api/v1/neurons/cognitive-02",
    "/api/v1/errors/recent",
)
"""Endpoints whose answers to the same request differ in `meta` alone."""
ENDPOINTS = (
    *COMPARED,
    "/api/v1/status",
    "/api/v1/neurons/cognitive-02/health",
    "/api/v1/network/status",
    "/api/v1/metrics",
    "/health/detailed",
    "/ready",
    "/livez",
    "/readyz",
)


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[TestClient[Any, Any]]:
    """One instance in this process, without its own latency unless asked."""
    hal9 = Hal9(Settings(**{"latency_ms": 0, **settings}))
    async with TestClient(TestServer(hal9.app())) as client:
        yield client


async def get(client: TestClient[Any, Any], path: str) -> tuple[int, dict[str, Any]]:
    async with client.get(path) as response:
        return response.status, await response.json()


async def post(client: TestClient[Any, Any], body: object) -> tuple[int, dict[str, Any]]:
    async with client.post("/api/v1/signal", json=body) as response:
        return response.status, await response.json()


async def test_every_endpoint_answers_a_small_json_object() -> None:
    async with running() as client:
        for path in ENDPOINTS:
            status, body = await get(client, path)
            assert status == 200, path
            assert 100 < len(json.dumps(body)) < 2500, path


async def test_flat_and_hierarchical_give_the_same_answers_apart_from_meta() -> None:
    async with running() as flat, running(system="hierarchical", instance="other") as new:
        for path in COMPARED:
            one, other = (await get(flat, path))[1], (await get(new, path))[1]
            assert one.pop("meta") != other.pop("meta")
            assert one == other, path
        stored, again = await post(flat, SIGNAL), await post(new, SIGNAL)
        assert stored[0] == again[0] == 201
        assert {**stored[1], "meta": None} == {**again[1], "meta": None}


async def test_meta_differs_from_call_to_call_and_names_the_instance() -> None:
    async with running(instance="pod-1") as client:
        one, other = [(await get(client, "/health"))[1]["meta"] for _ in range(2)]
        assert one["instance"] == other["instance"] == "pod-1"
        assert one["trace_id"] != other["trace_id"]
        assert one["generated_at"] < other["generated_at"]


async def test_a_stored_signal_is_found_by_the_id_that_its_content_gives() -> None:
    async with running() as client:
        stored = (await post(client, SIGNAL))[1]
        status, found = await get(client, f"/api/v1/signal/{stored['signal_id']}")
        assert status == 200
        assert {**found, "meta": None} == {**stored, "meta": None}
        assert (await post(client, SIGNAL))[1]["signal_id"] == stored["signal_id"]
    async with running() as other:
        assert (await get(other, f"/api/v1/signal/{stored['signal_id']}"))[0] == 404


async def test_a_client_may_name_its_signal() -> None:
    async with running() as client:
        assert (await post(client, {**SIGNAL, "id": "order-17"}))[1]["signal_id"] == "order-17"
        assert (await get(client, "/api/v1/signal/order-17"))[1]["content"] == SIGNAL["content"]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"content": 7},
        {"content": "x", "intensity": 2},
        {"content": "x", "id": "a/b"},
        {"content": "x", "id": "seed-0001"},
    ],
)
async def test_what_is_no_signal_is_refused_with_a_sentence(body: object) -> None:
    async with running() as client:
        status, answer = await post(client, body)
        assert status == 400
        assert answer["error"]


def test_a_full_memory_forgets_the_oldest_signal_but_no_seed() -> None:
    memory = Memory(seeds=1, capacity=2)
    for name in ("a", "b", "c"):
        memory.store(Signal(name, "text", "test", 0.5))
    assert [bool(memory.find(name)) for name in ("seed-0001", "a", "b", "c")] == [1, 0, 1, 1]
    with pytest.raises(BadSignalError):
        memory.store(Signal("seed-0001", "text", "test", 0.5))


async def test_layers_are_only_in_the_hierarchical_system() -> None:
    async with running() as flat, flat.get("/hierarchical/health") as response:
        assert response.status == 404
    async with running(system="hierarchical", layers=LAYERS[:4]) as new:
        assert (await get(new, "/hierarchical/health"))[1]["state"] == "Healthy"
        states = [(await get(new, f"/hierarchical/{layer}/status")) for layer in LAYERS]
        assert [status for status, _ in states] == [200] * 5
        assert [body["state"] for _, body in states] == ["Healthy"] * 4 + ["Disabled"]
        assert (await get(new, "/hierarchical/other/status"))[0] == 404


async def test_learning_changes_a_tenth_of_the_answers_and_marks_each() -> None:
    learner = running(system="hierarchical", learning=True)
    async with running() as plain, learner as learning:
        marked = 0
        for number in range(200):
            body = {"content": f"lesson {number}"}
            before = (await post(plain, body))[1]["result"]
            async with learning.post("/api/v1/signal", json=body) as response:
                after = (await response.json())["result"]
                changed = after["confidence"] > before["confidence"]
                assert changed == ("X-HAL9-Learning" in response.headers)
                assert {**after, "confidence": 0} == {**before, "confidence": 0}
                marked += changed
        assert 8 <= marked <= 35
        progress = (await get(learning, "/hierarchical/cognitive/status"))[1]["learning"]
        assert (progress["cycles"], progress["adjustments"]) == (200, marked)
        async with learning.get("/metrics") as response:
            assert "hal9_learning_cycles_total 200.0" in await response.text()


@pytest.mark.parametrize("system", ["flat", "hierarchical"])
async def test_metrics_bear_the_names_of_hal9_and_the_system(system: str) -> None:
    async with running(system=system, shadow_mode=system == "hierarchical") as client:
        await post(client, SIGNAL)
        async with client.get("/metrics") as response:
            text = await response.text()
    for line in (
        f'hal9_requests_total{{system="{system}"}} 1.0',
        f'hal9_errors_total{{system="{system}"}} 0.0',
        f'hal9_request_duration_seconds_bucket{{le="+Inf",system="{system}"}} 1.0',
        f'hal9_feature_flag_enabled{{feature="shadow_mode"}} {float(system == "hierarchical")}',
        f"hal9_migration_phase {float(system == 'hierarchical')}",
        "hal9_learning_adjustments_total 0.0",
        'hal9_neurons_active{layer="flat"} 20.0'
        if system == "flat"
        else 'hal9_neurons_active{layer="cognitive"} 4.0',
    ):
        assert line in text.splitlines()


async def test_the_latency_depends_on_the_input_alone() -> None:
    hal9 = Hal9(Settings(latency_ms=4))
    own = [hal9._own_seconds("GET", f"/api/v1/signal/seed-{n:04d}", b"") for n in range(50)]
    assert own == [hal9._own_seconds("GET", f"/api/v1/signal/seed-{n:04d}", b"") for n in range(50)]
    assert 0.002 <= min(own) < 0.003
    assert 0.005 < max(own) <= 0.006


async def test_requests_that_last_are_held_streamed_and_echoed() -> None:
    async with running() as client:
        assert (await get(client, "/api/v1/slow?seconds=0.01"))[1]["held_seconds"] == 0.01
        async with client.get("/api/v1/slow?seconds=soon") as response:
            assert response.status == 400
        async with client.get("/api/v1/stream?events=3&interval=0") as response:
            assert response.content_type == "text/event-stream"
            lines = (await response.text()).splitlines()
        assert [line for line in lines if line.startswith("id")] == ["id: 0", "id: 1", "id: 2"]
        async with client.ws_connect("/api/v1/ws") as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "hello"
            await socket.send_bytes(b"\0\1")
            assert await socket.receive_bytes() == b"\0\1"


async def test_a_client_that_leaves_is_no_error_of_the_service() -> None:
    hal9 = Hal9(Settings())
    async with TestClient(TestServer(hal9.app())) as client:
        async with client.get("/api/v1/stream?events=3000&interval=0.01") as response:
            await response.content.readline()
            response.close()
        await asyncio.wait_for(hal9.idle.wait(), 5)
        assert (await get(client, "/api/v1/errors/recent"))[1]["errors"] == []
        assert (await get(client, "/api/v1/metrics"))[1]["errors_total"] == 0


async def test_a_request_that_is_held_ends_though_the_server_stops() -> None:
    stop, ports = asyncio.Event(), asyncio.get_running_loop().create_future()
    settings = Settings(api_port=0, metrics_port=0, drain_seconds=0.3, shutdown_seconds=5)
    server = asyncio.create_task(serve(settings, stop, lambda *both: ports.set_result(both)))
    url, metrics_url = (f"http://127.0.0.1:{port}" for port in await ports)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{metrics_url}/metrics") as response:
            assert response.status == 200
        async with session.get(f"{url}/readyz") as response:
            assert response.status == 200
            assert "Connection" not in response.headers
        held = asyncio.create_task(session.get(f"{url}/api/v1/slow?seconds=0.8"))
        async with session.ws_connect(f"{url}/api/v1/ws") as socket:
            stop.set()
            async with session.get(f"{url}/readyz") as response:
                assert response.status == 503
            async with session.get(f"{url}/api/v1/status") as response:
                assert response.status == 200, "a draining server still answers"
                assert response.headers["Connection"] == "close"
            async with await held as response:
                assert response.status == 200, "what has begun ends well"
            await socket.send_str("still there")
            assert await socket.receive_str() == "still there"
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(f"{url}/readyz", headers={"Connection": "close"})
    await asyncio.wait_for(server, 5)


@pytest.mark.parametrize(
    ("env", "part"),
    [
        ({"HAL9_SYSTEM": "round"}, "HAL9_SYSTEM is one of"),
        ({"HAL9_LAYERS": "substrate,attic"}, "attic"),
        ({"HAL9_HIERARCHICAL_LEARNING": "yes"}, "HAL9_HIERARCHICAL_LEARNING is"),
        ({"HAL9_FAULTS": "gremlin"}, "unknown fault 'gremlin'"),
        ({"HAL9_API_PORT": "http"}, "invalid literal"),
        ({"HAL9_CONFIG_PATH": "/nowhere/hal9.toml"}, "/nowhere/hal9.toml"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(env: dict[str, str], part: str) -> None:
    with pytest.raises(BadSettingError, match=part):
        Settings.read(env)


def test_settings_come_from_the_environment_and_the_configuration_file(tmp_path: Path) -> None:
    file = tmp_path / "hal9.toml"
    file.write_text("[network]\nneurons_per_layer = 2\n")
    settings = Settings.read(
        {
            "HAL9_CONFIG_PATH": str(file),
            "HAL9_SYSTEM": "hierarchical",
            "HAL9_LAYERS": "Protocol, substrate",
            "HAL9_HIERARCHICAL_LEARNING": "shadow-only",
            "HOSTNAME": "pod-3",
        }
    )
    assert settings.layers == ("substrate", "protocol")
    assert (settings.learning, settings.instance) == (True, "pod-3")
    assert len(Network(settings.neurons_per_layer).neurons) == 10


def test_the_flat_system_never_learns() -> None:
    assert not Settings.read({"HAL9_HIERARCHICAL_LEARNING": "shadow-only"}).learning


@asynccontextmanager
async def process(**env: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Start a real process on free ports; give it and the address of its API."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "hal9sim"),
        cwd=HAL9_FOLDER,
        env={**os.environ, "HAL9_API_PORT": "0", "HAL9_METRICS_PORT": "0", **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert child.stdout
    try:
        line = (await asyncio.wait_for(child.stdout.readline(), 20)).decode()
        port = line.partition("api=")[2].split(" ")[0]
        yield child, f"http://127.0.0.1:{port}"
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def test_sigterm_ends_the_process_with_status_0() -> None:
    async with process(HAL9_DRAIN_SECONDS="0") as (child, url):
        async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz") as response:
            assert response.status == 200
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 10) == 0


async def test_a_planted_crash_ends_the_process_at_the_request_that_was_named() -> None:
    async with process(HAL9_FAULTS="crash:after=3") as (child, url):
        async with aiohttp.ClientSession() as session:
            for _ in range(3):
                async with session.get(f"{url}/api/v1/status") as response:
                    assert response.status == 200
            with pytest.raises(aiohttp.ClientError):
                await session.post(f"{url}/api/v1/signal", json=SIGNAL)
        assert await asyncio.wait_for(child.wait(), 10) == 70


async def test_a_planted_leak_grows_the_resident_memory() -> None:
    async def resident_mb() -> float:
        async with session.get(f"{url}/metrics") as response:
            lines = (await response.text()).splitlines()
        name = "process_resident_memory_bytes "
        return float(next(line for line in lines if line.startswith(name))[len(name) :]) / 1e6

    async with (
        process(HAL9_FAULTS="leak:mb-per-minute=3600") as (_, url),
        aiohttp.ClientSession() as session,
    ):
        start = await resident_mb()
        async with asyncio.timeout(15):
            while await resident_mb() < start + 100:  # noqa: ASYNC110 - another process grows
                await asyncio.sleep(0.1)


async def test_the_process_refuses_a_bad_setting_with_status_2() -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "hal9sim"),
        cwd=HAL9_FOLDER,
        env={**os.environ, "HAL9_SYSTEM": "round"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await child.communicate()
    assert child.returncode == 2
    assert error.decode().startswith("hal9sim: HAL9_SYSTEM is one of flat, hierarchical")
