"""Production's clients notice nothing of a shadow, whatever becomes of its parts.

Every request counts, also one that the client could have sent again. Requests that last (held,
streamed, WebSocket) run for SHADOW_TEST_HELD_SECONDS: 20 where it is not set, 60 in a full run.
What a killed Envoy costs is measured apart, because a connection can't outlive its process.
"""

from __future__ import annotations

import json
import os
import resource
import signal
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from dev.cluster import ClusterError
from dev.install import RELEASE
from shadow_operator.core.deploying.envoy import CONTROL_PORT, STATS_PATH
from tests.support import hal9, traffic
from tests.support.operator import ShadowCluster, fresh_namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.support.kubectl import Namespace
    from tests.support.traffic import Traffic

NAME: Final = "hal9"
ROLES: Final = ("shadow", "reference", "comparator", "operator")
"""All but Envoy: nothing that happens to one of them may reach production."""

REPLICAS: Final = 2
"""Of shadow and reference; there are always two comparators."""

REQUESTS: Final = 20_000
LASTING: Final = 1_000
HELD_SECONDS: Final = int(os.environ.get("SHADOW_TEST_HELD_SECONDS", "20"))
AT_ONCE: Final = max(3, 2 * HELD_SECONDS)
"""Of each kind of request that lasts: six end in each second."""
RATE: Final = 90
CONNECTIONS: Final = 16
"""Short requests at the same time, at most (the generator's default)."""

PATIENCE_SECONDS: Final = 30
"""How long clients wait for an answer: on a busy machine much is late."""
LIVENESS_SECONDS: Final = 45
"""A comparator that is frozen longer is killed by the kubelet."""
GROWTH_MIB: Final = 64
"""256 copies wait in each Envoy at most, here of about 1 KB, with their buffers."""
FROZEN_SECONDS: Final = 6
"""Shorter than clients wait: a frozen Envoy holds up what it has."""


@dataclass(frozen=True)
class Scene:
    """Production, a shadow of it that gets copies, and means to do harm."""

    shadow_cluster: ShadowCluster
    namespace: Namespace

    @property
    def manifest(self) -> dict[str, Any]:
        """Give the resource: everything is copied, for longer than any test lasts."""
        image = self.shadow_cluster.hal9_image
        return hal9.shadow_deployment(image, soakSeconds=86_400, clones={"replicas": REPLICAS})

    @contextmanager
    def clients(self, name: str, **options: Any) -> Iterator[Traffic]:
        """Run clients of the entry until the block ends.

        They call its address, which never changes: the cluster's DNS is not what is tested.
        """
        address = self.namespace.get("service", f"{NAME}-mirror")["spec"]["clusterIP"]
        with traffic.running(
            self.shadow_cluster.cluster,
            self.namespace,
            self.shadow_cluster.hal9_image,
            name,
            url=f"http://{address}:8080",
            rate=RATE,
            timeout=PATIENCE_SECONDS,
            **options,
        ) as clients:
            yield clients

    def pods(self, role: str) -> list[dict[str, Any]]:
        """Give the pods of a role that are not on their way out."""
        if role == "operator":
            return self.shadow_cluster.operator_pods()
        pods = self.namespace.list("pods", f"hal9.ai/role={role}")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def signal(self, number: int, *pods: Mapping[str, Any]) -> None:
        """Send a signal to every process of these pods."""
        for pod in pods:
            metadata, container = pod["metadata"], pod["spec"]["containers"][0]["name"]
            self.shadow_cluster.cluster.signal_container(
                metadata["namespace"], metadata["name"], container, number
            )

    @contextmanager
    def frozen(self, *pods: Mapping[str, Any]) -> Iterator[None]:
        """Stop every process of these pods until the block ends."""
        self.signal(signal.SIGSTOP, *pods)
        try:
            yield
        finally:
            for pod in pods:
                with suppress(ClusterError):  # the kubelet may have killed it: nothing to thaw
                    self.signal(signal.SIGCONT, pod)

    def scale(self, replicas: int) -> None:
        """Set the number of pods of shadow, reference and comparator, as a person may."""
        names = [f"deployment/{NAME}-{role}" for role in ROLES if role != "operator"]
        self.namespace("scale", *names, f"--replicas={replicas}")

    def delete(self, *pods: Mapping[str, Any]) -> None:
        """Delete pods as anybody does; their Deployments make others."""
        for pod in pods:
            place = f"--namespace={pod['metadata']['namespace']}"
            self.shadow_cluster.kubectl(
                "delete", "pod", pod["metadata"]["name"], place, "--wait=false"
            )

    def wait_until_well(self, percent: int = 100) -> None:
        """Wait until everything is available and copies are made, seen after this moment."""
        since = datetime.now(UTC)

        def well(status: dict[str, Any]) -> bool:
            measured: str = status.get("lastMeasurementTime", "1970-01-01T00:00:00Z")
            deployments = self.namespace.list("deployments", f"hal9.ai/shadow={NAME}")
            return bool(
                datetime.fromisoformat(measured) > since
                and _in_force(status) == percent
                and all(map(_complete, deployments))
            )

        self.namespace.wait_for_status(NAME, f"{percent} % copied and all well", well)

    def entry_leads_to(self, role: str) -> bool:
        """Tell where the entry sends new connections: to `mirror`, or to production."""
        selector = self.namespace.get("service", f"{NAME}-mirror")["spec"]["selector"]
        return bool(selector.get("hal9.ai/role", "production") == role)


def _in_force(status: Mapping[str, Any]) -> int | None:
    percent: int | None = status.get("mirror", {}).get("effectivePercent")
    return percent


def _has_in_force(percent: int, status: Mapping[str, Any]) -> bool:
    return _in_force(status) == percent


def _complete(deployment: dict[str, Any]) -> bool:
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    return bool(status.get("replicas") == status.get("availableReplicas") == wanted)


@pytest.fixture(scope="module")
def scene(request: pytest.FixtureRequest, shadow_cluster: ShadowCluster) -> Iterator[Scene]:
    if shadow_cluster.cluster.provider == "existing":
        pytest.skip("no signal can be sent to pods of the cluster that SHADOW_KUBECONFIG names")
    for namespace in fresh_namespace(request, shadow_cluster):
        scene = Scene(shadow_cluster, namespace)
        namespace.apply(*hal9.production(shadow_cluster.hal9_image))
        namespace("rollout", "status", "deployment/hal9-server", "--timeout=300s", timeout=320)
        yield scene


@pytest.fixture
def shadow(scene: Scene) -> Scene:
    """Give the scene with the resource applied, copying everything."""
    scene.namespace.apply(scene.manifest)
    scene.wait_until_well()
    return scene


# The harm


def kill(scene: Scene, clients: Traffic) -> None:
    for role in ROLES:
        scene.signal(signal.SIGKILL, *scene.pods(role))
        clients.go_on(2)
    scene.wait_until_well()


def freeze(scene: Scene, clients: Traffic) -> None:
    for role in ROLES:
        with scene.frozen(*scene.pods(role)):
            clients.go_on(FROZEN_SECONDS)
    scene.wait_until_well()


def restart(scene: Scene, clients: Traffic) -> None:
    for role in ROLES:
        scene.delete(*scene.pods(role))
        clients.go_on(2)
    scene.wait_until_well()


def remove_all_at_once(scene: Scene, clients: Traffic) -> None:
    """Leave Envoy alone in the world: nobody to answer its copies, nobody to tell it anything."""
    operator = scene.shadow_cluster.operator
    operator("scale", f"deployment/{RELEASE}", "--replicas=0")
    try:
        scene.namespace.wait("the operator's end", lambda: not scene.pods("operator"))
        scene.scale(0)
        clients.go_on(FROZEN_SECONDS)
    finally:
        operator("scale", f"deployment/{RELEASE}", "--replicas=1")
    scene.scale(REPLICAS)
    scene.wait_until_well()


def freeze_an_envoy(scene: Scene, clients: Traffic) -> None:
    with scene.frozen(scene.pods("mirror")[0]):
        clients.go_on(FROZEN_SECONDS)
    scene.wait_until_well()


def restart_an_envoy(scene: Scene, clients: Traffic) -> None:
    scene.delete(scene.pods("mirror")[0])
    clients.go_on(2)
    scene.wait_until_well()


def change_the_percentage(scene: Scene, _: Traffic) -> None:
    for number in range(20):
        percent = (37 * (number + 1)) % 101
        scene.namespace.patch(NAME, {"samplingPercent": percent})
        scene.namespace.wait_for_status(
            NAME, f"{percent} % in force", partial(_has_in_force, percent)
        )
    scene.namespace.patch(NAME, {"samplingPercent": 100})
    scene.wait_until_well()


def roll_out_production(scene: Scene, clients: Traffic) -> None:
    rollout = "deployment/hal9-server"
    scene.namespace("rollout", "restart", rollout)
    scene.namespace("rollout", "status", rollout, "--timeout=300s", timeout=320)
    clients.go_on(2)
    scene.wait_until_well()


def take_down_and_up_again(scene: Scene, clients: Traffic) -> None:
    scene.namespace.patch(NAME, {"phase": "None"})
    scene.namespace.wait("the end of Envoy", lambda: not scene.pods("mirror"))
    assert scene.entry_leads_to("production")
    clients.go_on(2)
    scene.namespace.patch(NAME, {"phase": "Shadow"})
    scene.wait_until_well()
    assert scene.entry_leads_to("mirror")


def delete_the_resource(scene: Scene, clients: Traffic) -> None:
    scene.namespace("delete", "shadowdeployment", NAME, "--timeout=300s", timeout=320)
    assert scene.entry_leads_to("production")
    clients.go_on(5)


HARM: Final[Mapping[str, Callable[[Scene, Traffic], None]]] = {
    "shadow, reference, comparator and operator killed": kill,
    "shadow, reference, comparator and operator frozen": freeze,
    "shadow, reference, comparator and operator restarted": restart,
    "shadow, reference, comparator and operator gone at once": remove_all_at_once,
    "one Envoy frozen": freeze_an_envoy,
    "one Envoy restarted": restart_an_envoy,
    "the percentage changed 20 times": change_the_percentage,
    "production rolled out": roll_out_production,
    "phase None and back": take_down_and_up_again,
    "the resource deleted": delete_the_resource,
}


def test_no_client_sees_a_failure_whatever_happens_to_the_shadow(
    shadow: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(text: str) -> None:
        with capsys.disabled():
            print(f"  {text}", flush=True)

    lasting = {"held": AT_ONCE, "streams": AT_ONCE, "websockets": AT_ONCE}
    say(f"\nrequests that last run for {HELD_SECONDS} s (SHADOW_TEST_HELD_SECONDS)")
    with shadow.clients("clients", held_seconds=HELD_SECONDS, **lasting) as clients:
        for what, harm in HARM.items():
            harm(shadow, clients)
            say(f"{what}: {clients.seen.line}")
            assert clients.seen.failures == 0, f"{what}: {clients.seen.line}"
        enough = HELD_SECONDS + LASTING * HELD_SECONDS // (3 * AT_ONCE)
        shadow.namespace.wait("enough requests", lambda: clients.reached(enough, REQUESTS), 900)
        summary = clients.stop()
    say(str(summary))
    assert summary["failures"] == 0, summary
    assert summary["requests"] >= REQUESTS
    kinds = summary["requests_by_name"]
    assert sum(kinds[name] for name in ("held", "stream", "websocket")) >= LASTING


_NO_SIGNAL: Final = 0
"""Only tells which processes there are."""


def _memory_bytes(scene: Scene) -> dict[str, int]:
    """Give the resident memory of every Envoy process."""
    node_run, found = scene.shadow_cluster.cluster.node_run, {}
    for pod in scene.pods("mirror"):
        for container in pod["spec"]["containers"]:
            place = pod["metadata"]["namespace"], pod["metadata"]["name"], container["name"]
            for process in scene.shadow_cluster.cluster.signal_container(*place, _NO_SIGNAL):
                pages = node_run(["cat", f"/proc/{process}/statm"]).stdout.split()[1]
                found["/".join((*place[1:], str(process)))] = int(pages) * resource.getpagesize()
    return found


def test_frozen_comparators_cost_production_neither_time_nor_memory(
    shadow: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    with shadow.clients("before") as clients:
        clients.go_on(HELD_SECONDS)
        before, memory = clients.stop(), _memory_bytes(shadow)
    with shadow.frozen(*shadow.pods("comparator")), shadow.clients("meanwhile") as clients:
        clients.go_on(min(HELD_SECONDS, LIVENESS_SECONDS))
        meanwhile, later = clients.stop(), _memory_bytes(shadow)
    grown = {name: (later[name] - memory[name]) >> 20 for name in memory}
    with capsys.disabled():
        print(f"\n  healthy: {before}\n  frozen: {meanwhile}\n  grown by MiB: {grown}", flush=True)
    assert before["failures"] == meanwhile["failures"] == 0
    assert meanwhile["p99_ms"] <= 2 * before["p99_ms"] + 50, "more than the noise of two runs"
    assert max(grown.values()) <= GROWTH_MIB


def _active(scene: Scene, envoy: Mapping[str, Any]) -> int:
    """Give the number of requests that this Envoy process holds now."""
    url = f"http://{envoy['status']['podIP']}:{CONTROL_PORT}{STATS_PATH}"
    program = f"import urllib.request as r; print(r.urlopen({url!r}, timeout=10).read().decode())"
    found = scene.shadow_cluster.cluster.node_run(["python3", "-c", program]).stdout
    stats = {one["name"]: one["value"] for one in json.loads(found)["stats"] if "name" in one}
    active: int = stats["http.production.downstream_rq_active"]
    return active


def test_a_killed_envoy_fails_only_what_it_held(
    shadow: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    lasting = {"held": 20, "streams": 20, "websockets": 20}
    with shadow.clients("bereft", held_seconds=20, **lasting) as clients:
        clients.go_on(10)
        envoy = shadow.pods("mirror")[0]
        held = _active(shadow, envoy)
        shadow.signal(signal.SIGKILL, envoy)
        clients.go_on(5)
        shadow.wait_until_well()
        summary = clients.stop()
    with capsys.disabled():
        print(f"\n  held by the killed Envoy: {held}; {summary}", flush=True)
    assert "ClientConnectorError" not in str(summary["failures_by_kind"]), summary
    assert 0 < summary["failures"] <= held + CONNECTIONS, summary
