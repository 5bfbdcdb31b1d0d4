"""How much the shadow logs, and what the gate says of it."""

import pytest

from shadow_operator.api.enums import GateMode, GateName, GateResult
from shadow_operator.core.counting.counts import Counts
from shadow_operator.core.counting.tally import tally
from shadow_operator.core.judging.case import Case
from shadow_operator.core.judging.gates import log_volume
from shadow_operator.core.recording.ledger import begin
from shadow_operator.core.recording.logs import LEAST_SECONDS, Logs, noted
from shadow_operator.core.snapshot import Found, LogReading, Missing, Unknown
from tests.support.readings import spec

MIB = 1 << 20
BEGAN = 1_000.0
LATER = BEGAN + LEAST_SECONDS


def read(shadow: int, reference: int, *, now: float = LATER, logs: Logs | None = None) -> Logs:
    """Take over a reading, in MiB."""
    reading = LogReading(shadow=shadow * MIB, reference=reference * MIB)
    return noted(logs or Logs(), Found(reading), began=BEGAN, now=now)


def judged(logs: Logs, **gate: object) -> tuple[GateResult, str]:
    """Give result and sentence of the gate."""
    asked = spec(gates={"logVolume": gate})
    ledger = begin("e", now=0.0, interval=30.0).model_copy(update={"logs": logs})
    case = Case(asked, ledger, tally(asked, Counts(), interval=30.0), soaked=False)
    found = log_volume(case).gate
    return found.result, found.message


def test_twice_as_much_is_allowed_and_more_is_not() -> None:
    assert judged(read(40, 20))[0] is GateResult.PASSED
    result, message = judged(read(41, 20))
    assert result is GateResult.FAILED
    assert message.startswith("In the last hour the shadow logged 41 MiB and the reference 20 MiB.")
    assert judged(read(41, 20), maxIncreasePercent=200)[0] is GateResult.PASSED


def test_little_is_no_matter_of_how_many_times_the_reference() -> None:
    assert judged(read(9, 0))[0] is GateResult.PASSED
    assert judged(read(10, 0))[0] is GateResult.FAILED


def test_the_first_minutes_say_nothing() -> None:
    early = read(41, 20, now=LATER - 1)
    assert judged(early)[0] is GateResult.INCONCLUSIVE
    before = noted(Logs(), Found(LogReading(41 * MIB, 20 * MIB)), began=None, now=LATER)
    assert judged(before)[0] is GateResult.INCONCLUSIVE


@pytest.mark.parametrize(
    ("logs", "result"),
    [
        (noted(read(20, 20), Unknown("it answered 500"), began=BEGAN, now=LATER), GateResult.ERROR),
        (noted(Logs(), Missing(), began=BEGAN, now=LATER), GateResult.NOT_APPLICABLE),
        (noted(Logs(), Found(None), began=BEGAN, now=LATER), GateResult.INCONCLUSIVE),
    ],
)
def test_what_is_not_known_never_passes(logs: Logs, result: GateResult) -> None:
    assert judged(logs)[0] is result


def test_it_advises_unless_it_is_required() -> None:
    assert spec().mode(GateName.LOG_VOLUME) is GateMode.ADVISORY
