"""One case on trial: the evidence of its route alone, judged by the operator's own judge."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from shadow_operator.api.enums import Decision, GateMode, GateResult
from shadow_operator.api.evidence import ComparatorSnapshot, PathRule, RouteCounts
from shadow_operator.api.presets import HAL9
from shadow_operator.api.spec import Spec
from shadow_operator.api.status import Gate, TopDifference
from shadow_operator.core.judging.judgement import (
    Judgement,
    Ledger,
    Subject,
    advance,
    begin,
    hints,
    judge,
    settle,
)
from shadow_operator.core.snapshot import Found, Item, LayerReading
from tests.support import readings
from tests.support.catalogue.cases import BUSY, LEARNS, PATIENT_SECONDS, SECONDS, Case
from tests.support.judged import told

EPOCH: Final = "catalogue"
INTERVAL: Final = 0.5
"""Seconds between two readings at least, where an operator waits for 30."""
SUBJECT: Final = Subject("hal9", "hal9", "sha256:new", "sha256:old")
GROWTH: Final = 1.15
"""A case is judged again once it has so many times as many requests."""
PATIENCE: Final = 5
"""A harmless case gets at most so many times its requests, where something is undecided after them.

Noise takes three disagreements of the reference with itself. A field that rarely differs, or that
differs in several ways, has had too few after 400 requests now and then: a user's verdict waits.
"""


@dataclass(frozen=True)
class Finding:
    """What was found of a case, and after how many requests."""

    requests: int
    sentence: str
    """What the gate says."""
    named: TopDifference | None = None


WHOLE: Final = Case(
    "everything",
    "all that is harmless, as one resource",
    most=40_000,
    spec={
        "soakSeconds": 5,
        "comparison": {
            "learningMarker": HAL9.learning_marker,
            "expectedVariations": [LEARNS],
        },
        # Answers are not timed here: the machine is full.
        "gates": {"latencyP50": {"mode": "Advisory"}, "latencyP99": {"mode": "Advisory"}},
    },
)


def spec_of(case: Case) -> Spec:
    """Give the spec under which a case is judged."""
    seconds = SECONDS if case.caught else PATIENT_SECONDS
    comparison = {"routes": [case.path] if case.path else [], "timeoutSeconds": seconds}
    changes = {name: value for name, value in case.spec.items() if name != "comparison"}
    return readings.spec(
        mirror={"provider": "External", "methods": ["GET", "HEAD", "POST"]},
        comparison=comparison | case.spec.get("comparison", {}),
        **changes,
    )


class Trial:
    """A case, its evidence, and what the judge says of it."""

    def __init__(self, case: Case, *, now: float) -> None:
        self.case = case
        self.spec = spec_of(case)
        self.ledger: Ledger = begin(EPOCH, now=now, interval=INTERVAL)
        self._readings: dict[str, ComparatorSnapshot] = {}
        """The latest one of each comparator."""
        self.judged: Judgement | None = None
        self.requests = 0
        """That were answered or failed, as the comparator counts them."""
        self.sent = 0
        self.found: Finding | None = None
        """A regression that was caught."""
        self.accused: list[str] = []
        """Every accusation at any look: differences that count, gates that failed."""
        self.hints: tuple[PathRule, ...] = ()
        """What the operator would tell the comparators of this route."""
        self.decided: int | None = None
        """Requests after which all that differs is known to be noise, and stays so."""

    @property
    def over(self) -> bool:
        """Whether nothing more has to be sent for it."""
        if self.case.caught is not None:
            return self.found is not None or self.requests >= self.case.most
        enough = self.case.most if self.decided is not None else PATIENCE * self.case.most
        return self.requests >= enough

    @property
    def is_right(self) -> bool:
        """Whether a regression was caught, or nothing harmless was accused or left open."""
        if self.case.caught is not None:
            return self.found is not None
        return not self.accused and self.decided is not None

    def told(self) -> str:
        """Say how it stands, for whoever looks at a failure."""
        assert self.judged is not None
        after = f"after {self.requests} requests"
        return "\n".join((after, told(self.judged), *sorted(set(self.accused))))

    def look(self, snapshot: ComparatorSnapshot, now: float, *, last: bool = False) -> None:
        """Take over a reading of a comparator, and judge where enough is new, or it is the last."""
        self._readings[snapshot.pod_uid] = self._part(snapshot)
        requests = sum(one.received for one in self._readings.values())
        growth = 1.0 if self.case.timed or last else GROWTH  # whether bursts last takes intervals
        if requests >= max(self.requests * growth, self.requests + (1 if last else 10)):
            self.requests = requests
            self.judge({name: Found(one) for name, one in self._readings.items()}, now)

    def concerns(self, path: str) -> bool:
        """Whether a route is judged here."""
        return path == self.case.path

    def _part(self, snapshot: ComparatorSnapshot) -> ComparatorSnapshot:
        """Leave the routes of the case, as if nothing else had been received."""
        routes = tuple(route for route in snapshot.routes if self.concerns(route.template))
        requests = sum(map(_requests, routes))
        return snapshot.model_copy(
            update={"routes": routes, "received": requests, "eligible": requests, "shed": {}}
        )

    def judge(
        self,
        comparators: Mapping[str, Item[ComparatorSnapshot]],
        now: float,
        layers: tuple[LayerReading, ...] = (),
    ) -> None:
        """Advance the evidence, judge it, and note what comes of it."""
        after = advance(
            self.ledger,
            comparators,
            {},
            now=now,
            mirroring=True,
            healthy=True,
            interval=INTERVAL,
            layers=layers,
            spec=self.spec,
        )
        self.judged = judge(self.spec, after, SUBJECT, now=now)
        self.ledger = settle(self.spec, after, self.judged, now=now)
        self.hints = hints(self.spec, self.ledger)
        self._note(self.judged)

    def _note(self, judged: Judgement) -> None:
        differences = judged.comparison.top_differences
        counting = [d for d in differences if d.excused_by is None]
        failed = [g for g in judged.gates if g.result is GateResult.FAILED and self._decides(g)]
        if self.case.caught is None:
            self.accused += [f"{d.route} {d.path} {d.kind} in {d.count}" for d in counting]
            self.accused += [f"{gate.name}: {gate.message}" for gate in failed]
            open_ = [d for d in differences if (d.excused_by or "").startswith("undecided")]
            if counting or open_:
                self.decided = None
            elif self.decided is None:
                self.decided = self.requests
        else:
            self.found = self._caught(counting, failed)

    def _decides(self, gate: Gate) -> bool:
        return self.spec.mode(gate.name) is GateMode.REQUIRED

    def _caught(self, counting: list[TopDifference], failed: list[Gate]) -> Finding | None:
        """Say what was found, if it is what there is to be found."""
        want = self.case.caught
        assert want is not None
        gate = next((gate for gate in failed if gate.name == want.gate), None)
        if want.gate is not None and gate is None:
            return None
        found = Finding(self.requests, gate.message if gate else "")
        if not want.path:
            return found if want.says in found.sentence else None
        named = next((d for d in counting if (d.path, d.kind) == (want.path, want.kind)), None)
        if named is None or named.route != self.case.route:
            return None
        return replace(found, named=named)


class Whole(Trial):
    """All that is harmless as one resource, which may proceed once all of it is known."""

    def concerns(self, path: str) -> bool:
        """Whether a route is judged here."""
        return not path.endswith(BUSY)

    @property
    def over(self) -> bool:
        """Whether it may proceed, or has had all the requests that it gets."""
        return self._proceeds or self.requests >= self.case.most

    @property
    def is_right(self) -> bool:
        """Whether nothing was accused, and it may proceed."""
        return not self.accused and self._proceeds

    @property
    def _proceeds(self) -> bool:
        verdict = self.judged.verdict if self.judged else None
        return verdict is not None and verdict.decision is Decision.PROCEED_TO_CANARY


def _requests(route: RouteCounts) -> int:
    failed = (
        route.shadow_errors, route.reference_errors, route.both_errors,
        route.shadow_timeouts, route.reference_timeouts, route.both_timeouts,
    )  # fmt: skip
    return (
        route.pairs + sum(failed) + sum(route.unproven.values()) + sum(route.incomparable.values())
    )
