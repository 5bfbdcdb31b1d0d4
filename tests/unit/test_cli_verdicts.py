"""`run` and `wait`: a pipeline gets the verdict as an exit status. And what stops at 3 a.m."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from shadow_operator.api.enums import Decision, SoakState
from shadow_operator.api.status import Soak, Status, Verdict
from shadow_operator.cli import waiting
from shadow_operator.cli.commands import change
from shadow_operator.cli.commands.verdicts import is_final
from shadow_operator.cli.errors import Exit
from tests.support.clones import merged
from tests.support.shell import Cluster, Shell
from tests.support.world import SPEC, World, up

if TYPE_CHECKING:
    from pathlib import Path

ARGO = "argocd.argoproj.io/tracking-id"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing."""
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(change, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(change, "CONFIRMED_SECONDS", 0.0)


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Give a shell beside a shadow under copies."""
    return Shell(Cluster(up()), monkeypatch, capsys)


@pytest.fixture
def judged(busy: Shell) -> Shell:
    """Give a shell beside a shadow of a busy service that a minute decides about."""
    busy.cluster.worlds["hal9"].traffic = 5000
    return busy


def written(folder: Path, **changes: Any) -> Path:
    """Give a file with a resource that is decided about in a minute."""
    spec = merged(dict(SPEC), {"soakSeconds": 60, **changes})
    path = folder / "shadow.yaml"
    kind = {"apiVersion": "hal9.ai/v1alpha1", "kind": "ShadowDeployment"}
    path.write_text(json.dumps({**kind, "metadata": {"name": "hal9"}, "spec": spec}))
    return path


def test_a_file_is_applied_and_followed_to_its_verdict(judged: Shell, tmp_path: Path) -> None:
    status, text = judged(f"kubectl-shadow run -f {written(tmp_path)}")
    assert status == Exit.GREEN, text
    first, *_, last = text.splitlines()
    assert first == "hal9/hal9 is applied"
    assert last.startswith("ProceedToCanary: ")
    assert judged.cluster.spec()["soakSeconds"] == 60
    assert not judged.cluster.forced


def test_a_rejected_version_is_a_no(judged: Shell, tmp_path: Path) -> None:
    judged(f"kubectl-shadow run -f {written(tmp_path, approval='Required')} --timeout 1")
    judged("kubectl-shadow reject --note slow")
    assert judged("kubectl-shadow wait --for verdict --timeout 10m")[0] == Exit.NO


def test_when_time_is_over_the_verdict_is_not_known(busy: Shell, tmp_path: Path) -> None:
    file = written(tmp_path, soakSeconds=86_400)
    status, text = busy(f"kubectl-shadow run -f {file} --timeout 1s")
    assert status == Exit.UNKNOWN
    assert "No verdict after 1 s: " in text
    assert "soak " in text.splitlines()[1]


def test_the_verdict_of_an_earlier_generation_does_not_count(judged: Shell, tmp_path: Path) -> None:
    file = written(tmp_path)
    judged(f"kubectl-shadow run -f {file}")
    judged.cluster.settled = True
    written(tmp_path, shadow={"image": "example.com/hal9:newer"})
    assert judged(f"kubectl-shadow run -f {file} --timeout 1")[0] == Exit.UNKNOWN


def test_what_only_a_person_can_change_is_not_waited_for(busy: Shell, tmp_path: Path) -> None:
    file = written(tmp_path, reference={"mode": "Production"})
    status, text = busy(f"kubectl-shadow run -f {file} --timeout 2h")
    assert status == Exit.UNKNOWN
    assert "spec.reference.mode: " in text
    assert "Next: " in text


def test_fields_of_others_are_taken_over_only_by_force(judged: Shell, tmp_path: Path) -> None:
    judged(f"kubectl-shadow run -f {written(tmp_path)} --force-conflicts")
    assert judged.cluster.forced


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing would be tested": ({"phase": "None"}, "", "so there would be no verdict"),
    "no duration": ({}, "--timeout soon", "is no duration"),
}


@pytest.mark.parametrize(("spec", "more", "says"), WRONG.values(), ids=WRONG.keys())
def test_wrong_input_gets_a_sentence(
    spec: dict[str, Any], more: str, says: str, busy: Shell, tmp_path: Path
) -> None:
    status, text = busy(f"kubectl-shadow run -f {written(tmp_path, **spec)} {more}")
    assert status == Exit.USAGE
    assert says in text


def status_of(phase: str, decision: Decision, reason: str, soak: SoakState) -> Status:
    verdict = Verdict(
        decision=decision, reason=reason, decided_time="2026-01-31T14:00:00Z", epoch="e"
    )
    return Status(phase=phase, verdict=verdict, soak=Soak(required_seconds=60, state=soak))


RUNNING, COMPLETE = SoakState.RUNNING, SoakState.COMPLETE
PROCEED, EXTEND, INVESTIGATE = (
    Decision.PROCEED_TO_CANARY,
    Decision.EXTEND_SHADOW,
    Decision.INVESTIGATE,
)
FINAL: dict[str, tuple[Status, bool]] = {
    "nothing yet": (Status(), False),
    "the soak runs": (status_of("Soaking", EXTEND, "SoakIncomplete", RUNNING), False),
    "it failed, and the soak may begin anew": (
        status_of("Soaking", INVESTIGATE, "GateFailed", RUNNING),
        False,
    ),
    "completed": (status_of("Completed", EXTEND, "MaxDurationReached", RUNNING), True),
    "good, and copies go on": (status_of("Soaking", PROCEED, "AllGatesPassed", COMPLETE), True),
    "bad after the soak, and copies go on": (
        status_of("Soaking", INVESTIGATE, "GateFailed", COMPLETE),
        True,
    ),
    "out of time, and copies go on": (
        status_of("Soaking", EXTEND, "MaxDurationReached", RUNNING),
        True,
    ),
}


@pytest.mark.parametrize(("status", "final"), FINAL.values(), ids=FINAL.keys())
def test_a_verdict_is_final_also_where_copies_go_on(status: Status, final: bool) -> None:
    assert is_final(status) is final


# 3 a.m.


def test_a_stop_that_nobody_confirms_gives_the_line_that_needs_no_operator(busy: Shell) -> None:
    busy.cluster.settled = True
    status, text = busy("kubectl-shadow stop --note alarm")
    assert status == Exit.UNKNOWN
    assert "the operator has not confirmed it" in text
    line = text.splitlines()[-1]
    entry = "service hal9-mirror"
    kept = r"jsonpath='{.metadata.annotations.hal9\.ai/lead-back}'"
    assert line == (
        f'kubectl -n hal9 patch {entry} --type=json -p "$(kubectl -n hal9 get {entry} -o {kept})"'
    )
    assert busy.cluster.worlds["hal9"].annotations["hal9.ai/stop"] == "alarm"


def test_for_a_mirror_of_ones_own_the_line_closes_what_receives_its_copies(busy: Shell) -> None:
    world = busy.cluster.worlds["hal9"]
    world.spec["mirror"]["provider"] = "External"
    busy.cluster.settled = True
    _, text = busy("kubectl-shadow stop")
    assert text.splitlines()[-1].startswith(
        "kubectl -n hal9 patch service hal9-comparator --type=merge -p '{"
    )


def test_taken_down_where_gitops_owns_it_stays_down_until_it_is_wanted_again(busy: Shell) -> None:
    annotations = busy.cluster.worlds["hal9"].annotations
    annotations[ARGO] = "x"
    status, text = busy("hal9-migrate migrate --phase none --yes")
    assert status == Exit.GREEN
    assert "commit to keep it so:  spec: {phase: None}\n" in text
    assert busy.cluster.worlds["hal9"].annotations["hal9.ai/stop"].startswith("by command: ")
    status, text = busy("hal9-migrate migrate --phase shadow --yes")
    assert status == Exit.GREEN, text
    assert "spec: {phase: Shadow}" in text
    assert "hal9.ai/stop" not in busy.cluster.worlds["hal9"].annotations


def test_a_stop_by_a_person_outlasts_a_migration(busy: Shell) -> None:
    busy.cluster.worlds["hal9"].annotations[ARGO] = "x"
    busy("kubectl-shadow stop --note alarm")
    busy("hal9-migrate migrate --phase none --yes")
    busy("hal9-migrate feature disable shadow_mode")
    assert busy.cluster.worlds["hal9"].annotations["hal9.ai/stop"] == "alarm"


def test_where_the_whole_namespace_is_stopped_resume_says_how_it_goes_on(busy: Shell) -> None:
    busy.cluster.worlds["hal9"].namespace_annotations["hal9.ai/stop"] = "alarm"
    assert busy("kubectl-shadow resume") == (
        Exit.NO,
        "The whole namespace is stopped: kubectl annotate namespace hal9 hal9.ai/stop-\n",
    )


def test_a_world_that_was_never_shadowed_can_be_run_from_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cluster = Cluster()
    shell = Shell(cluster, monkeypatch, capsys)
    status, text = shell(f"kubectl-shadow run -f {written(tmp_path)} --timeout 1")
    assert status == Exit.UNKNOWN
    assert "hal9/hal9 is applied" in text
    assert isinstance(cluster.worlds["hal9"], World)
