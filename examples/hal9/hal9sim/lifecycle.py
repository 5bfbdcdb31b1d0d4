"""From the first listening port to a shutdown that loses no request."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

from aiohttp import web

from .faults import Fault
from .server import Hal9
from .settings import Settings

LOG = logging.getLogger("hal9")

IDLE_SECONDS = 3700
"""How long an idle connection stays open: longer than a proxy's usual hour, so that the client's
side closes first and no request meets a connection that is being closed."""

LEAK_SECONDS = 0.25
"""The fault `leak` keeps some more memory so often."""


async def serve(
    settings: Settings,
    stop: asyncio.Event,
    started: Callable[[int, int], None] = lambda _api, _metrics: None,
) -> None:
    """Serve until `stop` is set, then drain, let begun requests end, and return.

    `started` is told the real ports, which matters where the settings say 0 (any free port).
    """
    hal9 = Hal9(settings)
    api, metrics = (
        web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=IDLE_SECONDS,
            shutdown_timeout=1,
        )
        for app in (hal9.app(), hal9.metrics_app())
    )
    leak = asyncio.create_task(_leak(settings.fault("leak")))
    try:
        for runner, port in ((api, settings.api_port), (metrics, settings.metrics_port)):
            await runner.setup()
            await web.TCPSite(runner, "0.0.0.0", port).start()
        if settings.learning:
            LOG.info("Learning enabled")
        LOG.info("serving system=%s layers=%s", settings.system, ",".join(settings.layers))
        started(_port(api), _port(metrics))
        await stop.wait()
        await _drain(hal9, api)
    finally:
        leak.cancel()
        await api.cleanup()
        await metrics.cleanup()
    LOG.info("stopped")


async def _drain(hal9: Hal9, api: web.AppRunner) -> None:
    """Wait until the cluster sends nothing new, then until all that has begun has ended.

    The runner's own shutdown comes after: it hears nothing more on open connections, so it would
    cut a WebSocket short.
    """
    hal9.draining = True
    LOG.info("draining for %g s", hal9.settings.drain_seconds)
    await asyncio.sleep(hal9.settings.drain_seconds)
    for site in api.sites:
        await site.stop()
    with suppress(TimeoutError):
        async with asyncio.timeout(hal9.settings.shutdown_seconds):
            await hal9.idle.wait()


async def _leak(fault: Fault | None) -> None:
    kept: list[bytes] = []
    for _step in count():
        await asyncio.sleep(LEAK_SECONDS)
        if fault:
            # Written bytes: zero pages would cost no memory.
            leaked = fault.number("mb-per-minute") * 1_000_000 / 60 * LEAK_SECONDS
            kept.append(b"\xaa" * int(leaked))


def _port(runner: web.AppRunner) -> int:
    address: Any = runner.addresses[0]
    return int(address[1])
