"""The way down: copies, then clones, then Envoy; the entry stays."""

from shadow_operator.api.names import Role
from shadow_operator.core import names
from shadow_operator.core.deploying import mirror
from shadow_operator.core.planning import changes
from shadow_operator.core.planning.situation import Situation
from shadow_operator.core.planning.steps import Steps
from shadow_operator.core.snapshot import Found, Manifest, Missing


def down(situation: Situation) -> Steps:
    """Give the next step towards nothing but the entry."""
    back = _led_back(situation)
    going = names.references(situation.name) if situation.copies_off else ()
    if situation.envoys_off and not _leads_to_envoys(situation, back):
        going += changes.leaving_envoys(situation)
    left = changes.ours(
        situation, (*names.references(situation.name), *mirror.references(situation.name))
    )
    return Steps(
        apply=(*back, *changes.closed(situation)),
        delete=changes.deletions(situation, going),
        done=not left,
        waiting=_waits_for(situation, back) if left else "",
        leaving=True,
    )


def _led_back(situation: Situation) -> tuple[Manifest, ...]:
    """Lead the entry back; on deletion it is not made anew, which its namespace may forbid."""
    if situation.deleting and not isinstance(situation.entry, Found):
        return ()
    return changes.leading(situation, through_envoy=False)


def _leads_to_envoys(situation: Situation, back: tuple[Manifest, ...]) -> bool:
    """Whether clients come through Envoys that have somewhere to lead them.

    An entry that can't be led back (nothing on it says where to) keeps its Envoys as long as there
    is a Service behind them.
    """
    lost = not back and isinstance(situation.snapshot.service, Missing)
    return situation.entry_leads_to_envoy and not lost


def _waits_for(situation: Situation, back: tuple[Manifest, ...]) -> str:
    if not situation.envoys_off:
        return "Waiting until every Envoy confirms that it copies nothing."
    if not back and _leads_to_envoys(situation, back):
        name = names.child(situation.name, Role.MIRROR)
        return (
            f"Service {name} still leads clients to Envoy, and can't be led back: let it, or "
            f"Service {situation.spec.production_ref.service_name}, select production's pods."
        )
    if situation.active:
        return f"Waiting for {situation.active} requests that still go through Envoy."
    return "Removing what is left of clones and Envoys."
