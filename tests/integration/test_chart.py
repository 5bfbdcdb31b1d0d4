"""The chart, rendered by Helm and judged by a real API server."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import Cluster, Progress
from dev.cluster.programs import tool
from dev.guest import DEFINITION
from dev.install import CHART, RELEASE
from dev.kubectl import Kubectl
from shadow_operator.adapters.kubernetes import PLURALS
from shadow_operator.controller.settings import OperatorSettings

Manifest = dict[str, Any]
ACCOUNT = f"system:serviceaccount:{RELEASE}:{RELEASE}"


@pytest.fixture(scope="module")
def helm(progress: Progress) -> Path:
    return tool("helm", progress)


@pytest.fixture(scope="module")
def kubectl(control_plane: Cluster, progress: Progress) -> Kubectl:
    return Kubectl(tool("kubectl", progress), control_plane.kubeconfig)


@pytest.fixture(scope="module")
def installed(helm: Path, kubectl: Kubectl) -> Iterator[Kubectl]:
    """Install the chart; nothing runs, as a bare control plane has no node.

    No definition stood there before the tests: `theirs` refuses a cluster that has one.
    """
    kubectl("delete", "customresourcedefinition", DEFINITION, "--ignore-not-found")
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": RELEASE,
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
    }
    kubectl("apply", "--filename", "-", stdin=json.dumps(namespace))
    with_cluster = [str(helm), "--kubeconfig", str(kubectl.kubeconfig)]
    with_cluster += ["--namespace", RELEASE]
    subprocess.run([*with_cluster, "install", RELEASE, str(CHART)], check=True, capture_output=True)
    yield kubectl
    subprocess.run([*with_cluster, "uninstall", RELEASE], check=True, capture_output=True)
    kept = kubectl.get("customresourcedefinition", DEFINITION)
    assert kept["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    kubectl("delete", "customresourcedefinition", DEFINITION)
    kubectl("delete", "namespace", RELEASE, "--wait=false")


def _render(helm: Path, *settings: str) -> list[Manifest]:
    options = [word for setting in settings for word in ("--set", setting)]
    where = ["--namespace", RELEASE, "--kube-version", "1.34"]
    base = [str(helm), "template", RELEASE, str(CHART), *where]
    result = subprocess.run([*base, *options], check=True, capture_output=True, text=True)
    return [manifest for manifest in yaml.safe_load_all(result.stdout) if manifest]


def _of(kind: str, manifests: list[Manifest]) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def _rules(manifests: list[Manifest]) -> list[dict[str, list[str]]]:
    roles = _of("ClusterRole", manifests) + _of("Role", manifests)
    return [rule for role in roles for rule in role["rules"]]


def test_no_role_has_a_wildcard_or_a_verb_on_secrets_or_on_roles(helm: Path) -> None:
    rules = _rules(_render(helm))
    assert rules
    for rule in rules:
        words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert not any("*" in word for word in words), rule
        assert "secrets" not in rule["resources"]
        assert "rbac.authorization.k8s.io" not in rule["apiGroups"]
        assert not {"impersonate", "escalate", "bind"} & set(rule["verbs"])


def test_the_operator_may_touch_the_kinds_that_it_touches_and_no_others(helm: Path) -> None:
    roles = {role["metadata"]["name"]: role for role in _of("ClusterRole", _render(helm))}
    rules = roles[RELEASE]["rules"] + roles[f"{RELEASE}-cluster"]["rules"]
    allowed = {
        (group, resource.split("/")[0])
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    touched = {(version.rpartition("/")[0], plural) for (version, _kind), plural in PLURALS.items()}
    # kopf watches definitions to notice that its own appears.
    assert allowed == touched | {("apiextensions.k8s.io", "customresourcedefinitions")}


@pytest.mark.parametrize(
    ("settings", "granted"),
    [((), True), (("rbac.nodes=false",), False), (("watchNamespaces={shop}",), False)],
)
def test_nodes_are_listed_only_by_who_serves_the_whole_cluster(
    helm: Path, settings: tuple[str, ...], granted: bool
) -> None:
    rules = [rule for rule in _rules(_render(helm, *settings)) if "nodes" in rule["resources"]]
    assert [rule["verbs"] for rule in rules] == ([["list"], ["list"]] if granted else [])


def test_the_token_of_grafana_comes_from_a_secret_by_name(helm: Path) -> None:
    settings = ("grafana.url=http://grafana:3000", "grafana.tokenSecret.name=grafana")
    [deployment] = _of("Deployment", _render(helm, *settings))
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    told = {one["name"]: one for one in container["env"]}
    assert told["SHADOW_GRAFANA_URL"]["value"] == "http://grafana:3000"
    wanted = {"secretKeyRef": {"name": "grafana", "key": "token"}}
    assert told["SHADOW_GRAFANA_TOKEN"]["valueFrom"] == wanted


def test_rights_are_bound_in_the_watched_namespaces_only(helm: Path) -> None:
    manifests = _render(helm, "watchNamespaces={shop,hal9}")
    bound = {binding["metadata"]["namespace"] for binding in _of("RoleBinding", manifests)}
    assert bound == {"shop", "hal9"}
    [everywhere] = _of("ClusterRoleBinding", manifests)
    assert everywhere["roleRef"]["name"] == f"{RELEASE}-cluster"


def test_the_operator_understands_its_environment(helm: Path) -> None:
    [deployment] = _of("Deployment", _render(helm, "watchNamespaces={a,b}"))
    template = deployment["spec"]["template"]
    [container] = template["spec"]["containers"]
    environment = {one["name"]: one.get("value", RELEASE) for one in container["env"]}
    settings = OperatorSettings.from_environment(environment)
    assert settings.operator_image == container["image"]
    assert settings.watch_namespaces == "a,b"
    assert settings.interval_seconds == 30
    labels = settings.for_decisions().operator_labels
    assert labels.items() <= template["metadata"]["labels"].items()
    known = {f"SHADOW_{name.upper()}" for name in OperatorSettings.model_fields}
    assert set(environment) <= known | {"POD_NAMESPACE"}, "a variable that nobody reads"


def test_a_digest_wins_over_a_tag(helm: Path) -> None:
    digest = "sha256:" + "0" * 64
    [deployment] = _of("Deployment", _render(helm, f"image.digest={digest}", "image.tag=x"))
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"shadow-operator/operator@{digest}"


def test_the_definition_is_the_generated_one(helm: Path) -> None:
    [rendered] = _of("CustomResourceDefinition", _render(helm))
    generated = yaml.safe_load(
        (CHART.parents[1] / "crds/hal9.ai_shadowdeployments.yaml").read_text()
    )
    assert rendered["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert rendered == generated
    assert not _of("CustomResourceDefinition", _render(helm, "crd.install=false"))


def test_the_pod_passes_the_restricted_policy(installed: Kubectl) -> None:
    """Pod Security warns about a Deployment and refuses a Pod, so the Pod itself is tried."""
    deployment = installed.get("deployment", RELEASE, "--namespace", RELEASE)
    template = deployment["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "operator", "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
    }
    create = "create", "--dry-run=server", "--namespace", RELEASE, "--filename", "-"
    assert "created" in installed(*create, stdin=json.dumps(pod))
    [container] = template["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize(
    ("verb", "resource", "answer"),
    [
        ("list", "shadowdeployments.hal9.ai", "yes"),
        ("patch", "shadowdeployments.hal9.ai/status", "yes"),
        ("create", "deployments.apps", "yes"),
        ("delete", "networkpolicies.networking.k8s.io", "yes"),
        ("watch", "namespaces", "yes"),
        ("create", "events.events.k8s.io", "yes"),
        ("create", "shadowdeployments.hal9.ai", "no"),
        ("delete", "shadowdeployments.hal9.ai", "no"),
        ("get", "secrets", "no"),
        ("list", "secrets", "no"),
        ("create", "pods/exec", "no"),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io", "no"),
        ("patch", "namespaces", "no"),
        ("list", "pods.metrics.k8s.io", "yes"),
        ("list", "horizontalpodautoscalers.autoscaling", "yes"),
        ("patch", "horizontalpodautoscalers.autoscaling", "no"),
        ("list", "nodes", "yes"),
        ("list", "nodes.metrics.k8s.io", "yes"),
        ("get", "nodes", "no"),
        ("watch", "nodes", "no"),
    ],
)
def test_the_api_server_grants_the_operator(
    installed: Kubectl, verb: str, resource: str, answer: str
) -> None:
    name, _, subresource = resource.partition("/")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": ACCOUNT,
            "resourceAttributes": {
                "namespace": "anywhere",
                "verb": verb,
                "resource": name.partition(".")[0],
                "group": name.partition(".")[2],
                "subresource": subresource,
            },
        },
    }
    told = json.loads(
        installed("create", "--filename", "-", "--output", "json", stdin=json.dumps(review))
    )
    assert told["status"]["allowed"] is (answer == "yes")


def test_people_get_their_rights_through_the_built_in_roles(installed: Kubectl) -> None:
    for role, verbs in {"view": {"get", "list", "watch"}, "edit": {"create", "delete"}}.items():
        granted = {
            verb
            for rule in installed.get("clusterrole", role)["rules"]
            if "shadowdeployments" in rule.get("resources", ())
            for verb in rule["verbs"]
        }
        assert verbs <= granted
        assert ("create" in granted) is (role == "edit")
