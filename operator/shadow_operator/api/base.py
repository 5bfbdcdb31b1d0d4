"""What all models of the resource share: their configuration and the bounded types of their fields.

Every string and list has a bound, because the API server estimates the cost of CEL rules from the
bounds and because status must stay small. Every field's docstring becomes the description in the
CustomResourceDefinition, so it is what `kubectl explain` prints.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
)
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict
from pydantic_core import CoreSchema, core_schema


class Model(BaseModel):
    """A frozen part of the spec: camelCase outside, snake_case inside, unknown names refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


class StatusModel(Model):
    """A part of the status: read leniently, because another version of the operator wrote it."""

    model_config = ConfigDict(extra="ignore")


LIST_TYPE = "x-kubernetes-list-type"
LIST_KEYS = "x-kubernetes-list-map-keys"
VALIDATIONS = "x-kubernetes-validations"


def as_set() -> JsonDict:
    """Extra schema of a list without duplicates; two owners can each add members to it."""
    return {LIST_TYPE: "set"}


def keyed_by(*keys: str) -> JsonDict:
    """Extra schema of a list of named things; two owners can each own members of it."""
    return {LIST_TYPE: "map", LIST_KEYS: [*keys]}


def utc_text(time: datetime) -> str:
    """Give the time as Kubernetes writes it: RFC 3339, UTC, whole seconds."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ratio(percent: str | int) -> float:
    """Give the ratio (0..1) that a percent of the spec stands for: `ratio("99.9")` is 0.999."""
    return float(percent) / 100


def matching(pattern: str, message: str) -> Any:
    """Give a field constraint whose refusal is a sentence instead of a regular expression.

    The API server's message for a `pattern` only repeats it; the generated schema has a CEL rule
    with this message in its place. The syntax is the one that RE2 and Rust share.
    """
    rule: JsonDict = {"rule": f'self.matches(r"{pattern}")', "message": message}
    return Field(pattern=pattern, json_schema_extra={VALIDATIONS: [rule]})


@dataclass(frozen=True)
class Cut:
    """Cuts a string of status to so many bytes of UTF-8: a long name must not fail a status."""

    max_bytes: int

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        inner = handler.generate_schema(Annotated[source, Field(max_length=self.max_bytes)])
        return core_schema.no_info_before_validator_function(self._cut, inner)

    def _cut(self, text: Any) -> Any:
        if not isinstance(text, str) or len(text.encode()) <= self.max_bytes:
            return text
        room = self.max_bytes - len("…".encode())
        return text.encode()[:room].decode(errors="ignore") + "…"


def _whole_seconds(time: datetime) -> datetime:
    """Drop what is not written, so that a status read back equals the one that was written."""
    return time.replace(microsecond=0)


Time = Annotated[
    AwareDatetime, AfterValidator(_whole_seconds), PlainSerializer(utc_text, return_type=str)
]
"""A moment in whole seconds, aware of its zone; written in UTC."""

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"

DnsLabel = Annotated[
    str,
    Field(max_length=63),
    matching(
        f"^{_LABEL}$",
        "write lower-case letters, digits and '-', as in the name of a Service or container",
    ),
]
"""The name of a Service, port or container."""

DnsSubdomain = Annotated[
    str,
    Field(max_length=253),
    matching(
        rf"^{_LABEL}(\.{_LABEL})*$",
        "write lower-case letters, digits, '-' and '.', as in the name of an object",
    ),
]
"""The name of a Deployment, Secret or ConfigMap."""

EnvName = Annotated[
    str,
    Field(max_length=253),
    matching(
        "^[-._a-zA-Z][-._a-zA-Z0-9]*$",
        "write the name of an environment variable: letters, digits, '_', '-', '.', and no digit "
        "first",
    ),
]
"""The name of an environment variable."""

HeaderName = Annotated[
    str,
    Field(max_length=128),
    matching(
        "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
        "write the name of one HTTP header without ':' or spaces, for example Authorization",
    ),
]
"""The name of an HTTP header; case does not matter."""

Quantity = Annotated[
    str,
    Field(max_length=32),
    matching(
        r"^[0-9]+(\.[0-9]+)?([numkMGTPE]|[KMGTPE]i|[eE][0-9]+)?$",
        'write a quantity as a string, for example 500m, "2" or 1Gi',
    ),
]
"""A quantity of Kubernetes as a string, for example `500m`, `"2"`, `1Gi`."""

Justification = Annotated[
    str,
    Field(max_length=256),
    matching(r"\S", "write a reason: whoever reads the verdict wants to know why"),
]
"""A sentence for whoever reads the verdict."""

RoutePattern = Annotated[
    str,
    Field(max_length=256),
    matching(
        r"^(([A-Z]+ )?/\S*|\*)$",
        'write a route as status shows it, for example "GET /api/v1/signal/{}", or a path for all '
        'methods, or "*" for every route',
    ),
]
"""A route as status shows it, or a path template for all methods, or `*` for all."""

UrlPath = Annotated[
    str,
    Field(max_length=256),
    matching(
        r"^/([^\s?#]*[^\s?#/])?$",
        "write a path that begins and does not end with '/', without '?' and '#'",
    ),
]
"""A path of a request."""

PathTemplate = Annotated[
    str,
    Field(max_length=256),
    matching(
        r"^/[^\s?#]*$",
        "write a path template that begins with '/', without '?' and '#', for example "
        "/api/v1/signal/{id}",
    ),
]
"""A path template: `{name}` stands for any one segment."""

Place = Annotated[
    str,
    Field(max_length=256),
    matching(
        r"^(\*|status|header:[a-z0-9-]+|\$.*)$",
        "write a place as status shows it: $.items[*].id, header:etag (lower case), status, or "
        '"*" for every place',
    ),
]
"""Where answers can differ: `$.items[*].id`, `header:etag`, `status`, or `*` for all."""

PercentText = Annotated[
    str,
    Field(max_length=8),
    matching(
        r"^(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)$",
        'write a percentage as a string without the sign, for example "99.9"',
    ),
]
"""A percentage with decimals, as a string without the sign: `"99.9"`."""

RatioText = Annotated[str, Field(max_length=16, pattern=r"^[0-9]+(\.[0-9]+)?$")]
"""A ratio as a string, `"0.9997"`; the API conventions allow no floats."""

WholePercent = Annotated[int, Field(ge=0, le=100)]
"""A whole percentage, 0..100."""

Seconds = Annotated[int, Field(ge=0, le=31_536_000)]
"""A duration in whole seconds, at most a year."""

Count = Annotated[int, Field(ge=0, le=999_999_999_999)]
"""How many; bounded so that status is."""

Text = Annotated[str, Cut(512)]
"""A few sentences of status for people."""

Sentence = Annotated[str, Cut(208)]
"""A sentence of status for people, in a list of many."""

Column = Annotated[str, Cut(32)]
"""A cell of a table, or one word."""
