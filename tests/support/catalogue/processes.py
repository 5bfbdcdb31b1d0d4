"""Processes on loopback: HAL9 as the pods of a role, and a comparator that compares them."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shadow_operator.api.evidence import ComparatorConfig, ComparatorSnapshot, Target

EXAMPLE: Final = Path(__file__).parents[3] / "examples" / "hal9"
DEADLINE: Final = 60.0
"""Seconds that a process has to start, and a condition to come true."""
WINDOW: Final = 160
"""Pairs of one comparator under way."""
CALM: Final = 64
"""The same where answers are timed."""
CONNECTIONS: Final = 8
"""Of a mirror to one comparator."""

_POD: Final = """
import asyncio, uvloop
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
from hal9sim.__main__ import main
raise SystemExit(main())
"""
_COMPARATOR: Final = """
import json, sys
from functools import partial
from pathlib import Path
from shadow_operator.__main__ import log_to
from shadow_operator.comparator import server

async def find(target):
    return [tuple(address) for address in json.loads(sys.argv[2])[target.host]]

server.Comparator = partial(server.Comparator, find=find)  # what a name server would answer
log_to("json")
raise SystemExit(server.run(Path(sys.argv[1]), copies_port=0, admin_port=0))
"""
_ACKNOWLEDGED: Final = len(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


@dataclass(frozen=True)
class Pod:
    """A running HAL9: at an address of its own, as pods are."""

    process: asyncio.subprocess.Process
    host: str
    port: int

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.host}:{self.port}"

    @property
    def memory(self) -> int:
        """Bytes that are resident."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def at_once(folder: Path) -> dict[str, str]:
    """Give the environment of a HAL9 that answers at once."""
    file = folder / "hal9.toml"
    file.write_text("[network]\nlatency_ms = 0.0\n")
    return {"HAL9_CONFIG_PATH": str(file)}


@asynccontextmanager
async def pods(
    environments: Sequence[Mapping[str, str]], *, first: int
) -> AsyncIterator[list[Pod]]:
    """Run one HAL9 for each environment; `first` is the number of the first one's address."""
    async with AsyncExitStack() as stack:
        processes = [
            await _process(stack, [_POD], {**env, "HAL9_DRAIN_SECONDS": "0"}, EXAMPLE)
            for env in environments
        ]
        yield [
            Pod(process, f"127.1.0.{number}", await _port(process))
            for number, process in enumerate(processes, first)
        ]


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        line = (await process.stdout.readline()).decode()
    found = re.match(r"api=(\d+) ", line)
    assert found, f"HAL9 did not start: {line!r}"
    return int(found.group(1))


async def _process(
    stack: AsyncExitStack, command: Sequence[str], env: Mapping[str, str], cwd: Path
) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", *command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=cwd,
        env={
            "HAL9_API_PORT": "0",
            "HAL9_METRICS_PORT": "0",
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(EXAMPLE), *sys.path]),
            **env,
        },
    )

    async def end() -> None:
        if process.returncode is None:
            process.kill()
        await process.wait()

    stack.push_async_callback(end)
    return process


class Comparing:
    """A running comparator, as a mirror and as the operator see it."""

    def __init__(self, file: Path, config: ComparatorConfig, ports: Mapping[str, Any]) -> None:
        self._file = file
        self._config = config
        self._copies = ("127.0.0.1", int(ports["copies_port"]))
        self._admin_port = int(ports["admin_port"])
        self._open: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.name = config.version
        self.window = WINDOW
        """Pairs under way, at most."""

    async def connect(self) -> None:
        """Open the mirror's connections and the operator's; what was open is closed."""
        self.close()
        self._admin = await asyncio.open_connection("127.0.0.1", self._admin_port)
        self._open = [await asyncio.open_connection(*self._copies) for _ in range(CONNECTIONS)]

    def close(self) -> None:
        """Close them."""
        for _, writer in self._open:
            writer.close()
        if self._open:
            self._admin[1].close()

    def configure(self, **changes: Any) -> None:
        """Replace the configuration file as a ConfigMap volume does."""
        new = self._config.model_copy(update=changes)
        if new == self._config:
            return
        self._config = new
        fresh = self._file.with_suffix(".new")
        fresh.write_text(new.model_dump_json())
        fresh.replace(self._file)

    async def send(self, copies: Iterable[tuple[int, Sequence[bytes]]]) -> None:
        """Send groups of copies in order, `window` at a time.

        Each comes with a number: what has the same one goes over the same connection.
        """
        burst: list[list[bytes]] = [[] for _ in self._open]
        for line, group in copies:
            burst[line % CONNECTIONS] += group
            if sum(map(len, burst)) >= self.window // 2:
                await self._burst(burst)
                burst = [[] for _ in self._open]
        await self._burst(burst)

    async def _burst(self, burst: Sequence[Sequence[bytes]]) -> None:
        await self._below(self.window // 2)
        lines = zip(self._open, burst, strict=True)
        await asyncio.gather(*(self._on(line, copies) for line, copies in lines if copies))

    async def settled(self) -> None:
        """Wait until no pair is under way."""
        await self._below(0)

    async def _on(
        self,
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        copies: Sequence[bytes],
    ) -> None:
        reader, writer = connection
        writer.write(b"".join(copies))
        async with asyncio.timeout(DEADLINE):
            await reader.readexactly(_ACKNOWLEDGED * len(copies))

    async def _below(self, most: int) -> None:
        async with asyncio.timeout(DEADLINE):
            while await self._in_flight() > most:  # noqa: ASYNC110 - a process
                await asyncio.sleep(0.02)

    async def _in_flight(self) -> int:
        found = re.search(rb'"in_flight":(\d+)', await self._get("/snapshot"))
        return int(found.group(1)) if found else 0

    async def snapshot(self) -> ComparatorSnapshot:
        """Read what was measured as the operator does."""
        content = await self._get("/snapshot?scraper=operator")
        return ComparatorSnapshot.model_validate_json(content)

    async def _get(self, path: str) -> bytes:
        """Read from the admin port; so often that a client library would cost more than pairs."""
        reader, writer = self._admin
        writer.write(f"GET {path} HTTP/1.1\r\nhost: comparator\r\n\r\n".encode())
        async with asyncio.timeout(DEADLINE):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            assert length, head
            return await reader.readexactly(int(length.group(1)))


def config(
    name: str, epoch: str, routes: Iterable[str], timeout_seconds: int, **changes: Any
) -> ComparatorConfig:
    """Give the configuration of a comparator whose targets are `shadow` and `reference`."""
    return ComparatorConfig(
        version=name,
        epoch=epoch,
        resource="hal9/hal9",
        nonce=epoch,
        shadow=Target(host="shadow", port=1),
        reference=Target(host="reference", port=1),
        methods=("GET", "HEAD", "POST"),
        timeout_seconds=timeout_seconds,
        routes=tuple(routes),
        **changes,
    )


@asynccontextmanager
async def comparator(
    config: ComparatorConfig, folder: Path, addresses: Mapping[str, Sequence[Pod]]
) -> AsyncIterator[Comparing]:
    """Run a comparator; `addresses`: host of a target -> its pods."""
    file = folder / f"{config.version}.json"
    file.write_text(config.model_dump_json())
    found = {host: [(pod.host, pod.port) for pod in some] for host, some in addresses.items()}
    async with AsyncExitStack() as stack:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _COMPARATOR, str(file), json.dumps(found)),
            stderr=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "EPOCH": config.epoch,
                "POD_UID": config.version,
            },
        )
        stack.push_async_callback(_ended, process)
        assert process.stderr is not None
        async with asyncio.timeout(DEADLINE):
            ports = json.loads(await process.stderr.readline())
        one = Comparing(file, config, ports)
        await one.connect()
        stack.callback(one.close)
        yield one


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
