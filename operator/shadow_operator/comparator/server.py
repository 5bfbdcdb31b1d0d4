"""The comparator's process: two ports, a configuration file, and a graceful end."""

import asyncio
import gc
import logging
import os
import signal
import socket
import time
import traceback
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop
from aiohttp import web
from pydantic import ValidationError

from shadow_operator.api.evidence import ComparatorConfig, ComparatorSnapshot, Mismatches
from shadow_operator.api.presets import PRESETS, Preset
from shadow_operator.comparator import admin, export, metrics
from shadow_operator.comparator.client import Address, Client
from shadow_operator.comparator.clones import Clones, Resolve, resolve
from shadow_operator.comparator.config import ConfigFile, places
from shadow_operator.comparator.copy import Policy
from shadow_operator.comparator.counts import Counts
from shadow_operator.comparator.pairs import MAX_BYTES, Pairs
from shadow_operator.comparator.receive import Connections
from shadow_operator.comparator.room import Room

COPIES_PORT: Final = 8080
ADMIN_PORT: Final = 9090

LINGER_SECONDS: Final = 3.0
"""After SIGTERM copies are still taken for so long, until the endpoints have changed."""
END_SECONDS: Final = 25.0
"""After SIGTERM the process ends at the latest after so long: a pod's grace period is 30 s."""
READ_SECONDS: Final = 8.0
"""Of these, what is kept for the operator to read the final snapshot."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Identity:
    """Which process this is."""

    pod_name: str
    pod_uid: str
    epoch: str

    @classmethod
    def from_environment(cls) -> "Identity":
        """Read POD_NAME, POD_UID and EPOCH, which the pod template sets."""
        return cls(
            pod_name=os.environ.get("POD_NAME", socket.gethostname()),
            pod_uid=os.environ.get("POD_UID", ""),
            epoch=os.environ.get("EPOCH", ""),
        )


class Comparator:
    """One comparator, from its first listener to its last snapshot."""

    def __init__(
        self, config: ComparatorConfig, identity: Identity, *, find: Resolve = resolve
    ) -> None:
        loop = asyncio.get_running_loop()
        self.identity = identity
        self.boot_id = uuid.uuid4().hex
        self.started = time.time()
        self.counts = Counts(config.routes)
        self._shadows = Clones(config.shadow, find)
        self._references = Clones(config.reference, find)
        self._client = Client(loop, Room(MAX_BYTES), self._refused)
        self.pairs = Pairs(
            Policy(config),
            self.counts,
            self._client,
            self._shadows,
            self._references,
            clock=time.time,
        )
        self._loop = loop
        self._connections = Connections(self.pairs, self.counts.refused)
        self._server: asyncio.Server | None = None
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._scraped = asyncio.Event()
        self.ready = False
        self.config_valid = True
        self.copies_address: Address = ("", 0)
        self.admin_address: Address = ("", 0)
        self._limit(config)

    def _refused(self) -> None:
        self._shadows.refresh_soon()
        self._references.refresh_soon()

    # -- configuration

    def apply(self, config: ComparatorConfig) -> None:
        """Put a new configuration in force; pairs under way end under the old one."""
        self.pairs.policy = Policy(config)
        self.counts.routes.declare(config.routes)
        self._limit(config)
        self._shadows.retarget(config.shadow)
        self._references.retarget(config.reference)

    def _limit(self, config: ComparatorConfig) -> None:
        self._client.limit_bodies(config.max_body_bytes)
        self._connections.max_age = config.connection_seconds

    def mark_config(self, valid: bool) -> None:
        """Note whether the mounted file is the configuration in force."""
        self.config_valid = valid

    # -- what the admin port shows

    @property
    def in_flight(self) -> int:
        """Pairs under way."""
        return self.pairs.in_flight

    @property
    def shadow_pods(self) -> int:
        """Shadow addresses in use."""
        return len(self._shadows.addresses)

    @property
    def reference_pods(self) -> int:
        """Reference addresses in use."""
        return len(self._references.addresses)

    @property
    def preset(self) -> Preset | None:
        """Whose names the shadow's metrics have besides our own."""
        return PRESETS[self.pairs.policy.config.preset]

    def samples(self, limit: int) -> Mismatches:
        """Give the latest pairs that differed."""
        return export.mismatches(self.counts, limit)

    def shadow_addresses(self) -> Sequence[Address]:
        """Where the shadow is now."""
        return self._shadows.addresses

    def snapshot(self) -> ComparatorSnapshot:
        """Everything measured so far."""
        counts = self.counts
        return ComparatorSnapshot(
            pod_uid=self.identity.pod_uid,
            boot_id=self.boot_id,
            epoch=self.identity.epoch,
            config_version=self.pairs.policy.config.version,
            started_time=self.started,
            time=time.time(),
            received=counts.received,
            eligible=counts.eligible,
            skipped=dict(counts.skipped),
            shed=dict(counts.shed),
            in_flight=self.in_flight,
            credentials=dict(counts.credentials),
            shadow_pods=self.shadow_pods,
            reference_pods=self.reference_pods,
            routes=export.routes(counts),
        )

    def mark_scraped(self) -> None:
        """Note that the operator has read the snapshot."""
        self.pairs.fed = self._loop.time()
        self._scraped.set()

    # -- life

    async def start(
        self,
        *,
        host: str = "0.0.0.0",  # noqa: S104 - a pod listens on all its addresses
        copies_port: int = COPIES_PORT,
        admin_port: int = ADMIN_PORT,
    ) -> None:
        """Open both ports; 0 takes a free one. Readiness follows the first look-up."""
        await asyncio.gather(self._shadows.refresh(), self._references.refresh())
        self._tasks = [
            self._loop.create_task(clones.follow(self._moved))
            for clones in (self._shadows, self._references)
        ]
        self._tasks.append(self._loop.create_task(self._connections.watch()))
        self._runner = web.AppRunner(
            admin.application(self, metrics.registry(self)),
            access_log=None,
            shutdown_timeout=1.0,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, admin_port)
        await site.start()
        self._server = await self._loop.create_server(self._connections.accept, host, copies_port)
        self.copies_address = self._server.sockets[0].getsockname()[:2]
        self.admin_address = self._runner.addresses[0][:2]
        self.ready = True

    def _moved(self) -> None:
        self._client.retain({*self._shadows.addresses, *self._references.addresses})

    async def drain(self, *, linger: float = LINGER_SECONDS, end: float = END_SECONDS) -> bool:
        """End gracefully; return whether the operator has read the final snapshot.

        Readiness fails, copies are taken for `linger` seconds more, pairs under way end, and the
        snapshot is served until it was read, all within `end` seconds. Pairs that take so long
        that there would be no time to read the snapshot are given up and counted.
        """
        last = self._loop.time() + end
        self.ready = False
        await asyncio.sleep(min(linger, end))
        self.pairs.draining = True
        pairs_end = last - min(READ_SECONDS, end / 3)
        await self.pairs.drained(max(0.0, pairs_end - self._loop.time()))
        self._scraped.clear()
        try:
            async with asyncio.timeout_at(last):
                await self._scraped.wait()
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """Close everything at once."""
        self.ready = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        self._connections.close()
        await self._client.close()
        if self._runner is not None:
            await self._runner.cleanup()


def _log_defect(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an unhandled exception without its message, which could hold a value."""
    error = context.get("exception")
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    log.error(
        "defect",
        error=type(error).__name__,
        at=[f"{frame.name}:{frame.lineno}" for frame in frames[-3:]],
    )


def settle_memory() -> None:
    """Leave what start-up made out of garbage collection, and collect less often.

    Answers are trees of fresh objects that reference counting frees; looking for cycles among
    them, and among everything imported, costs a tenth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


async def _main(file: ConfigFile, config: ComparatorConfig, ports: tuple[int, int]) -> None:
    identity = Identity.from_environment()
    comparator = Comparator(config, identity)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_defect)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await comparator.start(copies_port=ports[0], admin_port=ports[1])

    settle_memory()
    follower = asyncio.create_task(file.follow(comparator.apply, comparator.mark_config))
    log.info(
        "comparing",
        resource=config.resource,
        pod=identity.pod_name,
        version=config.version,
        boot=comparator.boot_id,
        copies_port=comparator.copies_address[1],
        admin_port=comparator.admin_address[1],
    )
    await stopped.wait()
    log.info("draining", in_flight=comparator.in_flight)
    read = await comparator.drain()
    follower.cancel()
    await comparator.stop()
    log.info("ended", final_snapshot_read=read)


def _refuse(why: str, details: list[str]) -> None:
    log.error("configuration refused", why=why, details=details)


def run(config_path: Path, *, copies_port: int = COPIES_PORT, admin_port: int = ADMIN_PORT) -> int:
    """Run until SIGTERM; return the exit status: 2 where the configuration can't be used."""
    # A request that aiohttp can't parse is logged with its content: not from here.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    file = ConfigFile(config_path)
    try:
        config = file.load()
    except OSError as error:
        _refuse("can't be read", [error.strerror or type(error).__name__])
        return 2
    except ValidationError as error:
        _refuse("is not valid", places(error))
        return 2
    uvloop.run(_main(file, config, (copies_port, admin_port)))
    return 0
