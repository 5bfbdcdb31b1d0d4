"""What happened to a resource, as its events say."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Happened:
    """One event."""

    time: datetime
    reason: str
    message: str
    warning: bool = False
