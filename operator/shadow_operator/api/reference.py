"""The page docs/reference.md, written from the CustomResourceDefinition itself."""

from collections.abc import Iterator
from typing import Any

from shadow_operator.api.base import VALIDATIONS
from shadow_operator.api.crd import COLUMNS, custom_resource_definition
from shadow_operator.api.names import API_VERSION, KIND
from shadow_operator.api.not_yet import NOT_YET

Schema = dict[str, Any]

_INTRODUCTION = f"""\
# Reference of `{KIND}`

<!-- Generated from the models by `make generate`; edit the docstrings there. -->

`apiVersion: {API_VERSION}`, `kind: {KIND}`. The same text, field by field, comes from
`kubectl explain shadowdeployment.spec` in a cluster.
"""


def reference_page() -> str:
    """Give the whole page as Markdown."""
    version = custom_resource_definition()["spec"]["versions"][0]
    root: Schema = version["schema"]["openAPIV3Schema"]
    return "\n".join(
        [
            _INTRODUCTION,
            "## Spec\n",
            *_field_table("spec", root["properties"]["spec"], with_default=True),
            "\n## What the API server refuses\n",
            "Besides types, enumerations and bounds of the table above:\n",
            *_table(("sentence", "at"), _sentences(root)),
            "\n## Not supported yet\n",
            "The API server takes these fields; the operator answers `Accepted=False`, reason"
            " `NotSupportedYet`, and keeps the last good state running.\n",
            *_table(("field", "sentence"), ((f"`{n.path}`", n.sentence) for n in NOT_YET)),
            "\n## Status\n",
            *_field_table("status", root["properties"]["status"], with_default=False),
            "\n## Columns of `kubectl get`\n",
            *_table(
                ("column", "meaning", "shown"),
                (
                    (name.upper(), description, "with `-o wide`" if priority else "always")
                    for name, _, priority, _, description in COLUMNS
                ),
            ),
            "",
        ]
    )


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |"


def _field_table(path: str, schema: Schema, *, with_default: bool) -> Iterator[str]:
    head = ("field", "type", *(("default",) if with_default else ()), "meaning")
    rows = (
        (
            f"`{field_path}`" + (" (required)" if required else ""),
            _type(field),
            *((_default(field),) if with_default else ()),
            field.get("description", ""),
        )
        for field_path, field, required in _fields(path, schema)
    )
    yield from _table(head, rows)


def _fields(path: str, schema: Schema) -> Iterator[tuple[str, Schema, bool]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field, name in schema.get("required", ())
        suffix = "[]" if field["type"] == "array" else ""
        yield from _fields(f"{path}.{name}{suffix}", field.get("items", field))


def _sentences(root: Schema) -> Iterator[tuple[str, str]]:
    places: dict[str, list[str]] = {}
    for place, message in _rules("", root):
        places.setdefault(message.replace("<", "&lt;"), []).append(place)
    yield from ((message, ", ".join(at)) for message, at in places.items())


def _rules(path: str, schema: Schema) -> Iterator[tuple[str, str]]:
    for rule in schema.get(VALIDATIONS, ()):
        place = (path + rule.get("fieldPath", "")).lstrip(".")
        yield (f"`{place}`" if place else "the resource"), rule["message"]
    for name, field in schema.get("properties", {}).items():
        yield from _rules(f"{path}.{name}", field)
    if "items" in schema:
        yield from _rules(f"{path}[]", schema["items"])
    if "additionalProperties" in schema:
        yield from _rules(f"{path}.*", schema["additionalProperties"])


def _type(field: Schema) -> str:
    if "enum" in field:
        return " | ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        return f"list of {_type(field['items'])}, at most {field['maxItems']}"
    if "additionalProperties" in field:
        return f"map to {_type(field['additionalProperties'])}"
    return f"{field.get('format', field['type'])}{_bounds(field)}"


def _bounds(field: Schema) -> str:
    if "minimum" in field:
        return f" {field['minimum']}..{field['maximum']}"
    if "maxLength" in field:
        return f", at most {field['maxLength']} characters"
    return ""


def _default(field: Schema) -> str:
    default = field.get("default")
    if default in (None, {}):
        return ""
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{text}`" if not isinstance(default, list) else f"`[{', '.join(default)}]`"
