"""The baseline: what production uses, and what room there is, while `phase: None` is asked for.

It is read more seldom than an interval, because nothing hangs on it yet, and it is kept beside the
ledger, because it belongs to no epoch.
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from shadow_operator.core.headroom import Headroom
from shadow_operator.core.production import Course
from shadow_operator.core.series import appended
from shadow_operator.core.snapshot import Found, Item, RequestsReading
from shadow_operator.core.usage import Usage

KEY: Final = "baseline"
"""Key in the data of the evidence ConfigMap."""
SECONDS: Final = 60.0
"""Between two records, or two intervals where they are shorter: the metrics API has hardly more to
say."""
ROOM_SECONDS: Final = 300.0
"""Between two looks at nodes and quotas."""
LONGEST_SECONDS: Final = 600.0
"""What was counted over a longer time tells of no one time."""


class Counted(BaseModel):
    """Counters of one process of production, cumulative since it started."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    requests: int = 0
    errors: int = 0
    buckets: tuple[tuple[float, int], ...] = ()
    """(Seconds, answers that took no longer), by seconds; the last, without an end, is left out."""

    def since(self, before: "Counted") -> "Counted":
        """Return what came since `before`."""
        old = dict(before.buckets)
        return Counted(
            requests=self.requests - before.requests,
            errors=max(0, self.errors - before.errors),
            buckets=tuple((end, max(0, n - old.get(end, 0))) for end, n in self.buckets),
        )


class Baseline(BaseModel):
    """What was recorded. Times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    usage: Usage = Usage()
    """Of production's pods."""
    requests: tuple[Course, ...] = ()
    """How production ran, as its own metrics say: `core.series` of records."""
    counted: dict[str, Counted] = {}
    """Short hash of a process -> its counters when it was last read."""
    counted_time: float = 0.0
    """When that was."""
    headroom: Headroom | None = None
    headroom_time: float = 0.0
    """When nodes and quotas were last read."""

    def is_due(self, now: float, interval: float) -> bool:
        """Whether the next record is to be taken; `interval` is the operator's, in seconds."""
        seconds = max(interval, min(SECONDS, 2 * interval))
        return now - self.usage.asked >= seconds - interval / 10

    def wants_room(self, now: float) -> bool:
        """Whether nodes and quotas are to be read with it."""
        return now - self.headroom_time >= ROOM_SECONDS

    def with_requests(self, read: Iterable[Item[RequestsReading]], now: float) -> "Baseline":
        """Take over what production's metrics say; only processes count that were read before."""
        counted = {
            hashlib.sha256(item.value.boot.encode()).hexdigest()[:8]: _counted(item.value)
            for item in read
            if isinstance(item, Found)
        }
        if not counted:
            return self
        new = [
            one.since(before)
            for name, one in counted.items()
            if (before := self.counted.get(name)) and one.requests >= before.requests
        ]
        seconds, series = now - self.counted_time, self.requests
        if new and 0 < seconds <= LONGEST_SECONDS:
            series = appended(series, _course(new, now, seconds))
        update = {"requests": series, "counted": counted, "counted_time": now}
        return self.model_copy(update=update)

    def stored(self) -> dict[str, str]:
        """Give the ConfigMap data that holds it; nothing where nothing was recorded."""
        if self == Baseline():
            return {}
        packed = zlib.compress(self.model_dump_json(exclude_defaults=True).encode())
        return {KEY: base64.b64encode(packed).decode()}

    @classmethod
    def read(cls, data: Mapping[str, str] | None) -> "Baseline":
        """Read it back; what can't be read is recorded anew."""
        text = (data or {}).get(KEY)
        if text is None:
            return cls()
        try:
            return cls.model_validate_json(zlib.decompress(base64.b64decode(text)))
        except (ValidationError, zlib.error, binascii.Error):
            return cls()


def _counted(reading: RequestsReading) -> Counted:
    finite = sorted((end, n) for end, n in reading.buckets.items() if isfinite(end))
    return Counted(requests=reading.requests, errors=reading.errors, buckets=tuple(finite))


def _course(new: Iterable[Counted], now: float, seconds: float) -> Course:
    parts = list(new)
    timed: dict[float, int] = {}
    for end, n in (bucket for part in parts for bucket in part.buckets):
        timed[end] = timed.get(end, 0) + n
    requests = sum(part.requests for part in parts)
    return Course(
        end=float(int(now)),
        seconds=float(round(seconds)),
        requests=requests,
        errors=sum(part.errors for part in parts),
        p50=round(1000 * _quantile(timed, requests, 0.5), 1),
        p99=round(1000 * _quantile(timed, requests, 0.99), 1),
    )


def _quantile(timed: Mapping[float, int], requests: int, share: float) -> float:
    """Return the seconds that this share took at most: evenly spread within a bucket.

    As `histogram_quantile` of Prometheus: above the last end it is that end, with nothing timed 0.
    """
    begin, below, rank = 0.0, 0, share * requests
    for end in sorted(timed):
        inside = timed[end] - below
        if timed[end] >= rank and inside > 0:
            return begin + (end - begin) * (rank - below) / inside
        begin, below = end, max(below, timed[end])
    return begin if below else 0.0
