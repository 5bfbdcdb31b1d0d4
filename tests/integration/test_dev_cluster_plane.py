"""A bare control plane from source: started, killed, started again, removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from dev import cluster as clusters
from dev.cluster import Silent
from dev.cluster.base import ClusterError, wait_until
from dev.cluster.choose import Machine, choose
from dev.cluster.processes import marked
from dev.cluster.programs import CONTROL_PLANE, programs, tool
from dev.cluster.source import SourceCluster, start
from dev.cluster.state import names
from dev.cluster.store import cluster_folder

if TYPE_CHECKING:
    from collections.abc import Iterator


def kubectl(cluster: clusters.Cluster, *words: str) -> Any:
    program = str(tool("kubectl", Silent()))
    command = [program, f"--kubeconfig={cluster.kubeconfig}", *words, "--output=json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)


@pytest.fixture
def from_source() -> None:
    provider = choose(Machine.look(), control_plane_only=True)
    if provider != "source":
        pytest.skip(
            f"about clusters from source, and this machine uses {provider}: "
            "SHADOW_CLUSTER=source runs it"
        )


@contextmanager
def started(name: str) -> Iterator[SourceCluster]:
    try:
        yield start(name, control_plane_only=True, progress=Silent())
    finally:
        clusters.remove(name)


def own_name(role: str) -> str:
    return f"{role}-{os.getpid()}"


def test_the_fixture_has_what_pods_need_to_be_created(control_plane: clusters.Cluster) -> None:
    accounts = kubectl(control_plane, "get", "serviceaccounts", "--namespace=default")["items"]
    assert "default" in {account["metadata"]["name"] for account in accounts}


def test_the_fixture_admits_by_policy(control_plane: clusters.Cluster) -> None:
    assert kubectl(control_plane, "get", "validatingadmissionpolicies")["kind"] == "List"


@pytest.mark.usefixtures("from_source")
def test_started_twice_it_is_the_same_and_killed_programs_come_back_with_their_data() -> None:
    with started(own_name("again")) as cluster:
        kubectl(cluster, "create", "configmap", "kept", "--from-literal=a=b")
        before = {name: cluster.component(name) for name in CONTROL_PLANE}
        again = start(cluster.name, control_plane_only=True, progress=Silent())
        assert {name: again.component(name) for name in CONTROL_PLANE} == before

        for name in CONTROL_PLANE:
            before[name].kill()
        assert clusters.find(cluster.name, progress=Silent()) is None
        revived = start(cluster.name, control_plane_only=True, progress=Silent())
        assert kubectl(revived, "get", "configmap", "kept")["data"] == {"a": "b"}
        assert revived.kubeconfig.read_text() == cluster.kubeconfig.read_text()

        with pytest.raises(ClusterError, match="is a bare control plane; choose another --name"):
            start(cluster.name, control_plane_only=False, progress=Silent())


@pytest.mark.usefixtures("from_source")
def test_two_control_planes_know_nothing_of_each_other_and_leave_nothing() -> None:
    with started(own_name("one")) as one, started(own_name("two")) as two:
        kubectl(one, "create", "namespace", "only-here")
        found = kubectl(two, "get", "namespaces")["items"]
        assert "only-here" not in {item["metadata"]["name"] for item in found}
        processes = [*marked(one.layout.folder), *marked(two.layout.folder)]
        assert len(processes) == 2 * len(CONTROL_PLANE)
    assert not any(process.alive() for process in processes)
    assert not {one.name, two.name} & set(names())
    clusters.remove(one.name)


@pytest.mark.usefixtures("from_source")
def test_a_start_that_was_killed_halfway_is_removed_without_a_trace() -> None:
    programs(CONTROL_PLANE, Silent())
    name = own_name("half")
    folder = cluster_folder(name)
    command = [sys.executable, "-m", "dev.cluster", "up", "--control-plane", "--name", name]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as starting:
        try:
            wait_until("the first process", lambda: bool(marked(folder)), 60)
        finally:
            starting.send_signal(signal.SIGKILL)
    processes = marked(folder)
    assert processes
    clusters.remove(name)
    assert not any(process.alive() for process in processes)
    assert not folder.exists()
