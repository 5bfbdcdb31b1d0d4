"""The heart: `plan(snapshot, now) -> Plan`.

Read it from `plan` downwards: what can't be read or is not known changes nothing; `up` and `down`
give the next step towards what is asked for; evidence and status follow from it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from shadow_operator.api.errors import InvalidSpec
from shadow_operator.api.names import FINALIZER
from shadow_operator.api.reasons import Reason
from shadow_operator.api.status import Status
from shadow_operator.core.actions import Plan
from shadow_operator.core.deploying.ownership import earlier
from shadow_operator.core.errors import CannotClone, CannotMirror
from shadow_operator.core.planning import changes, evidence
from shadow_operator.core.planning.acceptance import Refusal, refusal
from shadow_operator.core.planning.down import down
from shadow_operator.core.planning.isolation import isolation
from shadow_operator.core.planning.situation import Situation
from shadow_operator.core.planning.steps import Steps
from shadow_operator.core.planning.up import foreseen, up
from shadow_operator.core.planning.upkeep import upkeep
from shadow_operator.core.recording.progress import Progress
from shadow_operator.core.snapshot import Found, Snapshot, Unknown
from shadow_operator.core.telling import annotations, events, reports, status
from shadow_operator.core.telling.unreadable import names_production, read_resource, salvage
from shadow_operator.core.telling.view import View

_SOON: Final = 2.0
"""Seconds until the next look while the operator's own work is under way."""
_WAITING: Final = 5.0
"""Seconds until the next look while others work: most of it wakes the operator by an event."""


def plan(snapshot: Snapshot, now: float) -> Plan:
    """Decide everything that one reconcile does; `now` in seconds since the epoch."""
    try:
        resource = read_resource(snapshot.body)
    except InvalidSpec as invalid:
        return _unreadable(snapshot, invalid, now)
    situation = Situation(snapshot, resource, now)
    if FINALIZER not in resource.metadata.finalizers:
        return Plan() if situation.deleting else Plan(finalizer=True, requeue_after=_SOON)
    unclear = next(_unclear(situation), "")
    if unclear:
        return _hold_still(situation, unclear)
    return _decide(situation)


def _decide(situation: Situation) -> Plan:
    refused = None if situation.deleting else refusal(situation)
    if not situation.wants_clones:
        return _with_evidence(situation, refused, down(situation))
    if refused is None:
        try:
            return _with_evidence(situation, None, up(situation))
        except (CannotClone, CannotMirror) as error:
            refused = Refusal(Reason.CLONE_REFUSED, (str(error),))
    held = Situation(situation.snapshot, situation.resource, situation.now, held=True)
    return _with_evidence(held, refused, _as_it_is(held, refused))


def _as_it_is(situation: Situation, refused: Refusal) -> Steps:
    """Leave what runs alone: a refused spec must not end a good run.

    A stop must end it all the same, and so must the end of production, whose copies they are. The
    entry follows production whatever is refused.
    """
    state, kept = isolation(situation), upkeep(situation)
    gone = refused.reason is Reason.PRODUCTION_NOT_FOUND
    if gone or situation.guarded or not situation.wants_copies:
        apply, waiting = (*kept.apply, *changes.closed(situation)), refused.message if gone else ""
        return Steps(apply=apply, waiting=waiting, isolation=state)
    if situation.through_envoy and kept.straight:
        return Steps(apply=kept.apply, waiting=refused.message, isolation=state)
    copying = situation.progress.mirroring and not situation.through_envoy
    external = situation.spec.sampling_percent if copying else 0
    percent = situation.effective_percent or external
    return Steps(percent=percent, apply=kept.apply, isolation=state)


# Evidence and status


def _with_evidence(situation: Situation, refused: Refusal | None, steps: Steps) -> Plan:
    told = _told(situation, steps)
    record = evidence.advance(
        situation,
        _advanced(situation, refused, steps),
        percent=steps.percent,
        switched=any(isinstance(situation.snapshot.mirrors.get(pod), Found) for pod in told),
        foreseen=foreseen(situation) if situation.records_baseline else (),
    )
    view = View(
        situation,
        refused,
        steps,
        record.judgement,
        record.progress,
        record.problem,
        record.last_measurement,
        record.ledger,
        record.baseline,
    )
    letting_go = situation.deleting and steps.done
    after = status.compose(view).to_dict()
    shown = Status.parse(after)
    return Plan(
        finalizer=False if letting_go else None,
        percent=told,
        apply=steps.apply,
        delete=steps.delete,
        evidence=None if situation.deleting else record.manifest,
        report=reports.due(view.before, shown),
        status=after if after != view.before.to_dict() and not letting_go else None,
        events=events.transitions(view, shown),
        annotations=annotations.annotations(view, shown),
        requeue_after=_SOON if _turns(view) else _requeue(situation, steps, told),
    )


def _turns(view: View) -> bool:
    """Whether the guard has just switched copies off, or on again: the next look does it."""
    return view.guard.holds(view.situation.spec) != view.situation.guarded


def _told(situation: Situation, steps: Steps) -> dict[str, int]:
    """Give the Envoys that have to change, and to what; one that can't be read is only stopped."""
    percent = steps.percent if situation.through_envoy else 0
    return {
        pod.name: percent
        for pod, item in situation.readings
        if pod.ip and (item.value.percent != percent if isinstance(item, Found) else not percent)
    }


def _advanced(situation: Situation, refused: Refusal | None, steps: Steps) -> Progress:
    """Give what must be remembered after these steps."""
    now, progress, state = situation.now, situation.progress, steps.isolation
    mirroring = steps.percent > 0
    same = progress.epoch == situation.epoch
    known = progress if same else Progress()
    recorded = steps.recording or mirroring or (known.mirroring or situation.recorded)
    recorded = recorded and (same or situation.wants_clones)  # else it belongs to no epoch
    return progress.model_copy(
        update={
            "epoch": situation.epoch if situation.wants_clones else progress.epoch,
            "shadow_image": (mirroring and situation.shadow_image) or known.shadow_image,
            "production_image": (mirroring and situation.production_image)
            or known.production_image,
            "isolated": state.enforced if state else None,
            "isolation_tested": state.tested_at if state else None,
            "isolation_message": state.message if state and state.tested else "",
            "recording_since": _since(known.recording_since, now, recorded),
            "mirroring_since": _since(known.mirroring_since, now, mirroring),
            "mirroring": mirroring,
            "off_reason": _off_reason(situation, refused, steps),
            "down_since": _since(progress.down_since, now, steps.leaving),
            "repaired": changes.repairs(situation, steps.apply),
            "deployed": situation.wants_clones and (refused is None or progress.deployed),
            "finished": known.finished,
        }
    )


def _since(before: float | None, now: float, holds: bool) -> float | None:
    return (now if before is None else before) if holds else None


def _off_reason(situation: Situation, refused: Refusal | None, steps: Steps) -> str:
    for holds, reason in (
        (steps.percent > 0 or not situation.progress.mirroring, situation.progress.off_reason),
        (situation.stop is not None, f"Stopped: {situation.stop}"),
        (situation.spec.suspend, "spec.suspend is set"),
        (not situation.wants_clones, "The shadow is taken down"),
        (situation.guarded, f"Production: {situation.guard.message}"),
        (situation.finished, "The verdict is final"),
        (refused is not None, refused.message if refused else ""),
    ):
        if holds:
            return reason
    return steps.waiting or "spec.samplingPercent is 0"


def _requeue(situation: Situation, steps: Steps, told: Mapping[str, int]) -> float:
    interval = situation.snapshot.settings.interval_seconds
    going = steps.leaving and not steps.done and not situation.envoys_off
    looks = [interval]
    again = len(changes.overridden(situation, steps.apply))
    if len(steps.apply) > again or steps.delete or told or going:
        looks.append(_SOON)
    if steps.next_look is not None:
        looks.append(max(_SOON, steps.next_look))
    elif steps.waiting and not _needs_a_person(steps):
        looks.append(_WAITING)
    return min(looks)


def _needs_a_person(steps: Steps) -> bool:
    return steps.isolation is not None and steps.isolation.tested


# When not enough could be read


def _unclear(situation: Situation) -> Iterator[str]:
    """Say what stands in the way of any decision; what is unknown is left alone."""
    snapshot = situation.snapshot
    production = situation.spec.production_ref
    for what, item in (
        ("the annotations of the namespace", snapshot.namespace_annotations),
        ("own pods", snapshot.pods),
        ("the evidence", snapshot.ledger),
        (f"Deployment {production.deployment_name}", snapshot.deployment),
        (f"Service {production.service_name}", snapshot.service),
        ("production's pods", snapshot.production_pods),
        ("what selects pods here", snapshot.selecting),
        *((f"{ref.kind} {ref.name}", item) for ref, item in snapshot.children.items()),
    ):
        if isinstance(item, Unknown):
            yield f"{what} could not be read: {item.reason}"
    if not situation.wants_clones:
        return
    for child in (*snapshot.children.values(), snapshot.ledger):
        if isinstance(child, Found) and earlier(situation.resource, child.value):
            kind, name = child.value["kind"], child.value["metadata"]["name"]
            yield f"{kind} {name} of an earlier {situation.name} is still being removed"
    if problem := evidence.problem(situation):
        yield f"the evidence is of no use. {problem}"


def _hold_still(situation: Situation, why: str) -> Plan:
    """Change nothing but the entry; copies end where they are not wanted or nobody counts them."""
    unwanted = not _copies_wanted(situation) or bool(evidence.problem(situation))
    before, after = situation.resource.status.to_dict(), status.unread(situation, why).to_dict()
    return replace(
        _safe(situation, unwanted=unwanted),
        status=after if after != before else None,
        requeue_after=_WAITING,
    )


def _unreadable(snapshot: Snapshot, invalid: InvalidSpec, now: float) -> Plan:
    """Refuse a spec that this version can't read; a stop works all the same."""
    resource = salvage(snapshot.body)
    if not names_production(resource):
        snapshot = replace(snapshot, service=Unknown("spec.productionRef can't be read"))
    situation = Situation(snapshot, resource, now, held=True)
    before, after = situation.resource.status.to_dict(), status.invalid(snapshot.body, invalid, now)
    return replace(
        _safe(situation, unwanted=not _copies_wanted(situation)),
        status=after if after != before else None,
    )


def _copies_wanted(situation: Situation) -> bool:
    return situation.wants_copies and not situation.guarded


def _safe(situation: Situation, *, unwanted: bool) -> Plan:
    """Do what production's safety asks for and nothing else."""
    kept = upkeep(situation)
    return Plan(
        percent=_told(situation, Steps()) if unwanted or kept.straight else {},
        apply=(*kept.apply, *(changes.closed(situation) if unwanted else ())),
    )
