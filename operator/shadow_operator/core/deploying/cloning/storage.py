"""What a clone may read and write."""

from typing import Final

from shadow_operator.core.deploying.cloning.draft import Draft, Notes, set_or_drop


def mount_only_what_is_there(draft: Draft) -> Notes:
    """Drop volumes that are empty by now or that no kept container mounts."""
    volumes = [
        volume
        for volume in draft.pod.get("volumes") or ()
        if "projected" not in volume or volume["projected"].get("sources")
    ]
    there = {volume["name"] for volume in volumes}
    mounted: set[str] = set()
    for container in draft.containers:
        mounts = [m for m in container.get("volumeMounts") or () if m["name"] in there]
        set_or_drop(container, "volumeMounts", mounts)
        mounted.update(mount["name"] for mount in mounts)
    set_or_drop(draft.pod, "volumes", [v for v in volumes if v["name"] in mounted])
    return ()


def replace_storage(draft: Draft) -> Notes:
    """Keep configuration; whatever holds data, or is shared with production, becomes empty."""
    for volume in draft.pod.get("volumes") or ():
        source = next((key for key in volume if key != "name"), "emptyDir")
        if source in _CONFIGURATION:
            continue
        volume.pop(source, None)
        volume["emptyDir"] = {"sizeLimit": EMPTY_DIR_LIMIT}
        yield (
            f"volume {volume['name']} ({source}) is an empty directory of at most {EMPTY_DIR_LIMIT}"
        )


EMPTY_DIR_LIMIT: Final = "1Gi"
"""Size at which the kubelet evicts a clone that writes to what was production's storage."""

_CONFIGURATION: Final = frozenset(
    {"configMap", "downwardAPI", "emptyDir", "image", "projected", "secret"}
)
