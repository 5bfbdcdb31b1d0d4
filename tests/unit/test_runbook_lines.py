"""Every command line of the runbook is known, and either run or mapped to something that is."""

import re
import shlex
from collections import Counter
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from shadow_operator.cli.main import application
from tests.support.runbook import (
    GUIDE,
    RUNBOOK,
    Change,
    Kind,
    Line,
    UnknownLineError,
    equivalents,
    lines,
)

LINES = lines(RUNBOOK.read_text(encoding="utf-8"))


def by_text(start: str) -> Line:
    """Give the first line that begins so."""
    return next(line for line in LINES if line.text.startswith(start))


def test_no_line_is_left_unclassified() -> None:
    counted = Counter(line.kind for line in LINES)
    print(f"{len(LINES)} command lines: {dict(counted)}")
    assert counted == {Kind.RUN: 32, Kind.WATCH: 3, Kind.MAPPED: 9}


def test_every_line_of_a_code_block_is_in_some_command_or_a_comment() -> None:
    """Counted another way: by the lines of the text that are neither blank nor a comment."""
    inside, wanted = False, set[int]()
    for number, line in enumerate(RUNBOOK.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            inside = line.strip() == "```bash"
        elif inside and line.strip() and not line.startswith("#"):
            wanted.add(number)
    covered = {line.number + i for line in LINES for i in range(line.text.count("\n") + 1)}
    of_comments = {line.number for line in LINES if line.number not in wanted}
    assert covered - of_comments >= wanted
    assert len(of_comments) == 3, "the runbook names three terminals to have open beside a test"


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.number} {line.text[:40]}")
def test_what_can_not_be_run_in_a_cluster_has_an_equivalent(line: Line) -> None:
    known = equivalents(GUIDE.read_text(encoding="utf-8"))
    if line.kind is Kind.MAPPED:
        assert line.text in known, f"docs/runbook.md has no row for: {line.text}"


def test_no_equivalent_is_of_a_line_that_the_runbook_does_not_have() -> None:
    texts = {line.text for line in LINES}
    assert set(equivalents(GUIDE.read_text(encoding="utf-8"))) <= texts


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (
            "hal9-migrate status",
            ("Current Phase: none", "Migration Progress: 0%", "Health Status: ✓ Healthy"),
        ),
        ("hal9-cli resources", ("CPU Headroom:", "Memory Headroom:", "Network Capacity:")),
        ("hal9-migrate feature status", ("✓ Enabled (100%)",)),
        ("watch -n 5 'hal9-migrate status'", ("Migration Phase: shadow",)),
        (
            "hal9-migrate validate",
            (
                "✓ Traffic mirroring active",
                "✓ Response comparison passing",
                "✓ Resource usage acceptable",
                "✓ No production impact",
                "✓ Learning system active",
            ),
        ),
        ("hal9-migrate report", ()),
    ],
)
def test_what_the_runbook_quotes_is_expected(start: str, expected: tuple[str, ...]) -> None:
    assert by_text(start).expected == expected


def test_the_phase_after_a_rollback_is_expected_of_the_status_there() -> None:
    found = [line for line in LINES if line.step == "Quick Disable"]
    assert [(line.text, line.expected) for line in found] == [
        ("hal9-migrate feature disable shadow_mode", ()),
        ("hal9-migrate status", ("Current Phase: none",)),
    ]


def test_a_command_may_go_on_over_lines_and_a_loop_is_one() -> None:
    assert by_text("curl -X POST").text.count("\n") == 7
    assert by_text("for layer in").text.endswith("done")
    assert by_text("watch -n 5").command == "hal9-migrate status"


@pytest.mark.parametrize("text", ["rm -rf /var/log/hal9", "watch -n 5 'rm -rf /'"])
def test_a_line_that_nobody_thought_of_is_an_error(text: str) -> None:
    [line] = lines(f"### 9.9 New\n```bash\n{text}\n```\n")
    with pytest.raises(UnknownLineError, match=r"line 3 of the runbook \(9.9 New\)"):
        _ = line.kind


def test_a_block_that_breaks_off_is_an_error() -> None:
    with pytest.raises(UnknownLineError, match="has no end"):
        lines("```bash\nfor layer in a b; do\n```\n")


@pytest.mark.parametrize(
    ("command", "faster", "run"),
    [
        ("hal9-migrate verify --duration 30m", 60, "hal9-migrate verify --duration 30s"),
        ("hal9-cli metrics --duration 1h", 1, "hal9-cli metrics --duration 1h"),
        ("hal9-cli metrics --duration 5s", 60, "hal9-cli metrics --duration 1s"),
        ("kubectl get pods -n hal9", 1, "kubectl get pods -n test"),
        ("kubectl -n hal9 get shd hal9", 1, "kubectl -n test get shd hal9"),
        ("curl -s https://api.example.com/metrics", 1, "curl -s http://here/x/metrics"),
    ],
)
def test_a_run_changes_hosts_namespace_and_waiting_times_only(
    command: str, faster: int, run: str
) -> None:
    assert Change("test", {"api.example.com": "http://here/x"}, faster)(command) == run


def commands() -> list[list[str]]:
    """Give every call of the runbook's programs in words, from loops as well."""
    calls = re.compile(r"^\s*(hal9-(?:migrate|cli) .+)$", re.MULTILINE)
    found = [one for line in LINES for one in calls.findall(line.command)]
    return [shlex.split(one, comments=True) for one in found]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_is_one_that_the_program_takes(words: list[str]) -> None:
    """Parsed, and not run; a word or an option that is not known raises."""
    command: Any = get_command(application())
    context = command.make_context(words[0], words[1:])
    while isinstance(command, TyperGroup):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
    assert not context.args
