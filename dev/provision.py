"""The images of this project: what they are built from, and how a cluster gets them.

As a program (`make examples`): bring the images of examples/ to a running cluster.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dev import cluster as clusters
from dev.cluster import ClusterError, Progress, Unavailable, images
from dev.cluster.store import digest

if TYPE_CHECKING:
    from dev.cluster import Cluster

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
CATALOG = Image("catalog-example", ROOT / "examples/plain", ("catalog.py",))

LOCAL = "localhost/shadow-operator"
"""Where images are that no registry has: a node that lacks one can pull nothing by this name."""


def check(cluster: Cluster) -> None:
    """Raise Unavailable where images could not be brought to the cluster, before work is done."""
    _registry(cluster)
    images.check()


def provide(image: Image, cluster: Cluster, progress: Progress, tag: str = "") -> str:
    """Build the image, bring it to where the cluster's nodes find it, and return its reference.

    A cluster of ours gets it loaded on its node. To a cluster that SHADOW_KUBECONFIG names it
    goes through the registry that SHADOW_REGISTRY names (`registry.example.com/team`). The tag is
    the image's own unless given.
    """
    registry = _registry(cluster)
    reference = f"{registry}/{image.name}:{tag or image.tag}"
    archive = cluster.build_image(reference, image.folder / "Dockerfile", image.folder)
    if cluster.provider != "existing":
        with progress.step(f"loading {reference} on the node"):
            cluster.load_image(archive)
        return reference
    with progress.step(f"pushing {reference}"):
        images.push(reference)
    return reference


def _registry(cluster: Cluster) -> str:
    if cluster.provider != "existing":
        return LOCAL
    if registry := os.environ.get(REGISTRY):
        return registry.rstrip("/")
    raise Unavailable(
        f"The nodes of the cluster that SHADOW_KUBECONFIG names need a registry to pull from: set "
        f"{REGISTRY} to one that you may push to, for example {REGISTRY}=registry.example.com/team"
    )


def main(arguments: list[str] | None = None) -> int:
    """Bring the examples' images to a running cluster; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=".venv/bin/python -m dev.provision",
        description="Build the images of examples/ and bring them to a running cluster.",
    )
    parser.add_argument("--name", default="shadow-dev", help="the cluster (%(default)s)")
    parser.add_argument(
        "--yes", action="store_true", help="don't ask before packages are installed"
    )
    options = parser.parse_args(arguments)
    progress = Progress()
    try:
        cluster = clusters.require(options.name, progress=progress, ask=not options.yes)
        check(cluster)
        for image in (HAL9, CATALOG):
            print(provide(image, cluster, progress, tag="dev"))
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
