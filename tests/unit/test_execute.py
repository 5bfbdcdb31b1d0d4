"""A plan is carried out in its order; what was refused is said, and found undone next time."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest

from shadow_operator.adapters.kubernetes import ApiError
from shadow_operator.api.reasons import EventReason
from shadow_operator.controller.execute import Annotate, execute
from shadow_operator.controller.operator import asked_for
from shadow_operator.core.actions import Annotation, Deletion, Event, Mark, Plan
from shadow_operator.core.snapshot import Found, Manifest, ObjectRef, Pod, Snapshot
from tests.support.api import FakeApi
from tests.support.readings import mirror
from tests.support.world import NAME, START, World

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


async def carry_out(
    plan: Plan,
    fake: FakeApi,
    *,
    envoy_answers: int = 200,
    percent: int = 100,
    annotate: Annotate | None = None,
) -> list[str]:
    """Give the calls, without the common part of their paths."""

    def envoy(request: httpx.Request) -> httpx.Response:
        fake.calls.append(f"{request.method} {request.url.path}")
        return httpx.Response(envoy_answers)

    snapshot = Snapshot(
        World().body,
        Found({}),
        World().snapshot().settings,
        pods=Found((POD,)),
        mirrors={POD.name: Found(mirror(100, percent=percent))},
    )
    pods = httpx.AsyncClient(transport=httpx.MockTransport(envoy))
    try:
        async with fake.client() as api, pods:
            await execute(api, pods, snapshot, plan, START, annotate=annotate)
    finally:
        fake.calls = [call.replace(f"/namespaces/{NAME}", "") for call in fake.calls]
    return fake.calls


def cluster() -> FakeApi:
    return FakeApi(World().body, service("old"))


async def test_the_mirror_comes_first_and_status_after_everything_that_it_tells_of() -> None:
    calls = await carry_out(PLAN, cluster())
    assert [call for index, call in enumerate(calls) if call != calls[index - 1]] == [
        "POST /runtime_modify",
        "POST /api/v1/configmaps",
        "PATCH /api/v1/services/new",
        "DELETE /api/v1/services/old",
        "PATCH /apis/hal9.ai/v1alpha1/shadowdeployments/hal9/status",
        "POST /apis/events.k8s.io/v1/events",
    ]


@pytest.mark.parametrize(
    ("answers", "percent", "column"), [(200, 0, "0%/100%"), (503, None, "?/100%")]
)
async def test_a_percentage_counts_as_in_force_only_where_envoy_took_it(
    answers: int, percent: int | None, column: str
) -> None:
    fake = cluster()
    said = {
        "mirror": {"provider": "Envoy", "requestedPercent": 100, "effectivePercent": 0},
        "summary": {"mirror": "0%/100%", "soak": "6h/24h"},
    }
    await carry_out(Plan(percent={POD.name: 0}, status=said), fake, envoy_answers=answers)
    status = next(o for o in fake.objects.values() if o["kind"] == "ShadowDeployment")["status"]
    assert status["mirror"].get("effectivePercent") == percent
    assert status["summary"] == {"mirror": column, "soak": "6h/24h"}


async def test_an_empty_plan_calls_nobody() -> None:
    assert await carry_out(Plan(), cluster()) == []


def status_of(fake: FakeApi) -> dict[str, Any]:
    resource = next(o for o in fake.objects.values() if o["kind"] == "ShadowDeployment")
    status: dict[str, Any] = resource.get("status", {})
    return status


def refusing(code: int, *names: str) -> FakeApi:
    """Give a cluster that refuses writes whose path ends so."""
    fake = cluster()
    fake.refuse = lambda method, path: code if method != "GET" and path.endswith(names) else 0
    return fake


async def test_a_refused_child_is_said_in_status_and_stops_nothing_else() -> None:
    fake = refusing(403, "new")
    plan = replace(PLAN, apply=(*PLAN.apply, service("next")))
    with pytest.raises(ApiError, match="Service new could not be changed"):
        await carry_out(plan, fake)
    assert status_of(fake)["message"].startswith("Service new could not be changed; ")
    assert "PATCH /api/v1/services/next" in fake.calls
    assert "DELETE /api/v1/services/old" in fake.calls
    events = [o["reason"] for o in fake.objects.values() if o["kind"] == "Event"]
    assert events == ["SoakCompleted"]


def child(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    version = {"NetworkPolicy": "networking.k8s.io/v1", "Deployment": "apps/v1"}.get(kind, "v1")
    metadata = {"name": name, "namespace": NAME}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


CHILDREN = (
    child("Service", "entry"),
    child("NetworkPolicy", "policy"),
    child("Pod", "probe"),
    child("Deployment", "shadow"),
    child("Service", "open", selector={"hal9.ai/role": "comparator"}),
)
"""In the order of a plan; the last lets copies in."""


@pytest.mark.parametrize(
    ("refused", "made"),
    [
        pytest.param("policy", ["entry"], id="nothing runs without its policy"),
        pytest.param("probe", ["entry", "policy", "shadow", "open"], id="the rest goes on"),
        pytest.param(
            "configmaps", ["entry", "policy", "probe", "shadow"], id="no copies uncounted"
        ),
    ],
)
async def test_a_refusal_holds_up_only_what_must_not_be_without(
    refused: str, made: list[str]
) -> None:
    fake = refusing(422, refused)
    with pytest.raises(ApiError):
        await carry_out(replace(PLAN, apply=CHILDREN), fake)
    names = {manifest["metadata"]["name"] for manifest in CHILDREN}
    assert [
        o["metadata"]["name"] for o in fake.objects.values() if o["metadata"]["name"] in names
    ] == made


@pytest.mark.parametrize(
    ("percent", "refused", "told"),
    [
        pytest.param(100, "", True, id="copies begin"),
        pytest.param(100, "configmaps", False, id="not while the evidence can't be kept"),
        pytest.param(100, "policy", False, id="not while the clones are open"),
        pytest.param(100, "probe", True, id="another child is no reason"),
        pytest.param(10, "configmaps", True, id="less is told in any case"),
    ],
)
async def test_copies_become_more_only_when_it_is_safe_and_kept(
    percent: int, refused: str, told: bool
) -> None:
    fake = refusing(403, refused) if refused else cluster()
    plan = replace(PLAN, percent={POD.name: percent}, apply=CHILDREN, delete=())
    with suppress(ApiError):
        await carry_out(plan, fake, percent=50)
    assert ("POST /runtime_modify" in fake.calls) is told
    if told and percent > 50:
        order = [fake.calls.index(c) for c in ("POST /api/v1/configmaps", "POST /runtime_modify")]
        assert order == sorted(order)


async def test_status_tells_of_no_evidence_that_was_not_kept() -> None:
    fake = refusing(403, "configmaps", "new")
    with pytest.raises(ApiError):
        await carry_out(PLAN, fake)
    status = status_of(fake)
    assert status["phase"] == "Pending"
    assert "hal9-evidence could not be changed" in status["message"]
    assert "Service new could not be changed" in status["message"]
    assert not any(call.endswith("events") for call in fake.calls)


async def test_where_somebody_else_wrote_the_evidence_nothing_of_the_plan_is_done() -> None:
    fake = refusing(409, "configmaps")
    with pytest.raises(ApiError) as caught:
        await carry_out(PLAN, fake)
    assert caught.value.conflict
    assert set(fake.calls) == {"POST /runtime_modify", "POST /api/v1/configmaps"}


async def test_an_event_that_is_lost_decides_nothing() -> None:
    fake = cluster()
    fake.refuse = lambda _, path: 403 if path.endswith("events") else 0
    await carry_out(PLAN, fake)


MARKS = (
    Annotation(Mark.START, START, "deployed"),
    Annotation(Mark.START, START, "copies", begins_copies=True),
)


@pytest.mark.parametrize(
    ("refused", "made"),
    [
        pytest.param("nothing", ["deployed", "copies"], id="all is as planned"),
        pytest.param("policy", ["deployed"], id="copies are held back"),
        pytest.param("configmaps", [], id="what is not kept comes again"),
    ],
)
async def test_annotations_come_last_and_only_of_what_is_so(refused: str, made: list[str]) -> None:
    fake, texts = refusing(403, refused), list[str]()

    def annotate(resource: Manifest, annotations: tuple[Annotation, ...]) -> None:
        assert fake.calls[-1].endswith(("/status", "/events")), "status was written before"
        assert resource["metadata"]["name"] == NAME
        texts.extend(one.text for one in annotations)

    with suppress(ApiError):
        await carry_out(replace(PLAN, apply=CHILDREN, annotations=MARKS), fake, annotate=annotate)
    assert texts == made


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
