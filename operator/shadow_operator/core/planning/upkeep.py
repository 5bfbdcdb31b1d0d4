"""What is done for production while nothing else is changed: the entry goes on leading to it."""

from dataclasses import dataclass

from shadow_operator.api.names import Role
from shadow_operator.core import names
from shadow_operator.core.deploying import entry, mirror
from shadow_operator.core.deploying.availability import availability
from shadow_operator.core.deploying.ownership import stranger
from shadow_operator.core.errors import CannotMirror
from shadow_operator.core.planning import changes
from shadow_operator.core.planning.situation import Situation
from shadow_operator.core.snapshot import Found, Manifest, ObjectRef, Unknown, found


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What keeps clients of the entry served."""

    apply: tuple[Manifest, ...] = ()
    straight: bool = False
    """The entry leads past the Envoys from now on, so they have nothing to copy."""


def upkeep(situation: Situation) -> Upkeep:
    """Keep an entry that is there on production, as it is now.

    It stays with Envoys that it leads to while they can be used and stand in front of production as
    it is now; it is never led to Envoys anew. What is not known changes nothing.
    """
    live = found(situation.entry)
    if live is None or stranger(situation.resource, live):
        return Upkeep()
    stays = _stays(situation, live) if situation.entry_leads_to_envoy else False
    if stays is None or isinstance(situation.snapshot.service, Unknown):
        return Upkeep()
    led = changes.leading(situation, through_envoy=stays)
    return Upkeep((*led, *_policy(situation)), straight=not stays)


def _stays(situation: Situation, live: Manifest) -> bool | None:
    """Whether the entry may go on leading to Envoys; None: that is not known."""
    snapshot, envoys = situation.snapshot, situation.deployment(Role.MIRROR)
    if any(isinstance(item, Unknown) for item in (envoys, snapshot.deployment, snapshot.service)):
        return None
    name, pods = names.child(situation.name, Role.MIRROR), situation.of_role(Role.MIRROR)
    if not situation.wants_copies or not availability(name, envoys, pods).usable:
        return False
    service = found(snapshot.service)
    return _unchanged(situation) and service is not None and _as_known(live, service)


def _as_known(live: Manifest, service: Manifest) -> bool:
    """Whether the Service leads to the same pods as when the entry was last written."""
    return entry.remembered(live) == entry.straight(service)


def _unchanged(situation: Situation) -> bool:
    """Whether the Envoys find production where they look for it."""
    envoys, domain = situation.deployment(Role.MIRROR), situation.snapshot.settings.cluster_domain
    service, deployment = found(situation.snapshot.service), found(situation.snapshot.deployment)
    if not isinstance(envoys, Found) or service is None or deployment is None:
        return False
    try:
        production = mirror.upstream(situation.resource, service, deployment, domain)
    except CannotMirror:
        return False
    return mirror.in_front_of(envoys.value, production)


def _policy(situation: Situation) -> tuple[Manifest, ...]:
    """Let what still comes through the Envoys reach the pods that production has now."""
    service, deployment = found(situation.snapshot.service), found(situation.snapshot.deployment)
    if service is None or deployment is None or not _unchanged(situation):
        return ()
    policy = mirror.network_policy(
        situation.resource, service, deployment, situation.snapshot.settings
    )
    there = changes.ours(situation, (ObjectRef.of(policy),))
    return changes.changes(situation, (policy,)) if there else ()
