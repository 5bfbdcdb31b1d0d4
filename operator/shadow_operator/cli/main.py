"""`kubectl shadow`, `hal9-migrate` and `hal9-cli`: one application under three names."""

import sys
from typing import NoReturn

import typer

from shadow_operator.cli.commands import (
    before,
    change,
    files,
    metrics,
    monitor,
    people,
    replay,
    report,
    resources,
    status,
    verdicts,
    verify,
)
from shadow_operator.cli.errors import CliError, Exit

_HELP = """Shadow-test a service on Kubernetes: change a ShadowDeployment, or ask how it stands.

Commands are thin: each changes fields of the resource, or reads its status, as kubectl could.

Exit status: 0 green, 1 the answer is no, 2 wrong usage, 3 could not be asked or is not known yet.
"""


def application() -> typer.Typer:
    """Build the application."""
    app = typer.Typer(
        help=_HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    status.register(app)
    verify.register(app)
    resources.register(app)
    metrics.register(app)
    monitor.register(app)
    change.register(app)
    verdicts.register(app)
    people.register(app)
    files.register(app)
    before.register(app)
    report.register(app)
    replay.register(app)
    return app


def run(name: str, arguments: list[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    try:
        status = application()(args=arguments, prog_name=name, standalone_mode=False)
    except CliError as error:
        print(error, file=sys.stderr)
        return error.status
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        print("Nothing was changed.", file=sys.stderr)
        return Exit.NO
    except Exception as error:
        show = getattr(error, "show", None)  # usage errors print themselves
        if show is None:
            raise
        show()
        return Exit.USAGE
    return status if isinstance(status, int) else Exit.GREEN


def kubectl_shadow() -> NoReturn:
    """Run as a plugin of kubectl."""
    sys.exit(run("kubectl shadow"))


def hal9_migrate() -> NoReturn:
    """Run under the runbook's name."""
    sys.exit(run("hal9-migrate"))


def hal9_cli() -> NoReturn:
    """Run under the runbook's other name."""
    sys.exit(run("hal9-cli"))
