"""The cache folder outside the checkout, and the locks that make concurrent use of it safe."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dev.cluster.base import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The path of a Unix socket has at most 107 bytes, and the kubelet appends 35 to the folder's.
LONGEST_FOLDER = 72


def cache_folder() -> Path:
    """Give `$XDG_CACHE_HOME/shadow-operator`, or the same under `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "shadow-operator"


def cluster_folder(name: str) -> Path:
    """Tell where the cluster `name` keeps its state; ClusterError when the name can't be used."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?", name):
        raise ClusterError(
            f"cluster name {name!r}: use 1 to 20 characters of a-z, 0-9 and -, not - at the ends"
        )
    folder = cache_folder() / "clusters" / name
    if len(str(folder)) > LONGEST_FOLDER:
        raise ClusterError(
            f"{folder} is too long for the sockets in it; set XDG_CACHE_HOME to a shorter path"
        )
    return folder


@contextmanager
def locked(what: str) -> Iterator[None]:
    """Hold the machine-wide lock `what`; it ends with the process, however that ends."""
    path = cache_folder() / "locks" / what
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # Whoever held it before removed the file; what is locked then is a file without name.
            if not _names(path, file):
                continue
            try:
                yield
            finally:
                path.unlink()
            return


def _names(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def digest(parts: Iterable[str | bytes | Path]) -> str:
    """Give a short key of texts and of the content of files."""
    result = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            content = part.read_bytes()
        else:
            content = part.encode() if isinstance(part, str) else part
        result.update(len(content).to_bytes(8, "big"))
        result.update(content)
    return result.hexdigest()[:12]
