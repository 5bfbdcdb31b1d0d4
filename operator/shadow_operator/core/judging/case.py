"""What a gate looks at, and what it answers."""

from dataclasses import dataclass

from shadow_operator.api.enums import GateName, GateResult, ReferenceMode
from shadow_operator.api.spec import Spec
from shadow_operator.api.status import Gate, Needs
from shadow_operator.core.counting.tally import Tally
from shadow_operator.core.recording.ledger import Ledger
from shadow_operator.core.wording import count, duration


@dataclass(frozen=True, slots=True)
class Case:
    """All that a gate looks at."""

    spec: Spec
    ledger: Ledger
    tally: Tally
    soaked: bool
    """Whether the soak is complete."""
    design_effect: float = 1.0
    """So many mismatches count as one, because they come in bursts (`core/numbers/clusters`)."""
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
    def remaining_soak(self) -> float:
        """Seconds that the soak still takes if it runs."""
        return max(0.0, self.spec.soak_seconds - self.ledger.soak.counted)

    def needs(self, pairs: int) -> Needs:
        """Say how many pairs are missing and how long they take at the rate so far."""
        sofar = self.tally.attempts
        eta = int(pairs * self.seconds / sofar) if sofar and self.seconds else None
        return Needs(pairs=pairs, eta_seconds=None if eta is None else min(eta, 31_536_000))


@dataclass(frozen=True, slots=True)
class Outcome:
    """A gate, and whether it merely waits for the soak."""

    gate: Gate
    on_course: bool = False
    """Not passed yet, but it will be with more time of the same kind."""


def concluded(gate: Gate, result: GateResult, message: str, needs: Needs | None = None) -> Gate:
    """Give the gate with its result and its sentence."""
    return gate.model_copy(update={"result": result, "message": message[:1024], "needs": needs})


def inconclusive(name: GateName, message: str) -> Outcome:
    """Give a gate that has nothing to go by yet."""
    return Outcome(Gate(name=name, result=GateResult.INCONCLUSIVE, message=message))


def not_applicable(name: GateName, message: str) -> Outcome:
    """Give a gate that says nothing here."""
    return Outcome(Gate(name=name, result=GateResult.NOT_APPLICABLE, message=message))


def wanted(needs: Needs) -> str:
    """Say what is missing, as a clause."""
    pairs = count(needs.pairs or 0)
    if needs.eta_seconds is None:
        return f"{pairs} more pairs are needed"
    return f"{pairs} more pairs are needed, about {duration(needs.eta_seconds)}"
