"""The way up: policies and probe, clones, comparator and Envoy, the entry, copies."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shadow_operator.api.evidence import ComparatorConfig
from shadow_operator.api.names import LABEL_SHADOW, Role
from shadow_operator.core import names
from shadow_operator.core.actions import Deletion
from shadow_operator.core.deploying import children, mirror, objects
from shadow_operator.core.deploying.reference import is_rolled_out, running_image
from shadow_operator.core.deploying.serving import serving
from shadow_operator.core.errors import CannotClone, CannotMirror
from shadow_operator.core.planning import changes, evidence
from shadow_operator.core.planning.epochs import images_of
from shadow_operator.core.planning.isolation import IsolationState, isolation
from shadow_operator.core.planning.situation import Situation
from shadow_operator.core.planning.steps import Steps
from shadow_operator.core.snapshot import Found, Manifest, ObjectRef, found

_RAMP_STEPS: Final = 6
"""A ramp rises in so many steps at least; each is measured by itself."""


def up(situation: Situation) -> Steps:
    """Give the next step towards copies; raise `CannotClone` or `CannotMirror`."""
    state = isolation(situation)
    allowed = state.allows(situation.spec.clones.isolation)
    wanted = _children(situation)
    built = (
        *wanted.policies,
        *(_probe(situation) if state.wants_probe else ()),
        *((*wanted.clones, *wanted.comparator) if allowed else ()),
    )
    # Envoys that clients come through have to fit production whatever is known of the clones.
    envoys = _envoys(situation) if allowed or _in_use(situation) else ()
    ours, theirs = changes.changes(situation, built), changes.changes(situation, envoys)
    rolls = any(map(_is_workload, theirs))
    must_leave = rolls and _in_use(situation)
    settled = allowed and not any(map(_is_workload, (*ours, *theirs)))
    overridden = changes.overridden(situation, filter(_is_workload, (*ours, *theirs)))
    copies = _copies(situation, settled=settled, overridden=overridden)
    attach = _may_attach(situation, anew=allowed)
    return Steps(
        percent=copies.percent,
        apply=(
            *changes.leading(situation, through_envoy=attach and not rolls),
            *_receiving(situation, ours, allowed=allowed, copies=copies.percent > 0),
            *(() if must_leave else theirs),
        ),
        delete=_prune(situation, state, (*built, *envoys)),
        waiting=copies.waiting if allowed else state.message,
        recording=copies.recording,
        next_look=copies.next_look,
        leaving=must_leave or (not situation.through_envoy and _envoys_are_left(situation)),
        isolation=state,
        notes=wanted.notes,
    )


def foreseen(situation: Situation) -> tuple[Manifest, ...]:
    """Give the Deployments that would be made now; none where production can't be cloned."""
    try:
        wanted = _children(situation)
        made = (*wanted.clones, *wanted.comparator, *_envoys(situation))
    except (CannotClone, CannotMirror, LookupError):
        return ()
    return tuple(filter(_is_workload, made))


# What should exist


def _children(situation: Situation) -> children.Children:
    production, service = situation.production
    return children.desired(
        situation.resource,
        production,
        service,
        situation.snapshot.settings,
        _comparator_config(situation),
        running_image=_running_image(situation),
    )


def _running_image(situation: Situation) -> str:
    production, service = situation.production
    pods = found(situation.snapshot.production_pods)
    return running_image(
        production,
        pods or (),
        found(situation.deployment(Role.REFERENCE)),
        serving(production, service, situation.spec).container,
    )


def _comparator_config(situation: Situation) -> ComparatorConfig:
    """Build what comparators are told, with the hints that the evidence of now gives."""
    production, service = situation.production
    return children.comparator_config(
        situation.resource,
        production,
        service,
        situation.snapshot.settings,
        epoch=situation.epoch,
        nonce=objects.fingerprint(situation.resource.metadata.uid),
        hints=evidence.hints(situation),
        sample_percent=_sampled(situation),
    )


def _sampled(situation: Situation) -> int:
    """Give the share that comparators take themselves: a mirror that is not ours sends it all."""
    if situation.through_envoy:
        return 100
    return _ramped(situation).percent if situation.wants_copies else 0


def _probe(situation: Situation) -> tuple[Manifest, ...]:
    production, service = situation.production
    return (children.probe(situation.resource, production, service, situation.snapshot.settings),)


def _envoys(situation: Situation) -> tuple[Manifest, ...]:
    if not situation.through_envoy:
        return ()
    production, service = situation.production
    return mirror.manifests(situation.resource, service, production, situation.snapshot.settings)


def _receiving(
    situation: Situation, ours: tuple[Manifest, ...], *, allowed: bool, copies: bool
) -> tuple[Manifest, ...]:
    """Let copies of the user's own mirror in only while they are wanted."""
    if situation.through_envoy or not allowed:
        return ours
    service = children.comparator_service(situation.resource, receives=copies)
    others = (m for m in ours if ObjectRef.of(m) != ObjectRef.of(service))
    return (*others, *changes.changes(situation, (service,)))


def _prune(
    situation: Situation, state: IsolationState, wanted: Iterable[Manifest]
) -> tuple[Deletion, ...]:
    """Give our children that the spec no longer asks for, each only when nothing needs it."""
    kept = {ObjectRef.of(manifest) for manifest in wanted}
    probe = ObjectRef("v1", "Pod", names.child(situation.name, Role.PROBE))
    refs = set(names.references(situation.name)) if situation.copies_off else set[ObjectRef]()
    refs.discard(probe)
    if not situation.through_envoy and situation.envoys_off and not _in_use(situation):
        refs |= set(changes.leaving_envoys(situation))
    # The probe's report is remembered first, then its pod goes; one without a report goes at once.
    remembered = not state.wants_probe and situation.progress.isolation_tested is not None
    if remembered or state.open or _is_spent(situation, probe):
        return changes.deletions(situation, (*sorted(refs - kept), probe))
    return changes.deletions(situation, sorted(refs - kept))


def _is_spent(situation: Situation, probe: ObjectRef) -> bool:
    """Whether the probe has ended without a report; a new one has to be made."""
    live = found(situation.snapshot.children[probe])
    ended = live is not None and (live.get("status") or {}).get("phase") in {"Failed", "Succeeded"}
    return ended and not isinstance(situation.snapshot.probe, Found)


def _is_workload(manifest: Manifest) -> bool:
    return bool(manifest["kind"] == "Deployment")


# Envoy in production's path


def _in_use(situation: Situation) -> bool:
    exists = isinstance(situation.deployment(Role.MIRROR), Found)
    return exists and situation.entry_leads_to_envoy


def _envoys_are_left(situation: Situation) -> bool:
    return changes.ours(situation, mirror.references(situation.name))


def _may_attach(situation: Situation, *, anew: bool) -> bool:
    """Whether the entry may lead to Envoy: all of it is up, or it leads there already."""
    envoy = situation.workloads.get(Role.MIRROR)
    if envoy is None or not situation.wants_copies:
        return False
    return (anew and envoy.complete) or (situation.entry_leads_to_envoy and envoy.usable)


# Copies


@dataclass(frozen=True, slots=True)
class _Copies:
    """How much to copy now, and if nothing, what for."""

    percent: int = 0
    waiting: str = ""
    recording: bool = False
    next_look: float | None = None


def _copies(situation: Situation, *, settled: bool, overridden: tuple[str, ...]) -> _Copies:
    if not situation.wants_copies:
        return _Copies()
    waiting = _lacking(situation)
    if not waiting and not settled:
        waiting = _unsettled(overridden)
    if not waiting and not situation.going_on:
        waiting = _unsettled_production(situation) or _mixed_images(situation)
    if waiting:
        return _Copies(waiting=waiting)
    if situation.guarded:
        return _Copies()
    if not situation.going_on and not situation.recorded:
        return _recording(situation)
    return _ramped(situation)


def _lacking(situation: Situation) -> str:
    clauses = [
        workload.message
        for workload in situation.workloads.values()
        if not (workload.usable if situation.going_on else workload.complete)
    ]
    return f"Waiting for the workloads: {'; '.join(clauses)}." if clauses else ""


def _unsettled(overridden: tuple[str, ...]) -> str:
    if not overridden:
        return "The workloads are being brought up to date."
    return (
        "Somebody, such as a mutating webhook, changes what the operator applies each time: "
        f"{'; '.join(overridden)}. Exempt objects with the label {LABEL_SHADOW} from that."
    )


def _unsettled_production(situation: Situation) -> str:
    """Say that production changes: a reference is as old as production only after a rollout."""
    production, _ = situation.production
    if is_rolled_out(production):
        return ""
    return (
        f"Deployment {production['metadata']['name']} is not completely rolled out and available; "
        "copying begins when it is."
    )


def _mixed_images(situation: Situation) -> str:
    """Say whose pods run different images: evidence belongs to one of them."""
    for role in (Role.SHADOW, Role.REFERENCE):
        images = images_of(situation.pods, role)
        if len(images) > 1:
            name = names.child(situation.name, role)
            return (
                f"The pods of {name} run {len(images)} different images under one tag; copying "
                f"begins when all run the same: name the image by its digest, or make the pods "
                f"anew (kubectl rollout restart deployment {name} -n "
                f"{situation.resource.namespace})."
            )
    return ""


def _recording(situation: Situation) -> _Copies:
    asked, since = situation.spec.guard.baseline_seconds, situation.recording_since
    until = (situation.now if since is None else since) + asked
    clock = datetime.datetime.fromtimestamp(until, datetime.UTC).strftime("%H:%M:%S UTC")
    seen = "pass through Envoy" if situation.through_envoy else "are recorded"
    return _Copies(
        waiting=(
            f"Production's requests {seen} for {asked} s before the first copy, until {clock}."
        ),
        recording=True,
        next_look=until - situation.now,
    )


def _ramped(situation: Situation) -> _Copies:
    asked, ramp = situation.spec.sampling_percent, situation.spec.mirror.ramp_seconds
    since = situation.progress.mirroring_since
    passed = 0.0 if since is None else situation.now - since
    if ramp == 0 or asked == 0 or passed >= ramp:
        return _Copies(asked)
    return _Copies(max(1, int(asked * passed / ramp)), next_look=ramp / _RAMP_STEPS)
