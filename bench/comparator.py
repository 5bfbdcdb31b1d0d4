"""How many pairs a comparator does per second and per CPU second, beside a bare fan-out.

The comparator runs in a process of its own on one core, clones and load on another. The bare
fan-out is the same receiver and the same client without anything between: it reads a copy, calls
two clones, and forgets what they said.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Final, cast

import uvloop

from shadow_operator.api.evidence import ComparatorConfig, ComparatorSnapshot, Target
from shadow_operator.comparator.client import Address, Client
from shadow_operator.comparator.copy import Copy
from shadow_operator.comparator.receive import Connections
from shadow_operator.comparator.room import Room
from shadow_operator.comparator.server import Comparator, Identity, settle_memory

LOOPBACK: Final = "127.0.0.1"
REQUIRED_PAIRS_PER_SECOND: Final = 2_000
_VARIANTS: Final = 64


def body(variant: int) -> bytes:
    """Return about 1 KB of JSON; only `at` and `trace` depend on the variant."""
    neurons = [
        {"id": f"n{number}", "layer": number % 5, "state": "active", "weight": number / 7}
        for number in range(12)
    ]
    content = {
        "at": f"2025-01-02T03:04:{variant % 60:02d}.{variant:03d}Z",
        "trace": str(uuid.UUID(int=variant << 64)),
        "status": "ok",
        "system": "flat",
        "neurons": neurons,
    }
    return json.dumps(content).encode()


def answers(*, varying: bool, seed: int) -> list[bytes]:
    """Return whole HTTP answers, in turn given by a clone."""
    made = []
    for number in range(_VARIANTS):
        content = body(seed + number if varying else 0)
        head = (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nserver: hal9\r\n"
            "cache-control: no-store\r\ndate: Thu, 02 Jan 2025 03:04:05 GMT\r\n"
            f"content-length: {len(content)}\r\n\r\n"
        )
        made.append(head.encode() + content)
    return made


class CloneConnection(asyncio.Protocol):
    """A clone that costs almost nothing: every request gets the next made-up answer."""

    def __init__(self, made: list[bytes], answered: Callable[[], None]) -> None:
        self._made = made
        self._answered = answered
        self._next = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer; requests of the comparator come whole."""
        assert self._transport is not None
        self._next = (self._next + 1) % _VARIANTS
        self._transport.write(self._made[self._next])
        self._answered()


class MirrorConnection(asyncio.Protocol):
    """A mirror's connection: sends a copy, waits for the acknowledgement, is free again."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Offer itself."""
        self.transport = cast("asyncio.Transport", transport)
        self._load.free(self)

    def data_received(self, data: bytes) -> None:
        """Be free again."""
        self._load.free(self)


class Load:
    """Keeps a fixed number of pairs under way, as seen from the clones."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._idle: list[MirrorConnection] = []
        self.sent = 0
        self.shadow_answers = 0
        self.running = True
        copies = [
            (
                f"GET /api/v1/neurons/{number}?verbose=1 HTTP/1.1\r\nhost: api.example.com\r\n"
                "user-agent: bench\r\naccept: application/json\r\naccept-encoding: gzip\r\n"
                f"x-request-id: {uuid.UUID(int=number)}\r\nx-forwarded-proto: https\r\n\r\n"
            ).encode()
            for number in range(_VARIANTS)
        ]
        self._copies = copies

    def free(self, connection: MirrorConnection) -> None:
        """Use an idle connection."""
        self._idle.append(connection)
        self._push()

    def answered(self) -> None:
        """Note that the shadow has answered one pair."""
        self.shadow_answers += 1
        self._push()

    def _push(self) -> None:
        while self.running and self._idle and self.sent - self.shadow_answers < self._window:
            transport = self._idle.pop().transport
            assert transport is not None
            transport.write(self._copies[self.sent % _VARIANTS])
            self.sent += 1


class BareFanOut:
    """Receive, two calls, nothing else; it has the receiver's intake interface."""

    def __init__(self, client: Client, addresses: list[Address]) -> None:
        self._client = client
        self._addresses = addresses[:2]
        self._tasks: set[asyncio.Task[None]] = set()
        self.pairs = 0

    def admit(
        self, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], connection: int
    ) -> Copy:
        """Pass everything on as it is."""
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        head = b"%b %b HTTP/1.1\r\n%b" % (method, target, lines)
        return Copy(method.decode(), target.decode(), head, "", 0, (), connection)

    def hold(self, copy: Copy, amount: int) -> bool:
        """Keep every body."""
        return True

    def lose(self, copy: Copy) -> None:
        """Forget nothing."""

    def take(self, copy: Copy, body: bytes) -> None:
        """Call both clones."""
        task = asyncio.get_running_loop().create_task(self._pair(copy.request(body)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pair(self, request: bytes) -> None:
        calls = [
            self._client.call(address, request, timeout=10, head_only=False, safe=True)
            for address in self._addresses
        ]
        results = [await call for call in calls]
        self._client.memory.give(sum(result.held for result in results))
        self.pairs += 1


async def _serve_bare(clones: list[Address], pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    bare = BareFanOut(Client(loop, Room(64 << 20)), clones)
    connections = Connections(bare, Counter())
    server = await loop.create_server(connections.accept, LOOPBACK, 0)
    settle_memory()
    pipe.send(server.sockets[0].getsockname()[:2])
    await loop.run_in_executor(None, pipe.recv)
    pipe.send((bare.pairs, None))


async def _serve_comparator(clones: list[Address], control: int, pipe: Connection) -> None:
    shadow, *references = clones

    async def find(target: Target) -> list[Address]:
        return [shadow] if target.host == "shadow" else references

    config = ComparatorConfig(
        version="1",
        epoch="e",
        resource="bench/bench",
        nonce="n",
        shadow=Target(host="shadow", port=1),
        reference=Target(host="reference", port=1),
        control_percent=control,
    )
    comparator = Comparator(config, Identity("bench", "bench", "e"), find=find)
    await comparator.start(host=LOOPBACK, copies_port=0, admin_port=0)
    settle_memory()
    pipe.send(comparator.copies_address)
    await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
    snapshot = comparator.snapshot()
    pipe.send((sum(route.pairs for route in snapshot.routes), snapshot))
    await comparator.stop()


def _child(core: int, kind: str, clones: list[Address], control: int, pipe: Connection) -> None:
    os.sched_setaffinity(0, {core})
    if kind == "bare":
        uvloop.run(_serve_bare(clones, pipe))
    else:
        uvloop.run(_serve_comparator(clones, control, pipe))


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement."""

    name: str
    pairs: int
    seconds: float
    cpu_seconds: float
    snapshot: ComparatorSnapshot | None

    @property
    def per_cpu_second(self) -> float:
        """Pairs per CPU second of the measured process."""
        return self.pairs / self.cpu_seconds


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process (proc(5))."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - not a path
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _measure(
    name: str, kind: str, *, varying: bool, control: int, core: int, options: argparse.Namespace
) -> Run:
    loop = asyncio.get_running_loop()
    load = Load(options.window)
    clones: list[Address] = []
    for number in range(3):
        made = answers(varying=varying, seed=100 * number)
        done = load.answered if number == 0 else lambda: None
        server = await loop.create_server(partial(CloneConnection, made, done), LOOPBACK, 0)
        clones.append(server.sockets[0].getsockname()[:2])
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_child, args=(core, kind, clones, control, theirs)
    )
    process.start()
    address: Address = await loop.run_in_executor(None, ours.recv)
    for _ in range(options.connections):
        await loop.create_connection(lambda: MirrorConnection(load), *address)
    await asyncio.sleep(options.warmup)
    assert process.pid is not None
    pairs, cpu, started = load.shadow_answers, cpu_seconds(process.pid), time.perf_counter()
    await asyncio.sleep(options.seconds)
    pairs = load.shadow_answers - pairs
    cpu = cpu_seconds(process.pid) - cpu
    seconds = time.perf_counter() - started
    load.running = False
    await asyncio.sleep(0.5)  # what is under way ends
    ours.send("stop")
    counted, snapshot = await loop.run_in_executor(None, ours.recv)
    await loop.run_in_executor(None, process.join)
    assert counted == load.sent, f"{load.sent} copies sent, {counted} pairs counted"
    return Run(name, pairs, seconds, cpu, snapshot)


RUNS: Final[tuple[tuple[str, str, bool, int], ...]] = (
    ("bare fan-out", "bare", True, 0),
    ("comparator, equal answers", "comparator", False, 0),
    ("comparator, time and id differ", "comparator", True, 0),
    ("comparator, they differ, 5 % control", "comparator", True, 5),
)


async def _all(options: argparse.Namespace) -> list[Run]:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    return [
        await _measure(name, kind, varying=varying, control=control, core=cores[0], options=options)
        for name, kind, varying, control in RUNS
    ]


def report(runs: list[Run]) -> str:
    """Return the table that is printed."""
    bare = runs[0]
    lines = [
        f"{'1 KB JSON answers':38} {'pairs/s':>8} {'us CPU/pair':>12} {'pairs/CPU s':>12} ratio"
    ]
    lines += [
        f"{run.name:38} {run.pairs / run.seconds:8.0f} {1e6 / run.per_cpu_second:12.0f}"
        f" {run.per_cpu_second:12.0f} {run.per_cpu_second / bare.per_cpu_second:5.2f}"
        for run in runs
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure, print, and fail where a comparator does less than what is required of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--warmup", type=float, default=2.0)
    parser.add_argument("--window", type=int, default=64, help="pairs under way")
    parser.add_argument("--connections", type=int, default=16, help="connections of the mirror")
    options = parser.parse_args()
    runs = uvloop.run(_all(options))
    print(report(runs))
    slowest = min(run.per_cpu_second for run in runs[1:])
    return 0 if slowest >= REQUIRED_PAIRS_PER_SECOND else 1


if __name__ == "__main__":
    raise SystemExit(main())
