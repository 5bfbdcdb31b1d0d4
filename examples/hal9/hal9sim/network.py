"""What HAL9 computes: pure functions of a request's content, the same in both systems.

The flat and the hierarchical system are two builds of one network, so a good new version gives the
same answers. Nothing here reads a clock, a random source or the environment.
"""

import hashlib
import json
import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Self

Json = dict[str, Any]

LAYERS = ("substrate", "protocol", "cognitive", "orchestration", "intelligence")
"""Lowest first, as HAL9 names them."""

CATEGORIES = ("observation", "question", "command", "pattern", "reflection")
SIGNAL_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
LEARNED_SHARE = 0.1
"""Share of the signals whose answer an active learning changes."""


class BadSignalError(ValueError):
    """The body of a POST is not a signal; the message says what to send instead."""


def fraction(*parts: str) -> float:
    """Map texts to a number in [0, 1): the simulation's only source of variety."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def hexadecimal(*parts: str) -> str:
    """Map texts to an id of sixteen hexadecimal digits."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def day(where: float) -> str:
    """Map a number in [0, 1) to a day of 2024 or 2025."""
    return (date(2024, 1, 1) + timedelta(days=int(where * 730))).isoformat()


@dataclass(frozen=True)
class Signal:
    """What a client sends to `POST /api/v1/signal`."""

    id: str
    """Given by the client, else derived from the content: every clone then knows it by one name."""
    content: str
    source: str
    intensity: float
    """0 to 1."""

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read `{"content": str, "source"?: str, "intensity"?: 0..1, "id"?: str}`."""
        try:
            given = json.loads(body)
        except ValueError as error:
            raise BadSignalError("the body is not JSON") from error
        if not isinstance(given, dict) or not isinstance(given.get("content"), str):
            raise BadSignalError('send an object with a text in "content"')
        intensity = given.get("intensity", 0.5)
        if not isinstance(intensity, int | float) or not 0 <= intensity <= 1:
            raise BadSignalError('"intensity" is a number from 0 to 1')
        content, source = given["content"], str(given.get("source", "unknown"))
        derived = hashlib.sha256(f"{source}\0{content}\0{intensity}".encode()).hexdigest()[:16]
        signal_id = given.get("id", f"sig-{derived}")
        if not isinstance(signal_id, str) or not SIGNAL_ID.fullmatch(signal_id):
            raise BadSignalError('"id" has 1 to 64 letters, digits, dots, dashes or underscores')
        return cls(signal_id, content, source, float(intensity))

    @property
    def key(self) -> str:
        """The content as one text: all that an answer depends on."""
        return f"{self.source}\0{self.content}\0{self.intensity}"


@dataclass(frozen=True)
class Neuron:
    """One neuron; it listens to neurons of its own layer and of the one below."""

    id: str
    layer: str
    threshold: float
    connections: tuple[str, ...]

    def summary(self) -> Json:
        """Return the neuron as a list shows it."""
        return {"id": self.id, "layer": self.layer, "state": "active", "threshold": self.threshold}


class Network:
    """All neurons, and the path of a signal through them."""

    def __init__(self, neurons_per_layer: int) -> None:
        self._layers = {
            layer: [
                _neuron(layer, index, neurons_per_layer)
                for index in range(1, neurons_per_layer + 1)
            ]
            for layer in LAYERS
        }
        self.neurons = {
            neuron.id: neuron for neurons in self._layers.values() for neuron in neurons
        }

    def process(self, signal: Signal, *, learning: bool = False) -> Json:
        """Carry a signal through all layers and return the result, about 600 bytes of JSON."""
        path = []
        activation = signal.intensity
        for layer, neurons in self._layers.items():
            neuron = neurons[int(fraction(signal.key, layer) * len(neurons))]
            activation = 0.55 * activation + 0.45 * fraction(signal.key, neuron.id)
            path.append(
                {"layer": layer, "neuron": neuron.id, "activation": round(activation, 6)},
            )
        ranked = sorted(self.neurons, key=lambda neuron_id: fraction(signal.key, "near", neuron_id))
        confidence = 0.5 + activation / 2
        if learning and self.learns_from(signal):
            confidence += (1 - confidence) / 20
        return {
            "category": CATEGORIES[int(fraction(signal.key, "category") * len(CATEGORIES))],
            "confidence": round(confidence, 6),
            "path": path,
            "associations": ranked[:4],
            "recall_on": day(fraction(signal.key, "recall")),
            "words": len(signal.content.split()),
        }

    @staticmethod
    def learns_from(signal: Signal) -> bool:
        """Say whether an active learning adjusts the answer to this signal."""
        return fraction(signal.key, "learning") < LEARNED_SHARE


class Memory:
    """The signals that one instance remembers: its seeds for ever, the others until it is full.

    Real state of one process: an instance knows only what it was sent, and forgets it when it ends.
    """

    def __init__(self, seeds: int, capacity: int) -> None:
        self._seeds = {signal.id: signal for signal in map(_seed, range(1, seeds + 1))}
        self._recent: OrderedDict[str, Signal] = OrderedDict()
        self._capacity = capacity

    def store(self, signal: Signal) -> None:
        """Remember a signal; the oldest is forgotten when there is no room."""
        if signal.id in self._seeds:
            raise BadSignalError(f'"id" {signal.id} is taken by a signal that can\'t be changed')
        self._recent[signal.id] = signal
        self._recent.move_to_end(signal.id)
        if len(self._recent) > self._capacity:
            self._recent.popitem(last=False)

    def find(self, signal_id: str) -> Signal | None:
        """Return a remembered signal, or None."""
        return self._seeds.get(signal_id) or self._recent.get(signal_id)


def seed_id(number: int) -> str:
    """Name the seed signal with this number, counted from 1."""
    return f"seed-{number:04d}"


def _seed(number: int) -> Signal:
    return Signal(seed_id(number), f"memory {number} from before the start", "seed", 0.5)


def _neuron(layer: str, index: int, per_layer: int) -> Neuron:
    own = f"{layer}-{index:02d}"
    below = LAYERS[max(LAYERS.index(layer) - 1, 0)]
    neighbours = {
        f"{side}-{1 + int(fraction(own, side, str(turn)) * per_layer):02d}"
        for side in (layer, below)
        for turn in range(3)
    }
    return Neuron(
        own, layer, round(0.2 + 0.6 * fraction(own), 3), tuple(sorted(neighbours - {own}))
    )
