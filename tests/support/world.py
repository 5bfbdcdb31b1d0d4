"""A cluster as plain data, so that several reconciles can be played one after the other.

`World` holds what an API server, Envoys and comparators would answer. `reconcile` takes a
`Snapshot` of it, plans, applies the plan, and lets time pass; `settle` is the kubelet: it makes the
pods of every Deployment run what its template asks for.
"""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from shadow_operator.api.evidence import ComparatorSnapshot
from shadow_operator.api.names import API_VERSION, FINALIZER, KIND, LABEL_ROLE, Role
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core import names
from shadow_operator.core.actions import Plan
from shadow_operator.core.deploying import entry, mirror
from shadow_operator.core.deploying.objects import fingerprint
from shadow_operator.core.plan import plan
from shadow_operator.core.planning import evidence
from shadow_operator.core.planning.situation import Situation
from shadow_operator.core.recording.progress import Progress
from shadow_operator.core.snapshot import (
    Amount,
    Found,
    Item,
    LayerReading,
    LearningReading,
    Manifest,
    MirrorReading,
    Missing,
    ObjectRef,
    Pod,
    PodUsage,
    RequestsReading,
    RoomReading,
    Snapshot,
    Unknown,
)
from tests.support import readings
from tests.support.clones import SETTINGS, merged
from tests.support.schema import problems

NAME: Final = "hal9"
START: Final = 1_700_000_000.0
PROBE: Final = ObjectRef("v1", "Pod", "hal9-probe")
ENTRY: Final = entry.reference(NAME)
EVIDENCE: Final = evidence.reference(NAME)
COPIES_SERVICE: Final = ObjectRef("v1", "Service", "hal9-comparator")
SPEC: Final[Mapping[str, Any]] = {
    "phase": "Shadow",
    "productionRef": {"deploymentName": "hal9-server", "serviceName": "hal9-service"},
    "shadow": {"image": "example.com/hal9:new"},
    "mirror": {"rampSeconds": 0},
    "guard": {"baselineSeconds": 0},
}
"""Without ramp and recording, so that a test waits only for what it is about."""
STATE: Final = "$.state text"
THEIRS: Final = "theirs"
"""Uid of what strangers made."""
UNREAD: Final = Unknown("it timed out")


def deployment_ref(role: Role) -> ObjectRef:
    """Give the reference of the Deployment of a role."""
    return ObjectRef("apps/v1", "Deployment", names.child(NAME, role))


@dataclass
class Envoy:
    """One Envoy process."""

    percent: int = 0
    requests: int = 0
    active: int = 0
    readable: bool = True
    errors: int = 0
    latency: dict[int, int] = field(default_factory=dict)
    """Empty: every request took 20 ms."""


@dataclass
class World:
    """Change its fields, reconcile, and look at the plans and at what is left."""

    spec: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(dict(SPEC)))
    annotations: dict[str, str] = field(default_factory=dict)
    namespace_annotations: dict[str, str] = field(default_factory=dict)
    objects: dict[ObjectRef, dict[str, Any]] = field(default_factory=dict)
    """Children, strangers with a child's name, and the evidence."""
    production: dict[str, Any] | None = field(default_factory=lambda: _production("old"))
    service: dict[str, Any] | None = field(
        default_factory=lambda: _service()  # noqa: PLW0108  # it is defined below
    )
    pods: dict[str, Pod] = field(default_factory=dict)
    envoys: dict[str, Envoy] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    """Comparator pod -> pairs that it compared, all equal but for `differing`."""
    differing: int = 0
    """Of these, pairs in which only the shadow has another `$.state`."""
    unknown: set[str | ObjectRef] = field(default_factory=set)
    """Fields of the snapshot, or references of children, that can't be read now."""
    selecting: tuple[Manifest, ...] = ()
    isolates: bool | None = True
    """What the isolation probe will find; None: it ends without a report."""
    layers: tuple[LayerReading, ...] = ()
    learning: dict[str, Item[LearningReading]] = field(default_factory=dict)
    requests: dict[str, Item[RequestsReading]] = field(default_factory=dict)
    """Pod of production -> what its metrics say."""
    usage: Callable[[Pod], Amount] | None = None
    """What a pod uses now, in its container `server`; None: the cluster has no metrics API."""
    room: RoomReading | None = None
    traffic: int = 100
    """Requests that come through the entry between two reconciles."""
    now: float = START
    uid: str = "uid-1"
    generation: int = 1
    finalizers: list[str] = field(default_factory=list)
    deleted_at: float | None = None
    gone: bool = False
    status: dict[str, Any] = field(default_factory=dict)
    plans: list[Plan] = field(default_factory=list)
    _version: int = 0

    # What a person does

    def edit(self, **spec: Any) -> None:
        """Change the spec, as a merge patch."""
        self.spec = merged(self.spec, spec)
        self.generation += 1

    def delete(self, *, foreground: bool = False) -> None:
        """Delete the resource; its finalizer keeps it until the operator lets go."""
        self.gone = not self.finalizers
        self.deleted_at = self.now
        self.generation += 1
        if foreground or self.gone:
            self.collect()

    def collect(self) -> None:
        """Let the garbage collector delete all that the resource owns."""
        for ref in [ref for ref, o in self.objects.items() if o["metadata"].get("ownerReferences")]:
            self.remove(ref)

    def roll_out(self, image: str, *, complete: bool = True) -> None:
        """Give production a new image."""
        self.production = _production(image, generation=2)
        if not complete:
            self.production["status"]["updatedReplicas"] = 1

    # What the cluster does

    def settle(self) -> None:
        """Let the pods of every Deployment run what its template asks for."""
        for role in Role:
            if (live := self.deployment(role)) and live["metadata"]["uid"] != THEIRS:
                self._run_pods(deployment_ref(role), live)
        self.pods = {n: p for n, p in self.pods.items() if self._has_owner(p) or self._is_busy(p)}
        if PROBE in self.objects:
            phase = "Failed" if self.isolates is None else "Succeeded"
            self.objects[PROBE]["status"] = {"phase": phase}

    def remove(self, ref: ObjectRef) -> None:
        """Delete an object, and its pods with it."""
        self.objects.pop(ref, None)
        ends_by = self.now + mirror.DRAIN_SECONDS
        self.pods = {
            name: pod
            if self._has_owner(pod)
            else replace(pod, terminating=True, ready=False, ends_by=pod.ends_by or ends_by)
            for name, pod in self.pods.items()
            if self._has_owner(pod) or self._is_busy(pod)
        }

    def finish_envoys(self) -> None:
        """Let the last requests through Envoy end; what was stopping is gone then."""
        for envoy in self.envoys.values():
            envoy.active = 0
        self.settle()

    def break_down(self, role: Role) -> None:
        """Make all pods of a role unready."""
        self.objects[deployment_ref(role)].setdefault("status", {})["availableReplicas"] = 0
        self._change_pods(role, ready=False)

    def move_image(self, role: Role, image_id: str) -> None:
        """Let the tag of a role's image mean another image."""
        self._change_pods(role, image_id=image_id)

    def deployment(self, role: Role) -> dict[str, Any] | None:
        """Give the Deployment of a role as it is now."""
        return self.objects.get(deployment_ref(role))

    # Reading, planning, applying

    @property
    def body(self) -> dict[str, Any]:
        """Give the resource as the API server has it."""
        deletion = (
            {"deletionTimestamp": datetime.fromtimestamp(self.deleted_at, UTC).isoformat()}
            if self.deleted_at is not None
            else {}
        )
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {
                "name": NAME,
                "namespace": NAME,
                "uid": self.uid,
                "generation": self.generation,
                "resourceVersion": "1",
                "annotations": dict(self.annotations),
                "finalizers": list(self.finalizers),
                **deletion,
            },
            "spec": copy.deepcopy(self.spec),
            "status": copy.deepcopy(self.status),
        }

    @property
    def progress(self) -> Progress:
        """Give what the operator remembers."""
        return Progress.read(self.objects.get(EVIDENCE, {}).get("data"))

    @property
    def situation(self) -> Situation:
        """Give what the snapshot of now means."""
        return Situation(self.snapshot(), ShadowDeployment.parse(self.body), self.now)

    def snapshot(self) -> Snapshot:
        """Read everything, as `gather` would."""
        refs = (*names.references(NAME), *mirror.references(NAME), ENTRY)
        read = Snapshot(
            body=self.body,
            namespace_annotations=Found(dict(self.namespace_annotations)),
            settings=SETTINGS,
            deployment=_item(self.production),
            service=_item(self.service),
            production_pods=Found(self._production_pods()),
            selecting=Found(self.selecting),
            children={
                ref: UNREAD if ref in self.unknown else _item(self.objects.get(ref)) for ref in refs
            },
            pods=Found(tuple(self.pods[name] for name in sorted(self.pods))),
            comparators={
                pod.name: Found(self._measured(pod)) for pod in self._of_role(Role.COMPARATOR)
            },
            mirrors={pod.name: self._counters(pod) for pod in self._of_role(Role.MIRROR)},
            layers=self.layers,
            learning=self.learning,
            usage=self._used(),
            requests=self._told(),
            room=self.room,
            probe=self._probe(),
            probe_reachable_from_here=True,
            ledger=_item(self.objects.get(EVIDENCE)),
        )
        fields: dict[str, Any] = {n: UNREAD for n in self.unknown if isinstance(n, str)}
        return replace(read, **fields)

    def reconcile(self, seconds: float = 2.0) -> Plan:
        """Plan once and do it; then let time pass and traffic come."""
        decided = plan(self.snapshot(), self.now)
        self.plans.append(decided)
        self.apply(decided)
        self.now += seconds
        self._serve()
        return decided

    def apply(self, decided: Plan) -> None:
        """Do what the plan says."""
        if decided.finalizer:
            self.finalizers.append(FINALIZER)
        for pod, percent in decided.percent.items():
            if self.envoys[pod].readable:
                self.envoys[pod].percent = percent
        for manifest in decided.apply:
            self._apply(manifest)
        for deletion in decided.delete:
            if self.objects.get(deletion.ref, {}).get("metadata", {}).get("uid") == deletion.uid:
                self.remove(deletion.ref)
        if decided.evidence:
            self._apply(decided.evidence)
        if decided.status is not None:
            assert problems("status", decided.status) == []
            self.status = dict(decided.status)
        if decided.finalizer is False:
            self.finalizers.remove(FINALIZER)
            self.gone = True

    def until(
        self, holds: Callable[["World"], object], *, seconds: float = 2.0, limit: int = 60
    ) -> "World":
        """Let the cluster settle and reconcile until this holds."""
        for _ in range(limit):
            if holds(self):
                return self
            self.reconcile(seconds)
            self.settle()
        raise AssertionError(f"not reached in {limit} reconciles: {self.status}")

    # Inside

    def _apply(self, manifest: Manifest) -> None:
        ref = ObjectRef.of(manifest)
        live, wanted = self.objects.get(ref), copy.deepcopy(dict(manifest))
        self._version += 1
        same = live is not None and live.get("spec") == wanted.get("spec")
        before: Any = live["metadata"] if live else {"uid": f"uid-{self._version}"}
        wanted["metadata"] |= {
            "uid": before["uid"],
            "generation": before.get("generation", 0) + (0 if same else 1),
            "resourceVersion": str(self._version),
        }
        if live and "status" in live:
            wanted["status"] = live["status"]
        self.objects[ref] = wanted

    def _is_busy(self, pod: Pod) -> bool:
        """Whether a stopping Envoy still has requests to end."""
        return pod.role == Role.MIRROR and self.envoys[pod.name].active > 0

    def _has_owner(self, pod: Pod) -> bool:
        return deployment_ref(Role(pod.role)) in self.objects

    def _run_pods(self, ref: ObjectRef, live: dict[str, Any]) -> None:
        template, count = live["spec"]["template"], live["spec"].get("replicas", 1)
        role = template["metadata"]["labels"][LABEL_ROLE]
        key, image = fingerprint(template)[:6], template["spec"]["containers"][0]["image"]
        wanted = {f"{ref.name}-{key}-{index}" for index in range(count)}
        self.pods = {n: p for n, p in self.pods.items() if p.role != role or n in wanted}
        for name in sorted(wanted - self.pods.keys()):
            self.pods[name] = Pod(
                name=name,
                uid=f"uid-{name}",
                role=role,
                ip=f"10.0.0.{len(self.pods) + 1}",
                ready=True,
                image_id=f"{image}@sha256:1",
                container_id=f"c-{name}",
            )
            if role == Role.MIRROR:
                self.envoys[name] = Envoy()
        live["status"] = {
            "observedGeneration": live["metadata"]["generation"],
            **dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), count),
        }

    def _change_pods(self, role: Role, **changes: Any) -> None:
        self.pods |= {pod.name: replace(pod, **changes) for pod in self._of_role(role)}

    def _of_role(self, role: Role) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.pods.values() if pod.role == role)

    def _production_pods(self) -> tuple[Pod, ...]:
        if self.production is None:
            return ()
        image = self.production["spec"]["template"]["spec"]["containers"][0]["image"]
        return tuple(
            Pod(f"p-{i}", f"p-{i}", "production", ready=True, image_id=f"{image}@sha256:1")
            for i in range(3)
        )

    def _used(self) -> Item[Mapping[str, PodUsage]]:
        if self.usage is None:
            return Missing()
        pods = (*self.pods.values(), *self._production_pods())
        return Found({p.name: PodUsage(self.now, {"server": self.usage(p)}) for p in pods})

    def _told(self) -> dict[str, Item[RequestsReading]]:
        return {
            pod: Found(replace(item.value, time=item.value.time or self.now))
            if isinstance(item, Found)
            else item
            for pod, item in self.requests.items()
        }

    def _serve(self) -> None:
        led_to = self.objects.get(ENTRY, {}).get("spec", {}).get("selector", {})
        envoys = [self.envoys[pod.name] for pod in self._of_role(Role.MIRROR)]
        if led_to != names.selector(NAME, Role.MIRROR):
            return
        for envoy in envoys:
            share = self.traffic // len(envoys)
            envoy.requests += share
            for pod in self._of_role(Role.COMPARATOR)[:1]:
                copies = share * envoy.percent // 100
                self.answered[pod.name] = self.answered.get(pod.name, 0) + copies

    def _counters(self, pod: Pod) -> Item[MirrorReading]:
        envoy = self.envoys[pod.name]
        if not envoy.readable or not pod.ip:
            return UNREAD
        return Found(
            MirrorReading(
                pod=pod.name,
                boot=f"{pod.uid}/{pod.container_id}",
                requests=envoy.requests,
                eligible=envoy.requests,
                copies=0,
                copies_failed=0,
                active=envoy.active,
                percent=envoy.percent,
                answered=envoy.requests,
                errors=envoy.errors,
                latency=dict(envoy.latency) or {20: envoy.requests},
            )
        )

    def _measured(self, pod: Pod) -> ComparatorSnapshot:
        live = self.objects[deployment_ref(Role.COMPARATOR)]
        [container] = live["spec"]["template"]["spec"]["containers"]
        epoch = next(e["value"] for e in container["env"] if e["name"] == "EPOCH")
        pairs = self.answered.get(pod.name, 0)
        routes = (readings.route(matched=pairs),) if pairs else ()
        if pairs and self.differing:
            wrong = min(pairs, self.differing)
            changed = readings.control(150, {}, {STATE: 150})
            routes = (readings.route(pairs - wrong, {STATE: wrong}, uniform=changed),)
        return readings.snapshot(*routes, time=self.now, pod=pod.uid, epoch=epoch)

    def _probe(self) -> Item[Mapping[str, Any]]:
        if PROBE not in self.objects:
            return Missing()
        if self.isolates is None or "status" not in self.objects[PROBE]:
            return Unknown("the isolation probe runs")
        return Found({"target": "10.96.0.7:80", "reachable": not self.isolates})


def mirroring(world: World) -> bool:
    """Whether every Envoy copies, and the operator knows it."""
    envoys = [world.envoys[pod.name] for pod in world.pods.values() if pod.role == Role.MIRROR]
    return bool(envoys) and all(envoy.percent > 0 for envoy in envoys) and world.progress.mirroring


def up(**spec: Any) -> World:
    """Give a world in which copies are made, judged, and the last reconcile changed nothing."""
    return copy.deepcopy(_up(json.dumps(spec)))


@cache
def _up(spec: str) -> World:
    world = World()
    world.spec = merged(world.spec, json.loads(spec))
    world.until(mirroring)
    for _ in range(2):
        world.reconcile(30.0)
    del world.plans[:-1]
    return world


def _item(value: dict[str, Any] | None) -> Item[Manifest]:
    return Missing() if value is None else Found(value)


def _production(image: str, *, generation: int = 1) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "hal9-server", "namespace": NAME, "generation": generation},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "hal9"}},
            "template": {
                "metadata": {"labels": {"app": "hal9"}},
                "spec": {
                    "containers": [
                        {
                            "name": "server",
                            "image": f"example.com/hal9:{image}",
                            "ports": [{"containerPort": 8080, "name": "http"}],
                        }
                    ]
                },
            },
        },
        "status": {
            "observedGeneration": generation,
            "replicas": 3,
            "updatedReplicas": 3,
            "availableReplicas": 3,
        },
    }


def _service() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "hal9-service", "namespace": NAME},
        "spec": {
            "clusterIP": "10.96.0.7",
            "selector": {"app": "hal9"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def stranger(ref: ObjectRef) -> dict[str, Any]:
    """Give a hand-made object with a child's name."""
    return {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": NAME, "uid": THEIRS, "generation": 1},
        "spec": {"replicas": 1, "selector": {}, "template": {"metadata": {"labels": {}}}},
    }
