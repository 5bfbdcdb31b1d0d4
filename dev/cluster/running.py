"""Starting a cluster's programs and waiting for the API server's answers."""

from __future__ import annotations

import http.client
import ssl
from typing import TYPE_CHECKING

from dev.cluster import namespace
from dev.cluster.base import ClusterError, environment, wait_until
from dev.cluster.processes import MARK, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from dev.cluster.plane import Layout
    from dev.cluster.state import State


def ensure_running(state: State, component: str, argv: Sequence[str]) -> None:
    """Start a program of the cluster unless it runs; its id is written down at once."""
    running = state.processes.get(component)
    if running and running.alive():
        return
    log = log_of(state.layout, component)
    log.parent.mkdir(exist_ok=True)
    marked = {
        name: value
        for name, value in environment(**{MARK: str(state.layout.folder)}).items()
        # What they call is in the cluster; no proxy outside could reach it.
        if not name.lower().endswith("_proxy")
    }
    if state.layout.has_node:
        process = namespace.spawn(state.processes[namespace.HOLDER], argv, log, marked)
    else:
        process = spawn(argv, log, marked)
    state.processes[component] = process
    state.write()


def wait_for(state: State, path: str) -> None:
    """Wait until the API server answers 200 to `path`."""
    wait_while_alive(state, f"the API server's answer to {path}", lambda: get(state.layout, path))


def wait_while_alive(state: State, what: str, condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds; ClusterError at once when a program of the cluster ends."""

    def holds() -> bool:
        for component, process in state.processes.items():
            if not process.alive():
                log = log_of(state.layout, component)
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
                raise ClusterError(f"{component} ended; the last lines of {log}:\n{tail}")
        return condition()

    wait_until(what, holds, hint=f"See {state.layout.folder / 'logs'}")


def log_of(layout: Layout, component: str) -> Path:
    """Give the file with everything that a program of the cluster prints."""
    return layout.folder / "logs" / f"{component}.log"


def get(layout: Layout, path: str) -> bool:
    """Tell whether the API server answers 200 to `path` for the administrator."""
    context = ssl.create_default_context(cafile=layout.pki / "ca.crt")
    context.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")
    # Straight to it, whatever proxy the environment names.
    connection = http.client.HTTPSConnection(
        layout.address, layout.port, timeout=5, context=context
    )
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
