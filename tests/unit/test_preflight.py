"""What would be in the way of a shadow, before anything is changed: one finding each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from shadow_operator.api.enums import CheckResult
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.api.spec import Spec
from shadow_operator.core.counting.counts import Counts
from shadow_operator.core.judging import pace
from shadow_operator.core.planning.outlook import Finding, Look, Surroundings
from shadow_operator.core.planning.preflight import findings
from shadow_operator.core.recording.ledger import decode, encode
from shadow_operator.core.snapshot import (
    Amount,
    Found,
    Item,
    Missing,
    Node,
    RoomReading,
    Unknown,
)
from tests.support.clones import merged
from tests.support.world import COPIES_SERVICE, EVIDENCE, World, stranger, up

if TYPE_CHECKING:
    from collections.abc import Callable

PASSED, FAILED, UNKNOWN = CheckResult.PASSED, CheckResult.FAILED, CheckResult.UNKNOWN
GIB = 1 << 30
SETS_OF_MANY: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "everything"},
    "spec": {"selector": {"app.kubernetes.io/managed-by": "shadow-operator"}},
}


@dataclass
class Scene:
    """A workload, and what a person may read around it."""

    world: World = field(default_factory=World)
    around: Surroundings = field(default_factory=Surroundings)
    room: RoomReading | None = None

    @property
    def container(self) -> dict[str, Any]:
        return self.pod["containers"][0]  # type: ignore[no-any-return]

    @property
    def template(self) -> dict[str, Any]:
        assert self.world.production is not None
        return self.world.production["spec"]["template"]  # type: ignore[no-any-return]

    @property
    def pod(self) -> dict[str, Any]:
        return self.template["spec"]  # type: ignore[no-any-return]

    def of(self, name: str) -> list[Finding]:
        snapshot = replace(self.world.snapshot(), room=self.room)
        resource = ShadowDeployment.parse(self.world.body)
        look = Look.at(snapshot, resource, self.around, self.world.now)
        return [one for one in findings(look) if one.name == name]


def edited(**spec: Any) -> Callable[[Scene], None]:
    return lambda scene: scene.world.edit(**spec)


def leading(*manifests: dict[str, Any]) -> Callable[[Scene], None]:
    def change(scene: Scene) -> None:
        scene.around = replace(scene.around, leading=Found(manifests))

    return change


def ingress(service: str) -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": 80}}}
    return {
        "kind": "Ingress",
        "metadata": {"name": "shop", "namespace": "hal9"},
        "spec": {"rules": [{"http": {"paths": [{"path": "/", "backend": backend}]}}]},
    }


def http_route(service: str, **backend: str) -> dict[str, Any]:
    return {
        "kind": "HTTPRoute",
        "metadata": {"name": "shop", "namespace": "hal9"},
        "spec": {"rules": [{"backendRefs": [{"name": service, "port": 80, **backend}]}]},
    }


def virtual_service(host: str) -> dict[str, Any]:
    return {
        "kind": "VirtualService",
        "metadata": {"name": "shop", "namespace": "hal9"},
        "spec": {"http": [{"route": [{"destination": {"host": host}}]}]},
    }


def agents(*names: str) -> Callable[[Scene], None]:
    def change(scene: Scene) -> None:
        scene.around = replace(scene.around, agents=Found(names))

    return change


def without_deployment(scene: Scene) -> None:
    scene.world.production = None


def behind(scene: Scene) -> None:
    assert scene.world.production is not None
    scene.world.production["status"]["availableReplicas"] = 1


def another_service(scene: Scene) -> None:
    assert scene.world.service is not None
    scene.world.service["spec"]["selector"] = {"app": "other"}


def taken(scene: Scene) -> None:
    scene.world.objects[COPIES_SERVICE] = stranger(COPIES_SERVICE)


def selected(scene: Scene) -> None:
    scene.template["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "shadow-operator"
    scene.world.selecting = (SETS_OF_MANY,)


def selected_while_idle(scene: Scene) -> None:
    selected(scene)
    scene.world.edit(phase="None")


def unread(scene: Scene) -> None:
    scene.world.unknown = {"selecting"}


def with_init_container(scene: Scene) -> None:
    scene.pod["initContainers"] = [{"name": "migrate", "image": "m"}]


def with_account(scene: Scene) -> None:
    scene.pod["serviceAccountName"] = "shop"


def with_secrets(scene: Scene) -> None:
    key = {"secretKeyRef": {"name": "db", "key": "password"}}
    scene.container["env"] = [{"name": "DB_PASSWORD", "valueFrom": key}]
    scene.container["envFrom"] = [{"secretRef": {"name": "keys"}}]
    scene.container["volumeMounts"] = [{"name": "tls", "mountPath": "/tls"}]
    scene.pod["volumes"] = [{"name": "tls", "secret": {"secretName": "tls"}}]


def with_secret_omitted(scene: Scene) -> None:
    with_secrets(scene)
    del scene.container["envFrom"], scene.container["volumeMounts"]
    scene.world.edit(clones={"omitSecretEnv": ["DB_PASSWORD"]})


def in_room(cpu: int, nodes: Item[tuple[Node, ...]] | None = None) -> Callable[[Scene], None]:
    def change(scene: Scene) -> None:
        scene.container["resources"] = {"requests": {"cpu": "1", "memory": "1Gi"}}
        there = nodes or Found((Node("a", Amount(cpu, 64 * GIB)),))
        scene.room = RoomReading(there, Found({"a": Amount(100, GIB)}), Found(()))

    return change


SAME = {"shadow": {"image": "example.com/hal9:old"}}
ENTRY = "Service hal9-mirror is made once this is applied"

CASES: dict[str, tuple[str, Callable[[Scene], None], CheckResult | None, str]] = {
    "a spec that can be acted on": ("spec", edited(), PASSED, "can act on it"),
    "what comes later": (
        "spec", edited(reference={"mode": "Production"}), FAILED, "spec.reference.mode: "),
    "learning without a preset": ("spec", edited(learning="ShadowOnly"), FAILED, "set preset"),
    "production": ("production", edited(), PASSED, "container server answers behind port 80"),
    "no Deployment": ("production", without_deployment, FAILED, "hal9-server does not exist"),
    "pods that are not available": ("production", behind, UNKNOWN, "1 of 3 pods"),
    "a Service of other pods": ("production", another_service, FAILED, "does not select"),
    "names that are free": ("names", edited(), PASSED, "are free"),
    "a name that is taken": ("names", taken, FAILED, "hal9-comparator exists"),
    "no selector": ("selectors", edited(), PASSED, "Nothing that selects"),
    "a selector that takes clones": ("selectors", selected, FAILED, "Service everything"),
    "selectors that can't be read": ("selectors", unread, UNKNOWN, "could not be read"),
    "phase None is looked at as Shadow": (
        "selectors", selected_while_idle, FAILED, "everything"),
    "a mirror of one's own": (
        "entry", edited(mirror={"provider": "External"}), None, "Service hal9-comparator"),
    "nothing is known of what leads there": ("entry", edited(), UNKNOWN, f"{ENTRY}; what leads"),
    "nothing leads anywhere": ("entry", leading(), UNKNOWN, "no Ingress, HTTPRoute or"),
    "an Ingress to production": (
        "entry", leading(ingress("hal9-service")), UNKNOWN, "Ingress shop leads past it"),
    "an Ingress to the entry": (
        "entry", leading(ingress("hal9-mirror")), PASSED, "Ingress shop leads to it"),
    "an HTTPRoute to the entry": (
        "entry", leading(http_route("hal9-mirror")), PASSED, "HTTPRoute shop leads to it"),
    "an HTTPRoute to another namespace": (
        "entry", leading(http_route("hal9-mirror", namespace="x")), UNKNOWN, "no Ingress"),
    "a VirtualService by its long name": (
        "entry", leading(virtual_service("hal9-mirror.hal9.svc.cluster.local")), PASSED, "leads"),
    "a VirtualService to a longer name": (
        "entry", leading(virtual_service("hal9-mirror-2")), UNKNOWN, "no Ingress"),
    "clones like production": ("clones", edited(), PASSED, "like production's pods"),
    "an init container": (
        "clones", with_init_container, None,
        "Init container migrate is left out (clones.keepContainers keeps it)."),
    "a service account": (
        "clones", with_account, None, "(clones.serviceAccountToken: true gives it)."),
    "no Secret": ("secrets", edited(), PASSED, "no Secret"),
    "Secrets by every way": ("secrets", with_secrets, None, "Secret db, Secret keys, Secret tls;"),
    "a Secret that is omitted": ("secrets", with_secret_omitted, PASSED, "no Secret"),
    "a new image": ("image", edited(), None, "example.com/hal9:new is pulled when"),
    "the image that runs": ("image", edited(**SAME), UNKNOWN, "write a digest"),
    "a self-test": ("image", edited(selfTest="Unchanged"), None, "In a self-test"),
    "isolation of which nothing is known": ("isolation", edited(), UNKNOWN, "none starts where"),
    "a network plugin that enforces": (
        "isolation", agents("kube-proxy", "cilium"), PASSED, "cilium enforces"),
    "one that does not": ("isolation", agents("kube-flannel-ds"), UNKNOWN, "not known from here"),
    "isolation that is not required": (
        "isolation", edited(clones={"isolation": "BestEffort"}), None, "is not known from here"),
    "open egress": ("isolation", edited(clones={"egress": "Allow"}), None, "may call everything"),
    "room": ("headroom", in_room(32_000), PASSED, "were free on 1 node"),
    "too little room": ("headroom", in_room(2_000), FAILED, "can't hold the clones"),
    "nodes that may not be listed": (
        "headroom", in_room(0, Unknown("you may not list nodes")), UNKNOWN, "you may not list"),
    "requests before any came": ("requests", edited(), None, "once requests pass through"),
    "credentials before any came": (
        "credentials", edited(mirror={"forwardHeaders": ["Cookie"]}), None, "Passed on: cookie"),
    "time without a rate": ("time", edited(), None, "--requests-per-second"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "change", "result", "says"), CASES.values(), ids=CASES.keys())
def test_finding(
    name: str, change: Callable[[Scene], None], result: CheckResult | None, says: str
) -> None:
    scene = Scene()
    change(scene)
    [finding] = scene.of(name)
    assert says in finding.message
    assert finding.result is result, finding


def test_the_image_that_runs_by_its_digest_is_nothing_new() -> None:
    scene = Scene()
    digest = "example.com/hal9@sha256:1"
    scene.container["image"] = digest
    scene.world.edit(shadow={"image": digest})
    [finding] = scene.of("image")
    assert finding.result is FAILED


def test_every_finding_ends_as_a_sentence() -> None:
    scene = Scene(world=up())
    with_secrets(scene)
    scene.room = RoomReading(Missing(), Missing(), Missing())
    resource = ShadowDeployment.parse(scene.world.body)
    snapshot = replace(scene.world.snapshot(), room=scene.room)
    found = findings(Look.at(snapshot, resource, scene.around, scene.world.now))
    assert len({one.name for one in found}) == 13
    assert [one.message for one in found if not one.message.endswith(".")] == []


def test_what_was_measured_says_shares_and_days() -> None:
    world = up()
    world.traffic = 600
    for _ in range(4):
        world.reconcile(30.0)
    scene = Scene(world=world)
    [requests], [time], [isolation] = (scene.of(n) for n in ("requests", "time", "isolation"))
    assert requests.result is PASSED
    assert requests.message.startswith("100% of ")
    assert time.result is PASSED
    assert "requests/s (recorded over " in time.message
    assert isolation.result is PASSED
    assert "NetworkPolicy is enforced" in isolation.message


@pytest.mark.parametrize(
    ("listed", "results"), [([], [UNKNOWN, UNKNOWN]), (["Cookie", "Authorization"], [PASSED])]
)
def test_credentials_that_copies_lose_are_named_with_their_share(
    listed: list[str], results: list[CheckResult]
) -> None:
    world = up(mirror={"forwardHeaders": listed})
    world.reconcile(30.0)
    kept = world.objects[EVIDENCE]["data"]
    ledger = decode(kept)
    assert ledger is not None
    carried = Counts(credentials={"cookie": 7, "authorization": 40}, skipped={"Method": 9})
    kept.update(encode(ledger.model_copy(update={"closed": carried})))
    found = Scene(world=world).of("credentials")
    assert [one.result for one in found] == results
    if not listed:
        assert found[0].message.startswith("40 of ")
        assert "requests carry authorization, which copies lose" in found[0].message
    assert "; method 9" in Scene(world=world).of("requests")[0].message


def status_checks(scene: Scene) -> dict[str, str]:
    scene.world.until(lambda w: "preflight" in w.status)
    return {one["name"]: one["message"] for one in scene.world.status["preflight"]}


def test_status_names_the_secrets_that_clones_get_and_an_image_that_is_not_new() -> None:
    scene = Scene()
    with_secrets(scene)
    scene.world.edit(**SAME)
    found = status_checks(scene)
    assert found["secrets"].startswith("The clones get of production: Secret db, ")
    assert "write a digest" in found["image"]


def test_a_clone_of_much_less_still_has_its_secrets_named() -> None:
    scene = Scene()
    with_secrets(scene)
    scene.pod["volumes"] += [
        {"name": f"data-{n}", "hostPath": {"path": f"/a-long-path/{n}"}} for n in range(40)
    ]
    scene.container["volumeMounts"] += [
        {"name": f"data-{n}", "mountPath": f"/data/{n}"} for n in range(40)
    ]
    scene.world.until(lambda w: "preflight" in w.status)
    names = [one["name"] for one in scene.world.status["preflight"]]
    assert names[:2] == ["secrets", "clones"]
    assert len(names) == 8


# Time to a verdict

PRODUCTION = {
    "productionRef": {"deploymentName": "a", "serviceName": "b"},
    "shadow": {"image": "c"},
}


def spec(**changes: Any) -> Spec:
    return Spec.model_validate(merged(PRODUCTION, changes))


def test_a_clean_run_needs_what_the_gates_need() -> None:
    pairs = pace.needed_pairs(spec())
    assert pairs is not None
    assert 4000 < pairs < 6000  # docs/verdict.md
    assert pace.needed_pairs(spec(gates={"minimumPairs": {"total": 50_000}})) == 50_000
    assert pace.needed_pairs(spec(gates={"matchRate": {"minPercent": "100"}})) is None


RATES: dict[str, tuple[dict[str, Any], float, str, bool]] = {
    "a busy service waits for the soak": ({}, 100, "8,640,000 pairs a day", False),
    "and a verdict comes then": ({}, 100, "A verdict comes after 1d.", False),
    "half of them": ({"samplingPercent": 50}, 100, "4,320,000 pairs a day", False),
    "with a limit": ({"mirror": {"maxRequestsPerSecond": 1}}, 100, "86,400 pairs a day", False),
    "one in a minute takes days": ({}, 1 / 60, "more than maxDurationSeconds (2d)", True),
    "nothing": ({"samplingPercent": 0}, 100, "set samplingPercent", True),
}


@pytest.mark.parametrize(("changes", "rate", "says", "long"), RATES.values(), ids=RATES.keys())
def test_days_follow_from_requests(
    changes: dict[str, Any], rate: float, says: str, long: bool
) -> None:
    expected = pace.expected(spec(**changes), pace.told(rate))
    assert says in expected.sentence
    assert expected.too_long is long
