"""The way down: copies, then clones, then Envoy; the entry stays."""

from shadow_operator.core import changes, children, names
from shadow_operator.core.ownership import is_entry, stranger
from shadow_operator.core.situation import Situation
from shadow_operator.core.snapshot import Found, Manifest, Missing
from shadow_operator.core.steps import Steps


def down(situation: Situation) -> Steps:
    """Give the next step towards nothing but the entry."""
    going = names.references(situation.name) if situation.copies_off else ()
    # Without production's Service the entry can lead nowhere, and Envoy has nowhere to lead to.
    detached = not situation.entry_leads_to_envoy or isinstance(situation.snapshot.service, Missing)
    if situation.envoys_off and detached:
        going += changes.leaving_envoys(situation)
    apply = (*_entry(situation), *_closed(situation))
    left = _is_left(situation)
    return Steps(
        apply=apply,
        delete=changes.deletions(situation, going),
        done=not left and not apply,
        waiting=_waits_for(situation) if left else "",
        leaving=True,
    )


def _entry(situation: Situation) -> tuple[Manifest, ...]:
    """Lead the entry back; on deletion it is not made anew, which its namespace may forbid."""
    if situation.deleting and not isinstance(situation.entry, Found):
        return ()
    return changes.entry(situation, through_envoy=False)


def _closed(situation: Situation) -> tuple[Manifest, ...]:
    """Keep copies of the user's own mirror out, while there is a Service to close."""
    if situation.through_envoy or not situation.receives:
        return ()
    service = children.comparator_service(situation.resource, receives=False)
    return changes.changes(situation, (service,))


def _is_left(situation: Situation) -> bool:
    return any(
        isinstance(item, Found)
        and not is_entry(situation.name, item.value)
        and not stranger(situation.resource, item.value)
        for item in situation.snapshot.children.values()
    )


def _waits_for(situation: Situation) -> str:
    if not situation.envoys_off:
        return "Waiting until every Envoy confirms that it copies nothing."
    if situation.active:
        return f"Waiting for {situation.active} requests that still go through Envoy."
    return "Removing what is left of clones and Envoys."
