"""On the way up nothing is copied before everything is there; at rest nothing is written."""

import pytest

from shadow_operator.api.evidence import ComparatorConfig
from shadow_operator.api.names import Role
from shadow_operator.core import names
from shadow_operator.core.actions import Plan
from shadow_operator.core.deploying import mirror
from shadow_operator.core.snapshot import ObjectRef
from tests.support.world import (
    COPIES_SERVICE,
    ENTRY,
    EVIDENCE,
    NAME,
    PROBE,
    World,
    deployment_ref,
    mirroring,
    up,
)

WORKLOADS = (Role.SHADOW, Role.REFERENCE, Role.COMPARATOR, Role.MIRROR)


def writes(plan: Plan) -> tuple[bool, ...]:
    return (
        bool(plan.percent),
        bool(plan.apply),
        bool(plan.delete),
        plan.evidence is not None,
        plan.status is not None,
        bool(plan.events),
    )


def test_the_finalizer_comes_before_anything_else() -> None:
    world = World()
    first = world.reconcile()
    assert first.finalizer is True
    assert writes(first) == (False,) * 6
    assert world.reconcile().apply


def test_policies_and_probe_come_before_any_clone() -> None:
    world = World()
    world.reconcile()
    kinds = {ObjectRef.of(m) for m in world.reconcile().apply}
    assert PROBE in kinds
    assert not kinds & {deployment_ref(role) for role in WORKLOADS}


@pytest.mark.parametrize("late", WORKLOADS)
def test_nothing_is_copied_while_one_workload_is_not_available(late: Role) -> None:
    world = World().until(lambda w: deployment_ref(late) in w.objects)
    world.settle()
    for _ in range(5):
        world.break_down(late)
        world.reconcile()
        assert not world.progress.mirroring
        assert {envoy.percent for envoy in world.envoys.values()} == {0}
    assert "pods are available" in world.status["message"]
    world.until(mirroring)


def test_the_entry_leads_to_envoy_only_when_all_of_it_is_up() -> None:
    world = World().until(lambda w: deployment_ref(Role.MIRROR) in w.objects)
    selector = world.objects[ENTRY]["spec"]["selector"]
    assert selector == {"app": "hal9"}
    world.until(mirroring)
    assert world.objects[ENTRY]["spec"]["selector"] == names.selector(NAME, Role.MIRROR)


def test_at_rest_nothing_is_written_between_two_intervals() -> None:
    world = up()
    world.reconcile(30.0)
    world.reconcile(2.0)
    assert writes(world.reconcile(2.0)) == (False,) * 6
    assert writes(world.reconcile(2.0)) == (False,) * 6


def test_at_rest_an_interval_writes_evidence_and_status_once_and_nothing_else() -> None:
    world = up()
    for _ in range(3):
        plan = world.reconcile(30.0)
        assert (plan.percent, plan.apply, plan.delete, plan.events) == ({}, (), (), ())
        assert plan.requeue_after == 30.0


@pytest.mark.parametrize(
    ("spec", "annotations"),
    [
        ({"phase": "None"}, {}),
        ({"suspend": True}, {}),
        ({}, {"hal9.ai/stop": "outage"}),
        ({"samplingPercent": 0}, {}),
        ({"mirror": {"provider": "External"}}, {}),
    ],
)
def test_every_state_comes_to_rest(spec: dict[str, object], annotations: dict[str, str]) -> None:
    world = up()
    world.edit(**spec)
    world.annotations |= annotations
    for _ in range(8):
        world.reconcile(30.0)
        world.settle()
    world.reconcile(2.0)
    decided = world.reconcile(2.0)
    assert writes(decided) == (False,) * 6
    assert decided.requeue_after == 30.0


def test_recording_says_when_it_ends_and_writes_that_once() -> None:
    world = World()
    world.edit(guard={"baselineSeconds": 300})
    world.until(lambda w: w.status.get("phase") == "Recording")
    world.reconcile(2.0)
    began, wakes = world.now, []
    while not mirroring(world):
        plan = world.reconcile(10.0)
        if not plan.percent:
            wakes.append(plan.requeue_after)
            assert plan.status is None or plan.evidence is not None  # once in an interval
    assert 290 <= world.now - began <= 320
    assert min(wakes) > 2.0


def test_a_short_break_of_the_clones_asks_for_no_new_recording() -> None:
    world = World()
    world.edit(guard={"baselineSeconds": 300})
    world.until(mirroring, seconds=30.0)
    world.break_down(Role.SHADOW)
    world.reconcile()
    assert not world.progress.mirroring
    world.settle()
    world.reconcile()
    assert mirroring(world)


def test_the_ramp_rises_in_steps_and_each_step_is_a_measurement_of_its_own() -> None:
    world = World()
    world.edit(mirror={"rampSeconds": 60})
    world.until(mirroring)
    told: list[int] = []
    while not told or told[-1] < 100:
        plan = world.reconcile(world.plans[-1].requeue_after)
        if plan.percent:
            told += {*plan.percent.values()}
            assert plan.evidence is not None
    assert told == sorted(told)
    assert len(told) >= 5
    world.reconcile(30.0)
    assert world.plans[-1].percent == {}


def test_a_restarted_envoy_is_told_the_percentage_again() -> None:
    world = up()
    name = min(world.envoys)
    world.envoys[name].percent = 0
    assert world.reconcile().percent == {name: 100}


def test_another_percentage_reaches_every_envoy_without_touching_a_child() -> None:
    world = up()
    world.edit(samplingPercent=30)
    plan = world.reconcile()
    assert set(plan.percent.values()) == {30}
    assert plan.apply == ()
    assert [event.reason for event in plan.events] == ["SamplingChanged"]


def test_drift_is_repaired_and_told_once() -> None:
    world = up()
    world.objects[COPIES_SERVICE]["spec"]["ports"][0]["port"] = 1
    del world.objects[ObjectRef("policy/v1", "PodDisruptionBudget", "hal9-comparator")]
    plan = world.reconcile()
    assert {ObjectRef.of(m).kind for m in plan.apply} == {"Service", "PodDisruptionBudget"}
    assert [event.reason for event in plan.events] == ["DriftRepaired", "DriftRepaired"]
    assert world.reconcile().apply == ()
    assert mirroring(world)


def test_what_the_operator_itself_changes_is_no_drift() -> None:
    world = up()
    world.roll_out("newer")
    events = [event.reason for _ in range(4) for event in world.reconcile().events]
    assert "DriftRepaired" not in events


def test_a_clone_that_was_changed_by_hand_gets_no_copies_until_it_is_itself_again() -> None:
    world = up()
    live = world.objects[deployment_ref(Role.SHADOW)]
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "example.com/hal9:other"
    plan = world.reconcile()
    assert set(plan.percent.values()) == {0}
    world.until(mirroring)


@pytest.mark.parametrize("role", [Role.SHADOW, Role.MIRROR])
def test_what_a_webhook_changes_in_every_write_is_named_and_tried_again_at_leisure(
    role: Role,
) -> None:
    world = up()
    for _ in range(6):
        live = world.objects[deployment_ref(role)]
        live["spec"]["template"]["spec"]["containers"][0]["image"] = "cache.example.com/image"
        decided = world.reconcile()
        world.settle()
    assert decided.requeue_after == 30.0
    assert not world.progress.mirroring
    assert f"Deployment hal9-{role} (spec.template.spec.containers." in world.status["message"]
    assert writes(decided)[1:] == (True, False, False, False, False)
    world.until(mirroring)
    assert world.progress.repaired == ()


def test_a_changed_budget_of_envoy_takes_no_request_off_it() -> None:
    world = up()
    del world.objects[ObjectRef("policy/v1", "PodDisruptionBudget", "hal9-mirror")]
    plan = world.reconcile()
    assert [ObjectRef.of(m).kind for m in plan.apply] == ["PodDisruptionBudget"]
    assert plan.percent == {}


def test_envoy_gets_a_new_configuration_when_the_entry_has_left_it() -> None:
    world = up()
    for envoy in world.envoys.values():
        envoy.active = 1  # each ends its requests itself before it stops
    world.edit(mirror={"exclude": [{"path": "/admin", "reason": "private"}]})
    before = world.deployment(Role.MIRROR)
    world.reconcile()
    assert world.deployment(Role.MIRROR) == before
    assert world.objects[ENTRY]["spec"]["selector"] == {"app": "hal9"}
    world.reconcile()
    assert world.deployment(Role.MIRROR) != before
    world.until(mirroring)


# Provider External


def closed(world: World) -> bool:
    selector = world.objects[COPIES_SERVICE]["spec"]["selector"]
    return bool(selector != names.selector(NAME, Role.COMPARATOR))


def test_without_an_envoy_copies_are_let_in_only_when_all_is_available() -> None:
    world = World()
    world.edit(mirror={"provider": "External"})
    world.until(lambda w: COPIES_SERVICE in w.objects)
    assert closed(world)
    world.until(lambda w: w.progress.mirroring)
    assert not closed(world)


@pytest.mark.parametrize(
    "change", [{"suspend": True}, {"samplingPercent": 0}, {"mirror": {"provider": "Envoy"}}]
)
def test_without_an_envoy_copies_are_kept_out_by_closing_the_service(
    change: dict[str, object],
) -> None:
    world = World()
    world.edit(mirror={"provider": "External"})
    world.until(lambda w: w.progress.mirroring)
    world.edit(**change)
    world.reconcile()
    assert closed(world) or "mirror" in change
    assert not world.progress.mirroring


def told(world: World) -> ComparatorConfig:
    config = world.objects[ObjectRef("v1", "ConfigMap", "hal9-comparator")]["data"]["config.json"]
    return ComparatorConfig.model_validate_json(config)


def test_without_an_envoy_comparators_take_the_percentage_and_it_rises() -> None:
    world = World()
    world.edit(samplingPercent=40, mirror={"provider": "External", "rampSeconds": 60})
    world.until(lambda w: w.progress.mirroring)
    pods = {name: pod for name, pod in world.pods.items() if pod.role == Role.COMPARATOR}
    seen = [told(world).sample_percent]
    while seen[-1] < 40:
        world.reconcile(10.0)
        seen.append(told(world).sample_percent)
        assert world.status["mirror"]["effectivePercent"] == seen[-1]
    assert seen == sorted(seen)
    assert seen[0] <= 7 < seen[len(seen) // 2] < 40
    assert {name: world.pods[name] for name in pods} == pods
    assert told(world).connection_seconds is not None


@pytest.mark.parametrize("change", [{"suspend": True}, {"samplingPercent": 0}])
def test_without_an_envoy_comparators_take_nothing_while_nothing_is_wanted(
    change: dict[str, object],
) -> None:
    world = World()
    world.edit(mirror={"provider": "External"})
    world.until(lambda w: w.progress.mirroring)
    world.edit(**change)
    world.reconcile()
    assert told(world).sample_percent == 0


def test_what_an_envoy_copies_is_all_compared() -> None:
    world = up(samplingPercent=10)
    assert (told(world).sample_percent, told(world).connection_seconds) == (100, None)


def test_the_provider_changes_from_envoy_to_external_and_back() -> None:
    world = up()
    world.edit(mirror={"provider": "External"})
    world.reconcile()
    assert {envoy.percent for envoy in world.envoys.values()} == {0}
    world.until(lambda w: w.deployment(Role.MIRROR) is None)
    assert world.objects[ENTRY]["spec"]["selector"] == {"app": "hal9"}
    world.until(lambda w: not any(ref in w.objects for ref in mirror.references(NAME)))
    world.until(lambda w: w.progress.mirroring)
    world.edit(mirror={"provider": "Envoy"})
    world.until(mirroring)
    assert world.objects[ENTRY]["spec"]["selector"] == names.selector(NAME, Role.MIRROR)


def test_what_is_remembered_is_kept_beside_the_evidence() -> None:
    world = up()
    assert set(world.objects[EVIDENCE]["data"]) > {"progress.json"}
