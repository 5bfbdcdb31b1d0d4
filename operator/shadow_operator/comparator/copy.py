"""A copy of a production request: whether it is eligible, and what of it the clones get."""

import hashlib
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

from shadow_operator.api.evidence import (
    CREDENTIAL_HEADERS,
    MARKER_HEADER,
    SAFE_METHODS,
    ComparatorConfig,
    PathMatch,
)
from shadow_operator.comparator.counts import Rules
from shadow_operator.core.comparing import mix

RawHeaders = Sequence[tuple[bytes, bytes]]


class Skip(StrEnum):
    """Why a copy is not eligible."""

    LOOP = "Loop"
    UPGRADE = "Upgrade"
    GRPC = "GRPC"
    EVENT_STREAM = "EventStream"
    METHOD = "Method"
    NOT_INCLUDED = "NotIncluded"
    EXCLUDED = "Excluded"
    NOT_SAMPLED = "NotSampled"


class Shed(StrEnum):
    """Why an eligible copy was not compared."""

    OVERLOAD = "Overload"
    RATE_LIMIT = "RateLimit"
    DEAD_MAN = "DeadMan"
    BODY_TOO_LARGE = "BodyTooLarge"
    NO_SHADOW = "NoShadow"
    NO_REFERENCE = "NoReference"
    DRAINING = "Draining"
    BROKEN = "Broken"
    INTERNAL = "Internal"


class _Header(StrEnum):
    """What becomes of a request's header on its way to the clones; all others are passed on."""

    DROP = "drop"
    CREDENTIAL = "credential"
    ENCODING = "encoding"
    TRACE = "trace"
    CONNECTION = "connection"
    REQUEST_ID = "request id"


_HEADERS: Final[dict[bytes, _Header]] = {
    # Hop by hop (RFC 9110, section 7.6.1), and framing that is written anew.
    b"connection": _Header.CONNECTION,
    **dict.fromkeys(
        (b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding"),
        _Header.DROP,
    ),
    **dict.fromkeys((b"upgrade", b"content-length", b"expect"), _Header.DROP),
    # What Envoy adds to a copy, and not to the request that it forwards to production.
    b"x-envoy-internal": _Header.DROP,
    # A conditional or partial answer proves nothing.
    **dict.fromkeys((name.encode() for name in mix.NOT_WHOLE), _Header.DROP),
    # Clones must not write into production's traces. The request id stays: by it people find the
    # request in their own logs.
    b"traceparent": _Header.TRACE,
    **dict.fromkeys(
        (
            b"tracestate",
            b"baggage",
            b"b3",
            b"x-b3-traceid",
            b"x-b3-spanid",
            b"x-b3-parentspanid",
            b"x-b3-sampled",
            b"x-b3-flags",
            b"x-ot-span-context",
            b"x-cloud-trace-context",
            b"x-amzn-trace-id",
            b"uber-trace-id",
            b"x-datadog-trace-id",
            b"x-datadog-parent-id",
            b"x-datadog-sampling-priority",
            b"sentry-trace",
        ),
        _Header.DROP,
    ),
    b"accept-encoding": _Header.ENCODING,
    b"x-request-id": _Header.REQUEST_ID,
    **dict.fromkeys((name.encode() for name in CREDENTIAL_HEADERS), _Header.CREDENTIAL),
}

_NOT_WHOLE: Final = frozenset(name.encode() for name in mix.NOT_WHOLE)
_DECODABLE: Final = (b"gzip", b"x-gzip", b"deflate", b"identity")
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,64}\Z")
_TRACEPARENT: Final = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-([0-9a-f]{2})\Z")


class Policy:
    """The configuration in force, worked out for the data path."""

    def __init__(self, config: ComparatorConfig) -> None:
        self.config = config
        self.rules = Rules(config)
        self.methods = frozenset(method.encode() for method in config.methods)
        self.ordered = any(method not in SAFE_METHODS for method in config.methods)
        """Unsafe methods are copied, so that answers depend on what came before."""
        self.forwarded = frozenset(name.lower().encode() for name in config.forward_headers)
        self.marker = f"{MARKER_HEADER}: {config.nonce}\r\n".encode()
        self.share = config.sample_percent / 100
        """Of the eligible copies, those that are compared."""
        self._include = _spelled(config.include)
        self._exclude = _spelled(config.exclude)
        self._sessions = hashlib.blake2b(digest_size=8, key=config.nonce.encode()[:64])

    def path_refusal(self, path: str) -> Skip | None:
        """Say why a path (no query) is not eligible.

        A mirror compares paths as they are sent; a service may read them otherwise. What it could
        read as an excluded path is excluded.
        """
        if not self._exclude and not self._include:
            return None
        forms = spellings(path)
        if any(_covers(rule, form) for rule in self._exclude for form in forms):
            return Skip.EXCLUDED
        if self._include and not all(
            any(_covers(rule, form) for rule in self._include) for form in forms
        ):
            return Skip.NOT_INCLUDED
        return None

    def session(self, headers: dict[bytes, bytes]) -> int:
        """Hash what tells sessions apart, alike in every comparator; 0: nothing does."""
        credentials, cookie = headers.get(b"authorization", b""), headers.get(b"cookie", b"")
        if not credentials and not cookie:
            return 0
        digest = self._sessions.copy()
        digest.update(b"%d:%b%b" % (len(credentials), credentials, cookie))
        return int.from_bytes(digest.digest(), "big") or 1


_UNUSUAL: Final = re.compile(r"//|/\.|[%;\\#]")
_UNQUOTED: Final = 2
"""How often a path may be decoded on its way: by a proxy, and by the service."""


def spellings(path: str) -> tuple[str, ...]:
    """Return a path as it was sent, and as a service may read it.

    That is decoded, with a backslash as `/`, without parameters (`;v=1`) and empty segments, and
    with `..` kept or resolved.
    """
    if _UNUSUAL.search(path) is None:
        return (path,)
    plain = path.partition("#")[0]
    for _ in range(_UNQUOTED):
        plain = unquote(plain, encoding="latin-1")
    segments = [part.partition(";")[0] for part in plain.replace("\\", "/").split("/")]
    forms = (path, *(_joined(segments, resolve=resolve) for resolve in (False, True)))
    return tuple(dict.fromkeys(forms))


def _joined(segments: Sequence[str], *, resolve: bool) -> str:
    kept: list[str] = []
    for segment in segments:
        if segment == ".." and resolve:
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    end = "/" if kept and segments[-1] in {"", ".", ".."} else ""
    return "/" + "/".join(kept) + end


def _spelled(rules: Iterable[PathMatch]) -> tuple[PathMatch, ...]:
    """Return rules for every spelling of their paths, whose bytes are characters here."""
    return tuple(
        PathMatch(value=form, prefix=rule.prefix)
        for rule in rules
        for form in spellings(rule.value.encode().decode("latin-1"))
    )


def _covers(rule: PathMatch, path: str) -> bool:
    """`/admin` as a prefix covers `/admin` and `/admin/users`, not `/administrators`."""
    if not rule.prefix:
        return path == rule.value
    stem = rule.value.rstrip("/")
    return path == stem or path.startswith(stem + "/")


@dataclass(slots=True)
class Copy:
    """One copied request."""

    method: str
    path: str
    """Without the query."""
    head: bytes
    """Request line and headers for the clones, up to the body's framing."""
    request_id: str
    session: int
    """Hash of the credentials that tell clients apart; 0 where there are none."""
    credentials: tuple[str, ...]
    """Credential headers that it carried and that are not passed on."""
    connection: int
    """Which connection of the mirror it came on."""
    whole: bool = True
    """The request that it is a copy of asked for a whole answer."""
    held: int = 0
    """Bytes of memory taken for its body."""
    counted: bool = False
    """Its pair has an outcome; what follows is an extra control."""

    @property
    def safe(self) -> bool:
        """Whether it may be sent more than once."""
        return self.method in SAFE_METHODS

    def request(self, body: bytes) -> bytes:
        """Return the whole request for a clone."""
        if body or self.method in {"POST", "PUT", "PATCH"}:
            return b"%bcontent-length: %d\r\n\r\n%b" % (self.head, len(body), body)
        return self.head + b"\r\n"


def target_path(target: bytes) -> bytes:
    """Return the path of a request target; an absolute URL loses scheme and host."""
    if not target.startswith((b"/", b"*")):
        _, _, rest = target.partition(b"://")
        target = b"/" + rest.partition(b"/")[2]
    return target


def admit(
    policy: Policy, method: bytes, target: bytes, headers: RawHeaders, connection: int
) -> Copy | Skip:
    """Decide whether a copy is eligible, and prepare what the clones get."""
    found = {name.lower(): value for name, value in headers}
    refusal = _refusal(policy, method, found)
    if refusal is not None:
        return refusal
    target = target_path(target)
    path = target.partition(b"?")[0].decode("latin-1")
    refused_path = policy.path_refusal(path)
    if refused_path is not None:
        return refused_path
    if policy.share < 1 and random.random() >= policy.share:  # noqa: S311 - draws the sample
        return Skip.NOT_SAMPLED
    lines, credentials = _forwarded(policy, headers, found)
    request_id = found.get(b"x-request-id", b"")
    known = _REQUEST_ID.match(request_id) is not None
    return Copy(
        method=method.decode("ascii"),
        path=path,
        head=b"".join([method, b" ", target, b" HTTP/1.1\r\n", policy.marker, *lines]),
        request_id=request_id.decode("ascii") if known else "",
        session=policy.session(found),
        credentials=credentials,
        connection=connection,
        whole=_NOT_WHOLE.isdisjoint(found),
    )


def _refusal(policy: Policy, method: bytes, headers: dict[bytes, bytes]) -> Skip | None:
    if MARKER_HEADER.encode() in headers:
        return Skip.LOOP
    if b"upgrade" in headers or method == b"CONNECT":
        return Skip.UPGRADE
    if headers.get(b"content-type", b"").lower().startswith(b"application/grpc"):
        return Skip.GRPC
    if b"text/event-stream" in headers.get(b"accept", b"").lower():
        return Skip.EVENT_STREAM
    return None if method in policy.methods else Skip.METHOD


def _forwarded(
    policy: Policy, headers: RawHeaders, found: dict[bytes, bytes]
) -> tuple[list[bytes], tuple[str, ...]]:
    """Return header lines for the clones, and the credentials that are held back."""
    lines: list[bytes] = []
    held_back: set[str] = set()
    listed = _tokens(found.get(b"connection", b""))
    for name, value in headers:
        lower = name.lower()
        kind = _HEADERS.get(lower)
        if kind is _Header.ENCODING:
            value = _encodings(value)  # noqa: PLW2901
        elif kind is _Header.CREDENTIAL:
            if lower not in policy.forwarded:
                held_back.add(lower.decode("ascii"))
                continue
        elif (kind is not None and kind is not _Header.REQUEST_ID) or lower in listed:
            continue
        lines.append(b"%b: %b\r\n" % (name, value))
    lines.append(_traceparent(found.get(b"traceparent")))
    return lines, tuple(sorted(held_back))


def _tokens(value: bytes) -> frozenset[bytes]:
    return frozenset(token.strip().lower() for token in value.split(b",")) if value else frozenset()


def _encodings(value: bytes) -> bytes:
    """Keep the content codings that can be decoded here."""
    kept = [
        part.strip()
        for part in value.split(b",")
        if part.partition(b";")[0].strip().lower() in _DECODABLE
    ]
    return b", ".join(kept) or b"identity"


def _traceparent(given: bytes | None) -> bytes:
    """Start a new trace; it is sampled if the original was, so that tracing costs the same."""
    match = _TRACEPARENT.match(given) if given else None
    flags = match.group(1) if match else b"00"
    trace, span = random.getrandbits(128) | 1, random.getrandbits(64) | 1
    return b"traceparent: 00-%032x-%016x-%b\r\n" % (trace, span, flags)
