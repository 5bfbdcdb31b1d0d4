"""What a run of ten minutes has seen, and what one of its gates says about it."""

from dataclasses import dataclass, field
from typing import Any

from shadow_operator.api.enums import GateName
from shadow_operator.api.evidence import ControlCounts, RouteCounts
from shadow_operator.api.status import Gate
from shadow_operator.core.counting.counts import Counts
from shadow_operator.core.judging.judgement import Judgement, Subject, judge
from shadow_operator.core.numbers.bursts import Burst, Bursts
from shadow_operator.core.numbers.histogram import timing_of
from shadow_operator.core.recording.ledger import Coverage, LayerRecord, Ledger, Process, begin
from shadow_operator.core.recording.soak import Soak
from tests.support import judged
from tests.support.readings import EPOCH, control, route, spec

STEADY = Bursts(ratio=Burst(deviations=20.0, intervals=20))
"""Answers that are as independent as chance allows."""


@dataclass
class Seen:
    """What a ledger of ten minutes shows, after the soak unless said otherwise."""

    routes: tuple[RouteCounts, ...] = ()
    spec: dict[str, Any] = field(default_factory=dict)
    soaked: bool = True
    eligible: int | None = None
    received: int | None = None
    credentials: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    layers: dict[str, LayerRecord] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    """Other fields of the ledger."""

    def ledger(self) -> Ledger:
        """Give the evidence."""
        pairs = sum(one.pairs for one in self.routes)
        received = pairs if self.received is None else self.received
        eligible = received if self.eligible is None else self.eligible
        counts = Counts(
            received=received,
            eligible=received,
            routes=self.routes,
            credentials=self.credentials,
            skipped=self.skipped,
            timing=timing_of(self.routes),
        )
        process = Process(
            pod="p", pod_uid="u", boot_id="b", started_time=0, time=600, counts=counts
        )
        soak = Soak(elapsed=600.0 if self.soaked else 60.0, counted_to=600.0)
        return begin(EPOCH, now=0, interval=30).model_copy(
            update={
                "processes": (process,),
                "bursts": STEADY,
                "coverage": Coverage(requests=2 * eligible, eligible=eligible, expected=eligible),
                "soak": soak,
                "layers": self.layers,
                "first_measurement": 0.0,
                "last_measurement": 600.0,
                "advanced": 600.0,
            }
            | self.known
        )

    def judged(self) -> Judgement:
        """Judge it under its spec, with a soak of ten minutes unless that asks for another."""
        wanted = spec(**{"soakSeconds": 600} | self.spec)
        return judge(wanted, self.ledger(), Subject("hal9", "hal9"), now=600.0)

    def gate(self, name: GateName) -> Gate:
        """Give what one gate says."""
        return judged.gate(self.judged(), name)


def clean(pairs: int, **changes: Any) -> tuple[RouteCounts, ...]:
    """Give so many equal pairs of one route."""
    return (route(pairs, **changes),)


def proved(where: str) -> dict[str, ControlCounts]:
    """Give controls that prove that only the shadow differs at `where`."""
    return {"uniform": control(250, {}, {where: 5}), "triggered": control(20, {}, {where: 20})}


def wrong(where: str, pairs: int = 100, **changes: Any) -> tuple[RouteCounts, ...]:
    """Give 5,000 pairs of which so many differ at `where`, and only in the shadow."""
    return clean(5000 - pairs, differing={where: pairs}, **proved(where), **changes)
