"""Commands for people: each is one line that a shell takes as it is printed."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shadow_operator.api.names import SHORT_NAME
from shadow_operator.api.reasons import ConditionType
from shadow_operator.api.resource import ShadowDeployment

LONGEST: Final = 512
"""Bytes that `status.nextStep` keeps: a command that is cut is none."""

_NOW: Final = "$(date +%s)"


@dataclass(frozen=True, slots=True)
class Commands:
    """What `kubectl` can do about one resource and what stands around it."""

    namespace: str
    name: str

    @classmethod
    def of(cls, resource: ShadowDeployment) -> "Commands":
        """Give the commands for this resource."""
        return cls(resource.namespace, resource.name)

    def edit(self) -> str:
        """Open the resource in an editor."""
        return self.run("edit", SHORT_NAME, self.name)

    def patch(self, spec: Mapping[str, Any]) -> str:
        """Change fields of spec; lists are replaced whole."""
        text = shlex.quote(json.dumps({"spec": spec}, separators=(",", ":")))
        # Only the shell knows the time at which the command is run, and not inside quotes.
        text = text.replace(_NOW, f"'{_NOW}'")
        command = self.run("patch", SHORT_NAME, self.name, "--type", "merge", "-p", text)
        return command if len(command.encode()) <= LONGEST else self.edit()

    def restart(self, **spec: Any) -> str:
        """Begin a new epoch, with these changes of spec."""
        return self.patch({**spec, "restartedAt": _NOW})

    def wait(self, condition: ConditionType, seconds: int) -> str:
        """Return when the condition is True, or so many seconds are over."""
        resource = f"{SHORT_NAME}/{self.name}"
        return self.run("wait", resource, f"--for=condition={condition}", f"--timeout={seconds}s")

    def approve(self) -> str:
        """Approve what was judged, with a reason."""
        where = f"--namespace {self.namespace} --name {self.name}"
        return f'kubectl shadow approve {where} --note "<why>"'

    def show(self, path: str) -> str:
        """Print a part of the resource."""
        return self.run("get", SHORT_NAME, self.name, "-o", f"jsonpath={shlex.quote(path)}")

    def run(self, *words: str) -> str:
        """Do anything else in the namespace of the resource."""
        return " ".join(("kubectl", "-n", self.namespace, *words))
