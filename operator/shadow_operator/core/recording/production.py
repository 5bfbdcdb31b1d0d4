"""The record of production: what its clients got in each interval, as the Envoys counted it."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from shadow_operator.core.numbers import envoy_bins
from shadow_operator.core.snapshot import Found, Item, MirrorReading


def _packed(bins: Mapping[int, int]) -> list[int]:
    """Write the first bin's number and all counts from there on, which compresses better."""
    if not bins:
        return []
    first, last = min(bins), max(bins)
    return [first, *(bins.get(number, 0) for number in range(first, last + 1))]


def _unpacked(stored: object) -> object:
    if not isinstance(stored, list):
        return stored
    return {stored[0] + n: count for n, count in enumerate(stored[1:]) if count} if stored else {}


StoredBins = Annotated[
    dict[int, int],
    BeforeValidator(_unpacked),
    PlainSerializer(_packed, return_type=list[int], when_used="json"),
]
"""`envoy_bins.Bins` as they are stored."""


class Course(BaseModel):
    """How production ran for a while: one interval, or several that were merged."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    end: float
    """Seconds since the epoch."""
    seconds: float
    percent: int = 0
    """Largest percentage that an Envoy copied meanwhile."""
    requests: int = 0
    """Requests that were answered."""
    errors: int = 0
    """Of these, with a status of 500 or above."""
    worst: float = 0.0
    """Largest share of errors in one of the intervals that were merged."""
    p50: float = 0.0
    """Milliseconds; 0 where nothing was timed."""
    p99: float = 0.0
    bins: StoredBins = {}
    """Latencies (`envoy_bins.Bins`); only of an interval that was not merged with others."""

    @property
    def begin(self) -> float:
        """When it began."""
        return self.end - self.seconds

    @property
    def error_rate(self) -> float:
        """Largest share of errors in one of its intervals."""
        own = self.errors / self.requests if self.requests else 0.0
        return max(self.worst, own)

    def merged(self, later: "Course") -> "Course":
        """Return one record for both; of quantiles the mean by requests is kept, of bins nothing.

        That is no quantile of both, and good enough for the daily rhythm.
        """
        requests = self.requests + later.requests
        mine = self.requests / requests if requests else 0.5
        return Course(
            end=later.end,
            seconds=self.seconds + later.seconds,
            percent=max(self.percent, later.percent),
            requests=requests,
            errors=self.errors + later.errors,
            worst=round(max(self.error_rate, later.error_rate), 6),
            p50=round(mine * self.p50 + (1 - mine) * later.p50, 1),
            p99=round(mine * self.p99 + (1 - mine) * later.p99, 1),
        )


def lighter(series: tuple[Course, ...], keep: int) -> tuple[Course, ...]:
    """Return the series with latencies in its newest records only, where room is short."""
    old, new = series[:-keep], series[-keep:]
    return (*(course.model_copy(update={"bins": {}}) for course in old), *new)


class Cursor(Protocol):
    """Up to where the counters of one Envoy process were taken over."""

    @property
    def time(self) -> float: ...
    @property
    def percent(self) -> int: ...
    @property
    def answered(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def latency(self) -> Mapping[int, int]: ...


def course(
    cursors: Mapping[str, Cursor],
    mirrors: Iterable[Item[MirrorReading]],
    *,
    since: float,
    now: float,
) -> Course | None:
    """Return what came between the last look at `since` and `now`; None where nothing is known.

    `cursors`: boot of an Envoy -> cursor. Only Envoys count that were read at both ends: what
    another one counted belongs to another time, and perhaps to another percentage.
    """
    pairs = [
        (cursor, item.value)
        for item in mirrors
        if isinstance(item, Found) and (cursor := cursors.get(item.value.boot)) is not None
        if cursor.time >= since and item.value.answered >= cursor.answered
    ]
    if not pairs or now <= since:
        return None
    bins = envoy_bins.merged(envoy_bins.since(r.latency, cursor.latency) for cursor, r in pairs)
    return Course(
        end=now,
        seconds=now - since,
        percent=max(c.percent if r.percent is None else r.percent for c, r in pairs),
        requests=sum(reading.answered - cursor.answered for cursor, reading in pairs),
        errors=sum(max(0, reading.errors - cursor.errors) for cursor, reading in pairs),
        p50=round(envoy_bins.quantile(bins, 0.5), 1) if bins else 0.0,
        p99=round(envoy_bins.quantile(bins, 0.99), 1) if bins else 0.0,
        bins=bins,
    )
