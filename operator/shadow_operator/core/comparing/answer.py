"""An answer, and what is in its body: decoded in memory, within bounds."""

import contextlib
import json
import zlib
from dataclasses import dataclass, field
from typing import Final

import orjson

from shadow_operator.api.evidence import UNPROVEN_STATUSES

MAX_LEAVES: Final = 20_000
"""Values compared in one pair; a larger answer that differs is unread beyond."""
MAX_VALUES: Final = 5 * MAX_LEAVES
"""Objects, arrays and leaves of one answer; a larger one is not parsed, since it could take fifty
times its size in memory."""
MEMORY: Final = "Memory"
"""Reason of a cut that is our own: there was no room for the body."""

EVENT_STREAM: Final = "EventStream"
"""Reason of a cut: the body has no end."""


class IncomparableError(Exception):
    """Bodies that can't be compared; the text is a reason in CamelCase."""


_UNSET: Final = object()


@dataclass(slots=True)
class Answer:
    """What a clone answered."""

    status: int
    headers: dict[str, str]
    """Lower-case names; of a repeated header the values joined by `, ` (RFC 9110, section 5.3),
    of `set-cookie` by a new line."""
    body: bytes = b""
    size: int = 0
    """Bytes of the body as sent, also of what was not kept."""
    cut: str = ""
    """Reason why the body is not whole (`BodyTooLarge`, `EventStream`, ...); else empty."""
    decoded_limit: int = 16 << 20
    """Bytes that a compressed body may grow to; beyond, it is unread."""
    _content: object = field(default=_UNSET, repr=False)

    @property
    def content(self) -> object:
        """The decoded body: `Text` for what is not JSON; decoded once."""
        if self._content is _UNSET:
            self._content = _decode(self)
        return self._content

    def forget(self) -> None:
        """Keep only the bytes of the body, which take far less memory than its content."""
        self._content = _UNSET


@dataclass(frozen=True, slots=True)
class Text:
    """A body that is not JSON."""

    data: bytes


def _decode(answer: Answer) -> object:
    body = answer.body
    encoding = answer.headers.get("content-encoding", "")
    if encoding and body:
        body = decompress(body, encoding, answer.decoded_limit)
    kind = answer.headers.get("content-type", "")
    if body and ("json" in kind or body.lstrip()[:1] in {b"{", b"["}):
        try:
            return _load(body)
        except (ValueError, RecursionError):
            return Text(body)
    return Text(body)


_DIGITS: Final = bytes(48 if chr(byte).isdigit() and byte < 128 else 32 for byte in range(256))
_LONG_INTEGER: Final = b"0" * 20


def _load(body: bytes) -> object:
    """Parse JSON; integers that do not fit 64 bits stay exact (orjson would round them).

    Before every value but the first stands one of `,`, `[` and `{`, so they bound the values.
    """
    if len(body) > MAX_VALUES and sum(map(body.count, (b",", b"[", b"{"))) >= MAX_VALUES:
        raise IncomparableError("TooLarge")
    if _LONG_INTEGER in body.translate(_DIGITS):  # ten times faster than an expression
        return json.loads(body, parse_constant=_refuse)
    return orjson.loads(body)


def _refuse(name: str) -> object:
    raise ValueError(name)


MAX_MEMBERS: Final = 64
"""Parts that a gzip body may be made of."""


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo gzip or deflate, as long as it makes at most `limit` bytes.

    Raises:
        IncomparableError: another encoding, a broken one, or too large.
    """
    for name in reversed([part.strip().lower() for part in encoding.split(",")]):
        if name in {"", "identity"}:
            continue
        if name not in {"gzip", "x-gzip", "deflate"}:
            raise IncomparableError("ContentEncoding")
        body = _inflate(body, limit)
    return body


def _inflate(body: bytes, limit: int) -> bytes:
    for window in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):  # gzip or zlib by header; raw deflate
        with contextlib.suppress(zlib.error):
            return _members(body, window, limit)
    raise IncomparableError("ContentEncoding")


def _members(body: bytes, window: int, limit: int) -> bytes:
    """Undo every member of a gzip file (RFC 1952, section 2.2); all must be whole."""
    parts: list[bytes] = []
    while body and len(parts) < MAX_MEMBERS:
        inflater = zlib.decompressobj(window)
        parts.append(inflater.decompress(body, limit + 1))
        limit -= len(parts[-1])
        if limit < 0:
            raise IncomparableError("BodyTooLarge")
        if not inflater.eof:
            raise IncomparableError("ContentEncoding")
        body = inflater.unused_data
    if body:
        raise IncomparableError("ContentEncoding")
    return b"".join(parts)


def proves_nothing(reference: int, shadow: int) -> bool:
    """Say whether two statuses show only that neither side did the work.

    Different statuses are a difference, except among server errors, where both failed.
    """
    if reference >= 500 and shadow >= 500:
        return True
    return reference == shadow and reference in UNPROVEN_STATUSES
