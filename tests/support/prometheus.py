"""A real Prometheus on a port of its own, as Debian packages it."""

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

CONFIGURATION = "global: {evaluation_interval: 1s}\nrule_files: [rules.yml]\n"


@contextmanager
def running(folder: Path, rules: str, progress: Progress) -> Iterator[str]:
    """Run one with these alerting rules (YAML); gives its address."""
    packages.ensure(PACKAGE, progress, avoid="leave this test out")
    (folder / "prometheus.yml").write_text(CONFIGURATION)
    (folder / "rules.yml").write_text(rules)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                packages.find("prometheus"),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=output,
            stderr=output,
        )
        try:
            wait_until("Prometheus", lambda: _ready(url), hint=f"See {log}")
            yield url
        finally:
            process.kill()
            process.wait()


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=2).is_success
    except httpx.HTTPError:
        return False
