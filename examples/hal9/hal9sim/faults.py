"""Planted faults: `HAL9_FAULTS="wrong-field:rate=0.01,route=/api/v1/signal;latency:ms=200"`.

Faults stand between semicolons, their parameters between commas. Whether a request is hit depends
only on the fault's name and on the request (method, path, query, body), so the same input is wrong
every time, on every pod. `KINDS` is the whole list.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from .network import LAYERS, Json, fraction


class BadFaultError(ValueError):
    """HAL9_FAULTS can't be understood; the message says what is allowed."""


@dataclass
class Answer:
    """An answer before it is sent: what a fault may change."""

    body: Json
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0


@dataclass(frozen=True)
class Fault:
    """One planted fault with all its parameters, defaults filled in."""

    name: str
    options: Mapping[str, str]

    def number(self, option: str) -> float:
        """Return a parameter that is a number."""
        return float(self.options[option])

    def hits(self, method: str, path: str, body: bytes) -> bool:
        """Decide from the request alone whether this fault strikes; `path` includes the query."""
        if self.options["method"] not in ("", method):
            return False
        if not path.startswith(self.options["route"]):
            return False
        draw = fraction(self.name, method, path, body.decode(errors="replace"))
        return draw < self.number("rate")


@dataclass(frozen=True)
class Kind:
    """A kind of fault: its own parameters with their defaults, and what it does to an answer.

    Without `change` it is a fault of the process, which the server looks for by name.
    """

    defaults: Mapping[str, str]
    change: Callable[[Answer, Fault], None] | None = None


def apply(faults: tuple[Fault, ...], answer: Answer, method: str, path: str, body: bytes) -> None:
    """Let every fault that this request hits change the answer."""
    for fault in faults:
        change = KINDS[fault.name].change
        if change and fault.hits(method, path, body):
            change(answer, fault)


def _edit(edit: Callable[[Any, Fault], Any]) -> Callable[[Answer, Fault], None]:
    """Make a change of one value out of `edit`; an answer without the field stays as it is."""

    def change(answer: Answer, fault: Fault) -> None:
        holder, last = _holder(answer.body, fault.options["field"])
        if holder is not None and last in holder:
            holder[last] = edit(holder[last], fault)

    return change


def _drop(answer: Answer, fault: Fault) -> None:
    holder, last = _holder(answer.body, fault.options["field"])
    if holder is not None:
        holder.pop(last, None)


def _holder(body: Json, dotted: str) -> tuple[Json | None, str]:
    *parents, last = dotted.split(".")
    holder: Any = body
    for parent in parents:
        holder = holder.get(parent) if isinstance(holder, dict) else None
    return (holder if isinstance(holder, dict) else None), last


def _restatus(answer: Answer, fault: Fault) -> None:
    answer.status = int(fault.number("code"))


def _fail(answer: Answer, fault: Fault) -> None:
    answer.status, answer.body = int(fault.number("code")), {"error": "internal error"}


def _delay(answer: Answer, fault: Fault) -> None:
    answer.delay_seconds += fault.number("ms") / 1000


def _shift(day: str, fault: Fault) -> str:
    return (date.fromisoformat(day) + timedelta(days=int(fault.number("days")))).isoformat()


SELECTORS = {"rate": "1", "method": "", "route": ""}
"""Parameters of every fault: share of the inputs, method (empty: all), beginning of the path."""

KINDS: Mapping[str, Kind] = {
    "wrong-field": Kind(
        {"field": "result.category", "value": "anomaly"},
        _edit(lambda _, fault: fault.options["value"]),
    ),
    "missing-field": Kind({"field": "result.category"}, _drop),
    "type-change": Kind({"field": "result.confidence"}, _edit(lambda value, _: str(value))),
    "array-order": Kind({"field": "result.associations"}, _edit(lambda items, _: items[::-1])),
    "number-drift": Kind(
        {"field": "result.confidence", "relative": "0.000001"},
        _edit(lambda value, fault: value * (1 + fault.number("relative"))),
    ),
    "date-shift": Kind({"field": "result.recall_on", "days": "1"}, _edit(_shift)),
    "status": Kind({"code": "202"}, _restatus),
    "errors": Kind({"code": "500"}, _fail),
    "latency": Kind({"ms": "250"}, _delay),
    "crash": Kind({"after": "1000"}),
    "layer-down": Kind({"layer": "cognitive"}),
    "leak": Kind({"mb-per-minute": "60"}),
}
NUMBERS = ("rate", "relative", "days", "code", "ms", "after", "mb-per-minute")


def parse(text: str) -> tuple[Fault, ...]:
    """Read HAL9_FAULTS; an empty text means no fault."""
    return tuple(_parse_one(part.strip()) for part in text.split(";") if part.strip())


def _parse_one(text: str) -> Fault:
    name, _, parameters = text.partition(":")
    if name not in KINDS:
        raise BadFaultError(f"unknown fault {name!r}; known: {', '.join(KINDS)}")
    options = {**SELECTORS, **KINDS[name].defaults}
    for parameter in filter(None, parameters.split(",")):
        option, _, value = parameter.partition("=")
        if option not in options:
            raise BadFaultError(f"{name} has no parameter {option!r}; it has: {', '.join(options)}")
        options[option] = value
    for option in NUMBERS:
        if option in options and not _is_number(options[option]):
            raise BadFaultError(f"{name}: {option} is a number, not {options[option]!r}")
    if options.get("layer", LAYERS[0]) not in LAYERS:
        raise BadFaultError(f"{name}: layer is one of {', '.join(LAYERS)}")
    return Fault(name, options)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
