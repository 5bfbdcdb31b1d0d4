"""HAL9's Prometheus metrics, under the names that its public files give them."""

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from .network import Json
from .settings import Settings

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper edges in seconds."""


class Metrics:
    """The metrics of one instance, in a registry of its own."""

    TYPE = CONTENT_TYPE_LATEST

    def __init__(self, settings: Settings, neurons: int) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        system = settings.system
        self._requests = Counter(
            "hal9_requests", "Requests answered.", ["system"], registry=registry
        ).labels(system)
        self._errors = Counter(
            "hal9_errors", "Requests answered with 5xx.", ["system"], registry=registry
        ).labels(system)
        self._seconds = Histogram(
            "hal9_request_duration_seconds",
            "Time from the request's head to the end of its answer.",
            ["system"],
            buckets=BUCKETS,
            registry=registry,
        ).labels(system)
        self._cycles = Counter(
            "hal9_learning_cycles", "Signals that learning looked at.", registry=registry
        )
        self._adjustments = Counter(
            "hal9_learning_adjustments", "Answers that learning changed.", registry=registry
        )
        self._gradient = Gauge(
            "hal9_learning_error_gradient", "Error that learning still makes.", registry=registry
        )
        self._gradient.set(1)
        self.signals = 0
        """Signals processed since the start."""
        self._learned = 0
        self._state(settings, neurons)

    def _state(self, settings: Settings, neurons: int) -> None:
        """Export what stays the same for the life of the process."""
        enabled = Gauge(
            "hal9_feature_flag_enabled", "1 if on.", ["feature"], registry=self._registry
        )
        percentage = Gauge(
            "hal9_feature_flag_percentage", "0 to 100.", ["feature"], registry=self._registry
        )
        flags = {"shadow_mode": settings.shadow_mode, "hierarchical_learning": settings.learning}
        for feature, on in flags.items():
            enabled.labels(feature).set(on)
            percentage.labels(feature).set(100 * on)
        phase = Gauge("hal9_migration_phase", "0 none, 1 shadow.", registry=self._registry)
        phase.set(settings.shadow_mode)
        Gauge("hal9_migration_progress", "Percent of the migration.", registry=self._registry)
        active = Gauge("hal9_neurons_active", "Neurons.", ["layer"], registry=self._registry)
        if settings.system == "flat":
            active.labels("flat").set(neurons)
        for layer in settings.layers if settings.system == "hierarchical" else ():
            active.labels(layer).set(settings.neurons_per_layer)
        self._learns = settings.learning

    def request(self, seconds: float, *, failed: bool) -> None:
        """Count one request that is answered."""
        self._requests.inc()
        self._seconds.observe(seconds)
        if failed:
            self._errors.inc()

    def signal(self, *, learned: bool) -> None:
        """Count one signal; `learned` if learning changed its answer."""
        self.signals += 1
        if self._learns:
            self._cycles.inc()
            self._gradient.set(self.learning()["error_gradient"])
        if learned:
            self._learned += 1
            self._adjustments.inc()

    def learning(self) -> Json:
        """Return the progress of learning; the error gradient falls as signals come in."""
        return {
            "cycles": self.signals,
            "adjustments": self._learned,
            "error_gradient": round(1 / (1 + self.signals / 100), 6),
        }

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
