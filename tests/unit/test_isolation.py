"""No clone starts before somebody has shown that the cluster keeps it in, or a person waived it."""

import pytest

from shadow_operator.api.names import Role
from shadow_operator.core.planning.isolation import RETEST_SECONDS
from tests.support.world import PROBE, World, deployment_ref, mirroring, up


def start(isolates: bool | None, **clones: object) -> World:
    world = World(isolates=isolates)
    world.edit(clones=clones)
    return world


def isolated(world: World) -> dict[str, str]:
    condition: dict[str, str]
    [condition] = [c for c in world.status["conditions"] if c["type"] == "Isolated"]
    return condition


def play(world: World, times: int, seconds: float = 2.0) -> None:
    for _ in range(times):
        world.reconcile(seconds)
        world.settle()


def test_where_nobody_enforces_no_clone_starts_and_the_way_on_is_said() -> None:
    world = start(isolates=False)
    play(world, 6)
    assert deployment_ref(Role.SHADOW) not in world.objects
    assert (isolated(world)["status"], isolated(world)["reason"]) == ("False", "NotEnforced")
    assert world.status["phase"] == "Pending"
    assert world.status["summary"]["blockedBy"] == "isolation"
    assert "BestEffort" in world.status["nextStep"]
    assert "Reconciling" not in {c["type"] for c in world.status["conditions"]}
    assert world.plans[-1].requeue_after == 30.0


def test_a_person_may_accept_the_risk() -> None:
    world = start(isolates=False, isolation="BestEffort")
    world.until(mirroring)
    assert isolated(world)["status"] == "False"


def test_open_egress_needs_no_probe() -> None:
    world = start(isolates=None, egress="Allow")
    world.until(mirroring)
    assert not any(PROBE.name in str(plan.apply) for plan in world.plans)


def test_an_answer_is_remembered_before_the_probe_goes() -> None:
    world = World().until(lambda w: PROBE in w.objects)
    world.settle()
    plan = world.reconcile()
    assert plan.evidence is not None
    assert PROBE in world.objects
    world.reconcile()
    assert PROBE not in world.objects
    assert isolated(world)["status"] == "True"


def test_the_probe_runs_once() -> None:
    world = World().until(mirroring)
    play(world, 5, seconds=RETEST_SECONDS)
    made = [m for plan in world.plans for m in plan.apply if m["kind"] == "Pod"]
    assert len(made) == 1


def test_a_disappointing_answer_is_tested_again() -> None:
    world = start(isolates=False)
    play(world, 6)
    world.isolates = True
    world.now += RETEST_SECONDS
    world.until(mirroring)


def test_a_probe_without_a_report_is_made_again() -> None:
    world = start(isolates=None)
    play(world, 6)
    made = [m for plan in world.plans for m in plan.apply if m["kind"] == "Pod"]
    assert len(made) >= 2
    assert deployment_ref(Role.SHADOW) not in world.objects
    world.isolates = True
    world.until(mirroring)


def test_clones_go_when_a_person_withdraws_the_waiver_but_copies_go_first() -> None:
    world = start(isolates=False, isolation="BestEffort")
    world.until(mirroring)
    world.edit(clones={"isolation": "Required"})
    first = world.reconcile()
    assert set(first.percent.values()) == {0}
    assert {deletion.ref for deletion in first.delete} <= {PROBE}
    world.until(lambda w: deployment_ref(Role.SHADOW) not in w.objects)
    assert world.status["summary"]["blockedBy"] == "isolation"


@pytest.mark.parametrize("spec", [{"suspend": True}, {"samplingPercent": 0}, {"layers": []}])
def test_what_was_shown_stays_known(spec: dict[str, object]) -> None:
    world = up()
    world.edit(**spec)
    play(world, 3)
    assert isolated(world)["status"] == "True"


def test_after_the_clones_were_absent_it_is_tested_again() -> None:
    world = up()
    world.edit(phase="None")
    world.until(lambda w: w.status["phase"] == "Idle")
    assert isolated(world)["reason"] == "NotTested"
    world.isolates = False
    world.edit(phase="Shadow")
    play(world, 6)
    assert deployment_ref(Role.SHADOW) not in world.objects
