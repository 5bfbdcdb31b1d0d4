"""A shell beside an API server made of plain data, for commands of the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shadow_operator.cli import target
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.happened import Happened
from shadow_operator.cli.main import run
from tests.support.clones import merged
from tests.support.world import EVIDENCE, World

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping

    import pytest


class Cluster:
    """One namespace; takes the place of `Access`."""

    namespace = "hal9"

    def __init__(self, *worlds: World) -> None:
        self.worlds = {f"hal9-{n}" if n else "hal9": world for n, world in enumerate(worlds)}
        self.settled = False
        """No operator looks at it any more."""
        self.forced = False

    def list(self) -> list[dict[str, Any]]:
        """Give all."""
        return [self.get(name) for name in self.worlds]

    def get(self, name: str) -> dict[str, Any]:
        """Give one."""
        if name not in self.worlds:
            raise CliError(Exit.USAGE, f"There is no ShadowDeployment {name}")
        body: dict[str, Any] = merged(self.worlds[name].body, {"metadata": {"name": name}})
        return body

    def patch(self, name: str, changed: Mapping[str, Any]) -> dict[str, Any]:
        """Change one, and let an operator look at it for a while."""
        world = self.worlds[name]
        annotations = changed.get("metadata", {}).get("annotations", {})
        world.annotations = merged(world.annotations, annotations)
        if spec := changed.get("spec"):
            world.edit(**spec)
        for _ in range(0 if self.settled else 20):
            world.reconcile(30.0)
            world.settle()
        return self.get(name)

    def apply(self, manifest: Mapping[str, Any], *, force: bool) -> dict[str, Any]:
        """Make or change one, as server-side apply does."""
        name = manifest["metadata"]["name"]
        self.forced = force
        if name not in self.worlds:
            self.worlds[name] = World(spec=dict(manifest["spec"]))
            return self.patch(name, {})
        return self.patch(name, {"spec": manifest["spec"]})

    def answer(self, path: str) -> tuple[int, bytes]:
        """Answer for the namespace, and for nothing else."""
        if path != f"/api/v1/namespaces/{self.namespace}":
            return 404, b"{}"
        annotations = self.worlds["hal9"].namespace_annotations
        return 200, json.dumps({"metadata": {"annotations": annotations}}).encode()

    def user(self) -> str:
        """Give who asks."""
        return "anna"

    def pods(self, selector: str) -> builtins.list[dict[str, Any]]:
        """Give none: no comparator is asked here."""
        return []

    def evidence(self, name: str) -> dict[str, dict[str, str]]:
        """Give what was recorded of one."""
        stored = self.worlds[name].objects.get(EVIDENCE)
        return {f"{name}-evidence": dict(stored["data"])} if stored else {}

    def events(self, name: str) -> tuple[Happened, ...]:
        """Give what its last plans told."""
        world = self.worlds[name]
        now = datetime.fromtimestamp(world.now, UTC)
        told = (event for decided in world.plans for event in decided.events)
        return tuple(Happened(now, e.reason, e.message, warning=e.warning) for e in told)

    def spec(self) -> dict[str, Any]:
        """Give what the first one asks for."""
        return self.worlds["hal9"].spec


Said = tuple[int, str]


class Shell:
    """Runs commands against a cluster; gives exit status and all that was printed."""

    def __init__(
        self, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, output: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(target.Target, "access", cluster)
        self.cluster = cluster
        self._output = output

    def __call__(self, line: str) -> Said:
        """Run a line as the runbook has it."""
        _, *arguments = line.split()
        status = run("hal9-migrate", arguments)
        printed = self._output.readouterr()
        return status, printed.out + printed.err
