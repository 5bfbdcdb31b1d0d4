"""The isolation probe: tries to reach what the clones' network policy forbids.

Runs in a pod of its own, before clones start. It writes one line of JSON to the container's
termination message, where the operator reads it, and ends with status 0 whatever it found:

    {"target": "10.96.0.7:80", "reachable": false, "attempts": 15, "error": "timed out"}

`reachable` is `true` after three connections in a row or where the last attempt succeeded, and
`false` where the last three failed: some network plugins enforce a policy only seconds after a pod
has started. It is `null` where failing proves nothing: no name server answers either (the policy
allows those), so the pod has no network at all; or the target's name is not known.
"""

import argparse
import json
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypedDict

TERMINATION_LOG: Final = Path("/dev/termination-log")
RESOLV_CONF: Final = Path("/etc/resolv.conf")

CONNECT_SECONDS: Final = 1.0
IN_A_ROW: Final = 3
"""So many equal outcomes after one another count."""

UNKNOWN_NAME: Final = "the name is not known"


class Report(TypedDict):
    """What the operator reads."""

    target: str
    reachable: bool | None
    attempts: int
    error: str
    """Why the last attempt failed; empty where it did not."""


Connect = Callable[[str, int], str]
"""Open and close a connection; answer why that failed, or an empty string."""


def connect(host: str, port: int) -> str:
    """Try one TCP connection."""
    try:
        with socket.create_connection((host, port), timeout=CONNECT_SECONDS):
            return ""
    except TimeoutError:
        return "timed out"
    except socket.gaierror:
        return UNKNOWN_NAME
    except OSError as error:
        return error.strerror or type(error).__name__


def name_servers(resolv_conf: str) -> list[str]:
    """Give the addresses of a resolv.conf."""
    lines = (line.split() for line in resolv_conf.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


def probe(
    target: str,
    seconds: float,
    servers: Sequence[str],
    *,
    connect: Connect = connect,
    pause: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
) -> Report:
    """Try to reach `host:port` for so many seconds of `clock`, with pauses between."""
    host, _, port = target.rpartition(":")
    end = clock() + seconds
    errors: list[str] = []
    while True:
        errors.append(connect(host.strip("[]"), int(port)))
        if errors[-IN_A_ROW:] == [""] * IN_A_ROW or clock() >= end:
            break
        time.sleep(pause)
    return Report(
        target=target,
        reachable=_verdict(errors, servers, connect),
        attempts=len(errors),
        error=errors[-1],
    )


def _verdict(errors: Sequence[str], servers: Sequence[str], connect: Connect) -> bool | None:
    last = errors[-IN_A_ROW:]
    if not last[-1]:
        return True
    settled = len(last) == IN_A_ROW and all(last) and UNKNOWN_NAME not in last
    return False if settled and not all(connect(server, 53) for server in servers) else None


def main(arguments: Sequence[str]) -> int:
    """Run `shadow-operator probe`; answer the exit status."""
    parser = argparse.ArgumentParser("shadow-operator probe", description=__doc__)
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long to try")
    parser.add_argument("--report", type=Path, default=TERMINATION_LOG, help="where to write")
    options = parser.parse_args(arguments)
    servers = name_servers(RESOLV_CONF.read_text(encoding="utf-8"))
    report = probe(options.target, options.seconds, servers)
    options.report.write_text(json.dumps(report), encoding="utf-8")
    print(json.dumps(report))
    return 0
