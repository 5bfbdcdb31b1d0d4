"""Differences between the children that should be and those that are."""

from collections.abc import Iterable

from shadow_operator.core import mirror
from shadow_operator.core.actions import Deletion
from shadow_operator.core.drift import differs
from shadow_operator.core.errors import CannotMirror
from shadow_operator.core.ownership import stranger
from shadow_operator.core.situation import Situation
from shadow_operator.core.snapshot import Found, Manifest, Missing, ObjectRef, Unknown, found


def changes(situation: Situation, wanted: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Give what is missing or differs."""
    return tuple(manifest for manifest in wanted if _must_apply(situation, manifest))


def _must_apply(situation: Situation, wanted: Manifest) -> bool:
    match situation.snapshot.children.get(ObjectRef.of(wanted), Missing()):
        case Missing():
            return True
        case Unknown():
            return False
        case Found(live):
            immutable = wanted["kind"] == "Pod"
            going = "deletionTimestamp" in live["metadata"]
            return not immutable and not going and bool(differs(wanted, live))


def deletions(situation: Situation, refs: Iterable[ObjectRef]) -> tuple[Deletion, ...]:
    """Give what of these is there, is ours and is not on its way out already."""
    return tuple(
        Deletion(ref, item.value["metadata"]["uid"])
        for ref in refs
        if isinstance(item := situation.snapshot.children.get(ref), Found)
        and not stranger(situation.resource, item.value)
        and "deletionTimestamp" not in item.value["metadata"]
    )


def leaving_envoys(situation: Situation) -> tuple[ObjectRef, ...]:
    """Give what may go of Envoys that the entry has left: first the Deployment.

    A pod that is deleted asks its clients to go and ends their requests (`mirror.drain_script`);
    waiting until nobody calls would be waiting for ever, since an open connection stays where it
    is. The rest goes after the pods: without its policy, another may cut off what they still serve.
    """
    refs = mirror.references(situation.name)
    return refs if situation.envoys_ended else tuple(r for r in refs if r.kind == "Deployment")


def entry(situation: Situation, *, through_envoy: bool) -> tuple[Manifest, ...]:
    """Give the stable entry where it must change; it exists in every phase of provider Envoy."""
    service, live = found(situation.snapshot.service), found(situation.entry)
    if service is None or not (situation.through_envoy or live):
        return ()
    if live and stranger(situation.resource, live):
        return ()
    try:
        wanted = mirror.entry_service(situation.resource, service, through_envoy=through_envoy)
    except CannotMirror:
        if situation.wants_clones:
            raise
        return ()
    return changes(situation, (wanted,))
