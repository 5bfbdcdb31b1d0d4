"""What one instance is told: by its environment, and by the file that HAL9_CONFIG_PATH names."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from . import faults, variations
from .faults import Fault
from .network import LAYERS
from .variations import Variation

SYSTEMS = ("flat", "hierarchical")


class BadSettingError(ValueError):
    """A setting can't be understood; the message says which and what is allowed."""


@dataclass(frozen=True)
class Settings:
    """Settings of one instance; README.md has the table of names."""

    system: str = "flat"
    layers: tuple[str, ...] = LAYERS
    """Layers that are switched on; only the hierarchical system has layers."""
    learning: bool = False
    shadow_mode: bool = False
    instance: str = "local"
    api_port: int = 8080
    metrics_port: int = 9090
    drain_seconds: float = 5
    """After SIGTERM: not ready, but still serving, until the cluster sends no new connection."""
    shutdown_seconds: float = 75
    """After the drain: how long requests that have begun may take to end."""
    faults: tuple[Fault, ...] = ()
    variations: tuple[Variation, ...] = ()
    neurons_per_layer: int = 4
    seed_signals: int = 256
    memory_signals: int = 10_000
    latency_ms: float = 3

    def fault(self, name: str) -> Fault | None:
        """Return the planted fault of this name, if any."""
        return next((fault for fault in self.faults if fault.name == name), None)

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Self:
        """Read the environment, and the table `[network]` of the configuration file."""
        system = env.get("HAL9_SYSTEM", cls.system)
        if system not in SYSTEMS:
            raise BadSettingError(f"HAL9_SYSTEM is one of {', '.join(SYSTEMS)}, not {system!r}")
        try:
            return cls(
                system=system,
                layers=_layers(env.get("HAL9_LAYERS", ",".join(LAYERS))),
                learning=_learning(system, env.get("HAL9_HIERARCHICAL_LEARNING", "disabled")),
                shadow_mode=env.get("HAL9_SHADOW_MODE", "false").lower() == "true",
                instance=env.get("HOSTNAME", cls.instance),
                api_port=int(env.get("HAL9_API_PORT", cls.api_port)),
                metrics_port=int(env.get("HAL9_METRICS_PORT", cls.metrics_port)),
                drain_seconds=float(env.get("HAL9_DRAIN_SECONDS", cls.drain_seconds)),
                shutdown_seconds=float(env.get("HAL9_SHUTDOWN_SECONDS", cls.shutdown_seconds)),
                faults=faults.parse(env.get("HAL9_FAULTS", "")),
                variations=variations.parse(env.get("HAL9_VARIATIONS", "")),
                **_network(env.get("HAL9_CONFIG_PATH")),
            )
        except (OSError, TypeError, ValueError) as error:
            raise BadSettingError(str(error)) from error


def _network(path: str | None) -> dict[str, Any]:
    text = Path(path).read_text(encoding="utf-8") if path else ""
    network: dict[str, Any] = tomllib.loads(text).get("network", {})
    return network


def _layers(text: str) -> tuple[str, ...]:
    asked = {layer.strip().lower() for layer in text.split(",") if layer.strip()}
    if unknown := asked.difference(LAYERS):
        raise BadSettingError(f"HAL9_LAYERS: {', '.join(sorted(unknown))} is none of {LAYERS}")
    return tuple(layer for layer in LAYERS if layer in asked)


def _learning(system: str, text: str) -> bool:
    if text not in ("disabled", "shadow-only"):
        raise BadSettingError("HAL9_HIERARCHICAL_LEARNING is disabled or shadow-only")
    return system == "hierarchical" and text == "shadow-only"
