"""Values that belong to an instance, such as its start or what it has counted since.

They say nothing about a request: within one pod they never change, or only rise. Pairs can't tell
them from a change, because however many pairs there are, there are only as many such values as
pods. So each pod is followed by itself, in the comparator's memory; what leaves it is one word.
"""

from collections.abc import Iterable
from math import ceil
from typing import Final

CONSTANT: Final = "constant"
"""Every pod of both roles has a value of its own, which never changed."""
RISING: Final = "rising"
"""In every pod the value only rises; followed by how far both roles' growth is apart: `3 %`."""
NEITHER: Final = "neither"
UNKNOWN: Final = ""
"""Not followed for long enough."""

ANSWERS: Final = 20
"""Fewer answers of a pod say nothing about it."""
SECONDS: Final = 10.0
"""Growth is not known in a shorter time."""
LATE_SECONDS: Final = 1.0
"""Answers may overtake each other by so much."""
ANSWERS_PER_FALL: Final = 200
"""A container that starts again begins again; more falls than one in so many answers are none of
that. The first is free."""
ALIKE: Final = 25
"""Percent that both roles' growth may be apart: the shadow is probed more often, for example."""
PODS: Final = 12
"""Pods that are followed at one place."""

Value = str | int | float


class _Pod:
    """One place in one pod."""

    __slots__ = (
        "answers", "constant", "falls", "highest", "marked", "settled", "start", "started", "time",
        "value", "was_settled",
    )  # fmt: skip

    def __init__(self, value: Value, now: float) -> None:
        self.value = value
        self.constant = True
        self.answers = 0
        self.falls = 0
        self._restart(value, now)

    def _restart(self, value: Value, now: float) -> None:
        self.start = self.highest = self.settled = self.was_settled = value
        self.started = self.marked = self.time = now

    def add(self, value: Value, now: float) -> None:
        self.answers += 1
        if value == self.value:
            return
        self.constant = False
        if isinstance(value, str) or isinstance(self.highest, str):
            return
        if now < self.time:  # it waited for the others of its pair: to be older is no fall
            return
        self.time = now
        if now - self.marked >= LATE_SECONDS:
            self.was_settled, self.settled, self.marked = self.settled, self.highest, now
        if value < self.was_settled:  # type: ignore[operator]  # numbers, as seen above
            self.falls += 1
            self._restart(value, now)
        elif value > self.highest:
            self.highest = value

    @property
    def known(self) -> bool:
        return self.answers >= ANSWERS

    @property
    def rises(self) -> bool:
        is_number = not isinstance(self.highest, str)
        return is_number and self.falls <= 1 + self.answers // ANSWERS_PER_FALL

    def growth(self) -> float | None:
        """Return its growth per second; None where that is not known."""
        if self.constant:
            return 0.0
        if isinstance(self.highest, str) or isinstance(self.start, str):
            return None
        seconds = self.time - self.started
        return (self.highest - self.start) / seconds if seconds >= SECONDS else None


class Instances:
    """One place in the pods of both roles."""

    __slots__ = ("_neither", "_pods")

    def __init__(self) -> None:
        self._pods: tuple[dict[str, _Pod], dict[str, _Pod]] = ({}, {})
        self._neither = False

    def add(self, pod: str, value: Value, now: float, *, shadow: bool) -> None:
        """Take note of a value that a pod answered (`now`: when that was received, in seconds)."""
        if self._neither:
            return
        pods = self._pods[shadow]
        followed = pods.get(pod)
        if followed is None:
            if len(pods) >= PODS:
                return
            followed = pods[pod] = _Pod(value, now)
        followed.add(value, now)
        if followed.known and not (followed.constant or followed.rises):
            self._neither = True
            self._pods = ({}, {})  # nothing is kept that tells nothing

    @property
    def trend(self) -> str:
        """What they have in common: `constant`, `rising 3 %`, `neither`, or nothing yet."""
        if self._neither:
            return NEITHER
        references, shadows = ([p for p in pods.values() if p.known] for pods in self._pods)
        if len(references) < 2 or not shadows:  # one reference pod differs from none
            return UNKNOWN
        if all(pod.constant for pod in (*references, *shadows)):
            return CONSTANT
        reference = _mean(pod.growth() for pod in references)
        shadow = _mean(pod.growth() for pod in shadows)
        if reference is None or shadow is None:
            return UNKNOWN
        return f"{RISING} {_percent_apart(reference, shadow)} %"


def _percent_apart(one: float, other: float) -> int:
    """Return by how much two paces differ, relative to the faster one, rounded up."""
    return ceil(100 * abs(one - other) / max(one, other)) if one != other else 0


def _mean(numbers: Iterable[float | None]) -> float | None:
    known = list(numbers)
    total = 0.0
    for number in known:
        if number is None:
            return None
        total += number
    return total / len(known)


def merged(one: str, other: str) -> str:
    """Return what two comparators say together: the worse of both."""
    if UNKNOWN in {one, other} or one == other:
        return one or other
    if one.startswith(RISING) and other.startswith(RISING):
        return max(one, other, key=_percent)
    return NEITHER


def is_instance(trend: str) -> bool:
    """Say whether it is a value of the instance, and alike in both roles."""
    return trend == CONSTANT or (trend.startswith(RISING) and _percent(trend) <= ALIKE)


def _percent(trend: str) -> int:
    return int(trend.split()[1])
