"""What production's own metrics say of its requests."""

from dataclasses import replace
from math import inf
from typing import Any

import httpx
import pytest

from shadow_operator.adapters.prometheus import Prometheus
from shadow_operator.adapters.requests import read
from shadow_operator.api.presets import HAL9, Preset
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.controller.metrics import of_production
from shadow_operator.core.pods import PRODUCTION
from shadow_operator.core.snapshot import Found, Item, Pod, RequestsReading, Unknown
from tests.support.world import World

METRICS = """# TYPE hal9_requests_total counter
hal9_requests_total{system="flat"} 120.0
hal9_requests_total{system="hierarchical"} 7.0
# TYPE hal9_errors_total counter
hal9_errors_total{system="flat"} 3.0
# TYPE hal9_request_duration_seconds histogram
hal9_request_duration_seconds_bucket{system="flat",le="0.01"} 100.0
hal9_request_duration_seconds_bucket{system="flat",le="+Inf"} 120.0
hal9_request_duration_seconds_bucket{system="hierarchical",le="0.01"} 7.0
hal9_request_duration_seconds_count{system="flat"} 120.0
hal9_request_duration_seconds_sum{system="flat"} 1.5
"""
ANSWERS: dict[str, tuple[httpx.Response, Item[RequestsReading]]] = {
    "all of it": (
        httpx.Response(200, text=METRICS),
        Found(RequestsReading("b", 120, 3, {0.01: 100, inf: 120}, 7.0)),
    ),
    "requests alone": (
        httpx.Response(200, text="\n".join(METRICS.splitlines()[:3]) + "\n"),
        Found(RequestsReading("b", 120, 0, {}, 7.0)),
    ),
    "of the shadow only": (
        httpx.Response(200, text=METRICS.replace("flat", "other")),
        Unknown("/metrics has no hal9_requests_total"),
    ),
    "no metrics": (httpx.Response(404), Unknown("/metrics answered 404")),
    "something else": (
        httpx.Response(200, text="<html> {"),
        Unknown("/metrics is not in Prometheus' text format"),
    ),
}


@pytest.mark.parametrize(("answer", "expected"), ANSWERS.values(), ids=ANSWERS)
async def test_a_pod_tells_its_requests(
    answer: httpx.Response, expected: Item[RequestsReading]
) -> None:
    transport = httpx.MockTransport(lambda _: answer)
    async with httpx.AsyncClient(transport=transport) as client:
        assert await read(client, "10.0.0.1:9090", "b", HAL9, 7.0) == expected


@pytest.mark.parametrize(
    ("spec", "asked"),
    [({"layers": ["Substrate"]}, ["http://10.0.0.9:8080/metrics"]), ({}, [])],
    ids=["a preset knows the names", "no preset"],
)
async def test_ready_pods_of_production_are_asked_where_a_preset_knows_the_names(
    spec: dict[str, Any], asked: list[str]
) -> None:
    urls, told = await asked_for(None, spec)
    assert urls == asked
    assert len(told) == len(asked)


async def asked_for(
    prometheus: Prometheus | None, spec: dict[str, Any]
) -> tuple[list[str], dict[str, Item[RequestsReading]]]:
    """Give the addresses that were asked, and what production told."""
    world, urls = World(), list[str]()
    world.edit(phase="None", **spec)
    pods = (
        Pod("p", "p", PRODUCTION, ip="10.0.0.9", ready=True),
        Pod("starts", "s", PRODUCTION, ip="10.0.0.8"),
        Pod("gone", "g", PRODUCTION, ready=True),
    )
    known = replace(world.snapshot(), production_pods=Found(pods))

    def answer(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        return httpx.Response(200, text=METRICS)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        resource = ShadowDeployment.parse(world.body)
        return urls, await of_production(client, prometheus, resource, known, 7.0)


class Answering(Prometheus):
    """A Prometheus that gives one answer to what it is asked about requests."""

    def __init__(self, answer: Item[tuple[RequestsReading, ...]]) -> None:
        super().__init__("http://prometheus")
        self.answer = answer

    async def requests(
        self,
        namespace: str,
        deployment: str,
        preset: Preset,
        now: float,
    ) -> Item[tuple[RequestsReading, ...]]:
        return self.answer


BY_PROMETHEUS: dict[str, tuple[Item[tuple[RequestsReading, ...]], set[str]]] = {
    "it tells": (Found((RequestsReading("p", 1, 0),)), {"p"}),
    "it has no such metric": (Found(()), {"p"}),
    "it fails": (Unknown("it answered 503"), {"p", "Prometheus"}),
}


@pytest.mark.parametrize("name", BY_PROMETHEUS)
async def test_pods_are_asked_where_prometheus_tells_nothing(name: str) -> None:
    answer, expected = BY_PROMETHEUS[name]
    urls, told = await asked_for(Answering(answer), {"layers": ["Substrate"]})
    assert set(told) == expected
    assert bool(urls) is (name != "it tells")
    if "Prometheus" in told:
        assert told["Prometheus"] == Unknown("Prometheus: it answered 503")
