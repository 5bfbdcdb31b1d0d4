"""A real Envoy process on an address of its own, with the configuration that the operator writes.

On loopback every address 127.x.y.z exists, so each Envoy can have the same fixed control port.
"""

import asyncio
import itertools
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from shadow_operator.adapters import envoy as adapter
from shadow_operator.api.spec import Mirror
from shadow_operator.core.deploying import envoy
from shadow_operator.core.snapshot import Found, MirrorReading
from tests.support.wire import eventually

BINARY = Path(sys.executable).with_name("envoy")
_numbers = itertools.count(1)


def own_address() -> str:
    """Give a loopback address that no other Envoy of this machine's tests has."""
    return f"127.{os.getpid() >> 8 & 255}.{os.getpid() & 255}.{next(_numbers)}"


def free_port(host: str = "127.0.0.1") -> int:
    """Give a port that is free now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Envoy:
    """A running Envoy between a client and production."""

    host: str
    port: int
    tcp_port: int
    admin_port: int
    control_port: int
    client: httpx.AsyncClient
    command: tuple[str, ...]
    process: asyncio.subprocess.Process = field(init=False)

    async def start(self, path: str = envoy.REACHABLE_PATH) -> None:
        """Start the process and wait until it answers 200 there: by default, ready for traffic."""
        self.process = await asyncio.create_subprocess_exec(
            *self.command, stderr=asyncio.subprocess.DEVNULL
        )
        await eventually(lambda: self._answers(path), 20)

    async def stop(self) -> None:
        """Kill the process, if it still runs."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def control(self, method: str, path: str) -> int:
        """Ask the control listener; give the status."""
        url = f"http://{self.host}:{self.control_port}{path}"
        return (await self.client.request(method, url)).status_code

    async def percent(self, percent: int) -> None:
        """Set the mirrored percentage."""
        ports = (self.control_port,)
        told = await adapter.set_percent(self.client, self.host, percent, ports=ports)
        assert told == Found(percent)

    async def read(self) -> MirrorReading:
        """Read the counters, which worker threads hand over with a delay."""
        reading = await adapter.read(
            self.client, self.host, pod="envoy-1", boot="boot-1", ports=(self.control_port,)
        )
        assert isinstance(reading, Found), reading
        return reading.value

    def memory_bytes(self) -> int:
        """Give the resident memory of the process."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGESIZE")

    async def _answers(self, path: str) -> bool:
        assert self.process.returncode is None, "Envoy ended"
        try:
            return await self.control("GET", path) == 200
        except httpx.HTTPError:
            return False


@asynccontextmanager
async def running(
    folder: Path,
    production: tuple[str, int],
    comparator: tuple[str, int],
    mirror: Mirror | None = None,
    *,
    tcp: int = 9,
    max_body_bytes: int = 1 << 20,
    templates: tuple[str, ...] = (),
    wait_for: str = envoy.REACHABLE_PATH,
    twin_of: Envoy | None = None,
) -> AsyncIterator[Envoy]:
    """Run an Envoy in front of production (host, port), and of its plain TCP port `tcp`.

    With `twin_of` it listens where that one does, as the two in a pod do.
    """
    host = twin_of.host if twin_of else own_address()
    ports = tuple(itertools.islice(_free_ports(host), 3))
    if twin_of:
        ports = (twin_of.port, twin_of.tcp_port, ports[2])
    control_port = envoy.CONTROL_PORTS[1 if twin_of else 0]
    upstream = envoy.Upstream(
        production[0],
        False,
        (envoy.Port(80, ports[0], production[1], True), envoy.Port(5432, ports[1], tcp, False)),
    )
    config = envoy.bootstrap(
        mirror or Mirror(),
        upstream,
        comparator=comparator,
        max_body_bytes=max_body_bytes,
        templates=templates,
        bind=host,
        admin_port=ports[2],
        control_port=control_port,
    )
    file = folder / f"{host}-{control_port}.json"
    file.write_text(json.dumps(config))
    command = (
        *(str(BINARY), "--config-path", str(file), "--disable-hot-restart"),
        *("--log-level", "warning", "--concurrency", "2"),
    )
    async with httpx.AsyncClient() as client:
        instance = Envoy(host, ports[0], ports[1], ports[2], control_port, client, command)
        try:
            await instance.start(wait_for)
            yield instance
        finally:
            await instance.stop()


def _free_ports(host: str) -> Iterator[int]:
    taken: set[int] = set()
    while True:
        port = free_port(host)
        if port not in taken:
            taken.add(port)
            yield port
