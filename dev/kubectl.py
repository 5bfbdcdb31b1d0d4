"""kubectl against one cluster."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dev.cluster.base import environment, run

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Kubectl:
    """The program and the kubeconfig that it always gets."""

    program: Path
    kubeconfig: Path

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run it and return what it prints; ClusterError with its complaint when it fails."""
        return run(self._command(arguments), stdin=stdin, timeout=timeout).stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        """`kubectl get ... -o json`, parsed."""
        result: dict[str, Any] = json.loads(self("get", *arguments, "-o", "json"))
        return result

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it in the background with its output as a pipe of lines."""
        return subprocess.Popen(
            self._command(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            text=True,
        )

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [str(self.program), "--kubeconfig", str(self.kubeconfig), *arguments]
