"""Reads the progress of learning, and active neurons, from the metrics of a pod of the shadow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

import httpx
from prometheus_client.parser import text_string_to_metric_families

from shadow_operator.api.presets import Preset
from shadow_operator.core.snapshot import Found, Item, LearningReading, Unknown


@dataclass(frozen=True, slots=True)
class Told:
    """What one pod tells."""

    learning: Item[LearningReading]
    """`Unknown` where it tells nothing of learning."""
    neurons: Mapping[str, float] = field(default_factory=dict)
    """Layer in lower case -> active neurons."""


async def read(client: httpx.AsyncClient, address: str, boot: str, preset: Preset) -> Told:
    """Ask `address` (host and port) for `/metrics`.

    `boot` names the process, so that counters that begin anew are no step back.
    """
    try:
        answer = await client.get(f"http://{address}/metrics")
        answer.raise_for_status()
        return _parsed(answer.text, boot, preset)
    except httpx.HTTPStatusError as error:
        return Told(Unknown(f"/metrics answered {error.response.status_code}"))
    except httpx.HTTPError as error:
        return Told(Unknown(f"/metrics did not answer ({type(error).__name__})"))
    except ValueError:
        return Told(Unknown("/metrics is not in Prometheus' text format"))


def _parsed(text: str, boot: str, preset: Preset) -> Told:
    sums: dict[str, float] = {}
    neurons: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
            layer = sample.labels.get(preset.layer_label)
            if layer and sample.name == preset.neurons_metric and isfinite(sample.value):
                neurons[layer.lower()] = sample.value
    return Told(_learning(sums, boot, preset), neurons)


def _learning(sums: Mapping[str, float], boot: str, preset: Preset) -> Item[LearningReading]:
    cycles = sums.get(preset.learning_cycles_metric)
    if cycles is None:
        return Unknown(f"/metrics has no {preset.learning_cycles_metric}")
    return Found(
        LearningReading(
            boot=boot,
            cycles=cycles,
            adjustments=sums.get(preset.learning_adjustments_metric, 0.0),
            gradient=sums.get(preset.learning_gradient_metric),
        )
    )
