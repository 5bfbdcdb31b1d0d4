"""Rules between fields: CEL that the API server evaluates, with a sentence that says what to write.

`RULES` names the model that a rule belongs to; the generator writes it wherever that model occurs.
Rules see the object with its defaults filled in, so only fields without a default need `has()`.
The exception is a rule of an object that has a default itself: the API server also tries the rule
on that bare default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import BaseModel
from pydantic.config import JsonDict

from shadow_operator.api.names import NAME_MAX_LENGTH, Role
from shadow_operator.api.presets import HAL9
from shadow_operator.api.records import Record
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.api.spec import (
    EgressTarget,
    EnvSource,
    EnvVar,
    ExpectedVariation,
    Mirror,
    PlaceRule,
    Spec,
    Tolerance,
)


@dataclass(frozen=True)
class Rule:
    """One CEL rule."""

    rule: str
    message: str
    field: str = ""
    """The field that the message stands at, such as `.layers`; empty: the object itself."""

    def schema(self) -> JsonDict:
        """Give the rule as an entry of `x-kubernetes-validations`."""
        place: JsonDict = {"fieldPath": self.field} if self.field else {}
        return {"rule": self.rule, "message": self.message, **place}


_CHILD_ROLES = (Role.SHADOW, Role.REFERENCE, Role.COMPARATOR, Role.MIRROR)
_CHILD_NAMES = "[" + ", ".join(f"self.metadata.name + '-{role}'" for role in _CHILD_ROLES) + "]"
_CHILD_ENDINGS = ", ".join(f"<name>-{role}" for role in _CHILD_ROLES)
_HAL9_LAYERS = "[" + ", ".join(f"'{layer}'" for layer in HAL9.layers) + "]"
_ONLY_SAFE_METHODS = "self.mirror.methods.all(m, m in ['GET', 'HEAD', 'OPTIONS'])"

_NAMES_A_PLACE = Rule(
    "self.route != '*' || self.path != '*'",
    "name a route, a path, or both: a rule for every place of every route would excuse everything",
)

RULES: Mapping[type[BaseModel], tuple[Rule, ...]] = MappingProxyType(
    {
        ShadowDeployment: (
            Rule(
                f"self.metadata.name.size() <= {NAME_MAX_LENGTH}"
                " && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
                f"metadata.name: write at most {NAME_MAX_LENGTH} lower-case letters, digits and "
                "'-', beginning with a letter: the names of Services are made from it",
            ),
            Rule(
                f"!(self.spec.productionRef.deploymentName in {_CHILD_NAMES})"
                f" && !(self.spec.productionRef.serviceName in {_CHILD_NAMES})",
                "spec.productionRef: production can't have the name of something that the operator "
                f"creates ({_CHILD_ENDINGS}); give this resource another metadata.name",
            ),
        ),
        Spec: (
            Rule(
                "!has(self.layers) || (has(self.preset) && self.preset == 'None')"
                f" || self.layers.all(layer, layer in {_HAL9_LAYERS})",
                f"preset HAL9 knows the layers {', '.join(HAL9.layers)}; write only these, or set "
                "preset: None and layerPathTemplate",
                ".layers",
            ),
            Rule(
                "!has(self.layers) || self.layers.size() == 0 || has(self.layerPathTemplate)"
                " || !has(self.preset) || self.preset != 'None'",
                "layers without a preset need layerPathTemplate, for example "
                "/layers/{layer}/health, or they can't be probed",
                ".layers",
            ),
            Rule(
                "!has(self.layerPathTemplate) || self.layerPathTemplate.contains('{layer}')",
                "write {layer} where the name of the layer stands, for example "
                "/layers/{layer}/health",
                ".layerPathTemplate",
            ),
            Rule(
                "self.maxDurationSeconds >= self.soakSeconds",
                "maxDurationSeconds must be at least soakSeconds, or the soak can't complete",
                ".maxDurationSeconds",
            ),
            Rule(
                f"self.clones.egress != 'Allow' || {_ONLY_SAFE_METHODS}"
                " || has(self.mirror.sideEffectsAccepted)",
                "unsafe methods with clones.egress: Allow repeat their effects outside; set egress:"
                " Deny, or set mirror.sideEffectsAccepted with a reason",
                ".mirror.methods",
            ),
            Rule(
                f"self.reference.mode != 'Production' || {_ONLY_SAFE_METHODS}",
                "reference.mode: Production asks production itself, so only GET, HEAD and OPTIONS "
                "may be mirrored; remove the other methods, or set mode: Clone",
                ".mirror.methods",
            ),
            Rule(
                "oldSelf.phase == 'None' || self.productionRef == oldSelf.productionRef",
                "set phase: None before productionRef is changed, in an update of its own: clients "
                "of the entry are led back to the production that they came from",
                ".productionRef",
            ),
        ),
        EnvVar: (
            Rule(
                "!(has(self.value) && has(self.valueFrom))",
                "set value or valueFrom, not both",
            ),
        ),
        EnvSource: (
            Rule(
                "has(self.secretKeyRef) != has(self.configMapKeyRef)",
                "set exactly one of secretKeyRef and configMapKeyRef",
            ),
        ),
        EgressTarget: (
            Rule(
                "has(self.cidr) != (has(self.podSelector) || has(self.namespaceSelector))",
                "name pods (podSelector, namespaceSelector) or addresses (cidr), not both; for two "
                "targets write two entries",
            ),
            Rule(
                "!has(self.cidr) || isCIDR(self.cidr)",
                "write addresses as a CIDR, for example 10.1.2.0/24",
                ".cidr",
            ),
        ),
        Mirror: (
            Rule(
                "(has(self.provider) && self.provider == 'GatewayAPI') == has(self.httpRouteRef)",
                "httpRouteRef names the route that provider GatewayAPI edits: set it with that "
                "provider, and with no other",
                ".provider",
            ),
            Rule(
                "(has(self.provider) && self.provider == 'Istio') == has(self.virtualServiceRef)",
                "virtualServiceRef names the route that provider Istio edits: set it with that "
                "provider, and with no other",
                ".provider",
            ),
        ),
        Record: (
            Rule(
                "self.decision == 'Noted' || has(self.epoch)",
                "name the epoch that is approved or rejected, as status.verdict.epoch has it",
                ".epoch",
            ),
        ),
        PlaceRule: (_NAMES_A_PLACE,),
        Tolerance: (_NAMES_A_PLACE,),
        ExpectedVariation: (_NAMES_A_PLACE,),
    }
)
