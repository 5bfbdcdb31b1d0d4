"""A plan is carried out in its order; what was refused is said, and found undone next time."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from shadow_operator.adapters.kubernetes import ApiError
from shadow_operator.api.reasons import EventReason
from shadow_operator.controller.execute import execute
from shadow_operator.controller.operator import asked_for
from shadow_operator.core.actions import Deletion, Event, Plan
from shadow_operator.core.snapshot import Found, ObjectRef, Pod, Snapshot
from tests.support.api import FakeApi
from tests.support.world import NAME, World

POD = Pod("hal9-mirror-a", "u", "mirror", ip="10.0.0.1")


def service(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAME}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata}


PLAN = Plan(
    percent={POD.name: 0},
    apply=(service("new"),),
    delete=(Deletion(ObjectRef("v1", "Service", "old"), "uid-2"),),
    evidence={
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "hal9-evidence", "namespace": NAME},
    },
    status={"phase": "Soaking", "message": "All is well."},
    events=(
        Event(EventReason.SOAK_COMPLETED, "24 h"),
        Event(EventReason.DRIFT_REPAIRED, "Service new was deleted: made again."),
    ),
)


async def carry_out(plan: Plan, fake: FakeApi) -> list[str]:
    """Give the calls, without the common part of their paths."""

    def envoy(request: httpx.Request) -> httpx.Response:
        fake.calls.append(f"{request.method} {request.url.path}")
        return httpx.Response(200)

    snapshot = Snapshot(World().body, Found({}), World().snapshot().settings, pods=Found((POD,)))
    pods = httpx.AsyncClient(transport=httpx.MockTransport(envoy))
    try:
        async with fake.client() as api, pods:
            await execute(api, pods, snapshot, plan)
    finally:
        fake.calls = [call.replace(f"/namespaces/{NAME}", "") for call in fake.calls]
    return fake.calls


def cluster() -> FakeApi:
    return FakeApi(World().body, service("old"))


async def test_the_mirror_comes_first_and_status_after_everything_that_it_tells_of() -> None:
    calls = await carry_out(PLAN, cluster())
    assert [call for index, call in enumerate(calls) if call != calls[index - 1]] == [
        "POST /runtime_modify",
        "PATCH /api/v1/services/new",
        "DELETE /api/v1/services/old",
        "POST /api/v1/configmaps",
        "PATCH /apis/hal9.ai/v1alpha1/shadowdeployments/hal9/status",
        "POST /apis/events.k8s.io/v1/events",
    ]


async def test_an_empty_plan_calls_nobody() -> None:
    assert await carry_out(Plan(), cluster()) == []


async def test_a_refused_child_is_said_in_status_and_stops_no_deletion() -> None:
    fake = cluster()
    fake.refuse = lambda method, path: 403 if (method, path[-3:]) == ("PATCH", "new") else 0
    with pytest.raises(ApiError):
        await carry_out(PLAN, fake)
    resource = next(o for o in fake.objects.values() if o["kind"] == "ShadowDeployment")
    assert resource["status"]["message"] == "The API server refused a change: new is refused"
    assert "DELETE /api/v1/services/old" in fake.calls
    events = [o["reason"] for o in fake.objects.values() if o["kind"] == "Event"]
    assert events == ["SoakCompleted"]


async def test_after_a_refused_policy_no_clone_is_made() -> None:
    fake = cluster()
    fake.refuse = lambda _, path: 403 if path.endswith("first") else 0
    with pytest.raises(ApiError):
        await carry_out(Plan(apply=(service("first"), service("second"))), fake)
    assert not any(call.endswith("second") for call in fake.calls)


@pytest.mark.parametrize("status", [409, 403])
async def test_status_tells_of_no_evidence_that_was_not_kept(status: int) -> None:
    fake = cluster()
    fake.refuse = lambda _, path: status if path.endswith("configmaps") else 0
    with pytest.raises(ApiError):
        await carry_out(PLAN, fake)
    assert not any("status" in call or "events" in call for call in fake.calls)


async def test_an_event_that_is_lost_decides_nothing() -> None:
    fake = cluster()
    fake.refuse = lambda _, path: 403 if path.endswith("events") else 0
    await carry_out(PLAN, fake)


@pytest.mark.parametrize(("finalizer", "left"), [(True, ["hal9.ai/shadow-operator"]), (False, [])])
async def test_the_finalizer_is_set_and_taken_off(finalizer: bool, left: list[str]) -> None:
    fake = cluster()
    await carry_out(Plan(finalizer=finalizer), fake)
    resource = next(o for o in fake.objects.values() if o["kind"] == "ShadowDeployment")
    assert resource["metadata"]["finalizers"] == left


async def test_the_finalizer_stays_while_something_could_not_be_deleted() -> None:
    fake = cluster()
    fake.refuse = lambda method, _: 500 if method == "DELETE" else 0
    with pytest.raises(ApiError):
        await carry_out(replace(PLAN, finalizer=False, status=None), fake)
    assert fake.calls[-1].startswith("POST /apis/events")


@pytest.mark.parametrize(
    ("change", "wakes"),
    [
        ({"status": {"phase": "Soaking"}}, False),
        ({"metadata": {"resourceVersion": "9", "managedFields": []}}, False),
        ({"metadata": {"generation": 2}}, True),
        ({"metadata": {"annotations": {"hal9.ai/stop": ""}}}, True),
        ({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, True),
        ({"metadata": {"uid": "another"}}, True),
    ],
)
def test_our_own_status_writes_wake_nobody(change: dict[str, Any], wakes: bool) -> None:
    before = World().body
    after = {**before, **change, "metadata": before["metadata"] | change.get("metadata", {})}
    assert (asked_for(before) != asked_for(after)) is wakes
