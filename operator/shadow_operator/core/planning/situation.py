"""What a snapshot means: the facts that plan, conditions and messages share, derived once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from shadow_operator.api.enums import AfterVerdict, MirrorProvider, ReferenceMode, RequestedPhase
from shadow_operator.api.names import ANNOTATION_STOP, Role
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.api.spec import Spec
from shadow_operator.core import names
from shadow_operator.core.deploying.availability import Availability, availability
from shadow_operator.core.deploying.ownership import stranger
from shadow_operator.core.planning.epochs import image_of, images_of, next_epoch, wanted_epoch
from shadow_operator.core.recording.baseline import Baseline
from shadow_operator.core.recording.guard import GuardRecord
from shadow_operator.core.recording.ledger import Ledger, UnreadableLedger, decode
from shadow_operator.core.recording.progress import Progress
from shadow_operator.core.snapshot import (
    Found,
    Item,
    Manifest,
    MirrorReading,
    Missing,
    ObjectRef,
    Pod,
    Snapshot,
    Unknown,
    found,
)

SILENT_SECONDS: Final = 120.0
"""How long an Envoy that does not answer is waited for on the way down; it may be frozen, and what
it copies later finds no comparator."""


@dataclass(frozen=True)
class Situation:
    """One resource at one moment. `now` is in seconds since the epoch."""

    snapshot: Snapshot
    resource: ShadowDeployment
    now: float
    held: bool = False
    """The spec is refused: what runs belongs to the epoch that it was started for."""

    @property
    def spec(self) -> Spec:
        """What is asked for."""
        return self.resource.spec

    @property
    def name(self) -> str:
        """Name of the resource."""
        return self.resource.name

    @property
    def stored(self) -> Manifest | None:
        """The ConfigMap of evidence and progress, unless it is a stranger's."""
        live = found(self.snapshot.ledger)
        return None if live is None or stranger(self.resource, live) else live

    @cached_property
    def progress(self) -> Progress:
        """What was remembered."""
        return Progress.read((self.stored or {}).get("data"))

    @cached_property
    def evidence(self) -> tuple[Ledger | None, str]:
        """The stored ledger, and what is wrong with it as a sentence, empty where nothing is."""
        try:
            return decode((self.stored or {}).get("data") or {}), ""
        except UnreadableLedger as error:
            return None, str(error)

    @cached_property
    def baseline(self) -> Baseline:
        """How production ran while nothing was shadowed."""
        return Baseline.read((self.stored or {}).get("data"))

    @property
    def records_baseline(self) -> bool:
        """Whether production is to be looked at now, because nothing else is asked for."""
        interval = self.snapshot.settings.interval_seconds
        idle = self.spec.phase is RequestedPhase.NONE and not self.deleting
        return idle and self.baseline.is_due(self.now, interval)

    @property
    def meters_production(self) -> bool:
        """Whether production's own metrics are to be read now, because no Envoy sees its requests.

        Once in an interval, as evidence is taken over.
        """
        if self.through_envoy or not self.wants_clones:
            return False
        ledger, interval = self.evidence[0], self.snapshot.settings.interval_seconds
        return (
            ledger is None
            or ledger.advanced is None
            or (self.now - ledger.advanced >= 0.9 * interval)
        )

    @property
    def guard(self) -> GuardRecord:
        """What the production guard has found so far."""
        ledger, _ = self.evidence
        return ledger.guard if ledger else GuardRecord()

    @property
    def guarded(self) -> bool:
        """Whether the guard keeps copies off."""
        return self.guard.holds(self.spec)

    @property
    def deleting(self) -> bool:
        """Whether the resource is on its way out."""
        return self.resource.metadata.deletion_timestamp is not None

    @property
    def stop(self) -> str | None:
        """Why a person stopped it by annotation; None where nobody did."""
        own = self.resource.metadata.annotations.get(ANNOTATION_STOP)
        if own is not None:
            return own or "no reason given"
        namespace = (found(self.snapshot.namespace_annotations) or {}).get(ANNOTATION_STOP)
        return None if namespace is None else f"{namespace or 'no reason given'} (whole namespace)"

    @cached_property
    def epoch(self) -> str:
        """The epoch that belongs to the images and templates of now."""
        production = found(self.snapshot.deployment)
        if production is None or self.held:
            return self.progress.epoch
        wanted = wanted_epoch(self.spec, production, self.progress)
        if wanted == self.progress.epoch and self._image_moved:
            return next_epoch(wanted)
        return wanted

    @property
    def _image_moved(self) -> bool:
        """Whether one ready clone runs another image than all did when they were copied to."""
        known = {
            Role.SHADOW: self.progress.shadow_image,
            Role.REFERENCE: self.progress.production_image,
        }
        return any(image and images_of(self.pods, role) - {image} for role, image in known.items())

    @property
    def finished(self) -> bool:
        """Whether the verdict of this epoch is final."""
        return self.progress.finished and self.progress.epoch == self.epoch

    @property
    def wants_clones(self) -> bool:
        """Whether shadow, reference and comparator should exist."""
        torn_down = self.finished and self.spec.after_verdict is AfterVerdict.TEAR_DOWN
        return self.spec.phase is RequestedPhase.SHADOW and not self.deleting and not torn_down

    @property
    def wants_copies(self) -> bool:
        """Whether requests should be copied as soon as everything is available."""
        kept = not self.finished or self.spec.after_verdict is AfterVerdict.KEEP
        off = self.spec.suspend or self.stop is not None or self.guard.paused(self.spec)
        return self.wants_clones and kept and not off

    @property
    def through_envoy(self) -> bool:
        """Whether the provider is an Envoy of ours."""
        return self.spec.mirror.provider is MirrorProvider.ENVOY

    @property
    def production(self) -> tuple[Manifest, Manifest]:
        """Production's Deployment and Service; only asked for once both were accepted."""
        deployment, service = found(self.snapshot.deployment), found(self.snapshot.service)
        if deployment is None or service is None:
            raise LookupError("production was not read")
        return deployment, service

    # Copies so far

    @property
    def going_on(self) -> bool:
        """Whether copies were made at the last look, for the epoch of now."""
        return self.progress.mirroring and self.progress.epoch == self.epoch

    @property
    def recording_since(self) -> float | None:
        """Since when production is recorded for the epoch of now."""
        return self.progress.recording_since if self.progress.epoch == self.epoch else None

    @property
    def recorded(self) -> bool:
        """Whether production was recorded for long enough, where anything sees its requests."""
        since, asked = self.recording_since, self.spec.guard.baseline_seconds
        long_enough = asked == 0 or (since is not None and self.now - since >= asked)
        return long_enough or not self.spec.sees_production

    # Pods

    @property
    def pods(self) -> tuple[Pod, ...]:
        """All pods of ours that could be read."""
        return found(self.snapshot.pods) or ()

    def of_role(self, role: Role) -> tuple[Pod, ...]:
        """Give our pods of this role."""
        return tuple(pod for pod in self.pods if pod.role == role)

    @cached_property
    def shadow_image(self) -> str:
        """Image id of all ready shadow pods; empty while they disagree or none is ready."""
        return image_of(self.pods, Role.SHADOW)

    @cached_property
    def production_image(self) -> str:
        """Image id of all ready reference pods, which run production's version."""
        return image_of(self.pods, Role.REFERENCE)

    # Workloads

    @property
    def roles(self) -> tuple[Role, ...]:
        """Roles whose Deployments must be there before the first copy."""
        reference = (Role.REFERENCE,) if self.spec.reference.mode is ReferenceMode.CLONE else ()
        mirror = (Role.MIRROR,) if self.through_envoy else ()
        return (Role.SHADOW, *reference, Role.COMPARATOR, *mirror)

    @cached_property
    def workloads(self) -> Mapping[Role, Availability]:
        """Availability of each Deployment that is needed."""
        return {
            role: availability(
                names.child(self.name, role), self.deployment(role), self.of_role(role)
            )
            for role in self.roles
        }

    def child(self, api_version: str, kind: str, name: str) -> Item[Manifest]:
        """Give a child as it was read."""
        return self.snapshot.children.get(ObjectRef(api_version, kind, name), Missing())

    def deployment(self, role: Role) -> Item[Manifest]:
        """Give the Deployment of a role as it was read."""
        return self.child("apps/v1", "Deployment", names.child(self.name, role))

    # Mirror

    @property
    def entry(self) -> Item[Manifest]:
        """The stable entry Service."""
        return self.child("v1", "Service", names.child(self.name, Role.MIRROR))

    @property
    def entry_leads_to_envoy(self) -> bool:
        """Whether the entry sends new connections to Envoy."""
        entry = found(self.entry)
        chosen = (entry["spec"].get("selector") or {}) if entry else {}
        return bool(chosen == names.selector(self.name, Role.MIRROR))

    @property
    def readings(self) -> tuple[tuple[Pod, Item[MirrorReading]], ...]:
        """Every Envoy pod, with its counters where they could be read."""
        return tuple(
            (pod, self.snapshot.mirrors.get(pod.name, Unknown("it has no address yet")))
            for pod in self.of_role(Role.MIRROR)
        )

    @property
    def receives(self) -> bool:
        """Whether the Service that copies are sent to leads to the comparators."""
        service = found(self.child("v1", "Service", names.child(self.name, Role.COMPARATOR)))
        wanted = names.selector(self.name, Role.COMPARATOR)
        return service is not None and service["spec"].get("selector") == wanted

    @property
    def copies_off(self) -> bool:
        """Whether no copy can be on its way to the clones."""
        return self.envoys_off and (self.through_envoy or not self.receives)

    @property
    def envoys_off(self) -> bool:
        """Whether every Envoy is known to copy nothing; one that is not ready counts as well."""
        return all(
            isinstance(item, Found) and item.value.percent == 0 for item in self._that_matter
        )

    @property
    def effective_percent(self) -> int:
        """Largest percentage in force over all Envoys that could be read; 0 where none could."""
        known = [item.value.percent or 0 for _, item in self.readings if isinstance(item, Found)]
        return max(known, default=0)

    @property
    def active(self) -> int | None:
        """Requests in progress through all Envoys; None where one could not be asked."""
        items = self._that_matter
        if not all(isinstance(item, Found) for item in items):
            return None
        return sum(item.value.active for item in items if isinstance(item, Found))

    @property
    def envoys_ended(self) -> bool:
        """Whether Envoy's Deployment is gone, and each of its pods too or past its time to end."""
        live = self.deployment(Role.MIRROR)
        there = isinstance(live, Found) and not stranger(self.resource, live.value)
        return not there and all(
            pod.ends_by is not None and self.now > pod.ends_by for pod in self.of_role(Role.MIRROR)
        )

    @property
    def _left_for(self) -> float:
        """Seconds since Envoy was told to go; how long one that is silent has been waited for."""
        deleted = self.resource.metadata.deletion_timestamp
        since = self.progress.down_since
        if deleted is not None and (since is None or deleted.timestamp() < since):
            since = deleted.timestamp()
        return 0.0 if since is None else self.now - since

    @property
    def _that_matter(self) -> tuple[Item[MirrorReading], ...]:
        """Readings of Envoys that may copy, or hold requests.

        One that never had an address does neither; one that is stopping and one that is silent for
        long can't be asked.
        """
        patient = self._left_for <= SILENT_SECONDS
        return tuple(
            item
            for pod, item in self.readings
            if isinstance(item, Found) or (patient and pod.ip and not pod.terminating)
        )
