"""The generated files: in step with the models, structural, small, and with every case tried."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shadow_operator.api.crd import COLUMNS, custom_resource_definition
from shadow_operator.api.generate import generated_files
from tests.support.schema import CRD_FILE, ROOT, root_schema

CASES = ROOT / "tests/data/crd"


@pytest.mark.parametrize("path", generated_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_generated_file_is_what_the_models_say(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generated_files()[path], "run `make generate`"


def test_kubectl_apply_can_remember_the_whole_definition() -> None:
    # Its annotation holds 262,144 bytes; half of that leaves room for what later versions add.
    assert len(CRD_FILE.read_bytes()) < 131_072


def test_every_string_list_map_and_number_of_the_spec_is_bounded() -> None:
    unbounded = [
        path
        for path, field in _walk("spec", root_schema()["properties"]["spec"])
        if not _is_bounded(field)
    ]
    assert unbounded == []


def test_every_string_and_list_of_the_status_is_bounded() -> None:
    unbounded = [
        path
        for path, field in _walk("status", root_schema()["properties"]["status"])
        if not _is_bounded(field)
    ]
    assert unbounded == []


def test_every_field_is_documented() -> None:
    parts = root_schema()["properties"]
    silent = [
        path
        for part in ("spec", "status")
        for path, field in _walk(part, parts[part])
        if not path.endswith(("[]", ".*")) and not field.get("description")
    ]
    assert silent == []


def test_the_schema_has_only_keywords_that_a_structural_schema_may_have() -> None:
    text = yaml.safe_dump(custom_resource_definition())
    for keyword in ("$ref", "anyOf:", "title:", "const:", "propertyNames", "int-or-string"):
        assert keyword not in text


def test_status_has_no_defaults_because_the_api_server_would_fill_them_in() -> None:
    status = root_schema()["properties"]["status"]
    assert [path for path, field in _walk("status", status) if "default" in field] == []


def test_every_field_of_the_spec_is_tried_by_an_accepted_case() -> None:
    documents = yaml.safe_load_all((CASES / "accepted/every-field.yaml").read_text("utf-8"))
    tried = {path for document in documents for path in _set_paths("spec", document["spec"])}
    wanted = {path for path, _ in _walk("spec", root_schema()["properties"]["spec"])}
    assert {path for path in wanted - tried if not path.endswith(".*")} == set()


def test_every_sentence_of_a_rule_is_tried_by_a_refused_case() -> None:
    refusals = [
        document["metadata"]["annotations"]["refused-because"]
        for path in sorted((CASES / "refused").glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text("utf-8"))
    ]
    schema = root_schema()
    rules = [*_rules(schema), *(r for _, f in _walk("", schema) for r in _rules(f))]
    # A rule about a change can't be tried by one object: test_crd_constraints has its own test.
    untried = {
        rule["message"]
        for rule in rules
        if "oldSelf" not in rule["rule"] and not any(r in rule["message"] for r in refusals)
    }
    assert untried == set()


def test_a_column_reads_a_field_that_exists() -> None:
    fields = {path for path, _ in _walk("", root_schema())}
    for _, _, _, path, _ in COLUMNS:
        if not path.startswith((".metadata", ".status.conditions")):
            assert path in fields


def _walk(path: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from _walk(f"{path}.{name}", field)
    for suffix, keyword in (("[]", "items"), (".*", "additionalProperties")):
        if keyword in schema:
            yield f"{path}{suffix}", schema[keyword]
            yield from _walk(f"{path}{suffix}", schema[keyword])


def _set_paths(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield f"{path}.{name}"
            yield from _set_paths(f"{path}.{name}", member)
    elif isinstance(value, list):
        for item in value:
            yield f"{path}[]"
            yield from _set_paths(f"{path}[]", item)


def _rules(field: dict[str, Any]) -> list[dict[str, str]]:
    return list(field.get("x-kubernetes-validations", ()))


def _is_bounded(field: dict[str, Any]) -> bool:
    match field["type"]:
        case "string":
            return "maxLength" in field or "enum" in field or field.get("format") == "date-time"
        case "integer":
            return "minimum" in field and "maximum" in field
        case "array":
            return "maxItems" in field
        case "object":
            return "properties" in field or "maxProperties" in field
        case _:
            return True
