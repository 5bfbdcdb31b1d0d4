"""What a gate waits for: how much, how long, and whether the soak takes so long."""

from typing import Any

import pytest

from shadow_operator.core.counting.counts import Counts
from shadow_operator.core.counting.tally import tally
from shadow_operator.core.judging.case import Case
from shadow_operator.core.recording.ledger import begin
from shadow_operator.core.recording.soak import Soak
from tests.support.readings import EPOCH, spec


def case(
    *, seconds: float = 630.0, left: float = 3600.0, soaked: bool = False, mirrored: float = 630.0
) -> Case:
    """Give a case after so many seconds of measurements, and so many before the soak's end.

    The first 60 of them are the ramp.
    """
    wanted = spec(soakSeconds=7200)
    ledger = begin(EPOCH, now=0, interval=30).model_copy(
        update={
            "first_measurement": 0.0,
            "last_measurement": seconds,
            "soak": Soak(elapsed=7200.0 - left),
            "mirrored": mirrored,
        }
    )
    return Case(spec=wanted, ledger=ledger, tally=tally(wanted, Counts(), interval=30.0),
                soaked=soaked)  # fmt: skip


WAITS: dict[str, tuple[Case, tuple[float, float], dict[str, Any], str, bool, bool]] = {
    "it comes within the soak": (
        case(), (2140, 1000), {}, "2,140 more pairs are needed, about 21m 24s", True, False,
    ),
    "just so": (case(left=600), (1000, 1000), {}, "about 10m", True, False),
    "it comes later": (
        case(left=599), (1000, 1000), {}, "about 10m, but the soak has 9m 59s left", False, True,
    ),
    "of the ramp half counts, since half came": (
        case(seconds=61, left=300, mirrored=61), (2900, 310), {}, "about 4m 50s", True, False,
    ),
    "while it rises it is not known to come later": (
        case(seconds=60, left=599, mirrored=60), (100, 5), {}, "about 10m", False, False,
    ),
    "in the middle of it the pace is that of the moment": (
        case(seconds=30, mirrored=30), (100, 75), {}, "about 20s", True, False,
    ),
    "after the soak it is not late any more": (
        case(left=0, soaked=True), (10, 1000), {},
        "10 more pairs are needed, about 6s", False, False,
    ),
    "nothing came so far": (case(), (10, 0), {}, "10 more pairs are needed", False, False),
    "there was only one measurement": (
        case(seconds=0), (10, 10), {}, "10 more pairs are needed", False, False,
    ),
    "what is counted has its name": (
        case(), (9.5, 1000), {"what": "requests"}, "10 more requests are needed, about 6s",
        True, False,
    ),
    "and its own time": (
        case(), (100, 100), {"seconds": 1800.0}, "100 more pairs are needed, about 30m",
        True, False,
    ),
    "no more than a year is said": (
        case(), (10**9, 1), {},
        "1,000,000,000 more pairs are needed, about 365d, but the soak has 1h left", False, True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WAITS)
def test_a_wait_says(name: str) -> None:
    seen, numbers, more, clause, on_course, late = WAITS[name]
    wait = seen.wait(*numbers, **more)
    assert wait.clause.endswith(clause)
    assert (wait.on_course, wait.late) == (on_course, late)


def test_a_wait_of_nothing_is_of_one() -> None:
    assert case().wait(-3, 100).needs.pairs == 1
