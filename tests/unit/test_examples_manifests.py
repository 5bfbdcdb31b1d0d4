"""Every manifest in examples/: accepted by the models, allowed under `restricted`, consistent."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.provision import CATALOG, HAL9, LOCAL, Image
from examples.hal9.hal9sim import faults
from examples.hal9.hal9sim.mix import SEEDS
from examples.hal9.hal9sim.network import seed_id
from examples.hal9.hal9sim.settings import Settings
from shadow_operator.api.names import Role
from shadow_operator.api.not_yet import refusals
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core import names

EXAMPLES = Path(__file__).parents[2] / "examples"


def objects(path: str) -> Iterator[dict[str, Any]]:
    """Read the objects of one file, or of all below a folder."""
    found = EXAMPLES / path
    for file in [found] if found.is_file() else sorted(found.rglob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text())


def only(path: str, kind: str) -> dict[str, Any]:
    (found,) = (item for item in objects(path) if item["kind"] == kind)
    return found


def shadow(path: str) -> ShadowDeployment:
    body = only(path, "ShadowDeployment")
    metadata = {"namespace": "default", **body["metadata"]}
    return ShadowDeployment.parse({**body, "metadata": metadata})


SHADOWS = [
    str(file.relative_to(EXAMPLES))
    for file in sorted(EXAMPLES.rglob("*.yaml"))
    if "kind: ShadowDeployment" in file.read_text()
]
DEPLOYMENTS = [item for item in objects("") if item["kind"] == "Deployment"]


def test_there_are_examples_to_test() -> None:
    assert len(SHADOWS) == 5
    assert [item["metadata"]["name"] for item in DEPLOYMENTS] == [
        *("hal9-server", "hal9-traffic", "catalog"),
    ]


@pytest.mark.parametrize("path", SHADOWS)
def test_a_resource_asks_for_nothing_that_this_version_refuses(path: str) -> None:
    assert refusals(shadow(path).spec) == ()


def test_the_smallest_resource_has_only_what_has_no_default() -> None:
    assert only("smallest.yaml", "ShadowDeployment")["spec"] == {
        "phase": "Shadow",
        "samplingPercent": 100,
        "layers": ["Substrate", "Protocol", "Cognitive", "Orchestration", "Intelligence"],
        "productionRef": {"deploymentName": "hal9-server", "serviceName": "hal9-service"},
        "shadow": {"image": "registry.example.com/hal9:hierarchical"},
    }


@pytest.mark.parametrize(
    ("path", "production"),
    [
        ("hal9/shadow.yaml", "hal9/production.yaml"),
        ("hal9/shadow-broken.yaml", "hal9/production.yaml"),
        ("external-mirror/shadow.yaml", "hal9/production.yaml"),
        ("plain/shadow.yaml", "plain/production.yaml"),
    ],
)
def test_a_resource_names_the_production_beside_it(path: str, production: str) -> None:
    ref = shadow(path).spec.production_ref
    deployment, service = only(production, "Deployment"), only(production, "Service")
    assert ref.deployment_name == deployment["metadata"]["name"]
    assert ref.service_name == service["metadata"]["name"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels.items() >= service["spec"]["selector"].items()
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert shadow(path).spec.shadow.image == container["image"]
    named = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= named


def test_the_recipe_for_nginx_asks_for_copies_where_the_comparator_takes_them() -> None:
    path = "external-mirror/shadow.yaml"
    recipe = (EXAMPLES / path).read_text()
    name = names.child(shadow(path).name, Role.COMPARATOR)
    [upstream] = re.findall(rf"upstream (\w+) {{ server {name}:{names.COPIES_PORT}; }}", recipe)
    # A variable in proxy_pass is looked up among upstreams; any other name would need a resolver.
    assert f"proxy_pass http://{upstream}$request_uri;" in recipe
    service = only("hal9/production.yaml", "Service")
    port = service["spec"]["ports"][0]["port"]
    assert f"proxy_pass http://{service['metadata']['name']}:{port};" in recipe


@pytest.mark.parametrize("image", [HAL9, CATALOG], ids=lambda image: image.name)
def test_the_images_that_are_built_are_those_that_the_examples_name(image: Image) -> None:
    folder = str(image.folder.relative_to(EXAMPLES))
    containers = only(f"{folder}/production.yaml", "Deployment")["spec"]["template"]["spec"]
    assert [one["image"] for one in containers["containers"]] == [f"{LOCAL}/{image.name}:dev"]
    readme = (EXAMPLES / "README.md").read_text()
    assert f"`{LOCAL}/{image.name}:dev`" in readme
    assert "make examples" in readme


def test_traffic_goes_to_the_stable_entry_and_bears_no_label_of_production() -> None:
    traffic = only("hal9/traffic.yaml", "Deployment")["spec"]["template"]
    entry = f"{shadow('hal9/shadow.yaml').name}-mirror"
    port = only("hal9/production.yaml", "Service")["spec"]["ports"][0]["port"]
    assert f"--url=http://{entry}:{port}" in traffic["spec"]["containers"][0]["args"]
    selector = only("hal9/production.yaml", "Service")["spec"]["selector"]
    assert not traffic["metadata"]["labels"].items() & selector.items()


def test_the_broken_version_differs_from_the_good_one_by_its_fault_alone() -> None:
    good = only("hal9/shadow.yaml", "ShadowDeployment")
    broken = only("hal9/shadow-broken.yaml", "ShadowDeployment")
    (variable,) = broken["spec"]["shadow"].pop("env")
    assert broken == good
    (fault,) = Settings.read({variable["name"]: variable["value"]}).faults
    paths = [f"/api/v1/signal/{seed_id(number)}" for number in range(1, SEEDS + 1)]
    hit = [path for path in paths if fault.hits("GET", path, b"")]
    assert 3 <= len(hit) <= 15, "GET requests of the traffic meet the fault, but few of them"
    assert faults.KINDS[fault.name].change


def test_the_configuration_of_production_is_what_the_program_has_by_default(
    tmp_path: Path,
) -> None:
    config = only("hal9/production.yaml", "ConfigMap")["data"]["hal9.toml"]
    (tmp_path / "hal9.toml").write_text(config)
    assert Settings.read({"HAL9_CONFIG_PATH": str(tmp_path / "hal9.toml")}) == Settings()
    assert Settings().seed_signals == SEEDS


def test_a_pod_of_production_has_time_to_end_what_has_begun() -> None:
    pod = only("hal9/production.yaml", "Deployment")["spec"]["template"]["spec"]
    settings = Settings()
    needed = settings.drain_seconds + settings.shutdown_seconds
    assert needed + 5 <= pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda item: item["metadata"]["name"])
def test_pods_are_restricted_small_and_read_only(deployment: dict[str, Any]) -> None:
    pod = deployment["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == 1000
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["imagePullPolicy"] == "IfNotPresent"
        assert container["resources"].keys() == {"requests", "limits"}


def test_workloads_and_resources_go_into_any_namespace() -> None:
    named = [
        item["metadata"]["name"]
        for item in (*objects("hal9"), *objects("plain"), *objects("external-mirror"))
        if "namespace" in item["metadata"]
    ]
    assert named == []


def test_namespaces_enforce_restricted_pods() -> None:
    spaces = [item["metadata"] for item in objects("") if item["kind"] == "Namespace"]
    assert [space["name"] for space in spaces] == ["hal9", "hal9-broken", "shop"]
    for space in spaces:
        assert space["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_plain_example_says_hal9_nowhere_but_in_the_api_group() -> None:
    for file in (EXAMPLES / "plain").iterdir():
        if file.suffix in (".yaml", ".py") or file.name == "Dockerfile":
            text = file.read_text().replace("hal9.ai/v1alpha1", "").replace("not HAL9", "")
            assert "hal9" not in text.lower(), file.name
