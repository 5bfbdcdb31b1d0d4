"""What a resource may say and seldom should: a sentence for whoever wrote it, and no refusal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shadow_operator.api.enums import (
    Egress,
    GateMode,
    GateName,
    Isolation,
    Method,
    MirrorProvider,
    ReferenceMode,
    RequestedPhase,
    SelfTest,
)
from shadow_operator.api.spec import Gates, PlaceRule, Spec

DAY: Final = 86_400
_SAFE: Final = frozenset({Method.GET, Method.HEAD, Method.OPTIONS})
_DEFAULTS: Final = Gates()


@dataclass(frozen=True)
class Advice:
    """One field, and what follows from what stands in it."""

    path: str
    applies: Callable[[Spec], object]
    sentence: str | Callable[[Spec], str]

    def of(self, spec: Spec) -> str:
        """Give the sentence with the field before it."""
        text = self.sentence if isinstance(self.sentence, str) else self.sentence(spec)
        return f"{self.path}: {text}"


def advice(spec: Spec) -> tuple[str, ...]:
    """Give a sentence for each thing that somebody may not have meant."""
    return tuple(entry.of(spec) for entry in ADVICE if entry.applies(spec))


def _compares(spec: Spec) -> bool:
    return spec.reference.mode is not ReferenceMode.NONE


def _no_control(spec: Spec) -> bool:
    alone = spec.clones.replicas == 1 or spec.reference.control_percent == 0
    return _compares(spec) and alone


def _off(spec: Spec) -> list[str]:
    """Name the gates that are required by default and don't block here."""
    return [
        field
        for field in Gates.model_fields
        if getattr(_DEFAULTS, field).mode is GateMode.REQUIRED
        and spec.mode(GateName(field.replace("_", "-"))) is not GateMode.REQUIRED
    ]


def _off_sentence(spec: Spec) -> str:
    named = ", ".join(name.replace("_", "-") for name in _off(spec))
    return f"{named} can't stop a verdict; set mode: Required, or say in the commit why not."


def _wide(rule: PlaceRule) -> bool:
    return rule.path in {"*", "$"}


ADVICE: Final[tuple[Advice, ...]] = (
    Advice(
        "spec.samplingPercent",
        lambda spec: spec.phase is RequestedPhase.SHADOW and spec.sampling_percent == 0,
        "with phase: Shadow everything is created and nothing is copied; set a percentage.",
    ),
    Advice(
        "spec.shadow.image",
        lambda spec: "@" not in spec.shadow.image,
        "a tag can move, and the soak begins anew when it does; a digest names what is tested.",
    ),
    Advice(
        "spec.selfTest",
        lambda spec: spec.self_test is not SelfTest.DISABLED,
        "the judge is tested, not spec.shadow.image; there is never a ProceedToCanary.",
    ),
    Advice(
        "spec.reference.mode",
        lambda spec: not _compares(spec),
        "answers are compared with nothing; only health and errors are judged.",
    ),
    Advice(
        "spec.clones.replicas",
        _no_control,
        "without a control, times and ids are excused by their kind alone; set replicas: 2 or more "
        "and reference.controlPercent above 0.",
    ),
    Advice(
        "spec.clones.isolation",
        lambda spec: spec.clones.isolation is Isolation.BEST_EFFORT,
        "clones run with production's environment even where nobody enforces their NetworkPolicy.",
    ),
    Advice(
        "spec.clones.egress",
        lambda spec: spec.clones.egress is Egress.ALLOW,
        "clones can reach everything that production reaches; name what they need in egressTo.",
    ),
    Advice(
        "spec.clones.serviceAccountToken",
        lambda spec: spec.clones.service_account_token,
        "clones can call the API server with production's rights.",
    ),
    Advice(
        "spec.mirror.methods",
        lambda spec: set(spec.mirror.methods) - _SAFE,
        "methods that write are repeated in every clone; give the clones stores of their own.",
    ),
    Advice(
        "spec.mirror.forwardHeaders",
        lambda spec: not spec.mirror.forward_headers,
        "no credentials are passed on; where routes need them both sides answer 401, which proves "
        "nothing. List Authorization, Cookie or X-Api-Key where the clones may have them.",
    ),
    Advice(
        "spec.mirror.provider",
        lambda spec: spec.mirror.provider is not MirrorProvider.ENVOY,
        lambda spec: (
            "coverage is not known, and production is guarded by what its own metrics say."
            if spec.sees_production
            else "production's requests are not seen, so nothing is guarded and coverage is not "
            "known."
        ),
    ),
    Advice(
        "spec.comparison.ignore",
        lambda spec: any(map(_wide, spec.comparison.ignore)),
        "a rule for a whole answer leaves only its status to be judged; name the places.",
    ),
    Advice("spec.gates", _off, _off_sentence),
    Advice(
        "spec.soakSeconds",
        lambda spec: spec.soak_seconds < DAY,
        "less than a day (86400) does not see a daily job, or a slow leak.",
    ),
    Advice(
        "spec.maxDurationSeconds",
        lambda spec: spec.max_duration_seconds < 1.5 * spec.soak_seconds,
        "a soak that begins anew can't complete in time; allow twice soakSeconds.",
    ),
    Advice(
        "spec.guard.baselineSeconds",
        lambda spec: spec.sees_production and spec.guard.baseline_seconds < 300,
        "less than 300 s of production before the first copy make the guard less sure.",
    ),
)
