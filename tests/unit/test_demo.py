"""How the demo reads a status: it must not take a wrong verdict for a right one."""

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev import install as installing
from dev.cluster import ClusterError, Progress, Silent, images
from dev.cluster.existing import ExistingCluster
from dev.demo import CASES, EXAMPLE_IMAGE, _say_changes, _short, _watching
from dev.kubectl import Kubectl
from dev.outcome import Case, Outcome
from dev.provision import HAL9, OPERATOR, REGISTRY, Image, provide

GOOD = Case("hal9", Path("shadow.yaml"), "a good new version", "ProceedToCanary")
PLANTED = ("POST /api/v1/signal", "$.result.category")
BROKEN = Case("hal9-broken", Path("broken.yaml"), "a planted bug", "Investigate", PLANTED)


def _status(decision: str, **difference: Any) -> dict[str, Any]:
    one = {"route": PLANTED[0], "path": PLANTED[1], "kind": "text", "count": 12} | difference
    return {"verdict": {"decision": decision}, "comparison": {"topDifferences": [one]}}


@pytest.mark.parametrize(
    ("case", "status", "right"),
    [
        (GOOD, {"verdict": {"decision": "ProceedToCanary"}}, True),
        (GOOD, {"verdict": {"decision": "ExtendShadow"}}, False),
        (GOOD, {}, False),
        (BROKEN, _status("Investigate"), True),
        (BROKEN, _status("ProceedToCanary"), False),
        (BROKEN, _status("Investigate", path="$.time"), False),
        (BROKEN, _status("Investigate", route="GET /health"), False),
        (BROKEN, _status("Investigate", excusedBy="noise"), False),
        (BROKEN, {"verdict": {"decision": "Investigate"}}, False),
    ],
)
def test_a_verdict_is_right_only_with_its_reason(
    case: Case, status: dict[str, Any], right: bool
) -> None:
    assert Outcome(case, status).right is right


@pytest.mark.parametrize(
    ("status", "final"),
    [
        ({}, False),
        ({"phase": "Soaking", "verdict": {"decision": "ExtendShadow"}}, False),
        ({"phase": "Soaking", "verdict": {"decision": "ProceedToCanary"}}, False),
        ({"phase": "Completed", "verdict": {"decision": "ProceedToCanary"}}, True),
        ({"phase": "Soaking", "verdict": {"decision": "Investigate"}}, False),
        ({"phase": "Completed", "verdict": {"decision": "Investigate"}}, True),
    ],
)
def test_the_demo_waits_until_a_verdict_can_only_change_through_a_person(
    status: dict[str, Any], final: bool
) -> None:
    assert Outcome(GOOD, status).final is final


def test_the_demo_need_not_wait_for_a_soak_that_a_failed_gate_keeps_restarting() -> None:
    assert Outcome(BROKEN, {"phase": "Soaking", **_status("Investigate")}).final
    assert not Outcome(BROKEN, {"phase": "Soaking", **_status("ExtendShadow")}).final


def test_a_missing_verdict_is_explained_by_conditions_and_gates() -> None:
    status = {
        "message": "waiting",
        "conditions": [
            {"type": "MirroringActive", "status": "False", "reason": "NoTraffic", "message": "none"}
        ],
        "gates": [
            {"name": "coverage", "result": "Error", "message": "no counter"},
            {"name": "timeouts", "result": "Passed", "message": "0 of 9"},
        ],
    }
    assert Outcome(GOOD, status).stuck() == [
        "hal9: waiting",
        "  MirroringActive=False NoTraffic: none",
        "  gate coverage Error: no counter",
    ]


def test_a_watched_line_is_shown_again_only_when_more_than_its_age_changed() -> None:
    shown = io.StringIO()
    lines = [
        "NAMESPACE NAME PHASE   AGE",
        "hal9      hal9 Soaking 5s",
        "hal9-b    hal9 Soaking 5s",
        "hal9      hal9 Soaking 9s",
        "hal9      hal9 Completed 9s",
    ]
    _say_changes(lines, Progress(shown))
    said = [line.split("] ")[1] for line in shown.getvalue().splitlines()]
    assert said == [lines[0], lines[1], lines[2], lines[4]]


def test_the_watch_ends_with_its_pipe_closed(tmp_path: Path) -> None:
    started: list[subprocess.Popen[str]] = []

    class Recorded(Kubectl):
        def start(self, *arguments: str) -> subprocess.Popen[str]:
            started.append(super().start(*arguments))
            return started[-1]

    with _watching(Recorded(Path("/bin/echo"), tmp_path), Progress(io.StringIO())):
        pass
    (process,) = started
    assert process.stdout is not None
    assert process.stdout.closed


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.namespace)
def test_the_cases_are_the_examples(case: Case) -> None:
    resource = yaml.safe_load(case.manifest.read_text())
    assert resource["spec"]["shadow"]["image"] == EXAMPLE_IMAGE
    assert resource["metadata"]["name"] == "hal9"


def test_a_changed_source_gives_another_image(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY app.py .\n")
    (tmp_path / "app.py").write_text("1")
    image = Image("app", tmp_path, ("*.py",))
    before = image.tag
    (tmp_path / "notes.txt").write_text("not copied")
    assert image.tag == before
    (tmp_path / "app.py").write_text("2")
    assert image.tag != before


@pytest.mark.parametrize("image", [OPERATOR, HAL9], ids=lambda image: image.name)
def test_an_image_is_named_by_everything_that_its_dockerfile_copies(image: Image) -> None:
    lines = (image.folder / "Dockerfile").read_text().splitlines()
    copied = [
        word
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    ]
    assert copied
    for word in copied:
        assert any(
            Path(word).match(pattern) or pattern.startswith(f"{word}/") for pattern in image.sources
        ), word


@pytest.mark.parametrize(("provider", "policy"), [("source", ["Never"]), ("existing", [])])
def test_images_that_only_the_node_has_are_never_pulled(
    provider: str, policy: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").touch()
    cluster = ExistingCluster("any", str(tmp_path / "config"), Silent())
    cluster.provider = provider
    told: list[str] = []
    monkeypatch.setattr(installing, "provide", lambda image, *_: f"registry/{image.name}:1")
    monkeypatch.setattr(installing, "_helm", lambda *words: told.extend(map(str, words)))
    installing.install(cluster, Kubectl(Path("/bin/true"), tmp_path), 5, Silent())
    assert "image.repository=registry/operator" in told
    assert [one.split("=")[1] for one in told if one.startswith("image.pullPolicy=")] == policy


def test_paths_are_shown_from_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    line = 'export KUBECONFIG=/home/me/.cache/a PATH=/home/me/.cache/b:"$PATH"'
    assert _short(line) == 'export KUBECONFIG=~/.cache/a PATH=~/.cache/b:"$PATH"'


def test_a_cluster_of_somebody_else_needs_a_registry(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("{}")
    theirs = ExistingCluster("demo", str(kubeconfig), Silent())
    monkeypatch.delenv(REGISTRY, raising=False)
    with pytest.raises(ClusterError, match=f"set {REGISTRY} to one that you may push to"):
        provide(HAL9, theirs, Silent())
    pushed: list[str] = []
    monkeypatch.setenv(REGISTRY, "registry.example.com/team/")
    monkeypatch.setattr(images, "build", lambda *_, **__: tmp_path / "archive.tar")
    monkeypatch.setattr(images, "push", pushed.append)
    reference = provide(HAL9, theirs, Silent())
    assert pushed == [reference] == [f"registry.example.com/team/hal9-example:{HAL9.tag}"]
