"""What is planted into answers, as the environment says it: `kind:option=value,...;kind`.

Both what is wrong (`faults`) and what merely varies (`variations`) is read here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from .network import LAYERS, Json


class BadFaultError(ValueError):
    """What is to be planted can't be understood; the message says what is allowed."""


@dataclass
class Answer:
    """An answer before it is sent: what may be changed of it."""

    body: Json
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0
    write: list[Callable[[bytes], bytes]] = field(default_factory=list)
    """What becomes of the body's bytes, one after the other."""
    broken: bool = False
    """The connection ends instead of an answer."""


@dataclass(frozen=True)
class Planted:
    """One entry with all its parameters, defaults filled in."""

    name: str
    options: Mapping[str, str]

    def number(self, option: str) -> float:
        """Return a parameter that is a number."""
        return float(self.options[option])

    def concerns(self, method: str, path: str) -> bool:
        """Say whether requests of this kind are meant; `path` includes the query."""
        return self.options["method"] in ("", method) and path.startswith(self.options["route"])


P = TypeVar("P", bound=Planted)


@dataclass(frozen=True)
class Kind(Generic[P]):
    """A kind: its own parameters with their defaults, and what it does to an answer.

    Without `change` it is for the process, which looks for it by name.
    """

    defaults: Mapping[str, str]
    change: Callable[[Answer, P], None] | None = None


SELECTORS = {"rate": "1", "method": "", "route": ""}
"""Parameters of all: share, method (empty: all), beginning of the path with its query."""
NUMBERS = frozenset(
    {"rate", "relative", "days", "hours", "code", "ms", "after", "mb-per-minute", "by", "digits"}
    | {"keep"}
)


def parse(text: str, kinds: Mapping[str, Kind[P]], make: Callable[[str, Json], P]) -> tuple[P, ...]:
    """Read what is to be planted; an empty text means nothing."""
    parts = (part.strip() for part in text.split(";"))
    return tuple(_parse_one(part, kinds, make) for part in parts if part)


def _parse_one(text: str, kinds: Mapping[str, Kind[P]], make: Callable[[str, Json], P]) -> P:
    name, _, parameters = text.partition(":")
    if name not in kinds:
        raise BadFaultError(f"unknown fault {name!r}; known: {', '.join(kinds)}")
    options = {**SELECTORS, **kinds[name].defaults}
    for parameter in filter(None, parameters.split(",")):
        option, _, value = parameter.partition("=")
        if option not in options:
            raise BadFaultError(f"{name} has no parameter {option!r}; it has: {', '.join(options)}")
        options[option] = value
    for option in NUMBERS & options.keys():
        if not _is_number(options[option]):
            raise BadFaultError(f"{name}: {option} is a number, not {options[option]!r}")
    if options.get("layer", LAYERS[0]) not in LAYERS:
        raise BadFaultError(f"{name}: layer is one of {', '.join(LAYERS)}")
    return make(name, options)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def edit(change: Callable[[Any, P], Any]) -> Callable[[Answer, P], None]:
    """Make a change of one value out of `change`; an answer without the field stays as it is."""

    def change_field(answer: Answer, planted: P) -> None:
        holder, last = place(answer.body, planted.options["field"])
        if holder is not None and _has(holder, last):
            holder[last] = change(holder[last], planted)

    return change_field


def place(body: Json, dotted: str) -> tuple[Any, Any]:
    """Find `entries.0.id`: the object or array that holds it (None: there is none), and the key."""
    *parents, last = dotted.split(".")
    holder: Any = body
    for parent in parents:
        key = _key(holder, parent)
        holder = holder[key] if _has(holder, key) else None
    return (holder if isinstance(holder, dict | list) else None), _key(holder, last)


def _key(holder: Any, name: str) -> Any:
    return int(name) if isinstance(holder, list) and name.isdigit() else name


def _has(holder: Any, key: Any) -> bool:
    if isinstance(holder, list):
        return isinstance(key, int) and key < len(holder)
    return isinstance(holder, dict) and key in holder
