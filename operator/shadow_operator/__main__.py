"""`shadow-operator`: one image, three programs."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from shadow_operator import __version__

EPILOG = """\
run         the operator; its settings are environment variables, set by the Helm chart
comparator  receives copies of requests and compares the answers of shadow and reference
probe       tests from inside a pod whether the cluster enforces NetworkPolicy
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program that the first argument names; answer the exit status."""
    parser = argparse.ArgumentParser(
        "shadow-operator",
        description="Shadow-test a service on Kubernetes.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("program", choices=("run", "comparator", "probe"))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="see: PROGRAM --help")
    options = parser.parse_args(arguments)
    return _PROGRAMS[options.program](options.arguments)


def _run(arguments: Sequence[str]) -> int:
    from shadow_operator.controller.operator import run  # noqa: PLC0415  # kopf takes its time
    from shadow_operator.controller.settings import OperatorSettings, SettingsError  # noqa: PLC0415

    argparse.ArgumentParser("shadow-operator run").parse_args(arguments)
    try:
        settings = OperatorSettings.from_environment(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    log_to(settings.log_format)
    run(settings)
    return 0


def _comparator(arguments: Sequence[str]) -> int:
    from shadow_operator.comparator.server import run  # noqa: PLC0415  # kopf stays out of it

    parser = argparse.ArgumentParser("shadow-operator comparator")
    parser.add_argument(
        "--config", type=Path, required=True, help="JSON file, see ComparatorConfig"
    )
    options = parser.parse_args(arguments)
    log_to(os.environ.get("SHADOW_LOG_FORMAT", "json"))
    return run(options.config)


def _probe(arguments: Sequence[str]) -> int:
    from shadow_operator.probe import main as probe  # noqa: PLC0415  # a probe loads nothing else

    return probe(arguments)


_PROGRAMS = {"run": _run, "comparator": _comparator, "probe": _probe}


def log_to(log_format: str) -> None:
    """Log one JSON object a line, or readable lines with `console`; to standard error."""
    renderer = (
        structlog.dev.ConsoleRenderer()
        if log_format == "console"
        else structlog.processors.JSONRenderer()
    )
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("httpx", "aiohttp.access", "kopf.objects", "kopf.activities"):
        logging.getLogger(chatty).setLevel(logging.WARNING)  # they log every call


if __name__ == "__main__":
    sys.exit(main())
