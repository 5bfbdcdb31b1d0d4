"""What `plan` decides: everything that a reconcile will do, and nothing that it has done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shadow_operator.api.reasons import EventReason
from shadow_operator.core.snapshot import Manifest, ObjectRef


@dataclass(frozen=True, slots=True)
class Event:
    """A transition, for `kubectl describe` and `kubectl events`."""

    reason: EventReason
    message: str
    warning: bool = False


class Mark(StrEnum):
    """The tag of an annotation that says what it marks; the runbook's words."""

    START = "shadow-start"
    PAUSE = "shadow-pause"
    VERDICT = "shadow-verdict"
    STOP = "shadow-stop"


@dataclass(frozen=True, slots=True)
class Annotation:
    """A mark in the graphs of a dashboard."""

    mark: Mark
    time: float
    """When it happened, in seconds since the epoch."""
    text: str
    begins_copies: bool = False
    """It is not so where copies that were to begin are held back."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """Exactly the object that was read, by uid: one that was made anew meanwhile is spared."""

    ref: ObjectRef
    uid: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Carried out in the order of the fields; status comes last and says what was observed.

    Only copies begin, or become more, after the evidence is kept and the children are changed:
    nothing is copied that nobody would know of after a restart.
    """

    finalizer: bool | None = None
    """True: it must be there before anything else; False: all is down, take it off; None: as is."""
    percent: Mapping[str, int] = field(default_factory=dict)
    """Envoy pod name -> mirror percentage to tell it."""
    evidence: Manifest | None = None
    """The evidence ConfigMap, to be written under its `resourceVersion`; None: unchanged."""
    report: ObjectRef | None = None
    """The ConfigMap that shall keep a report of this evidence and status; None: none is due."""
    apply: tuple[Manifest, ...] = ()
    """Children that are missing or differ, in order."""
    delete: tuple[Deletion, ...] = ()
    status: Mapping[str, Any] | None = None
    """The whole status; None: unchanged."""
    events: tuple[Event, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    requeue_after: float = 30.0
    """Seconds until the next look, if no event comes before."""
