"""Where the clones are: addresses of a headless Service, looked up again and again."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from shadow_operator.api.evidence import Target
from shadow_operator.comparator.client import Address

REFRESH_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 0.5
"""Shortest time between two look-ups, also when connections are refused."""
KEEP_SECONDS: Final = 60.0
"""So long the last addresses are used while the name server itself does not answer."""

Resolve = Callable[[Target], Awaitable[list[Address]]]


async def resolve(target: Target) -> list[Address]:
    """Look up a target's addresses.

    Raises:
        OSError: the name server did not answer. A name without addresses is an empty list.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}:
            return []
        raise
    return sorted({(str(address[0]), target.port) for *_, address in found})


class Clones:
    """The pods of one role, as addresses."""

    def __init__(self, target: Target | None, find: Resolve = resolve) -> None:
        self._target = target
        self._find = find
        self._wake = asyncio.Event()
        self._answered = 0.0
        self._next = 0
        self._next_other = 0
        self.addresses: Sequence[Address] = ()

    def retarget(self, target: Target | None) -> None:
        """Look somewhere else from now on."""
        if target != self._target:
            self._target = target
            self.addresses = ()
            self.refresh_soon()

    def refresh_soon(self) -> None:
        """Look up again before the next regular time."""
        self._wake.set()

    async def refresh(self) -> None:
        """Look up now."""
        loop = asyncio.get_running_loop()
        target = self._target
        if target is None:
            self.addresses = ()
            return
        try:
            found = await self._find(target)
        except OSError:
            if loop.time() - self._answered > KEEP_SECONDS:
                self.addresses = ()
            return
        if target is self._target:
            self._answered = loop.time()
            self.addresses = found

    async def follow(self, changed: Callable[[], None]) -> None:
        """Look up for ever, and say when it was done."""
        while True:
            self._wake.clear()
            await self.refresh()
            changed()
            await asyncio.sleep(RETRY_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), REFRESH_SECONDS - RETRY_SECONDS)

    def choose(self, session: int) -> Address | None:
        """Return a session's pod; without a session (0) the pods take turns."""
        addresses = self.addresses
        if not addresses:
            return None
        if session:
            return addresses[session % len(addresses)]
        self._next += 1
        return addresses[self._next % len(addresses)]

    def another(self, than: Address) -> Address | None:
        """Return a different pod; they take turns of their own, whoever was chosen."""
        others = [address for address in self.addresses if address != than]
        if not others:
            return None
        self._next_other += 1
        return others[self._next_other % len(others)]
