"""Prometheus metrics, worked out from the counts when they are asked for."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from shadow_operator.api.presets import Preset
from shadow_operator.comparator.counts import Counts, RouteTally
from shadow_operator.comparator.sketch import merged

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper edges of a preset's histogram, in seconds."""


class Measured(Protocol):
    """What is exported."""

    counts: Counts
    config_valid: bool

    @property
    def preset(self) -> Preset | None:
        """Whose names the shadow's numbers have besides our own."""

    @property
    def in_flight(self) -> int:
        """Pairs under way."""

    @property
    def shadow_pods(self) -> int:
        """Shadow addresses in use."""

    @property
    def reference_pods(self) -> int:
        """Reference addresses in use."""


class ComparatorCollector(Collector):
    """Labels are bounded: closed vocabularies, and at most 200 route templates."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def collect(self) -> Iterator[Metric]:
        """Give all metrics of this process's counts."""
        counts = self._measured.counts
        tallies = list(counts.tallies.values())
        yield _labelled(
            "shadow_requests",
            "Copies of production requests by what became of them",
            "outcome",
            _outcomes(tallies)
            + Counter({"skipped": counts.skipped.total(), "shed": counts.shed.total()}),
        )
        yield CounterMetricFamily(
            "shadow_copies_received", "Copies that arrived", value=counts.received
        )
        yield CounterMetricFamily(
            "shadow_copies_eligible", "Copies that the spec asks to compare", value=counts.eligible
        )
        yield _labelled(
            "shadow_copies_skipped", "Copies that are not eligible", "reason", counts.skipped
        )
        yield _labelled(
            "shadow_copies_shed", "Eligible copies that were not compared", "reason", counts.shed
        )
        yield _labelled(
            "shadow_connections_refused",
            "Connections of mirrors that were closed because of what they did",
            "reason",
            counts.refused,
        )
        yield _per_route(tallies)
        yield _latency(tallies)
        if preset := self._measured.preset:
            yield from _of_preset(preset, tallies)
        yield from self._now()

    def _now(self) -> Iterator[Metric]:
        measured = self._measured
        yield GaugeMetricFamily("shadow_in_flight", "Pairs under way", value=measured.in_flight)
        pods = GaugeMetricFamily("shadow_clones", "Clone addresses in use", labels=["role"])
        pods.add_metric(["shadow"], measured.shadow_pods)
        pods.add_metric(["reference"], measured.reference_pods)
        yield pods
        yield GaugeMetricFamily(
            "shadow_config_valid",
            "1 if the mounted configuration is the one in force",
            value=float(measured.config_valid),
        )


def _labelled(name: str, text: str, label: str, values: "Counter[str]") -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([str(key)], value)
    return family


def _outcomes(tallies: list[RouteTally]) -> "Counter[str]":
    total: Counter[str] = Counter()
    for tally in tallies:
        total.update(outcomes(tally))
    return total


def outcomes(tally: RouteTally) -> "Counter[str]":
    """Return a route's pairs by outcome."""
    return Counter(
        {
            "matched": tally.matched,
            "hinted_only": tally.hinted_only,
            "mismatched": tally.pairs - tally.matched - tally.hinted_only,
            "unpaired": tally.unpaired,
            "unproven": tally.unproven.total(),
            "incomparable": tally.incomparable.total(),
            **tally.failures,
        }
    )


def _per_route(tallies: list[RouteTally]) -> CounterMetricFamily:
    family = CounterMetricFamily(
        "shadow_pairs", "Pairs by route and outcome", labels=["method", "route", "outcome"]
    )
    named: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for tally in tallies:
        named[tally.method, tally.route.template].update(outcomes(tally))
    for (method, template), values in sorted(named.items()):
        for outcome, value in sorted(values.items()):
            family.add_metric([method, template, outcome], value)
    return family


def _latency(tallies: list[RouteTally]) -> SummaryMetricFamily:
    family = SummaryMetricFamily(
        "shadow_latency_seconds", "Answer times of compared pairs", labels=["role"]
    )
    for role, sketch in (
        ("shadow", merged(tally.shadow_latency for tally in tallies)),
        ("reference", merged(tally.reference_latency for tally in tallies)),
    ):
        family.add_metric([role], count_value=sketch.count, sum_value=sketch.total)
        for share in ("0.5", "0.99"):
            family.add_sample(
                family.name, {"role": role, "quantile": share}, sketch.quantile(float(share))
            )
    return family


def _of_preset(preset: Preset, tallies: list[RouteTally]) -> Iterator[Metric]:
    """Give the shadow's numbers under the names that its own dashboards ask for.

    Production's are not among them: it exports them itself, and they would be there twice.
    """
    labels, system = [preset.system_label], [preset.shadow_system]
    for name, text, value in (
        (preset.requests_metric, "Calls to the shadow", sum(t.shadow_calls for t in tallies)),
        (
            preset.errors_metric,
            "Calls to the shadow without an answer, or answered with 5xx",
            sum(t.shadow_failed for t in tallies),
        ),
    ):
        counter = CounterMetricFamily(name.removesuffix("_total"), text, labels=labels)
        counter.add_metric(system, value)
        yield counter
    durations = HistogramMetricFamily(
        preset.duration_metric.removesuffix("_bucket"),
        "Answer times of the shadow in compared pairs",
        labels=labels,
    )
    sketch = merged(tally.shadow_latency for tally in tallies)
    edges = [(f"{edge:g}", float(sketch.at_most(edge))) for edge in BUCKETS]
    durations.add_metric(system, [*edges, ("+Inf", float(sketch.count))], sketch.total)
    yield durations


def registry(measured: Measured) -> CollectorRegistry:
    """Return a registry with these metrics and the process's own."""
    result = CollectorRegistry()
    result.register(ComparatorCollector(measured))
    ProcessCollector(registry=result)
    PlatformCollector(registry=result)
    GCCollector(registry=result)
    return result
