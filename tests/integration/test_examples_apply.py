"""Every manifest in examples/ against a real API server, as its README applies them."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from dev.cluster import Progress
from dev.cluster.programs import tool

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
NAMESPACES = ("hal9/namespaces.yaml", "plain/namespace.yaml")
APPLIED = (
    ("hal9", "hal9/production.yaml"),
    ("hal9", "hal9/traffic.yaml"),
    ("hal9", "hal9/shadow.yaml"),
    ("hal9", "smallest.yaml"),
    ("hal9-broken", "hal9/production.yaml"),
    ("hal9-broken", "hal9/traffic.yaml"),
    ("hal9-broken", "hal9/shadow-broken.yaml"),
    ("hal9-broken", "external-mirror/shadow.yaml"),
    ("shop", "plain/production.yaml"),
    ("shop", "plain/shadow.yaml"),
)
"""Namespace and file."""

Kubectl = Callable[..., str]


class ControlPlane(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="module")
def kubectl(control_plane: ControlPlane, progress: Progress) -> Iterator[Kubectl]:
    """Run kubectl on an API server that has the definition and the examples' namespaces."""
    command = [str(tool("kubectl", progress)), "--kubeconfig", str(control_plane.kubeconfig)]

    def attempt(*arguments: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*command, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def run(*arguments: str, stdin: str | None = None) -> str:
        done = attempt(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    definition = str(ROOT / "crds" / "hal9.ai_shadowdeployments.yaml")
    run("apply", "--filename", definition)
    deadline = time.monotonic() + 30  # it is served a moment after it was applied
    while (done := attempt("get", "shadowdeployments")).returncode != 0:
        assert time.monotonic() < deadline, done.stderr
    for path in NAMESPACES:
        run("apply", "--filename", str(EXAMPLES / path))
    yield run
    for path in NAMESPACES:
        run("delete", "--wait=false", "--filename", str(EXAMPLES / path))


def test_no_example_is_left_out() -> None:
    assert {path for _, path in APPLIED} | set(NAMESPACES) == {
        str(file.relative_to(EXAMPLES)) for file in EXAMPLES.rglob("*.yaml")
    }


@pytest.mark.parametrize(("namespace", "path"), APPLIED)
def test_an_example_is_accepted_without_a_warning(
    kubectl: Kubectl, namespace: str, path: str
) -> None:
    arguments = ("--namespace", namespace, "--filename", str(EXAMPLES / path))
    said = kubectl("apply", "--dry-run=server", "--validate=strict", *arguments)
    assert "created (server dry run)" in said
    assert "warning" not in said.lower()


@pytest.mark.parametrize(("namespace", "path"), APPLIED)
def test_its_pods_are_admitted_where_restricted_is_enforced(
    kubectl: Kubectl, namespace: str, path: str
) -> None:
    for pod in pods(path):
        said = kubectl(
            *("create", "--dry-run=server", "--namespace", namespace, "--filename", "-"),
            stdin=yaml.safe_dump(pod),
        )
        assert "created (server dry run)" in said


def pods(path: str) -> Iterator[dict[str, Any]]:
    for item in yaml.safe_load_all((EXAMPLES / path).read_text()):
        if item["kind"] == "Deployment":
            template = item["spec"]["template"]
            metadata = {**template["metadata"], "name": item["metadata"]["name"]}
            yield {**template, "apiVersion": "v1", "kind": "Pod", "metadata": metadata}
