"""The report, in the form that the name of a file asks for."""

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.target import Target, command

if TYPE_CHECKING:
    from collections.abc import Callable

    from shadow_operator.report.model import Report


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "report", example="hal9-migrate report --phase shadow --output report.pdf")(report)


class Phase(StrEnum):
    """What is reported."""

    SHADOW = "shadow"


def report(
    target: Target,
    phase: Annotated[Phase, typer.Option(help="Which phase.")] = Phase.SHADOW,
    output: Annotated[
        str | None, typer.Option(help="A file: .pdf, .html, .json, .xml (JUnit) or .md.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--from", help="A report in JSON; the cluster is not asked.")
    ] = None,
) -> None:
    """Write the report of the run: summary, gates, pictures, differences and how it was measured.

    Without --output it prints the migration log. A report that the operator keeps is read with
    --from, also when the resource is gone.
    """
    form = _form(output) if output else None
    made = _read(source) if source else _make(target)
    if output and form:
        _write(output, form, made)
        print(f"Wrote {output}: {made.summary.decision or 'no verdict yet'}", file=sys.stderr)
        return
    from shadow_operator.report.summary import lines  # noqa: PLC0415

    print("\n".join(lines(made)))


def _form(output: str) -> "Callable[[Report], bytes]":
    from shadow_operator.report.forms import FORMS  # noqa: PLC0415

    form = FORMS.get(Path(output).suffix.lower())
    if form is None:
        raise CliError(
            Exit.USAGE, f"{output} names no form of a report; end it with {', '.join(FORMS)}"
        )
    return form


def _make(target: Target) -> "Report":
    from shadow_operator.api.errors import ShadowOperatorError  # noqa: PLC0415
    from shadow_operator.report.build import build  # noqa: PLC0415

    resource = target.read()
    stored = target.access.evidence(resource.name)
    try:
        return build(resource, stored.get(f"{resource.name}-evidence") or {}, time.time())
    except ShadowOperatorError as error:
        raise CliError(Exit.UNKNOWN, str(error)) from error


def _read(source: str) -> "Report":
    from pydantic import ValidationError  # noqa: PLC0415

    from shadow_operator.report.model import Report  # noqa: PLC0415

    try:
        return Report.model_validate_json(Path(source).read_bytes())
    except OSError as error:
        raise CliError(Exit.USAGE, f"{source} can't be read: {error.strerror}") from error
    except ValidationError as error:
        raise CliError(Exit.USAGE, f"{source} is no report in JSON") from error


def _write(output: str, form: "Callable[[Report], bytes]", made: "Report") -> None:
    try:
        Path(output).write_bytes(form(made))
    except ModuleNotFoundError as error:
        raise CliError(
            Exit.UNKNOWN,
            f"{error.name} is not installed, which {output} needs: "
            "pip install 'shadow-operator[cli]'",
        ) from error
    except OSError as error:
        raise CliError(Exit.USAGE, f"{output} can't be written: {error.strerror}") from error
