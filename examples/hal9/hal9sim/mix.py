"""What HAL9's clients ask: a realistic mix of its endpoints."""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from .network import LAYERS, Json, seed_id

SEEDS = 256
"""Seed signals that every HAL9 knows with the settings as they come."""

WORDS = ("alpha", "bridge", "delta", "ember", "forest", "harbor", "kernel", "orbit", "signal")


@dataclass(frozen=True)
class Request:
    """One request and the statuses that are right answers to it."""

    name: str
    path: str
    body: Json | None = None
    right: frozenset[int] = frozenset({200})

    @property
    def method(self) -> str:
        """GET without a body, POST with one."""
        return "GET" if self.body is None else "POST"


class Mix:
    """Requests in the proportions of `WEIGHTS`, the same sequence for the same seed."""

    WEIGHTS = (
        ("signal", 20),
        ("remembered", 23),
        ("recent", 2),
        ("status", 12),
        ("neurons", 9),
        ("neuron", 12),
        ("neuron-health", 8),
        ("network", 5),
        ("metrics", 3),
        ("errors", 3),
        ("health", 3),
    )

    def __init__(self, seed: int, paths: Sequence[str] = ()) -> None:
        self._random = random.Random(seed)  # noqa: S311 - variety, not secrecy
        self._paths = paths
        self._recent: deque[str] = deque(maxlen=100)

    def next(self) -> Request:
        """Return the next request of the sequence."""
        if self._paths:
            path = self._random.choice(self._paths)
            return Request(path, path)
        names, weights = zip(*self.WEIGHTS, strict=True)
        name = self._random.choices(names, weights)[0]
        if name == "signal":
            return self._signal()
        if name == "recent" and self._recent:
            # Each instance has a memory of its own, so the one that answers may not know it: both
            # statuses are right.
            path = f"/api/v1/signal/{self._random.choice(self._recent)}"
            return Request(name, path, right=frozenset({200, 404}))
        return Request(name, self._path(name))

    def learned(self, signal_id: str) -> None:
        """Take note of a signal that was stored."""
        self._recent.append(signal_id)

    def _signal(self) -> Request:
        number = self._random
        content = " ".join(number.choices(WORDS, k=number.randint(8, 60)))
        body = {
            "content": content,
            "source": f"client-{number.randint(1, 20)}",
            "intensity": round(number.random(), 3),
        }
        return Request("signal", "/api/v1/signal", body, right=frozenset({201}))

    def _path(self, name: str) -> str:
        layer = self._random.choice(LAYERS)
        neuron = f"/api/v1/neurons/{layer}-{self._random.randint(1, 4):02d}"
        return {
            "status": "/api/v1/status",
            "neurons": f"/api/v1/neurons?layer={layer}",
            "neuron": neuron,
            "neuron-health": f"{neuron}/health",
            "network": "/api/v1/network/status",
            "metrics": "/api/v1/metrics",
            "errors": "/api/v1/errors/recent",
            "health": "/health",
        }.get(name, f"/api/v1/signal/{seed_id(self._random.randint(1, SEEDS))}")
