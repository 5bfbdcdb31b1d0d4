"""Fixtures that give tests a cluster of their own, apart from any that a person has running."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dev import cluster as clusters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster import Cluster


@pytest.fixture(scope="session")
def control_plane() -> Iterator[Cluster]:
    """Give a real API server with its controllers, and no node: nothing that is created runs."""
    yield from _own_cluster(f"test-api-{os.getpid()}", control_plane_only=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Give a real Kubernetes with one node that runs pods."""
    yield from _own_cluster(f"test-{os.getpid()}", control_plane_only=False)


def _own_cluster(name: str, *, control_plane_only: bool) -> Iterator[Cluster]:
    try:
        found = clusters.ensure(name, control_plane_only=control_plane_only)
    except clusters.Unavailable as error:
        pytest.skip(f"no cluster on this machine: {error}")
    except BaseException:
        # Started in part: what runs must not outlive the tests.
        clusters.remove(name)
        raise
    try:
        yield found
    finally:
        found.down()
