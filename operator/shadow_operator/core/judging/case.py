"""What a gate looks at, and what it answers."""

from dataclasses import dataclass
from math import ceil
from typing import Final

from shadow_operator.api.enums import GateName, GateResult, ReferenceMode
from shadow_operator.api.spec import Spec
from shadow_operator.api.status import Gate, Needs
from shadow_operator.core.counting.tally import Tally
from shadow_operator.core.recording.ledger import Ledger
from shadow_operator.core.wording import count, duration

_YEAR: Final = 31_536_000
"""Status has room for no longer time."""


@dataclass(frozen=True, slots=True)
class Case:
    """All that a gate looks at."""

    spec: Spec
    ledger: Ledger
    tally: Tally
    soaked: bool
    """Whether the soak is complete."""
    design_effect: float = 1.0
    """So many mismatches count as one, because they come in bursts (`core/numbers/clusters`); of
    errors and timeouts the ledger tells it."""
    shadow_image: str = ""
    """Image id of the shadow; empty while it is not known."""

    @property
    def compares(self) -> bool:
        """Whether there is a reference to compare with."""
        return self.spec.reference.mode is not ReferenceMode.NONE

    @property
    def pairs(self) -> int:
        """Pairs compared or still undecided; requests where nothing is compared."""
        if not self.compares:
            return self.tally.attempts
        return self.tally.compared + self.tally.pending

    @property
    def seconds(self) -> float:
        """Seconds between the first and the last measurement."""
        first, last = self.ledger.first_measurement, self.ledger.last_measurement
        return last - first if first is not None and last is not None else 0.0

    @property
    def _unramped(self) -> float:
        """Seconds in which as many copies come as came so far: a ramp lets half of them through."""
        return self.seconds - min(self.seconds, self.spec.mirror.ramp_seconds) / 2

    @property
    def remaining_soak(self) -> float:
        """Seconds that the soak still takes if it runs."""
        return max(0.0, self.spec.soak_seconds - self.ledger.soak.counted)

    def wait(
        self, missing: float, sofar: float, what: str = "pairs", *, seconds: float | None = None
    ) -> "Wait":
        """Wait for so many more, at the rate so far: `sofar` in `seconds`, else in all of them.

        Where nothing came so far, or what came tells no rate (`sofar` 0), no time is named.
        """
        span, pairs = self._unramped if seconds is None else seconds, max(1, ceil(missing))
        eta = int(min(pairs * span / sofar, _YEAR)) if sofar and span else None
        return self.until(f"{count(pairs)} more {what} are needed", eta, pairs)

    def until(self, clause: str, eta: int | None, pairs: int | None = None) -> "Wait":
        """Wait for what comes in `eta` seconds; None: nobody knows when."""
        # While the ramp rises, more and more come: the time is no warning yet.
        rises = self.ledger.mirrored <= self.spec.mirror.ramp_seconds
        late = eta is not None and not (self.soaked or rises) and eta > self.remaining_soak
        if eta is not None:
            clause += f", about {duration(eta)}"
        if late:
            clause += f", but the soak has {duration(self.remaining_soak)} left"
        return Wait(
            needs=Needs(pairs=pairs, eta_seconds=eta),
            clause=clause,
            on_course=eta is not None and eta <= self.remaining_soak,
            late=late,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """A gate, and whether it merely waits for the soak."""

    gate: Gate
    on_course: bool = False
    """Not passed yet, but it will be with more time of the same kind."""
    late: bool = False
    """It needs more time than the soak still takes."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What a gate waits for, and whether the soak takes so long."""

    needs: Needs
    clause: str
    """`2,140 more pairs are needed, about 3h 10m, but the soak has 2h left`."""
    on_course: bool
    """It comes within the soak."""
    late: bool
    """It comes after the soak, which is not complete yet."""

    def outcome(self, gate: Gate, message: str) -> Outcome:
        """Give a gate that waits for it."""
        waiting = concluded(gate, GateResult.INCONCLUSIVE, message, self.needs)
        return Outcome(waiting, on_course=self.on_course, late=self.late)


def concluded(gate: Gate, result: GateResult, message: str, needs: Needs | None = None) -> Gate:
    """Give the gate with its result and its sentence."""
    return gate.model_copy(update={"result": result, "message": message[:1024], "needs": needs})


def inconclusive(name: GateName, message: str) -> Outcome:
    """Give a gate that has nothing to go by yet."""
    return Outcome(Gate(name=name, result=GateResult.INCONCLUSIVE, message=message))


def not_applicable(name: GateName, message: str) -> Outcome:
    """Give a gate that says nothing here."""
    return Outcome(Gate(name=name, result=GateResult.NOT_APPLICABLE, message=message))
