"""The production guard: suspects the mirror, tests the suspicion, and says who harmed production.

A state machine, judged once in an interval over the record of production
(`core/recording/production`). It is pure: the same records give the same decisions. docs/guard.md
says why each number is what it is.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from shadow_operator.api.spec import Spec
from shadow_operator.core.recording import harm
from shadow_operator.core.recording.production import Course
from shadow_operator.core.wording import count

NORMAL_SECONDS: Final = 600.0
"""What is compared with is no older: over that time the daily rhythm changes little."""
BURST_SECONDS: Final = 3600.0
"""What one interval had in this time is no news: harm can come in bursts."""
MOST_RESUMPTIONS: Final = 3
"""In a day; the next suspicion asks a person whatever its test shows."""
DAY: Final = 86400.0
YESTERDAY_SECONDS: Final = 1800.0
"""Records of yesterday count as the same hour if they are so close."""
LEAST_SHARE: Final = 0.25
"""Of the requests of the harm, so many are needed at least to tell a recovery."""


class GuardState(StrEnum):
    """What the guard does."""

    WATCHING = "Watching"
    SUSPECTED = "Suspected"
    """Production is harmed. Copies are off, to see whether it recovers."""
    DEGRADED = "Degraded"
    """It did not: something else harms it. Copies are off until production is stable."""
    PAUSED = "Paused"
    """The mirror harms it, or production is suspected too often: a person decides."""


class GuardRecord(BaseModel):
    """What the guard remembers. Times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    state: GuardState = GuardState.WATCHING
    since: float = 0.0
    """When this state began."""
    off_since: float | None = None
    """When copies were told to stop; what is normal now was recorded later."""
    names: tuple[str, ...] = ()
    """Measures that were harmed."""
    harm: Course | None = None
    normal: Course | None = None
    """What the harm was told from."""
    message: str = ""
    """The last finding, as a sentence."""
    resumed: tuple[float, ...] = ()
    """When copying resumed by itself, within a day."""
    restarted_at: str | None = None
    """`spec.restartedAt` when it paused: another one resumes."""
    watched: int = 0
    """Requests of production that were judged under mirroring, in this epoch."""

    def holds(self, spec: Spec) -> bool:
        """Whether copies are kept off."""
        return self.state is not GuardState.WATCHING and not self._released(spec)

    def paused(self, spec: Spec) -> bool:
        """Whether only a person can resume."""
        return self.state is GuardState.PAUSED and not self._released(spec)

    def _released(self, spec: Spec) -> bool:
        return self.state is GuardState.PAUSED and spec.restarted_at != self.restarted_at


Series = Sequence[Course]


def judged(record: GuardRecord, spec: Spec, series: Series, *, now: float) -> GuardRecord:
    """Return what the guard makes of one more interval, the last of `series`, at `now`."""
    if record.state is GuardState.PAUSED:
        return record if record.paused(spec) else GuardRecord(since=now, off_since=now)
    fresh = tuple(time for time in record.resumed if now - time <= DAY)
    record = record.model_copy(update={"resumed": fresh})
    return _JUDGES[record.state](record, spec, series, now)


def lately(spec: Spec, series: Series) -> Series:
    """Return the newest intervals under mirroring that last `forSeconds`; empty where none do."""
    copied = _newest(series, lambda course: course.percent > 0)
    return _lasting(copied, 0.9 * spec.guard.for_seconds)


def normal(
    spec: Spec,
    record: GuardRecord,
    series: Series,
    now: Series,
    seconds: float = NORMAL_SECONDS,
) -> Series:
    """Return the intervals that those of `now` are compared with.

    The last ones without copies, if they are long enough; else the ones just before. A harm begins
    with the mirror, or while it runs: either way as a step, whereas the daily rhythm has none.
    """
    begin, oldest = now[0].begin, now[0].begin - seconds
    before = [
        course
        for course in series
        if course.end <= begin + 1 and course.begin >= max(oldest, record.off_since or 0.0)
    ]
    without = [course for course in before if course.percent == 0]
    enough = sum(course.seconds for course in without) >= spec.guard.for_seconds
    return without if enough and harm.varied(without) else before


def _watch(record: GuardRecord, spec: Spec, series: Series, now: float) -> GuardRecord:
    copied = lately(spec, series)
    if not copied:
        return record
    known = normal(spec, record, series, copied)
    earlier = normal(spec, record, series, copied, seconds=BURST_SECONDS)
    names = harm.harmed(spec.guard, copied, known, earlier)
    if harm.comparable(copied, known):
        record = record.model_copy(update={"watched": record.watched + copied[-1].requests})
    if not names or _was_so_yesterday(spec, names, copied, series):
        return record
    seen, usual = harm.pooled(copied), harm.pooled(known)
    return record.model_copy(
        update={
            "state": GuardState.SUSPECTED,
            "since": now,
            "off_since": now,
            "names": names,
            "harm": seen,
            "normal": usual,
            "message": (
                f"{harm.sentence(names, seen, usual)} for {seen.seconds:.0f} s under mirroring "
                f"({count(seen.requests)} requests, {count(usual.requests)} before)"
            ),
        }
    )


def _was_so_yesterday(spec: Spec, names: Sequence[str], now: Series, series: Series) -> bool:
    """Whether it is within the limits of the same hour yesterday: then it is the day's rhythm."""
    time = now[-1].end - DAY
    then = [c for c in series if abs(c.end - time) <= YESTERDAY_SECONDS and c.requests]
    values: Mapping[str, Callable[[Course], float]] = {
        "p50": lambda course: course.p50,
        "p99": lambda course: course.p99,
        "errors": lambda course: course.errors / course.requests,
    }
    seen = harm.pooled(now)
    return bool(then) and all(
        harm.BY_NAME[name].value(seen)
        <= harm.BY_NAME[name].limit(spec.guard, max(map(values[name], then)))
        for name in names
    )


def _test(record: GuardRecord, spec: Spec, series: Series, now: float) -> GuardRecord:
    """See whether production recovers without copies."""
    bad, usual = record.harm, record.normal
    off = _off(record, series)
    if not off or bad is None or usual is None:
        return record
    long_enough = sum(course.seconds for course in off) >= 0.8 * spec.guard.recovery_seconds
    for part in (_lasting(off, 0.9 * spec.guard.for_seconds), off if long_enough else ()):
        seen = harm.pooled(part) if part else None
        if seen and _tells(seen, bad) and harm.recovered(record.names, seen, bad, usual):
            return _paused(record, spec, now, f"{record.message}; without copies it recovered.")
    if not long_enough or not _tells(harm.pooled(off), bad):
        return record
    if len(record.resumed) >= MOST_RESUMPTIONS:
        why = f"this is number {MOST_RESUMPTIONS + 1} in a day, so a person has to look"
        return _paused(record, spec, now, f"{record.message}; it did not recover, but {why}.")
    return record.model_copy(
        update={
            "state": GuardState.DEGRADED,
            "since": now,
            "message": (
                f"{record.message}; it stayed so for {now - (record.off_since or now):.0f} s "
                "without copies, so something else is the cause."
            ),
        }
    )


def _wait(record: GuardRecord, spec: Spec, series: Series, now: float) -> GuardRecord:
    """Resume once production does not get worse any more."""
    off = [c for c in _off(record, series) if c.end > now - max(spec.guard.recovery_seconds, 300)]
    latest = _lasting(off, 0.9 * spec.guard.for_seconds)
    before = off[: len(off) - len(latest)]
    if not (latest and before):
        return record
    if not harm.within(spec.guard, record.names, harm.pooled(latest), harm.pooled(before)):
        return record
    return record.model_copy(
        update={
            "state": GuardState.WATCHING,
            "since": now,
            "resumed": (*record.resumed, now),
            "harm": None,
            "normal": None,
        }
    )


_JUDGES: Final[Mapping[GuardState, Callable[[GuardRecord, Spec, Series, float], GuardRecord]]] = {
    GuardState.WATCHING: _watch,
    GuardState.SUSPECTED: _test,
    GuardState.DEGRADED: _wait,
}


def _paused(record: GuardRecord, spec: Spec, now: float, message: str) -> GuardRecord:
    return record.model_copy(
        update={
            "state": GuardState.PAUSED,
            "since": now,
            "message": message,
            "restarted_at": spec.restarted_at,
        }
    )


def _off(record: GuardRecord, series: Series) -> Series:
    """Return the intervals without copies since they were told to stop.

    Without the first: what was under way then still belongs to the time before.
    """
    off = _newest(series, lambda course: course.percent == 0)
    return [course for course in off if course.begin >= (record.off_since or 0.0)][1:]


def _tells(now: Course, bad: Course) -> bool:
    return now.requests >= LEAST_SHARE * bad.requests


def _newest(series: Series, fits: Callable[[Course], bool]) -> Series:
    """Return the longest end of the series in which all fit."""
    start = len(series)
    while start > 0 and fits(series[start - 1]):
        start -= 1
    return series[start:]


def _lasting(series: Series, seconds: float) -> Series:
    """Return the newest intervals that last so long in sum; empty where all of them don't."""
    total = 0.0
    for start in range(len(series) - 1, -1, -1):
        total += series[start].seconds
        if total >= seconds:
            return series[start:]
    return ()
