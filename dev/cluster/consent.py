"""What is changed on a machine: said before, and agreed to by the person at the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dev.cluster.base import Unavailable
from dev.cluster.store import cache_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dev.cluster.base import Progress


def obtain(changes: Sequence[str], progress: Progress, *, ask: bool, avoid: str) -> None:
    """Say what changes and how to avoid it; Unavailable where a person does not want it.

    With `ask`, a person at a terminal is asked; what was agreed to once is said, not asked again.
    """
    for change in changes:
        progress.say(f"this changes the machine: {change}")
    if changes:
        progress.say(f"to avoid it, {avoid}")
    record = cache_folder() / "agreed"
    agreed = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    new = [change for change in changes if change not in agreed]
    if not (new and ask and sys.stdin.isatty()):
        return
    # Not input(): its prompt goes to stdout, which may be an `eval` of the export line.
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Unavailable(f"Nothing was changed. To go on without that, {avoid}.")
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text("".join(f"{change}\n" for change in [*agreed, *new]), encoding="utf-8")
