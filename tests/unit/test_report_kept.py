"""A report is kept when a verdict is reached, outlives its resource, and stops nothing."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from shadow_operator.api.names import LABEL_REPORT, Role
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.controller.execute import execute
from shadow_operator.core.planning import evidence
from shadow_operator.core.recording.ledger import begin, encode, process_of
from shadow_operator.core.snapshot import Manifest, Snapshot
from shadow_operator.core.telling import reports
from shadow_operator.report import schema
from shadow_operator.report.kept import JSON_KEY, LARGEST_BYTES, MARKDOWN_KEY, config_map, fitted
from shadow_operator.report.model import Report
from tests.support.api import FakeApi
from tests.support.readings import EPOCH, snapshot
from tests.support.reported import bad
from tests.support.world import NAME, START, World, up
from tests.unit.test_ledger import flood

# When


def soaked(**spec: Any) -> World:
    """Give a world whose soak ends soon, with pairs enough to decide."""
    world = up(soakSeconds=600, **spec)
    world.traffic = 5000
    return world


def reported(world: World) -> list[str]:
    """Give the reports that plans asked for."""
    return [plan.report.name for plan in world.plans if plan.report]


def test_nothing_is_kept_while_nothing_is_decided() -> None:
    world = soaked()
    for _ in range(5):
        world.reconcile(30.0)
    assert world.status["verdict"]["decision"] == "ExtendShadow"
    assert reported(world) == []
    assert "reportRef" not in world.status


def test_a_verdict_is_reported_once_and_status_names_where() -> None:
    world = soaked()
    for _ in range(40):
        world.reconcile(30.0)
    assert world.status["verdict"]["decision"] == "ProceedToCanary"
    [name] = reported(world)
    assert world.status["reportRef"] == {
        "name": name,
        "decision": "ProceedToCanary",
        "final": True,
    }
    assert name == reports.reference(NAME, world.progress.epoch).name


def test_the_report_of_a_run_that_ends_with_its_verdict_says_when_it_ended() -> None:
    world = soaked()
    for _ in range(40):
        world.reconcile(30.0)
    [plan] = [plan for plan in world.plans if plan.report]
    assert plan.report
    assert plan.evidence
    body = ShadowDeployment.parse({**world.body, "status": plan.status})
    kept = config_map(body, plan.evidence["data"], plan.report.name, world.now)
    assert Report.model_validate_json(kept["data"][JSON_KEY]).summary.ended_time is not None
    assert "still running" not in kept["data"][MARKDOWN_KEY]


def test_what_failed_is_reported_at_once_and_again_when_the_run_is_over() -> None:
    world = soaked()
    world.reconcile(30.0)
    pod = next(pod for pod in world.pods.values() if pod.role == Role.SHADOW)
    world.pods[pod.name] = replace(pod, restarts=1, last_termination="OOMKilled")
    world.reconcile(30.0)
    world.reconcile(30.0)
    assert world.status["verdict"]["decision"] == "Investigate"
    assert (world.status["reportRef"]["decision"], reported(world)) == (
        "Investigate",
        [world.status["reportRef"]["name"]],
    )
    assert not world.status["reportRef"].get("final")
    world.edit(phase="None")
    world.until(lambda w: w.status["phase"] == "Idle")
    assert world.status["reportRef"]["final"] is True
    assert len(reported(world)) == 2


def test_a_run_that_goes_on_after_its_verdict_is_reported_again_when_it_ends() -> None:
    world = soaked(afterVerdict="Keep")
    for _ in range(40):
        world.reconcile(30.0)
    assert world.status["reportRef"]["decision"] == "ProceedToCanary"
    assert not world.status["reportRef"].get("final")
    world.edit(phase="None")
    world.until(lambda w: w.status["phase"] == "Idle")
    assert world.status["reportRef"]["final"] is True
    assert len(reported(world)) == 2


def test_taking_it_down_early_reports_what_is_known() -> None:
    world = soaked()
    world.reconcile(30.0)
    world.edit(phase="None")
    world.until(lambda w: w.status["phase"] == "Idle")
    assert len(reported(world)) == 1
    assert world.status["reportRef"]["decision"] == "ExtendShadow"
    assert world.status["reportRef"]["final"] is True


def test_deleting_the_resource_reports_it_before_the_finalizer_goes() -> None:
    world = soaked()
    world.reconcile(30.0)
    world.delete()
    world.until(lambda w: w.gone)
    assert len(reported(world)) == 1


def test_another_epoch_has_another_report_and_the_old_one_is_named_until_then() -> None:
    world = soaked()
    for _ in range(40):
        world.reconcile(30.0)
    first = world.status["reportRef"]["name"]
    world.edit(restartedAt="again")
    world.until(lambda w: w.progress.mirroring)
    assert world.status["reportRef"]["name"] == first
    for _ in range(40):
        world.reconcile(30.0)
    assert world.status["reportRef"]["name"] != first
    assert len(set(reported(world))) == 2


@pytest.mark.parametrize("epoch", ["3e2f5b367247d728-1", "3e2f5b367247d728-12", "short-3"])
def test_the_name_of_a_kept_report_is_a_dns_label(epoch: str) -> None:
    name = reports.reference("h" * 40, epoch).name
    assert len(name) <= 63
    assert name.endswith(epoch.partition("-")[2])


# What


def test_what_is_kept_is_the_whole_report_for_programs_and_people() -> None:
    data = fitted(bad())
    assert Report.model_validate_json(data[JSON_KEY]) == bad()
    assert data[MARKDOWN_KEY].startswith("## Shadow report: hal9/hal9\n")
    assert json.loads(schema.schema())["title"] == "Report"


def test_what_is_kept_is_bounded_whatever_was_counted() -> None:
    ledger = begin(EPOCH, now=0.0, interval=30.0).model_copy(
        update={"processes": (process_of("a", snapshot(*flood(200, 256))),)}
    )
    world = World()
    rules = [
        {"route": f"GET /{n}{'r' * 90}", "path": f"$.{'p' * 200}", "reason": "w" * 200}
        for n in range(64)
    ]
    env = [{"name": f"N{n}", "value": "v" * 4096} for n in range(64)]
    world.edit(
        comparison=dict.fromkeys(("ignore", "unordered", "critical"), rules),
        clones={"env": env},
        mirror={"exclude": [{"path": f"/{n}{'x' * 200}", "reason": "w" * 200} for n in range(60)]},
    )
    resource = ShadowDeployment.parse(world.body)
    made = config_map(resource, encode(ledger), "hal9-report-a-1", START)
    assert sum(len(text.encode()) for text in made["data"].values()) <= LARGEST_BYTES
    large = bad().model_copy(update={"course": bad().course * 100})
    data = fitted(large)
    assert sum(len(text.encode()) for text in data.values()) <= LARGEST_BYTES
    assert Report.model_validate_json(data[JSON_KEY]).summary == bad().summary


def test_what_is_kept_has_no_owner() -> None:
    world = up()
    stored = world.objects[evidence.reference(NAME)]["data"]
    made = config_map(ShadowDeployment.parse(world.body), stored, "hal9-report-a-1", START)
    assert "ownerReferences" not in made["metadata"]
    assert made["metadata"]["labels"][LABEL_REPORT] == NAME


# How


def due() -> tuple[World, Snapshot, Any]:
    """Give a world, what was read of it, and the plan by which a report is due."""
    world = soaked()
    for _ in range(40):
        read = world.snapshot()
        plan = world.reconcile(30.0)
        if plan.report:
            return world, read, plan
    raise AssertionError("no report was due")


async def carry_out(fake: FakeApi) -> tuple[World, Any]:
    """Carry out a plan with a report against this API server."""
    world, read, plan = due()
    fake.put({**world.body, "status": {}})
    fake.put(world.objects[evidence.reference(NAME)])
    live = fake.objects[f"/api/v1/namespaces/{NAME}/configmaps/{NAME}-evidence"]
    plan.evidence["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
    pods = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    async with fake.client() as api, pods:
        await execute(api, pods, read, plan, world.now)
    return world, plan


def config_maps(fake: FakeApi) -> dict[str, Manifest]:
    """Give the reports that are there."""
    return {
        o["metadata"]["name"]: o
        for o in fake.objects.values()
        if o["kind"] == "ConfigMap" and LABEL_REPORT in o["metadata"].get("labels", {})
    }


def status_of(fake: FakeApi) -> dict[str, Any]:
    """Give the status that was written."""
    body = next(o for o in fake.objects.values() if o["kind"] == "ShadowDeployment")
    status: dict[str, Any] = body["status"]
    return status


async def test_the_report_is_written_before_status_names_it() -> None:
    fake = FakeApi()
    _, plan = await carry_out(fake)
    [(name, kept)] = config_maps(fake).items()
    assert name == plan.report.name == status_of(fake)["reportRef"]["name"]
    report = Report.model_validate_json(kept["data"][JSON_KEY])
    assert report.summary.decision == "ProceedToCanary"
    calls = [call.rpartition("/")[2] for call in fake.calls if not call.startswith("GET")]
    assert calls.index("configmaps") < calls.index("status")


async def test_a_report_that_can_not_be_kept_stops_nothing_and_is_due_again() -> None:
    fake = FakeApi()
    fake.refuse = lambda method, path: (
        403 if method == "POST" and path.endswith("configmaps") else 0
    )
    world, _ = await carry_out(fake)
    assert status_of(fake)["verdict"]["decision"] == "ProceedToCanary"
    assert "reportRef" not in status_of(fake)
    world.status = status_of(fake)
    assert world.reconcile(30.0).report


async def test_a_strangers_config_map_is_not_touched() -> None:
    fake = FakeApi()
    _, _, plan = due()
    theirs = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": plan.report.name, "namespace": NAME},
        "data": {"a": "b"},
    }
    fake.put(theirs)
    await carry_out(fake)
    live = fake.objects[f"/api/v1/namespaces/{NAME}/configmaps/{plan.report.name}"]
    assert live["data"] == {"a": "b"}
    assert "reportRef" not in status_of(fake)


async def test_the_last_five_reports_are_kept() -> None:
    fake = FakeApi()
    for number in range(7):
        fake.put(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": f"hal9-report-old-{number}",
                    "namespace": NAME,
                    "labels": {LABEL_REPORT: NAME},
                    "annotations": {reports.ANNOTATION_WRITTEN: f"2020-01-0{number + 1}T00:00:00Z"},
                },
            }
        )
    other = {"name": "other-report-old-1", "namespace": NAME, "labels": {LABEL_REPORT: "other"}}
    fake.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": other})
    _, plan = await carry_out(fake)
    old = {f"hal9-report-old-{number}" for number in (3, 4, 5, 6)}
    assert set(config_maps(fake)) == {plan.report.name, "other-report-old-1", *old}
