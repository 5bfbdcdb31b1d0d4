"""Records of intervals, the older the coarser: two days in some hundred and fifty records."""

from collections.abc import Iterable
from typing import Final, Protocol, Self, TypeVar

NEWEST: Final = 40
"""Records that stay as they were taken: 20 minutes of them at the default interval."""
KEPT: Final = 48 * 3600.0
"""Seconds for which records are kept."""
STEPS: Final = ((1200.0, 30.0), (2 * 3600.0, 300.0), (KEPT, 1800.0))
"""(Age up to which, seconds that one record spans then); what is older goes. The first is for short
intervals, so that 20 minutes of them are as fine as at the default."""


class Record(Protocol):
    """What was measured up to `end` (seconds since the epoch), over `seconds`."""

    @property
    def end(self) -> float: ...

    @property
    def seconds(self) -> float: ...

    def merged(self, later: Self) -> Self:
        """Return one record for both spans."""


R = TypeVar("R", bound=Record)


def appended(series: tuple[R, ...], record: R) -> tuple[R, ...]:
    """Return the series with one more record at its end.

    Records come in order. Old ones are merged with neighbours that end in the same span of the
    clock, so that the result does not depend on when they are merged.
    """
    now = record.end
    old, new = series[: 1 - NEWEST], series[1 - NEWEST :]
    kept = [r for r in old if now - r.end <= KEPT]
    return (*_coarse(kept, now), *new, record)


def settled(series: Iterable[R], until: float, now: float) -> tuple[R, ...]:
    """Return the records up to `until`, as coarse as they are by `now`.

    Whenever it is asked for from `until` to `now` the answer is the same (but for what merging
    rounds), although records get coarser all the time. So it may end a little before `until`: what
    will be one record with something later is left out.
    """
    span = _span(now - until)
    end = until // span * span
    return _coarse((r for r in series if r.end < end and now - r.end <= KEPT), now)


def _coarse(records: Iterable[R], now: float) -> tuple[R, ...]:
    coarse: list[R] = []
    for record in records:
        if coarse and _belong_together(coarse[-1], record, now):
            coarse[-1] = coarse[-1].merged(record)
        else:
            coarse.append(record)
    return tuple(coarse)


def _belong_together(before: R, record: R, now: float) -> bool:
    span = _span(now - before.end)
    return before.end // span == record.end // span


def _span(age: float) -> float:
    """Give the seconds of the clock that one record spans at an age."""
    return next(span for oldest, span in STEPS if age <= oldest)
