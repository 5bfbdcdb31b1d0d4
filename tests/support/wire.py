"""HTTP/1.1 byte by byte: a server that keeps what it was sent, and a client that sends raw bytes.

`python -m tests.support.wire HOST PORT` serves in a process of its own, so that it can be stopped.
"""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType

OK = b"HTTP/1.1 200 OK\r\ndate: Mon, 23 Nov 2026 12:00:00 GMT\r\ncontent-length: 2\r\n\r\nok"

_LIMIT_BYTES = 4 << 20
"""Longest head of a request or answer."""

Answer = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def always(answer: bytes) -> Answer:
    """Answer every request with these bytes."""

    async def write(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return write


class Server:
    """Keeps every request as it came, head and body, in `requests`."""

    def __init__(
        self, answer: Answer | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.requests: list[bytes] = []
        self.host, self.port = host, port
        self._answer = answer or always(OK)
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Server":
        self._server = await asyncio.start_server(
            self._serve, self.host, self.port, limit=_LIMIT_BYTES
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._connection(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    request = await _read(reader)
                    self.requests.append(request)
                    await self._answer(request, reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if re.search(rb"\r\ntransfer-encoding: *chunked", head, re.IGNORECASE):
        body = await reader.readuntil(b"0\r\n")
        while not body.endswith(b"\r\n\r\n"):
            body += await reader.readuntil(b"\r\n")
        return head + body
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


async def ask(host: str, port: int, request: bytes, *, seconds: float = 10.0) -> bytes:
    """Send raw bytes on a new connection; give the answer up to the end of its body."""
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection(host, port, limit=_LIMIT_BYTES)
        try:
            writer.write(request)
            await writer.drain()
            if request.startswith(b"HEAD "):
                return await reader.readuntil(b"\r\n\r\n")
            return await _read(reader)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def eventually(check: Callable[[], Awaitable[bool] | bool], seconds: float = 10.0) -> None:
    """Return once the check is true; raise TimeoutError when it is not in time."""
    async with asyncio.timeout(seconds):
        while True:
            outcome = check()
            if outcome if isinstance(outcome, bool) else await outcome:
                return
            await asyncio.sleep(0.02)


async def _serve_for_ever(host: str, port: int) -> None:
    async with Server(host=host, port=port) as server:
        print(server.port, flush=True)  # tells the parent where
        while True:
            server.requests.clear()
            await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(_serve_for_ever(sys.argv[1], int(sys.argv[2])))
