"""The runbook's criteria in its order: what passes each, what fails it, and what leaves it open.

A table to be read beside the runbook. What else a gate says at its edges is in
`tests/unit/test_gates.py`, and in a file of its own for routes, latency, resources, growth of
memory, learning, logs, alerts, approval and the production guard.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from shadow_operator.api.enums import GateMode, GateName, GateResult
from shadow_operator.api.evidence import RouteCounts
from shadow_operator.core.recording.alerts import Alert, Alerts
from shadow_operator.core.recording.guard import GuardRecord, GuardState
from shadow_operator.core.recording.headroom import Headroom, Network
from shadow_operator.core.recording.learning import Learning
from shadow_operator.core.recording.ledger import LayerRecord
from shadow_operator.core.recording.logs import Logs
from shadow_operator.core.recording.usage import Usage, UsageRecord, Use
from tests.support import memory
from tests.support.memory import Memory, constant, leak, noisy
from tests.support.readings import EPOCH, control, spec
from tests.support.runbook import RUNBOOK
from tests.support.seen import Seen, clean, wrong

MIB, GIB = 1 << 20, 1 << 30
STATE = "$.state text"
BEGAN = 300.0
"""When copying began."""


def free(cpu: int, of_memory: int, of_network: int = 90) -> Seen:
    """Give a cluster of which so many percent were free before the start."""
    used = {
        "used_cpu": 100 - cpu,
        "used_memory": (100 - of_memory) * GIB,
        "network": Network(used=100 - of_network, speed=100),
    }
    return Seen(known={"headroom": Headroom(nodes=1, cpu=100, memory=100 * GIB, **used)})


def layer(healthy: bool | None, since: float = 0.0) -> Seen:
    """Give what the one layer said since then; None: it never answered."""
    said = (
        {}
        if healthy is None
        else {"Substrate": LayerRecord(healthy=healthy, since=since, time=600)}
    )
    return Seen(spec={"layers": ["Substrate"]}, layers=said)


def used(cpu: int = 20, of_memory: int = 40, minutes: int = 5, **changes: Any) -> Seen:
    """Give pods that use so many percent of their limits for so long."""
    series = tuple(
        UsageRecord(30.0 * n, 30.0, {"shadow": Use(100, 120 * MIB, 130 * MIB, cpu, of_memory, 2)})
        for n in range(1, 2 * minutes + 1)
    )
    taken = 60.0 * minutes
    usage = Usage(series=series, taken=taken, asked=taken, memory_limit=GIB)
    return Seen(soaked=False, known={"usage": usage.model_copy(update=changes)})


@cache
def grown(shape: Memory, hours: float) -> Seen:
    """Give the memory of a shadow, beside a reference that uses the same all the time."""
    one, other = noisy(shape)(memory.seeded(1)), noisy(constant)(memory.seeded(2))
    *_, last = memory.watched(one, other, hours)
    return Seen(spec={"soakSeconds": 86_400}, known={"usage": last})


def logged(shadow: int | None, reference: int | None) -> Seen:
    """Give MiB that were logged in the last hour."""
    mib = {"shadow": shadow, "reference": reference}
    known = {who: None if size is None else size * MIB for who, size in mib.items()}
    return Seen(known={"logs": Logs(configured=True, **known)})


def learned(cycles: int, ago: float | None) -> Seen:
    """Give so many cycles of learning, the last one so many seconds ago."""
    last = None if ago is None else 600.0 - ago
    learning = Learning(cycles=cycles, last_reading=600.0, last_cycle=last)
    return Seen(spec={"learning": "ShadowOnly", "preset": "HAL9"}, known={"learning": learning})


def guarded(watched: int, state: GuardState = GuardState.WATCHING, what: str = "") -> Seen:
    """Give so many requests of production that the guard has judged, and what it found."""
    return Seen(known={"guard": GuardRecord(watched=watched, state=state, message=what)})


def alerted(*began: float, readings: int = 1) -> Seen:
    """Give alerts by when they began."""
    alerts = tuple(Alert(name="Slow", severity="warning", since=since) for since in began)
    known = Alerts(configured=True, readings=readings, began=BEGAN, begun=alerts)
    return Seen(known={"alerts": known})


def decided(*decisions: str) -> Seen:
    """Give what people decided."""
    known = {"time": "2026-01-31T14:05:00Z", "by": "anna", "note": "as agreed", "epoch": EPOCH}
    records = [known | {"decision": decision} for decision in decisions]
    return Seen(spec={"approval": "Required", "records": records})


MARKED = "$.confidence number 1e-2, header:x-learning extra"


def marked(pairs: int) -> Seen:
    """Give a hundred thousand pairs, of which so many say that learning changed the answer."""
    routes = clean(100_000 - pairs, differing={MARKED: pairs}, uniform=control(5000))
    return Seen(routes, {"comparison": {"learningMarker": "header:x-learning"}})


def meant(pairs: int, percent: str) -> Seen:
    """Give 5,000 pairs, of which so many differ where so many percent may."""
    rule = {"path": "$.state", "maxPercent": percent, "reason": "it learns"}
    return Seen(wrong(STATE, pairs), {"comparison": {"expectedVariations": [rule]}})


def everywhere(where: str, **controls: Any) -> tuple[RouteCounts, ...]:
    """Give pairs that all differ there."""
    return clean(0, differing={where: 5000}, **controls)


def restless(where: str) -> Seen:
    """Give pairs that all differ there, as the reference does from itself."""
    return Seen(everywhere(where, uniform=control(50, {where: 50}, {where: 50})))


@dataclass(frozen=True)
class Criterion:
    """What the runbook asks for, and three runs that answer it."""

    section: str
    """Its heading, or the number of it."""
    line: str
    """How the runbook says it."""
    gate: GateName
    threshold: str
    """What status shows beside the gate."""
    passes: Seen
    fails: Seen | None
    """None: it never fails, since the new version is not what is at fault."""
    open: Seen


CRITERIA = (
    Criterion(
        "1.2", "CPU Headroom: > 50%", GateName.HEADROOM, "> 50%/50%",
        passes=free(51, 90), fails=free(50, 90), open=Seen(),
    ),
    Criterion(
        "1.2", "Memory Headroom: > 50%", GateName.HEADROOM, "> 50%/50%",
        passes=free(90, 51), fails=free(90, 50), open=Seen(),
    ),
    Criterion(
        "1.2", "Network Capacity: > 60%", GateName.HEADROOM, "> 50%/50%/60%",
        passes=free(90, 90, 61), fails=free(90, 90, 60), open=Seen(),
    ),
    Criterion(
        "1.3", "Check all layers responsive", GateName.LAYERS, "all",
        passes=layer(healthy=True),
        fails=layer(healthy=False, since=570),
        open=layer(healthy=None),
    ),
    Criterion(
        "2.4", "Verify both systems receiving traffic", GateName.COVERAGE, ">= 95%",
        passes=Seen(clean(950), eligible=1000), fails=None, open=Seen(clean(800), eligible=1000),
    ),
    Criterion(
        "3.1", "Response match rate > 99.9%", GateName.MATCH_RATE, "> 99.9%",
        passes=Seen(clean(5000)), fails=Seen(wrong(STATE, 25)), open=Seen(clean(1000)),
    ),
    Criterion(
        "3.1", "No critical differences detected", GateName.CRITICAL_DIFFERENCES, "0",
        passes=Seen(wrong(STATE)),
        fails=Seen(wrong("status status 200>404", 3)),
        open=Seen(wrong("status status 200>404", 2)),
    ),
    Criterion(
        "3.1", "Latency within 10% of baseline", GateName.LATENCY_P99, "< 10%",
        passes=Seen(clean(20_000, slower=1.05)),
        fails=Seen(clean(20_000, slower=1.25)),
        open=Seen(clean(500)),
    ),
    Criterion(
        "3.2", "CPU usage increased but stable", GateName.RESOURCES, "<= 90%",
        passes=used(cpu=90), fails=used(cpu=91), open=used(restarts=1, last_restart="s-1 (Error)"),
    ),
    Criterion(
        "3.2", "Memory usage within limits", GateName.RESOURCES, "<= 90%",
        passes=used(of_memory=90),
        fails=used(restarts=1, killed=1),
        open=used(minutes=0, asked=30.0),
    ),
    Criterion(
        "3.2", "No error spikes", GateName.SHADOW_ERRORS, "<= 0.1%",
        passes=Seen(clean(5000)),
        fails=Seen(clean(5000, shadow_errors=50)),
        open=Seen(clean(5000, shadow_errors=1)),
    ),
    Criterion(
        "3.3", "Monitor log generation rate", GateName.LOG_VOLUME, "<= +100%",
        passes=logged(40, 20), fails=logged(41, 20), open=logged(None, None),
    ),
    Criterion(
        "4.1", "p50 latency difference < 5%", GateName.LATENCY_P50, "< 5%",
        passes=Seen(clean(20_000, slower=1.03)),
        fails=Seen(clean(20_000, slower=1.07)),
        open=Seen(clean(900, slower=1.07)),
    ),
    Criterion(
        "4.1", "p99 latency difference < 10%", GateName.LATENCY_P99, "< 10%",
        passes=Seen(clean(20_000, slower=1.08)),
        fails=Seen(clean(20_000, slower=1.14)),
        open=Seen(clean(20_000, slower=1.10)),
    ),
    Criterion(
        "4.1", "No timeouts in shadow processing", GateName.TIMEOUTS, "<= 0.1%",
        passes=Seen(clean(5000)),
        fails=Seen(clean(5000, shadow_timeouts=50)),
        open=Seen(clean(5000, shadow_timeouts=1)),
    ),
    Criterion(
        "4.2", "Requests per second", GateName.THROUGHPUT, "within 10%",
        passes=Seen(clean(5000)), fails=Seen(clean(5000, shadow_errors=1000)), open=Seen(clean(20)),
    ),
    Criterion(
        "4.3", "Shadow errors due to learning: OK", GateName.MATCH_RATE, "> 99.9%",
        passes=marked(20), fails=marked(400), open=marked(100),
    ),
    Criterion(
        "4.3", "Response errors: NOT OK", GateName.SHADOW_ERRORS, "<= 0.1%",
        passes=Seen(clean(5000, unproven={"503": 50})),
        fails=Seen(wrong("status status 200>503", 50)),
        open=Seen(wrong("status status 200>503", 1)),
    ),
    Criterion(
        "4.3", "Timeout errors: Investigate", GateName.TIMEOUTS, "<= 0.1%",
        passes=Seen(clean(100_000, shadow_timeouts=20, reference_timeouts=20)),
        fails=Seen(clean(5000, shadow_timeouts=50, reference_timeouts=2)),
        open=Seen(clean(5000, shadow_timeouts=5, reference_timeouts=5)),
    ),
    Criterion(
        "5.1", "Verify learning activated", GateName.LEARNING, "> 0 in 15m",
        passes=learned(7, ago=900), fails=None, open=learned(7, ago=901),
    ),
    Criterion(
        "6.2", "No continuous growth", GateName.MEMORY_GROWTH, "<= 5%/day",
        passes=grown(constant, 24), fails=grown(leak, 1), open=grown(constant, 0.25),
    ),
    Criterion(
        "6.3", "No latency increase", GateName.PRODUCTION_IMPACT, "p50 +5% p99 +10%",
        passes=guarded(300),
        fails=guarded(300, GuardState.PAUSED, "p50 rose from 40.0 ms to 48.0 ms"),
        open=guarded(299),
    ),
    Criterion(
        "6.3", "No error rate change", GateName.PRODUCTION_IMPACT, "p50 +5% p99 +10%",
        passes=guarded(300),
        fails=guarded(300, GuardState.PAUSED, "errors rose from 0.00% to 1.00%"),
        open=guarded(300, GuardState.SUSPECTED, "errors rose from 0.00% to 1.00%"),
    ),
    Criterion(
        "Manual Validation Checklist", "No alerts triggered", GateName.ALERTS, "0",
        passes=alerted(), fails=alerted(BEGAN), open=alerted(readings=0),
    ),
    Criterion(
        "Manual Validation Checklist", "Log volume manageable", GateName.LOG_VOLUME, "<= +100%",
        passes=logged(9, 0), fails=logged(10, 0), open=logged(41, None),
    ),
    Criterion(
        "Manual Validation Checklist", "Team consensus to proceed", GateName.APPROVAL, "Approved",
        passes=decided("Approved"), fails=decided("Rejected"), open=decided("Noted"),
    ),
    Criterion(
        "Response Mismatches", "Timestamp differences (ignore)", GateName.MATCH_RATE, "> 99.9%",
        passes=restless("$.at timestamp"),
        fails=Seen(wrong("$.at timestamp")),
        open=Seen(everywhere("$.at timestamp")),
    ),
    Criterion(
        "Response Mismatches", "Random IDs (ignore)", GateName.MATCH_RATE, "> 99.9%",
        passes=restless("$.id identifier"),
        fails=Seen(wrong("$.id identifier")),
        open=Seen(everywhere("$.id identifier")),
    ),
    Criterion(
        "Response Mismatches", "Learning variations (expected)", GateName.MATCH_RATE, "> 99.9%",
        passes=meant(100, "5"), fails=meant(100, "0.1"), open=meant(12, "0.2"),
    ),
    Criterion(
        "Response Mismatches", "Logic errors (investigate)", GateName.MATCH_RATE, "> 99.9%",
        passes=Seen(clean(5000)),
        fails=Seen(wrong("$.total number 1e-2", 50)),
        open=Seen(wrong("$.total number 1e-2", 3)),
    ),
)  # fmt: skip
"""In the runbook's order."""

NOT_ASKED_FOR = {
    GateName.ELIGIBLE_SHARE, GateName.UNPROVEN, GateName.JUDGED_SHARE, GateName.MINIMUM_PAIRS,
    GateName.ROUTES,
}  # fmt: skip
"""Gates that keep others from passing on what proves nothing; see `tests/unit/test_gates.py`."""

SUCCESS: dict[str, tuple[GateName, ...]] = {
    "Response match rate > 99.9%": (GateName.MATCH_RATE,),
    "No critical errors in shadow processing": (
        GateName.CRITICAL_DIFFERENCES, GateName.SHADOW_ERRORS, GateName.TIMEOUTS,
    ),
    "Resource usage sustainable": (GateName.RESOURCES, GateName.MEMORY_GROWTH),
    "Learning system showing progress": (GateName.LEARNING,),
    "Team confidence high": (GateName.APPROVAL,),
}  # fmt: skip
"""What the runbook counts up once more at its end, without the day of soak."""


def each(answer: str) -> list[Any]:
    """Give every criterion with the run that answers it so."""
    runs = [(one, getattr(one, answer)) for one in CRITERIA]
    return [
        pytest.param(one, run, id=f"{one.section} {one.line}")
        for one, run in runs
        if run is not None
    ]


@pytest.mark.parametrize(("criterion", "run"), each("passes"))
def test_it_passes(criterion: Criterion, run: Seen) -> None:
    gate = run.gate(criterion.gate)
    assert gate.result is GateResult.PASSED, gate
    assert gate.threshold is not None
    assert gate.threshold.startswith(criterion.threshold)


@pytest.mark.parametrize(("criterion", "run"), each("fails"))
def test_it_fails(criterion: Criterion, run: Seen) -> None:
    gate = run.gate(criterion.gate)
    assert gate.result is GateResult.FAILED, gate


@pytest.mark.parametrize(("criterion", "run"), each("open"))
def test_it_is_open(criterion: Criterion, run: Seen) -> None:
    gate = run.gate(criterion.gate)
    assert gate.result is GateResult.INCONCLUSIVE, gate


def test_the_table_has_the_words_of_the_runbook_and_its_order() -> None:
    text, found = RUNBOOK.read_text("utf-8"), []
    for one in CRITERIA:
        heading = next(h for h in (f"#### {one.section} ", f"### {one.section}\n") if h in text)
        found.append(text.index(f"{one.line}\n", text.index(heading)))
    assert found == sorted(found)
    assert len(set(found)) == len(found)


def test_every_gate_is_in_the_table_but_those_that_the_runbook_does_not_ask_for() -> None:
    assert {one.gate for one in CRITERIA} | NOT_ASKED_FOR == set(GateName)
    assert not {one.gate for one in CRITERIA} & NOT_ASKED_FOR


@pytest.mark.parametrize("line", SUCCESS)
def test_what_success_takes_is_required(line: str) -> None:
    assert f"✅ {line}\n" in RUNBOOK.read_text("utf-8")
    asked = spec(approval="Required", learning="ShadowOnly", preset="HAL9")
    assert {asked.mode(gate) for gate in SUCCESS[line]} == {GateMode.REQUIRED}


def test_the_soak_takes_the_runbooks_day() -> None:
    assert "✅ Shadow mode stable for minimum 24 hours\n" in RUNBOOK.read_text("utf-8")
    assert spec().soak_seconds == 24 * 3600
