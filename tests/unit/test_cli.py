"""The runbook's commands against an API server made of plain data."""

from __future__ import annotations

import json

import pytest

from shadow_operator.cli.commands import change
from shadow_operator.cli.errors import Exit
from tests.support.shell import Cluster, Shell
from tests.support.world import World, up


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing."""
    monkeypatch.setattr(change, "POLL_SECONDS", 0.0)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Give a shell beside a resource that asks for nothing yet."""
    world = World()
    world.edit(phase="None", layers=["Substrate", "Protocol"])
    world.reconcile()
    world.reconcile()
    return Shell(Cluster(world), monkeypatch, capsys)


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Give a shell beside a shadow under copies."""
    return Shell(Cluster(up()), monkeypatch, capsys)


def test_before_the_start_status_says_what_the_runbook_quotes(quiet: Shell) -> None:
    status, text = quiet("hal9-migrate status")
    assert text.startswith(
        "Current Phase: none\nMigration Progress: 0%\nHealth Status: ✓ Healthy\n"
    )
    assert status == Exit.GREEN


def test_the_feature_sets_the_share_and_migrate_the_phase(quiet: Shell) -> None:
    assert quiet("hal9-migrate feature enable shadow_mode --percentage 50") == (
        Exit.GREEN,
        "✓ Enabled (50%)\n",
    )
    assert quiet.cluster.spec()["phase"] == "None"
    assert quiet("hal9-migrate feature status shadow_mode") == (Exit.GREEN, "✓ Enabled (50%)\n")
    status, text = quiet("hal9-migrate migrate --phase shadow --yes")
    assert status == Exit.GREEN
    assert text.endswith("Migration Phase: shadow\n")
    assert quiet.cluster.spec()["samplingPercent"] == 50


def test_disabled_twice_is_disabled(busy: Shell) -> None:
    for _ in range(2):
        assert busy("hal9-migrate feature disable shadow_mode") == (Exit.GREEN, "✗ Disabled (0%)\n")
    assert busy("hal9-migrate feature status shadow_mode")[0] == Exit.NO
    assert busy("hal9-migrate status")[1].startswith("Current Phase: none\n")


@pytest.mark.parametrize(
    ("mark", "manager"),
    [
        ("argocd.argoproj.io/tracking-id", "Argo CD"),
        ("kustomize.toolkit.fluxcd.io/name", "Flux"),
        ("example.com/anything", ""),
    ],
)
def test_where_gitops_owns_it_a_stop_keeps_it_disabled(
    mark: str, manager: str, busy: Shell
) -> None:
    busy.cluster.worlds["hal9"].annotations[mark] = "x"
    _, text = busy("hal9-migrate feature disable shadow_mode")
    assert (f"{manager} manages this resource" in text) == bool(manager)
    assert ("hal9.ai/stop" in busy.cluster.worlds["hal9"].annotations) == bool(manager)


def test_a_stop_ends_copies_and_resume_takes_it_back(busy: Shell) -> None:
    busy("kubectl-shadow stop --note alarm")
    assert not busy.cluster.worlds["hal9"].progress.mirroring
    assert busy("hal9-migrate feature status shadow_mode") == (
        Exit.NO,
        "✗ Disabled (stopped: alarm)\n",
    )
    assert busy("kubectl-shadow resume")[0] == Exit.GREEN
    assert busy.cluster.worlds["hal9"].progress.mirroring


def test_validate_has_five_lines_and_the_first_no_decides(busy: Shell) -> None:
    status, text = busy("hal9-migrate validate --phase shadow")
    lines = text.splitlines()
    assert lines[0].startswith("✓")
    assert [line.split(" (")[0][2:] for line in lines] == [
        "Traffic mirroring active",
        "Response comparison passing",
        "Resource usage acceptable",
        "No production impact",
        "Learning system active",
    ]
    assert lines[-1].startswith("\u2013")
    assert status == Exit.UNKNOWN
    busy("kubectl-shadow stop")
    assert busy("hal9-migrate validate --phase shadow")[0] == Exit.NO


def test_programs_read_the_greens_and_the_health_as_json(busy: Shell) -> None:
    status, text = busy("hal9-migrate validate --phase shadow -o json")
    greens = json.loads(text)
    assert greens[0]["type"] == "MirroringActive"
    assert (len(greens), status) == (5, Exit.UNKNOWN)
    health = json.loads(busy("hal9-migrate health -o json")[1])
    assert {"layers", "workloads"} <= health.keys()


def test_configure_changes_share_and_layers(quiet: Shell) -> None:
    assert quiet("hal9-migrate configure --shadow-sampling 50") == (
        Exit.GREEN,
        "Sampling: 50%\nLayers: Substrate, Protocol\n",
    )
    quiet("hal9-migrate configure --shadow-layers substrate")
    assert quiet.cluster.spec()["layers"] == ["Substrate"]


@pytest.mark.parametrize(
    ("line", "status", "says"),
    [
        ("hal9-migrate configure", Exit.USAGE, "Say --shadow-sampling N, or --shadow-layers a,b."),
        ("hal9-migrate configure --shadow-sampling 101", Exit.USAGE, "less than or equal to 100"),
        (
            "hal9-migrate configure --shadow-layers soul",
            Exit.USAGE,
            "Unknown layer soul; known are: substrate, protocol,",
        ),
        ("hal9-migrate feature enable rainbow", Exit.USAGE, "shadow_mode"),
        ("hal9-migrate status --name other", Exit.USAGE, "There is no ShadowDeployment other"),
        ("hal9-migrate verify --tests shadow-comparison", Exit.UNKNOWN, "Nothing was judged yet"),
        ("hal9-migrate health", Exit.UNKNOWN, "Nothing of shadow runs"),
        ("hal9-migrate migrate --phase moon", Exit.USAGE, "shadow"),
        ("hal9-migrate nonsense", Exit.USAGE, "nonsense"),
    ],
)
def test_wrong_input_gets_a_sentence(line: str, status: Exit, says: str, quiet: Shell) -> None:
    seen, text = quiet(line)
    assert seen == status
    assert says in text
    assert "Traceback" not in text


def test_of_several_one_must_be_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(Cluster(World(), World()), monkeypatch, capsys)
    assert shell("hal9-migrate status") == (
        Exit.USAGE,
        "There are several in namespace hal9; say --name: hal9, hal9-1\n",
    )
    assert shell("hal9-migrate status --name hal9-1")[0] == Exit.GREEN


def test_without_a_resource_the_sentence_says_how_to_make_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text = Shell(Cluster(), monkeypatch, capsys)("hal9-migrate status")
    assert status == Exit.USAGE
    assert "kubectl apply -f shadow.yaml" in text


def test_the_whole_resource_is_there_for_programs(busy: Shell) -> None:
    assert json.loads(busy("hal9-migrate status -o json")[1])["status"]["phase"] == "Soaking"
    assert busy("hal9-migrate status -o name")[1] == "shadowdeployment.hal9.ai/hal9\n"


def test_waiting_ends_with_the_verdict(busy: Shell) -> None:
    assert busy("kubectl-shadow wait --for verdict --timeout 1")[0] == Exit.UNKNOWN
    world = busy.cluster.worlds["hal9"]
    world.traffic = 5000
    world.edit(soakSeconds=60)
    world.until(lambda w: w.status["phase"] == "Completed", seconds=30.0)
    status, text = busy("kubectl-shadow wait --for verdict")
    assert status == Exit.GREEN
    assert text.startswith("ProceedToCanary: ")
    assert busy("hal9-migrate verify --tests shadow-comparison")[0] == Exit.GREEN


LEARN = "hal9-migrate feature enable hierarchical_learning"


def test_learning_is_switched_on_in_the_shadow_only(busy: Shell) -> None:
    status, text = busy(LEARN)
    assert status == Exit.USAGE
    assert "--shadow-only" in text
    status, text = busy(f"{LEARN} --shadow-only")
    assert (status, text.splitlines()[-1]) == (Exit.GREEN, "✓ Enabled (shadow only)")
    assert busy.cluster.spec()["learning"] == "ShadowOnly"
    asked = "hal9-migrate feature status hierarchical_learning"
    assert busy(asked) == (Exit.GREEN, "✓ Enabled (shadow only)\n")
    busy("hal9-migrate feature disable hierarchical_learning")
    assert busy(asked) == (Exit.NO, "✗ Disabled\n")
    assert busy.cluster.spec()["phase"] == "Shadow"


def test_switching_learning_says_what_of_the_soak_is_given_up(busy: Shell) -> None:
    world = busy.cluster.worlds["hal9"]
    for _ in range(20):
        world.reconcile(30.0)
    _, text = busy(f"{LEARN} --shadow-only")
    assert "The soak starts again" in text
    assert "The soak starts again" not in busy(f"{LEARN} --shadow-only")[1]
