"""The chart's values and their schema, without Helm."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

CHART = Path(__file__).parents[2] / "helm/shadow-operator"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())


def test_the_default_values_satisfy_the_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(VALUES, SCHEMA)


def test_every_value_has_a_default_that_says_so() -> None:
    assert _names(SCHEMA) - {"global"} == _keys(VALUES, SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"replicas": 2},
        {"settings": {"intervalSeconds": "30"}},
        {"settings": {"intervalSeconds": 0}},
        {"image": {"repository": "x", "pullPolicy": "Sometimes"}},
        {"watchNamespaces": ["Shop"]},
        {"settings": {"imagePullSecrets": [{"name": "registry"}]}},
    ],
)
def test_a_mistyped_value_is_refused(change: Mapping[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**VALUES, **change}, SCHEMA)


def _names(schema: Mapping[str, Any], prefix: str = "") -> set[str]:
    """Return the dotted names of all values that the schema allows."""
    result: set[str] = set()
    for name, child in schema.get("properties", {}).items():
        deeper = _names(child, f"{prefix}{name}.")
        result |= deeper or {prefix + name}
    return result


def _keys(values: Mapping[str, Any], schema: Mapping[str, Any], prefix: str = "") -> set[str]:
    """Return the dotted names of all values, as deep as the schema names them."""
    result: set[str] = set()
    for name, value in values.items():
        child = schema["properties"][name]
        deeper = _keys(value, child, f"{prefix}{name}.") if child.get("properties") else set()
        result |= deeper or {prefix + name}
    return result
