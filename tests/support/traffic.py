"""Clients of a service in a pod of their own: what they see while they run, and in the end."""

from __future__ import annotations

import json
import re
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support import hal9

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dev.cluster import Cluster
    from tests.support.kubectl import Namespace

_LINE = re.compile(r"t=(\d+)s requests=(\d+) failures=(\d+) ")


@dataclass(frozen=True)
class Seen:
    """What the clients had seen at one moment."""

    seconds: int = 0
    """Since their start, by their own clock."""
    requests: int = 0
    """Requests that have ended."""
    failures: int = 0
    line: str = ""


class Traffic:
    """A pod of `hal9sim.traffic` that runs until it is told to stop."""

    def __init__(self, cluster: Cluster, namespace: Namespace, name: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._seen = Seen()

    @property
    def seen(self) -> Seen:
        """Give the newest line, which is about a second old."""
        return self._seen

    def go_on(self, seconds: int) -> None:
        """Return once the clients have gone on for so long."""
        until = self.seen.seconds + seconds
        self._namespace.wait(f"second {until} of {self._name}", lambda: self.reached(until))

    def reached(self, seconds: int, requests: int = 0) -> bool:
        """Tell whether the clients have run so long and had so many requests answered."""
        return self.seen.seconds >= seconds and self.seen.requests >= requests

    def stop(self, seconds: float = 300) -> dict[str, Any]:
        """Let the last requests end, and give the generator's summary of the whole run."""
        self._cluster.signal_container(self._namespace.name, self._name, "traffic", signal.SIGTERM)
        self._namespace.wait(f"the end of {self._name}", self._ended, seconds)
        log = self._namespace("logs", self._name, "--tail=1")
        summary: dict[str, Any] = json.loads(log)
        return summary

    def _ended(self) -> bool:
        phase = self._namespace.get("pod", self._name)["status"]["phase"]
        return phase in ("Succeeded", "Failed")

    def read(self, lines: Iterable[str]) -> None:
        """Take up progress lines until there are no more."""
        for line in lines:
            if found := _LINE.match(line):
                seconds, requests, failures = map(int, found.groups())
                self._seen = Seen(seconds, requests, failures, line.strip())


@contextmanager
def running(
    cluster: Cluster, namespace: Namespace, image: str, name: str = "clients", **options: Any
) -> Iterator[Traffic]:
    """Run clients of `hal9-mirror` with the generator's options until the block ends."""
    deployment = hal9.traffic(image, progress=1, **options)
    template = deployment["spec"]["template"]
    namespace.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**template["metadata"], "name": name},
            "spec": {**template["spec"], "restartPolicy": "Never"},
        }
    )
    namespace("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=180s", timeout=200)
    traffic = Traffic(cluster, namespace, name)
    follow = namespace.kubectl.start("--namespace", namespace.name, "logs", "--follow", name)
    reader = threading.Thread(target=traffic.read, args=(follow.stdout,), daemon=True)
    reader.start()
    try:
        namespace.wait(f"the first line of {name}", lambda: traffic.reached(1))
        yield traffic
    finally:
        follow.terminate()
        follow.wait()
        reader.join()
        if follow.stdout:
            follow.stdout.close()
        namespace("delete", "pod", name, "--grace-period=1", "--wait=false")
