"""Condition types, and the reasons of conditions, verdicts and events.

A reason is one word that programs may compare; the sentence beside it is for people.
"""

from enum import StrEnum


class ConditionType(StrEnum):
    """Conditions in the order in which status lists them."""

    ACCEPTED = "Accepted"
    SHADOW_AVAILABLE = "ShadowAvailable"
    ISOLATED = "Isolated"
    MIRRORING_ACTIVE = "MirroringActive"
    RESPONSES_MATCH = "ResponsesMatch"
    RESOURCES_ACCEPTABLE = "ResourcesAcceptable"
    PRODUCTION_UNAFFECTED = "ProductionUnaffected"
    LEARNING_ACTIVE = "LearningActive"
    SOAK_COMPLETE = "SoakComplete"
    SELF_TEST_PASSED = "SelfTestPassed"
    """Only present in a self-test."""
    READY = "Ready"
    """The machinery does what spec asks; True even when the verdict is `Investigate`."""
    RECONCILING = "Reconciling"
    """Only present while True (kstatus)."""
    STALLED = "Stalled"
    """Only present while True (kstatus)."""


class ConditionStatus(StrEnum):
    """Status of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Reasons of conditions, grouped by the condition that uses them first."""

    # Any condition
    NOT_REQUESTED = "NotRequested"
    NOT_MEASURED = "NotMeasured"
    IN_PROGRESS = "InProgress"

    # Accepted
    ACCEPTED = "Accepted"
    INVALID_SPEC = "InvalidSpec"
    NOT_SUPPORTED_YET = "NotSupportedYet"
    PRODUCTION_NOT_FOUND = "ProductionNotFound"
    CHILD_NAME_TAKEN = "ChildNameTaken"
    SELECTOR_CONFLICT = "SelectorConflict"
    CLONE_REFUSED = "CloneRefused"

    # ShadowAvailable
    AVAILABLE = "Available"
    DEPLOYING = "Deploying"
    UNAVAILABLE = "Unavailable"
    CRASH_LOOP = "CrashLoop"

    # Isolated
    ENFORCED = "Enforced"
    NOT_ENFORCED = "NotEnforced"
    NOT_TESTED = "NotTested"
    PROBE_FAILED = "ProbeFailed"

    # MirroringActive
    MIRRORING = "Mirroring"
    NOT_ATTACHED = "NotAttached"
    NO_TRAFFIC = "NoTraffic"
    STARTING = "Starting"
    SUSPENDED = "Suspended"
    STOPPED = "Stopped"
    ZERO_PERCENT = "ZeroPercent"
    VERDICT_REACHED = "VerdictReached"
    PRODUCTION_SUSPECTED = "ProductionSuspected"
    PRODUCTION_HARMED = "ProductionHarmed"

    # ResponsesMatch
    MATCH = "Match"
    MISMATCH = "Mismatch"
    CRITICAL_DIFFERENCE = "CriticalDifference"
    INSUFFICIENT_EVIDENCE = "InsufficientEvidence"

    # LearningActive
    LEARNING = "Learning"
    NO_CYCLES = "NoCycles"

    # ResourcesAcceptable
    WITHIN_LIMITS = "WithinLimits"
    LIMITS_EXCEEDED = "LimitsExceeded"
    MEMORY_GROWS = "MemoryGrows"
    HEADROOM_LACKING = "HeadroomLacking"

    # ProductionUnaffected
    UNAFFECTED = "Unaffected"
    DEGRADED_REGARDLESS = "DegradedRegardless"

    # SoakComplete
    SOAK_COMPLETE = "SoakComplete"
    SOAKING = "Soaking"
    SOAK_STOPPED = "SoakStopped"
    NOT_STARTED = "NotStarted"

    # SelfTestPassed
    SELF_TEST_PASSED = "SelfTestPassed"
    SELF_TEST_FAILED = "SelfTestFailed"

    # Ready, Reconciling, Stalled
    AS_REQUESTED = "AsRequested"
    NOT_READY = "NotReady"
    TERMINATING = "Terminating"


class VerdictReason(StrEnum):
    """Why the verdict is what it is."""

    ALL_GATES_PASSED = "AllGatesPassed"
    GATE_FAILED = "GateFailed"
    CRITICAL_DIFFERENCE = "CriticalDifference"
    PRODUCTION_HARMED = "ProductionHarmed"
    INSUFFICIENT_EVIDENCE = "InsufficientEvidence"
    GATE_ERROR = "GateError"
    SOAK_INCOMPLETE = "SoakIncomplete"
    SOAK_TOO_SHORT = "SoakTooShort"
    """A gate needs more time than the soak still takes."""
    MAX_DURATION_REACHED = "MaxDurationReached"
    SELF_TEST_PASSED = "SelfTestPassed"
    SELF_TEST_FAILED = "SelfTestFailed"


class SoakReason(StrEnum):
    """Why the soak clock stands (docs/verdict.md, "Soak and epoch")."""

    NO_COPIES = "NoCopies"
    CLONES_UNAVAILABLE = "ClonesUnavailable"
    COVERAGE_LOST = "CoverageLost"
    COVERAGE_UNKNOWN = "CoverageUnknown"
    COMPARATORS_UNREADABLE = "ComparatorsUnreadable"
    SUSPENDED = "Suspended"
    STOPPED = "Stopped"
    ZERO_PERCENT = "ZeroPercent"
    DEPLOYING = "Deploying"
    NOT_MIRRORING = "NotMirroring"
    PRODUCTION_SUSPECTED = "ProductionSuspected"
    PRODUCTION_DEGRADED = "ProductionDegraded"
    PRODUCTION_HARMED = "ProductionHarmed"
    GATE_FAILED = "GateFailed"


class EventReason(StrEnum):
    """Reasons of events; one for each transition, so that they can be filtered."""

    REFUSED = "Refused"
    ACCEPTED = "Accepted"
    CLONES_AVAILABLE = "ClonesAvailable"
    CLONES_UNAVAILABLE = "ClonesUnavailable"
    MIRRORING_STARTED = "MirroringStarted"
    MIRRORING_STOPPED = "MirroringStopped"
    SAMPLING_CHANGED = "SamplingChanged"
    DRIFT_REPAIRED = "DriftRepaired"
    EPOCH_STARTED = "EpochStarted"
    SOAK_RESTARTED = "SoakRestarted"
    SOAK_TOO_SHORT = "SoakTooShort"
    SOAK_COMPLETED = "SoakCompleted"
    VERDICT_CHANGED = "VerdictChanged"
    PRODUCTION_SUSPECTED = "ProductionSuspected"
    PRODUCTION_HARMED = "ProductionHarmed"
    PRODUCTION_DEGRADED = "ProductionDegraded"
    MIRRORING_RESUMED = "MirroringResumed"
    ANNOTATION_FAILED = "AnnotationFailed"
