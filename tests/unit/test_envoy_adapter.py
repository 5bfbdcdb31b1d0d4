"""What the operator makes of an Envoy's answers."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest

from shadow_operator.adapters import envoy
from shadow_operator.core.numbers.envoy_bins import bin_of
from shadow_operator.core.snapshot import Found, MirrorReading, Unknown

STATS: Mapping[str, int] = {
    "vhost.production.route.eligible.upstream_rq_total": 103,
    "vhost.production.route.eligible.upstream_rq_retry": 3,
    "vhost.production.route.other.upstream_rq_total": 20,
    "vhost.production.route.other.upstream_rq_retry": 0,
    "vhost.production.route.stream.upstream_rq_total": 5,
    "vhost.production.route.stream.upstream_rq_retry": 0,
    "vhost.production.route.eligible.upstream_rq_completed": 98,
    "vhost.production.route.eligible.upstream_rq_5xx": 2,
    "vhost.production.route.stream.upstream_rq_completed": 1,
    "cluster.comparator.upstream_rq_total": 50,
    "cluster.comparator.upstream_rq_5xx": 2,
    "http.production.downstream_rq_active": 4,
    "cluster.production-5432.upstream_cx_active": 1,
}
HISTOGRAMS = {
    "histograms": {
        "details": [
            {
                "name": f"vhost.production.route.{route}.upstream_rq_time",
                "totals": [
                    {"lower_bound": 0, "width": 0, "count": 3},
                    {"lower_bound": 120, "width": 10, "count": count},
                ],
                "intervals": [{"lower_bound": 7, "width": 0.1, "count": 9}],
            }
            for route, count in (("eligible", 95), ("other", 1))
        ]
        + [
            {
                "name": "answers.bytes.template.",
                "totals": [{"lower_bound": 1.2e3, "width": 100, "count": 7}],
                "intervals": [],
            }
        ]
    }
}
RUNTIME = {"entries": {"shadow.percent": {"final_value": "50", "layer_values": ["0", "50"]}}}


def client(
    stats: Mapping[str, int] = STATS, runtime: Any = RUNTIME, status: int = 200
) -> httpx.AsyncClient:
    listed = [*({"name": name, "value": value} for name, value in stats.items()), HISTOGRAMS]

    def answer(request: httpx.Request) -> httpx.Response:
        content = {"stats": listed} if request.url.path == "/stats" else runtime
        return httpx.Response(status, json=content)

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


def failing(error: Callable[[str], Exception]) -> httpx.AsyncClient:
    def answer(_: httpx.Request) -> httpx.Response:
        raise error("no")

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


async def test_requests_that_were_sent_again_count_once_and_a_pods_envoys_in_sum() -> None:
    async with client() as http:
        assert await envoy.read(http, "10.0.0.1", pod="p", boot="b") == Found(
            MirrorReading(
                pod="p",
                boot="b",
                requests=250,
                eligible=200,
                copies=100,
                copies_failed=4,
                active=10,
                percent=50,
                sizes={"": {"1000": 14}},
                answered=198,
                errors=4,
                latency={0: 12, bin_of(120): 192},
            )
        )


async def test_the_percentage_is_known_only_where_both_envoys_of_a_pod_agree() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/stats":
            listed = [{"name": name, "value": value} for name, value in STATS.items()]
            return httpx.Response(200, json={"stats": listed})
        percent = {9902: "50", 9904: "0"}[request.url.port or 0]
        return httpx.Response(200, json={"entries": {"shadow.percent": {"final_value": percent}}})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        reading = await envoy.read(http, "10.0.0.1", pod="p", boot="b")
    assert isinstance(reading, Found)
    assert reading.value.percent is None


async def test_one_envoy_of_a_pod_that_does_not_answer_makes_the_pod_unknown() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.port == 9904:
            raise httpx.ConnectError("no")
        return httpx.Response(200, json={"stats": [], **RUNTIME})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        told = await envoy.set_percent(http, "10.0.0.1", 50)
    assert told == Unknown("it could not be reached (ConnectError)")


UNKNOWN = {
    "no answer in 2 s": lambda: failing(httpx.ReadTimeout),
    "it could not be reached (ConnectError)": lambda: failing(httpx.ConnectError),
    "it answered 503": lambda: client(status=503),
    "its answer is not Envoy's": lambda: client(stats={"other": 1}),
}


@pytest.mark.parametrize("reason", UNKNOWN)
async def test_what_could_not_be_read_is_unknown(reason: str) -> None:
    async with UNKNOWN[reason]() as http:
        assert await envoy.read(http, "10.0.0.1", pod="p", boot="b") == Unknown(reason)


async def test_an_envoy_without_a_percentage_is_no_envoy_of_ours() -> None:
    async with client(runtime={"entries": {}}) as http:
        reading = await envoy.read(http, "10.0.0.1", pod="p", boot="b")
    assert reading == Unknown("its answer is not Envoy's")


@pytest.mark.parametrize(("address", "host"), [("10.0.0.1", "10.0.0.1"), ("fd00::1", "[fd00::1]")])
async def test_the_percentage_is_told_to_both_envoys_of_the_pod(address: str, host: str) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url}")
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        assert await envoy.set_percent(http, address, 50) == Found(50)
    assert asked == [
        f"POST http://{host}:{port}/runtime_modify?shadow.percent=50" for port in (9902, 9904)
    ]


async def test_a_percentage_that_was_not_taken_is_unknown() -> None:
    async with client(status=404) as http:
        assert await envoy.set_percent(http, "10.0.0.1", 50) == Unknown("it answered 404")
