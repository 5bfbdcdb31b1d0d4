"""Reading a resource: what the user wrote, what it means, and what is said when it is wrong."""

from typing import Any

import pytest
import yaml

from shadow_operator.api.enums import GateMode, GateName, Learning, RequestedPhase
from shadow_operator.api.errors import InvalidSpec
from shadow_operator.api.presets import HAL9, PRESETS
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.api.spec import Gates, Spec
from tests.support.schema import ROOT, problems

SMALLEST: dict[str, Any] = {
    "productionRef": {"deploymentName": "shop", "serviceName": "shop"},
    "shadow": {"image": "shop:new"},
}


def _body(spec: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"metadata": {"name": "shop", "namespace": "shops"}, "spec": spec, **rest}


def _spec(**fields: Any) -> Spec:
    return ShadowDeployment.parse(_body({**SMALLEST, **fields})).spec


def test_the_smallest_example_has_the_numbers_of_the_runbook() -> None:
    body = yaml.safe_load((ROOT / "examples/smallest.yaml").read_text("utf-8"))
    resource = ShadowDeployment.parse(body)
    spec = resource.spec
    assert (resource.name, resource.namespace) == ("hal9", "hal9")
    assert spec.phase is RequestedPhase.SHADOW
    assert spec.gates.match_rate.min_percent == "99.9"
    assert spec.gates.latency_p50.max_increase_percent == 5
    assert spec.gates.latency_p99.max_increase_percent == 10
    assert spec.soak_seconds == 24 * 3600
    assert spec.guard.baseline_seconds == 300
    assert spec.mirror.methods == ("GET", "HEAD")


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(document, id=f"{path.stem}-{index}")
        for path in sorted((ROOT / "tests/data/crd/accepted").glob("*.yaml"))
        for index, document in enumerate(yaml.safe_load_all(path.read_text("utf-8")))
    ],
)
def test_what_the_api_server_accepts_the_models_read_and_write_again(
    document: dict[str, Any],
) -> None:
    document["metadata"]["namespace"] = "shops"
    spec = ShadowDeployment.parse(document).spec
    written = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert problems("spec", written) == []
    assert Spec.model_validate(written) == spec


def test_what_the_api_server_added_to_metadata_does_not_disturb() -> None:
    body = _body(SMALLEST)
    body["metadata"] |= {"managedFields": [], "labels": {"a": "b"}, "generation": 3}
    body["metadata"]["deletionTimestamp"] = "2025-01-31T10:00:00Z"
    metadata = ShadowDeployment.parse(body).metadata
    assert metadata.generation == 3
    assert metadata.deletion_timestamp is not None


def test_each_problem_of_a_spec_gets_its_own_sentence_with_its_place() -> None:
    wrong = {
        "samplingPercent": 101,
        "samplngPercent": 5,
        "shadow": {"image": "shop:new", "env": [{"value": "x"}]},
    }
    with pytest.raises(InvalidSpec) as caught:
        ShadowDeployment.parse(_body(wrong))
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "spec.samplingPercent",
        "spec.productionRef",
        "spec.shadow.env[0].name",
        "spec.samplngPercent",
    ]
    assert "spec.samplingPercent: " in str(caught.value)


def test_a_resource_without_a_spec_is_invalid_and_no_crash() -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.shadow"):
        ShadowDeployment.parse({"metadata": {"name": "a", "namespace": "b"}})


def test_a_value_of_the_user_is_not_repeated_in_the_sentence() -> None:
    with pytest.raises(InvalidSpec) as caught:
        _spec(shadow={"image": "shop:new", "env": [{"name": "1X", "value": "hunter2"}]})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "preset"),
    [
        pytest.param({}, None, id="no layers, no preset: nothing of HAL9"),
        pytest.param({"layers": ["Substrate"]}, HAL9, id="layers without a preset mean HAL9"),
        pytest.param({"preset": "HAL9"}, HAL9, id="a named preset counts without layers"),
        pytest.param({"layers": ["Web"], "preset": "None"}, None, id="None counts with layers"),
    ],
)
def test_the_preset_in_force(fields: dict[str, Any], preset: object) -> None:
    assert _spec(**fields).effective_preset is preset


@pytest.mark.parametrize(
    ("fields", "template"),
    [
        pytest.param({}, None, id="no layers"),
        pytest.param({"preset": "HAL9"}, "/hierarchical/{layer}/status", id="the preset's"),
        pytest.param(
            {"preset": "HAL9", "layerPathTemplate": "/l/{layer}"}, "/l/{layer}", id="one's own"
        ),
    ],
)
def test_the_layer_path_in_force(fields: dict[str, Any], template: str | None) -> None:
    assert _spec(**fields).effective_layer_path_template == template


def test_the_environment_of_hal9_names_the_layers_that_are_on() -> None:
    assert HAL9.env(("Substrate", "Protocol"), Learning.SHADOW_ONLY) == {
        "HAL9_SYSTEM": "hierarchical",
        "HAL9_SHADOW_MODE": "true",
        "HAL9_LAYERS": "substrate,protocol",
        "HAL9_HIERARCHICAL_LEARNING": "shadow-only",
    }
    assert "HAL9_HIERARCHICAL_LEARNING" not in HAL9.env((), Learning.DISABLED)


def test_every_preset_that_can_be_named_is_known() -> None:
    assert {name.value for name in PRESETS} == {"HAL9", "None"}


def test_every_gate_has_a_field_and_every_field_a_gate() -> None:
    fields = {name.replace("_", "-") for name in Gates.model_fields}
    assert fields == {gate.value for gate in GateName} - {"approval"}  # spec.approval
    spec = ShadowDeployment.parse(_body(SMALLEST)).spec
    assert spec.mode(GateName.MATCH_RATE) is GateMode.REQUIRED
    assert spec.mode(GateName.ELIGIBLE_SHARE) is GateMode.ADVISORY
    assert spec.mode(GateName.APPROVAL) is GateMode.OFF


def test_a_model_can_not_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        _spec().sampling_percent = 5  # type: ignore[misc]


def test_routes_of_the_preset_come_after_those_of_the_spec() -> None:
    spec = _spec(preset="HAL9", comparison={"routes": ["/api/v1/signal/latest"]})
    assert spec.effective_routes == ("/api/v1/signal/latest", *HAL9.routes)
    assert _spec(comparison={"routes": ["/carts/{id}"]}).effective_routes == ("/carts/{id}",)
