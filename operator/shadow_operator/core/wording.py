"""Numbers and reasons as people read them in status."""

import re
from math import floor


def words(reason: str) -> str:
    """Write a CamelCase reason inside a sentence: `comparators unreadable`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", reason).lower()


def count(number: int) -> str:
    """Write a count: `10,233`."""
    return f"{number:,}"


def percent(ratio: float) -> str:
    """Write a ratio as percentage, never rounded up: `99.97%`, close to all `99.9996%`."""
    digits = 4 if 0.9999 <= ratio < 1.0 else 2
    text = f"{floor(ratio * 100 * 10**digits + 1e-7) / 10**digits:.{digits}f}"
    return text.rstrip("0").rstrip(".") + "%"


def ratio_text(ratio: float) -> str:
    """Write a ratio for status, never rounded up: `0.9997`."""
    return f"{floor(ratio * 1e6 + 1e-4) / 1e6:.6f}".rstrip("0").rstrip(".") or "0"


_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def duration(seconds: float) -> str:
    """Write a duration in its two largest units: `3h 10m`."""
    rest = int(seconds)
    parts: list[str] = []
    for unit, letter in _UNITS:
        if rest >= unit and len(parts) < 2:
            parts.append(f"{rest // unit}{letter}")
            rest %= unit
        elif parts:
            break
    return " ".join(parts) or "0s"


def progress(elapsed: float, required: float) -> str:
    """Write how far a clock is, in the largest unit that shows it: `6h/24h`, `90s/2m`."""
    return f"{_short(min(elapsed, required))}/{_short(required)}"


def _short(seconds: float) -> str:
    whole = int(seconds)
    for unit, letter in ((3600, "h"), (60, "m")):
        if whole >= 2 * unit or (whole and whole % unit == 0):
            return f"{whole // unit}{letter}"
    return f"{whole}s"
