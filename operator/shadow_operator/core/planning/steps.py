"""What to do with the children and the mirror, before evidence and status are added."""

from dataclasses import dataclass

from shadow_operator.core.actions import Deletion
from shadow_operator.core.planning.isolation import IsolationState
from shadow_operator.core.snapshot import Manifest


@dataclass(frozen=True, slots=True)
class Steps:
    """One reconcile's worth of moves towards what spec asks for."""

    percent: int = 0
    """Percentage that every Envoy should mirror."""
    apply: tuple[Manifest, ...] = ()
    delete: tuple[Deletion, ...] = ()
    done: bool = False
    """On the way down: nothing is left but the stable entry."""
    waiting: str = ""
    """What it waits for, as a sentence; empty when all is as it should be."""
    recording: bool = False
    """The baseline: production's requests pass through Envoy for a while before the first copy."""
    next_look: float | None = None
    """Seconds until something is due by the clock alone."""
    leaving: bool = False
    """Nothing shall come through Envoy any more."""
    isolation: IsolationState | None = None
    notes: tuple[str, ...] = ()
    """What the clones have not of production's."""
