"""Who would take a clone for production."""

from typing import Any

import pytest

from shadow_operator.api.enums import Egress
from shadow_operator.api.names import Role
from shadow_operator.core import names
from shadow_operator.core.deploying.selectors import conflicts, matches
from tests.support.manifests import children_of

PRODUCTION = {"app": "shop", "tier": "web"}
CLONE = names.labels("next", Role.SHADOW)
EVERYTHING: dict[str, Any] = {}
ALL_BUT_DATABASES = {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["db"]}]}
SHOP = {"matchLabels": {"app": "shop"}}


def term(operator: str, key: str = "app", *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        pytest.param(None, False, id="no selector matches nothing"),
        pytest.param({}, True, id="an empty selector matches everything"),
        pytest.param({"matchLabels": {"app": "shop"}}, True, id="an equal label matches"),
        pytest.param({"matchLabels": {"app": "cart"}}, False, id="another value does not"),
        pytest.param({"matchLabels": {"zone": "a"}}, False, id="an absent label does not"),
        pytest.param(term("In", "app", "cart", "shop"), True, id="In: one of the values"),
        pytest.param(term("In", "app", "cart"), False, id="In: none of the values"),
        pytest.param(term("In", "zone", "a"), False, id="In: the label is absent"),
        pytest.param(term("NotIn", "app", "shop"), False, id="NotIn: one of the values"),
        pytest.param(term("NotIn", "app", "cart"), True, id="NotIn: none of the values"),
        pytest.param(term("NotIn", "zone", "a"), True, id="NotIn: the label is absent"),
        pytest.param(term("Exists", "app"), True, id="Exists: it does"),
        pytest.param(term("Exists", "zone"), False, id="Exists: it does not"),
        pytest.param(term("DoesNotExist", "app"), False, id="DoesNotExist: it does"),
        pytest.param(term("DoesNotExist", "zone"), True, id="DoesNotExist: it does not"),
        pytest.param(term("Like", "app", "shop"), False, id="an unknown operator matches nothing"),
        pytest.param({**SHOP, **term("Exists", "zone")}, False, id="all requirements must hold"),
    ],
)
def test_a_selector_matches(selector: dict[str, Any] | None, expected: bool) -> None:
    assert matches(selector, PRODUCTION) is expected


def object_of(kind: str, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "theirs"}, "spec": spec}


OPEN = [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]
ONLY_DNS = [{"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}]
PORT_RANGE = [{"ports": [{"port": 53, "endPort": 9000}]}]


@pytest.mark.parametrize(
    ("manifest", "egress", "conflict"),
    [
        pytest.param(
            object_of("Service", selector={"app": "shop"}), "Deny", False, id="production's Service"
        ),
        pytest.param(object_of("Service"), "Deny", False, id="a Service without a selector"),
        pytest.param(
            object_of("PodDisruptionBudget", selector=SHOP), "Deny", False, id="production's budget"
        ),
        pytest.param(
            object_of("PodDisruptionBudget", selector=EVERYTHING),
            "Deny",
            True,
            id="a budget for the whole namespace",
        ),
        pytest.param(
            object_of("PodDisruptionBudget"), "Deny", False, id="a budget without a selector"
        ),
        pytest.param(
            object_of("PodDisruptionBudget", selector=ALL_BUT_DATABASES),
            "Deny",
            True,
            id="a budget for everything but something",
        ),
        pytest.param(
            object_of("PodMonitor", selector=EVERYTHING),
            "Deny",
            True,
            id="a monitor of all pods",
        ),
        pytest.param(
            object_of("ServiceMonitor", selector=term("DoesNotExist", "skip")),
            "Deny",
            True,
            id="a monitor of all Services but marked ones",
        ),
        pytest.param(
            object_of("ServiceMonitor", selector=SHOP),
            "Deny",
            False,
            id="a monitor of production's Service",
        ),
        pytest.param(
            object_of("ReplicaSet", selector=ALL_BUT_DATABASES),
            "Deny",
            True,
            id="a ReplicaSet that selects by what is not",
        ),
        pytest.param(
            object_of("NetworkPolicy", podSelector={}, policyTypes=["Ingress", "Egress"]),
            "Deny",
            False,
            id="denying by default is no harm",
        ),
        pytest.param(
            object_of("NetworkPolicy", podSelector={}, ingress=[{}]),
            "Deny",
            False,
            id="letting somebody in is no harm",
        ),
        pytest.param(
            object_of("NetworkPolicy", podSelector={}, egress=ONLY_DNS),
            "Deny",
            False,
            id="name servers are what clones may reach anyway",
        ),
        pytest.param(
            object_of("NetworkPolicy", podSelector={}, egress=OPEN),
            "Deny",
            True,
            id="a way out for the whole namespace undoes Deny",
        ),
        pytest.param(
            object_of("NetworkPolicy", podSelector={}, policyTypes=["Ingress"], egress=OPEN),
            "Deny",
            False,
            id="rules for a way out that are not in force",
        ),
        pytest.param(
            object_of("NetworkPolicy", egress=PORT_RANGE),
            "Deny",
            True,
            id="a range of ports is more than name servers",
        ),
        pytest.param(
            object_of("NetworkPolicy", podSelector={}, egress=OPEN),
            "Allow",
            False,
            id="a way out is what Allow asks for",
        ),
        pytest.param(
            object_of("NetworkPolicy", podSelector=SHOP, egress=OPEN),
            "Deny",
            False,
            id="production's own policy",
        ),
    ],
)
def test_an_object_takes_a_clone_for_production(
    manifest: dict[str, Any], egress: str, conflict: bool
) -> None:
    sentences = conflicts(
        CLONE,
        [manifest],
        PRODUCTION,
        production_service={"app": "shop"},
        egress=Egress(egress),
    )
    assert bool(sentences) is conflict
    assert all(sentence.startswith(f"{manifest['kind']} theirs selects") for sentence in sentences)


def test_what_selects_only_clones_is_somebodys_own_wish() -> None:
    monitor = object_of("PodMonitor", selector={"matchLabels": {"hal9.ai/role": "shadow"}})
    assert conflicts(CLONE, [monitor], PRODUCTION) == ()


def test_production_that_carries_our_labels_conflicts_with_its_service() -> None:
    service = object_of("Service", selector={"hal9.ai/role": "shadow"})
    [sentence] = conflicts(CLONE, [service], {**PRODUCTION, "hal9.ai/role": "shadow"})
    assert "sends them production's requests" in sentence


def test_our_own_children_are_no_conflict() -> None:
    kinds = {"Service", "PodDisruptionBudget", "NetworkPolicy"}
    ours = [manifest for manifest in children_of() if manifest["kind"] in kinds]
    assert {manifest["kind"] for manifest in ours} == kinds
    assert conflicts(CLONE, ours, PRODUCTION) == ()
