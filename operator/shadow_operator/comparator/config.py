"""The mounted configuration file: read again when it changes, the last good one kept."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from shadow_operator.api.evidence import ComparatorConfig

POLL_SECONDS: Final = 2.0

log = structlog.get_logger()


def places(error: ValidationError) -> list[str]:
    """Return where the first few problems are, without the values."""
    return [".".join(map(str, item["loc"])) for item in error.errors()[:5]]


class ConfigFile:
    """A file that someone else replaces."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = b""
        self.valid = True
        """Whether what the file holds now is in force."""

    def load(self) -> ComparatorConfig:
        """Read it for the first time.

        Raises:
            OSError: it can't be read.
            ValidationError: it is no valid configuration.
        """
        self._content = self._path.read_bytes()
        return ComparatorConfig.model_validate_json(self._content)

    def changed(self) -> ComparatorConfig | None:
        """Return the new configuration if there is a valid one."""
        try:
            content = self._path.read_bytes()
        except OSError as error:
            self._refused(type(error).__name__)
            return None
        if content == self._content:
            return None
        self._content = content
        try:
            config = ComparatorConfig.model_validate_json(content)
        except ValidationError as error:
            self._refused("ValidationError", places(error))
            return None
        self.valid = True
        log.info("configuration changed", version=config.version)
        return config

    def _refused(self, error: str, details: list[str] | None = None) -> None:
        if self.valid or details:
            log.error("configuration refused, the last one stays", error=error, at=details or [])
        self.valid = False

    async def follow(
        self,
        apply: Callable[[ComparatorConfig], None],
        checked: Callable[[bool], None],
        *,
        every: float = POLL_SECONDS,
    ) -> None:
        """Apply every new configuration, and say each time whether the file is in force."""
        while True:
            await asyncio.sleep(every)
            config = self.changed()
            if config is not None:
                apply(config)
            checked(self.valid)
