"""How answers look in a terminal: marks, and colours where they are wanted."""

import os
import sys
from typing import Final

from shadow_operator.api.enums import GateResult
from shadow_operator.api.reasons import ConditionStatus

YES, NO, NOT_ASKED, UNKNOWN = "✓", "✗", "\u2013", "?"
_COLOURS: Final = {YES: "32", NO: "31", UNKNOWN: "33"}

MARKS: Final = {
    ConditionStatus.TRUE: YES,
    ConditionStatus.FALSE: NO,
    ConditionStatus.UNKNOWN: UNKNOWN,
    GateResult.PASSED: YES,
    GateResult.FAILED: NO,
    GateResult.INCONCLUSIVE: UNKNOWN,
    GateResult.ERROR: UNKNOWN,
    GateResult.NOT_APPLICABLE: NOT_ASKED,
}


def mark(sign: str) -> str:
    """Give a mark, coloured on a terminal unless NO_COLOR is set."""
    colour = _COLOURS.get(sign)
    if colour is None or "NO_COLOR" in os.environ or not sys.stdout.isatty():
        return sign
    return f"\033[{colour}m{sign}\033[0m"
