"""The control listeners of the mirror's Envoys: read counters, set the percentage."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, Final

import httpx

from shadow_operator.core.comparing import mix
from shadow_operator.core.deploying import envoy, envoy_mix
from shadow_operator.core.deploying.envoy_http import PERCENT_KEY
from shadow_operator.core.numbers import envoy_bins
from shadow_operator.core.snapshot import Found, Item, MirrorReading, Unknown

TIMEOUT_SECONDS: Final = 2.0
"""For each call; an Envoy that takes longer is as good as gone."""


async def read(
    client: httpx.AsyncClient,
    address: str,
    *,
    pod: str,
    boot: str,
    ports: Sequence[int] = envoy.CONTROL_PORTS,
) -> Item[MirrorReading]:
    """Read the counters of a pod's Envoys, in sum, and the percentage in force there.

    `address` is the pod's, `boot` its uid and container ids, `ports` the control ports. A refusal,
    a timeout or an answer that is not Envoy's, of one of them, is `Unknown` with a clause that says
    which.
    """
    items = await asyncio.gather(
        *(_read_one(client, _url(address, port), pod=pod, boot=boot) for port in ports)
    )
    return reduce(_sum, items)


async def set_percent(
    client: httpx.AsyncClient,
    address: str,
    percent: int,
    *,
    ports: Sequence[int] = envoy.CONTROL_PORTS,
) -> Item[int]:
    """Mirror this percentage (0..100) of the eligible requests from now on.

    The answer repeats the percentage where all Envoys of the pod took it, else it is `Unknown`. A
    restarted Envoy is back at 0.
    """
    path = f"/runtime_modify?{PERCENT_KEY}={percent}"
    told = await asyncio.gather(*(_post(client, _url(address, port) + path) for port in ports))
    return next((answer for answer in told if answer), Found(percent))


def _url(address: str, port: int) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}"


async def _read_one(
    client: httpx.AsyncClient, url: str, *, pod: str, boot: str
) -> Found[MirrorReading] | Unknown:
    try:
        stats = await _get(client, url + envoy.STATS_PATH)
        runtime = await _get(client, url + envoy.RUNTIME_PATH)
        return Found(_reading(stats, runtime, pod=pod, boot=boot))
    except httpx.HTTPError as error:
        return Unknown(_clause(error))
    except (ValueError, KeyError, TypeError):
        return Unknown("its answer is not Envoy's")


async def _get(client: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
    answer = await client.get(url, timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()
    content: Mapping[str, Any] = answer.json()
    return content


async def _post(client: httpx.AsyncClient, url: str) -> Unknown | None:
    try:
        answer = await client.post(url, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        return Unknown(_clause(error))
    return None


def _reading(
    stats: Mapping[str, Any], runtime: Mapping[str, Any], *, pod: str, boot: str
) -> MirrorReading:
    values: dict[str, int] = {
        stat["name"]: int(stat["value"]) for stat in stats["stats"] if "name" in stat
    }
    eligible, other, streams = (
        values.pop(f"{route}.{envoy.SENT}") - values.pop(f"{route}.{envoy.SENT_AGAIN}")
        for route in envoy.ROUTES
    )
    # An Envoy that has answered nothing yet has no such counters.
    answered, errors = (
        sum(values.pop(f"{route}.{counter}", 0) for route in envoy.ROUTES)
        for counter in (envoy.ANSWERED, envoy.ERRORS)
    )
    statuses = envoy_mix.statuses(values)
    histograms = _histograms(stats)
    copies, failed = values.pop(envoy.COPIES), values.pop(envoy.COPIES_FAILED, 0)
    percent = runtime["entries"][PERCENT_KEY]["final_value"]
    return MirrorReading(
        pod=pod,
        boot=boot,
        requests=eligible + other + streams,
        eligible=eligible,
        copies=copies,
        copies_failed=failed,
        active=sum(values.values()),
        percent=int(percent),
        statuses=statuses,
        sizes=envoy_mix.sizes(histograms),
        answered=answered,
        errors=errors,
        latency=envoy_bins.merged(
            {envoy_bins.bin_of(lower): count}
            for name in envoy.LATENCIES
            for lower, count in histograms.get(name, ())
        ),
    )


def _histograms(stats: Mapping[str, Any]) -> dict[str, envoy_mix.Histogram]:
    """Read the histograms by name, in Envoy's own bins."""
    return {
        one["name"]: [(float(part["lower_bound"]), int(part["count"])) for part in one["totals"]]
        for stat in stats["stats"]
        for one in stat.get("histograms", {}).get("details", ())
    }


def _sum(
    first: Found[MirrorReading] | Unknown, second: Found[MirrorReading] | Unknown
) -> Found[MirrorReading] | Unknown:
    if isinstance(first, Unknown):
        return first
    if isinstance(second, Unknown):
        return second
    one, other = first.value, second.value
    total = replace(
        one,
        requests=one.requests + other.requests,
        eligible=one.eligible + other.eligible,
        copies=one.copies + other.copies,
        copies_failed=one.copies_failed + other.copies_failed,
        active=one.active + other.active,
        percent=one.percent if one.percent == other.percent else None,
        statuses=mix.added((one.statuses, other.statuses)),
        sizes=mix.added((one.sizes, other.sizes)),
        answered=one.answered + other.answered,
        errors=one.errors + other.errors,
        latency=envoy_bins.merged((one.latency, other.latency)),
    )
    return Found(total)


def _clause(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"it answered {error.response.status_code}"
    if isinstance(error, httpx.TimeoutException):
        return f"no answer in {TIMEOUT_SECONDS:g} s"
    return f"it could not be reached ({type(error).__name__})"
