"""`init` and `preflight`: a workload is looked at, and nothing is changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from shadow_operator.cli import drafting, offline
from shadow_operator.cli.errors import Exit
from shadow_operator.cli.main import run
from shadow_operator.cli.manifests import Loader
from shadow_operator.cli.target import Target
from tests.support.clones import merged
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

INIT = ["init", "--deployment", "hal9-server", "--service", "hal9-service", "--image", "hal9:new"]


class Server:
    """Answers GETs from a world; takes the place of `Access`."""

    namespace = "hal9"

    def __init__(self, world: World) -> None:
        self.world = world
        self.forbidden: set[str] = set()
        self.asked: list[str] = []

    def list(self) -> list[dict[str, Any]]:
        """Give no ShadowDeployment: none was made yet."""
        return []

    def answer(self, path: str) -> tuple[int, bytes]:
        """Answer as an API server does."""
        self.asked.append(path)
        plural = path.partition("?")[0].rsplit("/", 2 if "/hal9-" in path else 1)
        for word in plural[1:]:
            if word in self.forbidden:
                return 403, b"{}"
        found = {
            "/apis/apps/v1/namespaces/hal9/deployments/hal9-server": self.world.production,
            "/api/v1/namespaces/hal9/services/hal9-service": self.world.service,
        }
        if found.get(path):
            return 200, json.dumps(found[path]).encode()
        if path.rpartition("/")[2].startswith("hal9-") or "monitoring" in path:
            return 404, b"{}"
        return 200, b'{"items": []}'


class Shell:
    """Runs commands; gives exit status and what was printed."""

    def __init__(self, server: Server, output: pytest.CaptureFixture[str]) -> None:
        self.server, self._output = server, output

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Give the status, standard output and standard error."""
        status = run("kubectl shadow", list(arguments))
        printed = self._output.readouterr()
        return status, printed.out, printed.err


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Give a shell beside a workload that has no shadow."""
    server = Server(World())
    monkeypatch.setattr(Target, "access", server)
    return Shell(server, capsys)


def pod_of(shell: Shell) -> dict[str, Any]:
    """Give production's pod."""
    assert shell.server.world.production is not None
    pod: dict[str, Any] = shell.server.world.production["spec"]["template"]["spec"]
    return pod


def read(text: str) -> dict[str, Any]:
    """Read one resource as kubectl does."""
    found: dict[str, Any] = yaml.load(text, Loader)  # noqa: S506 - it is a SafeLoader
    return found


# init


def test_a_workload_becomes_a_resource_that_passes_lint_and_changes_nothing(shell: Shell) -> None:
    status, text, _ = shell(*INIT)
    resource = read(text)
    assert status == Exit.GREEN
    assert offline.refusals(resource) == ()
    assert resource["metadata"] == {"name": "hal9", "namespace": "hal9"}
    assert resource["spec"]["phase"] == "None"
    assert resource["spec"]["productionRef"] == {
        "deploymentName": "hal9-server",
        "serviceName": "hal9-service",
        "portName": "http",
    }
    assert resource["spec"]["clones"]["containerName"] == "server"


def test_what_is_left_out_and_what_is_secret_stand_as_comments(shell: Shell) -> None:
    pod = pod_of(shell)
    pod["initContainers"] = [{"name": "migrate", "image": "m"}]
    pod["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "d"}}]
    key = {"secretKeyRef": {"name": "db", "key": "p"}}
    pod["containers"][0] |= {
        "env": [{"name": "DB_PASSWORD", "valueFrom": key}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    _, text, _ = shell(*INIT)
    assert "    # omitSecretEnv: [DB_PASSWORD]\n" in text
    assert "    # - init container migrate is left out (clones.keepContainers keeps it)\n" in text
    assert "# - volume data (persistentVolumeClaim) is an empty directory of at most" in text
    assert offline.refusals(read(text)) == ()


def test_the_clones_are_as_many_as_the_load_needs(shell: Shell) -> None:
    assert shell.server.world.production is not None
    shell.server.world.production["spec"]["replicas"] = 9
    assert read(shell(*INIT)[1])["spec"]["clones"]["replicas"] == 6


def test_other_ports_are_named(shell: Shell) -> None:
    assert shell.server.world.service is not None
    shell.server.world.service["spec"]["ports"] += [{"name": "metrics", "port": 9090}]
    assert "# Other ports pass without a mirror: metrics." in shell(*INIT)[1]


@pytest.mark.parametrize(
    ("image", "hal9"),
    [
        ("example.com/hal9:old", True),
        ("example.com/hal9-tools/shop:1", False),
        ("shop:1", False),
    ],
)
def test_the_preset_is_only_for_what_looks_like_hal9(image: str, hal9: bool, shell: Shell) -> None:
    production = shell.server.world.production
    assert production is not None
    production["spec"]["template"]["metadata"]["labels"] = {"app": "hal9" if hal9 else "shop"}
    assert shell.server.world.service is not None
    shell.server.world.service["spec"]["selector"] = {"app": "hal9" if hal9 else "shop"}
    pod_of(shell)["containers"][0]["image"] = image
    spec = read(shell(*INIT)[1])["spec"]
    assert spec.get("preset") == ("HAL9" if hal9 else None)
    assert ("layers" in spec) == hal9


def test_what_the_operator_would_refuse_stands_there_as_well(shell: Shell) -> None:
    assert shell.server.world.service is not None
    shell.server.world.service["spec"]["selector"] = {"app": "other"}
    _, text, _ = shell(*INIT)
    assert "# To be settled first: Service hal9-service does not select the pods" in text
    assert offline.refusals(read(text)) == ()


@pytest.mark.parametrize(
    ("deployment", "name"),
    [
        ("hal9-server", "hal9"),
        ("shop", "shop"),
        ("9to5.app", "to5-app"),
        ("a" * 60, "a" * 40),
        ("-server", "shadow"),
    ],
)
def test_a_name_is_made_of_the_name_of_the_workload(deployment: str, name: str) -> None:
    assert drafting.name_for(deployment) == name


WRONG: dict[str, tuple[list[str], Exit, str]] = {
    "another Deployment": (
        ["init", "--deployment", "hal9-x", "--service", "hal9-service", "--image", "a"],
        Exit.USAGE,
        "There is no",
    ),
    "no image": (INIT[:-2], Exit.USAGE, "--image"),
    "an image with a space": ([*INIT[:-1], "a b"], Exit.USAGE, "spec.shadow.image"),
}


@pytest.mark.parametrize(("line", "status", "says"), WRONG.values(), ids=WRONG.keys())
def test_wrong_input_gets_a_sentence(
    line: list[str], status: Exit, says: str, shell: Shell
) -> None:
    seen, printed, complaint = shell(*line)
    assert (seen, printed) == (status, "")
    assert says in complaint


def test_who_may_not_read_production_is_told_so(shell: Shell) -> None:
    shell.server.forbidden = {"deployments"}
    status, _, complaint = shell(*INIT)
    assert status == Exit.UNKNOWN
    assert "you may not get deployments" in complaint


# preflight


RESOURCE: dict[str, Any] = {
    "apiVersion": "hal9.ai/v1alpha1",
    "kind": "ShadowDeployment",
    "metadata": {"name": "hal9"},
    "spec": {
        "productionRef": {"deploymentName": "hal9-server", "serviceName": "hal9-service"},
        "shadow": {"image": "hal9:new"},
        "clones": {"isolation": "BestEffort"},
        "mirror": {"provider": "External"},
    },
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a file with nothing in its way."""
    path = tmp_path / "shadow.yaml"
    path.write_text(json.dumps(RESOURCE))
    return path


def change(file: Path, **spec: Any) -> None:
    """Change what the file asks for."""
    file.write_text(json.dumps(merged(RESOURCE, {"spec": spec})))


def test_each_question_gets_a_line(shell: Shell, file: Path) -> None:
    status, text, _ = shell("preflight", "-f", str(file))
    assert status == Exit.UNKNOWN, text
    names = [line.split(":")[0][2:] for line in text.splitlines()]
    assert names[:5] == ["spec", "production", "names", "selectors", "entry"]
    assert names[-1] == "time"
    assert {line[0] for line in text.splitlines()} <= set("✓✗?\u2013")


def test_programs_get_the_same(shell: Shell, file: Path) -> None:
    found = json.loads(shell("preflight", "-f", str(file), "-o", "json")[1])
    assert (found[0]["name"], found[0]["result"]) == ("spec", "Passed")
    assert {tuple(one) for one in found} == {("name", "result", "message")}


def test_days_follow_from_what_a_person_says(shell: Shell, file: Path) -> None:
    _, text, _ = shell("preflight", "-f", str(file), "--requests-per-second", "100")
    assert "✓ time: 100 requests/s (as you say" in text


def test_what_has_to_be_changed_is_a_no(shell: Shell, file: Path) -> None:
    change(file, reference={"mode": "Production"})
    status, text, _ = shell("preflight", "-f", str(file))
    assert status == Exit.NO
    assert "✗ spec: spec.reference.mode" in text


def test_what_the_api_server_refuses_is_not_looked_at(shell: Shell, file: Path) -> None:
    change(file, samplingPercent=101)
    status, text, _ = shell("preflight", "-f", str(file))
    assert status == Exit.NO
    assert "spec.samplingPercent" in text
    assert shell.server.asked == []


def test_what_may_not_be_read_is_a_question(shell: Shell, file: Path) -> None:
    shell.server.forbidden = {"replicasets", "nodes", "horizontalpodautoscalers"}
    _, text, _ = shell("preflight", "-f", str(file))
    assert "? selectors: what selects pods here could not be read: you may not list replic" in text
    assert "? headroom: " in text
    assert "you may not list nodes" in text
    assert "Prometheus can't be asked (only the operator does)." in text
    assert "Autoscalers are not known (you may not list horizontalpodautoscalers)." in text


@pytest.mark.parametrize("said", [True, False])
def test_the_namespace_is_that_of_the_file(said: bool, shell: Shell, file: Path) -> None:
    there = {"metadata": {"namespace": "hal9"}} if said else {}
    file.write_text(json.dumps(merged(RESOURCE, there)))
    status, _, complaint = shell("preflight", "-f", str(file), "-n", "shop")
    assert (status == Exit.USAGE) == said
    assert ("The file says namespace hal9, and -n shop." in complaint) == said
