"""What every provider offers, and the small tools that all of them use."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Protocol

from dev.cluster.plane import LINKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path


# How long a thing may take that takes seconds: a start beside a compiler is ten times slower, and
# where something ended instead, the wait ends with it.
PATIENCE_SECONDS = 180.0

DIRECT = f"localhost,127.0.0.1,{LINKS}"
"""Where the clusters on this machine answer: never to be asked through a proxy."""


class ClusterError(Exception):
    """Something that a person can put right; the message says how."""


class Unavailable(ClusterError):  # noqa: N818 - a state of the machine, not of a call
    """No cluster can be had on this machine; the message says what to do about it."""


class Cluster(Protocol):
    """A Kubernetes cluster, wherever it came from."""

    @property
    def name(self) -> str:
        """Give the name it was asked for with."""

    @property
    def provider(self) -> str:
        """Say `existing`, `kind` or `source`."""

    @property
    def kubeconfig(self) -> Path:
        """Give a kubeconfig file whose current context is this cluster, as its administrator."""

    @property
    def has_node(self) -> bool:
        """Tell whether pods run here; False for a bare control plane."""

    def load_image(self, archive: Path) -> None:
        """Put the images of an OCI archive on the node."""

    def build_image(
        self, tag: str, dockerfile: Path, context: Path, build_args: Mapping[str, str] | None = None
    ) -> Path:
        """Build an image and return its OCI archive; cached by the content of `context`."""

    def node_run(
        self, argv: Sequence[str], *, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the node, in the node's network; output is captured as text."""

    def signal_container(self, namespace: str, pod: str, container: str, signal: int) -> list[int]:
        """Send a signal to every process of a running container; returns their ids on the node."""

    def down(self) -> None:
        """Stop it and remove what it put on the machine. An existing cluster is left alone."""


class Progress:
    """Lines on stderr that say what is being done, for how long, and why it takes long."""

    def __init__(self, stream: IO[str] | None = None, beat_seconds: float = 30) -> None:
        self._stream = stream
        self._beat_seconds = beat_seconds
        self._start = time.monotonic()

    def say(self, text: str) -> None:
        """Print one line with the time since the start."""
        elapsed = int(time.monotonic() - self._start)
        self.write(f"[{elapsed // 60}:{elapsed % 60:02d}] {text}")

    def write(self, line: str) -> None:
        """Print a line as it is."""
        stream = self._stream if self._stream is not None else sys.stderr
        print(line, file=stream, flush=True)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Announce `what`, repeat it while it lasts, and say how long it took if it was long."""
        self.say(what)
        started = time.monotonic()
        done = threading.Event()
        short = what.partition(":")[0]

        def beat() -> None:
            while not done.wait(self._beat_seconds):
                self.say(f"  still {short}, {int(time.monotonic() - started)} s so far")

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
        if (took := time.monotonic() - started) > 5:
            self.say(f"  took {took:.0f} s")


class Silent(Progress):
    """Says nothing."""

    def write(self, line: str) -> None:
        """Drop the line."""


def environment(**more: str) -> dict[str, str]:
    """Give this program's environment, made fit for calling others.

    PATH gets the sbin folders that an ordinary one leaves out; what NO_PROXY says (either spelling,
    as programs read the one or the other) also covers the clusters on this machine.
    """
    path = os.environ.get("PATH", os.defpath)
    theirs = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
    direct = f"{theirs},{DIRECT}" if theirs else DIRECT
    proxies = {"NO_PROXY": direct, "no_proxy": direct}
    return {**os.environ, "PATH": f"{path}:/usr/sbin:/sbin", **proxies, **more}


def run(
    argv: Sequence[str | Path],
    *,
    check: bool = True,
    timeout: float | None = None,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program and capture what it prints.

    Raises ClusterError with the command and the end of its error output when it fails.
    """
    command = [str(word) for word in argv]
    try:
        result = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env=environment() if env is None else dict(env),
            cwd=cwd,
        )
    except FileNotFoundError as error:
        raise ClusterError(f"`{command[0]}` is not installed on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"`{' '.join(command)}` did not end within {timeout} s") from error
    if check and result.returncode:
        tail = "\n".join((result.stderr or result.stdout).strip().splitlines()[-15:])
        raise ClusterError(f"`{' '.join(command)}` failed ({result.returncode}):\n{tail}")
    return result


def wait_until(
    what: str, condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS, hint: str = ""
) -> None:
    """Poll `condition` until it holds; ClusterError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what} did not happen within {seconds:.0f} s. {hint}".strip())
        time.sleep(0.1)
