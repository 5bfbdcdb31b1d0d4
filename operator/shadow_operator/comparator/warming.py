"""Which pods still warm up: their first answers say nothing about how fast they are."""

from typing import Final

WARM_ANSWERS: Final = 50
"""A pod is warm after so many answers: interpreters compile, pools and caches fill ..."""
WARM_SECONDS: Final = 10.0
"""... and so many seconds after its first, since a burst alone warms no compiler's queue."""
_MOST_PODS: Final = 1024
"""Addresses that are remembered; with more, all pods are taken for cold once more."""


class Warming:
    """Answers of each pod so far, as far as they matter."""

    __slots__ = ("_cold", "_warm")

    def __init__(self) -> None:
        self._warm: set[str] = set()
        self._cold: dict[str, tuple[int, float]] = {}
        """Address -> (answers, when the first came)."""

    def answered(self, pod: str, now: float) -> bool:
        """Note an answer at `now` (seconds) and say whether the pod was warm when it gave it."""
        if pod in self._warm:
            return True
        answers, since = self._cold.get(pod, (0, now))
        if answers >= WARM_ANSWERS and now - since >= WARM_SECONDS:
            del self._cold[pod]
            self._warm.add(pod)
            return True
        if len(self._cold) + len(self._warm) > _MOST_PODS:
            self._cold.clear()
            self._warm.clear()
        self._cold[pod] = (answers + 1, since)
        return False
