"""Traffic for HAL9: a constant rate of a realistic mix, and requests that last.

`python3 -m hal9sim.traffic --url http://hal9-mirror:8080 --rate 50 --duration 60`

Nothing is sent a second time. A request that meets a connection which the server is closing is a
failure like any other: the client's own repetition of such requests is found and counted as
`resent`. Latency counts from the moment a request was due, so a server that stalls can't hide it.
"""

import argparse
import asyncio
import json
import math
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import aiohttp

from .mix import Mix, Request
from .network import Json


@dataclass
class Tally:
    """What was sent and how it ended; bounded, however long it runs."""

    requests: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    late: int = 0
    """Requests that began more than 100 ms after they were due: this client was too slow."""
    _latencies: Counter[int] = field(default_factory=Counter)

    GROWTH = 1.02
    """Latencies are kept in bins that are 2 % wide."""

    def add(self, name: str, failure: str | None, seconds: float | None = None) -> None:
        """Count one request, its failure if it failed, its latency if it was not meant to last."""
        self.requests[name] += 1
        if failure:
            self.failures[f"{name}: {failure}"] += 1
        if seconds is not None:
            self._latencies[math.ceil(math.log(max(seconds, 1e-6), self.GROWTH))] += 1

    def quantile_ms(self, share: float) -> float:
        """Return the latency in ms that this share of the requests stayed under, to 2 %."""
        rank, seen = share * self._latencies.total(), 0
        for bin_, number in sorted(self._latencies.items()):
            seen += number
            if seen >= rank:
                return round(1000 * self.GROWTH**bin_, 2)
        return 0.0

    def summary(self, seconds: float) -> Json:
        """Return the whole result as JSON."""
        return {
            "requests": self.requests.total(),
            "failures": self.failures.total(),
            "failures_by_kind": dict(self.failures.most_common(50)),
            "requests_by_name": dict(self.requests.most_common()),
            "late_starts": self.late,
            "seconds": round(seconds, 3),
            "per_second": round(self.requests.total() / seconds, 2),
            "p50_ms": self.quantile_ms(0.5),
            "p99_ms": self.quantile_ms(0.99),
        }


@dataclass(frozen=True)
class Plan:
    """What to send, for how long."""

    url: str
    rate: float = 50
    """Requests a second; 0: only those that last."""
    duration: float = 0
    """Seconds; 0: until SIGTERM."""
    connections: int = 16
    requests_per_connection: int = 50
    """On average, as ingresses do: a connection that is kept for ever never sees a change of a
    Service's pods."""
    timeout: float = 10
    held: int = 0
    """Requests held at the same time; each is followed by another until the time is over."""
    streams: int = 0
    websockets: int = 0
    held_seconds: float = 60
    seed: int = 1
    paths: tuple[str, ...] = ()
    """GET these instead of HAL9's mix."""


class Traffic:
    """One run of a plan."""

    def __init__(self, plan: Plan, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        self.tally = Tally()
        self._plan = plan
        self._session = session
        self._stop = stop
        self._mix = Mix(plan.seed, plan.paths)
        self._sent = 0
        self._asked = 0
        self._begin = time.monotonic()

    async def run(self) -> Json:
        """Send everything, let the last requests end, and return the summary."""
        plan, workers = self._plan, []
        for name, number, one in (
            ("held", plan.held, self._held),
            ("stream", plan.streams, self._stream),
            ("websocket", plan.websockets, self._websocket),
        ):
            workers += [self._repeat(name, one) for _ in range(number)]
        if plan.rate:
            workers += [self._work() for _ in range(plan.connections)]
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(worker)
        return self.tally.summary(time.monotonic() - self._begin)

    def progress(self) -> str:
        """Return one line on how it goes."""
        seconds = time.monotonic() - self._begin
        tally = self.tally
        kinds = "".join(f" [{kind}]={number}" for kind, number in tally.failures.most_common(3))
        return (
            f"t={seconds:.0f}s requests={tally.requests.total()} failures={tally.failures.total()} "
            f"rate={tally.requests.total() / seconds:.1f}/s "
            f"p50={tally.quantile_ms(0.5)}ms p99={tally.quantile_ms(0.99)}ms{kinds}"
        )

    def _over(self, moment: float) -> bool:
        duration = self._plan.duration
        return self._stop.is_set() or bool(duration and moment >= self._begin + duration)

    async def _work(self) -> None:
        """Send the requests that are due, one at a time: one worker keeps one connection busy."""
        while True:
            due = self._begin + self._sent / self._plan.rate
            self._sent += 1
            if await self._wait_until(due):
                return
            self.tally.late += time.monotonic() - due > 0.1
            request = self._mix.next()
            failure = await self._attempt(self._send(request), self._plan.timeout)
            self.tally.add(request.name, failure, time.monotonic() - due)

    async def _wait_until(self, due: float) -> bool:
        """Wait for a moment; say whether the run is over by then."""
        if self._over(due):
            return True
        try:
            async with asyncio.timeout(due - time.monotonic()):
                await self._stop.wait()
        except TimeoutError:
            return False
        return True

    async def _repeat(self, name: str, one: Callable[[], Coroutine[Any, Any, str | None]]) -> None:
        while not self._over(time.monotonic()):
            limit = self._plan.held_seconds + self._plan.timeout
            failure = await self._attempt(one(), limit)
            self.tally.add(name, failure)
            if failure:
                await asyncio.sleep(0.5)  # a dead server is not hammered

    @staticmethod
    async def _attempt(sending: Coroutine[Any, Any, str | None], limit: float) -> str | None:
        """Return the kind of failure, None if all was right. Never a value of an answer."""
        try:
            async with asyncio.timeout(limit):
                return await sending
        except TimeoutError:
            return "timeout"
        except (aiohttp.ClientError, OSError, ValueError, LookupError) as error:
            return type(error).__name__

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, body: Json | None = None
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, SimpleNamespace]]:
        trace = SimpleNamespace(attempts=0)
        self._asked += 1
        last = self._asked % self._plan.requests_per_connection == 0
        async with self._session.request(
            method,
            self._plan.url + path,
            json=body,
            headers={"X-Request-Id": str(uuid4()), **({"Connection": "close"} if last else {})},
            allow_redirects=False,
            trace_request_ctx=trace,
        ) as response:
            yield response, trace

    async def _send(self, request: Request) -> str | None:
        async with self._request(request.method, request.path, request.body) as (response, trace):
            content = await response.read()
            if trace.attempts > 1:
                return "resent"
            if response.status not in request.right:
                return f"status {response.status}"
            if request.name == "signal":
                self._mix.learned(json.loads(content)["signal_id"])
            return None

    async def _held(self) -> str | None:
        path = f"/api/v1/slow?seconds={self._plan.held_seconds:g}"
        return await self._send(Request("held", path))

    async def _stream(self) -> str | None:
        events = round(self._plan.held_seconds)
        path = f"/api/v1/stream?events={events}&interval=1"
        async with self._request("GET", path) as (response, trace):
            if trace.attempts > 1 or response.status != 200:
                return "resent" if trace.attempts > 1 else f"status {response.status}"
            numbers = [line async for line in response.content if line.startswith(b"id: ")]
        whole = numbers == [f"id: {number}\n".encode() for number in range(events)]
        return None if whole else "events missing"

    async def _websocket(self) -> str | None:
        """Talk on a connection of its own: an upgrade on a kept one could be sent twice unseen."""
        end = time.monotonic() + self._plan.held_seconds
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(self._plan.url + "/api/v1/ws") as socket,
        ):
            while time.monotonic() < end:
                sent = str(uuid4())
                await socket.send_str(sent)
                message = await socket.receive(self._plan.timeout)
                if message.data != sent:
                    closed = message.type is not aiohttp.WSMsgType.TEXT
                    return "closed early" if closed else "wrong echo"
                await asyncio.sleep(min(1, max(0, end - time.monotonic())))
        return None


async def run(
    plan: Plan, stop: asyncio.Event, report: Callable[[str], None] = print, every: float = 10
) -> Json:
    """Run a plan, with a line to `report` every so many seconds; return the summary."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, trace_configs=[_count_attempts()]
    ) as session:
        traffic = Traffic(plan, session, stop)

        async def progress() -> None:
            while True:
                await asyncio.sleep(every)
                report(traffic.progress())

        reporter = asyncio.create_task(progress())
        try:
            return await traffic.run()
        finally:
            reporter.cancel()


def _count_attempts() -> aiohttp.TraceConfig:
    """Count the connections that a request took: a second one means that it was sent again."""

    async def attempt(_session: Any, context: SimpleNamespace, _params: Any) -> None:
        if context.trace_request_ctx is not None:
            context.trace_request_ctx.attempts += 1

    config = aiohttp.TraceConfig()
    config.on_connection_create_end.append(attempt)
    config.on_connection_reuseconn.append(attempt)
    return config


async def wait_for(url: str, seconds: float) -> bool:
    """Wait until the URL answers 200; say whether it did in time."""
    end = time.monotonic() + seconds
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while time.monotonic() < end:
            try:
                async with session.get(url) as response:
                    if response.status == 200:
                        return True
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass
            await asyncio.sleep(0.5)
    return False


def main(argv: Sequence[str] | None = None) -> int:
    """Send traffic; exit status 0 if every request was answered right, 1 if one was not."""
    args = _parser().parse_args(argv)
    plan = Plan(
        url=args.url.rstrip("/"),
        rate=args.rate,
        duration=args.duration,
        connections=args.connections,
        timeout=args.timeout,
        held=args.held,
        streams=args.streams,
        websockets=args.websockets,
        held_seconds=args.held_seconds,
        seed=args.seed,
        paths=tuple(args.get),
    )
    return asyncio.run(_main(plan, args.progress, args.wait, args.wait_path))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hal9sim.traffic",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--url", required=True, help="where to send to, such as http://hal9-mirror:8080")
    add("--rate", type=float, default=50, help="requests a second; 0: only those that last (50)")
    add("--duration", type=float, default=0, help="seconds; 0: until SIGTERM (0)")
    add("--connections", type=int, default=16, help="requests at the same time, at most (16)")
    add("--timeout", type=float, default=10, help="seconds for one request (10)")
    add("--held", type=int, default=0, help="also keep so many requests held (0)")
    add("--streams", type=int, default=0, help="also keep so many event streams open (0)")
    add("--websockets", type=int, default=0, help="also keep so many WebSockets open (0)")
    add("--held-seconds", type=float, default=60, help="how long each of these lasts (60)")
    add("--seed", type=int, default=1, help="another seed, another sequence (1)")
    add("--get", metavar="PATH", action="append", default=[], help="GET this, not HAL9's mix")
    add("--progress", type=float, default=10, help="seconds between progress lines (10)")
    add("--wait", type=float, default=0, help="first wait so long for an answer (0)")
    add("--wait-path", default="/health", help="to a GET of this path (/health)")
    return parser


async def _main(plan: Plan, every: float, wait: float, wait_path: str) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if wait and not await wait_for(plan.url + wait_path, wait):
        print(f"no answer from {plan.url}{wait_path} in {wait:g} s", file=sys.stderr)
        return 1
    summary = await run(plan, stop, lambda line: print(line, flush=True), every)
    print(json.dumps(summary), flush=True)
    return 1 if summary["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
