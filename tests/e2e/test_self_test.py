"""The judge on trial, on a service that is not HAL9."""

from tests.e2e.test_plain_service import NAME, example
from tests.support import hal9
from tests.support.kubectl import Namespace
from tests.support.operator import ShadowCluster

JUDGED = {
    "matchRate": {"minPercent": "99.5"},
    "minimumPairs": {"total": 500, "perRoute": 10},
}


def test_the_judge_finds_nothing_where_there_is_nothing_and_a_planted_fault(
    namespace: Namespace, shadow_cluster: ShadowCluster
) -> None:
    (shadow,) = example(shadow_cluster, "shadow.yaml")
    waits = {"selfTest": "Unchanged", "shadow": {"image": "localhost/nobody-has-this:1"}}
    quick = hal9.merged(hal9.QUICK, {"gates": JUDGED, **waits})
    shadow["spec"] = hal9.merged(shadow["spec"], quick)
    clients = hal9.traffic(
        shadow_cluster.hal9_image,
        *("--get=/products", "--get=/products/7", "--get=/products/20"),
        url=f"http://{NAME}-mirror",
        wait_path="/healthz",
        rate=100,
    )
    namespace.apply(*example(shadow_cluster, "production.yaml"), shadow, clients)
    assert passed(namespace) == "Self-test passed, nothing counts as a difference."

    namespace.patch(NAME, {"selfTest": "PlantedFault"})
    namespace.wait("another epoch", lambda: waiting(namespace))
    assert passed(namespace) == "Self-test passed, the planted fault was caught."
    [difference, *_] = namespace.status(NAME)["comparison"]["topDifferences"]
    assert difference["route"].startswith("GET /products")


def passed(namespace: Namespace) -> str:
    """Wait until the self-test has passed; give the first sentence of what it says."""
    namespace.wait_for_status(
        NAME, "a final verdict", lambda seen: seen.get("phase") == "Completed"
    )
    condition = namespace.condition(NAME, "SelfTestPassed")
    assert condition["status"] == "True", condition["message"]
    assert namespace.status(NAME)["verdict"]["decision"] == "ExtendShadow"
    return str(condition["message"]).partition(". ")[0] + "."


def waiting(namespace: Namespace) -> bool:
    """Whether nothing is known yet."""
    return bool(namespace.condition(NAME, "SelfTestPassed")["status"] == "Unknown")
