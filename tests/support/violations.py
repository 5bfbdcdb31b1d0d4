"""From a valid resource and a schema: every resource that breaks one bound, or sits right on it.

So that each type, bound, enumeration and required field is tried once without a table of them.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Variant:
    """A resource that differs from a valid one in one field."""

    path: Path
    constraint: str
    resource: dict[str, Any]
    refusal: str = ""
    """Part of the API server's message; empty where the resource is valid."""

    def __str__(self) -> str:
        """Name the test case."""
        return ".".join(str(step) for step in self.path) + f" {self.constraint}"


def violations(schema: Schema, resource: dict[str, Any]) -> Iterator[Variant]:
    """Give one refused variant for each constraint of each field that the resource sets."""
    for path, field, value in _fields((), schema, resource):
        for constraint, bad, refusal in _bad_values(field, value):
            yield Variant(path, constraint, _with(resource, path, bad), refusal)
        for name in field.get("required", ()):
            less = {member: other for member, other in value.items() if member != name}
            yield Variant((*path, name), "required", _with(resource, path, less), "Required value")


def edges(schema: Schema, resource: dict[str, Any]) -> Iterator[Variant]:
    """Give one valid variant for each end of a range and each word of an enumeration."""
    for path, field, _ in _fields((), schema, resource):
        for constraint in ("minimum", "maximum"):
            if constraint in field:
                yield Variant(path, constraint, _with(resource, path, field[constraint]))
        for word in field.get("enum", ()):
            yield Variant(path, word, _with(resource, path, word))


def _fields(path: Path, schema: Schema, value: Any) -> Iterator[tuple[Path, Schema, Any]]:
    if path:
        yield path, schema, value
    if isinstance(value, dict):
        for name, member in value.items():
            field = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            if field:
                yield from _fields((*path, name), field, member)
    elif isinstance(value, list):
        yield from _fields((*path, 0), schema["items"], value[0])


def _bad_values(field: Schema, value: Any) -> Iterator[tuple[str, Any, str]]:
    if "minimum" in field:
        yield "minimum", field["minimum"] - 1, "should be greater than or equal to"
        yield "maximum", field["maximum"] + 1, "should be less than or equal to"
    if "enum" in field:
        yield "enum", "Sideways", "Unsupported value"
    if "minLength" in field:
        yield "minLength", "", "should be at least"
    if "maxLength" in field:
        yield "maxLength", "a" * (field["maxLength"] + 1), "Too long"
    if "minItems" in field:
        yield "minItems", [], "should have at least"
    if "maxItems" in field:
        yield "maxItems", value[:1] * (field["maxItems"] + 1), "Too many"
    if "maxProperties" in field:
        many = {f"key-{i}": "1" for i in range(field["maxProperties"] + 1)}
        yield "maxProperties", many, "Too many"
    if field.get("x-kubernetes-list-type") in {"set", "map"}:
        yield "unique", value[:1] * 2, "Duplicate value"
    if field["type"] == "boolean":
        yield "type", "yes", "must be of type boolean"


def _with(resource: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    changed = deepcopy(resource)
    owner: Any = changed
    for step in path[:-1]:
        owner = owner[step]
    owner[path[-1]] = value
    return changed
