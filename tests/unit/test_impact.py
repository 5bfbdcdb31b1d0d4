"""The gate on production: by how much it runs worse, and how long it takes to know."""

from collections.abc import Callable
from typing import Any

import pytest

from shadow_operator.api.enums import GateResult
from shadow_operator.core.counting.tally import tally
from shadow_operator.core.judging.case import Case, Outcome
from shadow_operator.core.judging.impact import production_impact
from shadow_operator.core.recording.guard import GuardRecord, GuardState
from shadow_operator.core.recording.ledger import begin
from shadow_operator.core.recording.soak import Soak
from tests.support.guarded import Guarded
from tests.support.readings import EPOCH, spec

DAY = 86_400.0


def judged(run: Guarded, mirrored: float = 600.0, **changes: Any) -> Outcome:
    wanted = spec(**changes)
    ledger = begin(EPOCH, now=0, interval=30).model_copy(
        update={
            "guard": run.record,
            "production": run.series,
            "mirrored": mirrored,
            "soak": Soak(elapsed=mirrored),
        }
    )
    counted = tally(wanted, ledger.counts, interval=30.0)
    return production_impact(Case(spec=wanted, ledger=ledger, tally=counted, soaked=False))


def watched(requests: int) -> Guarded:
    return Guarded(record=GuardRecord(watched=requests))


def percents(outcome: Outcome) -> dict[str, float]:
    words = (outcome.gate.observed or "").replace("%", "").split()
    return {name: float(number) for name, number in zip(words[::2], words[1::2], strict=True)}


def copied(course: Callable[[Guarded], dict[str, float]]) -> Guarded:
    return Guarded(course=course).run(600).run(120, percent=100)


def test_what_is_observed_stands_beside_its_limits() -> None:
    outcome = judged(copied(lambda _: {}))
    assert outcome.gate.result is GateResult.PASSED
    assert outcome.gate.threshold == "p50 +5% p99 +10% 5xx +0.1%"
    seen = percents(outcome)
    assert list(seen) == ["p50", "p99", "5xx"]
    assert all(abs(more) < 5 for more in seen.values())
    assert outcome.gate.window_seconds == 600


def test_a_harm_stays_shown_while_its_cause_is_looked_for() -> None:
    run = copied(lambda now: {"median": 60.0 if now.percent else 40.0, "error_rate": 0.0})
    assert run.state is GuardState.SUSPECTED
    seen = percents(judged(run))
    assert seen["p50"] == pytest.approx(50, abs=8)
    assert seen["5xx"] == 0.0
    run.run(180)
    assert run.record.paused(run.spec)
    outcome = judged(run)
    assert outcome.gate.result is GateResult.FAILED
    assert percents(outcome) == seen


def test_before_there_is_a_normal_course_nothing_is_observed() -> None:
    assert judged(watched(0)).gate.observed is None


CASES: dict[str, tuple[int, float, str, bool, bool]] = {
    "at first there is no rate yet": (30, 600.0, "270 more requests are needed.", True, False),
    "then they come in time": (100, 1800.0, "about 1h", True, False),
    "or later than the soak ends": (1, 3600.0, "about 12d 11h, but the soak has 23h", False, True),
    "or never": (0, 3600.0, "300 more requests are needed.", False, False),
}


@pytest.mark.parametrize(("requests", "mirrored", "words", "on_course", "late"), CASES.values(),
                         ids=CASES)  # fmt: skip
def test_a_gate_that_waits_for_requests_says_how_long(
    requests: int, mirrored: float, words: str, on_course: bool, late: bool
) -> None:
    outcome = judged(watched(requests), mirrored, soakSeconds=int(DAY))
    assert outcome.gate.result is GateResult.INCONCLUSIVE
    assert words in outcome.gate.message
    assert (outcome.on_course, outcome.late) == (on_course, late)
    assert outcome.gate.needs is not None
    assert outcome.gate.needs.pairs == 300 - requests
