"""The data port: read copies, answer the mirror at once, hand them on."""

import asyncio
from collections import Counter
from enum import StrEnum
from typing import Final, Protocol, cast

import httptools

from shadow_operator.comparator.copy import Copy

MAX_HEAD: Final = 256 << 10
"""Bytes of a request's line and headers; more closes the connection."""
MAX_CONNECTIONS: Final = 4_096
MESSAGE_SECONDS: Final = 10.0
"""A copy has to be complete so long after its first byte; mirrors give up earlier (Envoy: 5 s)."""
IDLE_SECONDS: Final = 120.0
"""A connection without a copy is closed after so long; Envoy closes its own after 30 s."""
CHECK_SECONDS: Final = 1.0
"""How often connections are looked at."""

_ANSWER: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_ANSWER_AND_CLOSE: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_BAD: Final = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_LATE: Final = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Refusal(StrEnum):
    """Why a connection was closed without an answer that a copy gets."""

    TOO_MANY = "TooManyConnections"
    NOT_HTTP = "NotHTTP"
    """Or a request line and headers that are too large."""
    TOO_SLOW = "TooSlow"


class Intake(Protocol):
    """What takes copies; none of its methods waits."""

    def admit(
        self, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], connection: int
    ) -> Copy | None:
        """Count an arriving copy, and return it if its body is wanted."""

    def hold(self, copy: Copy, amount: int) -> bool:
        """Take memory for a part of its body; False: it is dropped and was counted."""

    def take(self, copy: Copy, body: bytes) -> None:
        """Take the complete copy."""

    def lose(self, copy: Copy) -> None:
        """Forget a copy whose connection broke before it was complete."""


class Connections:
    """All connections of mirrors: their number, their deadlines, and what was refused."""

    def __init__(self, intake: Intake, refused: Counter[str]) -> None:
        self.intake = intake
        self.refused = refused
        self.open: set[CopyConnection] = set()
        self.max_age: float | None = None
        """Seconds after which a connection ends with the next answer; None: never."""
        self.time = asyncio.get_running_loop().time
        self._accepted = 0

    def accept(self) -> "CopyConnection":
        """Make the protocol of a new connection."""
        self._accepted += 1
        return CopyConnection(self, self._accepted)

    async def watch(self) -> None:
        """Hold connections to their deadlines, for ever."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self.check(self.time())

    def check(self, now: float) -> None:
        """End the connections that are late at this moment of the loop's clock."""
        idle = IDLE_SECONDS if self.max_age is None else min(IDLE_SECONDS, self.max_age)
        for connection in list(self.open):
            connection.check(now, idle)

    def close(self) -> None:
        """Close all."""
        for connection in list(self.open):
            connection.close()


class CopyConnection(asyncio.Protocol):
    """One connection of a mirror.

    Every request is answered with an empty 200 as soon as its body is read, or as soon as it is
    clear that the body is not wanted; the rest of such a body is read and forgotten. A mirror that
    does not read its answers is not read either.
    """

    __slots__ = (
        "_all",
        "_answered",
        "_body",
        "_copy",
        "_head",
        "_headers",
        "_intake",
        "_last",
        "_number",
        "_parser",
        "_reading",
        "_since",
        "_started",
        "_target",
        "_transport",
    )

    def __init__(self, connections: Connections, number: int) -> None:
        self._all = connections
        self._intake = connections.intake
        self._number = number
        self._started = self._since = connections.time()
        """When it was made, and when its last message began."""
        self._reading = False
        self._last = False
        """The answer says that the connection ends with it."""
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._copy: Copy | None = None
        self._head = 0
        """Bytes read since the last message, while its headers are not complete."""
        self._reset()

    def _reset(self) -> None:
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._answered = False

    # -- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection while there is room."""
        transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        if len(self._all.open) >= MAX_CONNECTIONS:
            self._all.refused[Refusal.TOO_MANY] += 1
            transport.abort()
            return
        self._transport = transport
        self._all.open.add(self)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is not HTTP/1 closes the connection."""
        self._head += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # its message is complete, and answered
            self.close()
            return
        except httptools.HttpParserError:
            self._refuse(Refusal.NOT_HTTP, _BAD)
            return
        if self._head > MAX_HEAD:
            self._refuse(Refusal.NOT_HTTP, _BAD)

    def pause_writing(self) -> None:
        """Stop reading: more answers would only pile up."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on reading."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was half read."""
        self._all.open.discard(self)
        self._transport = None
        self._forget()

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def check(self, now: float, idle: float) -> None:
        """End the connection if a message takes too long, or none came for `idle` seconds."""
        if self._transport is None:
            return
        if self._transport.is_closing():
            self._transport.abort()  # it still waits for a mirror that does not read
        elif now - self._since > (MESSAGE_SECONDS if self._reading else idle):
            if self._reading:
                self._refuse(Refusal.TOO_SLOW, _LATE)
            else:
                self.close()

    def _refuse(self, why: Refusal, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._all.refused[why] += 1
            if not self._answered:
                self._transport.write(answer)
            self._transport.close()
        self._forget()

    def _forget(self) -> None:
        if self._copy is not None:
            self._intake.lose(self._copy)
            self._copy = None

    # -- httptools

    def on_message_begin(self) -> None:
        """Start a new copy."""
        self._reading = True
        self._since = self._all.time()
        self._reset()

    def on_url(self, url: bytes) -> None:
        """Collect the request target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Decide whether the body is wanted."""
        self._copy = self._intake.admit(
            self._parser.get_method(), self._target, self._headers, self._number
        )
        self._head = -MAX_HEAD  # from here on the body's bound holds
        if any(name.lower() == b"expect" for name, _ in self._headers):
            self._write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body while it is wanted."""
        self._head = -MAX_HEAD
        if self._copy is None:
            self._answer()
        elif self._intake.hold(self._copy, len(body)):
            self._body.append(body)
        else:
            self._copy = None
            self._body.clear()
            self._answer()

    def on_message_complete(self) -> None:
        """Answer the mirror, then hand the copy on."""
        self._answer()
        if self._last:
            self.close()
        self._reading = False
        copy, self._copy = self._copy, None
        self._head = 0
        if copy is not None:
            self._intake.take(copy, b"".join(self._body))
        self._reset()

    def _answer(self) -> None:
        if self._answered:
            return
        self._answered = True
        age = self._all.max_age
        self._last = not self._parser.should_keep_alive() or (
            age is not None and self._since - self._started > age
        )
        self._write(_ANSWER_AND_CLOSE if self._last else _ANSWER)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
