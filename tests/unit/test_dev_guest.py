"""Demo and tests in somebody else's cluster: what stood there before stays as it is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dev import demo, guest
from dev.cluster import Silent, Unavailable
from dev.cluster.existing import ExistingCluster
from dev.guest import DEFINITION, MADE_BY_DEMO, RELEASE_OF
from dev.kubectl import Kubectl
from tests.support.cluster import refusal

Objects = dict[tuple[str, str], dict[str, Any]]


@dataclass(frozen=True)
class FakeKubectl(Kubectl):
    """Answers `get` from a dict and keeps every other call."""

    program: Path = Path("kubectl")
    kubeconfig: Path = Path("config")
    objects: Objects = field(default_factory=dict)
    shadows: tuple[str, ...] = ()
    """Namespaces with a ShadowDeployment."""
    calls: list[str] = field(default_factory=list)

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        if arguments[:2] == ("get", DEFINITION):
            items = [{"metadata": {"namespace": one}} for one in self.shadows]
            return json.dumps({"items": items})
        if arguments[0] == "get":
            assert "--ignore-not-found" in arguments
            found = self.objects.get((arguments[1], arguments[2]))
            return json.dumps(found) if found else ""
        self.calls.append(" ".join(arguments))
        return ""


def namespace(name: str, labels: Mapping[str, str] = MADE_BY_DEMO) -> Objects:
    return {("namespace", name): {"metadata": {"name": name, "labels": dict(labels)}}}


def definition(annotations: Mapping[str, str] = RELEASE_OF) -> Objects:
    metadata = {"name": DEFINITION, "annotations": dict(annotations)}
    return {("customresourcedefinition", DEFINITION): {"metadata": metadata}}


@pytest.mark.parametrize(
    ("objects", "shadows", "found"),
    [
        ({}, (), []),
        (namespace("hal9") | namespace("hal9-broken") | definition(), ("hal9",), []),
        (definition(), (), []),
        (namespace("shop", {}), (), []),
        (namespace("hal9", {}), (), ["namespace hal9"]),
        (namespace("shadow-operator", {}), (), ["namespace shadow-operator"]),
        (definition({}), (), [f"CustomResourceDefinition {DEFINITION}"]),
        (
            definition({**RELEASE_OF, "meta.helm.sh/release-namespace": "ops"}),
            (),
            [f"CustomResourceDefinition {DEFINITION}"],
        ),
        (definition(), ("hal9", "shop"), ["a ShadowDeployment in namespace shop"]),
    ],
    ids=[
        *("an empty cluster", "an earlier run", "what a removed run has left", "something else"),
        *("a HAL9 of their own", "an operator of their own", "a definition by hand"),
        *("an operator elsewhere", "a shadow of their own"),
    ],
)
def test_the_demo_refuses_what_it_did_not_make(
    objects: Objects, shadows: tuple[str, ...], found: list[str]
) -> None:
    kubectl = FakeKubectl(objects=objects, shadows=shadows)
    assert guest.strangers(kubectl, demo.NAMESPACES) == found
    if found:
        with pytest.raises(Unavailable, match=r"Nothing was changed\. Name a cluster without them"):
            demo.refuse_strangers(kubectl)
    else:
        demo.refuse_strangers(kubectl)
    assert kubectl.calls == []


@pytest.mark.parametrize(
    ("objects", "removed"),
    [
        (
            namespace("shadow-operator") | namespace("hal9") | definition(),
            [
                "delete shadowdeployments --all --namespace hal9",
                "uninstall",
                "delete namespace shadow-operator --ignore-not-found",
                "delete namespace hal9 --ignore-not-found",
            ],
        ),
        (namespace("shadow-operator", {}) | namespace("hal9", {}) | definition(), []),
        (
            namespace("shadow-operator", {}) | namespace("hal9-broken"),
            ["delete namespace hal9-broken --ignore-not-found"],
        ),
    ],
    ids=["the demo's", "theirs", "a run that stopped before it installed"],
)
def test_the_demo_removes_from_their_cluster_only_what_it_made(
    objects: Objects, removed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").touch()
    kubectl = FakeKubectl(objects=objects)
    monkeypatch.setattr(demo, "kubectl_for", lambda *_: kubectl)
    monkeypatch.setattr(demo, "uninstall", lambda *_: kubectl.calls.append("uninstall"))
    demo._remove_from(ExistingCluster("demo", str(tmp_path / "config"), Silent()), Silent())
    assert kubectl.calls == removed


@pytest.mark.parametrize(
    ("objects", "named"),
    [
        (namespace("hal9"), "has namespace hal9, which tests"),
        (namespace("shop", {}), "has namespace shop, which tests"),
        (namespace("shadow-operator", {}), "has namespace shadow-operator, which tests"),
        (definition(), f"has CustomResourceDefinition {DEFINITION}, which tests"),
    ],
)
def test_tests_refuse_whatever_they_would_remove(objects: Objects, named: str) -> None:
    assert named in refusal(FakeKubectl(objects=objects))


def test_tests_run_where_nothing_of_theirs_stands() -> None:
    assert refusal(FakeKubectl(objects=namespace("production", {}))) == ""
