"""Planted faults: `HAL9_FAULTS="wrong-field:rate=0.01,route=/api/v1/signal;latency:ms=200"`.

Faults stand between semicolons, their parameters between commas. Whether a request is hit depends
only on the fault's name and on the request (method, path, query, body), so the same input is wrong
every time, on every pod. `KINDS` is the whole list.
"""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from . import planting
from .network import fraction, hexadecimal
from .planting import Answer, BadFaultError, Kind, Planted, edit, place

__all__ = ["KINDS", "Answer", "BadFaultError", "Fault", "apply", "parse"]


@dataclass(frozen=True)
class Fault(Planted):
    """One planted fault."""

    def hits(self, method: str, path: str, body: bytes) -> bool:
        """Decide from the request alone whether this fault strikes; `path` includes the query."""
        if not self.concerns(method, path):
            return False
        draw = fraction(self.name, method, path, body.decode(errors="replace"))
        return draw < self.number("rate")


def apply(faults: tuple[Fault, ...], answer: Answer, method: str, path: str, body: bytes) -> None:
    """Let every fault that this request hits change the answer."""
    for fault in faults:
        change = KINDS[fault.name].change
        if change and fault.hits(method, path, body):
            change(answer, fault)


def parse(text: str) -> tuple[Fault, ...]:
    """Read HAL9_FAULTS; an empty text means no fault."""
    return planting.parse(text, KINDS, Fault)


# Members


def _drop(answer: Answer, fault: Fault) -> None:
    holder, last = place(answer.body, fault.options["field"])
    if isinstance(holder, dict):
        holder.pop(last, None)


def _add(answer: Answer, fault: Fault) -> None:
    holder, last = place(answer.body, fault.options["field"])
    if isinstance(holder, dict):
        holder[last] = fault.options["value"]


def _rename(answer: Answer, fault: Fault) -> None:
    holder, last = place(answer.body, fault.options["field"])
    if isinstance(holder, dict) and last in holder:
        holder[fault.options["to"]] = holder.pop(last)


# Values


def _shift(day: str, fault: Fault) -> str:
    return (date.fromisoformat(day) + timedelta(days=int(fault.number("days")))).isoformat()


def _shift_zone(moment: str, fault: Fault) -> str:
    shifted = datetime.fromisoformat(moment) + timedelta(hours=fault.number("hours"))
    return shifted.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _other_date_format(day: str, _: Fault) -> str:
    return date.fromisoformat(day).strftime("%d.%m.%Y")


def _other_locale(text: str, _: Fault) -> str:
    return text.translate({ord(","): ".", ord("."): ","})


# What is around the body


def _restatus(answer: Answer, fault: Fault) -> None:
    answer.status = int(fault.number("code"))


def _fail(answer: Answer, fault: Fault) -> None:
    answer.status, answer.body = int(fault.number("code")), {"error": "internal error"}


def _delay(answer: Answer, fault: Fault) -> None:
    answer.delay_seconds += fault.number("ms") / 1000


def _lose_header(answer: Answer, fault: Fault) -> None:
    answer.headers.pop(fault.options["header"], None)


def _set_header(answer: Answer, fault: Fault) -> None:
    answer.headers[fault.options["header"]] = fault.options["value"]


def _empty(answer: Answer, _: Fault) -> None:
    answer.write.append(lambda _body: b"")


def _break_gzip(answer: Answer, _: Fault) -> None:
    """Send a compressed body of which the end is missing."""
    answer.headers["Content-Encoding"] = "gzip"
    answer.write.append(lambda body: gzip.compress(body, 1)[:-24])


def _reset(answer: Answer, _: Fault) -> None:
    answer.broken = True


KINDS: Mapping[str, Kind[Fault]] = {
    "wrong-field": Kind(
        {"field": "result.category", "value": "anomaly"},
        edit(lambda _, fault: fault.options["value"]),
    ),
    "missing-field": Kind({"field": "result.category"}, _drop),
    "extra-field": Kind({"field": "result.debug", "value": "on"}, _add),
    "renamed-field": Kind({"field": "result.category", "to": "kind"}, _rename),
    "type-change": Kind({"field": "result.confidence"}, edit(lambda value, _: str(value))),
    "null": Kind({"field": "result.category"}, edit(lambda _value, _fault: None)),
    "flip": Kind({"field": "partitioned"}, edit(lambda value, _: not value)),
    "lower-case": Kind({"field": "result.category"}, edit(lambda text, _: text.lower())),
    "mojibake": Kind({"field": "content"}, edit(lambda text, _: text.encode().decode("latin-1"))),
    "other-id": Kind({"field": "signal_id"}, edit(lambda value, _: hexadecimal("other", value))),
    "number-drift": Kind(
        {"field": "result.confidence", "relative": "0.000001"},
        edit(lambda value, fault: value * (1 + fault.number("relative"))),
    ),
    "offset": Kind(
        {"field": "result.words", "by": "1"},
        edit(lambda value, fault: round(value + fault.number("by"), 9)),
    ),
    "rounded": Kind(
        {"field": "result.confidence", "digits": "2"},
        edit(lambda value, fault: round(value, int(fault.number("digits")))),
    ),
    "date-shift": Kind({"field": "result.recall_on", "days": "1"}, edit(_shift)),
    "zone-shift": Kind({"field": "opened_at", "hours": "2"}, edit(_shift_zone)),
    "date-format": Kind({"field": "result.recall_on"}, edit(_other_date_format)),
    "locale": Kind({"field": "cost.shown"}, edit(_other_locale)),
    "array-order": Kind({"field": "result.associations"}, edit(lambda items, _: items[::-1])),
    "truncated": Kind(
        {"field": "result.associations", "keep": "3"},
        edit(lambda items, fault: items[: int(fault.number("keep"))]),
    ),
    "duplicate": Kind({"field": "result.associations"}, edit(lambda items, _: items + items[-1:])),
    "page-shift": Kind({}),
    "stale": Kind({}),
    "status": Kind({"code": "202"}, _restatus),
    "errors": Kind({"code": "500"}, _fail),
    "reset": Kind({}, _reset),
    "header-lost": Kind({"header": "ETag"}, _lose_header),
    "header-set": Kind({"header": "Content-Type", "value": "text/plain"}, _set_header),
    "empty-body": Kind({}, _empty),
    "broken-gzip": Kind({}, _break_gzip),
    "latency": Kind({"ms": "250"}, _delay),
    "crash": Kind({"after": "1000"}),
    "layer-down": Kind({"layer": "cognitive"}),
    "leak": Kind({"mb-per-minute": "60"}),
}
