"""Processes that outlive the program which started them, known by id and start time.

A process id alone is no name: it is given again after the process ends, and after a machine
was restored from a snapshot it may belong to anything. The start time beside it settles that.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster.base import PATIENCE_SECONDS, ClusterError, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROC = Path("/proc")
# In the environment of every process of a cluster: the cluster's folder.
MARK = "SHADOW_OPERATOR_CLUSTER"


@dataclass(frozen=True)
class Process:
    """A process of this machine: its id and its start time in clock ticks since boot."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """Give the running process with this id, or None where there is none (or a zombie)."""
        try:
            stat = (PROC / str(pid) / "stat").read_text()
        except OSError:
            return None
        # The second field is the program's name in parentheses and may hold anything.
        fields = stat.rpartition(")")[2].split()
        # Where the first thread has ended, the others still hold what is open, such as a port.
        ended = fields[0] == "X" or (fields[0] == "Z" and int(fields[17]) <= 1)
        return None if ended else cls(pid, int(fields[19]))

    def alive(self) -> bool:
        """Tell whether this very process, not a later one with its id, is running."""
        reap(self.pid)
        return Process.of(self.pid) == self

    def kill(self) -> None:
        """End it at once and wait until it is gone. Nothing happens if it ended before."""
        if not self.alive():
            return
        os.kill(self.pid, signal.SIGKILL)
        wait_until(f"the end of process {self.pid}", lambda: not self.alive())


def reap(pid: int) -> None:
    """Collect a child of this program that has ended; other ids are none of our business."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def spawn(argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> Process:
    """Start a program in a session of its own, with no input, its output added to `log`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawnp(
        argv[0],
        list(argv),
        dict(os.environ if env is None else env),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    process = Process.of(pid)
    if process is None:
        raise ClusterError(f"`{argv[0]}` ended at once; see {log}")
    return process


def only_child(parent: Process, log: Path) -> Process:
    """Give the one child of a wrapper such as nsenter, as soon as there is one."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    children = PROC / str(parent.pid) / "task" / str(parent.pid) / "children"
    while parent.alive() and time.monotonic() < deadline:
        try:
            found = children.read_text().split()
        except FileNotFoundError:
            break
        for pid in found:
            if (child := Process.of(int(pid))) is not None:
                return child
        time.sleep(0.01)
    raise ClusterError(f"a process of the cluster did not start; see {log}")


def marked(folder: Path) -> list[Process]:
    """List every process that carries the mark of the cluster in `folder`, written down or not."""
    if not PROC.is_dir():
        return []  # not Linux: no cluster from source, and none of its processes
    mark = f"{MARK}={folder}".encode()
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in environment and (process := Process.of(int(entry.name))):
            found.append(process)
    return found
