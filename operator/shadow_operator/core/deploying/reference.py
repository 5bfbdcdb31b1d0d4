"""Which image the reference runs: exactly production's, even where the tag has moved since."""

from collections.abc import Iterable

from shadow_operator.core.snapshot import Manifest, Pod


def running_image(
    deployment: Manifest, pods: Iterable[Pod], live: Manifest | None, container: str
) -> str:
    """Give the image id that the reference should run; empty: the image that production names.

    `deployment` and `pods` are production's, `live` is the reference's Deployment where there is
    one, `container` the one that serves (`serving`). While
    production rolls out, or its pods disagree, the reference keeps what it has: it is replaced once
    for each rollout, when that is complete.
    """
    images = {pod.image_id for pod in pods if pod.ready and not pod.terminating and pod.image_id}
    if len(images) == 1 and is_rolled_out(deployment):
        return images.pop()
    if live is None:
        return ""
    containers = live["spec"]["template"]["spec"]["containers"]
    return next((c["image"] for c in containers if c["name"] == container), "")


def pullable(image_id: str, image: str) -> str:
    """Give the image id as an image that can be pulled; empty where it names no registry's.

    An image that was put on the node by hand has the bare id of its content, or the name that the
    import gave it.
    """
    name, _, digest = image_id.removeprefix("docker-pullable://").partition("@")
    return f"{name}@{digest}" if digest and _last(name) == _last(image) else ""


def is_rolled_out(deployment: Manifest) -> bool:
    """Whether all pods of a Deployment run its newest template and are available."""
    status = deployment.get("status") or {}
    wanted = deployment["spec"].get("replicas", 1)
    current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    counts = (status.get(key, 0) for key in ("updatedReplicas", "replicas", "availableReplicas"))
    return current and all(count == wanted for count in counts)


def _last(image: str) -> str:
    """Give the last part of a repository's name, without tag and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]
