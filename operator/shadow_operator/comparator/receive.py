"""The data port: read copies, answer the mirror at once, hand them on."""

import asyncio
from typing import Final, Protocol, cast

import httptools

from shadow_operator.comparator.copy import Copy

MAX_HEAD: Final = 256 << 10
"""Bytes of a request's line and headers; more closes the connection."""
MAX_CONNECTIONS: Final = 4_096

_ANSWER: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_ANSWER_AND_CLOSE: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_BAD: Final = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


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


class CopyConnection(asyncio.Protocol):
    """One connection of a mirror.

    Every request is answered with an empty 200 as soon as its body is read, or as soon as it is
    clear that the body is not wanted; the rest of such a body is read and forgotten.
    """

    __slots__ = (
        "_answered",
        "_body",
        "_copy",
        "_head",
        "_headers",
        "_intake",
        "_number",
        "_open",
        "_parser",
        "_target",
        "_transport",
    )

    def __init__(self, intake: Intake, connections: "set[CopyConnection]", number: int) -> None:
        self._intake = intake
        self._open = connections
        self._number = number
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
        if len(self._open) >= MAX_CONNECTIONS:
            transport.abort()
            return
        self._transport = transport
        self._open.add(self)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is not HTTP/1 closes the connection."""
        self._head += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # its message is complete, and answered
            self.close()
            return
        except httptools.HttpParserError:
            self._end(_BAD)
            return
        if self._head > MAX_HEAD:
            self._end(_BAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was half read."""
        self._open.discard(self)
        self._transport = None
        self._forget()

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def _end(self, answer: bytes) -> None:
        if self._transport is not None:
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
        if not self._parser.should_keep_alive():
            self.close()
        copy, self._copy = self._copy, None
        self._head = 0
        if copy is not None:
            self._intake.take(copy, b"".join(self._body))
        self._reset()

    def _answer(self) -> None:
        if self._answered:
            return
        self._answered = True
        if self._parser.should_keep_alive():
            self._write(_ANSWER)
        elif self._transport is not None:
            self._write(_ANSWER_AND_CLOSE)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
