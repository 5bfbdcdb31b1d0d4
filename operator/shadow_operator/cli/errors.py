"""Exit statuses, and the one error that ends a command."""

from enum import IntEnum


class Exit(IntEnum):
    """What a shell learns."""

    GREEN = 0
    NO = 1
    """The answer is no."""
    USAGE = 2
    """It was asked for in a way that makes no sense."""
    UNKNOWN = 3
    """It could not be asked, or is not known yet."""


class CliError(Exception):
    """A sentence that says what is wrong and what to do, and the exit status."""

    def __init__(self, status: Exit, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Conflict(CliError):  # noqa: N818 - it is a fact about the resource
    """Somebody else has changed the resource since it was read."""
