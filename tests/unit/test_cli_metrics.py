"""Commands that look back over what was recorded: `metrics` and its baseline."""

from __future__ import annotations

import json
import time
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from shadow_operator.cli import waiting
from shadow_operator.cli.errors import Exit
from shadow_operator.cli.target import Target
from shadow_operator.core.snapshot import Amount, Found, LayerReading, Pod, RequestsReading
from tests.support.shell import Cluster, Shell
from tests.support.world import EVIDENCE, World, mirroring
from tests.unit.test_baseline import FREE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIB = 1 << 20


@pytest.fixture
def beside(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[World], Shell]:
    """Open a shell beside a world; nothing is waited for."""
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)
    monkeypatch.setenv("NO_COLOR", "1")
    return lambda world: Shell(Cluster(world), monkeypatch, capsys)


def use(pod: Pod) -> Amount:
    """Give what a pod uses: the shadow more than the others."""
    return Amount(200, (400 if pod.role == "shadow" else 300) * MIB)


def measured(seconds: int = 3700) -> World:
    """Give a shadow that has been looked at for so long, until now."""
    return deepcopy(_measured(seconds))


@cache
def _measured(seconds: int) -> World:
    world = World(usage=use, now=time.time() - seconds)
    world.edit(layers=["Substrate"], guard={"baselineSeconds": 300})
    world.layers = (LayerReading("Substrate", True, "it is well", 42),)
    world.traffic = 6000
    world.until(mirroring, seconds=30.0)
    while world.now < time.time() - 30:
        world.reconcile(30.0)
    return world


def asleep(minutes: int) -> World:
    """Give a production that has been watched so long, while nothing is asked for."""
    world = World(usage=use, room=FREE, now=time.time() - 60 * minutes - 10)
    world.edit(phase="None", layers=["Substrate"])
    for _ in range(2 * minutes):
        world.reconcile(30.0)
    return world


# What is asked


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("metrics", "Say one of: metrics baseline, --layer NAME, --metric throughput|memory|cpu,"),
        ("metrics baseline --production", "Say one of: "),
        ("metrics --layer soul", "Unknown layer soul; known are: substrate, protocol,"),
        ("metrics --metric love", "throughput"),
        ("metrics --metric throughput --graph", "--graph for --metric memory or cpu"),
        ("metrics --production --save x.json", "--save is for baseline"),
        ("metrics --production --duration soon", "write 30s, 5m, 1h, 1h30m or 90."),
        ("metrics baseline --duration 1m --save /nowhere/x.json", "/nowhere/x.json can't be"),
    ],
)
def test_what_makes_no_sense_gets_a_sentence(
    line: str, says: str, beside: Callable[[World], Shell]
) -> None:
    status, text = beside(asleep(5))(f"hal9-migrate {line}")
    assert says in text
    assert status == Exit.USAGE


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("metrics --production --duration 1h", "production's requests"),
        ("metrics --metric throughput --compare", "requests"),
        ("metrics --metric memory", "what pods use"),
        ("metrics --layer substrate", "layer substrate"),
    ],
)
def test_where_nothing_is_recorded_nothing_is_made_up(
    line: str, what: str, beside: Callable[[World], Shell]
) -> None:
    world = World()
    world.edit(phase="None", layers=["Substrate"])
    world.reconcile()
    status, text = beside(world)(f"hal9-migrate {line}")
    assert text.startswith(f"Nothing of {what} is recorded in the last ")
    assert status == Exit.UNKNOWN


# What was recorded


def test_production_is_shown_with_copies_and_without(beside: Callable[[World], Shell]) -> None:
    status, text = beside(measured())("hal9-cli metrics --production --duration 2h")
    rows = [line.split() for line in text.splitlines()]
    assert rows[0] == ["production", "requests/s", "errors", "p50", "p99", "in"]
    assert rows[1][:4] == ["with", "copies", "200.0", "0.00%"]
    assert rows[2][:4] == ["without", "copies", "200.0", "0.00%"]
    assert text.splitlines()[3].startswith("✓ ")
    assert status == Exit.GREEN


def test_the_duration_bounds_what_is_looked_back_over(beside: Callable[[World], Shell]) -> None:
    _, text = beside(measured())("hal9-cli metrics --production --duration 10m -o json")
    shown = json.loads(text)
    assert set(shown) == {"withCopies"}
    assert 540 <= shown["withCopies"]["seconds"] <= 600


def test_throughput_is_compared(beside: Callable[[World], Shell]) -> None:
    status, text = beside(measured())("hal9-migrate metrics --metric throughput --compare")
    rates = dict(line.split()[:2] for line in text.splitlines()[:3])
    assert rates == {"production": "200.0", "shadow": "200.0", "reference": "200.0"}
    assert "✓ throughput +0.00% (within 10%): " in text
    assert status == Exit.GREEN


def test_memory_is_shown_role_by_role_and_drawn(beside: Callable[[World], Shell]) -> None:
    line = "hal9-migrate metrics --metric memory --duration 30m --graph"
    status, text = beside(measured())(line)
    assert "shadow           400 MiB     400 MiB     400 MiB     400 MiB  2" in text
    assert "reference        300 MiB" in text
    assert "440 MiB |" in text  # the axis
    assert "s shadow" in text.replace("⠤", "")
    assert "memory-growth +0.0%/day" in text
    assert max(map(len, text.partition("each pod of")[2].splitlines()[:25])) <= 100
    assert status == Exit.UNKNOWN  # an hour is too short to tell


def test_the_course_is_there_for_programs(beside: Callable[[World], Shell]) -> None:
    shown = json.loads(beside(measured())("hal9-migrate metrics --metric cpu -o json")[1])
    assert set(shown) == {"shadow", "reference", "production"}
    assert shown["shadow"][0]["cpuMillicores"] == 200


def test_a_layer_is_shown(beside: Callable[[World], Shell]) -> None:
    status, text = beside(measured())("hal9-migrate metrics --layer substrate --duration 10m")
    assert text.startswith("✓ Substrate Healthy, 42 neurons active: it is well\n")
    assert status == Exit.GREEN


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ("shadow-comparison", "pairs, 100% match, 0 differ, 0 prove nothing"),
        ("latency-comparison", "p50 10.0 ms against 10.0 ms (+0.0%), p99 "),
        ("error-analysis", "0 errors and 0 timeouts of the shadow, 0 and 0 of the reference"),
    ],
)
def test_questions_can_be_asked_of_the_last_minutes(
    test: str, says: str, beside: Callable[[World], Shell]
) -> None:
    _, text = beside(measured())(f"hal9-migrate verify --tests {test} --duration 10m")
    assert text.startswith(("In the last 9m", "In the last 10m"))
    assert says in text.splitlines()[0]


def test_where_nothing_was_compared_lately_nothing_is_said(
    beside: Callable[[World], Shell],
) -> None:
    world = measured()
    shell = beside(world)
    shell.cluster.worlds["hal9"].objects.pop(EVIDENCE)
    status, text = shell("hal9-migrate verify --tests error-analysis --duration 10m")
    assert text == "Nothing was compared in the last 10m; see: kubectl shadow status\n"
    assert status == Exit.UNKNOWN


# The baseline


def test_what_is_recorded_already_is_not_waited_for(
    beside: Callable[[World], Shell], tmp_path: Path
) -> None:
    file = tmp_path / "baseline-metrics.json"
    line = f"hal9-migrate metrics baseline --duration 5m --save {file}"
    status, text = beside(asleep(7))(line)
    assert text.startswith(f"✓ Baseline of 5m recorded, saved to {file}\n")
    assert "production: 3 pods, 200m CPU and 300 MiB each" in text
    saved = json.loads(file.read_text())
    assert saved["resource"] == "hal9/hal9"
    assert saved["recordedSeconds"] == 300
    assert saved["pods"] == {
        "source": "metrics-api",
        "count": 3,
        "cpuMillicores": {"mean": 200, "most": 200},
        "memoryBytes": {"mean": 300 * MIB, "most": 300 * MIB},
    }
    assert status == Exit.GREEN


def test_requests_are_shown_where_production_tells_them(
    beside: Callable[[World], Shell], tmp_path: Path
) -> None:
    world = asleep(1)
    for minute in range(8):
        reading = RequestsReading("a", 6000 * minute, 60 * minute, {0.1: 6000 * minute})
        world.requests = {"p": Found(reading)}
        world.reconcile(60.0)
    file = tmp_path / "baseline.json"
    _, text = beside(world)(f"hal9-migrate metrics baseline --duration 5m --save {file}")
    assert "production: 100.0 requests/s, 1% errors, p50 50.0 ms, p99 99.0 ms" in text
    assert json.loads(file.read_text())["requests"]["source"] == "metrics"


class Passing(Cluster):
    """A cluster in which half a minute passes with every look."""

    def get(self, name: str) -> dict[str, Any]:
        """Give one, half a minute later."""
        self.worlds[name].reconcile(30.0)
        return super().get(name)


def test_what_is_not_recorded_yet_is_waited_for(
    beside: Callable[[World], Shell], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = beside(World())
    monkeypatch.setattr(Target, "access", Passing(asleep(1)))
    status, text = shell("hal9-migrate metrics baseline --duration 5m")
    assert "Recorded 3m of 5m\n" in text or "Recorded 3m 1s of 5m\n" in text
    assert "✓ Baseline of " in text
    assert status == Exit.GREEN


def test_the_recording_before_the_first_copy_has_requests(
    beside: Callable[[World], Shell],
) -> None:
    status, text = beside(measured(900))("hal9-migrate metrics baseline --duration 4m")
    assert "production: 200.0 requests/s, 0% errors, p50 20.5 ms, p99 21.0 ms" in text
    assert status == Exit.GREEN


def test_under_copies_no_more_is_recorded(beside: Callable[[World], Shell]) -> None:
    status, text = beside(measured())("hal9-migrate metrics baseline --duration 1h")
    assert text.startswith("Copies are made, and before them ")
    assert status == Exit.UNKNOWN


def test_what_can_never_be_recorded_is_not_waited_for(beside: Callable[[World], Shell]) -> None:
    world = World()
    world.edit(phase="None")
    for _ in range(3):
        world.reconcile()
    status, text = beside(world)("hal9-migrate metrics baseline --duration 5m")
    assert "can be recorded before the start: the cluster has no metrics API, and" in text
    assert status == Exit.UNKNOWN
