"""The isolation probe with real packets: in a network of its own, behind a rule or without one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dev.cluster import Progress, Unavailable, packages
from tests.support.schema import ROOT

INSIDE = """
import socket, subprocess, sys
from shadow_operator.probe import main

_, folder, *rules = sys.argv
subprocess.run(["mount", "--bind", f"{folder}/resolv.conf", "/etc/resolv.conf"], check=True)
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
servers = [socket.create_server(("127.0.0.1", port)) for port in (53, 8000)]
for rule in rules:
    subprocess.run(["iptables", *rule.split()], check=True)
sys.exit(main(["--target", "127.0.0.1:8000", "--seconds", "4", "--report", f"{folder}/log"]))
"""

POLICY = "-A OUTPUT -p tcp --dport 8000 -j DROP"
REFUSING_POLICY = "-A OUTPUT -p tcp --dport 8000 -j REJECT"
NO_NETWORK = "-A OUTPUT -p tcp -j DROP"


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    """Bring the programs that make a network of its own; they are a node's, too."""
    if os.geteuid() != 0:
        pytest.skip("a network of its own needs root")
    try:
        packages.ensure({name: packages.NODE[name] for name in ("ip", "iptables")}, Progress())
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("rules", "reachable", "error"),
    [
        pytest.param([], True, "", id="without a rule the target is reachable"),
        pytest.param([POLICY], False, "timed out", id="behind a rule that drops it is not"),
        pytest.param(
            [REFUSING_POLICY], False, "Connection refused", id="nor behind a rule that refuses"
        ),
        pytest.param([NO_NETWORK], None, "timed out", id="without any network nothing is proved"),
    ],
)
def test_the_probe_tells_the_truth(
    tmp_path: Path, rules: list[str], reachable: bool | None, error: str
) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, "-c", INSIDE, str(tmp_path), *rules],
        check=True,
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT / "operator")},
    )
    report: dict[str, Any] = json.loads((tmp_path / "log").read_text())
    assert report["target"] == "127.0.0.1:8000"
    assert (report["reachable"], report["error"]) == (reachable, error)
