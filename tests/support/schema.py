"""The generated CustomResourceDefinition as a judge of objects, without an API server."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
import yaml

ROOT: Final = Path(__file__).parents[2]
CRD_FILE: Final = ROOT / "crds/hal9.ai_shadowdeployments.yaml"

Schema = dict[str, Any]


@cache
def root_schema() -> Schema:
    """Give the openAPIV3Schema of the CustomResourceDefinition in the checkout."""
    definition = yaml.safe_load(CRD_FILE.read_text(encoding="utf-8"))
    schema: Schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def problems(part: str, value: Mapping[str, Any]) -> list[str]:
    """Give what the API server would refuse, or silently drop, of a `spec` or `status`.

    CEL rules are not evaluated. A field that the schema does not know is a problem too: the API
    server would prune it without a word.
    """
    schema = root_schema()["properties"][part]
    validator = jsonschema.Draft7Validator(_closed(schema))
    found = [
        f"{part}.{error.json_path[2:]}: {error.message}"
        for error in validator.iter_errors(dict(value))
    ]
    return found + [f"{part}.{path}: duplicate" for path in _duplicates("", schema, value)]


def _closed(schema: Schema) -> Schema:
    """Give the schema in which unknown members are refused."""
    result = dict(schema)
    if "properties" in schema:
        result["properties"] = {k: _closed(v) for k, v in schema["properties"].items()}
        result["additionalProperties"] = False
    if "items" in schema:
        result["items"] = _closed(schema["items"])
    return result


def _duplicates(path: str, schema: Schema, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, member in value.items():
            field = schema.get("properties", {}).get(name, {})
            yield from _duplicates(f"{path}.{name}".lstrip("."), field, member)
    elif isinstance(value, list):
        keys = schema.get("x-kubernetes-list-map-keys", ())
        named = [tuple(item.get(key) for key in keys) if keys else item for item in value]
        if schema.get("x-kubernetes-list-type") in {"set", "map"}:
            yield from (f"{path}[{i}]" for i, name in enumerate(named) if name in named[:i])
        for index, item in enumerate(value):
            yield from _duplicates(f"{path}[{index}]", schema["items"], item)
