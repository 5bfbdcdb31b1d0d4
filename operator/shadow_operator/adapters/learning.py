"""Reads the progress of learning from the metrics of one pod of the shadow."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from shadow_operator.api.presets import Preset
from shadow_operator.core.snapshot import Found, Item, LearningReading, Unknown


async def read(
    client: httpx.AsyncClient, address: str, boot: str, preset: Preset
) -> Item[LearningReading]:
    """Ask `address` (host and port) for `/metrics`; `Unknown` where it tells nothing of learning.

    `boot` names the process, so that counters that begin anew are no step back.
    """
    try:
        answer = await client.get(f"http://{address}/metrics")
        answer.raise_for_status()
        return _parsed(answer.text, boot, preset)
    except httpx.HTTPStatusError as error:
        return Unknown(f"/metrics answered {error.response.status_code}")
    except httpx.HTTPError as error:
        return Unknown(f"/metrics did not answer ({type(error).__name__})")
    except ValueError:
        return Unknown("/metrics is not in Prometheus' text format")


def _parsed(text: str, boot: str, preset: Preset) -> Item[LearningReading]:
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
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
