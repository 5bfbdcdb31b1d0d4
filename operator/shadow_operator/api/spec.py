"""The spec of a ShadowDeployment (docs/architecture.md, "The resource").

Each docstring under a field is what `kubectl explain` prints. Constraints that one field can hold
stand here; those between fields are CEL rules in `constraints`.
"""

from typing import Annotated, Final

from pydantic import Field

from shadow_operator.api.base import (
    DnsLabel,
    DnsSubdomain,
    EnvName,
    HeaderName,
    Justification,
    Model,
    PathTemplate,
    PercentText,
    Place,
    Quantity,
    RoutePattern,
    Seconds,
    UrlPath,
    WholePercent,
    as_set,
    keyed_by,
    matching,
)
from shadow_operator.api.enums import (
    AfterVerdict,
    Approval,
    Egress,
    GateMode,
    GateName,
    Isolation,
    Learning,
    Method,
    MirrorProvider,
    PathMatchType,
    PresetName,
    Protocol,
    ReferenceMode,
    RequestedPhase,
    SelfTest,
)
from shadow_operator.api.presets import PRESETS, Preset
from shadow_operator.api.records import Record

LONGEST_RUN: Final = 5_184_000
"""Seconds that `maxDurationSeconds` can be: 60 days."""


class ProductionRef(Model):
    """The workload that serves production. It is read, never modified."""

    deployment_name: DnsSubdomain
    """Name of the Deployment in this namespace that serves production, e.g. `hal9-server`."""

    service_name: DnsLabel
    """Name of the Service in this namespace that leads to that Deployment, e.g. `hal9-service`."""

    port_name: DnsLabel | None = None
    """Name of the Service's port whose requests are mirrored, e.g. `api`. Default: its first
    port. The stable entry of provider `Envoy` has all ports of the Service; the others pass
    without a mirror."""


class KeyRef(Model):
    """One key of a Secret or ConfigMap in this namespace."""

    name: DnsSubdomain
    """Name of the object."""

    key: Annotated[
        str,
        Field(max_length=253),
        matching("^[-._a-zA-Z0-9]+$", "write a key: letters, digits, '-', '_' and '.'"),
    ]
    """Key in its data."""

    optional: bool = False
    """Whether a clone starts where the object or key is missing. Default: false."""


class EnvSource(Model):
    """Where a variable's value comes from; exactly one of both."""

    secret_key_ref: KeyRef | None = None
    """A key of a Secret. The operator never reads it; the kubelet does."""

    config_map_key_ref: KeyRef | None = None
    """A key of a ConfigMap."""


class EnvVar(Model):
    """An environment variable of a clone."""

    name: EnvName
    """Name of the variable. It replaces a variable of production's with the same name."""

    value: Annotated[str, Field(max_length=4096)] | None = None
    """Its value. `$(OTHER)` is expanded as in a pod. Default: empty."""

    value_from: EnvSource | None = None
    """Where its value comes from, instead of `value`."""


EnvList = Annotated[tuple[EnvVar, ...], Field(max_length=64, json_schema_extra=keyed_by("name"))]

Quantities = Annotated[dict[Annotated[str, Field(max_length=128)], Quantity], Field(max_length=8)]


class Resources(Model):
    """Compute resources of a clone's container, as in a pod."""

    requests: Quantities = Field(default_factory=dict)
    """What is reserved, e.g. `{cpu: 500m, memory: 1Gi}`; quantities are strings: `cpu: "2"`."""

    limits: Quantities = Field(default_factory=dict)
    """What may be used at most, e.g. `{memory: 2Gi}`."""


class Shadow(Model):
    """The new version."""

    image: Annotated[
        str,
        Field(max_length=512),
        matching(
            r"^\S+$",
            "write an image without spaces, for example registry.example.com/hal9:hierarchical",
        ),
    ]
    """Image of the new version, e.g. `registry.example.com/hal9:hierarchical`. A digest makes
    the verdict name exactly what was tested; a moved tag starts the soak again."""

    env: EnvList = ()
    """Environment that the new version needs besides production's, `clones.env` and the
    preset's; wins over all of them."""

    resources: Resources | None = None
    """Resources of the shadow's container. Default: those of production's container."""


class Reference(Model):
    """What the shadow is compared with."""

    mode: ReferenceMode = ReferenceMode.CLONE
    """`Clone` (default) runs production's own version beside the shadow, same count, age and
    size, so that a difference comes from the version. `Production` asks production's pods
    themselves (safe methods only). `None` compares with nothing: only health and errors are
    judged."""

    control_percent: WholePercent = 5
    """Percentage (0..100, default 5) of compared pairs that also ask a second reference pod: how
    much does the same version disagree with itself? It tells noise from change."""


class Selector(Model):
    """Labels that an object must have."""

    match_labels: Annotated[
        dict[Annotated[str, Field(max_length=317)], Annotated[str, Field(max_length=63)]],
        Field(max_length=16),
    ] = Field(default_factory=dict)
    """Labels with their values; an empty map matches every object."""


class EgressPort(Model):
    """A port that clones may reach."""

    port: Annotated[int, Field(ge=1, le=65535)]
    """Number of the port, 1..65535."""

    protocol: Protocol = Protocol.TCP
    """Transport: `TCP` (default) or `UDP`."""


class EgressTarget(Model):
    """Something that clones may reach: pods by their labels, or addresses by CIDR."""

    pod_selector: Selector | None = None
    """Pods, in this namespace unless `namespaceSelector` says otherwise."""

    namespace_selector: Selector | None = None
    """Namespaces whose pods (all, or those of `podSelector`) are meant."""

    cidr: Annotated[str, Field(max_length=43)] | None = None
    """Addresses, e.g. `10.1.2.0/24`."""

    ports: Annotated[tuple[EgressPort, ...], Field(max_length=16)] = ()
    """Ports that may be reached there. Default: all."""


class Clones(Model):
    """How shadow and reference are cloned from production; the same for both."""

    replicas: Annotated[int, Field(ge=1, le=100)] = 2
    """Pods of the shadow and of the reference each (1..100, default 2). Where a clone would get
    more than 1.5 times the load of a production pod, latency is not judged and the gate names
    the count to set. Control calls need at least 2."""

    container_name: DnsLabel | None = None
    """The container to clone and to give the new image. Default: the one behind the Service's
    port."""

    env: EnvList = ()
    """Environment of all clones, over production's, e.g. an address of a sandbox."""

    omit_secret_env: Annotated[
        tuple[EnvName, ...], Field(max_length=64, json_schema_extra=as_set())
    ] = ()
    """Names of production's environment variables from Secrets that the clones must not get.
    Default: they get all, so who may create this resource may use them."""

    egress: Egress = Egress.DENY
    """What clones may reach: `Deny` (default) only DNS and `egressTo`; `Allow` everything, which
    with unsafe methods needs `mirror.sideEffectsAccepted`."""

    egress_to: Annotated[tuple[EgressTarget, ...], Field(max_length=32)] = ()
    """What clones may reach besides DNS, e.g. a database copy. Default: nothing."""

    isolation: Isolation = Isolation.REQUIRED
    """`Required` (default) starts clones only where a probe showed that NetworkPolicy is enforced;
    `BestEffort` starts them also where it is not, or where that is unknown."""

    keep_containers: Annotated[
        tuple[DnsLabel, ...], Field(max_length=16, json_schema_extra=as_set())
    ] = ()
    """Other containers and init containers of production's pod that the clones need, by name.
    Default: none; what is left out is said in status."""

    service_account_token: bool = False
    """Whether clones get production's service account and its token. Default: false, they run as
    `default` without a token."""


class ObjectRef(Model):
    """An object in this namespace."""

    name: DnsSubdomain
    """Its name."""


class PathRule(Model):
    """Paths, and why."""

    path: UrlPath
    """Path, e.g. `/admin`; by default with everything below it."""

    match: PathMatchType = PathMatchType.PREFIX
    """`Prefix` (default) matches whole segments: `/admin` means `/admin` and `/admin/users`, not
    `/administrators`. `Exact` matches this path only."""

    reason: Justification
    """Why, for whoever reads the verdict."""


PathRules = Annotated[
    tuple[PathRule, ...], Field(max_length=64, json_schema_extra=keyed_by("path"))
]


class SideEffects(Model):
    """A person's word that repeating writes does no harm."""

    reason: Justification
    """Why repeated writes do no harm, e.g. `clones write to a database of their own`."""


class Mirror(Model):
    """How requests are copied."""

    provider: MirrorProvider = MirrorProvider.ENVOY
    """`Envoy` (default): the operator runs an Envoy behind the stable entry Service
    `<name>-mirror`; point your ingress at it. `GatewayAPI` and `Istio`: a filter in your own
    route. `External`: your own mirror sends copies to port 8080 of the Service
    `<name>-comparator`."""

    http_route_ref: ObjectRef | None = None
    """The HTTPRoute that gets the mirror filter; needed by provider `GatewayAPI`."""

    virtual_service_ref: ObjectRef | None = None
    """The VirtualService that gets the mirror; needed by provider `Istio`."""

    methods: Annotated[
        tuple[Method, ...], Field(min_length=1, max_length=7, json_schema_extra=as_set())
    ] = (Method.GET, Method.HEAD)
    """HTTP methods that are compared. Default: `GET`, `HEAD`. Others repeat writes in the clones:
    with `clones.egress: Allow` they need `sideEffectsAccepted`."""

    include: PathRules = ()
    """If not empty, only these paths are eligible."""

    exclude: PathRules = ()
    """These paths are not eligible, e.g. a download, nor are other spellings of them. Wins over
    `include`."""

    forward_headers: Annotated[
        tuple[HeaderName, ...], Field(max_length=32, json_schema_extra=as_set())
    ] = ()
    """Headers with credentials (`Authorization`, `Cookie`, `Proxy-Authorization`, `X-Api-Key`)
    that the clones get; all other headers they get anyway. Default: none."""

    ramp_seconds: Annotated[int, Field(ge=0, le=86400)] = 60
    """Seconds (0..86400, default 60) from the first copy to the full percentage. With `External`
    the comparators take the percentage of what arrives, and learn of another one within about a
    minute."""

    max_requests_per_second: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Copies per second that are compared at most, over all comparators; more are shed and
    counted. Default: no limit."""

    side_effects_accepted: SideEffects | None = None
    """Says that repeating unsafe methods with open egress is wanted."""


class PlaceRule(Model):
    """A place in the answers of a route, and why it is treated so."""

    route: RoutePattern = "*"
    """Route as status shows it, e.g. `GET /api/v1/signal/{}`, or without the method for all of
    them. Default: `*`, every route."""

    path: Place = "*"
    """Place exactly as status shows it: `$.items[*].id`, `header:etag`, `status`; `$` is
    the whole body. Default: `*`, every place of the route."""

    reason: Justification
    """Why, for whoever reads the verdict, e.g. `cache age, differs by design`."""


PlaceRules = Annotated[
    tuple[PlaceRule, ...], Field(max_length=64, json_schema_extra=keyed_by("route", "path"))
]


class Tolerance(PlaceRule):
    """How much a number may differ."""

    relative: Annotated[
        str,
        Field(max_length=12),
        matching(
            r"^([0-9](\.[0-9]+)?e-[0-9]{1,2}|0\.[0-9]+)$",
            'write a relative difference below 1 as a string, for example "1e-6" or "0.01"',
        ),
    ]
    """Largest relative difference that counts as equal, e.g. `"1e-6"`: to the larger amount of
    both. Powers of ten from `"1e-16"` on re-judge the past at once; others start a new epoch."""


class ExpectedVariation(PlaceRule):
    """A difference that the new version is meant to have, up to a share of the pairs."""

    max_percent: PercentText = "0.1"
    """Percentage of the route's pairs that may differ so; default `"0.1"`. Where more do, they
    count as mismatches."""


class Comparison(Model):
    """How answers are compared. A changed rule re-judges what was already counted."""

    ignore: PlaceRules = ()
    """Differences that do not matter, e.g. `{path: $.cacheAge, reason: differs by design}`.
    Timestamps and random ids need no rule: they are told by evidence."""

    tolerances: Annotated[
        tuple[Tolerance, ...], Field(max_length=64, json_schema_extra=keyed_by("route", "path"))
    ] = ()
    """Numbers that may differ a little. One that looks like a time (seconds since 1970) is a
    timestamp, which evidence judges."""

    expected_variations: Annotated[
        tuple[ExpectedVariation, ...],
        Field(max_length=64, json_schema_extra=keyed_by("route", "path")),
    ] = ()
    """Differences that are meant, e.g. through learning; counted apart."""

    unordered: PlaceRules = ()
    """Arrays whose order does not matter, e.g. `{path: $.tags, reason: a set}`."""

    critical: PlaceRules = ()
    """Places where any difference that is not noise is critical, e.g. `$.balance`."""

    learning_marker: Place | None = None
    """Place that only an answer has that learning changed, e.g. `header:x-learning`. Such pairs
    are learning errors, counted as expected up to 0.1 % of all pairs, if nothing critical differs;
    an entry of `expectedVariations` for this place sets another share. Default: the preset's where
    `learning` is `ShadowOnly`."""

    routes: Annotated[
        tuple[PathTemplate, ...], Field(max_length=200, json_schema_extra=as_set())
    ] = ()
    """Path templates such as `/api/v1/signal/{id}`, before the preset's. Others are learned:
    segments that look like data become `{}`."""

    timeout_seconds: Annotated[int, Field(ge=1, le=600)] = 10
    """Seconds (1..600, default 10) after which an answer of a clone counts as a timeout."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=16_777_216)] = 1_048_576
    """Bytes (1024..16777216, default 1048576) of a request or answer body at most; larger ones
    are skipped and counted."""


class GateSettings(Model):
    """What every gate has."""

    mode: GateMode = GateMode.REQUIRED
    """`Required` blocks `ProceedToCanary` until it passes, `Advisory` only shows its result, `Off`
    is not measured."""


class AdvisoryGateSettings(Model):
    """What every gate has that does not block by default."""

    mode: GateMode = GateMode.ADVISORY
    """`Advisory` (default) only shows its result, `Required` blocks `ProceedToCanary` until it
    passes, `Off` is not measured."""


class MatchRateGate(GateSettings):
    """Response match rate (runbook: > 99.9 %)."""

    min_percent: PercentText = "99.9"
    """The lower confidence bound of the match rate must be above this percentage; default
    `"99.9"`."""


class ExcessGate(GateSettings):
    """A rate of the shadow, judged in excess of the reference's in the same interval."""

    max_excess_percent: PercentText = "0.1"
    """Percentage points of all pairs by which the shadow may be worse; default `"0.1"`."""


class CoverageGate(GateSettings):
    """How many of the eligible production requests were really received as copies."""

    min_percent: WholePercent = 95
    """Received copies in percent of those expected at the sampling in force; default 95."""


class EligibleShareGate(AdvisoryGateSettings):
    """How many of production's requests are eligible at all."""

    min_percent: WholePercent = 50
    """Eligible requests in percent of all; default 50."""


class UnprovenGate(GateSettings):
    """Pairs that prove nothing, for example both sides 401 or 404."""

    max_percent: WholePercent = 20
    """Unproven pairs in percent of all pairs; default 20."""


class JudgedShareGate(GateSettings):
    """How much of the answers was really compared: neither noise nor ignored."""

    min_percent: WholePercent = 50
    """Judged places in percent of all; default 50."""


class MinimumPairsGate(GateSettings):
    """How many pairs a verdict needs, whatever the bounds say."""

    total: Annotated[int, Field(ge=1, le=100_000_000)] = 1000
    """Pairs in all; default 1000."""

    per_route: Annotated[int, Field(ge=1, le=100_000_000)] = 100
    """Pairs below which a route is listed as untested; default 100."""


class RoutesGate(GateSettings):
    """Which routes must have been judged."""

    required: Annotated[
        tuple[PathTemplate, ...], Field(max_length=64, json_schema_extra=as_set())
    ] = ()
    """Routes that must be judged however rare they are. Default: none by name."""

    min_share_percent: WholePercent = 1
    """Routes above this percentage of production's requests must be judged; default 1."""


class LatencyP50Gate(GateSettings):
    """Median latency against the reference's (runbook: < 5 %)."""

    max_increase_percent: Annotated[int, Field(ge=0, le=1000)] = 5
    """Percentage by which the shadow may be slower; default 5."""


class LatencyP99Gate(GateSettings):
    """99th percentile of latency against the reference's (runbook: < 10 %)."""

    max_increase_percent: Annotated[int, Field(ge=0, le=1000)] = 10
    """Percentage by which the shadow may be slower; default 10."""


class ThroughputGate(AdvisoryGateSettings):
    """Answers against the reference's to the same requests (runbook: similar).

    Messages and signals are not counted: no public name of such a counter is known.
    """

    max_difference_percent: WholePercent = 10
    """Percentage by which they may differ; default 10."""


class HeadroomGate(GateSettings):
    """Room in the cluster before the start (runbook: CPU and memory > 50 %, network > 60 %)."""

    min_cpu_percent: WholePercent = 50
    """Free CPU in percent; default 50."""

    min_memory_percent: WholePercent = 50
    """Free memory in percent; default 50."""

    min_network_percent: WholePercent = 60
    """Free network capacity in percent; default 60. Known where a Prometheus has node exporter's
    metrics of it; where it is not, status says so, and it fails nothing."""


class ResourcesGate(GateSettings):
    """What the shadow uses, against its limits (runbook: within limits, stable)."""

    max_percent_of_limit: Annotated[int, Field(ge=1, le=100)] = 90
    """Percentage (1..100, default 90) of the memory limit, and of the CPU limit, of a container
    that may be used for 5 minutes."""


class MemoryGrowthGate(GateSettings):
    """Growth of memory after the initial rise (runbook: stable)."""

    max_percent_per_day: WholePercent = 5
    """Growth in percent of the memory limit per day; default 5."""


class LogVolumeGate(AdvisoryGateSettings):
    """What the shadow logs, against the reference (runbook: log volume manageable)."""

    max_increase_percent: Annotated[int, Field(ge=0, le=10_000)] = 100
    """Percentage by which it may log more, in bytes; default 100, twice as much."""


class IgnoredAlert(Model):
    """An alert that says nothing about the shadow."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    """Name of the alert."""

    reason: Justification
    """Why, for whoever reads the verdict."""


class AlertsGate(GateSettings):
    """Alerts that began after mirroring began (runbook: no alerts triggered)."""

    ignore: Annotated[
        tuple[IgnoredAlert, ...], Field(max_length=32, json_schema_extra=keyed_by("name"))
    ] = ()
    """Alerts that do not count."""


class Gates(Model):
    """What must hold before `ProceedToCanary`. The defaults are the runbook's numbers."""

    production_impact: GateSettings = GateSettings()
    """Production runs no worse than without copies, by the thresholds of `guard`."""

    critical_differences: GateSettings = GateSettings()
    """No critical difference: status class, missing member, JSON type, `comparison.critical`."""

    match_rate: MatchRateGate = MatchRateGate()
    """Response match rate."""

    shadow_errors: ExcessGate = ExcessGate()
    """Errors of the shadow in excess of the reference's."""

    timeouts: ExcessGate = ExcessGate()
    """Timeouts of the shadow in excess of the reference's."""

    layers: GateSettings = GateSettings()
    """Every layer of `layers` says that it is healthy."""

    learning: GateSettings = GateSettings()
    """Learning goes on in the shadow, where `learning` is `ShadowOnly`."""

    coverage: CoverageGate = CoverageGate()
    """Copies received of those expected."""

    eligible_share: EligibleShareGate = EligibleShareGate()
    """Share of production's requests that is eligible."""

    unproven: UnprovenGate = UnprovenGate()
    """Share of pairs that prove nothing."""

    judged_share: JudgedShareGate = JudgedShareGate()
    """Share of the answers that was really compared."""

    minimum_pairs: MinimumPairsGate = MinimumPairsGate()
    """Pairs that a verdict needs."""

    routes: RoutesGate = RoutesGate()
    """Routes that must be judged."""

    latency_p50: LatencyP50Gate = LatencyP50Gate()
    """Median latency."""

    latency_p99: LatencyP99Gate = LatencyP99Gate()
    """99th percentile of latency."""

    throughput: ThroughputGate = ThroughputGate()
    """Throughput."""

    headroom: HeadroomGate = HeadroomGate()
    """Room in the cluster before the start."""

    resources: ResourcesGate = ResourcesGate()
    """Memory and CPU of the shadow within limits, no kill for want of memory."""

    memory_growth: MemoryGrowthGate = MemoryGrowthGate()
    """Growth of the shadow's memory."""

    log_volume: LogVolumeGate = LogVolumeGate()
    """How much the shadow logs; known where the operator has a Prometheus."""

    alerts: AlertsGate = AlertsGate()
    """Alerts since mirroring began."""


class Guard(Model):
    """When production counts as harmed, so that mirroring stops at once.

    Provider `Envoy` counts production's requests; with others its own metrics tell, where a preset
    names them, and else nothing is guarded.
    """

    baseline_seconds: Seconds = 300
    """Seconds (default 300) for which production's requests are recorded before the first copy.
    Provider `External` does not wait where no preset names production's metrics."""

    max_p50_increase_percent: Annotated[int, Field(ge=1, le=1000)] = 5
    """Percentage by which production's median latency may rise; default 5."""

    max_p99_increase_percent: Annotated[int, Field(ge=1, le=1000)] = 10
    """Percentage by which production's 99th percentile may rise; default 10."""

    max_error_increase_percent: PercentText = "0.1"
    """Percentage points by which production's error rate may rise; default `"0.1"`."""

    for_seconds: Annotated[int, Field(ge=1, le=86400)] = 60
    """Seconds (1..86400, default 60) that it must last before mirroring stops."""

    recovery_seconds: Annotated[int, Field(ge=1, le=86400)] = 180
    """Seconds (1..86400, default 180) within which production recovers if the mirror did it."""


LayerName = Annotated[
    str,
    Field(max_length=32),
    matching(
        "^[A-Za-z][A-Za-z0-9-]*$",
        "write the name of a layer: a letter, then letters, digits and '-'",
    ),
]


class Spec(Model):
    """What a person asks for.

    The smallest useful spec has `phase: Shadow`, `productionRef` and `shadow.image`; all else has
    defaults, and the defaults are the runbook's numbers.
    """

    phase: RequestedPhase = RequestedPhase.NONE
    """`Shadow` creates everything and mirrors; `None` (default) takes it down in a safe order and
    keeps the last verdict."""

    sampling_percent: WholePercent = 100
    """Percentage (0..100, default 100) of eligible production requests that are copied."""

    layers: Annotated[tuple[LayerName, ...], Field(max_length=16, json_schema_extra=as_set())] = ()
    """Layers of the new version that are switched on, probed and judged, e.g. `[Substrate,
    Protocol]`. One that is not listed is switched off in the shadow. Default: the service has
    none."""

    preset: PresetName | None = None
    """`HAL9` knows that system's layer probes, environment, metrics and learning markers; `None`
    knows nothing. Default: `HAL9` where `layers` is set, else `None`."""

    suspend: bool = False
    """Stops the mirror and the soak clock, keeps the clones. Default: false. In an emergency the
    annotation `hal9.ai/stop: <why>` on the resource or its namespace does the same and wins over
    this field."""

    restarted_at: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Any new string starts the soak again and resumes after a pause, e.g. the current time."""

    learning: Learning = Learning.DISABLED
    """`ShadowOnly` lets the shadow learn, and only it, through the preset's environment; it needs a
    preset that knows how. Default: `Disabled`. A change starts a new epoch: evidence and soak begin
    at zero."""

    production_ref: ProductionRef
    """The workload that serves production."""

    shadow: Shadow
    """The new version."""

    reference: Reference = Reference()
    """What the shadow is compared with."""

    clones: Clones = Clones()
    """How shadow and reference are cloned from production."""

    mirror: Mirror = Mirror()
    """How requests are copied. Other `methods`, `include`, `exclude` or `forwardHeaders` start a
    new epoch: evidence and soak begin at zero."""

    comparison: Comparison = Comparison()
    """How answers are compared. A changed rule re-judges what was already counted; other `routes`,
    `timeoutSeconds` or `maxBodyBytes` start a new epoch."""

    gates: Gates = Gates()
    """What must hold before `ProceedToCanary`."""

    guard: Guard = Guard()
    """When production counts as harmed."""

    soak_seconds: Annotated[int, Field(ge=1, le=2_592_000)] = 86_400
    """Seconds (1..2592000, default 86400, a day) that the shadow must run well before the verdict
    can be `ProceedToCanary`."""

    max_duration_seconds: Annotated[int, Field(ge=1, le=LONGEST_RUN)] = 172_800
    """Seconds (1..5184000, default 172800, two days) of mirroring, from the first copy, after
    which `afterVerdict` applies whatever the verdict is; at least `soakSeconds`."""

    after_verdict: AfterVerdict = AfterVerdict.STOP_MIRROR
    """`StopMirror` (default) stops mirroring once the verdict is final and keeps the clones to look
    at; `Keep` goes on; `TearDown` removes everything but verdict and report."""

    self_test: SelfTest = SelfTest.DISABLED
    """Tests the judge on your own service before you trust it: production's version runs as the
    shadow instead of `shadow.image`. `Unchanged` passes when nothing counts as a difference,
    `PlantedFault` when wrong values that the comparator plants in one of fifty answers are caught.
    The condition `SelfTestPassed` says so; the verdict is never `ProceedToCanary`. Default:
    `Disabled`."""

    approval: Approval = Approval.NOT_REQUIRED
    """`Required`: a person must approve the epoch (`records`) before the verdict can be
    `ProceedToCanary`; a rejection makes it `Investigate`. No approval overrides a gate that failed.
    Default: `NotRequired`."""

    records: Annotated[
        tuple[Record, ...], Field(max_length=32, json_schema_extra=keyed_by("time", "by"))
    ] = ()
    """What people decided and noted: who, when and why. `kubectl shadow approve`, `reject` and
    `note` write it, and it may stand in Git as well."""

    layer_path_template: PathTemplate | None = None
    """Path on the shadow where a layer tells its health; `{layer}` is its name in lower case, e.g.
    `/layers/{layer}/health`. Default: the preset's; needed for layers without a preset."""

    def mode(self, gate: GateName) -> GateMode:
        """Give the mode of the gate."""
        if gate is GateName.APPROVAL:
            wanted = self.approval is Approval.REQUIRED
            return GateMode.REQUIRED if wanted else GateMode.OFF
        settings: GateSettings | AdvisoryGateSettings = getattr(self.gates, gate.replace("-", "_"))
        return settings.mode

    @property
    def effective_preset(self) -> Preset | None:
        """What the preset in force knows."""
        return PRESETS[self.effective_preset_name]

    @property
    def effective_preset_name(self) -> PresetName:
        """The preset in force: the named one, or HAL9 where layers are named and no preset is."""
        return self.preset or (PresetName.HAL9 if self.layers else PresetName.NONE)

    @property
    def tells_by_metrics(self) -> bool:
        """Whether the shadow's own metrics are read: of learning, and of the neurons of layers."""
        asked = self.learning is Learning.SHADOW_ONLY or bool(self.layers)
        return asked and self.effective_preset is not None

    @property
    def sees_production(self) -> bool:
        """Whether something counts production's requests: Envoy, or metrics that a preset names."""
        return self.mirror.provider is MirrorProvider.ENVOY or self.effective_preset is not None

    @property
    def effective_learning_marker(self) -> str | None:
        """The place in force that marks answers that learning changed, or None."""
        preset = self.effective_preset if self.learning is Learning.SHADOW_ONLY else None
        return self.comparison.learning_marker or (preset.learning_marker if preset else None)

    @property
    def effective_routes(self) -> tuple[str, ...]:
        """The declared path templates in force; the first that matches a path wins."""
        preset = self.effective_preset
        return (*self.comparison.routes, *(preset.routes if preset else ()))

    @property
    def effective_layer_path_template(self) -> str | None:
        """The path template of layer probes in force, or None where the service has no layers."""
        preset = self.effective_preset
        return self.layer_path_template or (preset.layer_path_template if preset else None)
