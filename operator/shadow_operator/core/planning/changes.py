"""Differences between the children that should be and those that are."""

import contextlib
from collections.abc import Iterable
from typing import Final

from shadow_operator.core.actions import Deletion
from shadow_operator.core.deploying import children, entry, mirror
from shadow_operator.core.deploying.drift import differs
from shadow_operator.core.deploying.objects import applied
from shadow_operator.core.deploying.ownership import stranger
from shadow_operator.core.errors import CannotMirror
from shadow_operator.core.planning.situation import Situation
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


def repairs(situation: Situation, wanted: Iterable[Manifest]) -> tuple[str, ...]:
    """Name what of these was changed since exactly this was applied: object and fields."""
    children = situation.snapshot.children
    return tuple(
        f"{ref.kind} {ref.name} ({', '.join(differs(manifest, item.value))})"[:_TEXT_LENGTH]
        for manifest in wanted
        if isinstance(item := children.get(ref := ObjectRef.of(manifest)), Found)
        and applied(item.value) == applied(manifest)
    )


_TEXT_LENGTH: Final = 200


def overridden(situation: Situation, wanted: Iterable[Manifest]) -> tuple[str, ...]:
    """Name what was repaired at the last look too: somebody changes it in every write."""
    return tuple(text for text in repairs(situation, wanted) if text in situation.progress.repaired)


def deletions(situation: Situation, refs: Iterable[ObjectRef]) -> tuple[Deletion, ...]:
    """Give what of these is there, is ours and is not on its way out already."""
    return tuple(
        Deletion(ref, item.value["metadata"]["uid"])
        for ref in refs
        if isinstance(item := situation.snapshot.children.get(ref), Found)
        and not stranger(situation.resource, item.value)
        and "deletionTimestamp" not in item.value["metadata"]
    )


def ours(situation: Situation, refs: Iterable[ObjectRef]) -> bool:
    """Whether one of these is there and belongs to the resource."""
    return any(
        isinstance(item := situation.snapshot.children.get(ref), Found)
        and not stranger(situation.resource, item.value)
        for ref in refs
    )


def leaving_envoys(situation: Situation) -> tuple[ObjectRef, ...]:
    """Give what may go of Envoys that the entry has left: first the Deployment.

    A pod that is deleted asks its clients to go and ends their requests (`mirror.drain_script`);
    waiting until nobody calls would be waiting for ever, since an open connection stays where it
    is. The rest goes after the pods: without its policy, another may cut off what they still serve.
    """
    refs = mirror.references(situation.name)
    return refs if situation.envoys_ended else tuple(r for r in refs if r.kind == "Deployment")


def leading(situation: Situation, *, through_envoy: bool) -> tuple[Manifest, ...]:
    """Give the stable entry where it must change; it exists in every phase of provider Envoy.

    Where production's Service can't be used it leads straight to production as last known.
    """
    live = found(situation.entry)
    if not (situation.through_envoy or live) or (live and stranger(situation.resource, live)):
        return ()
    wanted = _entry(situation, live, through_envoy=through_envoy)
    return changes(situation, (wanted,) if wanted else ())


def _entry(situation: Situation, live: Manifest | None, *, through_envoy: bool) -> Manifest | None:
    resource = situation.resource
    match situation.snapshot.service:
        case Unknown():
            return None
        case Found(service):
            with contextlib.suppress(CannotMirror):
                return entry.manifest(resource, service, through_envoy=through_envoy)
    return entry.led_back(resource, live) if live else None


def closed(situation: Situation) -> tuple[Manifest, ...]:
    """Keep copies of the user's own mirror out, while there is a Service to close."""
    if situation.through_envoy or not situation.receives:
        return ()
    service = children.comparator_service(situation.resource, receives=False)
    return changes(situation, (service,))
