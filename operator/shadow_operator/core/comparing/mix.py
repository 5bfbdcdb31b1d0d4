"""The mix of answers of a route: which share has which status, in production and in the clones.

Statuses are counted in a few groups, so that counts stay small: by class, and singly where the
status says why a clone can't do the work.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

Statuses: TypeAlias = Mapping[str, int]
"""Group -> answers."""

ALL: Final = ""
"""Key of the mix of all eligible requests, beside those of declared templates."""
MOST_TEMPLATES: Final = 32
"""Declared templates that production's answers are counted of, each by itself."""

BEYOND: Final = 0.05
"""Shares of a status may differ by so much: not all that production keeps can be in clones."""
UNPROVEN: Final = frozenset({"401", "403", "404", "407", "429", "5xx"})
"""Groups of statuses that prove nothing where both sides answer so."""

_SINGLE: Final = frozenset({401, 403, 404, 407, 429})
_CONDITIONAL: Final = frozenset({304, 412, 416})
"""Answers to `If-*` and `Range`, which copies lose: the clones answer the whole with 200."""


def group(status: int) -> str:
    """Return the group of a status: `2xx`, `404`."""
    if status in _CONDITIONAL:
        return "2xx"
    return str(status) if status in _SINGLE else f"{status // 100}xx"


def key(template: str) -> str:
    """Return the name under which Envoy counts a template: it must not look like one."""
    return hashlib.sha256(template.encode()).hexdigest()[:8]


def added(tables: Iterable[Mapping[str, Statuses]]) -> dict[str, dict[str, int]]:
    """Add up tables of key -> group -> count."""
    total: dict[str, dict[str, int]] = {}
    for table in tables:
        for name, statuses in table.items():
            mine = total.setdefault(name, {})
            for status, count in statuses.items():
                mine[status] = mine.get(status, 0) + count
    return total


def weighted(
    before: Mapping[str, Statuses], now: Mapping[str, Statuses], percent: int
) -> dict[str, dict[str, int]]:
    """Return what came since `before`, in hundredths: each answer counts as often as it is copied.

    Counters of one process never fall, so what would is not counted.
    """
    return {
        name: {
            status: percent * more
            for status, count in statuses.items()
            if (more := count - before.get(name, {}).get(status, 0)) > 0
        }
        for name, statuses in now.items()
    }


def unproven_share(answers: Statuses) -> float:
    """Return which share of answers would prove nothing, if both sides gave them; 0 of none."""
    total = sum(answers.values())
    return sum(n for status, n in answers.items() if status in UNPROVEN) / total if total else 0.0


def whole(hundredths: Statuses) -> dict[str, int]:
    """Return the answers of which copies are expected."""
    return {status: count // 100 for status, count in hundredths.items() if count >= 100}
