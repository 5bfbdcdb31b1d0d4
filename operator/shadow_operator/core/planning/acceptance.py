"""Whether the resource can be acted on at all: the first reason against it wins."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from shadow_operator.api import not_yet
from shadow_operator.api.enums import Learning
from shadow_operator.api.names import Role
from shadow_operator.api.reasons import Reason
from shadow_operator.core import names
from shadow_operator.core.commands import Commands
from shadow_operator.core.deploying import selectors
from shadow_operator.core.deploying.ownership import stranger
from shadow_operator.core.planning.evidence import reference
from shadow_operator.core.planning.situation import Situation
from shadow_operator.core.snapshot import Found, Item, Manifest, Missing, found


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is changed; what already runs goes on."""

    reason: Reason
    sentences: tuple[str, ...]
    """What is in the way, and what to do."""
    next_step: str = ""
    """A command that helps; empty: to edit the resource does."""

    @property
    def message(self) -> str:
        """All sentences as one text."""
        return " ".join(self.sentences)


Check: TypeAlias = Callable[[Situation], Refusal | None]


def refusal(situation: Situation) -> Refusal | None:
    """Give the first reason against the resource, or None."""
    return next(filter(None, (check(situation) for check in CHECKS)), None)


def _is_supported(situation: Situation) -> Refusal | None:
    sentences = not_yet.refusals(situation.spec)
    return Refusal(Reason.NOT_SUPPORTED_YET, sentences) if sentences else None


def _knows_how_to_learn(situation: Situation) -> Refusal | None:
    spec = situation.spec
    if spec.learning is Learning.DISABLED or spec.effective_preset is not None:
        return None
    sentence = (
        "spec.learning: without a preset it is not known how to switch learning on; set preset: "
        "HAL9, or learning: Disabled and the service's own switch in spec.shadow.env."
    )
    return Refusal(Reason.INVALID_SPEC, (sentence,))


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
        (
            f"{kind} {name} does not exist in namespace {situation.resource.namespace}; create it, "
            "or correct spec.productionRef (with phase: None first).",
        ),
        Commands.of(situation.resource).run("get", "deployments,services"),
    )


def _names_are_free(situation: Situation) -> Refusal | None:
    children = situation.snapshot.children
    evidence = {reference(situation.name): situation.snapshot.ledger}
    for ref, item in (*children.items(), *evidence.items()):
        if isinstance(item, Found) and stranger(situation.resource, item.value):
            return Refusal(
                Reason.CHILD_NAME_TAKEN,
                (
                    f"{ref.kind} {ref.name} exists and does not belong to this ShadowDeployment; "
                    "it is left alone. Delete it or make it anew under another name, or delete "
                    "this resource and create it under another name.",
                ),
                _look_at(situation, ref.kind, ref.name),
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
    in_the_way = {
        sentence: manifest
        for role in (Role.SHADOW, Role.REFERENCE)
        for manifest in selecting or ()
        for sentence in selectors.conflicts(
            names.labels(situation.name, role),
            (manifest,),
            labels,
            production_service=_service_labels(situation),
            egress=situation.spec.clones.egress,
        )
    }
    if not in_the_way:
        return None
    first = next(iter(in_the_way.values()))
    return Refusal(
        Reason.SELECTOR_CONFLICT,
        tuple(in_the_way),
        _look_at(situation, first["kind"], first["metadata"]["name"]),
    )


def _service_labels(situation: Situation) -> Mapping[str, str]:
    service = found(situation.snapshot.service)
    return (service["metadata"].get("labels") or {}) if service else {}


def _look_at(situation: Situation, kind: str, name: str) -> str:
    return Commands.of(situation.resource).run("get", kind.lower(), name, "-o", "yaml")


CHECKS: Final[tuple[Check, ...]] = (
    _is_supported,
    _knows_how_to_learn,
    _has_deployment,
    _has_service,
    _names_are_free,
    _nothing_selects_clones,
)
