"""Whether the shadow learns: cycles, adjustments and error gradient, interval by interval."""

import hashlib
from collections.abc import Mapping
from typing import Final, Self

from pydantic import BaseModel, ConfigDict

from shadow_operator.api.enums import GateResult
from shadow_operator.core.numbers.growth import Point, trend
from shadow_operator.core.numbers.series import appended
from shadow_operator.core.snapshot import Found, Item, LearningReading, Unknown
from shadow_operator.core.wording import count, duration

SILENT_SECONDS: Final = 900.0
"""Without a cycle for so long, learning does not go on."""
MOST_PODS: Final = 100
"""Processes whose counters are remembered."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class Span(_Frozen):
    """What was read up to `end` (seconds since the epoch), over `seconds`."""

    end: float
    seconds: float
    cycles: int = 0
    gradient: float | None = None
    """Mean error gradient of the pods that tell it."""

    def merged(self, later: Self) -> "Span":
        """Return one record for both spans."""
        known = [one for one in (self, later) if one.gradient is not None and one.seconds > 0]
        weight = sum(one.seconds for one in known)
        mean = sum((one.gradient or 0.0) * one.seconds for one in known)
        return Span(
            end=later.end,
            seconds=self.seconds + later.seconds,
            cycles=self.cycles + later.cycles,
            gradient=float(f"{mean / weight:.6g}") if known else None,
        )


class Learning(_Frozen):
    """What the shadow's metrics said of learning in one epoch."""

    cursors: dict[str, tuple[int, int]] = {}
    """Process -> cycles and adjustments up to which it was taken over."""
    cycles: int = 0
    adjustments: int = 0
    series: tuple[Span, ...] = ()
    last_reading: float | None = None
    last_cycle: float | None = None
    problem: str = ""
    """Why the last reading failed; empty where it did not."""


def noted(
    learning: Learning, read: Mapping[str, Item[LearningReading]], *, now: float, interval: float
) -> Learning:
    """Take over what the pods of the shadow said; a pod that is new in this epoch counts whole."""
    found = [item.value for item in read.values() if isinstance(item, Found)]
    unread = [f"{pod}: {item.reason}" for pod, item in read.items() if isinstance(item, Unknown)]
    if not found:
        return learning.model_copy(update={"problem": (unread or [""])[0][:200]})
    cursors, cycles, adjustments = dict(learning.cursors), 0, 0
    for reading in found:
        name = hashlib.sha256(reading.boot.encode()).hexdigest()[:8]
        before = cursors.pop(name, (0, 0))
        cursors[name] = int(reading.cycles), int(reading.adjustments)
        cycles += max(0, cursors[name][0] - before[0])
        adjustments += max(0, cursors[name][1] - before[1])
    gradients = [reading.gradient for reading in found if reading.gradient is not None]
    mean = float(f"{sum(gradients) / len(gradients):.6g}") if gradients else None
    span = Span(end=now, seconds=interval, cycles=cycles, gradient=mean)
    return Learning(
        cursors=dict(list(cursors.items())[-MOST_PODS:]),
        cycles=learning.cycles + cycles,
        adjustments=learning.adjustments + adjustments,
        series=appended(learning.series, span),
        last_reading=now,
        last_cycle=now if cycles else learning.last_cycle,
        problem=unread[0][:200] if unread else "",
    )


def standing(learning: Learning, now: float) -> tuple[GateResult, str]:
    """Say whether learning goes on at `now`, and how far it came."""
    if learning.last_reading is None or now - learning.last_reading > SILENT_SECONDS:
        if learning.problem:
            return GateResult.ERROR, f"Learning can't be read: {learning.problem}."
        return GateResult.INCONCLUSIVE, "The shadow was not asked yet how it learns."
    if learning.last_cycle is None:
        return GateResult.INCONCLUSIVE, "No learning cycle was seen yet."
    numbers = (
        f"{count(learning.cycles)} learning cycles, {count(learning.adjustments)} adjustments"
        f"{_gradient(learning)}"
    )
    silence = now - learning.last_cycle
    if silence > SILENT_SECONDS:
        return GateResult.INCONCLUSIVE, f"No cycle for {duration(silence)}: {numbers}."
    return GateResult.PASSED, f"{numbers}."


def _gradient(learning: Learning) -> str:
    known = [
        Point(one.end - one.seconds / 2, one.gradient, one.seconds)
        for one in learning.series
        if one.gradient is not None
    ]
    if not known:
        return ""
    text = f"; error gradient {known[-1].value:.3g}"
    found = trend(known)
    if found is None:
        return f"{text}, too few readings for a trend"
    slope, low, high = (
        3600 * value for value in (found.slope, found.lower(_SIDE), found.upper(_SIDE))
    )
    word = "falls" if high < 0 else "rises" if low > 0 else "no clear trend"
    return f"{text}, {word}: {slope:+.2g} an hour (95%: {low:+.2g} to {high:+.2g})"


_SIDE: Final = 0.025
"""Level of each side of an interval at 95 %."""
