"""Reads what production's own metrics say of its requests, one pod at a time."""

from collections.abc import Iterable
from math import isfinite

import httpx
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from shadow_operator.api.presets import Preset
from shadow_operator.core.snapshot import Found, Item, RequestsReading, Unknown


async def read(
    client: httpx.AsyncClient, address: str, boot: str, preset: Preset, now: float
) -> Item[RequestsReading]:
    """Ask `address` (host and port) for `/metrics` at `now`; `boot` names the process."""
    try:
        answer = await client.get(f"http://{address}/metrics")
        answer.raise_for_status()
        return _parsed(text_string_to_metric_families(answer.text), boot, preset, now)
    except httpx.HTTPStatusError as error:
        return Unknown(f"/metrics answered {error.response.status_code}")
    except httpx.HTTPError as error:
        return Unknown(f"/metrics did not answer ({type(error).__name__})")
    except ValueError:
        return Unknown("/metrics is not in Prometheus' text format")


def _parsed(
    families: Iterable[Metric], boot: str, preset: Preset, now: float
) -> Item[RequestsReading]:
    sums: dict[str, float] = {}
    buckets: dict[float, int] = {}
    for sample in (sample for family in families for sample in family.samples):
        if sample.labels.get(preset.system_label) != preset.production_system:
            continue
        if sample.name == preset.duration_metric:
            end = float(sample.labels.get("le", "inf"))
            buckets[end] = buckets.get(end, 0) + int(sample.value)
        elif isfinite(sample.value):
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    if preset.requests_metric not in sums:
        return Unknown(f"/metrics has no {preset.requests_metric}")
    return Found(
        RequestsReading(
            boot=boot,
            requests=int(sums[preset.requests_metric]),
            errors=int(sums.get(preset.errors_metric, 0)),
            buckets=buckets,
            time=now,
        )
    )
