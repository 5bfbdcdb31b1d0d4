"""The evidence ConfigMap of a resource: ledger and progress, read and written together."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from shadow_operator.api.evidence import PathRule
from shadow_operator.api.names import LABEL_EVIDENCE, Role
from shadow_operator.api.reasons import SoakReason
from shadow_operator.core.counting import rules
from shadow_operator.core.deploying import objects
from shadow_operator.core.judging import judgement
from shadow_operator.core.judging.judgement import Judgement, Subject
from shadow_operator.core.names import LABEL_MANAGED_BY, MANAGED_BY
from shadow_operator.core.planning import room
from shadow_operator.core.planning.situation import Situation
from shadow_operator.core.pods import PRODUCTION
from shadow_operator.core.recording import alerts, collect, headroom, learning, ledger, logs, usage
from shadow_operator.core.recording.baseline import Baseline
from shadow_operator.core.recording.guard import GuardState
from shadow_operator.core.recording.ledger import Ledger
from shadow_operator.core.recording.progress import Progress
from shadow_operator.core.snapshot import Found, Manifest, ObjectRef, Pod, found


@dataclass(frozen=True, slots=True)
class Record:
    """What is known after this look."""

    progress: Progress
    judgement: Judgement | None
    """None before there is any evidence."""
    manifest: Manifest | None
    """To be written; None where nothing changed."""
    problem: str = ""
    """What is wrong with the stored evidence, as a sentence."""
    last_measurement: float | None = None
    """When comparators were last read, in seconds since the epoch."""
    ledger: Ledger | None = None
    """The evidence itself, as it is from now on."""
    baseline: Baseline = field(default_factory=Baseline)
    """How production runs while nothing is shadowed."""


def reference(name: str) -> ObjectRef:
    """Give the ConfigMap that holds ledger and progress."""
    return ObjectRef("v1", "ConfigMap", f"{name}-evidence")


def problem(situation: Situation) -> str:
    """Say what is wrong with the stored evidence, as a sentence; empty where nothing is."""
    return situation.evidence[1]


def hints(situation: Situation) -> tuple[PathRule, ...]:
    """Give the places that comparators should count singly, by the evidence of now."""
    stored, _ = situation.evidence
    if stored is None or stored.epoch != situation.epoch:
        return rules.path_rules(situation.spec.comparison.ignore)
    return judgement.hints(situation.spec, stored)


def advance(
    situation: Situation,
    progress: Progress,
    *,
    percent: int,
    switched: bool,
    foreseen: Iterable[Manifest] = (),
) -> Record:
    """Take over what was read, move the clock, judge; once in an interval, and on every switch.

    `switched`: an Envoy gets another percentage, so what it counted so far belongs to the old one.
    `foreseen`: the Deployments that a start would make now.
    """
    stored, sentence = situation.evidence
    if sentence or (situation.held and stored is None):  # nothing to go on with, or to overwrite
        return Record(situation.progress, None, None, sentence)
    current = _current(situation, stored)
    due = current is not None and (switched or _is_due(situation, current, progress))
    judged = None
    if current is not None:
        current = _advanced(situation, current, percent=percent) if due else current
        judged = judgement.judge(
            situation.spec, current, _subject(situation, progress), now=situation.now
        )
    if current is not None and judged is not None:
        # Final is what is final by the rules, gates and limits of now.
        finished = judged.final and current.epoch == situation.epoch
        if due or finished != progress.finished:
            current = judgement.settle(situation.spec, current, judged, now=situation.now)
            progress = progress.model_copy(update={"finished": finished})
    if due:
        progress = progress.model_copy(update={"clone_restarts": _restarts(situation)})
    if current is not None and room.is_open(situation) and current.epoch == situation.epoch:
        settled = headroom.is_settled(current.headroom, copying=percent > 0)
        progress = progress.model_copy(update={"headroom": current.epoch if settled else ""})
    recorded = _with_baseline(situation, foreseen)
    changed = current is not stored or progress != situation.progress
    changed = changed or recorded != situation.baseline
    manifest = _manifest(situation, current, progress, recorded) if changed else None
    last = current.last_measurement if current else None
    return Record(
        progress, judged, manifest, last_measurement=last, ledger=current, baseline=recorded
    )


def _with_baseline(situation: Situation, foreseen: Iterable[Manifest]) -> Baseline:
    """Take over what production uses and what room there is, while nothing is asked for."""
    before = situation.baseline
    if not situation.records_baseline:
        return before
    before = before.with_requests(situation.snapshot.requests.values(), situation.now)
    pods = {PRODUCTION: running(situation)[PRODUCTION]}
    used = usage.taken(
        before.usage, situation.snapshot.usage, pods, now=situation.now, copying=False
    )
    if situation.snapshot.room is None:
        return before.model_copy(update={"usage": used})
    read = room.read_for(situation, foreseen)
    update = {"usage": used, "headroom": read, "headroom_time": situation.now}
    return before.model_copy(update=update)


def _subject(situation: Situation, progress: Progress) -> Subject:
    return Subject(
        situation.name,
        situation.resource.namespace,
        shadow_image=progress.shadow_image,
        production_image=progress.production_image,
    )


def _current(situation: Situation, stored: Ledger | None) -> Ledger | None:
    if not situation.wants_clones or (stored is not None and stored.epoch == situation.epoch):
        return stored
    return ledger.begin(
        situation.epoch,
        now=situation.now,
        interval=situation.snapshot.settings.interval_seconds,
        previous=stored,
    )


def _is_due(situation: Situation, current: Ledger, progress: Progress) -> bool:
    if progress.mirroring != situation.progress.mirroring or _ends(situation, current):
        return True
    interval = situation.snapshot.settings.interval_seconds
    waited = current.advanced is None or situation.now - current.advanced >= 0.9 * interval
    return waited and situation.wants_clones


def _ends(situation: Situation, current: Ledger) -> bool:
    """Whether a comparator is ending: once it was read, it may be gone with its last counts."""
    measured = situation.snapshot.comparators
    return any(
        isinstance(item := measured.get(pod.name), Found) and item.value.epoch == current.epoch
        for pod in situation.of_role(Role.COMPARATOR)
        if pod.terminating
    )


def _advanced(situation: Situation, current: Ledger, *, percent: int) -> Ledger:
    mirroring = percent > 0
    clones = [w for role, w in situation.workloads.items() if role is not Role.MIRROR]
    current = _with_learning(situation, _with_prometheus(situation, current))
    after = collect.advance(
        _with_resources(situation, current),
        situation.snapshot.comparators,
        situation.snapshot.mirrors,
        now=situation.now,
        mirroring=mirroring,
        percent=percent,
        requests=None if situation.through_envoy else situation.snapshot.requests.values(),
        healthy=all(workload.usable for workload in clones),
        interval=situation.snapshot.settings.interval_seconds,
        layers=situation.snapshot.layers,
        crash=_crash(situation),
        standstill="" if mirroring else _standstill(situation),
        leaving=frozenset(pod.name for pod in situation.pods if pod.terminating),
        pods=_serving(situation),
        spec=situation.spec,
    )
    return judgement.guarded(situation.spec, current, after, now=situation.now)


def _serving(situation: Situation) -> collect.Pods | None:
    production = found(situation.snapshot.production_pods)
    if production is None:
        return None
    return collect.Pods(
        production=sum(pod.ready for pod in production),
        shadow=sum(pod.ready for pod in situation.of_role(Role.SHADOW)),
    )


def _with_prometheus(situation: Situation, current: Ledger) -> Ledger:
    progress = situation.progress
    began = progress.mirroring_since if progress.epoch == current.epoch else None
    read, now = situation.snapshot, situation.now
    noted = {
        "alerts": alerts.noted(current.alerts, read.alerts, situation.name, began=began, now=now),
        "logs": logs.noted(current.logs, read.logs, began=began, now=now),
    }
    return current.model_copy(update=noted)


def _with_learning(situation: Situation, current: Ledger) -> Ledger:
    read = situation.snapshot.learning
    if not read or situation.progress.epoch != current.epoch:
        return current
    interval = situation.snapshot.settings.interval_seconds
    noted = learning.noted(current.learning, read, now=situation.now, interval=interval)
    return current.model_copy(update={"learning": noted})


def _with_resources(situation: Situation, current: Ledger) -> Ledger:
    """Take over what is used; on the way down nobody asks, and pods that go say nothing."""
    if not situation.wants_clones:
        return current
    used = usage.taken(
        current.usage,
        situation.snapshot.usage,
        running(situation),
        now=situation.now,
        copying=current.last_copy is not None,
    )
    read = room.read(situation) if room.is_open(situation) else None
    return current.model_copy(update={"usage": used, "headroom": read or current.headroom})


def running(situation: Situation) -> dict[str, tuple[Pod, ...]]:
    """Give the pods whose use is measured, by role, without those on their way out."""
    pods = {
        Role.SHADOW.value: situation.of_role(Role.SHADOW),
        Role.REFERENCE.value: situation.of_role(Role.REFERENCE),
        PRODUCTION: found(situation.snapshot.production_pods) or (),
    }
    return {role: tuple(p for p in some if not p.terminating) for role, some in pods.items()}


def _standstill(situation: Situation) -> SoakReason:
    if situation.stop is not None:
        return SoakReason.STOPPED
    if situation.spec.suspend:
        return SoakReason.SUSPENDED
    if situation.guarded:
        return _GUARDED[situation.guard.state]
    if not situation.wants_copies:
        return SoakReason.NOT_MIRRORING
    zero = situation.spec.sampling_percent == 0
    return SoakReason.ZERO_PERCENT if zero else SoakReason.DEPLOYING


_GUARDED = {
    GuardState.SUSPECTED: SoakReason.PRODUCTION_SUSPECTED,
    GuardState.DEGRADED: SoakReason.PRODUCTION_DEGRADED,
    GuardState.PAUSED: SoakReason.PRODUCTION_HARMED,
}


def _restarts(situation: Situation) -> int:
    return sum(pod.restarts for pod in situation.of_role(Role.SHADOW))


def _crash(situation: Situation) -> str:
    """Say how the shadow crashed since the last look; a pod that was replaced is no crash."""
    same = situation.progress.epoch == situation.epoch
    if not same or _restarts(situation) <= situation.progress.clone_restarts:
        return ""
    pod = max(situation.of_role(Role.SHADOW), key=lambda pod: pod.restarts)
    return f"pod {pod.name} of the shadow restarted ({pod.last_termination or 'unknown'})"


def _manifest(
    situation: Situation, current: Ledger | None, progress: Progress, recorded: Baseline
) -> Manifest:
    live = situation.stored
    version = {"resourceVersion": live["metadata"]["resourceVersion"]} if live else {}
    name = reference(situation.name).name
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": situation.resource.namespace,
            "labels": {LABEL_EVIDENCE: situation.name, LABEL_MANAGED_BY: MANAGED_BY},
            "ownerReferences": [objects.owner_reference(situation.resource)],
            **version,
        },
        "data": {
            **(ledger.encode(current) if current else {}),
            **progress.stored(),
            **recorded.stored(),
        },
    }
