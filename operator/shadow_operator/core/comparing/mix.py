"""The mix of answers of a route: which share is of which kind, in production and in the clones.

Answers are counted in a few groups, so that counts stay small. By status: by its class, and singly
where it says why a clone can't do the work. By the size of their body: in classes that are about
three times as wide as the one below.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

Mix: TypeAlias = Mapping[str, int]
"""Group of statuses, or class of sizes -> answers."""

ALL: Final = ""
"""Key of the mix of all eligible requests, beside those of declared templates."""
MOST_TEMPLATES: Final = 32
"""Declared templates that production's answers are counted of, each by itself."""

BEYOND: Final = 0.05
"""Shares may differ by so much: not all that production keeps can be in clones."""
UNPROVEN: Final = frozenset({"401", "403", "404", "407", "429", "5xx"})
"""Groups of statuses that prove nothing where both sides answer so."""

SIZES: Final = (0, *(step * 10**power for power in range(7) for step in (1, 3)))
"""Where the classes of sizes begin, in bytes; the last has no end. They are edges of Envoy's bins
(circllhist: two significant digits), so that both sides count the same."""

NOT_WHOLE: Final = (
    *("if-match", "if-none-match", "if-modified-since", "if-unmodified-since"),
    *("if-range", "range"),
)
"""Headers that ask for less than a whole answer; copies lose them."""

_SINGLE: Final = frozenset({401, 403, 404, 407, 429})
_CONDITIONAL: Final = frozenset({304, 412, 416})
"""Answers to `If-*` and `Range`, which copies lose: the clones answer the whole with 200."""


def group(status: int) -> str:
    """Return the group of a status: `2xx`, `404`."""
    if status in _CONDITIONAL:
        return "2xx"
    return str(status) if status in _SINGLE else f"{status // 100}xx"


def is_sized(method: str, status: int) -> bool:
    """Whether answers of this kind are counted by size: those with a body that is whole.

    Of requests with a header of `NOT_WHOLE` none is, on neither side.
    """
    return status == 200 and method != "HEAD"


def size_class(size: int) -> str:
    """Return the class of a body of so many bytes: where it begins, `300`."""
    return str(SIZES[bisect_right(SIZES, size) - 1])


def key(template: str) -> str:
    """Return the name under which Envoy counts a template: it must not look like one."""
    return hashlib.sha256(template.encode()).hexdigest()[:8]


def added(tables: Iterable[Mapping[str, Mix]]) -> dict[str, dict[str, int]]:
    """Add up tables of key -> group -> count."""
    total: dict[str, dict[str, int]] = {}
    for table in tables:
        for name, groups in table.items():
            mine = total.setdefault(name, {})
            for group, count in groups.items():
                mine[group] = mine.get(group, 0) + count
    return total


def weighted(
    before: Mapping[str, Mix], now: Mapping[str, Mix], percent: int
) -> dict[str, dict[str, int]]:
    """Return what came since `before`, in hundredths: each answer counts as often as it is copied.

    Counters of one process never fall, so what would is not counted.
    """
    return {
        name: {
            group: percent * more
            for group, count in groups.items()
            if (more := count - before.get(name, {}).get(group, 0)) > 0
        }
        for name, groups in now.items()
    }


def unproven_share(answers: Mix) -> float:
    """Return which share of answers would prove nothing, if both sides gave them; 0 of none."""
    total = sum(answers.values())
    return sum(n for status, n in answers.items() if status in UNPROVEN) / total if total else 0.0


def whole(hundredths: Mix) -> dict[str, int]:
    """Return the answers of which copies are expected."""
    return {group: count // 100 for group, count in hundredths.items() if count >= 100}
