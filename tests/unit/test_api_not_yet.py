"""What this version can't do is refused; what it can do passes."""

from typing import Any

import pytest

from shadow_operator.api.not_yet import NOT_YET, refusals
from shadow_operator.api.spec import Spec
from tests.support.clones import merged

SMALLEST: dict[str, Any] = {
    "productionRef": {"deploymentName": "shop", "serviceName": "shop"},
    "shadow": {"image": "shop:new"},
}

RULE = {"path": "$.a", "reason": "x"}

REFUSED: dict[str, dict[str, Any]] = {
    "spec.reference.mode": {"reference": {"mode": "Production"}},
    "spec.mirror.provider": {"mirror": {"provider": "Istio", "virtualServiceRef": {"name": "a"}}},
}

SUPPORTED: dict[str, dict[str, Any]] = {
    "everything by default": {},
    "defaults written out": {
        "learning": "Disabled",
        "approval": "Required",
        "gates": {"memoryGrowth": {"mode": "Required", "maxPercentPerDay": 5}},
        "guard": {"forSeconds": 60},
    },
    "a shorter baseline": {"guard": {"baselineSeconds": 5}},
    "no reference": {"reference": {"mode": "None", "controlPercent": 0}},
    "an external mirror": {"mirror": {"provider": "External"}},
    "rules that excuse": {
        "comparison": {"ignore": [RULE], "unordered": [RULE], "critical": [RULE], "routes": ["/a"]}
    },
    "learning": {"preset": "HAL9", "learning": "ShadowOnly"},
    "variations": {"comparison": {"expectedVariations": [RULE], "learningMarker": "header:x"}},
    "tolerances": {"comparison": {"tolerances": [{**RULE, "relative": "1e-6"}]}},
    "gates that are judged": {
        "gates": {
            "matchRate": {"minPercent": "99"},
            "criticalDifferences": {"mode": "Advisory"},
            "shadowErrors": {"maxExcessPercent": "1"},
            "timeouts": {"mode": "Off"},
            "coverage": {"minPercent": 50},
            "eligibleShare": {"mode": "Required"},
            "unproven": {"maxPercent": 90},
            "layers": {"mode": "Off"},
            "judgedShare": {"minPercent": 1},
            "minimumPairs": {"total": 10},
            "headroom": {"minCpuPercent": 1},
            "resources": {"maxPercentOfLimit": 80},
            "memoryGrowth": {"mode": "Advisory"},
            "latencyP50": {"mode": "Off"},
            "latencyP99": {"maxIncreasePercent": 50},
            "throughput": {"mode": "Required"},
        }
    },
}


def _spec(fields: dict[str, Any]) -> Spec:
    return Spec.model_validate({**SMALLEST, **fields})


@pytest.mark.parametrize("path", [entry.path for entry in NOT_YET])
def test_a_field_whose_behaviour_comes_later_is_refused(path: str) -> None:
    (sentence,) = refusals(_spec(REFUSED[path]))
    assert sentence.startswith(f"{path}: ")
    assert sentence.endswith(".")


def test_each_refusal_is_tried() -> None:
    assert set(REFUSED) == {entry.path for entry in NOT_YET}


@pytest.mark.parametrize("fields", SUPPORTED.values(), ids=SUPPORTED)
def test_a_field_that_works_is_not_refused(fields: dict[str, Any]) -> None:
    assert refusals(_spec(fields)) == ()


def test_several_fields_get_a_sentence_each() -> None:
    assert (
        len(refusals(_spec({**REFUSED["spec.reference.mode"], **REFUSED["spec.mirror.provider"]})))
        == 2
    )


def test_everything_at_once_fits_into_the_checks_of_status() -> None:
    fields: dict[str, Any] = {}
    for more in REFUSED.values():
        fields = merged(fields, more)
    fields["mirror"] = REFUSED["spec.mirror.provider"]["mirror"]
    sentences = refusals(_spec(fields))
    assert max(map(len, sentences)) <= 288
    assert all(path in " ".join(sentences) for path in REFUSED)
