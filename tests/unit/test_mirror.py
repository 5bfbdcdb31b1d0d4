"""What provider `Envoy` puts into the cluster."""

import json
from typing import Any

import pytest

from shadow_operator.core.deploying import entry, envoy, mirror
from shadow_operator.core.deploying.envoy_http import PERCENT_KEY
from shadow_operator.core.deploying.selectors import matches_labels
from shadow_operator.core.errors import CannotMirror
from shadow_operator.core.snapshot import Manifest, ObjectRef
from tests.support.clones import SETTINGS, Case, production, resource
from tests.support.schema import ROOT

TWO_PORTS: Case = {
    "service": {
        "spec": {
            "ports": [
                {"name": "web", "port": 80, "targetPort": "http", "protocol": "TCP"},
                {"name": "db", "port": 5432, "targetPort": 5432, "nodePort": 30001},
            ]
        }
    }
}


def manifests(case: Case | None = None) -> dict[str, Manifest]:
    case = case or {}
    deployment, service = production(case)
    wanted = resource(case.get("spec"))
    built = mirror.manifests(wanted, service, deployment, SETTINGS)
    return {manifest["kind"]: manifest for manifest in built}


def upstream(case: Case | None = None) -> envoy.Upstream:
    case = case or {}
    deployment, service = production(case)
    return mirror.upstream(resource(case.get("spec")), service, deployment, "cluster.local")


def entry_of(case: Case | None = None, *, through_envoy: bool) -> Manifest:
    case = case or {}
    _, service = production(case)
    return entry.manifest(resource(), service, through_envoy=through_envoy)


def containers(built: dict[str, Manifest]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = built["Deployment"]["spec"]["template"]["spec"]["containers"]
    return found


def config(case: Case | None = None, process: str = "envoy") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(manifests(case)["ConfigMap"]["data"][f"{process}.json"])
    return found


def test_the_mirror_is_the_objects_that_are_looked_for() -> None:
    assert {ObjectRef.of(m) for m in manifests().values()} == set(mirror.references("next"))
    assert ObjectRef.of(entry_of(through_envoy=True)) == entry.reference("next")


def test_nothing_in_productions_path_has_an_owner_and_all_of_it_is_marked() -> None:
    entries = (entry_of(through_envoy=through_envoy) for through_envoy in (False, True))
    for manifest in (*manifests().values(), *entries):
        assert "ownerReferences" not in manifest["metadata"]
        assert manifest["metadata"]["labels"]["hal9.ai/shadow"] == "next"
        assert manifest["metadata"]["annotations"]["hal9.ai/uid"] == "5f0c"


@pytest.mark.parametrize(
    ("case", "same"),
    [
        ({}, True),
        ({"service": {"spec": {"selector": {"app": "green"}}}}, True),
        ({"spec": {"mirror": {"methods": ["HEAD"]}}}, True),
        ({"service": {"spec": {"clusterIP": "10.96.0.8"}}}, False),
        (TWO_PORTS, False),
    ],
)
def test_the_envoys_say_where_they_look_for_production(case: Case, same: bool) -> None:
    assert mirror.in_front_of(manifests()["Deployment"], upstream(case)) is same


def test_the_entry_remembers_where_production_is() -> None:
    straight = entry_of(TWO_PORTS, through_envoy=False)
    for through_envoy in (False, True):
        live = entry_of(TWO_PORTS, through_envoy=through_envoy)
        assert entry.led_back(resource(), live) == straight


@pytest.mark.parametrize(
    "text", [None, "", "no JSON", "{}", "[]", "[1]", '[{"op": "add"}]', '[{"path": 1, "value": 1}]']
)
def test_an_entry_with_a_spoilt_memory_remembers_nothing(text: str | None) -> None:
    live: Any = entry_of(through_envoy=True)
    live["metadata"]["annotations"] = {entry.ANNOTATION_LEAD_BACK: text} if text else None
    assert entry.led_back(resource(), live) is None


def test_the_entry_leads_to_production_as_productions_own_service_does() -> None:
    case: Case = {
        "service": {
            "spec": {
                "sessionAffinity": "ClientIP",
                "internalTrafficPolicy": "Local",
                "publishNotReadyAddresses": True,
                "type": "LoadBalancer",
                **TWO_PORTS["service"]["spec"],
            }
        }
    }
    assert entry_of(case, through_envoy=False)["spec"] == {
        "type": "ClusterIP",
        "selector": {"app": "shop"},
        "ports": [
            {"name": "web", "port": 80, "targetPort": "http", "protocol": "TCP"},
            {"name": "db", "port": 5432, "targetPort": 5432},
        ],
        "sessionAffinity": "ClientIP",
        "internalTrafficPolicy": "Local",
        "publishNotReadyAddresses": True,
    }


def test_the_entry_leads_to_envoy_on_the_same_ports() -> None:
    spec = entry_of(TWO_PORTS, through_envoy=True)["spec"]
    assert spec["ports"] == [
        {"name": "web", "port": 80, "targetPort": "port-80", "protocol": "TCP"},
        {"name": "db", "port": 5432, "targetPort": "port-5432"},
    ]
    template = manifests(TWO_PORTS)["Deployment"]["spec"]["template"]
    assert matches_labels(spec["selector"], template["metadata"]["labels"])
    assert [one["ports"] for one in containers(manifests(TWO_PORTS))] == [
        [
            {"containerPort": 10_000, "name": "port-80"},
            {"containerPort": 10_001, "name": "port-5432"},
            {"containerPort": 9902, "name": "control-9902"},
        ],
        [{"containerPort": 9904, "name": "control-9904"}],
    ]


def test_two_envoys_share_a_pod_and_its_ports_and_nothing_else() -> None:
    def addresses(process: str) -> dict[str, int]:
        listeners = config(TWO_PORTS, process)["static_resources"]["listeners"]
        return {one["name"]: one["address"]["socket_address"]["port_value"] for one in listeners}

    shared = {"production": 10_000, "production-5432": 10_001}
    assert addresses("envoy") == {**shared, "control": 9902}
    assert addresses("envoy-twin") == {**shared, "control": 9904}
    for container in containers(manifests(TWO_PORTS)):
        process = next(one for one in envoy.PROCESSES if one.name == container["name"])
        assert f"/etc/envoy/{process.name}.json" in container["args"]
        assert container["readinessProbe"]["httpGet"]["port"] == process.control_port
        assert container["startupProbe"]["httpGet"]["port"] == process.control_port
        [script] = container["lifecycle"]["preStop"]["exec"]["command"][2:]
        admin = config(TWO_PORTS, process.name)["admin"]["address"]["socket_address"]
        assert admin == {"address": "127.0.0.1", "port_value": process.admin_port}
        assert f"127.0.0.1/{process.admin_port} " in script


def test_envoy_connects_to_productions_cluster_ip() -> None:
    assert upstream(TWO_PORTS) == envoy.Upstream(
        "10.96.0.7",
        False,
        (envoy.Port(80, 10_000, 80, True), envoy.Port(5432, 10_001, 5432, False)),
    )


def test_a_named_port_is_mirrored_and_the_others_pass() -> None:
    case = {**TWO_PORTS, "spec": {"productionRef": {"portName": "db"}}}
    assert [port.mirrored for port in upstream(case).ports] == [False, True]


def test_a_headless_service_is_resolved_to_its_pods() -> None:
    assert upstream({"service": {"spec": {"clusterIP": "None"}}}) == envoy.Upstream(
        "shop.shop.svc.cluster.local.", True, (envoy.Port(80, 10_000, 8000, True),)
    )


def port(**fields: object) -> Case:
    return {"service": {"spec": {"ports": [{"name": "web", "port": 80, **fields}]}}}


REFUSED: dict[str, tuple[Case, str]] = {
    "an entry that selects nothing": (
        {"service": {"spec": {"selector": None}}},
        "Service shop selects no pods",
    ),
    "an entry without a port": (
        {"service": {"spec": {"clusterIP": "None", "ports": None}}},
        "Service shop has no ports",
    ),
    "clients that must stay with their pod": (
        {"service": {"spec": {"sessionAffinity": "ClientIP"}}},
        "sessionAffinity: ClientIP",
    ),
    "pods of the same node only": (
        {"service": {"spec": {"internalTrafficPolicy": "Local"}}},
        "internalTrafficPolicy: Local",
    ),
    "a port that is not TCP": (port(protocol="UDP"), "Port 80 of Service shop is UDP"),
    "a port that is not plain HTTP": (port(appProtocol="https"), "only plain HTTP"),
    "a port that is not there": (
        {"spec": {"productionRef": {"portName": "api"}}},
        "has no port named api",
    ),
    "a headless port that no container has": (
        {"service": {"spec": {"clusterIP": "None", "ports": [{"port": 80, "targetPort": "x"}]}}},
        "a container port named x",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_envoy_does_not_stand_in_front_of(name: str) -> None:
    case, sentence = REFUSED[name]
    with pytest.raises(CannotMirror, match=sentence):
        manifests(case)


def test_a_new_configuration_starts_new_pods_and_nothing_else_does() -> None:
    def annotations(case: Case) -> object:
        return manifests(case)["Deployment"]["spec"]["template"]["metadata"]["annotations"]

    same, other = {"spec": {"samplingPercent": 7}}, {"spec": {"mirror": {"methods": ["HEAD"]}}}
    assert annotations({}) == annotations(same)
    assert annotations({}) != annotations(other)


def test_the_configuration_names_comparator_and_production() -> None:
    built = config()
    addresses = {
        cluster["name"]: cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"][
            "address"
        ]["socket_address"]
        for cluster in built["static_resources"]["clusters"]
    }
    assert addresses == {
        "production": {"address": "10.96.0.7", "port_value": 80},
        "comparator": {
            "address": "next-comparator.shop.svc.cluster.local.",
            "port_value": 8080,
        },
        "admin": {"address": "127.0.0.1", "port_value": 9901},
    }
    assert built["layered_runtime"]["layers"][0]["static_layer"][PERCENT_KEY] == 0


@pytest.mark.parametrize(
    ("families", "address"), [(["IPv4"], "0.0.0.0"), (["IPv4", "IPv6"], "::"), (["IPv6"], "::")]
)
def test_envoy_listens_on_the_families_of_productions_service(
    families: list[str], address: str
) -> None:
    case = {"service": {"spec": {"ipFamilies": families}}}
    bound = {
        listener["address"]["socket_address"]["address"]
        for listener in config(case)["static_resources"]["listeners"]
    }
    assert bound == {address}


def test_envoy_is_restricted_and_its_control_is_for_the_operator_only() -> None:
    built = manifests()
    pod = built["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    for container in containers(built):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    anyone, operator = built["NetworkPolicy"]["spec"]["ingress"]
    assert anyone == {"ports": [{"protocol": "TCP", "port": 10_000}]}
    assert operator["ports"] == [{"protocol": "TCP", "port": port} for port in (9902, 9904)]
    assert operator["from"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shadow-system"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "shadow-operator"}},
        }
    ]


def test_the_readme_leads_an_entry_back_by_what_is_kept_on_it() -> None:
    escaped = entry.ANNOTATION_LEAD_BACK.replace(".", r"\.")
    assert f"{{.metadata.annotations.{escaped}}}" in (ROOT / "README.md").read_text("utf-8")
