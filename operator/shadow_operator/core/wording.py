"""Numbers and reasons as people read them in status."""

import re
from collections.abc import Iterable, Mapping, Sequence
from math import floor
from typing import Final

from shadow_operator.api.enums import GateName
from shadow_operator.core.snapshot import Amount


def all_of(parts: Sequence[str]) -> str:
    """Join what stands in one sentence: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def words(reason: str) -> str:
    """Write a CamelCase reason inside a sentence: `comparators unreadable`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", reason).lower()


def count(number: int) -> str:
    """Write a count: `10,233`."""
    return f"{number:,}"


def percent(ratio: float, digits: int | None = None) -> str:
    """Write a ratio as percentage, never rounded up: `99.97%`, close to all `99.9996%`.

    `digits` behind the point are at most 2, and 4 where 2 would hide what is missing.
    """
    if digits is None:
        digits = 4 if 0.9999 <= ratio < 1.0 else 2
    text = f"{floor(ratio * 100 * 10**digits + 1e-7) / 10**digits:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if digits else text) + "%"


def ratio_text(ratio: float) -> str:
    """Write a ratio for status, never rounded up: `0.9997`."""
    return f"{floor(ratio * 1e6 + 1e-4) / 1e6:.6f}".rstrip("0").rstrip(".") or "0"


def memory(size: float) -> str:
    """Write an amount of memory: `1.5 GiB`, `210 MiB`."""
    if size >= 1 << 30:
        return f"{size / (1 << 30):.1f} GiB"
    return f"{size / (1 << 20):.0f} MiB"


def cpu(millicores: float) -> str:
    """Write an amount of CPU: `1.2 CPU`, `80m CPU`."""
    return f"{millicores / 1000:.1f} CPU" if millicores >= 1000 else f"{millicores:.0f}m CPU"


def amount(of: Amount) -> str:
    """Write both: `1.2 CPU and 1.5 GiB`."""
    return f"{cpu(of.cpu)} and {memory(of.memory)}"


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


_SHORT: Final[Mapping[str, str]] = {
    GateName.PRODUCTION_IMPACT: "production",
    GateName.CRITICAL_DIFFERENCES: "critical",
    GateName.SHADOW_ERRORS: "errors",
    GateName.ELIGIBLE_SHARE: "eligible",
    GateName.JUDGED_SHARE: "judged",
    GateName.MINIMUM_PAIRS: "pairs",
    GateName.MEMORY_GROWTH: "memory",
}


def column(blocked_by: str) -> str:
    """Write what is in the way in 11 letters at most; how far the soak is, its own column says."""
    return _SHORT.get(blocked_by, blocked_by.partition(" ")[0])


def packed(parts: Iterable[str], *, joint: str, room: int, most: int) -> tuple[str, ...]:
    """Join parts into at most `most` texts of `room` bytes; the last counts what did not fit."""
    groups: list[list[str]] = []
    for part in parts:
        if groups and len(joint.join((*groups[-1], part)).encode()) <= room:
            groups[-1].append(part)
        else:
            groups.append([part])
    kept, missing = groups[:most], sum(map(len, groups[most:]))
    while missing and len(joint.join((*kept[-1], _more(missing))).encode()) > room:
        kept[-1].pop()
        missing += 1
    if missing:
        kept[-1].append(_more(missing))
    return tuple(joint.join(group) for group in kept)


def _more(number: int) -> str:
    return f"and {number} more"
