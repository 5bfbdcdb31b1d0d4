"""The comparator as the process that a pod runs: its file, its signals, its memory."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from shadow_operator.api.evidence import ComparatorSnapshot

DEADLINE = 20.0
START = """
import sys
from pathlib import Path
from shadow_operator.__main__ import log_to
from shadow_operator.comparator.server import run
log_to("json")
raise SystemExit(run(Path(sys.argv[1]), copies_port=0, admin_port=0))
"""
COPY = b"GET /api/v1/status HTTP/1.1\r\nhost: api.example.com\r\n\r\n"
ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n"
    b'{"state": "on"}'
)


class Good(asyncio.Protocol):
    """A clone that answers at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER)


class Frozen(asyncio.Protocol):
    """A clone that accepts and neither reads nor answers."""

    held: ClassVar[list[asyncio.Transport]] = []
    """A transport that reads nothing lives only as long as somebody knows it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        self.held.append(transport)


@dataclass
class Running:
    """A comparator's process."""

    process: asyncio.subprocess.Process
    config: dict[str, Any]
    file: Path
    copies_port: int
    admin: httpx.AsyncClient

    def write(self, **changes: Any) -> None:
        """Replace the configuration file as a ConfigMap volume does."""
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps({**self.config, **changes}))
        new.replace(self.file)

    async def snapshot(self, query: str = "") -> ComparatorSnapshot:
        response = await self.admin.get(f"/snapshot{query}")
        return ComparatorSnapshot.model_validate_json(response.content)

    async def until(self, condition: Callable[[ComparatorSnapshot], bool]) -> ComparatorSnapshot:
        """Read snapshots until one is as wanted."""
        async with asyncio.timeout(DEADLINE):
            while not condition(snapshot := await self.snapshot()):  # noqa: ASYNC110 - a process
                await asyncio.sleep(0.05)
        return snapshot

    async def until_metric(self, line: str) -> None:
        """Read metrics until they show a line."""
        async with asyncio.timeout(DEADLINE):
            while line not in (await self.admin.get("/metrics")).text:  # noqa: ASYNC110 - a process
                await asyncio.sleep(0.05)

    def resident(self) -> int:
        """Bytes in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) * 1024


async def first_line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE):
        line: dict[str, Any] = json.loads(await process.stderr.readline())
    return line


async def start(file: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", START, str(file)),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "POD_UID": "uid"},
    )


@asynccontextmanager
async def running(tmp_path: Path, shadow: type[asyncio.Protocol]) -> AsyncIterator[Running]:
    loop = asyncio.get_running_loop()
    ports = []
    servers = []
    for clone in (shadow, Good):
        server = await loop.create_server(clone, "127.0.0.1", 0)
        servers.append(server)
        ports.append(server.sockets[0].getsockname()[1])
    config = {
        "version": "1",
        "epoch": "e",
        "resource": "ns/name",
        "nonce": "n",
        "shadow": {"host": "127.0.0.1", "port": ports[0]},
        "reference": {"host": "127.0.0.1", "port": ports[1]},
        "timeout_seconds": 2.0,
    }
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    process = await start(file)
    try:
        line = await first_line(process)
        base = f"http://127.0.0.1:{line['admin_port']}"
        async with httpx.AsyncClient(base_url=base, timeout=10) as admin:
            yield Running(process, config, file, line["copies_port"], admin)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        for server in servers:
            server.close()
        for transport in Frozen.held:
            transport.abort()
        Frozen.held.clear()


async def flood(port: int, copies: int) -> float:
    """Send copies on one connection, each after the last one's answer; give the longest wait."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    longest = 0.0
    for _ in range(copies):
        started = time.perf_counter()
        writer.write(COPY)
        async with asyncio.timeout(DEADLINE):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        longest = max(longest, time.perf_counter() - started)
    writer.close()
    return longest


async def test_a_frozen_shadow_neither_slows_the_mirror_nor_grows_memory(tmp_path: Path) -> None:
    async with running(tmp_path, Frozen) as it:
        await asyncio.gather(*(flood(it.copies_port, 100) for _ in range(8)))
        before = it.resident()
        longest = max(await asyncio.gather(*(flood(it.copies_port, 700) for _ in range(8))))
        grown = it.resident() - before
        snapshot = await it.until(lambda read: read.in_flight == 0)
    (route,) = snapshot.routes
    assert snapshot.eligible == snapshot.received == 8 * 800
    assert route.shadow_timeouts + snapshot.shed["Overload"] == 8 * 800
    assert route.shadow_timeouts >= 512
    assert grown < 24 << 20, f"{grown >> 20} MiB more in memory"
    assert longest < 1.5, "no acknowledgement waits for the shadow's timeout of 2 s"


async def test_sigterm_keeps_the_snapshot_until_it_was_read_and_then_exits_0(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, Good) as it:
        await flood(it.copies_port, 20)
        await it.until(lambda read: bool(read.routes) and read.routes[0].pairs == 20)
        it.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE):
            while (await it.admin.get("/readyz")).status_code == 200:  # noqa: ASYNC110 - a process
                await asyncio.sleep(0.02)
            await flood(it.copies_port, 1)  # endpoints change late
            while it.process.returncode is None:
                final = await it.snapshot("?scraper=operator")
                try:
                    await asyncio.wait_for(it.process.wait(), 0.5)
                except TimeoutError:
                    continue
    assert it.process.returncode == 0
    assert (final.received, final.routes[0].pairs) == (21, 21)


async def test_the_file_is_read_again_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, Good) as it:
        it.write(version="2")
        await it.until(lambda read: read.config_version == "2")
        it.write(version="3", timeout_seconds=-1)
        await it.until_metric("shadow_config_valid 0.0")
        assert (await it.snapshot()).config_version == "2"
        it.write(version="4")
        await it.until(lambda read: read.config_version == "4")
        await it.until_metric("shadow_config_valid 1.0")


@pytest.mark.parametrize("content", [None, "{}", "no json"])
async def test_a_first_configuration_that_cannot_be_used_ends_with_status_2(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "config.json"
    if content is not None:
        file.write_text(content)
    process = await start(file)
    line = await first_line(process)
    assert await process.wait() == 2
    assert line["event"] == "configuration refused"
