"""`report`: the form by the ending, from a cluster or a file, and one sentence for mistakes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shadow_operator.cli import target
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.main import run
from shadow_operator.report.forms import FORMS
from tests.support.reported import bad, ended

Said = tuple[int, str, str]


class Cluster:
    """One resource and its evidence; takes the place of `Access`."""

    namespace = "hal9"

    def __init__(self) -> None:
        self.world = ended(wrong=0.02, hours=0.5, soak_hours=24)

    def list(self) -> list[dict[str, Any]]:
        """Give all."""
        return [self.world.body]

    def evidence(self, name: str) -> dict[str, dict[str, str]]:
        """Give what was recorded."""
        return {f"{name}-evidence": self.world.data}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Let commands find a cluster."""
    found = Cluster()
    monkeypatch.setattr(target.Target, "access", found)
    return found


def say(capsys: pytest.CaptureFixture[str], *arguments: str) -> Said:
    """Run the command."""
    status = run("hal9-migrate", ["report", *arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


BEGINNINGS = {
    ".pdf": b"%PDF-",
    ".html": b"<!DOCTYPE html>",
    ".json": b'{\n "schemaVersion": 1',
    ".xml": b"<?xml",
    ".md": b"## Shadow report",
}


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("ending", FORMS)
def test_the_ending_chooses_the_form(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"report{ending}"
    said = say(capsys, "--phase", "shadow", "--output", str(file))
    assert said == (Exit.GREEN, "", f"Wrote {file}: Investigate\n")
    assert file.read_bytes().startswith(BEGINNINGS[ending])


@pytest.mark.usefixtures("cluster")
def test_without_a_file_it_prints_the_migration_log(capsys: pytest.CaptureFixture[str]) -> None:
    status, text, _ = say(capsys, "--phase", "shadow")
    assert status == Exit.GREEN
    assert text.startswith("Shadow Mode Deployment Summary\n=====")
    assert "[x] Investigate Issues" in text


def test_a_report_in_json_makes_every_other_form_without_a_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target.Target, "access", None)
    kept, file = tmp_path / "kept.json", tmp_path / "report.html"
    kept.write_text(bad().to_json(), encoding="utf-8")
    assert say(capsys, "--from", str(kept), "--output", str(file))[0] == Exit.GREEN
    assert b"Investigate" in file.read_bytes()


MISTAKES = {
    "an ending that is no form": (
        ["--output", "report.docx"],
        "report.docx names no form of a report; end it with .pdf, .html, .json, .xml, .md\n",
    ),
    "no ending": (["--output", "report"], "report names no form of a report; end it with .pdf"),
    "a folder that is not there": (
        ["--output", "/no/such/folder/report.md"],
        "/no/such/folder/report.md can't be written: No such file or directory\n",
    ),
    "a file that is not there": (["--from", "/no/such.json"], "/no/such.json can't be read: "),
    "a file that is no report": (["--from", __file__], f"{__file__} is no report in JSON\n"),
    "another phase": (["--phase", "canary"], "'canary' is not"),
}


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(("arguments", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text, error = say(capsys, *arguments)
    assert (status, text) == (Exit.USAGE, "")
    assert sentence in error


def test_evidence_that_can_not_be_read_is_said(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"hal9-evidence": {"ledger": "nonsense"}}
    monkeypatch.setattr(cluster, "evidence", lambda _: broken)
    status, _, error = say(capsys)
    assert status == Exit.UNKNOWN
    assert error.startswith("The stored evidence can't be read")


def test_who_may_not_read_the_evidence_is_told_so(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> dict[str, dict[str, str]]:
        raise CliError(Exit.UNKNOWN, "You may not list configmaps in namespace hal9")

    monkeypatch.setattr(cluster, "evidence", refuse)
    assert say(capsys) == (
        Exit.UNKNOWN,
        "",
        "You may not list configmaps in namespace hal9\n",
    )


@pytest.mark.usefixtures("cluster")
def test_a_form_without_its_library_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "reportlab.lib.colors", None)
    monkeypatch.delitem(sys.modules, "shadow_operator.report.pdf", raising=False)
    status, _, error = say(capsys, "--output", str(tmp_path / "report.pdf"))
    assert status == Exit.UNKNOWN
    assert "pip install 'shadow-operator[cli]'" in error
    assert not (tmp_path / "report.pdf").exists()


def test_other_commands_load_nothing_of_it() -> None:
    look = (
        "import sys; from shadow_operator.cli.main import application; application();"
        "heavy = {'reportlab', 'yaml', 'kubernetes', 'shadow_operator.report', "
        "'shadow_operator.core.recording.ledger'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_operator_needs_nothing_of_pdf() -> None:
    look = (
        "import sys, shadow_operator.controller.operator;"
        "print(sorted({'reportlab', 'shadow_operator.report.pdf'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
