"""What a shadow deployment of the demo must end in, and what its status says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Case:
    """One shadow deployment and how it must end."""

    namespace: str
    manifest: Path
    story: str
    decision: str
    difference: tuple[str, str] | None = None
    """Route and JSON path that the verdict must name."""


@dataclass(frozen=True)
class Outcome:
    """How far one case has come, read from its status."""

    case: Case
    status: dict[str, Any]

    @property
    def decision(self) -> str:
        """The verdict's decision; empty before there is one."""
        return str(self.status.get("verdict", {}).get("decision", ""))

    @property
    def final(self) -> bool:
        """Whether there is nothing more to wait for: the run is over, or the fault was found.

        A version that fails a gate never completes its soak, for a failed gate restarts it.
        """
        over = self.status.get("phase") in {"Completed", "Aborted"}
        return over or (self.case.difference is not None and self.right)

    @property
    def differences(self) -> list[dict[str, Any]]:
        """What counts as a mismatch, most frequent first."""
        listed = self.status.get("comparison", {}).get("topDifferences", [])
        return [one for one in listed if not one.get("excusedBy")]

    @property
    def right(self) -> bool:
        """Whether the verdict is the expected one and names what it must name."""
        return self.decision == self.case.decision and (
            self.case.difference is None
            or any(self.case.difference == (one["route"], one["path"]) for one in self.differences)
        )

    def describe(self) -> list[str]:
        """Give the outcome in a few lines."""
        verdict = self.status.get("verdict", {})
        comparison = self.status.get("comparison", {})
        mark = "as expected" if self.right else f"WRONG, expected {self.case.decision}"
        lines = [
            f"{self.case.namespace}: {self.case.story}",
            f"  verdict   {self.decision or 'none'} ({mark})",
            f"            {verdict.get('message', '')}",
            f"  compared  {comparison.get('compared', 0):,} pairs, "
            f"{comparison.get('mismatched', 0):,} of them differ in a way that counts",
        ]
        for one in self.differences[:3]:
            critical = ", critical" if one.get("critical") else ""
            pairs = "pair" if one["count"] == 1 else "pairs"
            lines.append(
                f"  differs   {one['route']}  {one['path']}  "
                f"({one['kind']}, {one['count']:,} {pairs}{critical})"
            )
        return lines

    def stuck(self) -> list[str]:
        """Give what the status says about why there is no verdict yet."""
        lines = [f"{self.case.namespace}: {self.status.get('message', 'no status yet')}"]
        lines += [
            f"  {one['type']}={one['status']} {one['reason']}: {one['message']}"
            for one in self.status.get("conditions", [])
        ]
        lines += [
            f"  gate {one['name']} {one['result']}: {one.get('message', '')}"
            for one in self.status.get("gates", [])
            if one["result"] not in {"Passed", "NotApplicable"}
        ]
        return lines
