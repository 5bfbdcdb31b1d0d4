"""The smallest resource where nobody enforces NetworkPolicy, and where somebody does."""

from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from tests.support import hal9
from tests.support.kubectl import Namespace
from tests.support.operator import ShadowCluster


def test_the_smallest_resource_waits_for_isolation_says_why_and_what_to_add(
    namespace: Namespace, shadow_cluster: ShadowCluster
) -> None:
    namespace.apply(*hal9.short_lived(shadow_cluster.hal9_image))
    namespace("rollout", "status", "deployment/hal9-server", "--timeout=280s", timeout=300)
    namespace.apply(smallest(shadow_cluster))
    namespace.wait("an answer of the probe", lambda: isolated(namespace) == "False")
    status = namespace.wait_for_status("hal9", "a halt", lambda seen: seen["phase"] == "Pending")
    assert "does not enforce NetworkPolicy" in status["message"]
    assert "clones.isolation: BestEffort" in status["message"]
    assert status["summary"]["blockedBy"] == "isolation"
    assert "BestEffort" in status["nextStep"]
    assert deployments(namespace) == ["hal9-server"]

    # The next step, as printed, is all that it takes.
    command, *words = status["nextStep"].replace("'", "").split()
    assert command == "kubectl"
    namespace.kubectl(*words)
    namespace.wait("the clones", lambda: "hal9-shadow" in deployments(namespace))


def test_the_smallest_resource_starts_where_network_policy_is_enforced(
    namespace: Namespace, shadow_cluster: ShadowCluster
) -> None:
    namespace.apply(*hal9.short_lived(shadow_cluster.hal9_image))
    namespace("rollout", "status", "deployment/hal9-server", "--timeout=280s", timeout=300)
    with production_fenced_off(namespace, shadow_cluster):
        namespace.apply(smallest(shadow_cluster))
        namespace.wait("an answer of the probe", lambda: isolated(namespace) == "True")
        namespace.wait("the clones", lambda: "hal9-shadow" in deployments(namespace))
    assert "NetworkPolicy is enforced" in namespace.condition("hal9", "Isolated")["message"]


@contextmanager
def production_fenced_off(namespace: Namespace, shadow_cluster: ShadowCluster) -> Iterator[None]:
    """Drop what pods send to production's Service, except the operator: what a plugin would do."""
    service = namespace.get("service", "hal9-service")["spec"]["clusterIP"]
    operator = shadow_cluster.operator_pods()[0]["status"]["podIP"]
    rule = ["FORWARD", "!", "--source", operator, "--match", "conntrack"]
    rule += ["--ctdir", "ORIGINAL", "--ctorigdst", service, "--jump", "DROP"]
    shadow_cluster.cluster.node_run(["iptables", "--insert", *rule])
    try:
        yield
    finally:
        shadow_cluster.cluster.node_run(["iptables", "--delete", *rule])


def smallest(shadow_cluster: ShadowCluster) -> hal9.Manifest:
    manifest: hal9.Manifest = yaml.safe_load((hal9.EXAMPLES / "smallest.yaml").read_text())
    del manifest["metadata"]["namespace"]
    manifest["spec"]["shadow"]["image"] = shadow_cluster.hal9_image
    return manifest


def isolated(namespace: Namespace) -> str:
    status: str = namespace.condition("hal9", "Isolated")["status"]
    return status


def deployments(namespace: Namespace) -> list[str]:
    return [one["metadata"]["name"] for one in namespace.list("deployments")]
