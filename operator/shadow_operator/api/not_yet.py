"""Fields whose behaviour comes in a later version: refused in a sentence, never silently ignored.

The refusal is the operator's (`Accepted=False, NotSupportedYet`), not the schema's, so that the
schema stays stable while features arrive. A feature that works loses its line here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from shadow_operator.api.enums import MirrorProvider, ReferenceMode
from shadow_operator.api.spec import Spec


@dataclass(frozen=True)
class NotYet:
    """One field that must keep its default, and the sentence for who changed it."""

    path: str
    is_used: Callable[[Spec], bool]
    sentence: str


NOT_YET: tuple[NotYet, ...] = (
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
)


def refusals(spec: Spec) -> tuple[str, ...]:
    """Give a sentence for each field that this version can't honour."""
    return tuple(f"{entry.path}: {entry.sentence}" for entry in NOT_YET if entry.is_used(spec))
