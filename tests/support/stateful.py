"""Clients of a service that remembers, one production, and what two comparators and the judge see.

Each client posts a signal, and reads it half a second after production has answered. The copy of
the one request goes to the one comparator, that of the other to the other: no connection joins
them, as with a mirror of two Envoys.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from shadow_operator.core.comparing import mix
from shadow_operator.core.judging.judgement import Judgement, Subject, advance, begin, hints, judge
from shadow_operator.core.judging.judgement import settle as settled
from shadow_operator.core.numbers.envoy_bins import bin_of
from shadow_operator.core.recording.collect import Pods
from shadow_operator.core.snapshot import Found, MirrorReading
from tests.support import readings
from tests.support.catalogue import processes
from tests.support.catalogue.cases import PATIENT_SECONDS, copy
from tests.support.catalogue.processes import Comparing, Pod

POST: Final = "/api/v1/signal"
READ: Final = "/api/v1/signal/{id}"
EPOCH: Final = "stateful"
TICK: Final = 0.05
"""Seconds between two groups of clients."""
CLIENTS: Final = 5
"""Of a group: with a POST and a GET each they make 200 requests a second."""
LATER: Final = 10
"""Groups between a client's write and its read."""
LOOKS_EVERY: Final = 10
"""Groups between two looks of the operator."""
OLD: Final = 2_000
"""Signals that only production may know, from before the first copy."""

SPEC: Final = readings.spec(
    mirror={"methods": ["GET", "HEAD", "POST"]},
    comparison={"routes": [POST, READ], "timeoutSeconds": PATIENT_SECONDS},
    soakSeconds=5,
    # All processes share one machine: how fast they answer says nothing.
    gates={
        "latencyP50": {"mode": "Advisory"},
        "latencyP99": {"mode": "Advisory"},
        "productionImpact": {"mode": "Advisory"},
    },
)


@dataclass
class Envoy:
    """What an Envoy would have counted of production's answers."""

    answers: dict[str, Counter[str]] = field(default_factory=dict)
    latency: Counter[int] = field(default_factory=Counter)

    def add(self, template: str, status: int, seconds: float) -> None:
        """Count one."""
        for key in (mix.ALL, mix.key(template)):
            self.answers.setdefault(key, Counter())[mix.group(status)] += 1
        self.latency[bin_of(1000 * seconds)] += 1

    def reading(self) -> MirrorReading:
        """Give its counters as the operator reads them."""
        total = sum(self.answers.get(mix.ALL, Counter()).values())
        return MirrorReading(
            pod="hal9-mirror-a",
            boot="mirror",
            requests=total,
            eligible=total,
            copies=total,
            copies_failed=0,
            active=0,
            percent=100,
            statuses={key: dict(counts) for key, counts in self.answers.items()},
            answered=total,
            latency=dict(self.latency),
        )


@dataclass
class Run:
    """Production, its clones, two comparators, and what the operator knows of them."""

    production: Pod
    comparators: list[Comparing]
    http: httpx.AsyncClient
    envoy: Envoy = field(default_factory=Envoy)
    judged: Judgement | None = None
    sent: int = 0
    """Requests of clients while copies are made."""

    def __post_init__(self) -> None:
        """Begin the evidence."""
        self.ledger = begin(EPOCH, now=time.time(), interval=TICK * LOOKS_EVERY)

    async def ask(self, method: str, path: str, body: object = None) -> None:
        """Ask production as a client does."""
        started = time.monotonic()
        answer = await self.http.request(method, self.production.url + path, json=body)
        template = POST if path == POST else READ
        self.envoy.add(template, answer.status_code, time.monotonic() - started)

    async def remember(self, count: int) -> None:
        """Let production learn signals of which no copy is made."""
        for number in range(count):
            url = self.production.url + POST
            answer = await self.http.post(url, json=signal(f"old-{number}"))
            assert answer.status_code == 201

    async def write(self, group: int) -> None:
        """Let each client of a group post its signal."""
        posts = [("POST", POST, signal(name)) for name in _names("new", group)]
        await self._all(self.comparators[group % 2], posts)

    async def read(self, group: int, *, old: bool) -> None:
        """Let each client of a group read what it posted, or an `old` signal."""
        names = _names("old" if old else "new", group)
        turn = group % CLIENTS  # pods take turns: each of them is asked for what any other was told
        reads = [("GET", f"{POST}/{name}", None) for name in names[turn:] + names[:turn]]
        await self._all(self.comparators[1 - group % 2], reads)

    async def _all(self, comparing: Comparing, asked: Sequence[tuple[str, str, object]]) -> None:
        """Ask production, and copy: a mirror copies a request when it sends it on."""
        self.sent += len(asked)
        copies = [(line, [copy(*one)]) for line, one in enumerate(asked)]
        clients = [self.ask(*one) for one in asked]
        await asyncio.gather(comparing.send(copies), *clients)

    async def look(self) -> Judgement:
        """Read and judge as the operator does."""
        snapshots = {one.name: Found(await one.snapshot()) for one in self.comparators}
        after = advance(
            self.ledger,
            snapshots,
            {"hal9-mirror-a": Found(self.envoy.reading())},
            now=time.time(),
            mirroring=True,
            healthy=True,
            interval=TICK * LOOKS_EVERY,
            percent=100,
            pods=Pods(production=1, shadow=2),
            spec=SPEC,
        )
        subject = Subject("hal9", "hal9", "sha256:new", "sha256:old")
        self.judged = judge(SPEC, after, subject, now=time.time())
        self.ledger = settled(SPEC, after, self.judged, now=time.time())
        for one in self.comparators:
            one.configure(hints=hints(SPEC, self.ledger))
        return self.judged

    async def play(self, groups: int, *, old: bool = False) -> Judgement:
        """Send so many groups at their pace, look now and then, and once all is compared."""
        await self.look()  # what was counted before is no part of it
        due = time.monotonic()
        for group in range(groups):
            await self.write(group)
            if group >= LATER:
                await self.read(group - LATER, old=old)
            if group % LOOKS_EVERY == 0:
                await self.look()
            due += TICK
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        for one in self.comparators:
            await one.settled()
        return await self.look()


def _names(kind: str, group: int) -> list[str]:
    """Name the signals of a group: of each client one."""
    return [f"{kind}-{number % OLD}" for number in range(group * CLIENTS, (group + 1) * CLIENTS)]


def signal(name: str) -> dict[str, object]:
    """Give a signal of which the client chooses the name, as all clones must know it by one."""
    return {"id": name, "content": f"what is called {name}", "source": "client"}


async def play(folder: Path, *, groups: int, old: bool = False) -> Judgement:
    """Play so many groups against a version that changes nothing; `old`: read what was before."""
    env = processes.at_once(folder)
    names = ("shadow-1", "shadow-2", "reference-1", "reference-2", "server-1")
    async with AsyncExitStack() as stack:
        started = processes.pods([env | {"HOSTNAME": f"hal9-{name}"} for name in names], first=11)
        *clones, production = await stack.enter_async_context(started)
        roles = {"shadow": clones[:2], "reference": clones[2:]}
        comparators = [
            await stack.enter_async_context(
                processes.comparator(
                    processes.config(name, EPOCH, (POST, READ), PATIENT_SECONDS), folder, roles
                )
            )
            for name in ("one", "other")
        ]
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=PATIENT_SECONDS))
        played = Run(production, comparators, http)
        if old:
            await played.remember(OLD)
        return await played.play(groups, old=old)
