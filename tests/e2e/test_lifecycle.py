"""From apply to deletion on a real node: order, evidence, and production that sees none of it."""

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from dev.provision import HAL9
from tests.support import hal9
from tests.support.kubectl import Namespace
from tests.support.operator import INTERVAL_SECONDS, ShadowCluster, fresh_namespace

CLONES = ("hal9-shadow", "hal9-reference")
BEHIND = (*CLONES, "hal9-comparator")
ENTRY = "hal9-mirror"
NEVER = 86_400
"""Soak seconds that no test reaches."""

CHANGE = "{.type} {.object.kind}/{.object.metadata.name} {.object.spec.selector}"
MIRRORED = "{.type} mirrors {.object.status.mirror.effectivePercent} {.object.status.phase}"
ENDPOINTS = (
    r"{.object.metadata.labels.kubernetes\.io/service-name} {.object.endpoints[*].targetRef.name}"
)


def start(namespace: Namespace, shadow_cluster: ShadowCluster, **spec: Any) -> None:
    """Bring up production, clients of the entry, and a shadow."""
    image = shadow_cluster.hal9_image
    namespace.apply(*hal9.short_lived(image), hal9.traffic(image))
    namespace.apply(hal9.shadow_deployment(image, **spec))


def pods(namespace: Namespace, *roles: str) -> dict[str, str]:
    """Give pod name -> uid of all our pods, or of these roles."""
    selector = f"hal9.ai/shadow=hal9,hal9.ai/role in ({','.join(roles)})" if roles else None
    listed = namespace.list("pods", selector or "hal9.ai/shadow=hal9")
    return {
        one["metadata"]["name"]: one["metadata"]["uid"]
        for one in listed
        if "deletionTimestamp" not in one["metadata"]
    }


def events(namespace: Namespace, reason: str) -> list[str]:
    """Give the notes of the resource's events with this reason."""
    found = namespace.list("events.v1.events.k8s.io")
    return [
        one["note"]
        for one in found
        if one["reason"] == reason and one["regarding"]["kind"] == "ShadowDeployment"
    ]


def compared(status: dict[str, Any]) -> int:
    pairs: int = (status.get("comparison") or {}).get("compared", 0)
    return pairs


def test_from_apply_to_deletion(namespace: Namespace, shadow_cluster: ShadowCluster) -> None:
    slices: list[str] = []
    changes: list[str] = []
    image = shadow_cluster.hal9_image
    namespace.apply(*hal9.short_lived(image), hal9.traffic(image))
    with (
        namespace.watching("endpointslices", ENDPOINTS, slices),
        namespace.watching("deployments", CHANGE, changes),
        namespace.watching("services", CHANGE, changes),
        namespace.watching("shadowdeployments", MIRRORED, changes),
    ):
        namespace.apply(hal9.shadow_deployment(image))
        verdict = reach_a_verdict(namespace)
        assert any("Soaking" in line for line in changes)

        since = len(changes)
        take_down(namespace, verdict)
        assert_taken_down_in_order(changes, since)

        again = {"phase": "Shadow", "restartedAt": "once more"}
        namespace.patch("hal9", again)
        namespace.wait_for_phase("hal9", "Soaking")

        since = len(changes)
        namespace("delete", "shadowdeployment", "hal9", "--timeout=280s", timeout=300)
        assert_taken_down_in_order(changes, since)
        assert_only_the_entry_is_left(namespace)

    of_production = [line.split()[1:] for line in slices if line.startswith("hal9-service ")]
    assert of_production
    assert all(pod.startswith("hal9-server-") for seen in of_production for pod in seen)
    assert_clients_saw_no_failure(namespace)


def reach_a_verdict(namespace: Namespace) -> dict[str, Any]:
    waited = namespace(
        *("wait", "shadowdeployment/hal9", "--for=condition=SoakComplete", "--timeout=280s"),
        timeout=300,
    )
    assert "condition met" in waited
    status = namespace.wait_for_status(
        "hal9", "a final verdict", lambda seen: seen["phase"] == "Completed"
    )
    verdict: dict[str, Any] = status["verdict"]
    assert verdict["decision"] == "ProceedToCanary"
    return verdict


def take_down(namespace: Namespace, verdict: dict[str, Any]) -> None:
    namespace.patch("hal9", {"phase": "None"})
    status = namespace.wait_for_status("hal9", "rest", lambda seen: seen["phase"] == "Idle")
    kept = status["verdict"]
    assert {**kept, "message": ""} == {**verdict, "message": ""}  # it tells the last pairs, too
    assert '"restartedAt":' in status["nextStep"]  # else the old evidence would end the next run
    assert {one["metadata"]["name"] for one in namespace.list("deployments")} == {
        "hal9-server",
        "hal9-traffic",
    }


def assert_taken_down_in_order(changes: list[str], since: int) -> None:
    def first(start: str) -> int:
        later = range(since, len(changes))
        return next(number for number in later if changes[number].startswith(start))

    copies_end = first("MODIFIED mirrors 0")
    clones_go = [first(f"DELETED Deployment/{name} ") for name in BEHIND]
    envoy_goes = first(f"DELETED Deployment/{ENTRY} ")
    assert copies_end < min(clones_go)
    assert max(clones_go) < envoy_goes
    entry = [line for line in changes[:envoy_goes] if f"Service/{ENTRY} " in line]
    assert entry
    assert '"app":"hal9"' in entry[-1]


def assert_only_the_entry_is_left(namespace: Namespace) -> None:
    assert namespace.find("shadowdeployment", "hal9") is None
    entry = namespace.get("service", ENTRY)
    production = namespace.get("service", "hal9-service")
    assert entry["spec"]["selector"] == production["spec"]["selector"]
    assert not entry["metadata"].get("ownerReferences")

    def left() -> set[str]:
        kinds = "deployments,services,configmaps,networkpolicies,poddisruptionbudgets,pods"
        return {one["metadata"]["name"] for one in namespace.list(kinds, "hal9.ai/shadow=hal9")}

    namespace.wait("the garbage collector", lambda: left() == {ENTRY})


def assert_clients_saw_no_failure(namespace: Namespace) -> None:
    log = namespace("logs", "deployment/hal9-traffic", "--tail=1")
    found = re.search(r"requests=(\d+) failures=(\d+)", log)
    assert found, log
    assert int(found[1]) > 100
    assert int(found[2]) == 0, log


def test_killing_the_operator_at_any_moment_loses_nothing(
    namespace: Namespace, shadow_cluster: ShadowCluster
) -> None:
    measured: list[str] = []
    start(namespace, shadow_cluster, soakSeconds=30)
    with namespace.watching("shadowdeployments", MEASURED, measured):
        namespace.wait("a clone", lambda: bool(pods(namespace, "shadow")))
        shadow_cluster.kill_operator()
        namespace.wait_for_phase("hal9", "Recording", "Mirroring", "Soaking")
        clones = pods(namespace, "shadow", "reference")
        shadow_cluster.delete_operator()
        namespace.wait_for_phase("hal9", "Soaking")
        shadow_cluster.kill_operator()
        namespace.wait_for_status("hal9", "a part of the soak", lambda seen: elapsed(seen) > 5)
        shadow_cluster.delete_operator()
        namespace.wait_for_phase("hal9", "Completed")
    assert pods(namespace, "shadow", "reference") == clones
    assert namespace.status("hal9")["verdict"]["decision"] == "ProceedToCanary"

    # The reconcile that stores a measurement writes it before status, so status never goes back.
    seen = [[int(word) for word in line.split()] for line in measured if len(line.split()) == 2]
    assert len(seen) > 3
    for before, after in itertools.pairwise(seen):
        assert after[0] >= before[0]
        assert after[1] >= before[1] - INTERVAL_SECONDS
    assert_clients_saw_no_failure(namespace)


MEASURED = "{.object.status.comparison.compared} {.object.status.soak.elapsedSeconds}"


def elapsed(status: dict[str, Any]) -> int:
    seconds: int = (status.get("soak") or {}).get("elapsedSeconds", 0)
    return seconds


@pytest.fixture(scope="module")
def soaking(request: pytest.FixtureRequest, shadow_cluster: ShadowCluster) -> Iterator[Namespace]:
    """Give a shadow that soaks without end; a test leaves it soaking."""
    for namespace in fresh_namespace(request, shadow_cluster):
        start(namespace, shadow_cluster, soakSeconds=NEVER)
        namespace.wait_for_phase("hal9", "Soaking")
        yield namespace


STOP = "hal9.ai/stop"
STOPS: dict[str, tuple[Callable[[Namespace], object], Callable[[Namespace], object], str]] = {
    "suspend": (
        lambda ns: ns.patch("hal9", {"suspend": True}),
        lambda ns: ns.patch("hal9", {"suspend": False}),
        "spec.suspend",
    ),
    "annotation of the resource": (
        lambda ns: ns("annotate", "shadowdeployment", "hal9", f"{STOP}=orders are late"),
        lambda ns: ns("annotate", "shadowdeployment", "hal9", f"{STOP}-"),
        "orders are late",
    ),
    "annotation of the namespace": (
        lambda ns: ns("annotate", "namespace", ns.name, f"{STOP}=orders are late"),
        lambda ns: ns("annotate", "namespace", ns.name, f"{STOP}-"),
        "whole namespace",
    ),
}
"""How a person stops it, how it goes on, and what status says meanwhile."""


@pytest.mark.parametrize("way", STOPS)
def test_a_stop_ends_copies_and_the_soak_and_keeps_the_clones(soaking: Namespace, way: str) -> None:
    stop, resume, said = STOPS[way]
    clones = pods(soaking)
    soaking.wait_for_status("hal9", "a part of the soak", lambda seen: elapsed(seen) > 0)
    stop(soaking)
    soaking.wait_for_phase("hal9", "Paused")
    paused = next_measurement(soaking)
    later = next_measurement(soaking)
    assert later["mirror"]["effectivePercent"] == 0
    assert later["comparison"]["received"] == paused["comparison"]["received"]
    assert later["soak"]["state"] == "Stopped"
    assert later["soak"]["elapsedSeconds"] == paused["soak"]["elapsedSeconds"]
    assert said in soaking.condition("hal9", "MirroringActive")["message"]

    resume(soaking)
    soaking.wait_for_phase("hal9", "Soaking")
    status = soaking.wait_for_status(
        "hal9", "new pairs", lambda seen: compared(seen) > compared(later)
    )
    assert status["soak"]["elapsedSeconds"] >= later["soak"]["elapsedSeconds"]
    assert pods(soaking) == clones


def test_a_stop_holds_against_a_manager_that_puts_spec_back(
    soaking: Namespace, shadow_cluster: ShadowCluster
) -> None:
    declared = hal9.shadow_deployment(shadow_cluster.hal9_image, soakSeconds=NEVER)
    began = time.monotonic()
    soaking("annotate", "shadowdeployment", "hal9", f"{STOP}=at night")
    with healing(soaking, declared) as healed:
        soaking.wait_for_status(
            "hal9", "the end of copies", lambda seen: seen["mirror"]["effectivePercent"] == 0
        )
        print(f"the mirror was off after {time.monotonic() - began:.1f} s")
        stopped = next_measurement(soaking)
        later = next_measurement(soaking)
        assert healed
    assert later["mirror"]["effectivePercent"] == 0
    assert later["comparison"]["received"] == stopped["comparison"]["received"]
    assert soaking.get("shadowdeployment", "hal9")["spec"]["samplingPercent"] == 100
    soaking("annotate", "shadowdeployment", "hal9", f"{STOP}-")
    soaking.wait_for_phase("hal9", "Soaking")


@contextmanager
def healing(namespace: Namespace, declared: dict[str, Any]) -> Iterator[list[str]]:
    """Put the resource back again and again, as Argo CD does with `selfHeal`."""
    words = ("apply", "--server-side", "--force-conflicts", "--field-manager=argocd")
    healed: list[str] = []
    ended = threading.Event()

    def heal() -> None:
        while not ended.wait(0.5):
            healed.append(namespace(*words, "--filename=-", stdin=yaml.safe_dump(declared)))

    thread = threading.Thread(target=heal)
    thread.start()
    try:
        yield healed
    finally:
        ended.set()
        thread.join()


def next_measurement(namespace: Namespace) -> dict[str, Any]:
    before = namespace.status("hal9").get("lastMeasurementTime")
    return namespace.wait_for_status(
        "hal9", "a measurement", lambda seen: seen.get("lastMeasurementTime") != before
    )


def test_another_percentage_takes_effect_without_a_new_pod(soaking: Namespace) -> None:
    before = pods(soaking)
    for percent in (40, 100):
        soaking.patch("hal9", {"samplingPercent": percent})
        soaking.wait_for_status(
            "hal9",
            f"{percent} %",
            lambda seen, percent=percent: seen["mirror"]["effectivePercent"] == percent,  # type: ignore[misc]
        )
    assert pods(soaking) == before
    soaking.wait(
        "both events",
        lambda: (
            {"From 100 % to 40 %.", "From 40 % to 100 %."}
            <= set(events(soaking, "SamplingChanged"))
        ),
    )


def test_other_layers_change_the_shadows_environment_and_begin_an_epoch(
    soaking: Namespace,
) -> None:
    before = soaking.status("hal9")["verdict"]["epoch"]
    soaking.patch("hal9", {"layers": ["Substrate", "Protocol"]})
    expect_a_new_epoch(soaking, before)
    assert environment(soaking, "hal9-shadow")["HAL9_LAYERS"].lower() == "substrate,protocol"


def test_another_image_begins_an_epoch_for_both(
    soaking: Namespace, shadow_cluster: ShadowCluster
) -> None:
    cluster = shadow_cluster.cluster
    other = f"{shadow_cluster.hal9_image}-other"
    cluster.load_image(cluster.build_image(other, HAL9.folder / "Dockerfile", HAL9.folder))
    before = soaking.status("hal9")["verdict"]["epoch"]
    reference = pods(soaking, "reference")
    soaking.patch("hal9", {"shadow": {"image": other}})
    expect_a_new_epoch(soaking, before)
    assert not pods(soaking, "reference").keys() & reference.keys(), "both are of one age"


def expect_a_new_epoch(namespace: Namespace, before: str) -> None:
    status = namespace.wait_for_status(
        "hal9",
        "a verdict of another epoch",
        lambda seen: seen["phase"] == "Soaking" and seen["verdict"]["epoch"] != before,
    )
    epoch = f"epoch {status['verdict']['epoch']}."
    namespace.wait(
        "the event", lambda: any(epoch in note for note in events(namespace, "EpochStarted"))
    )


def environment(namespace: Namespace, deployment: str) -> dict[str, str]:
    template = namespace.get("deployment", deployment)["spec"]["template"]
    return {one["name"]: one.get("value", "") for one in template["spec"]["containers"][0]["env"]}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Service", "hal9-shadow"),
        ("NetworkPolicy", "hal9-clones"),
        ("Deployment", "hal9-reference"),
        ("PodDisruptionBudget", ENTRY),
    ],
)
def test_a_deleted_child_comes_back(soaking: Namespace, kind: str, name: str) -> None:
    before = soaking.get(kind, name)["metadata"]["uid"]
    soaking(*("delete", kind, name, "--wait=false"))

    def is_back() -> bool:
        found = soaking.find(kind, name)
        return found is not None and found["metadata"]["uid"] != before

    soaking.wait(f"{kind} {name}", is_back)
    told = f"{kind} {name} was deleted"
    soaking.wait(
        "the event", lambda: any(told in note for note in events(soaking, "DriftRepaired"))
    )
    soaking.wait_for_phase("hal9", "Soaking")


def test_an_edited_field_of_ours_is_put_right(soaking: Namespace) -> None:
    soaking("set", "env", "deployment/hal9-shadow", "HAL9_SYSTEM=flat")
    soaking.wait(
        "the value of ours",
        lambda: environment(soaking, "hal9-shadow")["HAL9_SYSTEM"] == "hierarchical",
    )
    soaking.wait_for_phase("hal9", "Soaking")


def test_what_a_person_may_do_with_a_clone_is_not_undone(soaking: Namespace) -> None:
    first = pods(soaking, "shadow")
    soaking("rollout", "restart", "deployment/hal9-shadow")
    soaking("scale", "deployment/hal9-shadow", "--replicas=2")
    soaking("rollout", "status", "deployment/hal9-shadow", "--timeout=280s", timeout=300)
    now = pods(soaking, "shadow")
    assert len(now) == 2
    assert not set(first.values()) & set(now.values())
    next_measurement(soaking)
    next_measurement(soaking)
    assert pods(soaking, "shadow") == now
    soaking("scale", "deployment/hal9-shadow", "--replicas=1")
    soaking.wait_for_phase("hal9", "Soaking")
