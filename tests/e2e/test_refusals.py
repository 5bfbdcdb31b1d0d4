"""What is refused on a real node leaves alone what is there."""

from typing import Any

from tests.support import hal9
from tests.support.kubectl import Namespace
from tests.support.operator import ShadowCluster

STRANGER: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "hal9-shadow", "labels": {"made-by": "hand"}},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"made-by": "hand"}},
        "template": {
            "metadata": {"labels": {"made-by": "hand"}},
            "spec": {"containers": [{"name": "mine", "image": "localhost/mine:1"}]},
        },
    },
}
"""A Deployment with the name of a clone."""


def test_a_stranger_with_a_childs_name_is_left_alone_until_it_goes(
    namespace: Namespace, shadow_cluster: ShadowCluster
) -> None:
    image = shadow_cluster.hal9_image
    namespace.apply(*hal9.short_lived(image), STRANGER)
    before = namespace.get("deployment", "hal9-shadow")["metadata"]
    namespace.apply(hal9.shadow_deployment(image))

    status = namespace.wait_for_status("hal9", "a refusal", bool)
    accepted = namespace.condition("hal9", "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", "ChildNameTaken")
    assert "Deployment hal9-shadow exists" in accepted["message"]
    assert status["phase"] == "Pending"
    assert "hal9-reference" not in names(namespace, "deployments")
    after = namespace.get("deployment", "hal9-shadow")["metadata"]
    assert (after["uid"], after["generation"]) == (before["uid"], before["generation"])

    # What the message says to do is enough.
    namespace("delete", "deployment", "hal9-shadow")
    wait_until_accepted(namespace)
    namespace.wait("the clones", lambda: "hal9-reference" in names(namespace, "deployments"))


def test_production_that_comes_later_is_named_and_waited_for(
    namespace: Namespace, shadow_cluster: ShadowCluster
) -> None:
    image = shadow_cluster.hal9_image
    *production, service = hal9.short_lived(image)
    namespace.apply(*production, hal9.shadow_deployment(image))
    namespace.wait_for_status("hal9", "a refusal", bool)
    accepted = namespace.condition("hal9", "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", "ProductionNotFound")
    assert accepted["message"].startswith("Service hal9-service does not exist")
    assert names(namespace, "pods", "hal9.ai/shadow") == []

    namespace.apply(service)
    wait_until_accepted(namespace)


def wait_until_accepted(namespace: Namespace) -> None:
    def accepted() -> bool:
        return bool(namespace.condition("hal9", "Accepted")["status"] == "True")

    namespace.wait("acceptance", accepted)


def names(namespace: Namespace, kind: str, selector: str = "") -> list[str]:
    return [one["metadata"]["name"] for one in namespace.list(kind, selector)]
