"""Whether the resource can be acted on at all: the first reason against it wins."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from shadow_operator.api import not_yet
from shadow_operator.api.names import Role
from shadow_operator.api.reasons import Reason
from shadow_operator.core import names, selectors
from shadow_operator.core.evidence import reference
from shadow_operator.core.ownership import stranger
from shadow_operator.core.situation import Situation
from shadow_operator.core.snapshot import Found, Item, Manifest, Missing, found


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is changed; what already runs goes on."""

    reason: Reason
    message: str
    """What is in the way, and what to do."""


Check: TypeAlias = Callable[[Situation], Refusal | None]


def refusal(situation: Situation) -> Refusal | None:
    """Give the first reason against the resource, or None."""
    return next(filter(None, (check(situation) for check in CHECKS)), None)


def _is_supported(situation: Situation) -> Refusal | None:
    sentences = not_yet.refusals(situation.spec)
    return Refusal(Reason.NOT_SUPPORTED_YET, " ".join(sentences)) if sentences else None


def _has_deployment(situation: Situation) -> Refusal | None:
    name = situation.spec.production_ref.deployment_name
    return _is_there(situation, situation.snapshot.deployment, "Deployment", name)


def _has_service(situation: Situation) -> Refusal | None:
    name = situation.spec.production_ref.service_name
    return _is_there(situation, situation.snapshot.service, "Service", name)


def _is_there(situation: Situation, item: Item[Manifest], kind: str, name: str) -> Refusal | None:
    if not isinstance(item, Missing):
        return None
    return Refusal(
        Reason.PRODUCTION_NOT_FOUND,
        f"{kind} {name} does not exist in namespace {situation.resource.namespace}; "
        "create it, or correct spec.productionRef.",
    )


def _names_are_free(situation: Situation) -> Refusal | None:
    children = situation.snapshot.children
    evidence = {reference(situation.name): situation.snapshot.ledger}
    for ref, item in (*children.items(), *evidence.items()):
        if isinstance(item, Found) and stranger(situation.resource, item.value):
            return Refusal(
                Reason.CHILD_NAME_TAKEN,
                f"{ref.kind} {ref.name} exists and does not belong to this ShadowDeployment; it is "
                f"left alone. Delete it, or give this resource another name. See: kubectl "
                f"get {ref.kind.lower()} {ref.name} -n {situation.resource.namespace} -o yaml",
            )
    return None


def _nothing_selects_clones(situation: Situation) -> Refusal | None:
    if not situation.wants_clones:
        return None
    production = found(situation.snapshot.deployment)
    if production is None:
        return None
    labels = production["spec"]["template"].get("metadata", {}).get("labels") or {}
    selecting = found(situation.snapshot.selecting)
    for role in (Role.SHADOW, Role.REFERENCE):
        sentences = selectors.conflicts(
            names.labels(situation.name, role),
            selecting or (),
            labels,
            production_service=_service_labels(situation),
            egress=situation.spec.clones.egress,
        )
        if sentences:
            return Refusal(Reason.SELECTOR_CONFLICT, " ".join(sentences))
    return None


def _service_labels(situation: Situation) -> Mapping[str, str]:
    service = found(situation.snapshot.service)
    return (service["metadata"].get("labels") or {}) if service else {}


CHECKS: Final[tuple[Check, ...]] = (
    _is_supported,
    _has_deployment,
    _has_service,
    _names_are_free,
    _nothing_selects_clones,
)
