"""What each interval brought, besides differences (`core/counting/blocks`) and other series.

The newest ones keep histograms of latencies, so that quantiles of several are quantiles. They are
stored column by column, because that compresses to a few bytes a record
(tests/unit/test_history.py holds them).
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from shadow_operator.api.evidence import RouteCounts
from shadow_operator.core.counting.counts import Counts
from shadow_operator.core.counting.tally import server_errors
from shadow_operator.core.numbers.histogram import Histogram, Timing

MOST_BINS: Final = 24
"""Bins of a histogram that are kept; quantiles of one interval are taken from all bins before."""
KEPT_SECONDS: Final = 900.0
"""A record over a longer time keeps quantiles only."""


class Latency(BaseModel):
    """How long answers of one role took, in milliseconds; 0 where none was timed."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    p50: float = 0.0
    p99: float = 0.0
    bins: Histogram = Histogram()
    """Seconds; empty where it is not kept."""

    @classmethod
    def of(cls, timed: Histogram) -> "Latency":
        """Take the quantiles of all that was timed."""
        if not timed.bins:
            return cls()
        p50, p99 = (round(1000 * timed.quantile(share), 2) for share in (0.5, 0.99))
        return cls(p50=p50, p99=p99, bins=timed.fitted(MOST_BINS))

    def merged(self, later: Self, weight: float) -> "Latency":
        """Return both together; `weight`: share of this one, where quantiles can't be worked out.

        Their mean is no quantile of both, and good enough to show a course.
        """
        if self.bins.bins and later.bins.bins:
            return Latency.of(self.bins.plus(later.bins))
        known = [(one, part) for one, part in ((self, weight), (later, 1 - weight)) if one.p99]
        whole = sum(part for _, part in known)
        if not whole:
            return known[-1][0] if known else Latency()
        p50 = sum(one.p50 * part for one, part in known) / whole
        p99 = sum(one.p99 * part for one, part in known) / whole
        return Latency(p50=round(p50, 2), p99=round(p99, 2))

    @property
    def lighter(self) -> "Latency":
        """The quantiles alone."""
        return Latency(p50=self.p50, p99=self.p99) if self.bins.bins else self


class Interval(BaseModel):
    """What came in one interval, or in several merged ones (a record of `core/numbers/series`)."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    end: float
    """Seconds since the epoch."""
    seconds: float
    pairs: int = 0
    """Compared pairs."""
    unproven: int = 0
    """Pairs that prove nothing, or could not be compared."""
    expected: int = 0
    """Copies that should have arrived."""
    received: int = 0
    """Copies that did, of eligible requests."""
    answered: int = 0
    """Of these, the ones that were sent to the clones."""
    shadow_errors: int = 0
    """Only the shadow gave no answer."""
    reference_errors: int = 0
    shadow_timeouts: int = 0
    reference_timeouts: int = 0
    soaked: int = 0
    """Seconds on the soak clock at the end."""
    standstill: str = ""
    """Why the clock stood at the end, one CamelCase word; empty while it ran."""
    shadow: Latency = Latency()
    reference: Latency = Latency()

    def merged(self, later: Self) -> "Interval":
        """Return one record for both spans."""
        pairs = self.pairs + later.pairs
        mine = self.pairs / pairs if pairs else 0.5
        seconds = round(self.seconds + later.seconds, 1)
        one = Interval(
            end=later.end,
            seconds=seconds,
            soaked=later.soaked,
            standstill=later.standstill or self.standstill,
            shadow=self.shadow.merged(later.shadow, mine),
            reference=self.reference.merged(later.reference, mine),
            **{name: getattr(self, name) + getattr(later, name) for name in _SUMS},
        )
        return one if seconds <= KEPT_SECONDS else one.lighter

    @property
    def lighter(self) -> "Interval":
        """All but the histograms."""
        return self.model_copy(
            update={"shadow": self.shadow.lighter, "reference": self.reference.lighter}
        )


_FAILURES: Final = ("shadow_errors", "reference_errors", "shadow_timeouts", "reference_timeouts")
_SUMS: Final = ("pairs", "unproven", "expected", "received", "answered", *_FAILURES)


class Totals(BaseModel):
    """Totals of an epoch at one moment; an interval is what lies between two of them."""

    model_config = ConfigDict(frozen=True)

    counts: Mapping[str, int]
    timing: Timing

    @classmethod
    def of(
        cls, parts: Iterable[Counts], *, expected: float, received: int, answered: int
    ) -> "Totals":
        """Add up what all processes counted."""
        parts = tuple(parts)
        routes = [route for part in parts for route in part.routes]
        served = [server_errors(route) for route in routes]
        timing = Timing()
        for part in parts:
            timing = timing.plus(part.timing)
        return cls(
            counts={
                "pairs": sum(route.pairs for route in routes),
                "unproven": sum(map(_unproven, routes)),
                "expected": round(expected),
                "received": received,
                "answered": answered,
                "shadow_server_errors": sum(shadow for shadow, _ in served),
                "reference_server_errors": sum(reference for _, reference in served),
                **{name: sum(getattr(r, name) for r in routes) for name in _FAILURES},
            },
            timing=timing,
        )

    def since(
        self, before: "Totals", *, now: float, seconds: float, soaked: float, standstill: str
    ) -> Interval:
        """Return what came since `before`; `now` in seconds since the epoch."""
        timed = self.timing.plus(before.timing, -1)
        return Interval(
            end=round(now, 1),
            seconds=round(max(0.0, seconds), 1),
            soaked=int(soaked),
            standstill=standstill,
            shadow=Latency.of(_positive(timed.shadow)),
            reference=Latency.of(_positive(timed.reference)),
            **{name: max(0, self.counts[name] - before.counts[name]) for name in _SUMS},
        )


def _unproven(route: RouteCounts) -> int:
    tables = (route.unproven, route.incomparable)
    return sum(sum(table.values()) for table in tables) + route.both_errors + route.both_timeouts


def _positive(timed: Histogram) -> Histogram:
    bins = {key: count for key, count in timed.bins.items() if count > 0}
    return Histogram(width=timed.width, zero=max(0, timed.zero), bins=bins)


# How they are stored


def _columns(intervals: tuple[Interval, ...]) -> dict[str, list[Any]]:
    """Give the columns; times in tenths of a second, quantiles in hundredths of a millisecond."""
    if not intervals:
        return {}
    ends = [round(10 * one.end) for one in intervals]
    columns: dict[str, list[Any]] = {
        "end": [ends[0], *(b - a for a, b in pairwise(ends))],
        "seconds": [round(10 * one.seconds) for one in intervals],
        "standstill": [one.standstill for one in intervals],
        "soaked": [one.soaked for one in intervals],
        **{name: [getattr(one, name) for one in intervals] for name in _SUMS},
    }
    for role in ("shadow", "reference"):
        latencies: list[Latency] = [getattr(one, role) for one in intervals]
        columns |= {
            f"{role}50": [round(100 * one.p50) for one in latencies],
            f"{role}99": [round(100 * one.p99) for one in latencies],
            f"{role}Bins": [_packed(one.bins) for one in latencies],
        }
    return {name: column for name, column in columns.items() if any(column)}


def _packed(bins: Histogram) -> list[int]:
    """Write width, zeros and the first bin's number, and all counts from there on."""
    if not bins.bins:
        return []
    first, last = min(bins.bins), max(bins.bins)
    counts = (bins.bins.get(number, 0) for number in range(first, last + 1))
    return [bins.width, bins.zero, first, *counts]


def _unpacked(stored: list[int]) -> Histogram:
    if not stored:
        return Histogram()
    width, zero, first, *counts = stored
    bins = {first + number: count for number, count in enumerate(counts) if count}
    return Histogram(width=width, zero=zero, bins=bins)


def _from_columns(stored: Any) -> Any:
    if not isinstance(stored, Mapping):
        return stored
    number, total, rows = len(stored.get("end", ())), 0, []
    for index in range(number):
        row = {name: column[index] for name, column in stored.items()}
        total += row["end"]
        latencies = {
            role: Latency(
                p50=row.pop(f"{role}50", 0) / 100,
                p99=row.pop(f"{role}99", 0) / 100,
                bins=_unpacked(row.pop(f"{role}Bins", [])),
            )
            for role in ("shadow", "reference")
        }
        row |= {"end": total / 10, "seconds": row.get("seconds", 0) / 10}
        rows.append(Interval(**row, **latencies))
    return tuple(rows)


StoredIntervals = Annotated[
    tuple[Interval, ...],
    BeforeValidator(_from_columns),
    PlainSerializer(_columns, return_type=dict[str, list[Any]], when_used="json"),
]
"""A series of intervals as it is stored."""
