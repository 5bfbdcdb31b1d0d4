"""A machine as unit tests of dev/cluster want it: an empty cache, stand-ins for its programs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give an empty cache folder; its path is short, since sockets lie below it."""
    for variable in ("SHADOW_KUBECONFIG", "SHADOW_CLUSTER", "SHADOW_REGISTRY"):
        monkeypatch.delenv(variable, raising=False)
    with tempfile.TemporaryDirectory(prefix="shadow-", dir="/tmp") as folder:
        monkeypatch.setenv("XDG_CACHE_HOME", folder)
        yield Path(folder)


class Recorder:
    """Stand-in programs on PATH that write down their arguments and print a canned answer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "calls"

    def add(self, name: str, script: str = "", folder: Path | None = None) -> Path:
        """Put a program there, or into another folder."""
        program = (folder or self.folder) / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.log}\n{script}\n')
        program.chmod(0o755)
        return program

    @property
    def calls(self) -> list[str]:
        """Give what was called, in order."""
        return self.log.read_text().splitlines()


@pytest.fixture
def stand_in(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Give a folder at the head of PATH; the current folder is the cache's."""
    folder = cache / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.chdir(cache)
    return Recorder(folder)
