"""Every next step is one command that a shell takes as printed, and that helps where it stands."""

import copy
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shadow_operator.api.evidence import ComparatorSnapshot
from shadow_operator.api.names import Role
from shadow_operator.api.reasons import ConditionType
from shadow_operator.api.spec import Spec
from shadow_operator.core.commands import LONGEST, Commands
from shadow_operator.core.judging.judgement import Subject, advance, begin, judge
from shadow_operator.core.snapshot import LayerReading
from tests.support.clones import merged
from tests.support.readings import (
    EPOCH,
    comparators,
    control,
    mirror,
    mirrors,
    route,
    signature,
    snapshot,
)
from tests.support.readings import spec as smallest
from tests.support.world import (
    COPIES_SERVICE,
    ENTRY,
    EVIDENCE,
    World,
    deployment_ref,
    stranger,
    up,
)

STOP = "hal9.ai/stop"
GATES_OFF = {
    name: {"mode": "Off"}
    for name in (
        *("criticalDifferences", "matchRate", "shadowErrors", "timeouts", "coverage"),
        *("unproven", "judgedShare", "minimumPairs"),
    )
}


def typed(command: str) -> list[str]:
    """Give the words that the one command of this line gets from a shell."""
    script = """kubectl() { printf '%s\\0' "$@"; printf 'END\\0'; }\n""" + command
    ran = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    *words, end = ran.stdout.rstrip("\0").split("\0")
    assert end == "END"
    assert "END" not in words
    return words


def timeless(words: list[str]) -> str:
    """Give the words as one text, with TIME for the time at which the command was run."""
    return re.sub(r'(?<="restartedAt":")\d{10}(?=")', "TIME", " ".join(words))


def play(world: World, looks: int = 4, seconds: float = 2.0) -> World:
    for _ in range(looks):
        world.reconcile(seconds)
        world.settle()
    return world


def edited(**spec: Any) -> World:
    world = up()
    world.edit(**spec)
    return play(world)


def fresh(traffic: int = 100, looks: int = 6, **spec: Any) -> World:
    world = World(traffic=traffic)
    world.edit(**spec)
    return play(world, looks)


def annotated(*where: str) -> World:
    world = up()
    for annotations in where:
        getattr(world, annotations)[STOP] = "an outage"
    return play(world)


def starting() -> World:
    world = World().until(lambda w: deployment_ref(Role.SHADOW) in w.objects)
    world.break_down(Role.SHADOW)
    world.reconcile()
    return world


def blocked() -> World:
    return play(World(isolates=False), 6)


def without_production() -> World:
    world = up()
    world.service = None
    return play(world, 2)


def with_a_stranger() -> World:
    world = World()
    world.objects[deployment_ref(Role.SHADOW)] = stranger(deployment_ref(Role.SHADOW))
    return play(world, 3)


def finished(**spec: Any) -> World:
    world = up(soakSeconds=60, maxDurationSeconds=60, **spec)
    world.until(lambda w: w.progress.finished, seconds=30.0)
    return play(world, 2)


def crashed_at_the_end() -> World:
    """Let the time be over while no gate is in the way, but the soak has just begun anew."""
    world = up(soakSeconds=300, maxDurationSeconds=300, gates=GATES_OFF)
    for _ in range(6):
        world.reconcile(30.0)
    name = next(name for name, pod in world.pods.items() if pod.role == Role.SHADOW)
    world.pods[name] = replace(world.pods[name], restarts=1, last_termination="Error")
    world.until(lambda w: w.status["phase"] == "Completed", seconds=30.0)
    return world


def with_broken_evidence() -> World:
    world = up()
    world.objects[EVIDENCE]["data"]["ledger"] = "broken"
    return play(world, 2)


def deleted() -> World:
    world = up()
    world.delete()
    world.reconcile()
    return world


PATCH = "-n hal9 patch shd hal9 --type merge -p "
STEPS: dict[str, tuple[Callable[[], World], str]] = {
    "soaking": (up, "-n hal9 wait shd/hal9 --for=condition=SoakComplete --timeout=86700s"),
    "no isolation": (blocked, PATCH + '{"spec":{"clones":{"isolation":"BestEffort"}}}'),
    "workloads that are not ready": (starting, "-n hal9 get pods -l hal9.ai/shadow=hal9"),
    "a baseline that runs": (
        lambda: fresh(guard={"baselineSeconds": 60}),
        "-n hal9 wait shd/hal9 --for=condition=MirroringActive --timeout=360s",
    ),
    "a baseline and nobody at the entry": (
        lambda: fresh(0, guard={"baselineSeconds": 60}),
        "-n hal9 get service hal9-mirror",
    ),
    "nobody at the entry": (lambda: fresh(0), "-n hal9 get service hal9-mirror"),
    "no copy of the user's own mirror": (
        lambda: fresh(mirror={"provider": "External"}),
        "-n hal9 get service hal9-comparator",
    ),
    "0 % before a pair": (
        lambda: fresh(samplingPercent=0),
        PATCH + '{"spec":{"samplingPercent":100}}',
    ),
    "0 % after some": (
        lambda: edited(samplingPercent=0),
        PATCH + '{"spec":{"samplingPercent":100}}',
    ),
    "suspended": (lambda: edited(suspend=True), PATCH + '{"spec":{"suspend":false}}'),
    "stopped": (
        lambda: annotated("annotations"),
        f"-n hal9 annotate shadowdeployment hal9 {STOP}-",
    ),
    "stopped with its namespace": (
        lambda: annotated("namespace_annotations"),
        f"annotate namespace hal9 {STOP}-",
    ),
    "stopped by both": (
        lambda: annotated("annotations", "namespace_annotations"),
        f"-n hal9 annotate shadowdeployment hal9 {STOP}-",
    ),
    "a field of a later version": (lambda: edited(learning="ShadowOnly"), "-n hal9 edit shd hal9"),
    "a spec that can't be read": (lambda: edited(samplingPercent="x"), "-n hal9 edit shd hal9"),
    "a container that is not there": (
        lambda: edited(clones={"containerName": "nobody"}),
        "-n hal9 edit shd hal9",
    ),
    "production that is gone": (without_production, "-n hal9 get deployments,services"),
    "a stranger": (with_a_stranger, "-n hal9 get deployment hal9-shadow -o yaml"),
    "phase None": (lambda: edited(phase="None"), PATCH + '{"spec":{"phase":"Shadow"}}'),
    "the time is over": (finished, PATCH + '{"spec":{"restartedAt":"TIME"}}'),
    "the time is over, and then a person stopped it": (
        lambda: play(_with(finished(), suspend=True)),
        PATCH + '{"spec":{"restartedAt":"TIME"}}',
    ),
    "the time is over, and no gate is in the way": (
        crashed_at_the_end,
        PATCH + '{"spec":{"restartedAt":"TIME"}}',
    ),
    "the time is over, and copies go on": (
        lambda: finished(afterVerdict="Keep"),
        PATCH + '{"spec":{"maxDurationSeconds":3600}}',
    ),
    "the time is over and all is down": (
        lambda: play(_with(finished(), phase="None"), 6),
        PATCH + '{"spec":{"phase":"Shadow","restartedAt":"TIME"}}',
    ),
    "evidence that can't be read": (with_broken_evidence, "-n hal9 delete configmap hal9-evidence"),
    "evidence that can't be read on the way down": (
        lambda: play(_with(with_broken_evidence(), phase="None"), 2),
        "-n hal9 delete configmap hal9-evidence",
    ),
    "deleted": (deleted, ""),
}


def _with(world: World, **spec: Any) -> World:
    world.edit(**spec)
    return world


@pytest.mark.parametrize(("build", "command"), STEPS.values(), ids=STEPS)
def test_each_state_gives_one_command_that_helps(build: Callable[[], World], command: str) -> None:
    world = build()
    step = world.status.get("nextStep", "")
    words = typed(step) if step else []
    assert timeless(words) == command
    if step:
        follow(copy.deepcopy(world), words)


def follow(world: World, words: list[str]) -> None:
    """Do what the command says, and see that it changes something, or that it finds something."""
    before = world.status["nextStep"]
    match [word for word in words if word not in {"-n", "hal9"}]:
        case ["patch", "shd", "--type", "merge", "-p", text]:
            change = json.loads(text)["spec"]
            Spec.model_validate(merged(world.spec, change))
            world.edit(**change)
        case ["annotate", "namespace", _]:
            del world.namespace_annotations[STOP]
        case ["annotate", "shadowdeployment", _]:
            del world.annotations[STOP]
        case ["delete", "configmap", "hal9-evidence"]:
            world.remove(EVIDENCE)
        case ["get", kind, name, *_] if kind != "shd" and name[0] != "-":
            assert name in {ref.name for ref in world.objects if ref.kind.lower() == kind}
            return
        case ["wait", _, condition, _]:
            kinds = {seen["type"] for seen in world.status["conditions"]}
            assert condition.removeprefix("--for=condition=") in kinds
            return
        case _:
            return
    play(world, 3)
    assert world.status.get("nextStep") != before


def seen_step(spec: Spec, snapshot: ComparatorSnapshot, **changes: Any) -> str:
    """Give the next step after ten minutes of this evidence, without the soak."""
    ledger = begin(EPOCH, now=0.0, interval=30.0)
    for now in (30.0, 600.0):
        ledger = advance(
            ledger,
            comparators(snapshot.model_copy(update={"time": now})),
            mirrors(mirror(int(now))),
            now=now,
            mirroring=True,
            healthy=True,
            interval=30.0,
            **changes,
        )
    judged = judge(spec, ledger, Subject("hal9", "hal9"), now=600.0)
    return judged.next_step


REFUSED = snapshot(
    route(500, unproven={"401": 9500}), credentials={"authorization": 9000, "cookie": 10}
)
EXPIRED = {"soakSeconds": 10, "maxDurationSeconds": 10}
UNPROVEN_ONLY = {"coverage": {"mode": "Off"}, "matchRate": {"mode": "Advisory"}}
LOGS = "-n hal9 logs -l hal9.ai/shadow=hal9,hal9.ai/role=shadow --prefix --tail 100"
DIFFERENCES = (
    "-n hal9 get shd hal9 -o jsonpath={range .status.comparison.topDifferences[*]}"
    r'{.route} {.path} {.kind} {.count}{"\n"}{end}'
)
NEEDS = (
    "-n hal9 get shd hal9 -o jsonpath={range .status.gates[?(@.needs)]}"
    r'{.name}: {.message}{"\n"}{end}'
)
EVIDENCE_STEPS: dict[str, tuple[dict[str, Any], ComparatorSnapshot, dict[str, Any], str]] = {
    "a credential is lost": (
        {"gates": UNPROVEN_ONLY},
        REFUSED,
        {},
        PATCH + '{"spec":{"mirror":{"forwardHeaders":["authorization"]}}}',
    ),
    "a credential is lost besides one that is not": (
        {"gates": UNPROVEN_ONLY, "mirror": {"forwardHeaders": ["X-Api-Key"]}},
        REFUSED,
        {},
        PATCH + '{"spec":{"mirror":{"forwardHeaders":["X-Api-Key","authorization"]}}}',
    ),
    "the first credential is listed already": (
        {"gates": UNPROVEN_ONLY, "mirror": {"forwardHeaders": ["Authorization"]}},
        REFUSED,
        {},
        PATCH + '{"spec":{"mirror":{"forwardHeaders":["Authorization","cookie"]}}}',
    ),
    "all credentials are listed already": (
        {"gates": UNPROVEN_ONLY, "mirror": {"forwardHeaders": ["Authorization", "Cookie"]}},
        REFUSED,
        {},
        '-n hal9 get shd hal9 -o jsonpath={.status.gates[?(@.name=="unproven")].message}',
    ),
    "a credential is lost and the time is over": (
        {"gates": UNPROVEN_ONLY, **EXPIRED},
        REFUSED,
        {},
        PATCH + '{"spec":{"mirror":{"forwardHeaders":["authorization"]},"restartedAt":"TIME"}}',
    ),
    "a route is not representative": (
        {"gates": {"coverage": {"mode": "Off"}, "routes": {"required": ["/never"]}}},
        snapshot(route(10_000)),
        {},
        "-n hal9 get shd hal9 -o jsonpath={range .status.comparison.routes[?(@.missing)]}"
        r'{.name}: {.missing}{"\n"}{end}',
    ),
    "answers differ": (
        {},
        snapshot(
            route(
                9000,
                {"$.state text": 1000},
                uniform=control(500, {}, {"$.state text": 50}),
                triggered=control(20, {}, {"$.state text": 20}),
            )
        ),
        {},
        DIFFERENCES,
    ),
    "more pairs are needed": (
        {"soakSeconds": 3600},
        snapshot(route(100)),
        {},
        NEEDS,
    ),
    "more pairs are needed than come in time": (
        {"soakSeconds": 3600, "maxDurationSeconds": 7200},
        snapshot(route(100)),
        {},
        PATCH + '{"spec":{"maxDurationSeconds":25200}}',
    ),
    "more pairs are needed than can come in any time": (
        {"soakSeconds": 3600, "gates": {"matchRate": {"minPercent": "99.99"}}},
        snapshot(route(1)),
        {},
        NEEDS,
    ),
    "a critical difference is looked at first": (
        {"soakSeconds": 3600, "maxDurationSeconds": 7200},
        snapshot(route(1000, signatures=(signature("status status 200>404", 1, 10, 10),))),
        {},
        DIFFERENCES,
    ),
    "the shadow fails": ({}, snapshot(route(9000, shadow_errors=900)), {}, LOGS),
    "a layer is ill": (
        {"layers": ["Cognitive"]},
        snapshot(route(9000)),
        {"layers": (LayerReading("Cognitive", False, "ill"),)},
        LOGS,
    ),
}


@pytest.mark.parametrize(
    ("spec", "seen", "changes", "command"), EVIDENCE_STEPS.values(), ids=EVIDENCE_STEPS
)
def test_what_was_measured_gives_one_command_that_helps(
    spec: dict[str, Any], seen: ComparatorSnapshot, changes: dict[str, Any], command: str
) -> None:
    words = typed(seen_step(smallest(**spec), seen, **changes))
    assert timeless(words) == command


def test_when_everything_is_shown_the_shadow_is_taken_down() -> None:
    world = up(soakSeconds=60, gates=GATES_OFF)
    world.until(lambda w: w.status["verdict"]["decision"] == "ProceedToCanary", seconds=30.0)
    words = typed(world.status["nextStep"])
    assert timeless(words) == PATCH + '{"spec":{"phase":"None"}}'
    follow(world, words)


def test_a_header_that_a_shell_would_take_for_more_is_quoted() -> None:
    headers = ["x'`reboot`'", "$HOME"]
    command = Commands("hal9", "hal9").patch({"mirror": {"forwardHeaders": headers}})
    assert json.loads(typed(command)[-1])["spec"]["mirror"]["forwardHeaders"] == headers


def test_a_command_that_status_would_cut_is_not_given() -> None:
    headers = [f"x-{number}-{'a' * 100}" for number in range(10)]
    command = Commands("hal9", "hal9").patch({"mirror": {"forwardHeaders": headers}})
    assert command == "kubectl -n hal9 edit shd hal9"
    commands = Commands("n" * 63, "h" * 40)
    longest = (commands.wait(ConditionType.SOAK_COMPLETE, 10**8), commands.restart(phase="Shadow"))
    assert max(map(len, longest)) <= LONGEST


def test_the_entry_that_is_named_exists() -> None:
    assert {ENTRY, COPIES_SERVICE} <= up().objects.keys()
