"""What a look before the start has before it, and how it answers (`core/planning/preflight`)."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from shadow_operator.api.enums import CheckResult, RequestedPhase
from shadow_operator.api.names import Role
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.api.spec import Spec
from shadow_operator.core.deploying import cloning
from shadow_operator.core.errors import CannotClone
from shadow_operator.core.planning.acceptance import CHECKS, Refusal
from shadow_operator.core.planning.situation import Situation
from shadow_operator.core.snapshot import Item, Manifest, Missing, Snapshot, found

UNASKED: Final = Missing()


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer to one question."""

    name: str
    result: CheckResult | None
    """None: it does not apply, or is only to be known."""
    message: str
    """What was found, and what to do."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a person's look adds to what the operator reads."""

    leading: Item[tuple[Manifest, ...]] = UNASKED
    """Ingresses, HTTPRoutes and VirtualServices of the namespace."""
    agents: Item[tuple[str, ...]] = UNASKED
    """Names of the DaemonSets of kube-system: network plugins are among them."""
    requests_per_second: float | None = None
    """What a person says of production; None: what was recorded counts."""


@dataclass(frozen=True)
class Look:
    """All that the questions are answered from."""

    situation: Situation
    """As if a shadow was asked for."""
    around: Surroundings

    @classmethod
    def at(
        cls, snapshot: Snapshot, resource: ShadowDeployment, around: Surroundings, now: float
    ) -> "Look":
        """Look at the resource as if it had `phase: Shadow`. `now` in seconds since the epoch."""
        spec = resource.spec.model_copy(update={"phase": RequestedPhase.SHADOW})
        wanted = resource.model_copy(update={"spec": spec})
        return cls(Situation(snapshot, wanted, now), around)

    @property
    def spec(self) -> Spec:
        """What is asked for."""
        return self.situation.spec

    @cached_property
    def refusals(self) -> tuple[Refusal, ...]:
        """Every reason against the resource, not only the first."""
        return tuple(filter(None, (check(self.situation) for check in CHECKS)))

    @cached_property
    def production(self) -> tuple[Manifest, Manifest] | None:
        """Production's Deployment and Service; None where one is not there or can't be read."""
        deployment = found(self.situation.snapshot.deployment)
        service = found(self.situation.snapshot.service)
        return (deployment, service) if deployment and service else None

    @cached_property
    def clone(self) -> cloning.Clone | None:
        """The shadow's Deployment; None where it can't be built."""
        if self.production is None:
            return None
        try:
            return cloning.clone(
                *self.production,
                self.situation.resource,
                Role.SHADOW,
                self.situation.snapshot.settings,
            )
        except CannotClone:
            return None
