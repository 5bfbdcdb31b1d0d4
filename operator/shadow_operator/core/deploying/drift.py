"""Which fields that are ours differ in the live object.

Only what a desired manifest names is compared: what the API server or somebody else added is
theirs. That a field is no longer desired shows in the stamp `hal9.ai/applied`, which is part of
every manifest; server-side apply then removes it.

Comparing follows the API server's own rules: lists of named things are matched by their key, all
other lists (network policy rules, arguments) as a whole; a selector is one value, because one more
key selects something else; quantities are numbers; an empty value is the same as an absent one
where the API server keeps neither.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from shadow_operator.api.names import LABEL_ROLE, Role
from shadow_operator.core import quantity
from shadow_operator.core.deploying.objects import applied
from shadow_operator.core.snapshot import Manifest

Path: TypeAlias = tuple[str, ...]


def differs(desired: Manifest, live: Manifest) -> tuple[str, ...]:
    """Give the paths of our fields that have other values in the live object; empty: no drift.

    `kubectl scale` of a clone is no drift while the stamp is that of `desired`; a new desired state
    takes the count back. (`kubectl rollout restart` adds a field that was never ours.)
    """
    paths = tuple(".".join(path) for path in _differences(desired, live, ()))
    if applied(desired) == applied(live) and _is_clone(desired):
        return tuple(path for path in paths if path != "spec.replicas")
    return paths


def _is_clone(manifest: Manifest) -> bool:
    role = manifest["metadata"].get("labels", {}).get(LABEL_ROLE)
    return manifest["kind"] == "Deployment" and role in (Role.SHADOW, Role.REFERENCE)


def _differences(desired: Any, live: Any, path: Path) -> Iterator[Path]:
    if isinstance(desired, Mapping) and isinstance(live, Mapping):
        yield from _mapping(desired, live, path)
    elif isinstance(desired, Sequence) and not isinstance(desired, str):
        yield from _sequence(desired, live if isinstance(live, list) else [], path)
    elif not _same_leaf(desired, live, path):
        yield path


def _mapping(desired: Mapping[str, Any], live: Mapping[str, Any], path: Path) -> Iterator[Path]:
    if _is_selector(path) and live.keys() - desired.keys():
        yield path
    for key, value in desired.items():
        yield from _differences(value, live.get(key), (*path, key))


def _sequence(desired: Sequence[Any], live: Sequence[Any], path: Path) -> Iterator[Path]:
    keys = _merge_keys(path)
    if not keys:
        if len(desired) != len(live):
            yield path
            return
        for index, (ours, theirs) in enumerate(zip(desired, live, strict=True)):
            yield from _differences(ours, theirs, (*path, str(index)))
        return
    there = {_identity(item, keys): item for item in live}
    for item in desired:
        identity = _identity(item, keys)
        place = (*path, "/".join(identity))
        if identity in there:
            yield from _differences(item, there[identity], place)
        else:
            yield place


_MERGE_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "containers": ("name",),
    "env": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
_PORT_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "containers": ("containerPort", "protocol"),
    "initContainers": ("containerPort", "protocol"),
    "spec": ("port", "protocol"),
}
"""Keys of `ports` by where they stand; the ports of a network policy are one value."""

_DEFAULTS: Final = {"protocol": "TCP"}


def _merge_keys(path: Path) -> tuple[str, ...]:
    if path[-1] != "ports":
        return _MERGE_KEYS.get(path[-1], ())
    holder = path[-2] if path[-2] == "spec" else path[-3]
    return _PORT_KEYS.get(holder, ())


def _identity(item: Mapping[str, Any], keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(item.get(key, _DEFAULTS.get(key, ""))) for key in keys)


def _is_selector(path: Path) -> bool:
    """Whether a map is one value to the API server: `selector`, `podSelector`, `matchLabels`."""
    return path != () and (path[-1] == "matchLabels" or path[-1].lower().endswith("selector"))


def _same_leaf(desired: Any, live: Any, path: Path) -> bool:
    if live is None:
        return _is_dropped(desired, path)
    if path[-1] in _QUANTITIES or (len(path) > 1 and path[-2] in ("limits", "requests")):
        return quantity.same(desired, live)
    if isinstance(desired, bool) or isinstance(live, bool):
        return desired is live
    return str(desired) == str(live)


def _is_dropped(desired: Any, path: Path) -> bool:
    """Whether the API server keeps nothing of a value.

    It keeps `emptyDir: {}`, and `false` and `0` wherever they differ from the default, which is
    everywhere that we write them.
    """
    if isinstance(desired, Mapping):
        return not desired and path[-1] in _PLAIN_MAPS
    return desired is None or desired == ""


_PLAIN_MAPS: Final = frozenset(
    {"annotations", "data", "labels", "limits", "matchLabels", "nodeSelector", "requests"}
)
_QUANTITIES: Final = frozenset({"divisor", "sizeLimit"})
