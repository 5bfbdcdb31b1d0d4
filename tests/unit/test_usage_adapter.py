"""What the metrics API, nodes and quotas answer, as metrics-server 0.8 and Kubernetes 1.34 do."""

import asyncio
from typing import Any

import httpx
import pytest

from shadow_operator.adapters import usage
from shadow_operator.adapters.kubernetes import KubernetesApi
from shadow_operator.core.snapshot import Amount, Found, Item, Missing, Unknown

POD_METRICS = {
    "metadata": {"name": "coredns-c97c66cb5-48gbv", "namespace": "kube-system"},
    "timestamp": "2026-11-26T02:13:01Z",
    "window": "10s",
    "containers": [
        {"name": "coredns", "usage": {"cpu": "2516275n", "memory": "9392Ki"}},
        {"name": "proxy", "usage": {"cpu": "1m", "memory": "1Mi"}},
    ],
}
NODE_METRICS = {
    "metadata": {"name": "lab-node"},
    "timestamp": "2026-11-26T02:13:00Z",
    "window": "10.013s",
    "usage": {"cpu": "96728075n", "memory": "620588Ki"},
}


def node(name: str, spec: dict[str, Any] | None = None, ready: str = "True") -> dict[str, Any]:
    """Give a node of 2 CPU and 1 GiB."""
    return {
        "metadata": {"name": name},
        "spec": spec or {},
        "status": {
            "allocatable": {"cpu": "2", "memory": "1Gi", "pods": "200"},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def answering(answers: dict[str, httpx.Response]) -> KubernetesApi:
    """Give an API server that knows these paths."""

    def answer(request: httpx.Request) -> httpx.Response:
        return answers.get(request.url.path, httpx.Response(404, json={"message": "not found"}))

    transport = httpx.MockTransport(answer)
    return KubernetesApi(httpx.AsyncClient(transport=transport, base_url="http://api"))


def listed(*items: dict[str, Any]) -> httpx.Response:
    """Give the answer of a list."""
    return httpx.Response(200, json={"metadata": {}, "items": items})


PODS = "/apis/metrics.k8s.io/v1beta1/namespaces/hal9/pods"
NODE_USE = "/apis/metrics.k8s.io/v1beta1/nodes"
NODES = "/api/v1/nodes"
AUTOSCALERS = "/apis/autoscaling/v2/namespaces/hal9/horizontalpodautoscalers"


async def test_a_sample_has_its_time_and_every_container() -> None:
    read = await usage.of_pods(answering({PODS: listed(POD_METRICS)}), "hal9")
    assert isinstance(read, Found)
    sample = read.value["coredns-c97c66cb5-48gbv"]
    assert sample.time == 1795659181.0
    assert sample.containers["coredns"] == Amount(3, 9392 * 1024)
    assert sample.total == Amount(4, 9392 * 1024 + 1024 * 1024)


UNREAD: dict[str, tuple[httpx.Response, Item[Any]]] = {
    "no metrics API": (httpx.Response(404), Missing()),
    "its server is down": (
        httpx.Response(503, json={"message": "the server is currently unable"}),
        Unknown("the server is currently unable"),
    ),
    "not allowed": (
        httpx.Response(403, json={"message": "forbidden"}),
        Unknown("forbidden"),
    ),
    "something else": (
        listed({"metadata": {"name": "a"}}),
        Unknown("what answered is no PodMetrics (KeyError)"),
    ),
}


@pytest.mark.parametrize(("answer", "item"), UNREAD.values(), ids=UNREAD)
async def test_what_can_not_be_read_says_why(answer: httpx.Response, item: Item[Any]) -> None:
    assert await usage.of_pods(answering({PODS: answer}), "hal9") == item


async def test_an_answer_that_does_not_come_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(usage, "PATIENCE", 0.01)
    transport = httpx.MockTransport(hang)
    api = KubernetesApi(httpx.AsyncClient(transport=transport, base_url="http://api"))
    read = await usage.of_pods(api, "hal9")
    assert read == Unknown("the API server did not answer within 0.01 s")


async def test_only_nodes_that_take_pods_are_room() -> None:
    nodes = listed(
        node("good"),
        node("cordoned", {"unschedulable": True}),
        node("tainted", {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}),
        node("preferred", {"taints": [{"key": "old", "effect": "PreferNoSchedule"}]}),
        node("lost", ready="Unknown"),
    )
    room = await usage.room(answering({NODES: nodes, NODE_USE: listed(NODE_METRICS)}), "hal9")
    assert isinstance(room.nodes, Found)
    assert [one.name for one in room.nodes.value] == ["good", "preferred"]
    assert room.nodes.value[0].allocatable == Amount(2000, 1 << 30)
    assert room.usage == Found({"lab-node": Amount(97, 620588 * 1024)})
    assert room.quotas == Missing()


async def test_autoscalers_are_those_of_the_namespace() -> None:
    scaler = {"metadata": {"name": "web"}, "spec": {"maxReplicas": 9}}
    room = await usage.room(answering({AUTOSCALERS: listed(scaler)}), "hal9")
    assert isinstance(room.autoscalers, Found)
    assert [one["spec"]["maxReplicas"] for one in room.autoscalers.value] == [9]
    refused = httpx.Response(403, json={"message": "forbidden"})
    room = await usage.room(answering({AUTOSCALERS: refused}), "hal9")
    assert room.autoscalers == Unknown("forbidden")
