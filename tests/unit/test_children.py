"""Everything that is created for one resource."""

from collections.abc import Mapping
from typing import Any

import pytest

from shadow_operator.api.evidence import ComparatorConfig, PathMatch, PathRule
from shadow_operator.api.names import Role
from shadow_operator.core import names
from shadow_operator.core.deploying import mirror
from shadow_operator.core.deploying.children import probe_target
from shadow_operator.core.deploying.objects import applied, fingerprint
from shadow_operator.core.deploying.selectors import matches, matches_labels
from shadow_operator.core.snapshot import Manifest, ObjectRef
from tests.support.clones import SETTINGS, Case, production, resource, settings
from tests.support.manifests import built, children_of, probe_of

LONGEST = "a" + "-b" * 19 + "c"
"""A resource name of 40 characters."""


def find(kind: str, name: str, case: Case | None = None, **config: Any) -> Manifest:
    return next(
        m for m in children_of(case, **config) if (m["kind"], m["metadata"]["name"]) == (kind, name)
    )


def template_labels(deployment: Manifest) -> Mapping[str, str]:
    labels: Mapping[str, str] = deployment["spec"]["template"]["metadata"]["labels"]
    return labels


def config_of(case: Case | None = None, **config: Any) -> ComparatorConfig:
    data = find("ConfigMap", "next-comparator", case, **config)["data"]
    return ComparatorConfig.model_validate_json(data["config.json"])


def test_children_are_the_objects_that_are_looked_for() -> None:
    assert {ObjectRef.of(m) for m in children_of()} == set(names.references("next"))


def test_without_a_reference_only_the_shadow_is_cloned() -> None:
    case = {"spec": {"reference": {"mode": "None"}}}
    missing = set(names.references("next")) - {ObjectRef.of(m) for m in children_of(case)}
    assert {ref.name for ref in missing} == {"next-reference", "next-reference-pods"}
    assert config_of(case).reference is None


@pytest.mark.parametrize("ref", names.references(LONGEST), ids=str)
def test_every_name_is_a_dns_label(ref: ObjectRef) -> None:
    assert len(ref.name) <= 63


@pytest.mark.parametrize("manifest", children_of(), ids=lambda m: str(ObjectRef.of(m)))
def test_every_child_goes_with_its_resource(manifest: Manifest) -> None:
    [owner] = manifest["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"], owner["kind"]) == ("5f0c", True, "ShadowDeployment")
    assert manifest["metadata"]["namespace"] == "shop"
    assert manifest["metadata"]["labels"]["hal9.ai/shadow"] == "next"
    assert manifest["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "shadow-operator"


@pytest.mark.parametrize("manifest", children_of(), ids=lambda m: str(ObjectRef.of(m)))
def test_every_child_is_stamped_with_the_rest_of_it(manifest: Manifest) -> None:
    metadata = dict(manifest["metadata"])
    others = {k: v for k, v in metadata["annotations"].items() if k != names.ANNOTATION_APPLIED}
    metadata["annotations"] = others
    bare = {**metadata} if others else {k: v for k, v in metadata.items() if k != "annotations"}
    assert applied(manifest) == fingerprint({**manifest, "metadata": bare})


@pytest.mark.parametrize("role", [Role.SHADOW, Role.REFERENCE, Role.COMPARATOR])
def test_a_service_selects_the_pods_of_its_role_and_no_others(role: Role) -> None:
    services = [m for m in children_of() if m["kind"] == "Service"]
    deployments = {
        other: template_labels(find("Deployment", names.child("next", other)))
        for other in (Role.SHADOW, Role.REFERENCE, Role.COMPARATOR)
    }
    own = [s for s in services if s["metadata"]["labels"]["hal9.ai/role"] == role]
    assert own
    for service in own:
        selected = [
            r
            for r, labels in deployments.items()
            if matches_labels(service["spec"]["selector"], labels)
        ]
        assert selected == [role]


def test_nothing_selects_production_and_its_service_selects_no_clone() -> None:
    deployment, service = production({})
    for manifest in children_of():
        spec = manifest.get("spec", {})
        selector = (
            spec.get("podSelector") or spec.get("selector") or {"matchLabels": {"no": "pods"}}
        )
        plain = manifest["kind"] == "Service"
        assert not (matches_labels if plain else matches)(selector, template_labels(deployment))
        if manifest["kind"] == "Deployment":
            assert not matches_labels(service["spec"]["selector"], template_labels(manifest))


def test_clones_are_found_by_their_addresses_on_the_port_of_the_container() -> None:
    config = config_of()
    assert (config.shadow.host, config.shadow.port) == (
        "next-shadow-pods.shop.svc.cluster.local",
        8000,
    )
    assert config.reference is not None
    assert config.reference.host == "next-reference-pods.shop.svc.cluster.local"
    assert find("Service", "next-shadow-pods")["spec"]["clusterIP"] == "None"


def test_the_service_of_a_clone_has_productions_port() -> None:
    [port] = find("Service", "next-shadow")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (80, 8000)


def test_the_protocol_of_productions_port_is_kept() -> None:
    case = {
        "service": {"spec": {"ports": [{"port": 80, "targetPort": "http", "appProtocol": "h2c"}]}}
    }
    assert find("Service", "next-shadow", case)["spec"]["ports"][0]["appProtocol"] == "h2c"


def test_comparators_are_told_what_the_spec_asks_for() -> None:
    case = {
        "spec": {
            "mirror": {
                "methods": ["GET", "POST"],
                "include": [{"path": "/api", "reason": "the rest is static"}],
                "exclude": [{"path": "/api/export", "match": "Exact", "reason": "large"}],
                "forwardHeaders": ["Authorization"],
                "maxRequestsPerSecond": 5,
            },
            "comparison": {
                "unordered": [{"path": "$.tags", "route": "/api/items/{}", "reason": "a set"}],
                "routes": ["/api/items/{id}"],
                "timeoutSeconds": 3,
                "maxBodyBytes": 4096,
            },
            "reference": {"controlPercent": 7},
        }
    }
    hint = PathRule(path="$.now")
    assert (
        config_of(case, hints=(hint,)).model_dump()
        == ComparatorConfig(
            version=config_of(case, hints=(hint,)).version,
            epoch="e-1",
            resource="shop/next",
            nonce="n",
            shadow=config_of().shadow,
            reference=config_of().reference,
            control_percent=7,
            methods=("GET", "POST"),
            include=(PathMatch(value="/api", prefix=True),),
            exclude=(PathMatch(value="/api/export", prefix=False),),
            forward_headers=("authorization",),
            timeout_seconds=3,
            max_body_bytes=4096,
            max_requests_per_second=3,
            routes=("/api/items/{id}",),
            hints=(hint,),
            unordered=(PathRule(path="$.tags", route="/api/items/{}"),),
        ).model_dump()
    )


def test_the_version_of_the_configuration_changes_with_its_content() -> None:
    assert config_of().version == config_of().version != ""
    assert config_of(hints=(PathRule(path="$.now"),)).version != config_of().version


def test_a_new_epoch_starts_new_comparators_and_a_new_hint_does_not() -> None:
    def template(**config: Any) -> object:
        return find("Deployment", "next-comparator", **config)["spec"]["template"]

    assert template(epoch="e-2") != template()
    assert template(hints=(PathRule(path="$.now"),)) == template()


TOGETHER: dict[str, tuple[Case, bool]] = {
    "nothing": ({}, False),
    "another percentage": ({"spec": {"samplingPercent": 7}}, False),
    "another image of the shadow": ({"spec": {"shadow": {"image": "hal9:newer"}}}, True),
    "learning": ({"spec": {"preset": "HAL9", "learning": "ShadowOnly"}}, True),
}


@pytest.mark.parametrize(("case", "anew"), TOGETHER.values(), ids=TOGETHER)
def test_the_reference_begins_anew_with_the_shadow(case: Case, anew: bool) -> None:
    def template(case: Case) -> Any:
        return find("Deployment", "next-reference", case)["spec"]["template"]

    before = {"spec": {"preset": "HAL9"}} if "preset" in case.get("spec", {}) else {}
    assert (template(case) != template(before)) is anew
    assert template(case)["spec"] == template(before)["spec"]


OURS = ("next-comparator", "next-probe")


@pytest.mark.parametrize("name", OURS)
def test_our_own_pods_have_no_rights(name: str) -> None:
    manifest = next(
        m
        for m in children_of()
        if m["metadata"]["name"] == name and m["kind"] in ("Deployment", "Pod")
    )
    spec = (
        manifest["spec"]["template"]["spec"] if "template" in manifest["spec"] else manifest["spec"]
    )
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    [container] = spec["containers"]
    assert container["image"] == "operator:1"
    assert container["resources"]["limits"]["memory"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


PRIVATE: Case = {"settings": {"image_pull_secrets": ("registry",)}}


def pull_secrets(manifest: Manifest) -> Any:
    spec = manifest["spec"]
    return spec.get("template", manifest)["spec"].get("imagePullSecrets")


@pytest.mark.parametrize(("case", "secrets"), [({}, None), (PRIVATE, [{"name": "registry"}])])
def test_our_own_pods_pull_by_the_secrets_of_the_installation_and_clones_do_not(
    case: Case, secrets: object
) -> None:
    deployment, service = production(case)
    envoy = mirror.manifests(resource(), service, deployment, settings(case))
    pods = [m for m in (*children_of(case), *envoy) if m["kind"] in ("Deployment", "Pod")]
    seen = {m["metadata"]["name"]: pull_secrets(m) for m in pods}
    assert seen == {
        **dict.fromkeys(("next-shadow", "next-reference")),
        **dict.fromkeys((*OURS, "next-mirror"), secrets),
    }


def pod_labels(role: Role) -> dict[str, str]:
    return names.labels("next", role)


@pytest.mark.parametrize("role", [Role.SHADOW, Role.REFERENCE, Role.PROBE])
def test_the_probe_stands_under_the_policy_of_the_clones(role: Role) -> None:
    policy = find("NetworkPolicy", "next-clones")
    assert matches(policy["spec"]["podSelector"], pod_labels(role))
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize("role", [Role.COMPARATOR, Role.MIRROR])
def test_the_policy_of_the_clones_is_nobody_elses(role: Role) -> None:
    policy = find("NetworkPolicy", "next-clones")
    assert not matches(policy["spec"]["podSelector"], pod_labels(role))


def test_only_comparators_and_the_operator_call_clones() -> None:
    assert find("NetworkPolicy", "next-clones")["spec"]["ingress"] == [
        {
            "from": [
                {"podSelector": {"matchLabels": names.selector("next", Role.COMPARATOR)}},
                {
                    "namespaceSelector": {
                        "matchLabels": {"kubernetes.io/metadata.name": "shadow-system"}
                    },
                    "podSelector": {"matchLabels": SETTINGS.operator_labels},
                },
            ],
            "ports": [{"port": 8000, "protocol": "TCP"}],
        }
    ]


def egress(case: Case) -> list[Any]:
    rules: list[Any] = find("NetworkPolicy", "next-clones", case)["spec"]["egress"]
    return rules


def test_clones_reach_name_servers_of_the_cluster_only() -> None:
    [rule] = egress({})
    assert {port["port"] for port in rule["ports"]} == {53, 5353}
    assert rule["to"] == [{"namespaceSelector": {}}, {"ipBlock": {"cidr": "169.254.0.0/16"}}]


def test_clones_reach_what_the_spec_names() -> None:
    clones = {
        "egressTo": [
            {"cidr": "10.1.0.0/16"},
            {"podSelector": {"matchLabels": {"app": "db"}}, "ports": [{"port": 5432}]},
            {"namespaceSelector": {}, "ports": [{"port": 123, "protocol": "UDP"}]},
        ]
    }
    assert egress({"spec": {"clones": clones}})[1:] == [
        {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]},
        {
            "to": [{"podSelector": {"matchLabels": {"app": "db"}}}],
            "ports": [{"port": 5432, "protocol": "TCP"}],
        },
        {"to": [{"namespaceSelector": {}}], "ports": [{"port": 123, "protocol": "UDP"}]},
    ]


def test_open_egress_is_open() -> None:
    assert egress({"spec": {"clones": {"egress": "Allow"}}}) == [{}]


def test_copies_come_from_the_mirror_only() -> None:
    [copies, admin] = find("NetworkPolicy", "next-comparator")["spec"]["ingress"]
    assert copies == {
        "from": [{"podSelector": {"matchLabels": names.selector("next", Role.MIRROR)}}],
        "ports": [{"port": 8080, "protocol": "TCP"}],
    }
    assert admin == {"ports": [{"port": 9090, "protocol": "TCP"}]}


def test_copies_come_from_anywhere_where_the_mirror_is_somebody_elses() -> None:
    case = {"spec": {"mirror": {"provider": "External"}}}
    assert "from" not in find("NetworkPolicy", "next-comparator", case)["spec"]["ingress"][0]


def test_comparators_reach_clones_and_name_servers_only() -> None:
    [dns, clones] = find("NetworkPolicy", "next-comparator")["spec"]["egress"]
    assert {port["port"] for port in dns["ports"]} == {53, 5353}
    assert clones == {
        "to": [
            {"podSelector": {"matchLabels": names.selector("next", role)}}
            for role in (Role.SHADOW, Role.REFERENCE)
        ],
        "ports": [{"port": 8000, "protocol": "TCP"}],
    }


@pytest.mark.parametrize(
    ("spec", "service", "target"),
    [
        pytest.param({}, {}, "10.96.0.7:80", id="production's Service"),
        pytest.param({}, {"clusterIP": "fd00::7"}, "[fd00::7]:80", id="an address of six"),
        pytest.param(
            {},
            {"clusterIP": "None"},
            "shop.shop.svc.cluster.local:8000",
            id="a headless Service leads to the pods' own port",
        ),
        pytest.param(
            {"egressTo": [{"podSelector": {"matchLabels": {"app": "db"}}}]},
            {},
            "10.96.0.7:80",
            id="clones may reach others",
        ),
        pytest.param(
            {"egressTo": [{"podSelector": {"matchLabels": {"app": "shop"}}}]},
            {},
            "kubernetes.default.svc.cluster.local:443",
            id="clones may reach production",
        ),
        pytest.param(
            {"egressTo": [{"cidr": "10.0.0.0/8"}]},
            {},
            "kubernetes.default.svc.cluster.local:443",
            id="clones may perhaps reach production",
        ),
    ],
)
def test_the_probe_tries_what_clones_must_not_reach(
    spec: dict[str, Any], service: dict[str, Any], target: str
) -> None:
    case = {"spec": {"clones": spec}, "service": {"spec": service}}
    assert probe_target(resource(case["spec"]), *production(case), SETTINGS) == target
    assert target in probe_of(case)["spec"]["containers"][0]["args"]


def test_what_the_clones_have_not_is_said_once() -> None:
    case = {"production": {"pod": {"hostNetwork": True}}}
    assert built(case).notes == ("hostNetwork: true is left out",)
