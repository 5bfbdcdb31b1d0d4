"""The commands by which a kind cluster is made, used and removed; no Docker engine is needed."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from pytest_kind.cluster import KindCluster as Kind

from dev import cluster as clusters
from dev.cluster import ClusterError, Silent, kind
from dev.cluster.choose import Machine
from dev.cluster.kind import KindCluster
from dev.install import CHART
from tests.support.machine import Recorder

STATES = {"running": "echo true", "stopped": "echo false", "none": "exit 1"}
DOCKER = Machine(shadow_kubeconfig=None, docker_answers=True, system="Linux", root=False)


@pytest.fixture(autouse=True)
def _no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIND_DOWNLOAD_URL", "https://kind.invalid/kind")


@pytest.fixture
def program(stand_in: Recorder, cache: Path) -> Path:
    """Put kind where it is after it was downloaded."""
    return stand_in.add(f"kind-{kind.KIND_VERSION}", folder=cache / "shadow-operator" / "kind")


@pytest.fixture
def commands(program: Path, stand_in: Recorder, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give kind's own commands as they are called."""
    called: list[str] = []

    class Recorded(Kind):  # type: ignore[misc]
        def create(self) -> None:
            called.append(f"create {self.name} {self.image} {self.kind_path == program}")

        def delete(self) -> None:
            called.append(f"delete {self.name}")

    monkeypatch.setattr(kind, "Kind", Recorded)
    return called


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("none", [f"create own {kind.NODE_IMAGE} True"]),
        ("stopped", ["delete own", f"create own {kind.NODE_IMAGE} True"]),
        ("running", []),
    ],
)
def test_a_cluster_is_created_from_the_pinned_image_unless_it_runs(
    state: str, expected: list[str], commands: list[str], stand_in: Recorder
) -> None:
    stand_in.add("docker", STATES[state])
    cluster = KindCluster.start("own", Silent())
    assert commands == expected
    if state == "running":
        export = f"export kubeconfig --name own --kubeconfig {cluster.kubeconfig}"
        assert stand_in.calls[-1] == f"kind-{kind.KIND_VERSION} {export}"


def test_the_pinned_image_is_of_a_version_that_the_chart_supports() -> None:
    oldest = yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]
    _, minor, _ = kind.NODE_IMAGE.partition(":v")[2].split("@")[0].split(".")
    assert int(minor) >= int(oldest.removeprefix(">=1.").split(".")[0])


@pytest.mark.parametrize(
    ("state", "expected"), [("running", ["delete own"]), ("stopped", ["delete own"]), ("none", [])]
)
def test_what_is_removed_is_gone_running_or_stopped(
    state: str, expected: list[str], commands: list[str], stand_in: Recorder, cache: Path
) -> None:
    stand_in.add("docker", STATES[state])
    clusters.remove("own", machine=DOCKER)
    assert commands == expected
    assert not (cache / "shadow-operator" / "kind" / "own").exists()


def test_looking_for_a_cluster_leaves_nothing_where_one_looks_from(
    stand_in: Recorder, cache: Path
) -> None:
    stand_in.add("docker", STATES["none"])
    assert KindCluster.find("own", Silent()) is None
    assert [path.name for path in cache.iterdir()] == ["programs"]


def test_kind_is_used_by_its_own_commands_and_leaves_nothing_where_it_is_called(
    program: Path, stand_in: Recorder, cache: Path
) -> None:
    stand_in.add("docker", STATES["running"])
    cluster = KindCluster("own", Silent())
    cluster.load_image(cache / "image.tar")
    cluster.node_run(["ip", "route"])
    cluster.down()
    assert [call for call in stand_in.calls if "inspect" not in call] == [
        f"{program.name} load image-archive {cache}/image.tar --name own",
        "docker exec own-control-plane ip route",
        f"{program.name} delete cluster --name=own --kubeconfig={cluster.kubeconfig}",
    ]
    assert not list(cache.glob(".pytest-kind"))


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(
    "error",
    [ConnectionError("no route to github.com"), subprocess.CalledProcessError(1, "kind create")],
    ids=lambda error: type(error).__name__,
)
def test_where_kind_fails_the_error_says_what_else_can_be_done(
    error: Exception, stand_in: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Kind):  # type: ignore[misc]
        def create(self) -> None:
            raise error

    stand_in.add("docker", STATES["none"])
    monkeypatch.setattr(kind, "Kind", Broken)
    with pytest.raises(ClusterError, match="SHADOW_CLUSTER=source builds a cluster without Docker"):
        KindCluster.start("own", Silent())


@pytest.mark.parametrize(
    ("system", "machine", "ending"),
    [
        ("Linux", "x86_64", "kind-linux-amd64"),
        ("Linux", "aarch64", "kind-linux-arm64"),
        ("Darwin", "arm64", "kind-darwin-arm64"),
    ],
)
def test_kind_is_downloaded_for_this_machine(
    system: str, machine: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert kind._address().endswith(f"/download/{kind.KIND_VERSION}/{ending}")


def test_the_address_of_kind_is_the_persons_where_they_name_one(
    program: Path, stand_in: Recorder
) -> None:
    stand_in.add("docker", STATES["none"])
    KindCluster("own", Silent())._kind()
    assert os.environ["KIND_DOWNLOAD_URL"] == "https://kind.invalid/kind"


def test_a_signal_on_kind_goes_to_every_process_of_the_container(stand_in: Recorder) -> None:
    answers = {
        "*'crictl ps'*|*crictl\\ ps*": "echo abc",
        "*crictl\\ inspect*": """echo '{"info": {"pid": 41}}'""",
        "*/proc/41/cgroup*": "echo 0::/kubepods/abc",
        "*cgroup.procs*": "printf '41\\n42\\n'",
    }
    cases = "\n".join(f"{pattern}) {answer};;" for pattern, answer in answers.items())
    stand_in.add("docker", f'case "$*" in\n{cases}\nesac')
    assert KindCluster("own", Silent()).signal_container("ns", "web-1", "web", 19) == [41, 42]
    assert stand_in.calls[0] == (
        "docker exec own-control-plane crictl ps -q --label=io.kubernetes.pod.namespace=ns "
        "--label=io.kubernetes.pod.name=web-1 --name=^web$"
    )
    assert stand_in.calls[-1] == "docker exec own-control-plane kill -19 41 42"
