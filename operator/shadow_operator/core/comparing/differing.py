"""How far two numbers are apart, as evidence keeps it: an interval of relative differences.

Such an interval is named by its lower edge, which does not belong to it, while its upper edge does:
`1e-3` is all above 0.001 up to 0.01. So a rule that tolerates 0.01 tolerates it, to the last digit.
Edges are the powers of ten, and whatever a tolerance says besides.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final

SMALLEST: Final = -17
"""Power of ten of the lowest interval: all up to 1e-16, the last digit of a float, is one."""
WHOLE: Final = "1e0"
"""As far apart as the larger amount or more: another sign, zero against something."""


@dataclass(frozen=True, slots=True)
class Edges:
    """Edges of the intervals, rising; three times the same ones."""

    names: tuple[str, ...]
    floats: tuple[float, ...]
    exact: tuple[Fraction, ...]


@lru_cache(maxsize=64)
def edges_of(more: tuple[str, ...] = ()) -> Edges:
    """Give the powers of ten and some more edges, in the words of a tolerance: `0.02`."""
    names = {Fraction(name): name for name in map(named, more)}
    names |= {Fraction(f"1e{power}"): f"1e{power}" for power in range(SMALLEST, 0)}
    exact = tuple(sorted(names))
    return Edges(tuple(names[edge] for edge in exact), tuple(map(float, exact)), exact)


def own_edges(relatives: Iterable[str]) -> tuple[str, ...]:
    """Give the edges that these tolerances need besides the powers of ten, each once, sorted."""
    tens = edges_of().exact
    needed = {named(text) for text in relatives if Fraction(text) not in tens}
    return tuple(sorted((n for n in needed if tens[0] < Fraction(n) < 1), key=Fraction))


def named(relative: str) -> str:
    """Write a relative difference as a detail has it: `2e-2` for `0.02`."""
    _, digits, exponent = Decimal(relative).normalize().as_tuple()
    first, *rest = map(str, digits)
    decimals = f".{''.join(rest)}" if rest else ""
    return f"{first}{decimals}e{int(exponent) + len(rest)}"


def largest(detail: str, edges: Edges) -> Fraction | None:
    """Give the upper edge of an interval; None where there is none, or it is not known."""
    if detail not in edges.names:
        return None
    above = edges.names.index(detail) + 1
    return edges.exact[above] if above < len(edges.exact) else Fraction(1)


def magnitude(left: float, right: float, edges: Edges | None = None) -> str:
    """Return the interval of the relative difference: `1e-3` for 1,000 against 1,002.

    The difference is relative to the larger amount; a float is taken for the decimal number that
    it is written as.
    """
    edges = edges or edges_of()
    try:
        relative = abs(left - right) / max(abs(left), abs(right))
        if not relative < 1:  # nor is a number that is none
            return WHOLE
        # Rounding decides nothing: near an edge it is worked out exactly.
        slack = 1e-9 * relative + 4e-16
        below = bisect_left(edges.floats, relative - slack)
        if below != bisect_left(edges.floats, relative + slack):
            below = bisect_left(edges.exact, _exactly(left, right))
    except (OverflowError, ValueError):  # integers beyond the range of a float
        return WHOLE
    return edges.names[max(0, below - 1)]


def apart(seconds: float) -> str:
    """Return how far two times are apart: `1e4` for more than 10,000 seconds, up to ten times that.

    Empty for ten seconds or less: so long a call may take.
    """
    power = 0
    while power < LONGEST and abs(seconds) > 10 ** (power + 1):
        power += 1
    return f"1e{power}" if power else ""


LONGEST: Final = 10
"""Power of ten of the seconds between times that are centuries apart."""


def _exactly(left: float, right: float) -> Fraction:
    one, other = Fraction(repr(left)), Fraction(repr(right))
    return abs(one - other) / max(abs(one), abs(other))
