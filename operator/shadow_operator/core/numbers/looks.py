"""Looks at evidence that grows: so few that the level of a test is shared out over all of them.

Where no bound holds at every look, a bound for one look is taken at these only, and in between the
last one stands. By the union bound all of them together are wrong with the level at most, however
much one look depends on another. They are a tenth of the evidence's age apart: that renews a third
of what the slope over it rests on, so that little of the level is spent on the same evidence twice.
"""

from dataclasses import dataclass
from math import ceil, exp, floor, log, pi
from typing import Final

STEP: Final = log(1.1)
"""Between two looks, in the logarithm of the age."""


@dataclass(frozen=True, slots=True)
class Look:
    """A look; ages are in seconds."""

    age: float
    following: float
    """Age at the next look."""
    number: int
    """1 for the first; 0: there was none yet."""
    distance: int
    """Looks from the one that is due: before it negative, after it positive."""

    def early(self, level: float) -> float:
        """Return the part of `level` that it has where what is found early is worth most."""
        return level * 6.0 / (pi * self.number) ** 2

    def due(self, level: float) -> float:
        """Return the part of `level` that it has where the look that is due decides."""
        return level * 3.0 / (pi**2 - 3.0) / (1 + abs(self.distance)) ** 2


def last_look(age: float, *, first: float, due: float, kept: float) -> Look:
    """Return the last look at evidence of that age.

    One is at the age `due`, none is before the age `first`. Beyond `kept`, the seconds that the
    evidence is kept for, it grows no more: from there on looks are equally far apart.
    """
    at = _place(due, kept)
    none = ceil(_place(first, kept) - at) - 1
    distance = max(none, floor(_place(age, kept) - at)) if age >= first else none
    return Look(
        age=_age(at + distance, kept) if distance else due,
        following=_age(at + distance + 1, kept),
        number=distance - none,
        distance=distance,
    )


def _place(age: float, kept: float) -> float:
    """Give how many looks an age is from the age `kept`."""
    return (log(age / kept) if age <= kept else age / kept - 1.0) / STEP


def _age(place: float, kept: float) -> float:
    """Give the age at a place."""
    return kept * (exp(place * STEP) if place <= 0.0 else 1.0 + place * STEP)
