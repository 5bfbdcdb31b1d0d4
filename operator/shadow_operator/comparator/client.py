"""Calls to clones: HTTP/1.1 over kept connections, each with a deadline and bounded memory.

No redirect is followed and no cookie kept. A request that was written on a kept connection is
sent again only if it is safe, the connection closed before a byte of an answer, and only once.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, cast

import httptools

from shadow_operator.comparator.counts import ERROR, TIMEOUT, Result
from shadow_operator.comparator.room import Room
from shadow_operator.core.comparing.answer import EVENT_STREAM, MEMORY, Answer

MAX_IDLE: Final = 64
"""Kept connections per address."""
FRESH_SECONDS: Final = 1.0
"""An unsafe request goes only on a connection that was used so recently: servers close idle ones
after longer, and an unsafe request that may have been read can't be sent again."""
MAX_HEAD: Final = 256 << 10
"""Bytes of an answer's status line and headers, and of what follows its body."""
MAX_DECODED: Final = 16 << 20
"""Bytes that a compressed body may grow to at most, whatever the configuration says."""

Address = tuple[str, int]


class _Call:
    """One request under way."""

    __slots__ = ("deadline", "future", "head_only", "request", "retry", "started", "timer")

    def __init__(
        self,
        future: "asyncio.Future[Result]",
        request: bytes,
        deadline: float,
        *,
        head_only: bool,
        retry: bool,
    ) -> None:
        self.future = future
        self.request = request
        self.deadline = deadline
        self.head_only = head_only
        self.retry = retry
        self.started = 0.0
        self.timer: asyncio.TimerHandle | None = None


class _Connection(asyncio.Protocol):
    """One connection to one clone pod; at most one call at a time."""

    __slots__ = (
        "_answering",
        "_body",
        "_call",
        "_client",
        "_cut",
        "_framed",
        "_head",
        "_headers",
        "_held",
        "_in_body",
        "_parser",
        "_size",
        "address",
        "idle_since",
        "transport",
    )

    def __init__(self, client: "Client", address: Address) -> None:
        self._client = client
        self.address = address
        self.transport: asyncio.Transport | None = None
        self.idle_since = 0.0
        self._call: _Call | None = None
        self._parser: httptools.HttpResponseParser | None = None

    @property
    def usable(self) -> bool:
        """Whether a request can be written."""
        return self.transport is not None and not self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        self.transport = transport

    def send(self, call: _Call) -> None:
        """Write a request; the call's future gets the result."""
        assert self.transport is not None  # noqa: S101 - only usable connections are used
        loop = self._client.loop
        self._call = call
        self._parser = httptools.HttpResponseParser(self)
        self._answering = False
        self._restart()
        self._held = 0
        self.transport.write(call.request)
        call.started = time.perf_counter()  # the loop's clock has whole milliseconds only
        call.timer = loop.call_at(call.deadline, self._expire)

    def _restart(self) -> None:
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._head = 0
        """Bytes read that are no body: the headers, then whatever came since the last of it."""
        self._in_body = False
        self._size = 0
        self._cut = ""
        self._framed = False

    def _expire(self) -> None:
        self._finish(None, TIMEOUT)
        self.abort()

    def abort(self) -> None:
        """Drop the connection at once."""
        if self.transport is not None:
            self.transport.abort()
            self.transport = None

    # -- asyncio

    def data_received(self, data: bytes) -> None:
        """Feed the parser; anything unexpected ends the connection."""
        if self._call is None or self._parser is None:
            self.abort()
            return
        self._answering = True
        self._head += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self._call is not None:
                self._finish(None, ERROR)
            self.abort()
            return
        if self._head > MAX_HEAD and self._call is not None:
            self._finish(None, ERROR)
            self.abort()

    def eof_received(self) -> bool:
        """Let the transport close itself."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End what was under way: complete without a length, else broken."""
        self.transport = None
        self._client.forget(self)
        call = self._call
        if call is None:
            return
        if exc is None and self._in_body and not self._framed:
            self._finish(self._answer(), "")
        elif call.retry and not self._answering:
            self._call = None
            self._cancel_timer(call)
            call.retry = False
            self._client.connect(self.address, call)
        else:
            self._finish(None, ERROR)

    # -- httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; a field after the body is none."""
        if self._in_body:
            return
        lower = name.lower()
        if lower in {b"content-length", b"transfer-encoding"}:
            self._framed = True
        key = lower.decode("latin-1")
        text = value.decode("latin-1")
        before = self._headers.get(key)
        if before is not None:
            text = f"{before}\n{text}" if key == "set-cookie" else f"{before}, {text}"
        self._headers[key] = text

    def on_headers_complete(self) -> None:
        """Stop here where no body follows, or one without an end."""
        if self._call is None or self._parser is None:
            return
        status = self._parser.get_status_code()
        if status < 200:
            return
        self._in_body = True
        if self._call.head_only:
            self._complete()
        elif self._headers.get("content-type", "").startswith("text/event-stream"):
            self._cut = EVENT_STREAM
            self._finish(self._answer(), "")
            self.abort()

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body while it is within the bounds; else only count it."""
        self._head = 0
        self._size += len(body)
        if self._cut or self._call is None:
            return
        if self._size > self._client.max_body_bytes:
            self._drop_body("BodyTooLarge")
        elif self._client.memory.take(len(body)):
            self._held += len(body)
            self._body.append(body)
        else:
            self._drop_body(MEMORY)

    def _drop_body(self, reason: str) -> None:
        self._cut = reason
        self._body.clear()
        self._client.memory.give(self._held)
        self._held = 0

    def on_message_complete(self) -> None:
        """Hand the answer over, unless it was an interim one."""
        if self._call is None or self._parser is None:
            return
        if self._parser.get_status_code() < 200:
            self._restart()
            return
        self._complete()

    def _complete(self) -> None:
        assert self._parser is not None  # noqa: S101 - called by the parser
        keep = self._parser.should_keep_alive()
        self._finish(self._answer(), "")
        if keep and self.transport is not None:
            self._client.keep(self)
        else:
            self.abort()

    def _answer(self) -> Answer:
        assert self._parser is not None  # noqa: S101 - called while an answer is read
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        return Answer(
            self._parser.get_status_code(),
            self._headers,
            body,
            self._size,
            self._cut,
            self._client.decoded_limit,
        )

    def _finish(self, answer: Answer | None, failure: str) -> None:
        call, self._call = self._call, None
        if call is None:
            return
        self._cancel_timer(call)
        if answer is None and self._held:
            self._client.memory.give(self._held)
            self._held = 0
        now = time.perf_counter()
        result = Result(self.address[0], answer, failure, now - call.started, self._held, now)
        if call.future.done():
            self._client.memory.give(self._held)
        else:
            call.future.set_result(result)

    @staticmethod
    def _cancel_timer(call: _Call) -> None:
        if call.timer is not None:
            call.timer.cancel()
            call.timer = None


class Client:
    """All connections to clones."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        memory: Room,
        on_refused: Callable[[], None] = lambda: None,
    ) -> None:
        self.loop = loop
        self.memory = memory
        self.limit_bodies(1 << 20)
        self._on_refused = on_refused
        self._idle: dict[Address, list[_Connection]] = {}
        self._connecting: set[asyncio.Task[None]] = set()

    def limit_bodies(self, most: int) -> None:
        """Set how many bytes of a body are kept, and thereby what a compressed one may grow to."""
        self.max_body_bytes = most
        self.decoded_limit = min(2 * most, MAX_DECODED)

    def call(
        self, address: Address, request: bytes, *, timeout: float, head_only: bool, safe: bool
    ) -> "asyncio.Future[Result]":
        """Send a request; the future's result is always a `Result`, never an exception.

        `timeout` is in seconds and covers connecting and the whole answer.
        """
        future: asyncio.Future[Result] = self.loop.create_future()
        now = self.loop.time()
        call = _Call(future, request, now + timeout, head_only=head_only, retry=safe)
        idle = self._idle.get(address)
        while idle:
            connection = idle.pop()
            if not safe and now - connection.idle_since > FRESH_SECONDS:
                connection.abort()
            elif connection.usable:
                connection.send(call)
                return future
        call.retry = False
        self.connect(address, call)
        return future

    def connect(self, address: Address, call: _Call) -> None:
        """Send a call on a new connection."""
        task = self.loop.create_task(self._connect(address, call))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, address: Address, call: _Call) -> None:
        failure = ERROR
        connection = None
        try:
            async with asyncio.timeout_at(call.deadline):
                _, connection = await self.loop.create_connection(
                    lambda: _Connection(self, address), *address
                )
            if connection.usable:  # a pod that is full may have answered and closed already
                connection.send(call)
                failure = ""
        except TimeoutError:
            failure = TIMEOUT
        except OSError:
            pass
        finally:  # also after a defect: a pair must never wait for what nobody will answer
            if failure:
                if connection is not None:
                    connection.abort()
                self._on_refused()
                if not call.future.done():
                    call.future.set_result(Result(address[0], None, failure, 0.0))

    def keep(self, connection: _Connection) -> None:
        """Take back a connection whose call is complete."""
        idle = self._idle.setdefault(connection.address, [])
        if len(idle) >= MAX_IDLE:
            connection.abort()
            return
        connection.idle_since = self.loop.time()
        idle.append(connection)

    def forget(self, connection: _Connection) -> None:
        """Drop a closed connection from the kept ones."""
        idle = self._idle.get(connection.address)
        if idle and connection in idle:
            idle.remove(connection)

    def retain(self, addresses: set[Address]) -> None:
        """Close kept connections to all other addresses."""
        for address in self._idle.keys() - addresses:
            for connection in self._idle.pop(address):
                connection.abort()

    async def close(self) -> None:
        """Close everything."""
        self.retain(set())
        for task in list(self._connecting):
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
