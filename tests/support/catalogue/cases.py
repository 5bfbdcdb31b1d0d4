"""The catalogue: what a new version can get wrong, and what differs though nothing is wrong.

Each case has a route of its own, so that many are judged in one run. What is planted is in
`examples/hal9/hal9sim`: faults in the shadow alone, variations in all pods.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from shadow_operator.api.enums import GateName
from shadow_operator.api.presets import HAL9

Requests = Callable[["Case", int], list[bytes]]
"""Case and number of the request -> copies, in the order in which they are sent."""

SECONDS: Final = 5
"""`comparison.timeoutSeconds`."""
PATIENT_SECONDS: Final = 40
"""The same of what is harmless: a busy machine that halts one pod is no fault of its version."""


@dataclass(frozen=True)
class Caught:
    """How a regression must be found."""

    gate: GateName | None
    """The gate that fails; None: none has to, since the rate is at the threshold."""
    path: str = ""
    """The place that is named; empty where the gate speaks of no place."""
    kind: str = ""
    says: str = ""
    """What the gate's sentence has in it."""


def copy(method: str, path: str, body: object = None) -> bytes:
    """Give a copy as a mirror sends it."""
    content = b"" if body is None else json.dumps(body).encode()
    length = f"content-length: {len(content)}\r\n" if content else ""
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: hal9.example\r\naccept-encoding: gzip\r\n{length}\r\n"
    )
    return head.encode() + content


def _pages(case: "Case", number: int) -> list[bytes]:
    return [copy("GET", f"{case.path}?page={number + 1}")]


def _notes(case: "Case", number: int) -> list[bytes]:
    """Store a note, and read it."""
    write = copy("POST", f"{case.path}?page=1", {"note": f"the note of moment {number}"})
    return [write, copy("GET", f"{case.path}?page=1")]


def _signals(case: "Case", number: int) -> list[bytes]:
    return [copy("POST", case.path, {"content": f"one signal and its number {number}"})]


def _plain(case: "Case", _: int) -> list[bytes]:
    return [copy("GET", case.path)]


@dataclass(frozen=True)
class Case:
    """One regression or one harmless variation."""

    name: str
    what: str
    """For people: what the new version does, or what differs."""
    caught: Caught | None = None
    """None: harmless."""
    faults: str = ""
    """Planted in the shadow; on this case's route, unless it has no `Case.path`."""
    varies: str = ""
    """What varies in all pods."""
    on_one_pod: bool = False
    """The faults are planted in one of the shadow's pods."""
    path: str = ""
    method: str = "GET"
    """Of the route that is named."""
    requests: Requests = _pages
    spec: Mapping[str, Any] = field(default_factory=dict)
    share: int = 1
    """How many times as many requests as the others it gets."""
    most: int = 400
    """Requests after which a harmless case is through, and a regression must have been found."""
    timed: bool = False
    """Judged by how long answers take: it runs alone, after all others."""

    @property
    def route(self) -> str:
        """The route as status names it."""
        return f"{self.method} {self.path}"

    def planted(self, text: str) -> str:
        """Give faults or variations with the route that they are for."""
        route = f"route={self.path}?"  # with the query: no other path begins so
        parts = [part for part in text.split(";") if part]
        return ";".join(f"{part}{',' if ':' in part else ':'}{route}" for part in parts)


CRITICAL, MATCH = GateName.CRITICAL_DIFFERENCES, GateName.MATCH_RATE
LEARNS: Final = {"path": HAL9.learning_marker, "maxPercent": "15", "reason": "it learns"}
LEARNING: Final = {"layers": HAL9.layers, "learning": "ShadowOnly"}
WAITS: Final = "jitter:ms=30"
"""What answers take that are timed: far more than the comparator, and not alike."""
VARIES_MUCH: Final = "jitter:ms=100"
"""The same where the slowest answers are judged: they take longer than a busy machine halts."""
RARE: Final = "wrong-field:field=state,value=CLOSED,rate=0.001"


def _record(  # noqa: PLR0917 - a table reads better so
    name: str,
    what: str,
    faults: str,
    where: str,
    kind: str,
    gate: GateName | None = MATCH,
    **changes: Any,
) -> Case:
    """Give a regression of a record's answer, which is named by its place."""
    defaults: dict[str, Any] = {"path": f"/api/v1/records/{name}", "most": 2000}
    return Case(name, what, Caught(gate, where, kind), faults, **(defaults | changes))


def _no_place(name: str, what: str, faults: str, gate: GateName, says: str, **changes: Any) -> Case:
    """Give a regression that no place in an answer shows: what the gate says names it."""
    defaults: dict[str, Any] = {"path": f"/api/v1/records/{name}", "most": 2000}
    return Case(name, what, Caught(gate, says=says), faults, **(defaults | changes))


REGRESSIONS: Final[tuple[Case, ...]] = (
    # Values
    _record("wrong-value", "another state in 1 of 20 answers",
            "wrong-field:field=state,value=CLOSED,rate=0.05", "$.state", "text"),
    _record("wrong-in-1000", "another state in 1 of 1,000 answers", RARE, "$.state", "text",
            None, most=40_000, share=20),
    _record("critical-in-1000", "the same, where `comparison.critical` names the place", RARE,
            "$.state", "text", CRITICAL, most=40_000, share=20,
            path="/api/v1/records/wrong-in-1000",
            spec={"comparison": {"critical": [{"path": "$.state", "reason": "billing"}]}}),
    _record("on-one-pod", "another state, on one of two pods",
            "wrong-field:field=state,value=CLOSED", "$.state", "text", on_one_pod=True),
    _record("enum-case", "an enum in lower case", "lower-case:field=state", "$.state", "text"),
    _record("unicode", "UTF-8 read as Latin-1", "mojibake:field=owner.name",
            "$.owner.name", "text"),
    _record("boolean", "a boolean flipped", "flip:field=archived", "$.archived", "boolean"),
    _record("null", "null instead of a value", "null:field=owner.name",
            "$.owner.name", "type", CRITICAL),
    _record("other-id", "the id of another entity", "other-id:field=record_id",
            "$.record_id", "identifier"),
    _record("type", "a number as a text", "type-change:field=score", "$.score", "type", CRITICAL),
    # Numbers
    _record("drift", "a float off by 0.000001 of itself", "number-drift:field=score",
            "$.score", "number"),
    _record("cent", "a sum off by one cent", "offset:field=cost.total,by=0.01",
            "$.cost.total", "number"),
    _record("precision", "a float with two digits", "rounded:field=score", "$.score", "number"),
    _record("comma", "a decimal comma", "locale:field=cost.shown", "$.cost.shown", "text"),
    # Times
    _record("day", "a date off by one day", "date-shift:field=due_on", "$.due_on", "timestamp"),
    _record("zone", "a time in another zone", "zone-shift", "$.opened_at", "timestamp"),
    _record("date-form", "a date as day.month.year", "date-format:field=due_on",
            "$.due_on", "text"),
    # Members and arrays
    _record("missing", "a member lost", "missing-field:field=cost.currency",
            "$.cost.currency", "missing", CRITICAL),
    _record("extra", "a member more", "extra-field:field=cost.debug", "$.cost.debug", "extra"),
    _record("renamed", "a member renamed", "renamed-field:field=due_on,to=dueOn",
            "$.due_on", "missing", CRITICAL),
    _record("reversed", "an array in another order", "array-order:field=entries",
            "$.entries", "order"),
    _record("truncated", "an array that lost its end", "truncated:field=entries,keep=2",
            "$.entries", "length"),
    _record("doubled", "an entry twice", "duplicate:field=entries", "$.entries", "length"),
    _record("pagination", "pages that begin one entry late", "page-shift",
            "$.entries[*].id", "identifier"),
    # Status and headers
    _record("status", "202 instead of 200", "status:code=202", "status", "status"),
    _record("status-class", "404 in 1 of 20 answers", "errors:code=404,rate=0.05",
            "status", "status", CRITICAL),
    _record("header", "the ETag lost", "header-lost", "header:etag", "missing", CRITICAL),
    _record("cookie", "the session's cookie lost", "header-lost:header=Set-Cookie",
            "header:set-cookie", "missing", CRITICAL),
    _record("caching", "private answers that anybody may cache",
            "header-set:header=Cache-Control,value=public", "header:cache-control", "header"),
    _record("content-type", "JSON as plain text", "header-set",
            "header:content-type", "header"),
    # Bodies
    _record("empty", "no body", "empty-body", "$", "missing", CRITICAL),
    _record("gzip", "a compressed body that ends early", "broken-gzip", "$", "text",
            varies="gzip:rate=1"),
    # Requests
    _record("post", "500 to 1 of 10 POSTs, and to nothing else",
            "errors:method=POST,rate=0.1", "status", "status", CRITICAL,
            method="POST", requests=_notes),
    _record("stale", "a note that a cache keeps", "stale:method=GET", "$.note", "text",
            requests=_notes),
    _no_place("reset", "1 of 20 connections broken", "reset:rate=0.05", GateName.SHADOW_ERRORS,
              "most of them in GET /api/v1/records/reset"),
    _no_place("timeout", f"1 of 4 answers later than {SECONDS} s",
              f"latency:ms={1000 * SECONDS + 2000},rate=0.25", GateName.TIMEOUTS,
              "most of them in GET /api/v1/records/timeout"),
    _no_place("slower", "60 ms slower", "latency:ms=60", GateName.LATENCY_P50,
              "the shadow takes", varies=WAITS, timed=True, share=8, most=20_000),
    _no_place("p99", "1 of 20 answers 1 s slower, the others not", "latency:ms=1000,rate=0.05",
              GateName.LATENCY_P99, "The slowest in a hundred",
              varies=VARIES_MUCH, timed=True, share=8, most=20_000),
    # Learning
    Case("learning", "learning changes 1 of 10 answers, 0.1 % are allowed",
         Caught(MATCH, "$.result.confidence", "number"), path="/api/v1/signal", method="POST",
         requests=_signals, spec=LEARNING, most=4000),
)  # fmt: skip

LAYER: Final = Case("layer", "one layer down, answers as ever",
                    Caught(GateName.LAYERS, says="Cognitive"), "layer-down:layer=cognitive",
                    spec={"layers": HAL9.layers})  # fmt: skip
"""Found by probes of the layers."""
LEAK: Final = Case("leak", "1 MB a minute more in memory",
                   Caught(GateName.MEMORY_GROWTH, says="memory grew by"), "leak")  # fmt: skip
"""Found by what pods use."""

BUSY: Final = "busy"
"""That this is no excess of errors takes ten times the requests that are sent here."""


def _harmless(name: str, what: str, varies: str = "", **changes: Any) -> Case:
    defaults: dict[str, Any] = {"path": f"/api/v1/records/as-ever-{name}"}
    return Case(f"as-ever-{name}", what, None, "", varies, **(defaults | changes))


VARIATIONS: Final[tuple[Case, ...]] = (
    # Every answer has a trace id, the time, and the name of its instance in `meta`.
    _harmless("nothing", "trace id, time and instance name, as in every answer here"),
    _harmless("time", "the time, once more", "time"),
    _harmless("epoch", "the time in seconds since 1970", "epoch"),
    _harmless("uuid", "a random UUID", "uuid"),
    _harmless("hex", "a random id in hexadecimal", "hex-id"),
    _harmless("token", "a random token", "token"),
    _harmless("pick", "one of four tips at random", "pick"),
    _harmless("number", "a load, another one each time", "random-number"),
    _harmless("boolean", "a boolean at random", "random-boolean"),
    _harmless("member", "a member in 3 of 10 answers", "sometimes"),
    _harmless("null", "null or a number", "nullable", most=1000),
    _harmless("started", "when the process started", "started"),
    _harmless("keyed", "an object with ids as keys", "keyed"),
    _harmless("shuffled", "an array in random order", "shuffled"),
    _harmless("shortened", "an array of random length", "shortened"),
    _harmless("last-digit", "noise in the last digit of a float", "last-digit"),
    _harmless("number-form", "`3` or `3.0`", "number-form"),
    _harmless("keys", "keys in another order", "key-order"),
    _harmless("indented", "blanks and line ends", "indented"),
    _harmless("escaped", "letters as they are, or escaped", "escaped"),
    _harmless("gzip", "compressed or not", "gzip"),
    _harmless("header", "a header with one of three values", "random-header"),
    _harmless("request-id", "a request id in a header", "id-header"),
    _harmless("trace", "a trace context in a header", "trace-header"),
    _harmless("expires", "Expires, about a minute from now", "date-header"),
    _harmless("age", "Age in a cache", "count-header"),
    _harmless("etag", "an ETag of its own in each answer", "etag"),
    _harmless("cookie", "a new session in each cookie", "session-cookie"),
    _harmless(BUSY, "503 in 2 of 100 answers", "busy", most=1000),
    _harmless("jitter", "20 ms more or less", "jitter"),
    _harmless("closing", "connections that end with an answer", "closing"),
    _harmless("twelve", "many of these together",
              "time;uuid;token;pick;random-number;nullable;keyed;shuffled;gzip;id-header;etag;"
              "session-cookie"),
    _harmless("state", "a note that was written before it is read", requests=_notes),
    _harmless("learning", "learning changes 1 of 10 answers, 15 % are allowed",
              path="/api/v1/signal", method="POST", requests=_signals,
              spec=LEARNING | {"comparison": {"expectedVariations": [LEARNS]}}),
    _harmless("status", "capabilities, limits, uptime and number of requests of an instance",
              path="/api/v1/status", requests=_plain),
    _harmless("snapshot", "the id of a snapshot", path="/api/v1/network/status", requests=_plain),
    _harmless("beat", "when a heart last beat",
              path="/api/v1/neurons/cognitive-01/health", requests=_plain),
    _harmless("catalog", "a list that never changes", path="/api/v1/neurons", requests=_plain),
)  # fmt: skip
