"""Clones: YAML in, YAML out (tests/data/clones)."""

import copy
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow_operator.api.names import Role
from shadow_operator.core.deploying.cloning import clone
from shadow_operator.core.errors import CannotClone
from tests.support.clones import (
    BASE,
    SETTINGS,
    Case,
    cases,
    clone_of,
    expected,
    merged,
    production,
    resource,
)

CLONED = {case["test"]: case for case in cases() if "refused" not in case}
REFUSED = {case["test"]: case for case in cases() if "refused" in case}


@pytest.mark.parametrize("role", ["shadow", "reference"])
def test_a_plain_deployment_is_cloned_without_its_looks(role: str) -> None:
    made = clone_of({"role": role})
    assert made.manifest == BASE["clones"][role]
    assert made.notes == ()


@pytest.mark.parametrize("case", CLONED.values(), ids=CLONED)
def test_clone(case: Case) -> None:
    made = clone_of(case)
    assert made.manifest == expected(case)
    assert list(made.notes) == case.get("notes", [])


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refusal(case: Case) -> None:
    with pytest.raises(CannotClone) as refused:
        clone_of(case)
    assert str(refused.value) == case["refused"]


@pytest.mark.parametrize("case", (CLONED | REFUSED).values(), ids=CLONED | REFUSED)
def test_production_is_only_read(case: Case) -> None:
    deployment, service = production(case)
    before = copy.deepcopy((deployment, service))
    with suppress(CannotClone):
        clone(deployment, service, resource(case.get("spec")), Role.SHADOW, SETTINGS)
    assert (deployment, service) == before


FORBIDDEN = {
    "csi",
    "ephemeral",
    "hostIPC",
    "hostIP",
    "hostNetwork",
    "hostPID",
    "hostPath",
    "hostPort",
    "lifecycle",
    "nfs",
    "persistentVolumeClaim",
    "priority",
    "priorityClassName",
    "privileged",
    "procMount",
    "resourceClaims",
    "serviceAccount",
    "serviceAccountToken",
    "volumeDevices",
}
"""Fields that no clone has anywhere, unless the spec or the installation asks for one."""

PATCHES = [
    {part: case["production"][part] for part in ("pod", "container") if part in case["production"]}
    for case in CLONED.values()
    if "production" in case and not case.keys() & {"service", "spec"}
]


@given(st.lists(st.sampled_from(PATCHES), max_size=6), st.sampled_from(list(Role)[:2]))
def test_no_mixture_of_all_this_gives_a_clone_what_is_productions(
    patches: list[dict[str, Any]], role: Role
) -> None:
    patch: dict[str, Any] = {}
    for one in patches:
        patch = merged(patch, one)
    made = clone_of({"production": patch, "role": role.value}).manifest
    fields = set(keys(made))
    assert not fields & FORBIDDEN
    pod = made["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "default"
    assert pod["automountServiceAccountToken"] is False
    mounted = {m["name"] for c in pod["containers"] for m in c.get("volumeMounts", [])}
    assert mounted == {volume["name"] for volume in pod.get("volumes", [])}


def keys(value: Any) -> Iterator[str]:
    """Give every key in an object."""
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)
