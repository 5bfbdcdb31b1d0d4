"""How answers look in a terminal: marks, and colours where they are wanted."""

import os
import sys
from collections.abc import Iterable
from typing import Final

from shadow_operator.api.enums import CheckResult, GateResult, HealthState
from shadow_operator.api.reasons import ConditionStatus, ConditionType, Reason
from shadow_operator.api.status import Condition, Gate, LayerHealth
from shadow_operator.cli.errors import CliError, Exit

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
    CheckResult.PASSED: YES,
    CheckResult.FAILED: NO,
    CheckResult.UNKNOWN: UNKNOWN,
    HealthState.HEALTHY: YES,
    HealthState.UNHEALTHY: NO,
    HealthState.DISABLED: NOT_ASKED,
    HealthState.UNKNOWN: UNKNOWN,
}


def is_plain() -> bool:
    """Whether there is nobody who sees colours and moving pictures, or wants them."""
    return bool(os.environ.get("NO_COLOR")) or not sys.stdout.isatty()


def mark(sign: str) -> str:
    """Give a mark, coloured on a terminal unless NO_COLOR is set."""
    colour = _COLOURS.get(sign)
    if colour is None or is_plain():
        return sign
    return f"\033[{colour}m{sign}\033[0m"


def sign_of(condition: Condition | None) -> str:
    """Give the sign of a condition; what was not asked for is no failure."""
    if condition is None:
        return UNKNOWN
    if condition.reason == Reason.NOT_REQUESTED:
        return NOT_ASKED
    if condition.type in {ConditionType.RECONCILING, ConditionType.STALLED}:
        return NO  # they are only there while something is not as it should be
    return MARKS[condition.status]


def gate_line(gate: Gate, *, coloured: bool = True) -> str:
    """Write a gate in one line: sign, name, numbers, sentence."""
    wanted = f" ({gate.threshold})" if gate.threshold else ""
    numbers = f" {gate.observed}{wanted}" if gate.observed else ""
    sign = MARKS[gate.result]
    return f"{mark(sign) if coloured else sign} {gate.name}{numbers}: {gate.message}"


def layer_line(layer: LayerHealth) -> str:
    """Write how a layer stands in one line."""
    active = f", {layer.neurons:,} neurons active" if layer.neurons is not None else ""
    said = f": {layer.message}" if layer.message else ""
    return f"{mark(MARKS[layer.state])} {layer.name} {layer.state}{active}{said}"


def write(path: str, lines: Iterable[str]) -> None:
    """Write lines to a file that a person named."""
    try:
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - a path as typed
            file.writelines(f"{line}\n" for line in lines)
    except OSError as error:
        raise CliError(Exit.USAGE, f"{path} can't be written: {error.strerror}") from error


def show(form: str, value: object) -> None:
    """Print what programs read: JSON or YAML."""
    if form == "json":
        import json  # noqa: PLC0415 - only this form needs it

        print(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        import yaml  # noqa: PLC0415 - only this form needs it

        print(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), end="")
