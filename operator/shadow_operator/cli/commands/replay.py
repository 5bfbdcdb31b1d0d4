"""`replay`: send a request that the user has to both clones, and show how their answers differ."""

from pathlib import Path
from typing import Annotated

import typer

from shadow_operator.cli.target import Target, command


def register(app: typer.Typer) -> None:
    """Add the command."""
    example = "kubectl shadow replay 7c9e6679-7425 --from-file request.json"
    command(app, "replay", example=example)(replay)


def replay(
    target: Target,
    request_id: Annotated[str, typer.Argument(help="Of the sample, as your own logs have it.")],
    from_file: Annotated[
        Path, typer.Option(help="JSON: method, path, headers, body. See docs/runbook.md.")
    ],
    unsafe: Annotated[
        bool, typer.Option("--unsafe", help="Send it whatever its method does to the clones.")
    ] = False,
) -> None:
    """Send a request of yours to both clones, and show the difference with its values.

    Exit status 1 where they differ in a way that no rule excuses.
    """
    from shadow_operator.cli import replaying  # noqa: PLC0415 - no other command needs it

    raise typer.Exit(replaying.replay(target, request_id, from_file, unsafe=unsafe))
