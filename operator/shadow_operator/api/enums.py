"""Words that spec and status share; reasons and condition types stand in `reasons`."""

from enum import StrEnum


class RequestedPhase(StrEnum):
    """What a person asks for in `spec.phase`."""

    NONE = "None"
    SHADOW = "Shadow"


class Phase(StrEnum):
    """Where the machinery is; for people, decisions read conditions."""

    IDLE = "Idle"
    PENDING = "Pending"
    RECORDING = "Recording"
    DEPLOYING = "Deploying"
    MIRRORING = "Mirroring"
    SOAKING = "Soaking"
    PAUSED = "Paused"
    COMPLETED = "Completed"
    ABORTED = "Aborted"
    TERMINATING = "Terminating"


class PresetName(StrEnum):
    """A family of services whose names the operator knows."""

    HAL9 = "HAL9"
    NONE = "None"


class Learning(StrEnum):
    """Whether the shadow may learn."""

    DISABLED = "Disabled"
    SHADOW_ONLY = "ShadowOnly"


class ReferenceMode(StrEnum):
    """What the shadow is compared with."""

    CLONE = "Clone"
    PRODUCTION = "Production"
    NONE = "None"


class Egress(StrEnum):
    """What clones may reach besides DNS and `egressTo`."""

    DENY = "Deny"
    ALLOW = "Allow"


class Isolation(StrEnum):
    """Whether clones may run where nobody enforces NetworkPolicy."""

    REQUIRED = "Required"
    BEST_EFFORT = "BestEffort"


class MirrorProvider(StrEnum):
    """What copies the requests."""

    ENVOY = "Envoy"
    GATEWAY_API = "GatewayAPI"
    ISTIO = "Istio"
    EXTERNAL = "External"


class Method(StrEnum):
    """HTTP methods that can be mirrored."""

    GET = "GET"
    HEAD = "HEAD"
    OPTIONS = "OPTIONS"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


class Protocol(StrEnum):
    """Transport of a port."""

    TCP = "TCP"
    UDP = "UDP"


class PathMatchType(StrEnum):
    """How a path is matched."""

    PREFIX = "Prefix"
    EXACT = "Exact"


class SelfTest(StrEnum):
    """Whether the judge is tested instead of the new version."""

    DISABLED = "Disabled"
    UNCHANGED = "Unchanged"
    """Production's own version in both roles: nothing may count as a difference."""
    PLANTED_FAULT = "PlantedFault"
    """The same, with wrong answers planted in the comparator: they must be caught."""


class RouteResult(StrEnum):
    """How a route of production stands."""

    JUDGED = "Judged"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    """It must be judged, and can't be yet."""
    UNTESTED = "Untested"
    """It can't be judged, and is too rare to be waited for."""


class AfterVerdict(StrEnum):
    """What happens once the verdict is final."""

    STOP_MIRROR = "StopMirror"
    KEEP = "Keep"
    TEAR_DOWN = "TearDown"


class Approval(StrEnum):
    """Whether a person must approve before the verdict may be `ProceedToCanary`."""

    NOT_REQUIRED = "NotRequired"
    REQUIRED = "Required"


class RecordedDecision(StrEnum):
    """What a person says in `spec.records`."""

    APPROVED = "Approved"
    REJECTED = "Rejected"
    NOTED = "Noted"


class GateMode(StrEnum):
    """Whether a gate blocks."""

    REQUIRED = "Required"
    """Must pass before `ProceedToCanary`."""
    ADVISORY = "Advisory"
    """Is measured and shown, never blocks."""
    OFF = "Off"
    """Is not measured."""


class GateName(StrEnum):
    """Gates in the order in which they are judged.

    `spec.gates` has a field for each but the last, which `spec.approval` asks for.
    """

    PRODUCTION_IMPACT = "production-impact"
    CRITICAL_DIFFERENCES = "critical-differences"
    MATCH_RATE = "match-rate"
    SHADOW_ERRORS = "shadow-errors"
    TIMEOUTS = "timeouts"
    LAYERS = "layers"
    LEARNING = "learning"
    COVERAGE = "coverage"
    ELIGIBLE_SHARE = "eligible-share"
    UNPROVEN = "unproven"
    JUDGED_SHARE = "judged-share"
    MINIMUM_PAIRS = "minimum-pairs"
    ROUTES = "routes"
    LATENCY_P50 = "latency-p50"
    LATENCY_P99 = "latency-p99"
    THROUGHPUT = "throughput"
    HEADROOM = "headroom"
    RESOURCES = "resources"
    MEMORY_GROWTH = "memory-growth"
    LOG_VOLUME = "log-volume"
    ALERTS = "alerts"
    APPROVAL = "approval"


class GateResult(StrEnum):
    """Outcome of a gate."""

    PASSED = "Passed"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    """Measured, but the numbers do not decide yet."""
    ERROR = "Error"
    """Could not be measured."""
    NOT_APPLICABLE = "NotApplicable"
    """Says nothing here; never blocks."""


class Decision(StrEnum):
    """The verdict, in the words of the runbook."""

    PROCEED_TO_CANARY = "ProceedToCanary"
    EXTEND_SHADOW = "ExtendShadow"
    INVESTIGATE = "Investigate"


class SoakState(StrEnum):
    """What the soak clock does."""

    NOT_STARTED = "NotStarted"
    RUNNING = "Running"
    STOPPED = "Stopped"
    COMPLETE = "Complete"


class HealthState(StrEnum):
    """What a layer or workload says about itself."""

    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"
    DISABLED = "Disabled"
    """Switched off on purpose: not probed, not judged."""
    UNKNOWN = "Unknown"


class UsedBy(StrEnum):
    """Whose pods use something."""

    SHADOW = "shadow"
    REFERENCE = "reference"
    PRODUCTION = "production"


class CheckResult(StrEnum):
    """Outcome of a check before the start."""

    PASSED = "Passed"
    FAILED = "Failed"
    UNKNOWN = "Unknown"
