"""Which alerts count, and what the gate says of them."""

from __future__ import annotations

import pytest

from shadow_operator.api.enums import GateName, GateResult
from shadow_operator.api.spec import Spec
from shadow_operator.core.counting.tally import tally
from shadow_operator.core.judging.case import Case
from shadow_operator.core.judging.gates import GATES
from shadow_operator.core.recording.alerts import MOST, Alerts, noted
from shadow_operator.core.recording.ledger import begin
from shadow_operator.core.snapshot import AlertReading, Found, Missing, Unknown

BEGAN = 1000.0
NOTHING = Alerts()


def alert(
    name: str = "Slow", *, since: float, severity: str = "warning", about: str = "cart-1"
) -> AlertReading:
    """Give an alert."""
    return AlertReading(name, severity, since, frozenset({about}))


def after(*readings: AlertReading, alerts: Alerts = NOTHING, began: float | None = BEGAN) -> Alerts:
    """Give what is known after one answer."""
    return noted(alerts, Found(readings), "cart", began=began, now=2000.0)


def result(alerts: Alerts, ignore: tuple[str, ...] = ()) -> tuple[GateResult, str]:
    """Give what the gate makes of it."""
    spec = Spec.model_validate(
        {
            "productionRef": {"deploymentName": "cart", "serviceName": "cart"},
            "shadow": {"image": "cart:2"},
            "gates": {"alerts": {"ignore": [{"name": n, "reason": "known"} for n in ignore]}},
        }
    )
    ledger = begin("e", now=0.0, interval=30.0).model_copy(update={"alerts": alerts})
    counted = tally(spec, ledger.counts, interval=30.0)
    case = Case(spec=spec, ledger=ledger, tally=counted, soaked=False)
    gate = GATES[GateName.ALERTS](case).gate
    return gate.result, gate.message


def test_an_alert_that_began_after_copying_began_fails() -> None:
    assert result(after(alert("Slow", since=BEGAN + 750, severity="critical"))) == (
        GateResult.FAILED,
        "Since copying began: Slow (critical, 12m 30s after it).",
    )


def test_it_stays_triggered_when_it_ends() -> None:
    once = after(alert(since=BEGAN + 1))
    assert after(alerts=once).begun == once.begun


@pytest.mark.parametrize(
    ("alerts", "sentence"),
    [
        (after(), "No alert began since copying began."),
        (
            after(alert("Old", since=BEGAN - 1)),
            "No alert began since copying began. Firing already before: Old.",
        ),
    ],
)
def test_what_fired_before_is_listed_only(alerts: Alerts, sentence: str) -> None:
    assert result(alerts) == (GateResult.PASSED, sentence)


def test_a_rule_with_a_reason_leaves_one_out() -> None:
    alerts = after(alert("Slow", since=BEGAN + 1), alert("Down", since=BEGAN + 2))
    assert result(alerts, ignore=("Slow", "Down")) == (
        GateResult.PASSED,
        "No alert began since copying began. Ignored by rule: Slow, Down.",
    )
    assert result(alerts, ignore=("Slow",))[0] is GateResult.FAILED


@pytest.mark.parametrize(
    ("about", "counts"),
    [
        ("cart-shadow", False),
        ("cart-shadow-7d9-x2", False),
        ("cart-reference-1", False),
        ("cart-comparator-1", False),
        ("cart-mirror-1", True),
        ("cart-shadowing", True),
        ("cart-1", True),
    ],
)
def test_an_alert_about_a_clone_says_nothing_about_production(about: str, counts: bool) -> None:
    assert bool(after(alert(since=BEGAN + 1, about=about)).begun) == counts


@pytest.mark.parametrize(
    ("alerts", "expected"),
    [
        (Alerts(), GateResult.NOT_APPLICABLE),
        (after(began=None), GateResult.INCONCLUSIVE),
        (noted(after(), Unknown("no answer"), "cart", began=BEGAN, now=1.0), GateResult.ERROR),
        (noted(after(), Missing(), "cart", began=BEGAN, now=1.0), GateResult.NOT_APPLICABLE),
    ],
    ids=["none configured", "nothing copied", "no answer", "not configured any more"],
)
def test_what_is_not_known_never_passes(alerts: Alerts, expected: GateResult) -> None:
    assert result(alerts)[0] is expected


def test_no_answer_takes_back_no_alert() -> None:
    failed = after(alert(since=BEGAN + 1))
    unread = noted(failed, Unknown("no answer"), "cart", began=BEGAN, now=3000.0)
    assert result(unread)[0] is GateResult.FAILED


def test_a_flood_of_alerts_is_cut_and_the_first_stay() -> None:
    flood = [alert(f"A{n:03}", since=BEGAN + n) for n in range(200)]
    alerts = after(*flood, *(alert(f"B{n:03}", since=BEGAN - 1) for n in range(200)))
    assert (len(alerts.begun), len(alerts.before)) == (MOST, MOST)
    assert alerts.begun[0].name == "A000"
