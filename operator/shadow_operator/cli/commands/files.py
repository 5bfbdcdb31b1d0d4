"""Commands about a file before it is applied: lint."""

from typing import Annotated

import typer

from shadow_operator.cli.errors import Exit
from shadow_operator.cli.target import Target, command
from shadow_operator.cli.text import NO, NOT_ASKED, YES, mark

File = Annotated[str, typer.Option("--filename", "-f", help="A file of manifests; - reads stdin.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "lint", example="kubectl shadow lint -f shadow.yaml")(lint)


def lint(target: Target, filename: File) -> None:
    """Say without a cluster whether a ShadowDeployment would be taken, with advice.

    The rules are those of the API server (schema and CEL), and what the operator refuses of a spec.
    Advice changes no exit status.
    """
    from shadow_operator.cli import manifests  # noqa: PLC0415 - takes its time

    refused = False
    for manifest in manifests.read_resources(filename):
        name = (manifest.get("metadata") or {}).get("name") or "(no name)"
        problems, advised = _judged(manifest)
        refused = refused or bool(problems)
        for problem in problems:
            print(f"{mark(NO)} {name}: {problem}")
        if not problems:
            print(f"{mark(YES)} {name} would be taken")
        for sentence in advised:
            print(f"{mark(NOT_ASKED)} {name}: {sentence}")
    if refused:
        raise typer.Exit(Exit.NO)


def _judged(manifest: dict[str, object]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give what is refused, and advice about what is not."""
    from shadow_operator.api import not_yet  # noqa: PLC0415
    from shadow_operator.api.advice import advice  # noqa: PLC0415
    from shadow_operator.api.spec import Spec  # noqa: PLC0415
    from shadow_operator.cli import offline  # noqa: PLC0415

    if problems := offline.refusals(manifest):
        return problems, ()
    spec = Spec.model_validate(manifest["spec"])
    problems = not_yet.refusals(spec)
    return problems, () if problems else advice(spec)
