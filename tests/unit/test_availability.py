"""Copies may begin when a workload is `complete`, and go on while it is `usable`."""

import pytest

from shadow_operator.core.deploying.availability import availability
from shadow_operator.core.snapshot import Found, Item, Manifest, Missing, Pod, Unknown


def deployment(
    replicas: int = 2,
    *,
    updated: int = 2,
    available: int = 2,
    total: int = 2,
    seen: int = 3,
) -> Item[Manifest]:
    return Found(
        {
            "metadata": {"name": "x", "generation": 3},
            "spec": {"replicas": replicas},
            "status": {
                "observedGeneration": seen,
                "replicas": total,
                "updatedReplicas": updated,
                "availableReplicas": available,
            },
        }
    )


NEW: Item[Manifest] = Found({"metadata": {"name": "x", "generation": 1}, "spec": {"replicas": 2}})


@pytest.mark.parametrize(
    ("live", "complete", "usable", "message"),
    [
        (deployment(), True, True, ""),
        (deployment(available=1), False, True, "x: 1 of 2 pods are available"),
        (deployment(available=0), False, False, "x: 0 of 2 pods are available"),
        (deployment(updated=1), False, False, "x is being replaced"),
        (deployment(total=3), False, False, "x is being replaced"),
        (deployment(seen=2), False, False, "x is being replaced"),
        (deployment(0, updated=0, available=0, total=0), False, False, "x is scaled to 0 replicas"),
        (NEW, False, False, "x: 0 of 2 pods are available"),
        (Missing(), False, False, "x does not exist yet"),
        (Unknown("it timed out"), False, False, "x: it timed out"),
    ],
    ids=str,
)
def test_a_workload_is(live: Item[Manifest], complete: bool, usable: bool, message: str) -> None:
    seen = availability("x", live, ())
    assert (seen.complete, seen.usable, seen.message) == (complete, usable, message)


def test_it_says_what_its_pods_wait_for_and_counts_their_restarts() -> None:
    pods = [
        Pod("a", "a", "shadow", restarts=2, waiting="ImagePullBackOff: no such image"),
        Pod("b", "b", "shadow", restarts=1, terminating=True, waiting="Evicted"),
    ]
    seen = availability("x", deployment(available=0), pods)
    assert seen.message == "x: 0 of 2 pods are available: ImagePullBackOff: no such image"
    assert seen.restarts == 2
