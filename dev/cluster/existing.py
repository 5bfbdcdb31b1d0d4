"""A cluster that somebody else runs; named, used, never changed or taken down by us."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from dev.cluster import images
from dev.cluster.base import ClusterError, Progress, Unavailable

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence


class ExistingCluster:
    """The cluster whose kubeconfig SHADOW_KUBECONFIG names."""

    provider = "existing"
    has_node = True

    def __init__(
        self, name: str, kubeconfig: str, progress: Progress, *, ask: bool = False
    ) -> None:
        self.name = name
        self._ask = ask
        self.kubeconfig = Path(kubeconfig).expanduser().absolute()
        self._progress = progress
        if not self.kubeconfig.is_file():
            raise Unavailable(
                f"SHADOW_KUBECONFIG names {self.kubeconfig}, which is no file; name the kubeconfig "
                "of a cluster of yours, or unset it."
            )

    def load_image(self, archive: Path) -> None:
        """Refuse: only its owner can put images where its nodes find them."""
        self.refuse(f"put {archive.name} on its nodes: push the image to a registry they reach")

    def build_image(
        self, tag: str, dockerfile: Path, context: Path, build_args: Mapping[str, str] | None = None
    ) -> Path:
        """Build on this machine; pushing the archive is up to the person."""
        arguments = build_args or {}
        return images.build(tag, dockerfile, context, arguments, self._progress, ask=self._ask)

    def node_run(
        self, argv: Sequence[str], *, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Refuse: the nodes are not ours."""
        self.refuse(f"run `{argv[0]}` on its nodes")

    def signal_container(self, namespace: str, pod: str, container: str, signal: int) -> list[int]:
        """Refuse: the nodes are not ours."""
        self.refuse(f"send a signal to {namespace}/{pod}/{container}")

    def down(self) -> None:
        """Leave it as it is."""

    def refuse(self, what: str) -> NoReturn:
        """Say that it is not for us to do this."""
        raise ClusterError(f"the cluster of SHADOW_KUBECONFIG is not ours, so this can't {what}")
