"""What varies from answer to answer, or from instance to instance, though nothing is wrong.

`HAL9_VARIATIONS="shuffled:route=/api/v1/records/a,field=entries;gzip:rate=0.5"`: written as faults
are, but drawn at random for every answer, as good versions do. `KINDS` is the whole list.
"""

import base64
import gzip
import json
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

from . import planting
from .network import Json
from .planting import Answer, Kind, Planted, edit, place

RANDOM = random.Random()  # noqa: S311 - variety, not secrecy
STARTED = datetime.now(UTC)
"""When this process began."""


@dataclass(frozen=True)
class Variation(Planted):
    """Something that varies in some answers."""


def apply(variations: tuple[Variation, ...], answer: Answer, method: str, path: str) -> None:
    """Let every variation that concerns this request change the answer, each by its own draw."""
    for variation in variations:
        change = KINDS[variation.name].change
        if (
            change
            and variation.concerns(method, path)
            and RANDOM.random() < variation.number("rate")
        ):
            change(answer, variation)


def parse(text: str) -> tuple[Variation, ...]:
    """Read HAL9_VARIATIONS; an empty text means none."""
    return planting.parse(text, KINDS, Variation)


def _member(make: Callable[[Variation], Any]) -> Callable[[Answer, Variation], None]:
    """Set a member to what `make` gives."""

    def change(answer: Answer, variation: Variation) -> None:
        holder, last = place(answer.body, variation.options["field"])
        if holder is not None:
            holder[last] = make(variation)

    return change


def _header(make: Callable[[], str]) -> Callable[[Answer, Variation], None]:
    def change(answer: Answer, variation: Variation) -> None:
        answer.headers[variation.options["header"]] = make()

    return change


def _shuffled(items: list[Any], _: Variation) -> list[Any]:
    return RANDOM.sample(items, len(items))


def _shortened(items: list[Any], _: Variation) -> list[Any]:
    return items[: RANDOM.randint(1, len(items))]


def _last_digit(number: float, _: Variation) -> float:
    return math.nextafter(number, RANDOM.choice((0.0, number, 2 * number)))


def _other_form(number: float, _: Variation) -> float:
    return RANDOM.choice((int, float))(number)


def _by_key(_: Variation) -> Json:
    return {uuid4().hex: {"seen": number} for number in range(RANDOM.randint(1, 4))}


def _other_key_order(answer: Answer, _: Variation) -> None:
    answer.body = dict(_shuffled(list(answer.body.items()), _))


def _written(**options: Any) -> Callable[[Answer, Variation], None]:
    def change(answer: Answer, _: Variation) -> None:
        answer.write.append(lambda body: json.dumps(json.loads(body), **options).encode())

    return change


def _compressed(answer: Answer, _: Variation) -> None:
    answer.headers["Content-Encoding"] = "gzip"
    answer.write.append(lambda body: gzip.compress(body, 1))


def _failing(answer: Answer, _: Variation) -> None:
    answer.status, answer.body = 503, {"error": "busy"}


def _later(answer: Answer, variation: Variation) -> None:
    answer.delay_seconds += RANDOM.expovariate(1000 / variation.number("ms"))


def _now(seconds: float = 0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


KINDS: Mapping[str, Kind[Variation]] = {
    "time": Kind({"field": "at"}, _member(lambda _: _now().isoformat())),
    "epoch": Kind({"field": "at"}, _member(lambda _: round(time.time(), 3))),
    "uuid": Kind({"field": "call"}, _member(lambda _: str(uuid4()))),
    "hex-id": Kind({"field": "call"}, _member(lambda _: uuid4().hex[:16])),
    "token": Kind(
        {"field": "token"},
        _member(lambda _: base64.b64encode(RANDOM.randbytes(18)).decode()),
    ),
    "pick": Kind(
        {"field": "tip"}, _member(lambda _: RANDOM.choice(("ask", "listen", "remember", "rest")))
    ),
    "random-number": Kind({"field": "load"}, _member(lambda _: round(RANDOM.expovariate(1), 3))),
    "random-boolean": Kind({"field": "lucky"}, _member(lambda _: RANDOM.random() < 0.5)),
    "sometimes": Kind({"field": "hint", "rate": "0.3"}, _member(lambda _: "try again")),
    "nullable": Kind(
        {"field": "next"}, _member(lambda _: RANDOM.choice((None, RANDOM.randint(1, 9))))
    ),
    "started": Kind({"field": "started_at"}, _member(lambda _: STARTED.isoformat())),
    "keyed": Kind({"field": "by_key"}, _member(_by_key)),
    "shuffled": Kind({"field": "entries"}, edit(_shuffled)),
    "shortened": Kind({"field": "entries"}, edit(_shortened)),
    "last-digit": Kind({"field": "score"}, edit(_last_digit)),
    "number-form": Kind({"field": "page.size"}, edit(_other_form)),
    "key-order": Kind({}, _other_key_order),
    "indented": Kind({"rate": "0.5"}, _written(indent=2)),
    "escaped": Kind({"rate": "0.5"}, _written(ensure_ascii=False)),
    "gzip": Kind({"rate": "0.5"}, _compressed),
    "random-header": Kind(
        {"header": "X-Served-By"}, _header(lambda: RANDOM.choice(("one", "two", "three")))
    ),
    "id-header": Kind({"header": "X-Request-Id"}, _header(lambda: str(uuid4()))),
    "trace-header": Kind(
        {"header": "traceparent"}, _header(lambda: f"00-{uuid4().hex}-{uuid4().hex[:16]}-01")
    ),
    "date-header": Kind(
        {"header": "Expires"},
        _header(lambda: format_datetime(_now(RANDOM.uniform(55, 65)), usegmt=True)),
    ),
    "count-header": Kind({"header": "Age"}, _header(lambda: str(RANDOM.randint(0, 60)))),
    "etag": Kind({"header": "ETag"}, _header(lambda: f'"{uuid4().hex}"')),
    "session-cookie": Kind(
        {"header": "Set-Cookie"}, _header(lambda: f"session={uuid4().hex}; Path=/; HttpOnly")
    ),
    "busy": Kind({"rate": "0.02"}, _failing),
    "jitter": Kind({"ms": "20"}, _later),
    "closing": Kind({"header": "Connection", "rate": "0.2"}, _header(lambda: "close")),
}
