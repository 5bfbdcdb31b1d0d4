"""The live dashboard."""

import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from shadow_operator.cli import waiting
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.target import Target, command
from shadow_operator.cli.text import is_plain

if TYPE_CHECKING:
    from shadow_operator.cli.dashboard import Frame
    from shadow_operator.cli.happened import Happened


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "monitor", example="hal9-migrate monitor --dashboard shadow")(monitor)


class Dashboard(StrEnum):
    """What is shown."""

    SHADOW = "shadow"


def monitor(
    target: Target,
    dashboard: Annotated[Dashboard, typer.Option(help="What to show.")] = Dashboard.SHADOW,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
) -> None:
    """Show live how the shadow does: traffic, answers, latency, gates, soak, events.

    On a terminal a dashboard that Ctrl-C ends. Elsewhere, or with NO_COLOR, plain lines: one each
    time that something new was measured, or with --once everything.
    """
    with suppress(KeyboardInterrupt):
        if once:
            _once(target)
        elif is_plain():
            _as_lines(target)
        else:
            _live(target)


def look(target: Target) -> "Frame":
    """Read all that a frame shows; what can't be read beside the resource is a remark."""
    from shadow_operator.cli.dashboard import Frame  # noqa: PLC0415 - `--help` needs none of it
    from shadow_operator.cli.evidence import Rates, newest, parse  # noqa: PLC0415

    resource = target.read()
    rates, remark = Rates(), ""
    events: tuple[Happened, ...] = ()
    try:
        rates = newest(parse(target.access.evidence(resource.name), resource.name))
        events = target.access.events(resource.name)
    except CliError as error:
        remark = str(error)
    return Frame(
        resource,
        datetime.now(UTC),
        production_rate=rates.production,
        pair_rate=rates.pairs,
        events=events,
        remark=remark,
    )


def _once(target: Target) -> None:
    from shadow_operator.cli.dashboard import lines, picture  # noqa: PLC0415

    frame = look(target)
    if is_plain():
        for line in lines(frame):
            print(line)
    else:
        from rich.console import Console  # noqa: PLC0415

        console = Console()
        console.print(picture(frame, console.width))


def _as_lines(target: Target) -> None:
    from shadow_operator.cli.dashboard import summary_line  # noqa: PLC0415

    said, frame = "", look(target)
    while True:
        line = summary_line(frame)
        if line.partition("  ")[2] != said:  # the time alone is nothing new
            said = line.partition("  ")[2]
            print(line, flush=True)
        time.sleep(waiting.POLL_SECONDS)
        frame = _again(target, frame)


def _live(target: Target) -> None:
    from rich.live import Live  # noqa: PLC0415

    from shadow_operator.cli.dashboard import picture  # noqa: PLC0415

    frame = look(target)
    with Live(screen=True, auto_refresh=False) as live:
        while True:
            live.update(picture(frame, live.console.width), refresh=True)
            time.sleep(waiting.POLL_SECONDS)
            frame = _again(target, frame)


def _again(target: Target, before: "Frame") -> "Frame":
    """Look again; an API server that does not answer for a while ends nothing."""
    try:
        return look(target)
    except CliError as error:
        if error.status is not Exit.UNKNOWN:
            raise
        return replace(before, remark=str(error))
