"""One task per resource, so that a resource is reconciled in one place and never twice at once."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import structlog

from shadow_operator.adapters.kubernetes import ApiError

Key: TypeAlias = tuple[str, str]
"""Namespace and name."""

Reconcile: TypeAlias = Callable[[Key], Awaitable[float | None]]
"""Reconciles one resource; answers in how many seconds to look again, None when it is gone."""

_log = structlog.get_logger(__name__)

_SETTLE_SECONDS: Final = 0.2
"""Events come in bursts (an apply makes several); one reconcile serves them all."""

_FIRST_RETRY_SECONDS: Final = 2.0
_LAST_RETRY_SECONDS: Final = 120.0


class Workers:
    """Wakes the worker of a resource on events, and by itself when its time has come.

    A failure of one resource is logged and retried with backoff; it never slows another, beyond
    the `limit` of reconciles that run at the same time.
    """

    def __init__(self, reconcile: Reconcile, *, limit: int = 16) -> None:
        self._reconcile = reconcile
        self._slots = asyncio.Semaphore(limit)
        self._wakers: dict[Key, asyncio.Event] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}

    def __contains__(self, key: Key) -> bool:
        """Whether this resource has a worker."""
        return key in self._tasks

    def ensure(self, key: Key) -> None:
        """Give the resource a worker, or wake the one it has."""
        if key in self._tasks:
            self._wakers[key].set()
            return
        self._wakers[key] = asyncio.Event()
        self._tasks[key] = asyncio.create_task(self._run(key), name=f"reconcile {'/'.join(key)}")

    def wake(self, key: Key) -> None:
        """Wake the worker of this resource, if it has one."""
        if key in self._wakers:
            self._wakers[key].set()

    def wake_namespace(self, namespace: str) -> None:
        """Wake all workers of a namespace."""
        for key, waker in self._wakers.items():
            if key[0] == namespace:
                waker.set()

    async def close(self) -> None:
        """Stop all workers; what they had begun is found again at the next start."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: Key) -> None:
        waker, retry = self._wakers[key], _FIRST_RETRY_SECONDS
        try:
            while True:
                waker.clear()
                try:
                    async with self._slots:
                        delay = await self._reconcile(key)
                except Exception as error:  # noqa: BLE001  # it must not stop its worker
                    _log.error(
                        "reconcile failed",
                        namespace=key[0],
                        name=key[1],
                        why=str(error),
                        exc_info=not isinstance(error, ApiError),  # its sentence says all
                    )
                    delay, retry = retry, min(retry * 2, _LAST_RETRY_SECONDS)
                else:
                    retry = _FIRST_RETRY_SECONDS
                if delay is None:
                    if not waker.is_set():
                        return
                    continue  # gone, but woken since: another of the same name may be there
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(waker.wait(), timeout=delay)
                    await asyncio.sleep(_SETTLE_SECONDS)
        finally:
            del self._tasks[key], self._wakers[key]
