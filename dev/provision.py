"""The images of this project: what they are built from, and how a cluster gets them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster import ClusterError, images
from dev.cluster.store import digest

if TYPE_CHECKING:
    from dev.cluster import Cluster, Progress

ROOT = Path(__file__).parents[1]
REGISTRY = "SHADOW_REGISTRY"


@dataclass(frozen=True)
class Image:
    """An image by name, and the files that it is built from."""

    name: str
    folder: Path
    """The build's context, with the Dockerfile in it."""
    sources: tuple[str, ...]
    """Glob patterns in `folder` of what the Dockerfile copies."""

    @property
    def tag(self) -> str:
        """`dev-` and a digest of the sources: a changed source is another image."""
        files = {
            path
            for pattern in ("Dockerfile", *self.sources)
            for path in self.folder.glob(pattern)
            if path.is_file()
        }
        if not files:
            raise ClusterError(f"{self.folder} has nothing to build {self.name} from")
        names = [str(path.relative_to(self.folder)) for path in sorted(files)]
        return f"dev-{digest([*names, *sorted(files)])}"


OPERATOR = Image(
    "operator",
    ROOT,
    ("pyproject.toml", "README.md", "LICENSE", "requirements-*.lock", "operator/**/*.py"),
)
ENVOY = Image("envoy", ROOT / "dev/images/envoy", ("*",))
HAL9 = Image("hal9-example", ROOT / "examples/hal9", ("requirements.lock", "hal9sim/**/*.py"))


def provide(image: Image, cluster: Cluster, progress: Progress) -> str:
    """Build the image, bring it to where the cluster's nodes find it, and return its reference.

    A cluster of ours gets it loaded on its node. To a cluster that SHADOW_KUBECONFIG names it
    goes through the registry that SHADOW_REGISTRY names (`registry.example.com/team`).
    """
    registry = _registry(cluster)
    reference = f"{registry}/{image.name}:{image.tag}"
    archive = cluster.build_image(reference, image.folder / "Dockerfile", image.folder)
    if cluster.provider != "existing":
        with progress.step(f"loading {reference} on the node"):
            cluster.load_image(archive)
        return reference
    with progress.step(f"pushing {reference}"):
        images.push(reference)
    return reference


def _registry(cluster: Cluster) -> str:
    if registry := os.environ.get(REGISTRY):
        return registry.rstrip("/")
    if cluster.provider != "existing":
        return "docker.io/shadow-operator"  # never pulled: the node has it
    raise ClusterError(
        f"The nodes of the cluster that SHADOW_KUBECONFIG names need a registry to pull from: set "
        f"{REGISTRY} to one that you may push to, for example {REGISTRY}=registry.example.com/team"
    )
