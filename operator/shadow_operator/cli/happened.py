"""What happened to a resource, as its events say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Happened:
    """One event."""

    time: datetime
    reason: str
    message: str
    warning: bool = False


def happened(events: Iterable[Mapping[str, Any]]) -> tuple[Happened, ...]:
    """Read events as the API server lists them (`v1`); gives them sorted, the newest last."""
    known = (
        Happened(
            datetime.fromisoformat(time),
            one.get("reason") or "",
            one.get("message") or "",
            warning=one.get("type") == "Warning",
        )
        for one in events
        if (time := one.get("eventTime") or one.get("lastTimestamp"))
    )
    return tuple(sorted(known, key=lambda event: event.time))
