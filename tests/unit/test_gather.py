"""Everything is read once; what could not be read is Unknown, never Missing."""

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest

from shadow_operator.adapters.kubernetes import ApiError
from shadow_operator.adapters.prometheus import Prometheus
from shadow_operator.api.names import Role
from shadow_operator.controller.gather import Sources, gather, label_selector, probe_report
from shadow_operator.core import names
from shadow_operator.core.plan import plan
from shadow_operator.core.snapshot import (
    Found,
    Item,
    Missing,
    ObjectRef,
    Snapshot,
    Traffic,
    Unknown,
)
from tests.support.api import FakeApi
from tests.support.clones import SETTINGS
from tests.support.world import ENTRY, NAME, PROBE, World, deployment_ref, stranger, up

NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC).timestamp()
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME}}


def cluster(world: World) -> FakeApi:
    """Give the API server of a world; pods of ours are left out."""
    listed = (world.production, world.service, *world.objects.values())
    return FakeApi(NAMESPACE, world.body, *(o for o in listed if o is not None))


async def read(fake: FakeApi, prometheus: Prometheus | None = None) -> Snapshot | None:
    pods = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    async with fake.client() as api, pods:
        return await gather(Sources(api, pods, SETTINGS, prometheus), (NAME, NAME), NOW)


async def test_a_resource_that_is_gone_is_none() -> None:
    assert await read(FakeApi(NAMESPACE)) is None


async def test_a_resource_that_can_not_be_read_raises() -> None:
    fake = FakeApi(NAMESPACE)
    fake.refuse = lambda _, path: 503 if "shadowdeployments" in path else 0
    with pytest.raises(ApiError):
        await read(fake)


def idle() -> World:
    world = up()
    world.edit(phase="None")
    return world.until(lambda w: w.status["phase"] == "Idle")


def torn_down() -> World:
    world = up(soakSeconds=1, maxDurationSeconds=60, afterVerdict="TearDown")
    return world.until(lambda w: deployment_ref(Role.MIRROR) not in w.objects, seconds=30.0)


def external() -> World:
    world = World()
    world.edit(mirror={"provider": "External"})
    return world.until(lambda w: w.progress.mirroring)


AT_REST: dict[str, Callable[[], World]] = {
    "mirroring": up,
    "mirroring by somebody else": external,
    "nothing is asked for": idle,
    "all is judged and gone": torn_down,
}


@pytest.mark.parametrize("build", AT_REST.values(), ids=AT_REST)
async def test_at_rest_a_look_costs_few_reads_and_no_write(
    build: Callable[[], World],
) -> None:
    world = build()
    fake = cluster(world)
    snapshot = await read(fake)
    assert snapshot is not None
    assert all(call.startswith("GET") for call in fake.calls)
    assert len(fake.calls) <= 17
    assert {ref for ref, item in snapshot.children.items() if isinstance(item, Found)} == {
        ref for ref in snapshot.children if ref in world.objects
    }
    assert isinstance(snapshot.ledger, Found)


NODES = "GET /api/v1/nodes"
POD_USE = f"GET /apis/metrics.k8s.io/v1beta1/namespaces/{NAME}/pods"


@pytest.mark.parametrize(
    ("build", "used", "room"),
    [(World, True, True), (up, True, False), (idle, True, True), (torn_down, False, False)],
    ids=["before the start", "mirroring", "nothing is asked for", "all is judged and gone"],
)
async def test_room_is_read_as_long_as_nothing_is_copied_and_use_while_it_can_change(
    build: Callable[[], World], used: bool, room: bool
) -> None:
    fake = cluster(build())
    snapshot = await read(fake)
    assert snapshot is not None
    assert (POD_USE in fake.calls, NODES in fake.calls) == (used, room)
    assert (snapshot.room is not None) == room


class Knowing(Prometheus):
    """A Prometheus that knows the network of one node, and nothing else."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")

    async def network(self) -> Item[Mapping[str, Traffic]]:
        return Found({"a": Traffic(1, 2, 3)})


@pytest.mark.parametrize(
    ("prometheus", "known"), [(Knowing(), Found({"a": Traffic(1, 2, 3)})), (None, Missing())]
)
async def test_the_network_is_read_with_room_where_there_is_a_prometheus(
    prometheus: Prometheus | None, known: Item[Any]
) -> None:
    snapshot = await read(cluster(World()), prometheus)
    assert snapshot is not None
    assert snapshot.room is not None
    assert snapshot.room.network == known


async def test_a_metrics_api_that_fails_fails_no_look() -> None:
    fake = cluster(up())
    fake.refuse = lambda _, path: 503 if "metrics.k8s.io" in path else 0
    snapshot = await read(fake)
    assert snapshot is not None
    assert isinstance(snapshot.usage, Unknown)
    assert isinstance(snapshot.ledger, Found)


async def test_a_list_that_failed_says_nothing_about_its_kind() -> None:
    fake = cluster(up())
    fake.refuse = lambda _, path: 500 if path.endswith("/deployments") else 0
    snapshot = await read(fake)
    assert snapshot is not None
    unread = {ref.kind for ref, item in snapshot.children.items() if isinstance(item, Unknown)}
    assert unread == {"Deployment"}
    assert plan(snapshot, 0.0).apply == ()


async def test_a_stranger_without_our_label_is_seen() -> None:
    world = World()
    ref = deployment_ref(Role.REFERENCE)
    world.objects[ref] = stranger(ref)
    snapshot = await read(cluster(world))
    assert snapshot is not None
    assert isinstance(snapshot.children[ref], Found)
    assert snapshot.children[PROBE] == Missing()


def deleting() -> World:
    world = up()
    world.delete()
    return world


@pytest.mark.parametrize("build", [up, deleting])
async def test_a_child_that_lost_its_label_is_seen(build: Callable[[], World]) -> None:
    world, ref = build(), deployment_ref(Role.MIRROR)
    del world.objects[ref]["metadata"]["labels"]
    snapshot = await read(cluster(world))
    assert snapshot is not None
    assert isinstance(snapshot.children[ref], Found)


async def test_the_entry_of_a_stranger_is_seen_in_every_phase() -> None:
    world = World()
    world.edit(phase="None")
    world.objects[ENTRY] = stranger(ENTRY)
    snapshot = await read(cluster(world))
    assert snapshot is not None
    assert isinstance(snapshot.children[ENTRY], Found)


@pytest.mark.parametrize(("phase", "asked"), [("Running", True), ("Failed", False)])
async def test_an_envoy_that_is_gone_is_not_called(phase: str, asked: bool) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "hal9-mirror-a",
            "namespace": NAME,
            "labels": names.labels(NAME, Role.MIRROR),
        },
        "spec": {"containers": [{"name": "envoy"}]},
        "status": {"phase": phase, "podIP": "10.0.0.1"},
    }
    fake = cluster(up())
    fake.put(pod)
    snapshot = await read(fake)
    assert snapshot is not None
    assert bool(snapshot.mirrors) is asked


async def test_what_selects_pods_is_read_only_before_the_clones_are_made() -> None:
    before, after = cluster(World()), cluster(up())
    await read(before)
    await read(after)
    assert any(call.endswith("/replicasets") for call in before.calls)
    assert not any(call.endswith("/replicasets") for call in after.calls)


@pytest.mark.parametrize("deleting", [False, True])
async def test_a_spec_that_nobody_can_read_keeps_nothing_from_being_read(
    deleting: bool,
) -> None:
    world = up()
    world.spec["samplingPercent"] = "many"
    if deleting:
        world.delete()
    snapshot = await read(cluster(world))
    assert snapshot is not None
    assert isinstance(snapshot.children[ENTRY], Found)


def expression(operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": "a", "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "query"),
    [
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        (
            {"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]},
            "a in (1,2)",
        ),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, "a notin (1)"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, "a"),
        (
            {
                "matchLabels": {"a": "1"},
                "matchExpressions": [{"key": "b", "operator": "DoesNotExist"}],
            },
            "a=1,!b",
        ),
    ],
)
def test_a_label_selector_becomes_a_query(selector: Mapping[str, Any], query: str) -> None:
    assert label_selector(selector) == query


def _pod(message: str | None) -> dict[str, Any]:
    ended = {"terminated": {"message": message, "reason": "Completed"}}
    state = {"running": {}} if message is None else ended
    return {"status": {"containerStatuses": [{"state": state}]}}


@pytest.mark.parametrize(
    ("pod", "report"),
    [
        ({}, Unknown("the isolation probe runs")),
        (_pod(None), Unknown("the isolation probe runs")),
        (_pod(""), Unknown("the isolation probe ended without a report (Completed)")),
        (_pod("{}"), Unknown("the report names no target")),
        (_pod('{"target": "x:1"}'), Found({"target": "x:1"})),
    ],
)
def test_the_report_of_the_probe_is_the_line_that_it_left(
    pod: Mapping[str, Any], report: object
) -> None:
    assert probe_report(pod) == report


async def test_a_probe_is_reached_for_from_here_too() -> None:
    world = up()
    manifest = stranger(PROBE) | _pod('{"target": "127.0.0.1:1", "reachable": false}')
    manifest["metadata"]["labels"] = {"hal9.ai/shadow": NAME}
    world.objects[PROBE] = manifest | {"spec": {"containers": [{"name": "probe"}]}}
    manifest["status"]["containerStatuses"][0]["name"] = "probe"
    snapshot = await read(cluster(world))
    assert snapshot is not None
    assert snapshot.probe == Found({"target": "127.0.0.1:1", "reachable": False})
    assert snapshot.probe_reachable_from_here is False
    assert isinstance(snapshot.children[ObjectRef("v1", "Pod", "hal9-probe")], Found)
