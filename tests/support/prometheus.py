"""A real Prometheus and a real node exporter on ports of their own, as Debian packages them."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from dev.cluster import packages
from dev.cluster.base import wait_until
from tests.support.envoy import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.cluster import Progress

PACKAGE = {"prometheus": ("prometheus", "answers tests about alerts")}
EXPORTER = {"prometheus-node-exporter": ("prometheus-node-exporter", "tells tests of a node")}

CONFIGURATION = """
global: {evaluation_interval: 1s, scrape_interval: 1s}
rule_files: [rules.yml]
"""
SCRAPED = """
scrape_configs:
- {job_name: node, static_configs: [{targets: ["%s"]}]}
"""


@contextmanager
def running(folder: Path, rules: str, progress: Progress, *, node: str = "") -> Iterator[str]:
    """Run one with these alerting rules (YAML) that scrapes this `host:port`; gives its address."""
    packages.ensure(PACKAGE, progress, avoid="leave this test out")
    scraped = SCRAPED % node if node else ""
    (folder / "prometheus.yml").write_text(CONFIGURATION + scraped)
    (folder / "rules.yml").write_text(rules)
    where = f"127.0.0.1:{free_port()}"
    command = [
        packages.find("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={where}",
    ]
    with _serving("Prometheus", command, f"http://{where}/-/ready", folder / "log"):
        yield f"http://{where}"


@contextmanager
def exporting(proc: Path, sys: Path, progress: Progress) -> Iterator[str]:
    """Run a node exporter that reads the network from these for /proc and /sys; gives its address.

    The address is `host:port`. Its host's name is this machine's.
    """
    packages.ensure(EXPORTER, progress, avoid="leave this test out")
    where = f"127.0.0.1:{free_port()}"
    command = [
        packages.find("prometheus-node-exporter"),
        f"--path.procfs={proc}",
        f"--path.sysfs={sys}",
        "--collector.disable-defaults",
        *("--collector.netdev", "--no-collector.netdev.netlink"),
        *("--collector.netclass", "--collector.uname"),
        f"--web.listen-address={where}",
    ]
    with _serving("node exporter", command, f"http://{where}/metrics", proc.parent / "log"):
        yield where


@contextmanager
def _serving(name: str, command: list[str], ready: str, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            wait_until(name, lambda: _answers(ready), hint=f"See {log}")
            yield
        finally:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False
