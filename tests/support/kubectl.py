"""kubectl in one namespace: what end-to-end tests do and read there."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from dev.cluster import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableSequence

    from dev.kubectl import Kubectl

PATIENCE_SECONDS = 300.0
"""How long a test waits for what takes seconds on an idle machine."""


@dataclass(frozen=True)
class Namespace:
    """A namespace and kubectl for it."""

    name: str
    kubectl: Kubectl

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run kubectl here and return what it prints; ClusterError when it fails."""
        return self.kubectl("--namespace", self.name, *arguments, stdin=stdin, timeout=timeout)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Give one object; ClusterError where it does not exist."""
        return self.kubectl.get("--namespace", self.name, kind, name)

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """Give one object, or None where it does not exist."""
        listed = self.kubectl.get(
            *("--namespace", self.name, kind, f"--field-selector=metadata.name={name}")
        )
        found: list[dict[str, Any]] = listed["items"]
        return found[0] if found else None

    def list(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """Give all objects of a kind that the label selector takes."""
        words = [f"--selector={selector}"] if selector else []
        items: list[dict[str, Any]] = self.kubectl.get("--namespace", self.name, kind, *words)[
            "items"
        ]
        return items

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Apply manifests."""
        self("apply", "--filename=-", stdin=yaml.safe_dump_all(manifests))

    def patch(self, name: str, spec: Mapping[str, Any]) -> None:
        """Change fields of a ShadowDeployment's spec (merge patch)."""
        patch = yaml.safe_dump({"spec": spec})
        self("patch", "shadowdeployment", name, "--type=merge", f"--patch={patch}")

    def status(self, name: str) -> dict[str, Any]:
        """Give the status of a ShadowDeployment; empty before there is one."""
        status: dict[str, Any] = self.get("shadowdeployment", name).get("status", {})
        return status

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """Give one condition of a ShadowDeployment; `status` and `reason` are empty without it."""
        conditions: list[dict[str, Any]] = self.status(name).get("conditions", [])
        absent = {"type": kind, "status": "", "reason": "", "message": ""}
        return next((one for one in conditions if one["type"] == kind), absent)

    def wait(
        self, what: str, condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Wait until the condition holds, looking once a second; ClusterError at the deadline."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise ClusterError(f"no {what} in namespace {self.name} within {seconds:.0f} s")
            time.sleep(1)  # each look is a new kubectl, which costs what the pods need

    def wait_for_status(
        self,
        name: str,
        what: str,
        holds: Callable[[dict[str, Any]], bool],
        seconds: float = PATIENCE_SECONDS,
    ) -> dict[str, Any]:
        """Wait until the status is so, and give it."""
        seen: dict[str, Any] = {}

        def look() -> bool:
            seen.clear()
            seen.update(self.status(name))
            return holds(seen)

        self.wait(what, look, seconds)
        return seen

    def wait_for_phase(self, name: str, *phases: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until a ShadowDeployment is in one of these phases."""
        what = f"phase {' or '.join(phases)} of {name}"
        self.wait_for_status(name, what, lambda status: status.get("phase") in phases, seconds)

    @contextmanager
    def watching(self, kind: str, jsonpath: str, lines: MutableSequence[str]) -> Iterator[None]:
        """Append a line for each change of an object of this kind, in the order seen.

        The path looks at a watch event: `{.type}` and `{.object.metadata.name}`.
        """
        process = self.kubectl.start(
            *("get", kind, "--namespace", self.name, "--watch", "--output-watch-events"),
            *("--output", f"jsonpath={jsonpath}{{'\\n'}}"),
        )
        output = process.stdout
        assert output is not None

        def read() -> None:
            lines.extend(line.strip() for line in output)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        try:
            yield
        finally:
            process.terminate()
            process.wait()
            thread.join()
            output.close()

    def describe(self) -> str:
        """Tell all that helps to understand a failure here."""
        looks = (
            ("get", "shadowdeployments", "--output=yaml", "--show-managed-fields=false"),
            ("get", "pods,services,deployments,networkpolicies", "--output=wide"),
            ("get", "events", "--sort-by=.lastTimestamp"),
        )
        told = []
        for words in looks:
            with suppress(ClusterError):
                told.append(f"$ kubectl {' '.join(words)}\n{self(*words)}")
        return "\n".join(told)
