"""The gates `resources` and `headroom`, and what status says of both."""

from dataclasses import replace
from typing import Any

import pytest

from shadow_operator.api.enums import GateName, GateResult
from shadow_operator.api.names import Role
from shadow_operator.api.status import Gate
from shadow_operator.core.judging.resources import headroom, resources
from shadow_operator.core.recording.headroom import Asked, Headroom, Network
from shadow_operator.core.recording.usage import Usage, UsageRecord, Use
from shadow_operator.core.snapshot import (
    Amount,
    Bounds,
    Found,
    Item,
    Missing,
    Node,
    Pod,
    RoomReading,
    Traffic,
    Unknown,
)
from tests.support.memory import MIB, case
from tests.support.world import World, deployment_ref, mirroring, up

PASSED, FAILED = GateResult.PASSED, GateResult.FAILED
INCONCLUSIVE, ERROR = GateResult.INCONCLUSIVE, GateResult.ERROR
NOT_APPLICABLE = GateResult.NOT_APPLICABLE
GIB = 1 << 30


def used(*shares: tuple[int, int], **changes: Any) -> Usage:
    """Give a record every 30 s with these shares of the CPU and the memory limit in percent."""
    reference = Use(cpu=50, memory=100 * MIB, largest=100 * MIB, pods=2)
    series = tuple(
        UsageRecord(
            30.0 * number,
            30.0,
            {
                "shadow": Use(100, 120 * MIB, 130 * MIB, cpu, memory, 2),
                "reference": reference,
            },
        )
        for number, (cpu, memory) in enumerate(shares, start=1)
    )
    asked = 30.0 * max(1, len(shares))
    known = Usage(series=series, taken=asked if series else 0.0, asked=asked, memory_limit=GIB)
    return known.model_copy(update=changes)


CALM, FULL, BUSY = ((20, 40),), ((20, 95),), ((99, 40),)
RESOURCES: dict[str, tuple[Usage, dict[str, Any], GateResult, str]] = {
    "within limits": (
        used(*CALM * 20),
        {},
        PASSED,
        "Each pod uses 100m CPU and 120 MiB (2.00 and 1.20 times the reference's), the largest "
        "130 MiB. No restart.",
    ),
    "a peak is no state": (used(*CALM * 20, *FULL * 5), {}, PASSED, ""),
    "memory near its limit": (
        used(*CALM * 20, *FULL * 10), {}, FAILED, "For 5m memory is above 90% of its limit (95%)."
    ),
    "memory that was near its limit once": (used(*FULL * 20, *CALM), {}, PASSED, ""),
    "CPU at its limit": (used(*BUSY * 10), {}, FAILED, "For 5m CPU is above 90% of its limit"),
    "more is allowed": (
        used(*FULL * 10), {"gates": {"resources": {"maxPercentOfLimit": 96}}}, PASSED, ""
    ),
    "no memory limit": (
        used(*((20, 0),) * 10, memory_limit=0), {}, PASSED, "without a memory limit"
    ),
    "killed for want of memory": (
        used(*CALM * 20, restarts=1, killed=1, last_restart="pod s-1 (OOMKilled)"),
        {},
        FAILED,
        "1 restart in this epoch, 1 for want of memory; last: pod s-1 (OOMKilled).",
    ),
    "one restart waits for the soak that it began anew": (
        used(*CALM * 20, restarts=1, last_restart="pod s-1 (Error)"), {}, INCONCLUSIVE, "1 restart"
    ),
    "one restart is passed with the soak": (
        used(*CALM * 20, restarts=1, last_restart="pod s-1 (Error)"),
        {"soakSeconds": 600},
        PASSED,
        "last: pod s-1 (Error).",
    ),
    "three restarts are no accident": (
        used(*CALM * 20, restarts=3, last_restart="pod s-1 (Error)"),
        {"soakSeconds": 600},
        FAILED,
        "3 restarts",
    ),
    "without a metrics API restarts are judged": (
        used(absent=True),
        {},
        PASSED,
        "What pods use is not known: the cluster has no metrics API. No restart.",
    ),
    "without a metrics API a kill is a kill": (
        used(absent=True, restarts=1, killed=1), {}, FAILED, "no metrics API"
    ),
    "the first sample is waited for": (used(), {}, INCONCLUSIVE, "no sample of them came yet"),
    "a metrics API that fails for a moment": (
        used(*CALM, problem="it is down"), {}, PASSED, "100m CPU"
    ),
    "a metrics API that fails for long": (
        used(*CALM, problem="it is down", asked=2000.0), {}, ERROR, "not known: it is down"
    ),
    "a metrics API that never gives a sample": (
        used(asked=2000.0), {}, ERROR, "no sample of them came yet"
    ),
    "a metrics API that was taken away": (
        used(*CALM, absent=True, asked=2000.0), {}, ERROR, "the cluster has no metrics API"
    ),
    "nothing was ever looked at": (Usage(), {}, NOT_APPLICABLE, "ever"),
}  # fmt: skip


@pytest.mark.parametrize(("usage", "changes", "result", "says"), RESOURCES.values(), ids=RESOURCES)
def test_resources_are_judged(
    usage: Usage, changes: dict[str, Any], result: GateResult, says: str
) -> None:
    gate = resources(case(usage, **changes)).gate
    assert (gate.result, says in gate.message) == (result, True), gate.message


# Headroom

ASKED = {
    "shadow": Asked(pods=2, cpu=250, memory=512 * MIB),
    "comparator": Asked(pods=2, cpu=100, memory=128 * MIB),
}
HALF = Headroom(nodes=2, cpu=8000, memory=16 * GIB, used_cpu=3000, used_memory=4 * GIB, asked=ASKED)


def changed(**changes: Any) -> Headroom:
    """Give two nodes of which CPU is used by 37.5 % and memory by a quarter, or others."""
    return HALF.model_copy(update=changes)


NO_API: dict[str, Any] = {"used_cpu": None, "used_memory": None, "problem": "no API"}
HEADROOM: dict[str, tuple[Headroom | None, dict[str, Any], GateResult, str]] = {
    "enough": (
        HALF,
        {},
        PASSED,
        "62% of CPU and 75% of memory were free on 2 nodes (5.0 CPU and 12.0 GiB). "
        "Network is not judged: no Prometheus. Clones ask for 700m CPU and 1.2 GiB.",
    ),
    "enough of network, too": (
        changed(network=Network(speed=1000, used=30)),
        {},
        PASSED,
        "62% of CPU, 75% of memory and 97% of network were free on 2 nodes (5.0 CPU and 12.0 GiB).",
    ),
    "too little network": (
        changed(network=Network(speed=1000, used=400)), {}, FAILED, "60% of network"
    ),
    "less network is enough": (
        changed(network=Network(speed=1000, used=400)),
        {"gates": {"headroom": {"minNetworkPercent": 50}}},
        PASSED,
        "60% of network",
    ),
    "a Prometheus that does not know the network": (
        changed(network_problem="it has no such metric"),
        {},
        PASSED,
        "Network is not judged: it has no such metric.",
    ),
    "too little CPU": (changed(used_cpu=4000), {}, FAILED, "50% of CPU"),
    "too little memory": (changed(used_memory=9 * GIB), {}, FAILED, "43% of memory"),
    "less is enough": (
        changed(used_cpu=4000), {"gates": {"headroom": {"minCpuPercent": 40}}}, PASSED, ""
    ),
    "the quota is short": (
        changed(quota="quota q leaves too little cpu for the clones"), {}, FAILED, "Quota q leaves"
    ),
    "nodes that can't hold the clones": (
        changed(cpu=500, used_cpu=None), {}, FAILED, "2 nodes with 500m CPU and 12.0 GiB free can't"
    ),
    "room is kept for production's autoscaler": (
        changed(autoscaler=Asked(pods=1, cpu=1000, memory=GIB)),
        {},
        FAILED,
        "50% of CPU and 68% of memory were free on 2 nodes (4.0 CPU and 11.0 GiB), leaving room "
        "for 1 more pod of production's autoscaler. Network is not judged: no Prometheus. Clones",
    ),
    "nodes that can't hold what the autoscaler may ask for": (
        changed(autoscaler=Asked(pods=5, cpu=1000, memory=0)),
        {},
        FAILED,
        "2 nodes with 5.0 CPU and 12.0 GiB free can't hold the clones and 5 more pods of "
        "production's autoscaler.",
    ),
    "autoscalers may not be listed": (
        changed(autoscaler_problem="no rights"), {}, PASSED, "Autoscalers are not known (no rights)"
    ),
    "use is not known": (
        changed(used_cpu=None, used_memory=None, problem="what nodes use is not known (no API)"),
        {},
        NOT_APPLICABLE,
        "CPU and memory are not judged: what nodes use is not known (no API). Network is not "
        "judged: no Prometheus. Clones ask for 700m CPU",
    ),
    "only network is known": (
        changed(**NO_API, network=Network(speed=9, used=1)),
        {},
        NOT_APPLICABLE,
        "CPU and memory are not judged: no API. 88% of network was free on 2 nodes.",
    ),
    "only network is known, and it is too little": (
        changed(**NO_API, network=Network(speed=9, used=9)),
        {},
        FAILED,
        "0% of network was free on 2 nodes.",
    ),
    "nodes are not known": (
        Headroom(problem="nodes are not known (forbidden)", asked=ASKED), {}, NOT_APPLICABLE, "forb"
    ),
    "it was never read": (None, {}, NOT_APPLICABLE, "not read before the first copy"),
}  # fmt: skip


@pytest.mark.parametrize(("room", "changes", "result", "says"), HEADROOM.values(), ids=HEADROOM)
def test_headroom_is_judged(
    room: Headroom | None, changes: dict[str, Any], result: GateResult, says: str
) -> None:
    seen = case(used(*CALM), **changes)
    seen = replace(seen, ledger=seen.ledger.model_copy(update={"headroom": room}))
    gate = headroom(seen).gate
    assert (gate.result, says in gate.message) == (result, True), gate.message


def test_before_the_first_copy_headroom_is_waited_for() -> None:
    seen = case(used(*CALM))
    seen = replace(seen, ledger=seen.ledger.model_copy(update={"last_copy": None}))
    outcome = headroom(seen)
    assert outcome.gate.result is INCONCLUSIVE
    assert outcome.on_course


# In a whole reconcile


def use(pod: Pod) -> Amount:
    """Give what pods use."""
    return Amount(200 if pod.role == Role.SHADOW else 100, 150 * MIB)


def room(
    cpu: int = 8000, node_use: Item[Any] | None = None, quotas: tuple[Any, ...] = ()
) -> RoomReading:
    """Give a node of that much CPU, of which 3,000 are used."""
    usage = node_use or Found({"a": Amount(3000, 4 * GIB)})
    return RoomReading(Found((Node("a", Amount(cpu, 16 * GIB)),)), usage, Found(quotas))


def measured(reading: RoomReading | None = None, **spec: Any) -> World:
    """Give a world with a metrics API that mirrors for a while."""
    world = World(usage=use, room=reading or room())
    world.edit(**spec)
    world.until(mirroring)
    for _ in range(3):
        world.reconcile(30.0)
    return world


def gate(world: World, name: GateName) -> dict[str, Any]:
    """Give a gate as status has it."""
    found: list[dict[str, Any]] = [g for g in world.status["gates"] if g["name"] == name]
    return found[0]


def condition(world: World) -> tuple[str, str]:
    """Give `ResourcesAcceptable`."""
    [found] = [one for one in world.status["conditions"] if one["type"] == "ResourcesAcceptable"]
    return found["status"], found["reason"]


def test_status_says_what_is_used_and_asked_for() -> None:
    resources = measured().status["resources"]
    roles = {one.pop("name"): one for one in resources["roles"]}
    assert roles == {
        "shadow": {"cpuMillicores": 200, "memoryBytes": 150 * MIB, "pods": 2, "restarts": 0},
        "reference": {"cpuMillicores": 100, "memoryBytes": 150 * MIB, "pods": 2, "restarts": 0},
        "production": {"cpuMillicores": 100, "memoryBytes": 150 * MIB, "pods": 3, "restarts": 0},
    }
    assert "comparator 2 x 100m CPU and 128 MiB" in resources["message"]
    assert resources["message"].endswith("Free before the start: 6.0 CPU and 13.2 GiB.")


def test_what_our_own_pods_use_is_no_want_of_room() -> None:
    world = measured()
    # Of 3,000 millicores the shadow (2 x 200) and three other roles (2 x 100 each) use 1,000.
    assert gate(world, GateName.HEADROOM)["observed"] == "75%/82%"


def test_room_is_read_before_the_first_copy_and_kept() -> None:
    world = measured()
    before = gate(world, GateName.HEADROOM)
    world.room = room(cpu=3000)
    for _ in range(3):
        world.reconcile(30.0)
    assert gate(world, GateName.HEADROOM) == before
    assert world.progress.headroom == world.progress.epoch


def test_want_of_room_stops_neither_the_start_nor_the_soak() -> None:
    world = measured(room(cpu=3500))
    assert gate(world, GateName.HEADROOM)["result"] == "Failed"
    assert world.status["verdict"]["decision"] == "Investigate"
    assert world.status["soak"]["elapsedSeconds"] > 0
    assert world.status["soak"]["state"] == "Running"
    assert condition(world) == ("False", "HeadroomLacking")
    [check] = [one for one in world.status["preflight"] if one["name"] == "headroom"]
    assert check["result"] == "Failed"


def test_want_of_room_that_is_advisory_is_only_shown() -> None:
    world = measured(room(cpu=3500), gates={"headroom": {"mode": "Advisory"}})
    assert gate(world, GateName.HEADROOM)["result"] == "Failed"
    assert world.status["verdict"]["decision"] == "ExtendShadow"
    assert condition(world)[0] != "False"


def networked(network: Item[Any]) -> World:
    """Give a world with a Prometheus that says this of the network of two nodes."""
    nodes = Found(tuple(Node(name, Amount(8000, 16 * GIB)) for name in "ab"))
    use = Found({name: Amount(1000, GIB) for name in "ab"})
    return measured(replace(room(node_use=use), nodes=nodes, network=network))


def test_of_each_node_the_busier_direction_of_its_network_counts() -> None:
    idle, busy = Traffic(received=0, sent=50, speed=500), Traffic(received=100, sent=10, speed=500)
    world = networked(Found({"a": idle, "b": busy, "elsewhere": Traffic(9, 9, 9)}))
    seen = gate(world, GateName.HEADROOM)
    assert (seen["observed"], seen["threshold"]) == ("93%/97%/85%", "> 50%/50%/60%")
    assert seen["result"] == "Passed"
    [check] = [one for one in world.status["preflight"] if one["name"] == "headroom"]
    assert (check["observed"], check["threshold"]) == (seen["observed"], seen["threshold"])


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (Unknown("no answer in 10 s"), "Prometheus can't be asked (no answer in 10 s)."),
        (Found({}), "Prometheus has no node_network_speed_bytes of 2 of 2 nodes."),
        (
            Found({"a": Traffic(1, 1, 9)}),
            "Prometheus has no node_network_speed_bytes of 1 of 2 nodes.",
        ),
    ],
)
def test_a_network_that_is_not_known_fails_nothing_and_says_why(
    network: Item[Any], says: str
) -> None:
    seen = gate(networked(network), GateName.HEADROOM)
    assert (seen["result"], seen["observed"]) == ("Passed", "93%/97%")
    assert f"Network is not judged: {says}" in seen["message"]


def test_a_prometheus_that_failed_is_asked_again_until_the_first_copy() -> None:
    world = World(usage=use, room=replace(room(), network=Unknown("it answered 503")))
    world.edit(guard={"baselineSeconds": 300})
    world.until(lambda w: w.status.get("phase") == "Recording")
    world.reconcile(30.0)
    assert world.progress.headroom == ""
    world.room = replace(room(), network=Found({"a": Traffic(1, 1, 100)}))
    world.reconcile(30.0)
    world.reconcile(30.0)
    assert world.progress.headroom == world.progress.epoch
    assert gate(world, GateName.HEADROOM)["observed"].endswith("/99%")


def test_what_is_not_known_of_room_is_said() -> None:
    world = measured(room(node_use=Missing()))
    assert gate(world, GateName.HEADROOM)["result"] == "NotApplicable"
    assert "no metrics API" in gate(world, GateName.HEADROOM)["message"]
    world = measured(RoomReading(Unknown("nodes is forbidden"), Missing(), Found(())))
    assert "nodes is forbidden" in gate(world, GateName.HEADROOM)["message"]
    world = measured(replace(room(), quotas=Unknown("quotas is forbidden")))
    assert gate(world, GateName.HEADROOM)["result"] == "Passed"
    assert "quotas is forbidden" in gate(world, GateName.HEADROOM)["message"]
    world = measured(replace(room(), autoscalers=Unknown("you may not list them")))
    assert gate(world, GateName.HEADROOM)["result"] == "Passed"
    assert "(you may not list them)" in gate(world, GateName.HEADROOM)["message"]


def quota(hard: str, used: str) -> dict[str, Any]:
    """Give a ResourceQuota of CPU requests."""
    status = {"hard": {"requests.cpu": hard}, "used": {"requests.cpu": used}}
    return {"metadata": {"name": "team"}, "status": status}


@pytest.mark.parametrize(("used", "result"), [("1900m", "Failed"), ("500m", "Passed")])
def test_a_quota_that_leaves_too_little_is_named(used: str, result: str) -> None:
    world = measured(room(quotas=(quota("2", used),)))
    seen = gate(world, GateName.HEADROOM)
    assert seen["result"] == result
    assert ("Quota team leaves too little requests.cpu" in seen["message"]) == (result == "Failed")


def scaler(most: int, name: str = "hal9-server", kind: str = "Deployment") -> dict[str, Any]:
    """Give a HorizontalPodAutoscaler."""
    return {"spec": {"scaleTargetRef": {"kind": kind, "name": name}, "maxReplicas": most}}


def scaled(*scalers: dict[str, Any], **reading: Any) -> World:
    """Give a world in which each of production's three pods asks for 500m and these scale it."""
    world = World(usage=use, room=replace(room(), autoscalers=Found(scalers), **reading))
    assert world.production is not None
    [container] = world.production["spec"]["template"]["spec"]["containers"]
    container["resources"] = {"requests": {"cpu": "500m", "memory": "1Gi"}}
    world.until(mirroring)
    world.reconcile(30.0)
    return world


OTHERS = (scaler(99, name="other"), scaler(99, kind="StatefulSet"), scaler(2))


@pytest.mark.parametrize(
    ("scalers", "observed"),
    [
        (OTHERS, "75%/82%"),
        ((*OTHERS, scaler(5)), "62%/69%"),
        ((scaler(4), scaler(5)), "62%/69%"),
    ],
    ids=["of others", "of production", "two of them"],
)
def test_what_productions_autoscaler_may_still_ask_for_counts_as_used(
    scalers: tuple[dict[str, Any], ...], observed: str
) -> None:
    seen = gate(scaled(*scalers), GateName.HEADROOM)
    assert seen["observed"] == observed
    told = "leaving room for 2 more pods of production's autoscaler" in seen["message"]
    assert told == (observed != "75%/82%")
    assert not seen["message"].endswith("…")


def test_a_quota_that_leaves_too_little_for_the_autoscaler_is_named() -> None:
    # Clones and production's own pods are in it, and nothing more fits.
    full = Found((quota("4", "4"),))
    seen = gate(scaled(scaler(5), quotas=full), GateName.HEADROOM)
    assert seen["result"] == "Failed"
    assert seen["message"].startswith(
        "Quota team leaves too little requests.cpu for the clones and 2 more pods of production's "
        "autoscaler."
    )


def test_resources_are_acceptable_with_all_gates() -> None:
    world = measured(soakSeconds=60)  # too short to show growth
    assert condition(world) == ("True", "WithinLimits")


def test_without_a_metrics_api_nobody_says_that_resources_are_acceptable() -> None:
    assert condition(up()) == ("Unknown", "NotMeasured")
    assert gate(up(), GateName.RESOURCES)["result"] == "Passed"


def test_resources_that_nobody_asks_for_are_not_judged() -> None:
    gates = {name: {"mode": "Off"} for name in ("resources", "headroom", "memoryGrowth")}
    assert condition(measured(gates=gates)) == ("Unknown", "NotRequested")


def test_memory_at_its_limit_is_to_be_investigated() -> None:
    world = measured()
    bounds = {"server": Bounds(limits=Amount(0, 155 * MIB))}
    world._change_pods(Role.SHADOW, bounds=bounds)
    for _ in range(12):
        world.reconcile(30.0)
    assert gate(world, GateName.RESOURCES)["result"] == "Failed"
    assert condition(world) == ("False", "LimitsExceeded")
    assert world.status["soak"]["elapsedSeconds"] == 0
    assert world.status["verdict"]["decision"] == "Investigate"


def test_a_kill_for_want_of_memory_is_to_be_investigated() -> None:
    world = measured()
    pod = next(pod for pod in world.pods.values() if pod.role == Role.SHADOW)
    world.pods[pod.name] = replace(pod, restarts=1, last_termination="OOMKilled")
    for _ in range(2):
        world.reconcile(30.0)
    assert gate(world, GateName.RESOURCES)["result"] == "Failed"
    assert "OOMKilled" in world.status["soak"]["lastRestartReason"]


def test_on_the_way_down_nothing_new_is_said_of_resources() -> None:
    world = measured(soakSeconds=60)
    before = gate(world, GateName.RESOURCES)
    assert before["result"] == "Passed"
    world.edit(phase="None")
    world.usage = None  # nobody asks any more
    world.until(lambda w: w.status["phase"] == "Idle")
    assert gate(world, GateName.RESOURCES) == before


def test_the_next_epoch_reads_room_anew() -> None:
    world = measured()
    world.edit(phase="None")
    world.until(lambda w: w.status["phase"] == "Idle")
    world.room = room(cpu=3500)
    world.edit(phase="Shadow", restartedAt="once more")
    world.until(mirroring)
    world.reconcile(30.0)
    assert gate(world, GateName.HEADROOM)["result"] == "Failed"


def test_headroom_waits_for_deployments_that_say_what_is_asked_for() -> None:
    world = World(usage=use, room=room())
    world.until(lambda w: deployment_ref(Role.SHADOW) in w.objects)
    assert world.progress.headroom == ""


def test_a_gate_of_resources_fits_its_sentence() -> None:
    gates: list[dict[str, Any]] = measured().status["gates"]
    for name in (GateName.HEADROOM, GateName.RESOURCES, GateName.MEMORY_GROWTH):
        [found] = [Gate.model_validate(one) for one in gates if one["name"] == name]
        assert not found.message.endswith("…"), found.message
