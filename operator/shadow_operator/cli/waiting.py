"""Waiting with progress: a bar for a person at a terminal, else a line where something is new."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from shadow_operator.cli.errors import CliError, Exit

POLL_SECONDS: Final = 2.0
"""Between two looks; the operator writes once in an interval."""

Told: TypeAlias = Callable[[float, str], None]
"""Takes how much is done, and a sentence."""


@contextmanager
def following(total: float) -> Iterator[Told]:
    """Show on standard error how much of `total` is done, so that the answer stays clean.

    Who interrupts it does not know the answer yet.
    """
    try:
        with _shown(total) as tell:
            yield tell
    except KeyboardInterrupt as error:
        raise CliError(Exit.UNKNOWN, "Interrupted; what was recorded meanwhile stays.") from error


@contextmanager
def _shown(total: float) -> Iterator[Told]:
    if os.environ.get("NO_COLOR") or not sys.stderr.isatty():
        yield _by_lines()
        return
    from rich.console import Console  # noqa: PLC0415 - only a person at a terminal sees it
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

    columns = (BarColumn(bar_width=30), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, text: bar.update(task, completed=done, description=text)


def _by_lines() -> Told:
    last = ""

    def tell(_: float, text: str) -> None:
        nonlocal last
        if text != last:
            print(text, file=sys.stderr, flush=True)
            last = text

    return tell
