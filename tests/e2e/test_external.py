"""Provider External: somebody else's mirror sends copies to the comparator's Service."""

from tests.support import hal9
from tests.support.kubectl import Namespace
from tests.support.operator import ShadowCluster


def test_copies_that_a_mirror_of_the_users_sends_are_compared(
    namespace: Namespace, shadow_cluster: ShadowCluster
) -> None:
    image = shadow_cluster.hal9_image
    namespace.apply(
        *hal9.short_lived(image), hal9.shadow_deployment(image, mirror={"provider": "External"})
    )
    namespace.wait_for_phase("hal9", "Mirroring")
    active = namespace.condition("hal9", "MirroringActive")
    assert (active["status"], active["reason"]) == ("False", "NoTraffic")
    assert "hal9-comparator:8080" in active["message"]
    assert namespace.find("deployment", "hal9-mirror") is None

    namespace.apply(hal9.traffic(image, url="http://hal9-comparator:8080", wait_path="/"))
    status = namespace.wait_for_status(
        "hal9",
        "pairs",
        lambda seen: seen.get("comparison", {}).get("compared", 0) >= 100,
    )
    assert status["comparison"]["received"] >= 100
    # Until a route or a member was seen three times it has no name that a rule could match.
    assert status["comparison"]["mismatched"] <= 10
    assert namespace.condition("hal9", "MirroringActive")["status"] == "True"
