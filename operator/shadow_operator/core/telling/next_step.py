"""What a person can do next: one command for what stands first in the way."""

from shadow_operator.api.enums import Decision, RequestedPhase
from shadow_operator.api.names import ANNOTATION_STOP, LABEL_SHADOW, SINGULAR, Role
from shadow_operator.api.reasons import ConditionType
from shadow_operator.core import names
from shadow_operator.core.commands import Commands
from shadow_operator.core.planning import evidence
from shadow_operator.core.planning.situation import Situation
from shadow_operator.core.telling.view import View


def of(view: View) -> str | None:
    """Give the command for where the resource stands; None where there is nothing to do."""
    situation, spec = view.situation, view.situation.spec
    commands = Commands.of(situation.resource)
    for holds, step in (
        (situation.deleting, ""),
        (view.refused, (view.refused and view.refused.next_step) or commands.edit()),
        (view.problem, for_broken(situation)),
        (
            spec.phase is RequestedPhase.NONE and situation.finished,
            # With the evidence that ended the last run, the next would be over at once.
            commands.restart(phase="Shadow"),
        ),
        (spec.phase is RequestedPhase.NONE, commands.patch({"phase": "Shadow"})),
        (view.paused and situation.stop is not None, _go_on(situation)),
        (view.paused and spec.suspend, commands.patch({"suspend": False})),
        (view.guard.paused(spec) and not view.over, commands.restart()),
        (
            view.guard.holds(spec) and not view.over,
            commands.wait(ConditionType.MIRRORING_ACTIVE, 2 * spec.guard.recovery_seconds + 300),
        ),
        (view.blocked, commands.patch({"clones": {"isolation": "BestEffort"}})),
        (
            view.unattached,
            commands.run("get", "service", names.child(situation.name, Role.MIRROR)),
        ),
        (
            view.steps.recording,
            commands.wait(ConditionType.MIRRORING_ACTIVE, spec.guard.baseline_seconds + 300),
        ),
        (
            view.steps.waiting,
            commands.run("get", "pods", "-l", f"{LABEL_SHADOW}={situation.name}"),
        ),
        (
            _undecided(view) and spec.sampling_percent == 0,
            commands.patch({"samplingPercent": 100}),
        ),
        (
            _undecided(view) and not situation.through_envoy and _silent(view),
            commands.run("get", "service", names.child(situation.name, Role.COMPARATOR)),
        ),
    ):
        if holds:
            return step or None
    return (view.judgement.next_step or None) if view.judgement else None


def for_broken(situation: Situation) -> str:
    """Give the command after which evidence begins anew."""
    kept = evidence.reference(situation.name)
    return Commands.of(situation.resource).run("delete", kept.kind.lower(), kept.name)


def _go_on(situation: Situation) -> str:
    resource, off = situation.resource, f"{ANNOTATION_STOP}-"
    if ANNOTATION_STOP in resource.metadata.annotations:
        return Commands.of(resource).run("annotate", SINGULAR, resource.name, off)
    return f"kubectl annotate namespace {resource.namespace} {off}"


def _undecided(view: View) -> bool:
    verdict = view.judgement.verdict if view.judgement else None
    waits = verdict is None or verdict.decision is Decision.EXTEND_SHADOW
    return waits and view.situation.wants_copies


def _silent(view: View) -> bool:
    return view.judgement is None or view.judgement.comparison.received == 0
