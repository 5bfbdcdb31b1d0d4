"""Sends annotations off the reconcile's path: it waits for none, and fails with none."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeAlias

import structlog

from shadow_operator.adapters.grafana import Grafana, GrafanaError
from shadow_operator.api.reasons import EventReason
from shadow_operator.core.actions import Annotation, Event
from shadow_operator.core.snapshot import Manifest

WAITING: Final = 100
"""Annotations that may wait at once, of all resources; one more is given up."""
PAUSES_SECONDS: Final = (1.0, 5.0)
"""Before the second and the third attempt; there is no fourth."""
EVENT_SECONDS: Final = 600.0
"""A resource is told at most this often that its annotations fail."""

Tell: TypeAlias = Callable[[Manifest, Event], Awaitable[None]]
"""Posts an event about a resource."""

_log = structlog.get_logger(__name__)


class Annotator:
    """Takes annotations at once and sends them one after the other; start it with `run`."""

    def __init__(
        self,
        grafana: Grafana,
        tell: Tell,
        *,
        clock: Callable[[], float] = time.monotonic,
        pauses: tuple[float, ...] = PAUSES_SECONDS,
    ) -> None:
        self._grafana = grafana
        self._tell = tell
        self._clock = clock
        self._pauses = pauses
        self._waiting: asyncio.Queue[tuple[Manifest, Annotation]] = asyncio.Queue(WAITING)
        self._told: dict[str, float] = {}
        """Uid of a resource -> when it was last told of a failure."""

    def take(self, resource: Manifest, annotations: Iterable[Annotation]) -> None:
        """Put them in line; never waits. What finds no room is given up, and logged."""
        for annotation in annotations:
            try:
                self._waiting.put_nowait((_identity(resource), annotation))
            except asyncio.QueueFull:
                _log.warning("annotation given up", mark=annotation.mark, why="too many wait")

    async def run(self) -> None:
        """Send what is in line, until cancelled."""
        while True:
            resource, annotation = await self._waiting.get()
            try:
                await self._send(resource, annotation)
            except Exception as error:  # noqa: BLE001  # the next one may fare better
                _log.error("annotation failed", why=type(error).__name__, exc_info=True)
            finally:
                self._waiting.task_done()

    async def sent(self) -> None:
        """Wait until nothing is in line."""
        await self._waiting.join()

    async def _send(self, resource: Manifest, annotation: Annotation) -> None:
        namespace, name = resource["metadata"]["namespace"], resource["metadata"]["name"]
        for pause in (*self._pauses, None):
            try:
                return await self._grafana.annotate(namespace, name, annotation)
            except GrafanaError as error:
                if pause is None or not error.passing:
                    return await self._failed(resource, annotation, str(error))
                await asyncio.sleep(pause)
        return None

    async def _failed(self, resource: Manifest, annotation: Annotation, why: str) -> None:
        uid, now = resource["metadata"]["uid"], self._clock()
        _log.warning("annotation failed", mark=annotation.mark, why=why)
        self._told = {u: at for u, at in self._told.items() if now - at < EVENT_SECONDS}
        if uid in self._told:
            return
        self._told[uid] = now
        message = f"Grafana has no mark {annotation.mark}: {why}. Nothing else is changed by that."
        await self._tell(resource, Event(EventReason.ANNOTATION_FAILED, message, warning=True))


def _identity(resource: Manifest) -> Manifest:
    """Keep what an event needs: the rest is large, and would be old by then."""
    metadata = resource["metadata"]
    return {"metadata": {key: metadata[key] for key in ("name", "namespace", "uid")}}
