"""What the API server would refuse, found without one: structural schema, defaults and CEL.

The order is the API server's: unknown fields, then defaults, then types and bounds, then lists
without duplicates, and rules in CEL only for what has the right shape. Rules about a change
(`oldSelf`) can't be asked of one document. tests/integration/test_lint.py holds the answers
against those of a real API server.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any, Final

import cel
import jsonschema

from shadow_operator.api.base import LIST_KEYS, LIST_TYPE, VALIDATIONS
from shadow_operator.api.crd import custom_resource_definition
from shadow_operator.api.names import API_VERSION

Schema = dict[str, Any]
Manifest = dict[str, Any]

_ROOT: Final = ("apiVersion", "kind", "metadata", "spec", "status")


def refusals(manifest: Manifest) -> tuple[str, ...]:
    """Give a sentence for each thing that the API server would refuse; empty where it takes it."""
    schema = _schema()
    # Whatever stands in status is dropped when a resource is created.
    document = {key: deepcopy(value) for key, value in manifest.items() if key != "status"}
    strange = [*_strange(document), *_unknown("spec", _spec(schema), document.get("spec"))]
    if strange:
        return tuple(strange)
    _fill(document, schema)
    shape = [*_misshapen(document, schema), *_repeated("spec", _spec(schema), document.get("spec"))]
    return tuple(shape or _against_rules("", document, schema))


@cache
def _schema() -> Schema:
    version = custom_resource_definition()["spec"]["versions"][0]
    root: Schema = version["schema"]["openAPIV3Schema"]
    return {**root, "properties": {k: v for k, v in root["properties"].items() if k != "status"}}


def _spec(schema: Schema) -> Schema:
    spec: Schema = schema["properties"]["spec"]
    return spec


# Names


def _strange(document: Manifest) -> Iterator[str]:
    version, metadata = document.get("apiVersion"), document.get("metadata")
    if version != API_VERSION:
        yield f"apiVersion: {version} is not served; write {API_VERSION}"
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        yield "metadata.name: it is required"
    yield from (f'unknown field "{name}"' for name in document if name not in _ROOT)


def _unknown(path: str, schema: Schema, value: Any) -> Iterator[str]:
    """Name fields that the schema does not have; kubectl asks the API server to refuse them."""
    known = schema.get("properties")
    for step, field, member in _members(schema, value):
        if known is not None and step not in known and isinstance(value, dict):
            yield f'unknown field "{path}.{step}"'
        else:
            yield from _unknown(_joined(path, step), field, member)


def _members(schema: Schema, value: Any) -> Iterator[tuple[str | int, Schema, Any]]:
    """Give what a value is made of, each with its schema."""
    if isinstance(value, dict):
        known: dict[str, Schema] = schema.get("properties") or {}
        others: Schema = schema.get("additionalProperties") or {}
        for name, member in value.items():
            yield str(name), known.get(name, others), member
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield index, schema.get("items") or {}, member


def _joined(path: str, step: str | int) -> str:
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step


# Defaults


def _fill(value: Any, schema: Schema) -> None:
    """Drop what is null and write the defaults into it, as the API server does."""
    if isinstance(value, dict):
        for name, field in (schema.get("properties") or {}).items():
            if name in value and value[name] is None:
                del value[name]
            if "default" in field and name not in value:
                value[name] = deepcopy(field["default"])
    for _, field, member in _members(schema, value):
        _fill(member, field)


# Shape


def _misshapen(document: Manifest, schema: Schema) -> Iterator[str]:
    for error in _validator().iter_errors(document):
        path = ""
        for step in error.absolute_path:
            path = _joined(path, step)
        yield f"{path or 'the document'}: {_sentence(error)}"


def _sentence(error: jsonschema.ValidationError) -> str:
    if error.validator == "type":
        quoted = "; write it in quotes" if error.validator_value == "string" else ""
        return f"{error.instance!r} must be of type {error.validator_value}{quoted}"
    return str(error.message)


@cache
def _validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(_schema())


def _repeated(path: str, schema: Schema, value: Any) -> Iterator[str]:
    if isinstance(value, list) and schema.get(LIST_TYPE) in {"set", "map"}:
        keys = schema.get(LIST_KEYS) or ()
        names = [
            [one.get(key) for key in keys] if keys and isinstance(one, Mapping) else one
            for one in value
        ]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield f"{path}[{index}]: it stands there twice"
    for step, field, member in _members(schema, value):
        yield from _repeated(_joined(path, step), field, member)


# Rules


def _against_rules(path: str, value: Any, schema: Schema) -> Iterator[str]:
    for rule in schema.get(VALIDATIONS) or ():
        if "oldSelf" not in rule["rule"] and not _holds(rule["rule"], value):
            yield f"{path}{rule.get('fieldPath', '')}: {rule['message']}".lstrip(".: ")
    for step, field, member in _members(schema, value):
        yield from _against_rules(_joined(path, step), member, field)


@cache
def _program(rule: str) -> Any:
    return cel.compile(rule)


def _holds(rule: str, value: Any) -> bool:
    context = cel.Context()
    context.add_variable("self", value)
    context.add_function("isCIDR", _is_cidr)
    return _program(rule).execute(context) is True


def _is_cidr(text: str) -> bool:
    """Answer as the API server's `isCIDR`: host bits may be set, an address alone is none."""
    _, _, length = text.partition("/")
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return "%" not in text and length.isdecimal() and str(int(length)) == length
