"""What a preset knows about a family of services, as data; nothing named HAL9 stands elsewhere.

HAL9's public files fix neither the environment that switches layers and learning nor how an answer
that learning changed is marked: those names are this project's convention, and `spec.shadow.env`
overrides the environment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

from shadow_operator.api.enums import Learning, PresetName


@dataclass(frozen=True)
class Preset:
    """Names that a family of services uses, so that a resource need not repeat them."""

    layers: tuple[str, ...]
    """Layers the services may have, lowest first, as `spec.layers` spells them."""
    layer_path_template: str
    """Where a layer tells its health; `{layer}` is the layer's name in lower case."""
    health_path: str
    """Where the whole new system tells its health."""
    routes: tuple[str, ...]
    """Path templates of the API: declared, so that none has to be learned."""
    shadow_env: tuple[tuple[str, str], ...]
    """Environment that makes a process the shadow."""
    layers_variable: str
    """Environment variable with the enabled layers, lower case, comma separated."""
    learning_env: MappingProxyType[Learning, tuple[tuple[str, str], ...]]
    """Environment per learning mode."""
    requests_metric: str
    """Counter of requests."""
    errors_metric: str
    """Counter of errors."""
    duration_metric: str
    """Histogram of request durations in seconds."""
    system_label: str
    """Label of the three metrics above that tells shadow from production."""
    production_system: str
    """That label's value in production."""
    shadow_system: str
    """That label's value in the shadow."""
    learning_cycles_metric: str
    """Counter of learning cycles."""
    learning_adjustments_metric: str
    """Counter of adjustments that learning made."""
    learning_gradient_metric: str
    """Gauge of the error that learning still makes; missing where a version does not tell it."""
    neurons_metric: str
    """Gauge of active neurons."""
    layer_label: str
    """Label of that metric with the layer's name in lower case."""
    learning_marker: str
    """Place in an answer that says that learning changed it."""

    def env(self, layers: Iterable[str], learning: Learning) -> dict[str, str]:
        """Give the environment of the shadow for these enabled layers and this learning mode."""
        return {
            **dict(self.shadow_env),
            self.layers_variable: ",".join(layer.lower() for layer in layers),
            **dict(self.learning_env[learning]),
        }


HAL9 = Preset(
    layers=("Substrate", "Protocol", "Cognitive", "Orchestration", "Intelligence"),
    layer_path_template="/hierarchical/{layer}/status",
    health_path="/hierarchical/health",
    routes=(
        "/api/v1/signal",
        "/api/v1/signal/{id}",
        "/api/v1/status",
        "/api/v1/neurons",
        "/api/v1/neurons/{id}",
        "/api/v1/neurons/{id}/health",
        "/api/v1/network/status",
        "/api/v1/metrics",
        "/api/v1/errors/recent",
        "/health",
        "/health/detailed",
        "/ready",
        "/livez",
        "/readyz",
    ),
    shadow_env=(("HAL9_SYSTEM", "hierarchical"), ("HAL9_SHADOW_MODE", "true")),
    layers_variable="HAL9_LAYERS",
    learning_env=MappingProxyType(
        {
            Learning.DISABLED: (),
            Learning.SHADOW_ONLY: (("HAL9_HIERARCHICAL_LEARNING", "shadow-only"),),
        }
    ),
    requests_metric="hal9_requests_total",
    errors_metric="hal9_errors_total",
    duration_metric="hal9_request_duration_seconds_bucket",
    system_label="system",
    production_system="flat",
    shadow_system="hierarchical",
    learning_cycles_metric="hal9_learning_cycles_total",
    learning_adjustments_metric="hal9_learning_adjustments_total",
    learning_gradient_metric="hal9_learning_error_gradient",
    neurons_metric="hal9_neurons_active",
    layer_label="layer",
    learning_marker="header:x-hal9-learning",
)

PRESETS: MappingProxyType[PresetName, Preset | None] = MappingProxyType(
    {PresetName.HAL9: HAL9, PresetName.NONE: None}
)
