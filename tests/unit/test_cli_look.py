"""Commands that read: room, use, layers, learning, stability, the dashboard."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from shadow_operator.api.names import Role
from shadow_operator.cli import dashboard, waiting
from shadow_operator.cli.commands import monitor
from shadow_operator.cli.durations import seconds
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.target import Target
from shadow_operator.core.snapshot import (
    Amount,
    Found,
    LayerReading,
    LearningReading,
    Missing,
    Traffic,
)
from tests.support.shell import Cluster, Shell
from tests.support.world import World, up
from tests.unit.test_baseline import FREE, asleep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shadow_operator.cli.happened import Happened


@pytest.fixture
def beside(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[World], Shell]:
    """Open a shell beside a world; nothing is waited for."""
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)
    return lambda world: Shell(Cluster(world), monkeypatch, capsys)


# Durations


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5m", 300), ("1h", 3600), ("30m", 1800), ("1h30m", 5400), ("90", 90), ("2d", 172800)],
)
def test_durations_are_read_as_the_runbook_writes_them(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "5 m", "m", "-1m", "1.5h", "5m1h", "0"])
def test_what_is_no_duration_gets_a_sentence(text: str, beside: Callable[[World], Shell]) -> None:
    status, said = beside(up())(
        f"hal9-migrate verify --tests stability --duration {text.replace(' ', '_')}"
        if text
        else "hal9-migrate verify --tests stability --duration"
    )
    assert status == Exit.USAGE
    assert "Traceback" not in said


# resources


def test_room_is_told_in_the_runbooks_words(beside: Callable[[World], Shell]) -> None:
    status, text = beside(asleep())("hal9-cli resources --check-shadow-capacity")
    lines = text.splitlines()
    assert lines[:3] == [
        "CPU Headroom: > 50% ✓ (75% is free)",
        "Memory Headroom: > 50% ✓ (75% is free)",
        "Network Capacity: ? not known (must be > 60%)",
    ]
    assert "Network is not judged: no Prometheus." in text
    assert status == Exit.GREEN


def test_room_of_the_network_is_told_where_a_prometheus_knows_it(
    beside: Callable[[World], Shell],
) -> None:
    told = replace(FREE, network=Found({"one": Traffic(received=1, sent=3, speed=100)}))
    _, text = beside(asleep(room=told))("hal9-cli resources --check-shadow-capacity")
    assert text.splitlines()[2] == "Network Capacity: > 60% ✓ (97% is free)"


def test_a_busy_network_is_a_no_whatever_else_is_known(beside: Callable[[World], Shell]) -> None:
    busy = replace(FREE, usage=Missing(), network=Found({"one": Traffic(90, 3, speed=100)}))
    status, text = beside(asleep(room=busy))("hal9-cli resources --check-shadow-capacity")
    assert text.splitlines()[:3] == [
        "CPU Headroom: ? not known (must be > 50%)",
        "Memory Headroom: ? not known (must be > 50%)",
        "Network Capacity: 10% ✗ (must be > 60%)",
    ]
    assert status == Exit.NO


def test_too_little_room_is_a_no(beside: Callable[[World], Shell]) -> None:
    full = replace(FREE, usage=Found({"one": Amount(7000, 1)}))
    status, text = beside(asleep(room=full))("hal9-cli resources --check-shadow-capacity")
    assert text.startswith("CPU Headroom: 12% ✗ (must be > 50%)\n")
    assert status == Exit.NO


def test_room_that_can_not_hold_the_clones_is_told_in_numbers_too(
    beside: Callable[[World], Shell],
) -> None:
    full = replace(FREE, usage=Found({"one": Amount(8000, 1)}))
    _, text = beside(asleep(room=full))("hal9-cli resources --check-shadow-capacity")
    assert text.startswith("CPU Headroom: 0% ✗ (must be > 50%)\nMemory Headroom: > 50% ✓ (")
    assert "can't hold the clones" in text


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: asleep(usage=None, room=None), "The operator has not looked for room yet"),
        (
            lambda: asleep(usage=None, room=replace(FREE, usage=Found({}))),
            "CPU Headroom: ? not known (must be > 50%)",
        ),
    ],
)
def test_room_that_is_not_known_is_no_yes(
    build: Callable[[], World], says: str, beside: Callable[[World], Shell]
) -> None:
    status, text = beside(build())("hal9-cli resources --check-shadow-capacity")
    assert says in text
    assert status == Exit.UNKNOWN


def test_what_pods_use_is_told_role_by_role(beside: Callable[[World], Shell]) -> None:
    assert beside(asleep())("hal9-cli resources")[1].startswith(
        "production: 3 pods, 500m CPU and 1.0 GiB each, 0 restarts\n"
    )
    shown = json.loads(beside(asleep())("hal9-cli resources -o json")[1])
    assert shown["roles"][0]["cpuMillicores"] == 500


# neurons, learning


def with_layers(*, healthy: bool = True) -> World:
    """Give a shadow of two layers."""
    world = up(layers=["Substrate", "Protocol"])
    world.layers = (
        LayerReading("Substrate", True, "it is well", 4200),
        LayerReading("Protocol", healthy, "no"),
    )
    world.reconcile(30.0)
    return world


def test_neurons_are_shown_layer_by_layer(beside: Callable[[World], Shell]) -> None:
    status, text = beside(with_layers())("hal9-cli neurons --status --hierarchical")
    assert text.startswith(
        "✓ Substrate Healthy, 4,200 neurons active: it is well\n✓ Protocol Healthy: no\n"
    )
    assert status == Exit.GREEN
    assert beside(with_layers(healthy=False))("hal9-cli neurons")[0] == Exit.NO


def test_without_layers_there_are_no_neurons(beside: Callable[[World], Shell]) -> None:
    assert beside(up())("hal9-cli neurons --status --hierarchical") == (
        Exit.UNKNOWN,
        "There are no layers to show: no layers are asked for.\n",
    )


def test_learning_that_nobody_asked_for_is_not_known(beside: Callable[[World], Shell]) -> None:
    status, text = beside(up())("hal9-cli learning --metrics --hierarchical")
    assert "hal9-migrate feature enable hierarchical_learning --shadow-only" in text
    assert status == Exit.UNKNOWN


def test_learning_is_told_as_a_trend(beside: Callable[[World], Shell]) -> None:
    world = up(preset="HAL9", learning="ShadowOnly")
    for number in range(60):
        world.learning = {
            "shadow-1": Found(LearningReading("boot", number, 3 * number, 1 - number / 100))
        }
        world.reconcile(30.0)
    status, text = beside(world)("hal9-cli learning --metrics --hierarchical")
    assert "learning cycles" in text
    assert "falls: " in text
    assert status == Exit.GREEN


# verify


def test_stability_that_is_there_is_told_at_once(beside: Callable[[World], Shell]) -> None:
    world = up()
    world.traffic = 3000
    for _ in range(30):
        world.reconcile(30.0)
    status, text = beside(world)("hal9-migrate verify --tests stability --duration 10m")
    assert text.startswith("✓ Stable for 1")
    assert "\n✓ resources" in text
    assert status in {Exit.GREEN, Exit.UNKNOWN}  # whether memory grows needs longer


class Moving(Cluster):
    """A cluster in which half a minute passes with every look."""

    def __init__(self, world: World, then: Callable[[World], object] = lambda _: None) -> None:
        super().__init__(world)
        self._looks, self._then = 0, then

    def get(self, name: str) -> dict[str, Any]:
        """Give one, half a minute later; after ten looks something happens."""
        self._looks += 1
        if self._looks == 10:
            self._then(self.worlds[name])
        self.worlds[name].reconcile(30.0)
        return super().get(name)


def busy_shadow() -> World:
    """Give a shadow with requests enough to decide on."""
    world = up()
    world.traffic = 3000
    return world


def crash(world: World) -> None:
    """Let a container of the shadow restart."""
    world._change_pods(Role.SHADOW, restarts=1, last_termination="Error")


def test_stability_that_is_not_there_yet_is_waited_for(
    beside: Callable[[World], Shell], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = beside(up())
    monkeypatch.setattr(Target, "access", Moving(busy_shadow()))
    _, text = shell("hal9-migrate verify --tests stability --duration 10m")
    assert "Stable for 5m" in text
    assert "✓ Stable for 10m" in text


def test_a_crash_meanwhile_is_no_stability(
    beside: Callable[[World], Shell], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = beside(up())
    monkeypatch.setattr(Target, "access", Moving(busy_shadow(), then=crash))
    status, text = shell("hal9-migrate verify --tests stability --duration 10m")
    assert text.splitlines()[-1].startswith("✗ The soak began again: pod hal9-shadow-")
    assert status == Exit.NO


def press(_: World) -> None:
    """Press Ctrl-C."""
    raise KeyboardInterrupt


def test_who_interrupts_the_wait_has_no_answer(
    beside: Callable[[World], Shell], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = beside(up())
    monkeypatch.setattr(Target, "access", Moving(busy_shadow(), then=press))
    status, text = shell("hal9-migrate verify --tests stability --duration 1h")
    assert text.splitlines()[-1] == "Interrupted; what was recorded meanwhile stays."
    assert status == Exit.UNKNOWN


def test_what_does_not_run_is_not_waited_for(beside: Callable[[World], Shell]) -> None:
    status, text = beside(asleep())("hal9-migrate verify --tests stability --duration 30m")
    assert text.startswith("Nothing runs that could be stable for 30m (there is 0s)")
    assert status == Exit.UNKNOWN


def test_differences_are_told_with_the_rule_that_would_excuse_them(
    beside: Callable[[World], Shell], tmp_path: Path
) -> None:
    world, file = up(), tmp_path / "report.txt"
    world.status["comparison"]["topDifferences"] = [
        {
            "route": "GET /a",
            "path": f"$.field{number}",
            "kind": "text",
            "count": 9 - number,
            "proposal": "comparison:\n  ignore:\n  - path: $.field",
        }
        for number in range(3)
    ]
    shell = beside(world)
    line = f"hal9-migrate verify --tests shadow-comparison --verbose --limit 2 --output {file}"
    _, text = shell(line)
    assert "  GET /a $.field0 text in 9 pairs\n" in text
    assert "    If that is meant to be, below spec:\n      comparison:\n        ignore:" in text
    assert "$.field2" not in text
    assert file.read_text() == text
    shown = json.loads(shell("hal9-migrate verify --tests shadow-comparison -o json")[1])
    assert len(shown["differences"]) == 3


# monitor


def test_one_frame_in_plain_lines(beside: Callable[[World], Shell]) -> None:
    status, text = beside(with_layers())("hal9-migrate monitor --dashboard shadow --once")
    for line in (
        "Traffic: copied: 100% of 100% asked for",
        "Layer: ✓ Substrate Healthy, 4,200 neurons active: it is well",
        "Gate: ✓ layers 2 of 2 healthy (all)",
    ):
        assert line in text.splitlines()
    assert "pairs/s" in text
    assert "Event: " in text
    assert status == Exit.GREEN


def test_before_the_start_there_is_a_frame_too(beside: Callable[[World], Shell]) -> None:
    status, text = beside(asleep())("hal9-migrate monitor --once")
    assert "Answers: match: nothing is compared yet" in text
    assert "Traffic: production: not known" in text
    assert status == Exit.GREEN


class Guarded(Cluster):
    """A cluster that shows the resource and nothing else."""

    def evidence(self, name: str) -> dict[str, dict[str, str]]:
        """Refuse."""
        raise CliError(Exit.UNKNOWN, f"You may not list configmaps of {name}")


def test_without_rights_on_evidence_the_rest_is_shown(
    beside: Callable[[World], Shell], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = beside(up())
    monkeypatch.setattr(Target, "access", Guarded(up()))
    status, text = shell("hal9-migrate monitor --once")
    assert text.endswith("You may not list configmaps of hal9\n")
    assert "Answers: match: 100%" in text
    assert status == Exit.GREEN


class Interrupted(Moving):
    """A cluster beside which somebody presses Ctrl-C after a while, and that fails before."""

    def events(self, name: str) -> tuple[Happened, ...]:
        """Give none, then press."""
        if self._looks > 12:
            raise KeyboardInterrupt
        return super().events(name)

    def list(self) -> list[dict[str, Any]]:
        """Fail once."""
        if self._looks == 11:
            self._looks += 1
            raise CliError(Exit.UNKNOWN, "The API server does not answer")
        return super().list()


def test_it_goes_on_until_it_is_interrupted(
    beside: Callable[[World], Shell], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = beside(up())
    monkeypatch.setattr(Target, "access", Interrupted(busy_shadow()))
    status, text = shell("hal9-migrate monitor --dashboard shadow")
    lines = text.splitlines()
    assert len(lines) > 5
    assert all("hal9/hal9  Soaking  match 100%" in line for line in lines)
    assert status == Exit.GREEN


@pytest.mark.parametrize("width", [60, 80, 120, 240])
def test_the_picture_keeps_within_the_terminal_whatever_stands_in_it(width: int) -> None:
    world = with_layers(healthy=False)
    world.layers = (LayerReading("Substrate", False, "[bold]$.items[*] " + 40 * "x"),)
    world.reconcile(30.0)
    target = Target()
    target.__dict__["access"] = Cluster(world)
    console = Console(width=width, force_terminal=True, record=True, color_system=None)
    with console.capture() as drawn:
        console.print(dashboard.picture(monitor.look(target), width))
    lines = drawn.get().splitlines()
    assert all(len(line) <= width for line in lines)
    assert any("[bold]$" in line for line in lines)
    for title in ("Shadow", "Traffic", "Answers", "Latency", "Soak", "Layers", "Gates", "Events"):
        assert any(f"\u256d\u2500 {title}" in line for line in lines)


# What every command costs

LAZY = {
    "rich", "kubernetes", "plotille", "shadow_operator.core.recording.ledger", "yaml", "asyncio",
}  # fmt: skip


@pytest.mark.parametrize("line", ["--help", "monitor --help", "verify --help"])
def test_help_loads_nothing_heavy(line: str) -> None:
    program = (
        "import sys; from shadow_operator.cli.main import run; "
        f"run('hal9-migrate', {line.split()!r}); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "Usage: hal9-migrate" in done.stdout
    assert LAZY & set(done.stderr.split()) == set()
