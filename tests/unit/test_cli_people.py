"""What people decide, written into the resource in their name."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import pytest

from shadow_operator.cli.errors import Conflict, Exit
from tests.support.shell import Cluster, Shell
from tests.support.world import World, up

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Give a shell beside a shadow that waits for a person."""
    world = up()
    world.traffic = 5000
    world.edit(soakSeconds=60, approval="Required")
    for _ in range(20):
        world.reconcile(30.0)
    return Shell(Cluster(world), monkeypatch, capsys)


def records(shell: Shell) -> list[dict[str, Any]]:
    """Give what the resource holds."""
    return copy.deepcopy(shell.cluster.spec().get("records", []))


def test_an_approval_names_who_when_why_and_what(judged: Shell) -> None:
    verdict = judged.cluster.get("hal9")["status"]["verdict"]
    status, text = judged('kubectl-shadow approve --note "as-agreed"')
    assert status == Exit.GREEN
    assert text.startswith(f"✓ Approved by anna: hal9/hal9 (epoch {verdict['epoch']}): ")
    [record] = records(judged)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record.pop("time"))
    assert record == {
        "by": "anna",
        "decision": "Approved",
        "note": '"as-agreed"',
        "epoch": verdict["epoch"],
        "shadowImageID": verdict["shadowImageID"],
    }
    assert judged("kubectl-shadow wait --for verdict")[0] == Exit.GREEN


def test_a_rejection_makes_the_verdict_no(judged: Shell) -> None:
    status, text = judged("kubectl-shadow reject --note slow")
    assert (status, text[:2]) == (Exit.GREEN, "✗ ")
    assert judged("kubectl-shadow wait --for verdict")[0] == Exit.NO


def test_a_note_stands_beside_what_was_there(judged: Shell) -> None:
    judged("kubectl-shadow note --text first")
    judged("kubectl-shadow note --note second")
    assert [one["note"] for one in records(judged)] == ["first", "second"]
    assert {one["decision"] for one in records(judged)} == {"Noted"}


def test_before_anything_was_judged_a_note_is_all_that_can_be_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(Cluster(World()), monkeypatch, capsys)
    status, text = shell("kubectl-shadow approve --note early")
    assert status == Exit.UNKNOWN
    assert "Nothing was judged yet" in text
    assert shell("kubectl-shadow note --text start")[0] == Exit.GREEN
    assert "epoch" not in records(shell)[0]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("kubectl-shadow approve", "--note"),
        ("kubectl-shadow note", "--note"),
        ("kubectl-shadow reject --note=", "Say why"),
    ],
)
def test_nobody_decides_without_a_reason(line: str, says: str, judged: Shell) -> None:
    status, text = judged(line)
    assert status == Exit.USAGE
    assert says in text
    assert records(judged) == []


def test_where_none_is_asked_for_an_approval_says_that_nothing_waits(judged: Shell) -> None:
    judged.cluster.worlds["hal9"].edit(approval="NotRequired")
    assert "does not wait for it" in judged("kubectl-shadow approve --note fine")[1]


def test_an_approval_of_what_failed_says_that_it_does_not_help(judged: Shell) -> None:
    judged("kubectl-shadow reject --note slow")
    judged.cluster.worlds["hal9"].status["verdict"]["decision"] = "Investigate"
    judged.cluster.settled = True
    assert "It overrides no gate that failed." in judged("kubectl-shadow approve --note fine")[1]


def test_where_gitops_owns_the_resource_the_lines_to_commit_are_printed(judged: Shell) -> None:
    judged.cluster.worlds["hal9"].annotations["argocd.argoproj.io/tracking-id"] = "x"
    _, text = judged("kubectl-shadow approve --note fine")
    assert "Argo CD manages this resource; commit to keep it so:" in text
    assert '  records: [{"time": "' in text


def test_what_somebody_else_wrote_meanwhile_is_kept(
    judged: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, patch, calls = judged.cluster.worlds["hal9"], judged.cluster.patch, []
    theirs = {"time": "2026-01-31T14:05:00Z", "by": "ben", "decision": "Noted", "note": "mine"}

    def conflict_once(name: str, changed: Mapping[str, Any]) -> dict[str, Any]:
        calls.append(changed)
        if len(calls) == 1:
            world.edit(records=[theirs])
            raise Conflict(Exit.UNKNOWN, "changed")
        return patch(name, changed)

    monkeypatch.setattr(judged.cluster, "patch", conflict_once)
    assert judged("kubectl-shadow note --text also")[0] == Exit.GREEN
    assert [one["by"] for one in records(judged)] == ["ben", "anna"]


def test_the_oldest_record_that_decides_nothing_makes_room(judged: Shell) -> None:
    full = [
        {"time": f"2026-01-31T14:05:{n:02}Z", "by": "ben", "decision": "Noted", "note": f"{n}"}
        for n in range(32)
    ]
    judged.cluster.worlds["hal9"].edit(records=full)
    _, text = judged("kubectl-shadow approve --note fine")
    assert "that of 2026-01-31T14:05:00Z goes" in text
    assert [one["note"] for one in records(judged)] == [*map(str, range(1, 32)), "fine"]
