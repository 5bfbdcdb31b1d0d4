"""Marks for dashboards: what a person who looks at production's graphs must know of a shadow.

Each is made once, in the reconcile that remembers its cause in the evidence: an operator that
starts anew finds it remembered, and makes none.
"""

from collections.abc import Iterator
from typing import Final

from shadow_operator.api.enums import Decision, Phase
from shadow_operator.api.status import Status
from shadow_operator.core.actions import Annotation, Mark
from shadow_operator.core.telling.view import View

TEXT_LENGTH: Final = 500
"""A longer text is cut: it stands in a small window over a graph."""


def annotations(view: View, after: Status) -> tuple[Annotation, ...]:
    """Give the marks of this reconcile, oldest cause first."""
    return tuple(
        Annotation(mark, view.now, f"{_who(view)}: {text}"[:TEXT_LENGTH], begins_copies=begins)
        for mark, text, begins in (*_deployment(view), *_copies(view), *_verdict(view, after))
    )


def _who(view: View) -> str:
    return f"Shadow {view.situation.resource.namespace}/{view.situation.name}"


def _deployment(view: View) -> Iterator[tuple[Mark, str, bool]]:
    """Tell that a shadow comes, and that it goes."""
    situation, before = view.situation, view.situation.progress
    if view.progress.deployed and not before.deployed:
        yield Mark.START, f"deployment started, image {situation.spec.shadow.image}", False
    elif before.deployed and not situation.wants_clones and not _told_of_deletion(view):
        yield Mark.STOP, "the shadow is taken down", False


def _told_of_deletion(view: View) -> bool:
    """Whether an earlier look saw the deletion: it keeps no evidence, so status has to tell."""
    return view.situation.deleting and view.before.phase is Phase.TERMINATING


def _copies(view: View) -> Iterator[tuple[Mark, str, bool]]:
    was, now = view.situation.progress.mirroring, view.progress.mirroring
    if now and not was:
        share = view.situation.spec.sampling_percent
        yield Mark.START, f"copying begins, {share} % of the eligible requests after the ramp", True
    elif was and not now and view.situation.wants_clones:
        mark = Mark.STOP if view.over else Mark.PAUSE
        yield mark, f"copying ends: {view.progress.off_reason}", False


def _verdict(view: View, after: Status) -> Iterator[tuple[Mark, str, bool]]:
    """Tell a verdict that says yes or no, and the one that a run ends with."""
    if after.verdict is None:
        return
    decision, before = after.verdict.decision, view.before.verdict
    decided = decision is not Decision.EXTEND_SHADOW
    changed = before is None or before.decision is not decision
    ended = view.progress.finished and not view.situation.progress.finished
    if (changed and decided) or (ended and not decided):
        yield Mark.VERDICT, f"{decision}: {after.verdict.message}", False
