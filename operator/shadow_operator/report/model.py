"""The report as one object: what every form shows, and what the JSON form is.

It holds no value of a request or an answer, and of environment variables only the names. Times are
RFC 3339 in UTC, ratios strings (`"0.9997"`), percentages signed strings (`"+1.2"`).
"""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shadow_operator.api.base import Count, RatioText, Seconds, Time
from shadow_operator.api.enums import Decision, GateMode, UsedBy
from shadow_operator.api.records import Record
from shadow_operator.api.status import (
    ComparisonStatus,
    Condition,
    Gate,
    LayerHealth,
    SignedPercent,
    Soak,
)

SCHEMA_VERSION: Final = 1


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


class Subject(_Part):
    """What the report is about."""

    name: str
    """Name of the ShadowDeployment."""
    namespace: str
    """Its namespace."""
    epoch: str = ""
    """The epoch of evidence; it changes with an image, a layer, or what decides what is counted."""
    generation: Count = 0
    """Generation of the resource."""
    phase: str = ""
    """Where the machinery was."""
    shadow_image: str = ""
    """Image of the new version, as spec names it; of a self-test production's."""
    shadow_image_id: Annotated[str, Field(alias="shadowImageID")] = ""
    """The same as the kubelet resolved it, with its digest."""
    production_image_id: Annotated[str, Field(alias="productionImageID")] = ""
    """Image of production, with its digest."""


class Errors(_Part):
    """Requests without a good answer."""

    shadow_errors: Count = 0
    """The shadow failed to answer, or answered 5xx, and the reference did not."""
    shadow_timeouts: Count = 0
    """The shadow took too long, and the reference did not."""
    reference_errors: Count = 0
    """The reference failed, and the shadow did not."""
    reference_timeouts: Count = 0
    """The reference took too long, and the shadow did not."""
    attempts: Count = 0
    """Requests that were sent to the shadow."""


class Summary(_Part):
    """The runbook's migration log."""

    started_time: Time | None = None
    """When the first copy was counted."""
    ended_time: Time | None = None
    """When the last copy was; absent while the run goes on."""
    duration_seconds: Count = 0
    """Between both, or until the report was made."""
    match_rate: RatioText | None = None
    """Matched pairs of compared ones."""
    match_rate_lower_bound: RatioText | None = None
    """One-sided 95 % lower confidence bound of it."""
    judged_share: RatioText | None = None
    """How much of the answers was really compared."""
    compared: Count = 0
    """Pairs that were compared."""
    latency_p50_percent: Annotated[SignedPercent | None, Field(alias="latencyP50Percent")] = None
    """Median of the shadow against the reference's."""
    latency_p99_percent: Annotated[SignedPercent | None, Field(alias="latencyP99Percent")] = None
    """99th percentile of the shadow against the reference's."""
    cpu_percent: SignedPercent | None = None
    """CPU of the shadow against the reference's, which has the same load; mean over the run."""
    memory_percent: SignedPercent | None = None
    """Memory, the same."""
    errors: Errors = Errors()
    """Errors and timeouts."""
    decision: Decision | None = None
    """The verdict; absent before the first pair."""
    reason: str = ""
    """Its reason, one word."""
    message: str = ""
    """Its sentence."""
    decided_time: Time | None = None
    """When the decision last changed."""
    self_test: str | None = None
    """Which self-test this was: then no new version was tested."""


class JudgedGate(Gate):
    """A gate as it stands, and what it means for the verdict."""

    mode: GateMode = GateMode.REQUIRED
    """`Required` or `Advisory`."""


class Difference(_Part):
    """A place where answers differ; no value of any answer is in it."""

    route: str
    """Route with its learned or declared template."""
    path: str
    """Place in the answer, as a rule takes it."""
    kind: str
    """How it differs."""
    detail: str = ""
    """`200>500`, `string>number`, or the size of a relative difference."""
    pairs: Count
    """Pairs that differ there."""
    critical: bool = False
    """Whether it is critical."""
    excused_by: str | None = None
    """`noise`, the rule and its reason, or `undecided`; absent where it counts as a mismatch."""
    rule: str | None = None
    """YAML below `spec` that would excuse it."""
    looks_harmless: bool = False
    """Whether evidence speaks for that rule; else only a person can know that it is meant."""


class Use(_Part):
    """What the pods of a role used."""

    cpu_millicores: Count
    """CPU, mean over its pods."""
    memory_bytes: Count
    """Memory, mean over its pods."""


class Typical(_Part):
    """Latency of a span, in milliseconds."""

    p50: float
    """Median."""
    p99: float
    """99th percentile."""


class Production(_Part):
    """How production ran, as Envoy counted it."""

    seconds: float
    """Over how long."""
    percent: Count
    """Largest percentage that was copied."""
    requests: Count
    """Requests that were answered."""
    errors: Count
    """Of these, 5xx."""
    latency: Typical | None = None
    """Of its answers; in older spans a mean, good enough for the daily rhythm."""


class Learned(_Part):
    """What the shadow learned."""

    cycles: Count
    """Learning cycles."""
    gradient: float | None = None
    """Mean error gradient."""


class Span(_Part):
    """What was measured in a span of time; the older, the longer spans are."""

    time: Time
    """End of the span; it begins where the one before ended."""
    seconds: float
    """How long it is."""
    pairs: Count = 0
    """Pairs that were compared."""
    mismatched: float = 0.0
    """Of these, the ones that do not match by the rules of now; a fraction where several kinds of
    differences were folded."""
    match_rate: float | None = None
    """Of all pairs of the run up to the end of the span."""
    lower_bound: float | None = None
    """Its one-sided 95 % bound, which holds at every look."""
    expected: Count = 0
    """Copies that should have arrived."""
    received: Count = 0
    """Copies that did."""
    soaked_seconds: Seconds = 0
    """The soak clock at the end of the span."""
    standstill: str = ""
    """Why the soak clock last stood, one word."""
    shadow: Typical | None = None
    """Latency of the shadow."""
    reference: Typical | None = None
    """Latency of the reference."""
    production: Production | None = None
    """Production."""
    usage: dict[UsedBy, Use] = {}
    """CPU and memory by role; one that was not measured is absent."""
    learning: Learned | None = None
    """Learning."""


class Quantile(_Part):
    """One quantile of a latency."""

    share: float
    """0.99 is the 99th percentile."""
    milliseconds: float
    """What this share of all does not exceed."""


class Distribution(_Part):
    """Latency of one role."""

    role: UsedBy
    """Whose."""
    count: Count
    """Answers that were timed."""
    quantiles: tuple[Quantile, ...] = ()
    """Rising; none that fewer than five answers exceed."""
    span: str = ""
    """Which answers these are."""


class Coverage(_Part):
    """Copies that were expected, and what became of them."""

    requests: Count = 0
    """All requests of production, while copies were made."""
    eligible: Count = 0
    """Of these, the ones that the mirror copies."""
    expected: Count = 0
    """Sum of eligible requests times the percentage then in force."""
    received: Count = 0
    """Eligible copies that arrived."""
    skipped: dict[str, int] = {}
    """Why -> copies that were not compared."""
    shed: dict[str, int] = {}
    """Why -> copies that were discarded."""


class Configuration(_Part):
    """What was asked for."""

    spec: dict[str, Any] = {}
    """Spec without what has its default; of environment variables only the names."""
    provider: str = ""
    """What copied the requests."""
    sampling_percent: Count = 0
    """Percentage that was asked for."""


class Report(_Part):
    """All that is known of one run."""

    schema_version: int = SCHEMA_VERSION
    """Version of this schema; it changes where an old reader would misread."""
    written_time: Time
    """When the report was made."""
    subject: Subject
    """What it is about."""
    summary: Summary
    """The runbook's migration log."""
    gates: tuple[JudgedGate, ...] = ()
    """Criteria in the order in which they are judged."""
    conditions: tuple[Condition, ...] = ()
    """The runbook's five greens."""
    soak: Soak | None = None
    """The soak clock."""
    comparison: ComparisonStatus | None = None
    """What was counted; the differences stand in `differences`."""
    differences: tuple[Difference, ...] = ()
    """Critical ones first, then by pairs, excused ones last."""
    latency: tuple[Distribution, ...] = ()
    """Latencies."""
    course: tuple[Span, ...] = ()
    """What was measured over time, oldest first."""
    coverage: Coverage = Coverage()
    """Copies."""
    layers: tuple[LayerHealth, ...] = ()
    """What the layers of the shadow said last."""
    learning: str = ""
    """How far learning came, as a sentence."""
    configuration: Configuration = Configuration()
    """What was asked for."""
    records: tuple[Record, ...] = ()
    """What people decided and noted."""
    method: tuple[str, ...] = ()
    """How it was measured, in sentences."""
    limits: tuple[str, ...] = ()
    """What the numbers do not show, in sentences."""

    def to_json(self, *, indent: int | None = 1) -> str:
        """Give the JSON form, without what is not known."""
        return self.model_dump_json(by_alias=True, exclude_none=True, indent=indent)
