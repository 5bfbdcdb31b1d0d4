"""Real comparing and counting in a `World`: only the answers of the services are made up.

Bodies are compared by `core/comparing/compare` and counted by `comparator/counts`, snapshots are
those of `comparator/export`, hints come from the mounted configuration. What is left out is the
network.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from shadow_operator.api.evidence import ComparatorConfig, ComparatorSnapshot
from shadow_operator.comparator import export
from shadow_operator.comparator.counts import Counts, Result, Rules
from shadow_operator.core.comparing.answer import Answer
from shadow_operator.core.recording.ledger import Ledger
from shadow_operator.core.snapshot import ObjectRef, Pod
from tests.support.world import World

Service = Callable[[random.Random, int], dict[str, Any]]
"""Random numbers, number of the request -> the content of an answer."""

CONTROL_EVERY: Final = 20
HINTED_AFTER: Final = 60.0
"""Seconds until a mounted ConfigMap arrives."""
CONFIG: Final = ObjectRef("v1", "ConfigMap", "hal9-comparator")
_HEADERS: Final = {"content-type": "application/json"}


def empty(_: random.Random, __: int) -> dict[str, Any]:
    """Answer with nothing."""
    return {}


STABLE: Final = {f"field{chr(97 + n // 8)}{chr(97 + n % 8)}": n for n in range(40)}


def noisy(dice: random.Random, _: int) -> dict[str, Any]:
    """Answer with twelve fields that differ, or not, independently of each other."""
    noise: dict[str, Any] = {f"noise{letter}": dice.choice(["red", "green"]) for letter in "abcd"}
    noise |= {f"count{letter}": dice.randint(1, 2) for letter in "abcd"}
    noise |= {f"flag{letter}": dice.choice([True, False]) for letter in "abcd"}
    return STABLE | noise


@dataclass
class Comparator:
    """One process."""

    seed: int
    counts: Counts = field(default_factory=Counts)
    number: int = 0

    def __post_init__(self) -> None:
        """Begin at nothing."""
        self._dice = random.Random(self.seed)  # noqa: S311  # repeatable

    def compare(self, world: "CountingWorld", pairs: int, rules: Rules) -> None:
        """Compare so many pairs, with a control for one in twenty and for those in doubt."""
        for _ in range(pairs):
            self.number += 1
            number, now = self.number, world.now
            tally = self.counts.tally("GET", world.path(number))
            of_route = rules.of("GET", tally.route.template)
            reference = self._answer(world.reference, now)
            control = self._answer(world.reference, now) if number % CONTROL_EVERY == 0 else None
            shadow = self._answer(world.shadow, now)
            question = tally.pair(
                shadow, reference, control, of_route, now=now, request_id=f"r-{number}"
            )
            if question is not None:
                question.ask()
                another = self._answer(world.reference, now)
                tally.control(question, reference, another, of_route)
        self.counts.received += pairs
        self.counts.eligible += pairs

    def _answer(self, service: Service, now: float) -> Result:
        body = json.dumps(service(self._dice, self.number)).encode()
        seconds = self._dice.lognormvariate(-4, 0.4)
        answer = Answer(200, _HEADERS, body, len(body))
        return Result("10.0.0.1", answer, "", seconds, received=now)


@dataclass
class CountingWorld(World):
    """A world whose comparators compare what two services answer."""

    reference: Service = empty
    shadow: Service = empty
    path: Callable[[int], str] = lambda number: f"/api/v1/neurons/{number % 9000}"
    processes: dict[str, Comparator] = field(default_factory=dict)
    _configured: list[tuple[float, Rules]] = field(default_factory=list)
    _config: str = ""

    @property
    def ledger(self) -> Ledger:
        """The evidence as it is stored."""
        ledger, problem = self.situation.evidence
        assert ledger is not None, problem
        return ledger

    def _serve(self) -> None:
        before = dict(self.answered)
        super()._serve()
        self._configure()
        rules = next(
            (r for t, r in reversed(self._configured) if self.now - t >= HINTED_AFTER), None
        )
        for pod, answered in self.answered.items():
            process = self.processes.setdefault(pod, Comparator(seed=len(self.processes) + 1))
            pairs = answered - before.get(pod, 0)
            process.compare(self, pairs, rules or self._configured[0][1])

    def _configure(self) -> None:
        live = self.objects.get(CONFIG)
        if live is not None and (text := next(iter(live["data"].values()))) != self._config:
            self._config = text
            rules = Rules(ComparatorConfig.model_validate_json(text))
            self._configured.append((self.now, rules))

    def _measured(self, pod: Pod) -> ComparatorSnapshot:
        told = super()._measured(pod)
        process = self.processes.get(pod.name)
        routes = export.routes(process.counts) if process else ()
        return told.model_copy(update={"routes": routes})
