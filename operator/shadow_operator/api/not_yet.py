"""Fields whose behaviour comes in a later version: refused in a sentence, never silently ignored.

The refusal is the operator's (`Accepted=False, NotSupportedYet`), not the schema's, so that the
schema stays stable while features arrive. A feature that works loses its line here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic.alias_generators import to_camel

from shadow_operator.api.enums import Approval, Learning, MirrorProvider, ReferenceMode
from shadow_operator.api.spec import Gates, Spec


@dataclass(frozen=True)
class NotYet:
    """One field that must keep its default, and the sentence for who changed it."""

    path: str
    is_used: Callable[[Spec], bool]
    sentence: str
    several: str = ""
    """The sentence for several fields of the same one; empty: the same sentence."""


_GATES = Gates()
_UNJUDGED_GATES = (
    "routes",
    "latency_p50",
    "latency_p99",
    "throughput",
    "headroom",
    "memory_growth",
    "alerts",
)

_RULES = "these rules are not supported yet; remove them, or ignore the path with a reason."


def _changes_gate(gate: str) -> Callable[[Spec], bool]:
    return lambda spec: getattr(spec.gates, gate) != getattr(_GATES, gate)


NOT_YET: tuple[NotYet, ...] = (
    NotYet(
        "spec.learning",
        lambda spec: spec.learning is not Learning.DISABLED,
        "learning in the shadow is not supported yet; set learning: Disabled.",
    ),
    NotYet(
        "spec.reference.mode",
        lambda spec: spec.reference.mode is ReferenceMode.PRODUCTION,
        "comparing with production's own pods is not supported yet; set mode: Clone, or None.",
    ),
    NotYet(
        "spec.mirror.provider",
        lambda spec: spec.mirror.provider in {MirrorProvider.GATEWAY_API, MirrorProvider.ISTIO},
        "this provider is not supported yet; set provider: Envoy, or External and send copies to "
        "the comparator's Service yourself.",
    ),
    NotYet(
        "spec.comparison.tolerances",
        lambda spec: bool(spec.comparison.tolerances),
        _RULES,
    ),
    NotYet(
        "spec.comparison.expectedVariations",
        lambda spec: bool(spec.comparison.expected_variations),
        _RULES,
    ),
    NotYet(
        "spec.comparison.learningMarker",
        lambda spec: spec.comparison.learning_marker is not None,
        "learning markers are not supported yet; remove the field.",
    ),
    *(
        NotYet(
            f"spec.gates.{to_camel(gate)}",
            _changes_gate(gate),
            "this gate is not judged yet; remove it.",
            "these gates are not judged yet; remove them.",
        )
        for gate in _UNJUDGED_GATES
    ),
    NotYet(
        "spec.approval",
        lambda spec: spec.approval is not Approval.NOT_REQUIRED,
        "approval by a person is not supported yet; set approval: NotRequired.",
    ),
)


def refusals(spec: Spec) -> tuple[str, ...]:
    """Give a sentence for all fields of one kind that this version can't honour."""
    kinds: dict[str, list[NotYet]] = {}
    for entry in NOT_YET:
        if entry.is_used(spec):
            kinds.setdefault(entry.sentence, []).append(entry)
    return tuple(map(_sentence, kinds.values()))


def _sentence(entries: list[NotYet]) -> str:
    first = entries[0]
    text = first.several if first.several and len(entries) > 1 else first.sentence
    return f"{', '.join(entry.path for entry in entries)}: {text}"
