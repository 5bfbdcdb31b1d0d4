"""Lists that a condition has no room for: `status.preflight` has all of each."""

from collections.abc import Iterable, Sequence
from typing import Final

from shadow_operator.api.enums import CheckResult, GateResult
from shadow_operator.api.status import Check, Gate
from shadow_operator.core.wording import packed

CONDITION_BYTES: Final = 288
"""What the message of a condition keeps, and that of a check."""
MOST: Final = 8
"""Checks that status keeps."""


def why_refused(sentences: Sequence[str], room: int = CONDITION_BYTES) -> str:
    """Say what is in the way; where that is too long, how much it is and where all of it stands."""
    text = " ".join(sentences)
    if len(sentences) < 2 or len(text.encode()) <= room:
        return text
    return f"{len(sentences)} things are in the way, all listed in status.preflight. {text}"


def what_differs(notes: Sequence[str]) -> str:
    """Say what the clones have not of production's, or how much that is and where it stands."""
    text = f"The clones are like production's pods, except: {'; '.join(notes)}."
    if len(text.encode()) <= CONDITION_BYTES:
        return text
    return (
        f"The clones are like production's pods, except in {len(notes)} points, which "
        "status.preflight lists."
    )


def preflight(
    notes: Iterable[str],
    refused: Iterable[str],
    headroom: Gate | None = None,
    known: Iterable[Check] = (),
) -> tuple[Check, ...]:
    """Give the checks before the start: what is refused, else room, and what clones leave out.

    `known` are those of `core/planning/preflight`; a list that is too long is cut behind them.
    """
    return (
        *_checks("acceptance", CheckResult.FAILED, refused, joint=" "),
        *_headroom(headroom),
        *known,
        *_checks("clones", CheckResult.PASSED, notes, joint="; "),
    )[:MOST]


_RESULTS: Final = {
    GateResult.PASSED: CheckResult.PASSED,
    GateResult.FAILED: CheckResult.FAILED,
}


def _headroom(gate: Gate | None) -> Iterable[Check]:
    if gate is not None and gate.source:
        result = _RESULTS.get(gate.result, CheckResult.UNKNOWN)
        yield Check(
            name=gate.name,
            result=result,
            observed=gate.observed,
            threshold=gate.threshold,
            message=gate.message,
        )


def _checks(name: str, result: CheckResult, parts: Iterable[str], *, joint: str) -> list[Check]:
    texts = packed(parts, joint=joint, room=CONDITION_BYTES, most=MOST)
    return [
        Check(name=name if number == 1 else f"{name}-{number}", result=result, message=text)
        for number, text in enumerate(texts, start=1)
    ]
