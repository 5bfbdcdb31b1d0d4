"""The demo itself, on a real node: real pods, real traffic, two verdicts."""

import re
from collections.abc import Iterator

import pytest

from dev import guest
from dev.cluster import Progress
from dev.demo import CASES, Demo
from dev.kubectl import Kubectl
from dev.outcome import Case
from tests.support.kubectl import Namespace
from tests.support.operator import ShadowCluster, remove


@pytest.fixture(scope="module")
def verdicts_are_right(shadow_cluster: ShadowCluster) -> Iterator[bool]:
    """Run the demo once, and take its namespaces away at the end."""
    names = [case.namespace for case in CASES]
    if taken := guest.made_by_demo(shadow_cluster.kubectl, names, made=False):
        pytest.skip(f"not made by the demo, and there already: namespace {', '.join(taken)}")
    yield Demo(shadow_cluster.cluster, Progress()).run()
    for case in CASES:
        remove(Namespace(case.namespace, shadow_cluster.kubectl))


@pytest.fixture(scope="module")
def kubectl(shadow_cluster: ShadowCluster, verdicts_are_right: bool) -> Kubectl:
    assert verdicts_are_right
    return shadow_cluster.kubectl


def test_the_good_version_may_proceed_and_the_broken_one_is_found_out(
    verdicts_are_right: bool,
) -> None:
    assert verdicts_are_right


def test_kubectl_can_wait_for_the_soak(kubectl: Kubectl) -> None:
    kubectl(
        *("wait", "shadowdeployment", "hal9", "--namespace", "hal9"),
        *("--for=condition=SoakComplete", "--timeout=120s"),
    )


def test_the_columns_fit_120_characters(kubectl: Kubectl) -> None:
    printed = kubectl("get", "shadowdeployments", "--namespace", "hal9")
    assert max(map(len, printed.splitlines())) <= 120
    assert "ProceedToCanary" in printed


def test_deleting_a_resource_leaves_its_entry_leading_to_production(kubectl: Kubectl) -> None:
    in_namespace = "--namespace", "hal9"
    kubectl("delete", "shadowdeployment", "hal9", *in_namespace, "--timeout=150s", timeout=180)
    entry = kubectl.get("service", "hal9-mirror", *in_namespace)
    production = kubectl.get("service", "hal9-service", *in_namespace)
    assert entry["spec"]["selector"] == production["spec"]["selector"]
    assert not entry["metadata"].get("ownerReferences")
    left = kubectl.get("deployments", *in_namespace, "--selector", "hal9.ai/shadow")["items"]
    assert left == [] or all("deletionTimestamp" in one["metadata"] for one in left)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.namespace)
def test_no_client_saw_a_failure(kubectl: Kubectl, case: Case) -> None:
    log = kubectl("logs", "deployment/hal9-traffic", "--namespace", case.namespace, "--tail=1")
    found = re.search(r"requests=(\d+) failures=(\d+)", log)
    assert found, log
    assert int(found[1]) > 1000
    assert int(found[2]) == 0
