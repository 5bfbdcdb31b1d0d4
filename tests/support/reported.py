"""A simulated run with much to report: a source of reports without a cluster.

`simulated()` plays hours of a HAL9 whose new version is good, or changes some answers; nothing of
it is a measurement.
"""

from dataclasses import dataclass, replace
from functools import cache
from math import exp, pi, sin
from typing import Any, Final

from shadow_operator.api.evidence import ComparatorSnapshot, RouteCounts
from shadow_operator.api.names import Role
from shadow_operator.api.records import Record
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core.snapshot import (
    Amount,
    Found,
    LayerReading,
    LearningReading,
    Pod,
    Snapshot,
)
from shadow_operator.report.build import build
from shadow_operator.report.model import Report
from tests.support import readings
from tests.support.clones import SETTINGS
from tests.support.readings import control, signature
from tests.support.world import EVIDENCE, START, World, deployment_ref, mirroring

INTERVAL: Final = 60.0
LAYERS: Final = ("Substrate", "Protocol", "Cognitive")
HOUR: Final = 3600.0
MIB: Final = 1 << 20
TIME: Final = "$.answeredAt timestamp"
WRONG: Final = "$.activation number 1e-2"
ROUNDED: Final = "$.confidence number 1e-9"
GONE: Final = "$.layerCount missing"


@dataclass
class Run(World):
    """A HAL9 under copies, read once in a minute."""

    wrong: float = 0.0
    """Share of the pairs of one route in which a value changed."""

    def snapshot(self) -> Snapshot:
        """Read everything, as `gather` would."""
        hours = (self.now - START) / HOUR
        self.layers = tuple(LayerReading(name, healthy=True, message="") for name in LAYERS)
        self.learning = {
            f"hal9-shadow-{pod}": Found(
                LearningReading(
                    boot=f"{pod}",
                    cycles=round(100 * hours),
                    adjustments=round(12 * hours),
                    gradient=0.18 + 0.42 * exp(-hours / 8) + 0.01 * sin(40 * hours),
                )
            )
            for pod in range(2)
        }
        settings = replace(SETTINGS, interval_seconds=INTERVAL)
        return replace(super().snapshot(), settings=settings)

    def go_on(self, seconds: float) -> None:
        """Let time pass; there is more traffic by day than by night."""
        for _ in range(round(seconds / INTERVAL)):
            self.traffic = round(600 + 400 * sin(2 * pi * (self.now - START) / (24 * HOUR)))
            for envoy in self.envoys.values():
                low, high = round(0.97 * envoy.requests), envoy.requests
                envoy.latency = {14: low // 2, 19: low - low // 2, 46: high - low}
            self.reconcile(INTERVAL)

    def report(self) -> Report:
        """Make the report of now."""
        return build(ShadowDeployment.parse(self.body), self.data, self.now)

    @property
    def data(self) -> dict[str, str]:
        """Give the data of the evidence ConfigMap."""
        data: dict[str, str] = self.objects[EVIDENCE]["data"]
        return data

    def _measured(self, pod: Pod) -> ComparatorSnapshot:
        live = self.objects[deployment_ref(Role.COMPARATOR)]
        [container] = live["spec"]["template"]["spec"]["containers"]
        epoch = next(e["value"] for e in container["env"] if e["name"] == "EPOCH")
        pairs = self.answered.get(pod.name, 0)
        return readings.snapshot(
            *self._routes(pairs),
            time=self.now,
            pod=pod.uid,
            epoch=epoch,
            skipped={"Method": pairs // 9, "EventStream": pairs // 400},
        )

    def _routes(self, pairs: int) -> tuple[RouteCounts, ...]:
        if not pairs:
            return ()
        signal, status, rare = pairs * 7 // 10, pairs * 3 // 10 - pairs // 1000, pairs // 1000
        noisy, wrong = signal // 2, round(self.wrong * signal)
        rounded = wrong // 4
        triples = max(1, signal // 20)
        noise = {TIME: triples // 2}
        shadow = {**noise, WRONG: wrong // 20, ROUNDED: rounded // 20, GONE: wrong // 40}
        given = [(TIME, noisy)]
        given += [(WRONG, wrong), (ROUNDED, rounded), (GONE, wrong // 2)] if wrong > 40 else []
        differing = tuple(signature(what, n, START, self.now) for what, n in given)
        extra = control(30, {TIME: 15}, {TIME: 15, WRONG: 30, ROUNDED: 30, GONE: 30})
        return (
            readings.route(
                max(0, signal - sum(n for _, n in given)),
                name="GET /api/v1/signal/{}",
                signatures=differing,
                uniform=control(triples, noise, shadow),
                triggered=extra if wrong > 40 else control(0),
                present={"$.layerCount": 1.0, "$.activation": 1.0},
                slower=1.02,
                seconds=0.012,
                unproven={"404": signal // 80},
            ),
            readings.route(status, name="GET /api/v1/status", slower=1.01, seconds=0.004),
            readings.route(rare, name="GET /api/v1/neurons/{}", seconds=0.03),
        )


def used(hours: float, pod: Pod) -> Amount:
    """Give what a pod uses after so many hours."""
    busy = 180 + 80 * sin(2 * pi * hours / 24)
    factor = {Role.SHADOW: 1.08, Role.REFERENCE: 1.0}.get(Role(pod.role), 0.0) if pod.role in {
        Role.SHADOW, Role.REFERENCE,
    } else 1.3  # fmt: skip
    size = 210 + 40 * (1 - exp(-hours / 3))
    return Amount(
        round(busy * factor), round(size * (1.03 if pod.role == Role.SHADOW else 1)) * MIB
    )


def run(
    *,
    wrong: float = 0.0,
    soak: float = 4 * HOUR,
    records: tuple[dict[str, str], ...] = (),
    **spec: Any,
) -> Run:
    """Give a run in which copies have just begun."""
    world = Run(wrong=wrong)
    world.usage = lambda pod: used((world.now - START) / HOUR, pod)
    world.edit(
        layers=list(LAYERS),
        learning="ShadowOnly",
        soakSeconds=int(soak),
        shadow={
            "image": "registry.example.com/hal9:hierarchical",
            "env": [{"name": "HAL9_TOKEN", "value": "s3cret-token"}],
        },
        guard={"baselineSeconds": 300},
        gates={"memoryGrowth": {"mode": "Advisory"}},  # it needs more than an hour
        records=list(records),
        **spec,
    )
    return world.until(mirroring, seconds=INTERVAL)  # type: ignore[return-value]


@cache
def simulated(*, wrong: float = 0.0, hours: float = 1.2, soak_hours: float = 1.0) -> Report:
    """Give the report of a simulated run."""
    return ended(wrong=wrong, hours=hours, soak_hours=soak_hours).report()


@cache
def ended(*, wrong: float = 0.0, hours: float = 1.2, soak_hours: float = 1.0) -> Run:
    """Give a run after so many hours; who changes it works on a copy."""
    world = run(wrong=wrong, soak=soak_hours * HOUR)
    world.go_on(hours * HOUR)
    return world


def good() -> Report:
    """Give the report of a new version that is as good as the old one."""
    return simulated()


def bad() -> Report:
    """Give the report of a new version that changes answers."""
    return simulated(wrong=0.02, hours=0.5, soak_hours=24)


def hostile(report: Report, text: str) -> Report:
    """Put a text wherever a report holds one that others write."""
    first, *rest = report.differences
    subject = report.subject.model_copy(update={"shadow_image": text, "name": text})
    gates = tuple(gate.model_copy(update={"message": text}) for gate in report.gates)
    record = Record(time="2026-01-31T14:05:00Z", by=text[:253], decision="Noted", note=text[:512])
    return report.model_copy(
        update={
            "subject": subject,
            "gates": gates,
            "summary": report.summary.model_copy(update={"message": text}),
            "differences": (first.model_copy(update={"route": text, "rule": text}), *rest),
            "configuration": report.configuration.model_copy(update={"spec": {"a": text}}),
            "records": (record,),
            "limits": (text,),
        }
    )
