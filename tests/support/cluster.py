"""Fixtures that give tests a cluster of their own, apart from any that a person has running."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, NoReturn

import pytest

from dev import cluster as clusters
from dev import guest
from dev.cluster import Progress
from dev.cluster.base import environment
from dev.cluster.choose import Machine
from dev.cluster.existing import ExistingCluster
from dev.cluster.store import locked
from dev.demo import CASES
from dev.guest import DEFINITION
from dev.install import RELEASE, kubectl_for, uninstall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster import Cluster
    from dev.kubectl import Kubectl

NAMESPACES = (RELEASE, *(case.namespace for case in CASES), "shop")
"""Namespaces with a fixed name that tests make; all others get a name of their own."""


class Aloud(Progress):
    """Says it on the terminal itself, past pytest's capture: a first run compiles for minutes."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__()
        self._capture = config.pluginmanager.getplugin("capturemanager")
        self._terminal = config.pluginmanager.getplugin("terminalreporter")
        self._one_at_a_time = threading.Lock()  # steps in steps repeat themselves from threads

    def write(self, line: str) -> None:
        """Print a line of its own between those of pytest."""
        if self._capture is None or self._terminal is None:
            super().write(line)
            return
        with self._one_at_a_time, self._capture.global_and_fixture_disabled():
            self._terminal.ensure_newline()
            self._terminal.write_line(line)


@pytest.fixture(scope="session")
def progress(pytestconfig: pytest.Config) -> Progress:
    """Give what tells the person at the terminal about long work."""
    return Aloud(pytestconfig)


class Theirs(ExistingCluster):
    """The cluster that SHADOW_KUBECONFIG names; a test that needs its nodes is skipped."""

    def refuse(self, what: str) -> NoReturn:
        """Skip the test that wants this."""
        pytest.skip(f"the cluster of SHADOW_KUBECONFIG is not ours, so this test can't {what}")


@pytest.fixture(scope="session")
def theirs(progress: Progress) -> Iterator[Cluster | None]:
    """Give the cluster that SHADOW_KUBECONFIG names, if it does; skip where tests would harm it.

    Nothing of what tests make stood there before, so all of it is removed at the end.
    """
    kubeconfig = Machine.look().existing
    if not kubeconfig:
        yield None
        return
    cluster = Theirs("theirs", kubeconfig, progress)
    kubectl = kubectl_for(cluster, progress)
    progress.say("on the cluster that SHADOW_KUBECONFIG names tests run one session at a time")
    with locked("tests-on-theirs"):
        if reason := refusal(kubectl):
            pytest.skip(reason)
        yield cluster
        clear(cluster, kubectl, progress)


def refusal(kubectl: Kubectl) -> str:
    """Say why tests must not run in somebody else's cluster; empty where they may."""
    if found := guest.standing(kubectl, NAMESPACES):
        return (
            f"the cluster that SHADOW_KUBECONFIG names has {', '.join(found)}, which tests would "
            "change and remove: name a cluster without them, or unset SHADOW_KUBECONFIG"
        )
    return ""


def clear(cluster: Cluster, kubectl: Kubectl, progress: Progress) -> None:
    """Remove whatever tests have made in a cluster where nothing of it stood before."""
    if guest.find(kubectl, "customresourcedefinition", DEFINITION):
        kubectl("delete", DEFINITION, "--all", "--all-namespaces", timeout=600)
    uninstall(cluster, kubectl, progress)
    for namespace in NAMESPACES:
        kubectl("delete", "namespace", namespace, "--ignore-not-found", timeout=180)
    kubectl("delete", "customresourcedefinition", DEFINITION, "--ignore-not-found")


@pytest.fixture(scope="session")
def control_plane(theirs: Cluster | None, progress: Progress) -> Iterator[Cluster]:
    """Give a real API server with its controllers; nothing that is created there need run."""
    yield from _own_cluster(theirs, f"test-api-{os.getpid()}", progress, control_plane_only=True)


@pytest.fixture(scope="session")
def cluster(theirs: Cluster | None, progress: Progress) -> Iterator[Cluster]:
    """Give a real Kubernetes with one node that runs pods."""
    yield from _own_cluster(theirs, f"test-{os.getpid()}", progress, control_plane_only=False)


def _own_cluster(
    theirs: Cluster | None, name: str, progress: Progress, *, control_plane_only: bool
) -> Iterator[Cluster]:
    if theirs is not None:
        yield theirs
        return
    try:
        found = clusters.ensure(name, control_plane_only=control_plane_only, progress=progress)
    except clusters.Unavailable as error:
        pytest.skip(f"no cluster on this machine: {error}")
    except BaseException:
        # Started in part: what runs must not outlive the tests.
        clusters.remove(name)
        raise
    # The tests' own clients go straight to it, whatever proxy the environment names.
    os.environ["NO_PROXY"] = environment()["NO_PROXY"]
    try:
        yield found
    finally:
        found.down()
