"""Which resources stand on which of production's objects: whom an event of such an object wakes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from shadow_operator.controller.workers import Key

PRODUCTION_FIELDS: Final = {"deployments": "deploymentName", "services": "serviceName"}
"""Plurals of the kinds that serve production, and the members of `productionRef` that name them."""

Ref: TypeAlias = tuple[str, str, str]
"""Plural, namespace and name."""


@dataclass(slots=True)
class ProductionRefs:
    """Every Deployment and Service of the served namespaces comes by here; few belong to anybody.

    Kept is only what is named by a resource. Changes of a Deployment's status are passed over: a
    rollout makes many, and who waits for its end looks every few seconds.
    """

    _named: dict[Key, frozenset[Ref]] = field(default_factory=dict)
    _users: dict[Ref, set[Key]] = field(default_factory=dict)
    _seen: dict[Ref, tuple[object, ...]] = field(default_factory=dict)
    """What was known of each named object at its last event."""

    def refer(self, key: Key, body: Mapping[str, Any]) -> None:
        """Take note of what this resource (as the API server has it) names."""
        named = frozenset(_named_by(key[0], body))
        if named == self._named.get(key, frozenset()):
            return
        self.forget(key)
        self._named[key] = named
        for ref in named:
            self._users.setdefault(ref, set()).add(key)

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone."""
        for ref in self._named.pop(key, ()):
            self._users[ref].discard(key)
            if not self._users[ref]:
                del self._users[ref]
                self._seen.pop(ref, None)

    def woken(self, plural: str, event: Mapping[str, Any]) -> set[Key]:
        """Give the resources to wake after this event of a watch."""
        metadata = event["object"]["metadata"]
        ref = (plural, metadata.get("namespace", ""), metadata["name"])
        if ref not in self._users or self._seen.get(ref) == (state := _state(plural, event)):
            return set()
        self._seen[ref] = state
        return set(self._users[ref])


def _named_by(namespace: str, body: Mapping[str, Any]) -> Iterator[Ref]:
    production = (body.get("spec") or {}).get("productionRef")
    if isinstance(production, Mapping):
        for plural, member in PRODUCTION_FIELDS.items():
            yield plural, namespace, str(production.get(member, ""))


def _state(plural: str, event: Mapping[str, Any]) -> tuple[object, ...]:
    """Give what changes with everything that matters; a Service has no generation."""
    if event["type"] == "DELETED":
        return ()
    metadata = event["object"]["metadata"]
    version = "generation" if plural == "deployments" else "resourceVersion"
    return metadata.get("uid"), metadata.get(version), metadata.get("deletionTimestamp")
