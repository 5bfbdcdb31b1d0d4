"""What production's own metrics say of its requests: from counters of processes to a record.

Where no Envoy of ours stands in production's path, nothing else counts its requests.
"""

import hashlib
from collections.abc import Iterable
from itertools import pairwise
from math import isfinite
from statistics import fmean
from typing import Final

from pydantic import BaseModel, ConfigDict

from shadow_operator.core.numbers import envoy_bins
from shadow_operator.core.recording.production import Course
from shadow_operator.core.snapshot import Found, Item, RequestsReading, Unknown

MOST_PROCESSES: Final = 32
"""Processes that are counted, the first by name: what is true of so many is true of all."""
MOST_BUCKETS: Final = 32
"""Ends of buckets that are kept of a histogram."""
LONGEST_SECONDS: Final = 600.0
"""What was counted over a longer time tells of no one time."""


class Counted(BaseModel):
    """Counters of one process of production, cumulative since it started."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    time: float
    """When it counted so far, in seconds since the epoch."""
    requests: int = 0
    errors: int = 0
    timed: int = 0
    """Answers that were timed."""
    buckets: tuple[tuple[float, int], ...] = ()
    """(Seconds, answers that took no longer), by seconds, without the last one, which has no
    end."""

    @classmethod
    def of(cls, reading: RequestsReading) -> "Counted":
        """Take over a reading."""
        ends = sorted(end for end in reading.buckets if isfinite(end))
        step = -(-len(ends) // MOST_BUCKETS) or 1
        return cls(
            time=reading.time,
            requests=reading.requests,
            errors=reading.errors,
            timed=max(reading.buckets.values(), default=0),
            buckets=tuple((end, reading.buckets[end]) for end in ends[::-step][::-1]),
        )

    def since(self, before: "Counted") -> "Counted":
        """Return what came since `before`."""
        old = dict(before.buckets)
        return Counted(
            time=self.time,
            requests=self.requests - before.requests,
            errors=max(0, self.errors - before.errors),
            timed=max(0, self.timed - before.timed),
            buckets=tuple((end, max(0, n - old.get(end, 0))) for end, n in self.buckets),
        )


class Meter(BaseModel):
    """Up to where production's own counters were taken over. Times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    source: str = ""
    """Who told it: `metrics` of the pods, or `prometheus`; empty before anybody did."""
    processes: dict[str, Counted] = {}
    """Short hash of a process -> its counters when it was last read."""
    percents: tuple[tuple[float, int], ...] = ()
    """(Until when, percentage that was copied), as far as it is not taken over yet."""
    told: int = 0
    """Percentage that is copied since then."""
    counted: int = 0
    """Processes that the newest record is of."""
    problem: str = ""
    """Why the last look found nothing; empty where it did."""

    def taken(
        self, readings: Iterable[Item[RequestsReading]], *, now: float, percent: int = 0
    ) -> tuple["Meter", Course | None]:
        """Take over what production's processes say at `now`, and return what came since.

        `percent` is copied from now on. Without a reading nobody asked. Only processes count that
        were read before: what another one counted belongs to another time. So does what was
        counted between two scrapes of a Prometheus, which is why each process has a time of its
        own, and why the record has the largest percentage of all the time that it may tell of.
        """
        items = list(readings)
        meter = self._in_force(now, percent)
        found = sorted((i.value for i in items if isinstance(i, Found)), key=lambda r: r.boot)
        if not found:
            reasons = (item.reason for item in items if isinstance(item, Unknown))
            problem = next(reasons, meter.problem)
            return meter.model_copy(update={"problem": problem}), None
        processes = {_name(r): Counted.of(r) for r in found[:MOST_PROCESSES]}
        moved = [
            (before, one)
            for name, one in processes.items()
            if (before := self.processes.get(name)) and _goes_on(before, one)
        ]
        update = {
            "source": found[0].source,
            "processes": processes,
            "counted": len(moved) or self.counted,
            "problem": "",
        }
        return _without_old(meter.model_copy(update=update)), _course(moved, meter.percents)

    def _in_force(self, now: float, percent: int) -> "Meter":
        """Note that what was told before was in force until now."""
        kept = self.percents
        if kept and kept[-1][1] == self.told:
            kept = kept[:-1]
        kept = tuple(one for one in kept if now - one[0] <= LONGEST_SECONDS)
        return self.model_copy(update={"percents": (*kept, (now, self.told)), "told": percent})


def _without_old(meter: Meter) -> Meter:
    """Forget percentages of which no process has anything to tell any more."""
    oldest = min(one.time for one in meter.processes.values())
    kept = tuple(one for one in meter.percents if one[0] > oldest)
    return meter.model_copy(update={"percents": kept})


def _course(
    moved: list[tuple[Counted, Counted]], percents: tuple[tuple[float, int], ...]
) -> Course | None:
    if not moved:
        return None
    new = [one.since(before) for before, one in moved]
    begin, end = fmean(b.time for b, _ in moved), fmean(one.time for _, one in moved)
    oldest = min(before.time for before, _ in moved)
    bins = spread(new)
    return Course(
        end=end,
        seconds=end - begin,
        percent=max((percent for until, percent in percents if until > oldest), default=0),
        requests=sum(one.requests for one in new),
        errors=sum(one.errors for one in new),
        p50=round(envoy_bins.quantile(bins, 0.5), 1) if bins else 0.0,
        p99=round(envoy_bins.quantile(bins, 0.99), 1) if bins else 0.0,
        bins=bins,
    )


def _name(reading: RequestsReading) -> str:
    # The same process is another one to another source: it counts up to another moment.
    return hashlib.sha256(f"{reading.source}/{reading.boot}".encode()).hexdigest()[:8]


def _goes_on(before: Counted, now: Counted) -> bool:
    later = 0 < now.time - before.time <= LONGEST_SECONDS
    return later and now.requests >= before.requests and now.timed >= before.timed


def spread(parts: Iterable[Counted]) -> dict[int, int]:
    """Give `envoy_bins.Bins` of histograms of Prometheus: evenly spread within each bucket.

    As `histogram_quantile` of Prometheus takes them; what is above the last end counts as that end.
    Equal ones are added up first, so that the bins of one bucket are alike and take little room.
    """
    alike: dict[tuple[float, ...], list[Counted]] = {}
    for part in parts:
        alike.setdefault(tuple(end for end, _ in part.buckets), []).append(part)
    return envoy_bins.merged(
        _spread(
            [(end, sum(one.buckets[n][1] for one in some)) for n, end in enumerate(ends)],
            sum(one.timed for one in some),
        )
        for ends, some in alike.items()
    )


def _spread(buckets: list[tuple[float, int]], timed: int) -> dict[int, int]:
    bins: dict[int, int] = {}
    ends = ((0.0, 0), *buckets)
    for (begin, below), (end, upto) in pairwise(ends):
        inside, done = upto - below, 0
        if inside <= 0:
            continue
        first, last = envoy_bins.bin_of(1000 * begin), envoy_bins.bin_of(1000 * end)
        for number in range(first, last + 1):
            share = (min(envoy_bins.end_of(number) / 1000, end) - begin) / (end - begin)
            upto_here = inside if number == last else round(inside * share)
            if upto_here > done:
                bins[number] = bins.get(number, 0) + upto_here - done
            done = upto_here
    end, upto = ends[-1]
    if timed > upto and buckets:
        number = envoy_bins.bin_of(1000 * end)
        bins[number] = bins.get(number, 0) + timed - upto
    return bins
