"""Durations as the runbook writes them: `5m`, `1h`, `90s`, `1h30m`, or plain seconds."""

import re
from typing import Any, Final

import typer

_UNITS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1, "": 1}
_WHOLE: Final = re.compile(r"(\d+d)?(\d+h)?(\d+m)?(\d+s?)?")
_PART: Final = re.compile(r"(\d+)([dhms]?)")


def seconds(text: str) -> int:
    """Read a duration; raise a usage error that says how to write one."""
    found = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if not _WHOLE.fullmatch(text) or not found:
        raise typer.BadParameter(f"{text!r} is no duration; write 30s, 5m, 1h, 1h30m or 90.")
    return found


def duration(help_text: str) -> Any:
    """Give the option that takes one."""
    return typer.Option(parser=seconds, metavar="DURATION", help=help_text)
