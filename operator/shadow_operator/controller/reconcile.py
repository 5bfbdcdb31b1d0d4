"""gather -> plan -> apply -> status."""

import asyncio
import time
from typing import Final

import structlog

from shadow_operator.adapters.kubernetes import ApiError
from shadow_operator.controller.execute import Annotate, execute
from shadow_operator.controller.gather import Sources, gather
from shadow_operator.controller.workers import Key
from shadow_operator.core.plan import plan

_log = structlog.get_logger(__name__)

_CONFLICT_SECONDS: Final = 1.0
"""Somebody changed an object between reading and writing: read everything again."""


class Reconciler:
    """Reconciles any resource; holds clients, no state of a resource."""

    def __init__(self, sources: Sources, annotate: Annotate | None = None) -> None:
        self._sources = sources
        self._annotate = annotate
        self.last_finished: float | None = None
        """Monotonic time of the last reconcile that came to its end."""

    async def __call__(self, key: Key) -> float | None:
        """Reconcile once; answer in how many seconds to look again, None when it is gone."""
        snapshot = await gather(self._sources, key, time.time())
        if snapshot is None:
            return None
        now = time.time()
        decided = await asyncio.to_thread(plan, snapshot, now)
        try:
            api, http = self._sources.api, self._sources.http
            await execute(api, http, snapshot, decided, now, annotate=self._annotate)
        except ApiError as error:
            if not error.conflict:
                raise
            _log.info("read again", namespace=key[0], name=key[1], why=str(error))
            return _CONFLICT_SECONDS
        self.last_finished = time.monotonic()
        return decided.requeue_after
