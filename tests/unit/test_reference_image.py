"""Which image the reference runs."""

from typing import Any

import pytest

from shadow_operator.core.deploying.reference import pullable, running_image
from shadow_operator.core.snapshot import Pod

ONE, TWO = "registry.example.com/shop@sha256:1111", "registry.example.com/shop@sha256:2222"


def pod(image_id: str, *, ready: bool = True, terminating: bool = False) -> Pod:
    return Pod("shop", "1", "production", image_id=image_id, ready=ready, terminating=terminating)


def production(**status: int) -> dict[str, Any]:
    counts = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "observedGeneration": 3}
    return {"metadata": {"generation": 3}, "spec": {"replicas": 2}, "status": counts | status}


def reference(image: str) -> dict[str, Any]:
    return {
        "spec": {
            "template": {
                "spec": {
                    "containers": [{"name": "proxy", "image": "p"}, {"name": "web", "image": image}]
                }
            }
        }
    }


@pytest.mark.parametrize(
    ("deployment", "pods", "live", "image"),
    [
        pytest.param(
            production(), [pod(TWO), pod(TWO)], reference(ONE), TWO, id="all pods run the same"
        ),
        pytest.param(
            production(updatedReplicas=1),
            [pod(ONE)],
            reference(ONE),
            ONE,
            id="during a rollout the reference keeps what it has",
        ),
        pytest.param(
            production(replicas=3),
            [pod(TWO)],
            reference(ONE),
            ONE,
            id="a rollout is not complete while old pods are there",
        ),
        pytest.param(
            production(observedGeneration=2),
            [pod(TWO)],
            reference(ONE),
            ONE,
            id="a rollout may not have begun",
        ),
        pytest.param(
            production(), [pod(ONE), pod(TWO)], reference(ONE), ONE, id="pods that disagree"
        ),
        pytest.param(
            production(),
            [pod(TWO), pod(ONE, terminating=True), pod(ONE, ready=False)],
            reference(ONE),
            TWO,
            id="pods that do not serve do not count",
        ),
        pytest.param(
            production(updatedReplicas=1), [pod(ONE)], None, "", id="a first reference in a rollout"
        ),
        pytest.param(
            production(),
            [],
            reference("shop:1"),
            "shop:1",
            id="a reference by tag, which is no id that can be pulled",
        ),
    ],
)
def test_the_reference_runs(
    deployment: dict[str, Any], pods: list[Pod], live: dict[str, Any] | None, image: str
) -> None:
    assert running_image(deployment, pods, live, "web") == image


@pytest.mark.parametrize(
    ("image_id", "image", "expected"),
    [
        (ONE, "registry.example.com/shop:1", ONE),
        (f"docker-pullable://{ONE}", "registry.example.com/shop", ONE),
        ("docker.io/library/shop@sha256:11", "shop:1", "docker.io/library/shop@sha256:11"),
        ("h:5000/shop@sha256:11", "h:5000/shop:1@sha256:22", "h:5000/shop@sha256:11"),
        ("docker.io/library/import-2026@sha256:11", "shop:1", ""),
        ("sha256:1111", "shop:1", ""),
        ("", "shop:1", ""),
    ],
)
def test_an_image_id_as_an_image(image_id: str, image: str, expected: str) -> None:
    assert pullable(image_id, image) == expected
