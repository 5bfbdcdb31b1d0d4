"""Environment and resources of a clone."""

from collections.abc import Iterable
from typing import Any

from shadow_operator.api.names import Role
from shadow_operator.api.spec import EnvVar, KeyRef
from shadow_operator.core.deploying.cloning.draft import Draft, Notes, set_or_drop


def omit_secrets(draft: Draft) -> Notes:
    """Take away the variables that the spec names, whatever they come from.

    A variable out of a whole Secret (`envFrom`) can't be seen, since the operator reads no Secret:
    an empty variable of the same name hides it.
    """
    omitted = draft.resource.spec.clones.omit_secret_env
    for container in draft.containers:
        env = [entry for entry in container.get("env") or () if entry["name"] not in omitted]
        if any("secretRef" in source for source in container.get("envFrom") or ()):
            env += [{"name": name} for name in omitted]
        set_or_drop(container, "env", env)
    return ()


def explain_what_is_empty(draft: Draft) -> Notes:
    """Say which variables and files speak of what a clone has not."""
    there = {container["name"] for container in draft.containers}
    for container in draft.containers:
        kept = []
        for entry in container.get("env") or ():
            source = entry.get("valueFrom") or {}
            field_path = source.get("fieldRef", {}).get("fieldPath", "")
            if source.get("resourceFieldRef", {}).get("containerName", container["name"]) in there:
                kept.append(entry)
            else:
                yield f"variable {entry['name']} is left out: it speaks of another container"
            if field_path.startswith(("metadata.labels", "metadata.annotations")):
                yield f"variable {entry['name']} is empty: clones have labels of their own"
        set_or_drop(container, "env", kept)


def set_environment(draft: Draft) -> Notes:
    """Production's, then the preset's (shadow only), then `clones.env`, then `shadow.env`."""
    spec = draft.resource.spec
    ours: list[dict[str, Any]] = []
    if draft.role is Role.SHADOW and (preset := spec.effective_preset):
        values = preset.env(spec.layers, spec.learning)
        ours += [{"name": name, "value": value} for name, value in values.items()]
    ours += _entries(spec.clones.env)
    if draft.role is Role.SHADOW:
        ours += _entries(spec.shadow.env)
    env = {entry["name"]: entry for entry in draft.container.get("env") or ()}
    env.update((entry["name"], entry) for entry in ours)
    set_or_drop(draft.container, "env", list(env.values()))
    for container in draft.containers:
        # Duplicates are allowed in a pod and refused by server-side apply; the last one counts.
        env = {entry["name"]: entry for entry in container.get("env") or ()}
        set_or_drop(container, "env", list(env.values()))
    return ()


def set_resources(draft: Draft) -> Notes:
    """Production's, and for the shadow those of the spec where it has any."""
    for container in draft.containers:
        resources = {**(container.get("resources") or {})}
        resources.pop("claims", None)
        set_or_drop(container, "resources", resources)
    wanted = draft.resource.spec.shadow.resources
    if draft.role is Role.SHADOW and wanted is not None:
        # A limit of the whole pod was made for the other container.
        draft.pod.pop("resources", None)
        given = {"requests": wanted.requests, "limits": wanted.limits}
        set_or_drop(draft.container, "resources", {k: dict(v) for k, v in given.items() if v})
    return ()


def _entries(variables: Iterable[EnvVar]) -> list[dict[str, Any]]:
    return [_entry(variable) for variable in variables]


def _entry(variable: EnvVar) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": variable.name}
    source = variable.value_from
    if source and source.secret_key_ref:
        entry["valueFrom"] = {"secretKeyRef": _key(source.secret_key_ref)}
    elif source and source.config_map_key_ref:
        entry["valueFrom"] = {"configMapKeyRef": _key(source.config_map_key_ref)}
    elif variable.value:
        entry["value"] = variable.value
    return entry


def _key(ref: KeyRef) -> dict[str, Any]:
    optional = {"optional": True} if ref.optional else {}
    return {"name": ref.name, "key": ref.key, **optional}
