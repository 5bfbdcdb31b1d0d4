"""Drift: our fields against the live object."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow_operator.core.deploying.drift import differs
from shadow_operator.core.deploying.objects import stamped
from shadow_operator.core.snapshot import Manifest
from tests.support.clones import clone_of
from tests.support.manifests import children_of

DEFAULTS: dict[str, Any] = {
    "protocol": "TCP",
    "imagePullPolicy": "IfNotPresent",
    "terminationMessagePath": "/dev/termination-log",
    "dnsPolicy": "ClusterFirst",
    "sessionAffinity": "None",
    "status": {"readyReplicas": 2},
    "uid": "9b1d",
    "resourceVersion": "7",
    "apiVersion": "v1",
    "internalTrafficPolicy": "Cluster",
}
"""What an API server adds to objects."""

EXACT = ("selector", "matchLabels", "podSelector", "namespaceSelector", "labelSelector")

MANIFESTS: tuple[Manifest, ...] = (*children_of(), stamped(clone_of({"role": "shadow"}).manifest))
NAMES = [f"{manifest['kind']} {manifest['metadata']['name']}" for manifest in MANIFESTS]

manifests = st.sampled_from(MANIFESTS)


def live(manifest: Manifest) -> dict[str, Any]:
    return copy.deepcopy(dict(manifest))


def mappings(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Give every mapping in an object, with its path."""
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from mappings(inner, (*path, key))
    elif isinstance(value, list):
        for inner in value:
            yield from mappings(inner, path)


def leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    """Give every (container, key) whose value is a leaf."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in entries:
        if isinstance(inner, dict | list):
            yield from leaves(inner)
        else:
            yield value, key


@settings(max_examples=40, deadline=None)
@given(manifests, st.data())
def test_what_the_server_adds_is_no_drift(manifest: Manifest, data: st.DataObject) -> None:
    there = live(manifest)
    for path, mapping in list(mappings(there)):
        if not set(path) & {*EXACT, "data"}:
            for key in data.draw(st.sets(st.sampled_from(sorted(DEFAULTS)), max_size=3)):
                mapping.setdefault(key, DEFAULTS[key])
    assert differs(manifest, there) == ()


@given(manifests, st.data())
def test_any_other_value_of_ours_is_drift(manifest: Manifest, data: st.DataObject) -> None:
    there = live(manifest)
    places = (
        [
            (holder, key)
            for holder, key in leaves(there)
            if (holder, key) != (there["spec"], "replicas")
        ]
        if "spec" in there
        else list(leaves(there))
    )
    holder, key = data.draw(st.sampled_from(places))
    before = holder[key]
    holder[key] = not before if isinstance(before, bool) else f"{before}x"
    assert differs(manifest, there) != ()


@given(manifests, st.data())
def test_the_order_of_named_things_is_no_drift(manifest: Manifest, data: st.DataObject) -> None:
    there = live(manifest)
    for _, mapping in list(mappings(there)):
        for key in ("env", "volumes", "volumeMounts"):
            if key in mapping:
                mapping[key] = data.draw(st.permutations(mapping[key]))
    assert differs(manifest, there) == ()


@pytest.mark.parametrize("manifest", MANIFESTS, ids=NAMES)
def test_an_object_does_not_differ_from_itself(manifest: Manifest) -> None:
    assert differs(manifest, live(manifest)) == ()


def deployment(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "next-shadow", "labels": {"hal9.ai/role": "shadow"}},
        "spec": {"replicas": 2, **spec},
    }


def test_scaling_a_clone_by_hand_is_no_drift() -> None:
    wanted = stamped(deployment())
    there = live(wanted) | {"spec": {"replicas": 5}}
    assert differs(wanted, there) == ()


def test_a_new_desired_state_takes_the_count_of_clones_back() -> None:
    there = live(stamped(deployment())) | {"spec": {"replicas": 5}}
    wanted = stamped(deployment(minReadySeconds=1))
    assert "spec.replicas" in differs(wanted, there)


def test_scaling_a_comparator_by_hand_is_drift() -> None:
    wanted = next(
        m
        for m in children_of()
        if m["metadata"]["name"] == "next-comparator" and m["kind"] == "Deployment"
    )
    there = live(wanted)
    there["spec"]["replicas"] = 0
    assert differs(wanted, there) == ("spec.replicas",)


def test_restarting_a_clone_by_hand_is_no_drift() -> None:
    wanted = stamped(clone_of({"role": "shadow"}).manifest)
    there = live(wanted)
    annotations = there["spec"]["template"]["metadata"]["annotations"]
    annotations["kubectl.kubernetes.io/restartedAt"] = "2026-01-01T00:00:00Z"
    assert differs(wanted, there) == ()


def test_a_field_that_is_no_longer_ours_shows_in_the_stamp() -> None:
    there = stamped(deployment(minReadySeconds=1))
    assert differs(stamped(deployment()), there) == ("metadata.annotations.hal9.ai/applied",)


CONTAINER = {"name": "web", "image": "web:1"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"cpu": "0.1"}, {"cpu": "100m"}),
        ({"cpu": "1000m"}, {"cpu": "1"}),
        ({"memory": "1Gi"}, {"memory": "1073741824"}),
        ({"memory": "1.5Gi"}, {"memory": "1536Mi"}),
        ({"memory": "1e3"}, {"memory": "1k"}),
        ({"cpu": 2}, {"cpu": "2"}),
    ],
)
def test_the_same_quantity_written_otherwise_is_no_drift(
    ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    assert differs(deployment(requests=ours), deployment(requests=theirs)) == ()


def test_another_quantity_is_drift() -> None:
    assert differs(
        deployment(requests={"memory": "1Gi"}), deployment(requests={"memory": "1G"})
    ) == ("spec.requests.memory",)


@pytest.mark.parametrize(
    ("ours", "theirs", "paths"),
    [
        pytest.param({"hook": []}, {}, (), id="an empty list is an absent one"),
        pytest.param({"hook": ""}, {}, (), id="an empty text is an absent one"),
        pytest.param({"hook": None}, {}, (), id="null is absent"),
        pytest.param({"nodeSelector": {}}, {}, (), id="an empty map is an absent one"),
        pytest.param({"emptyDir": {}}, {}, ("spec.emptyDir",), id="an empty object says something"),
        pytest.param(
            {"automountServiceAccountToken": False},
            {},
            ("spec.automountServiceAccountToken",),
            id="false is not the default everywhere",
        ),
        pytest.param({"maxUnavailable": 0}, {}, ("spec.maxUnavailable",), id="nor is zero"),
        pytest.param({"port": 80}, {"port": "80"}, (), id="a number may be a text"),
        pytest.param({"on": True}, {"on": "True"}, ("spec.on",), id="a boolean may not"),
        pytest.param(
            {"args": ["a"]}, {"args": ["a", "b"]}, ("spec.args",), id="one more argument is drift"
        ),
        pytest.param(
            {"args": ["a", "b"]},
            {"args": ["b", "a"]},
            ("spec.args.0", "spec.args.1"),
            id="arguments have an order",
        ),
        pytest.param(
            {"containers": [CONTAINER]},
            {"containers": [{"name": "injected"}, CONTAINER]},
            (),
            id="a container that somebody added is theirs",
        ),
        pytest.param(
            {"containers": [CONTAINER]},
            {"containers": [{**CONTAINER, "image": "web:2"}]},
            ("spec.containers.web.image",),
            id="another image is drift",
        ),
        pytest.param(
            {"containers": [CONTAINER]}, {}, ("spec.containers.web",), id="a lost one is drift"
        ),
        pytest.param(
            {"selector": {"a": "b"}},
            {"selector": {"a": "b", "c": "d"}},
            ("spec.selector",),
            id="one more label selects something else",
        ),
        pytest.param(
            {"ports": [{"port": 80}]},
            {"ports": [{"port": 80, "protocol": "UDP"}, {"port": 80, "protocol": "TCP"}]},
            (),
            id="a port is found by number and protocol",
        ),
        pytest.param(
            {"egress": [{"ports": [{"port": 53}]}]},
            {"egress": [{"ports": [{"port": 53, "protocol": "TCP"}, {"port": 443}]}]},
            ("spec.egress.0.ports",),
            id="one more port of a network policy is drift",
        ),
    ],
)
def test_differences(ours: dict[str, Any], theirs: dict[str, Any], paths: tuple[str, ...]) -> None:
    assert differs(deployment(**ours), deployment(**theirs)) == paths
