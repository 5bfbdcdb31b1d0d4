"""A service that is not HAL9, from examples/plain."""

import json
from typing import Any

from dev.provision import CATALOG
from tests.support import hal9
from tests.support.kubectl import Namespace
from tests.support.operator import ShadowCluster

FOLDER = CATALOG.folder
NAME = "catalog-v2"


def test_any_service_is_judged_and_nothing_of_the_preset_reaches_its_pods(
    namespace: Namespace, shadow_cluster: ShadowCluster
) -> None:
    production, service = example(shadow_cluster, "production.yaml")
    (shadow,) = example(shadow_cluster, "shadow.yaml")
    shadow["spec"] = hal9.merged(shadow["spec"], hal9.QUICK)
    clients = hal9.traffic(
        shadow_cluster.hal9_image,
        *("--get=/products", "--get=/products/7", "--get=/products/20"),
        url=f"http://{NAME}-mirror",
        wait_path="/healthz",
    )
    namespace.apply(production, service, shadow, clients)

    status = namespace.wait_for_status(
        NAME, "a final verdict", lambda seen: seen.get("phase") == "Completed"
    )
    assert status["verdict"]["decision"] == "ProceedToCanary"
    assert status["comparison"]["compared"] >= 100
    for role in ("shadow", "reference"):
        (pod,) = namespace.list("pods", f"hal9.ai/shadow={NAME},hal9.ai/role={role}")
        assert "hal9" not in seen_from_inside(pod)


def seen_from_inside(pod: dict[str, Any]) -> str:
    """Give what a container can learn of its pod, in lower case and without the API group."""
    spec, metadata = pod["spec"], pod["metadata"]
    # The namespace's name is the test's.
    told = [metadata["name"], metadata["labels"], metadata.get("annotations", {}), spec]
    return json.dumps(told).lower().replace("hal9.ai/", "")


def example(shadow_cluster: ShadowCluster, path: str) -> list[hal9.Manifest]:
    image = shadow_cluster.image(CATALOG)
    return hal9.read(FOLDER / path, "localhost/shadow-operator/catalog-example:dev", image)
