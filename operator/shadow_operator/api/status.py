"""The status of a ShadowDeployment: what the operator observed and concluded.

Status never holds a value of a request or an answer. Every list and string is bounded. Ratios are
strings (`"0.9997"`), because the API conventions allow no floats; sentences are ready to be read.
"""

import json
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Annotated, Any, TypeAlias

from pydantic import Field, ValidationError

from shadow_operator.api.base import (
    Column,
    Count,
    Cut,
    DnsLabel,
    RatioText,
    Seconds,
    Sentence,
    StatusModel,
    Text,
    Time,
    WholePercent,
    keyed_by,
)
from shadow_operator.api.enums import (
    CheckResult,
    Decision,
    GateName,
    GateResult,
    HealthState,
    MirrorProvider,
    Phase,
    RouteResult,
    SoakState,
    UsedBy,
)
from shadow_operator.api.evidence import PlaceKind
from shadow_operator.api.reasons import ConditionStatus, ConditionType

Milliseconds = Annotated[str, Field(max_length=16, pattern=r"^[0-9]+(\.[0-9]+)?$")]
SignedPercent = Annotated[str, Field(max_length=16, pattern=r"^[+-]?[0-9]+(\.[0-9]+)?$")]
ReasonWord = Annotated[str, Field(max_length=40, pattern=r"^[A-Za-z][A-Za-z0-9]*$")]


LARGEST_BYTES = 32 * 1024
"""Of a status, written as compact JSON."""

_EXPENDABLE: tuple[tuple[tuple[str, ...], int], ...] = (
    (("comparison", "routes"), 5),
    (("comparison", "topDifferences"), 3),
    (("preflight",), 2),
    (("health", "layers"), 5),
)
"""Lists of which the last members are the least important, and how many of them always stay."""


class Condition(StatusModel):
    """One observation, as `metav1.Condition`."""

    type: ConditionType
    """What is observed."""

    status: ConditionStatus
    """Whether it holds: `True`, `False` or `Unknown`."""

    observed_generation: Count | None = None
    """Generation of the resource that was observed."""

    last_transition_time: Time
    """When the status last changed."""

    reason: ReasonWord
    """One word for programs."""

    message: Annotated[str, Cut(288)] = ""
    """A sentence for people."""


class Check(StatusModel):
    """A check before the start."""

    name: Column
    """What was checked: `headroom` (room in the cluster), `clones` (what they leave out of
    production's pods), or `acceptance` (why the resource is refused), `secrets` (which of
    production's clones get) or `image` (where it is what production runs); `clones-2` goes on where
    `clones` ends."""

    result: CheckResult
    """`Passed`, `Failed` or `Unknown`."""

    observed: Column | None = None
    """What was measured: `63%/71%/97%` of CPU, memory and network are free; the last one where it
    is known."""

    threshold: Column | None = None
    """What it must be: `> 50%/50%/60%`."""

    message: Annotated[str, Cut(288)] = ""
    """What was found, and what to do."""


class Summary(StatusModel):
    """Columns of `kubectl get`, ready to be read."""

    match: Column | None = None
    """Match rate / share of the answers that was judged: `99.97%/84%`."""

    soak: Column | None = None
    """Soak elapsed and required: `6h/24h`."""

    mirror: Column | None = None
    """Sampling in force / asked for: `50%/100%`; `?/100%` where no Envoy could be asked."""

    blocked_by: Column | None = None
    """What is first in the way of `ProceedToCanary`, in one word: `match-rate`, `soak`."""

    p50: Column | None = None
    """Median latency of the shadow against the reference's: `+1.2%`."""

    p99: Column | None = None
    """99th percentile of latency against the reference's: `+3.4%`."""

    errors: Column | None = None
    """Errors and timeouts of the shadow in excess of the reference's: `0.02%`."""

    reason: Column | None = None
    """Reason of the verdict, or of what keeps the machinery from being ready."""


class Verdict(StatusModel):
    """The answer. It names the images that it is about and lapses when one of them changes."""

    decision: Decision
    """`ProceedToCanary`, `ExtendShadow` or `Investigate`."""

    reason: ReasonWord
    """One word for programs."""

    message: Text = ""
    """The sentence with the numbers in it."""

    decided_time: Time
    """When the decision last changed."""

    epoch: Column
    """The epoch of evidence that it rests on."""

    shadow_image_id: Annotated[str, Cut(160), Field(alias="shadowImageID")] = ""
    """Image of the shadow that was tested, as the kubelet resolved it."""

    production_image_id: Annotated[str, Cut(160), Field(alias="productionImageID")] = ""
    """Image of production that it was compared with, as the kubelet resolved it."""


class Needs(StatusModel):
    """What a gate still needs to decide."""

    pairs: Count | None = None
    """Pairs that are missing, or requests or copies, as the sentence says; all of them good."""

    eta_seconds: Seconds | None = None
    """Seconds that they take at the rate so far; absent where that tells nothing of them."""


class Gate(StatusModel):
    """One criterion and how it stands."""

    name: GateName
    """Which gate."""

    result: GateResult
    """`Passed`, `Failed`, `Inconclusive`, `Error` or `NotApplicable`."""

    observed: Column | None = None
    """What was measured: `99.97%`."""

    threshold: Column | None = None
    """What it must be: `> 99.9%`."""

    bound: Column | None = None
    """The confidence bound that decides: `99.91%`."""

    samples: Count | None = None
    """How many pairs or readings it rests on."""

    needs: Needs | None = None
    """What it still needs to decide."""

    window_seconds: Seconds | None = None
    """Seconds of evidence that it rests on."""

    source: Annotated[str, Cut(16)] | None = None
    """Where the numbers come from: `comparator`, `envoy`, `prometheus`, `metrics`
    of production's pods, `probe`, `metrics-api`."""

    message: Sentence = ""
    """The sentence with the numbers in it."""


class TopDifference(StatusModel):
    """A place where answers differ often; no value of any answer is in it."""

    route: Annotated[str, Cut(128)]
    """Route with its learned or declared template."""

    path: Annotated[str, Cut(160)]
    """Place in the answer, as `comparison.ignore[].path` takes it."""

    kind: PlaceKind
    """How it differs."""

    count: Count
    """Pairs that differ there."""

    critical: bool = False
    """Whether it is critical."""

    excused_by: Annotated[str, Cut(128)] | None = None
    """`noise`, the rule and its reason, or `undecided`; empty where it counts as a mismatch."""

    proposal: Annotated[str, Cut(384)] | None = None
    """A rule that would excuse it, to be pasted below `spec` by a person who knows why; absent
    where it does not look harmless. A patch replaces lists: add it to the rules that are there."""


class RouteStatus(StatusModel):
    """A route of production, and whether it is judged."""

    name: Annotated[str, Cut(96)]
    """Route with its learned or declared template."""

    result: RouteResult
    """`Judged`, `Failed`, `Inconclusive` (it must be judged, and can't be yet) or `Untested`."""

    pairs: Count
    """Pairs that prove something."""

    match_rate_lower_bound: RatioText | None = None
    """One-sided 95 % lower confidence bound of its match rate."""

    judged_share: RatioText | None = None
    """How much of its answers was really compared."""

    missing: Annotated[str, Cut(160)] | None = None
    """What it lacks, and what to do about it; or why it fails."""


class ComparisonStatus(StatusModel):
    """What was counted in this epoch."""

    received: Count = 0
    """Copies that reached the comparators."""

    eligible: Count = 0
    """Copies that were eligible."""

    eligible_share: RatioText | None = None
    """Eligible requests of all of production's."""

    compared: Count = 0
    """Pairs that were compared and prove something."""

    matched: Count = 0
    """Pairs without a difference, or with excused ones only."""

    noise: Count = 0
    """Pairs that differ only where the reference differs from itself."""

    ignored: Count = 0
    """Pairs that differ only where a rule ignores it."""

    expected: Count = 0
    """Pairs that differ only where it is expected."""

    mismatched: Count = 0
    """Pairs with a difference that counts."""

    critical: Count = 0
    """Pairs with a critical difference."""

    unproven: Count = 0
    """Pairs that prove nothing, for example both sides 401."""

    judged_share: RatioText | None = None
    """How much of the answers was really compared."""

    shadow_errors: Count = 0
    """Pairs where the shadow failed to answer or answered 5xx."""

    timeouts: Count = 0
    """Pairs where the shadow took longer than `comparison.timeoutSeconds`."""

    match_rate: RatioText | None = None
    """Matched pairs of compared ones."""

    match_rate_lower_bound: RatioText | None = None
    """One-sided 95 % lower confidence bound of the match rate."""

    top_differences: Annotated[tuple[TopDifference, ...], Field(max_length=10)] = ()
    """The most frequent differences, critical ones first."""

    routes: Annotated[tuple[RouteStatus, ...], Field(max_length=20)] = ()
    """Routes: those that fail or lack something first, then by requests."""


class Quantiles(StatusModel):
    """Latency in milliseconds."""

    p50: Milliseconds
    """Median."""

    p99: Milliseconds
    """99th percentile."""


class Latency(StatusModel):
    """Latency of this epoch."""

    shadow: Quantiles | None = None
    """Of the shadow, in milliseconds."""

    reference: Quantiles | None = None
    """Of the reference, in milliseconds."""

    production: Quantiles | None = None
    """Of production, in milliseconds."""

    p50_difference_percent: SignedPercent | None = None
    """Median of the shadow against the reference's: `"+1.2"`."""

    p99_difference_percent: SignedPercent | None = None
    """99th percentile of the shadow against the reference's."""


class LayerHealth(StatusModel):
    """What a layer of the shadow says about itself."""

    name: Annotated[str, Field(max_length=32)]
    """Name of the layer as in `spec.layers`."""

    state: HealthState
    """`Healthy`, `Unhealthy`, `Disabled` or `Unknown`."""

    message: Annotated[str, Cut(64)] = ""
    """Why."""

    neurons: Annotated[int, Field(ge=0, le=999_999_999)] | None = None
    """Active neurons of a pod, as the shadow's metrics say; absent where they don't."""

    last_probe_time: Time | None = None
    """When it was last asked; it moves once in an interval."""


class WorkloadHealth(StatusModel):
    """A child that runs pods."""

    name: DnsLabel
    """Name of the Deployment."""

    state: HealthState
    """`Healthy`, `Unhealthy` or `Unknown`."""

    ready: Count = 0
    """Pods that are ready."""

    desired: Count = 0
    """Pods that should be."""

    restarts: Count = 0
    """Restarts of their containers."""

    message: Annotated[str, Cut(80)] = ""
    """Why it is not healthy."""


class Health(StatusModel):
    """Health of the new version and of what runs it."""

    layers: Annotated[
        tuple[LayerHealth, ...], Field(max_length=16, json_schema_extra=keyed_by("name"))
    ] = ()
    """One entry for each layer."""

    workloads: Annotated[
        tuple[WorkloadHealth, ...], Field(max_length=4, json_schema_extra=keyed_by("name"))
    ] = ()
    """One entry for each Deployment that the operator runs."""


class Soak(StatusModel):
    """The soak clock."""

    required_seconds: Seconds
    """Seconds that are asked for."""

    elapsed_seconds: Seconds = 0
    """Seconds that count."""

    state: SoakState
    """`NotStarted`, `Running`, `Stopped` or `Complete`."""

    reason: Column | None = None
    """Why it does not run."""

    last_restart: Time | None = None
    """When it last began at zero."""

    last_restart_reason: Annotated[str, Field(max_length=128)] | None = None
    """Why it last began at zero."""


class MirrorStatus(StatusModel):
    """The mirror."""

    provider: MirrorProvider
    """What copies the requests."""

    requested_percent: WholePercent
    """What spec asks for."""

    effective_percent: WholePercent | None = None
    """What is in force, as the Envoys say; absent while none can be asked that may still copy. With
    provider `External`: what the operator lets in."""

    coverage: RatioText | None = None
    """Copies received of those expected; about 1 where all arrive."""

    last_off_reason: Text | None = None
    """Why mirroring last stopped."""


class RoleUsage(StatusModel):
    """What the pods of one role use."""

    name: UsedBy
    """`shadow`, `reference` or `production`."""

    cpu_millicores: Annotated[int, Field(ge=0, le=9_999_999)] | None = None
    """CPU in millicores, mean over its pods."""

    memory_bytes: Annotated[int, Field(ge=0, le=99_999_999_999_999)] | None = None
    """Memory in bytes, mean over its pods; to 64 KiB."""

    pods: Annotated[int, Field(ge=0, le=99_999)] = 0
    """Pods that were measured."""

    restarts: Annotated[int, Field(ge=0, le=9_999_999)] = 0
    """Restarts of the containers of the pods of now."""


class ResourcesStatus(StatusModel):
    """What is used, what the clones ask for, and what was free before the start."""

    message: Sentence = ""
    """What the clones ask for, and what was free before the start."""

    roles: Annotated[
        tuple[RoleUsage, ...], Field(max_length=3, json_schema_extra=keyed_by("name"))
    ] = ()
    """Use as it was last measured."""


class LearningStatus(StatusModel):
    """Progress of learning."""

    message: Sentence = ""
    """The sentence with the numbers in it."""


class ReportRef(StatusModel):
    """The ConfigMap in this namespace that keeps the report, also when the resource is gone."""

    name: DnsLabel
    """Its name; each epoch has one, and the last five are kept."""

    decision: Decision | None = None
    """The verdict that it reports."""

    final: bool = False
    """Whether the run was over when it was written; else it is written once more then."""


class Status(StatusModel):
    """What the operator observed and concluded."""

    observed_generation: Count | None = None
    """Generation of the resource that the last complete reconcile saw."""

    phase: Phase | None = None
    """Where the machinery is."""

    message: Text | None = None
    """What goes on, in one sentence."""

    next_step: Text | None = None
    """What a person can do next: one command."""

    conditions: Annotated[
        tuple[Condition, ...], Field(max_length=16, json_schema_extra=keyed_by("type"))
    ] = ()
    """Observations, one of each type."""

    preflight: Annotated[
        tuple[Check, ...], Field(max_length=8, json_schema_extra=keyed_by("name"))
    ] = ()
    """Checks before the start: room, and everything that clones leave out, or that is refused.
    `kubectl shadow preflight` answers more questions."""

    summary: Summary | None = None
    """Columns of `kubectl get`."""

    verdict: Verdict | None = None
    """The answer; absent until the first pair."""

    gates: Annotated[
        tuple[Gate, ...], Field(max_length=32, json_schema_extra=keyed_by("name"))
    ] = ()
    """Criteria in the order in which they are judged."""

    comparison: ComparisonStatus | None = None
    """What was counted."""

    latency: Latency | None = None
    """Latency."""

    health: Health | None = None
    """Health."""

    soak: Soak | None = None
    """The soak clock."""

    mirror: MirrorStatus | None = None
    """The mirror."""

    resources: ResourcesStatus | None = None
    """What is used, and what the clones ask for."""

    learning: LearningStatus | None = None
    """Progress of learning."""

    last_measurement_time: Time | None = None
    """When the comparators were last read."""

    paused_time: Time | None = None
    """Since when mirroring is paused."""

    report_ref: ReportRef | None = None
    """Where the report is kept: from the first verdict but `ExtendShadow` on, or the end of the
    run."""

    def condition(self, condition_type: ConditionType) -> Condition | None:
        """Give the condition of this type, or None where status has none."""
        return next((c for c in self.conditions if c.type == condition_type), None)

    def to_dict(self) -> dict[str, Any]:
        """Give the status as the API server takes it: camelCase, JSON types, nothing empty.

        It is validated once more, because `model_copy(update=...)` neither checks nor cuts. Should
        it be larger than `LARGEST_BYTES` in spite of all bounds, proposals go first, then the last
        members of long lists.
        """
        checked = Status.model_validate(self.model_dump())
        written = checked.model_dump(mode="json", by_alias=True, exclude_none=True)
        return _fitted(written)

    @classmethod
    def parse(cls, stored: Mapping[str, Any]) -> "Status":
        """Read a stored status; what this version cannot read of it counts as absent.

        Status is recomputed anyway, so nothing unreadable must stop the operator; but a condition
        that is forgotten loses its time, so of a list only the unreadable members go.
        """
        for readable in (_without_members, _without_fields):
            try:
                return cls.model_validate(stored)
            except ValidationError as error:
                stored = readable(stored, [problem["loc"] for problem in error.errors()])
        return cls.model_validate(stored)


def _fitted(written: dict[str, Any]) -> dict[str, Any]:
    for difference in reversed((written.get("comparison") or {}).get("topDifferences") or ()):
        if _size(written) > LARGEST_BYTES:
            difference.pop("proposal", None)
    for place, least in _EXPENDABLE:
        *way, last = place
        holder = reduce(lambda level, name: level.get(name) or {}, way, written)
        while len(holder.get(last) or ()) > least and _size(written) > LARGEST_BYTES:
            holder[last].pop()
    return written


def _size(written: Mapping[str, Any]) -> int:
    return len(json.dumps(written, ensure_ascii=False, separators=(",", ":")).encode())


_Place: TypeAlias = tuple[int | str, ...]
"""Names and numbers that lead to a field."""


def _without_members(value: Any, unreadable: Iterable[_Place]) -> Any:
    """Give the value without the innermost list members that these places are in."""
    below: dict[int | str, list[_Place]] = {}
    for place in filter(_passes_a_list, unreadable):
        below.setdefault(place[0], []).append(place[1:])
    if isinstance(value, Mapping):
        return {name: _without_members(field, below.get(name, ())) for name, field in value.items()}
    if isinstance(value, list):
        return [
            _without_members(member, below.get(number, ()))
            for number, member in enumerate(value)
            if all(map(_passes_a_list, below.get(number, ())))
        ]
    return value


def _passes_a_list(place: _Place) -> bool:
    return any(isinstance(step, int) for step in place)


def _without_fields(stored: Mapping[str, Any], unreadable: Iterable[_Place]) -> dict[str, Any]:
    fields = {place[0] for place in unreadable}
    return {name: value for name, value in stored.items() if name not in fields}
