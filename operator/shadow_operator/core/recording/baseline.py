"""The baseline: what production uses, and what room there is, while `phase: None` is asked for.

It is read more seldom than an interval, because nothing hangs on it yet, and it is kept beside the
ledger, because it belongs to no epoch.
"""

import base64
import binascii
import zlib
from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from shadow_operator.core.numbers.series import appended
from shadow_operator.core.recording.headroom import Headroom
from shadow_operator.core.recording.meter import Meter
from shadow_operator.core.recording.production import Course
from shadow_operator.core.recording.usage import Usage
from shadow_operator.core.snapshot import Item, RequestsReading

KEY: Final = "baseline"
"""Key in the data of the evidence ConfigMap."""
SECONDS: Final = 60.0
"""Between two records, or two intervals where they are shorter: the metrics API has hardly more to
say."""
ROOM_SECONDS: Final = 300.0
"""Between two looks at nodes and quotas."""


class Baseline(BaseModel):
    """What was recorded. Times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    usage: Usage = Usage()
    """Of production's pods."""
    requests: tuple[Course, ...] = ()
    """How production ran, as its own metrics say: `core/numbers/series` of records."""
    meter: Meter = Meter()
    """Up to where that was taken over."""
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
        """Take over what production's metrics say."""
        items = list(read)
        if not items:
            return self
        meter, course = self.meter.taken(items, now=now)
        series = self.requests if course is None else appended(self.requests, _light(course))
        return self.model_copy(update={"requests": series, "meter": meter})

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


def _light(course: Course) -> Course:
    """Return a record without latencies, in whole seconds: nothing is judged by it."""
    whole = {"end": float(int(course.end)), "seconds": float(round(course.seconds)), "bins": {}}
    return course.model_copy(update=whole)
