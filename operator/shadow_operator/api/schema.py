"""From pydantic models to the structural schema that a CustomResourceDefinition needs.

pydantic writes JSON Schema with references, titles and `anyOf [..., null]`; the API server wants
every type in place and takes none of these (Kubernetes docs, "Specifying a structural schema").
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from shadow_operator.api.base import VALIDATIONS
from shadow_operator.api.constraints import RULES

Schema = dict[str, Any]

_KEPT = (
    "type",
    "description",
    "format",
    "default",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
    "required",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
)
"""Keywords that mean the same to both; all others are translated or dropped."""


def structural(model: type[BaseModel], *, for_people: bool) -> Schema:
    """Give the structural schema of a model; `for_people` with defaults, and rules in sentences.

    Status has neither: the operator would see defaults that it did not write, and reads no
    sentences.
    """
    document = model.model_json_schema()
    return _Flattener(document.pop("$defs", {}), for_people=for_people).flatten(
        {**document, "title": model.__name__}
    )


class _Flattener:
    def __init__(self, definitions: Mapping[str, Schema], *, for_people: bool) -> None:
        self._definitions = definitions
        self._for_people = for_people
        self._rules = {
            model.__name__: [rule.schema() for rule in rules] for model, rules in RULES.items()
        }

    def flatten(self, node: Schema) -> Schema:
        node = self._resolved(node)
        result = {keyword: node[keyword] for keyword in _KEPT if keyword in node}
        if "description" in result:
            result["description"] = " ".join(result["description"].split())
        if "properties" in node:
            result["properties"] = {
                name: self.flatten(schema) for name, schema in node["properties"].items()
            }
        elif isinstance(node.get("additionalProperties"), dict):
            result["additionalProperties"] = self.flatten(node["additionalProperties"])
        if "items" in node:
            result["items"] = self.flatten(node["items"])
        rules = [*node.get(VALIDATIONS, ()), *self._rules_of(node)] if self._for_people else []
        if rules:
            result[VALIDATIONS] = rules
        elif "pattern" in node:
            result["pattern"] = node["pattern"]
        self._settle_default(result)
        return result

    def _resolved(self, node: Schema) -> Schema:
        if "anyOf" in node:
            (only,) = (choice for choice in node["anyOf"] if choice != {"type": "null"})
            return self._resolved({**only, **_without(node, "anyOf", "title")})
        if "$ref" in node:
            target = self._definitions[node["$ref"].removeprefix("#/$defs/")]
            return {**target, **_without(node, "$ref")}
        return node

    def _rules_of(self, node: Schema) -> list[Schema]:
        return self._rules.get(node.get("title", ""), []) if "properties" in node else []

    def _settle_default(self, result: Schema) -> None:
        if not self._for_people or result.get("default") in (None, [], ""):
            result.pop("default", None)
        elif "properties" in result:
            # The defaults of the members fill it in; written twice they could disagree.
            result["default"] = {}


def _without(node: Schema, *keywords: str) -> Schema:
    return {keyword: value for keyword, value in node.items() if keyword not in keywords}
