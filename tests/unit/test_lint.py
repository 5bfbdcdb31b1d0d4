"""`lint`: what the API server would refuse, without one, and advice.

That these answers are the API server's is what tests/integration/test_crd_constraints.py shows for
the same objects.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from shadow_operator.api.advice import ADVICE, advice
from shadow_operator.api.spec import Spec
from shadow_operator.cli import offline
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.main import run
from shadow_operator.cli.manifests import read
from tests.support.clones import merged
from tests.support.crd_cases import Resource, cases, variants, with_companions
from tests.support.schema import ROOT
from tests.support.violations import Variant, edges, violations

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("resource", cases("accepted"))
def test_what_is_accepted_passes(resource: Resource) -> None:
    assert offline.refusals(resource) == ()


@pytest.mark.parametrize("resource", cases("refused"))
def test_what_is_refused_is_refused_in_the_same_words(resource: Resource) -> None:
    said = offline.refusals(resource)
    assert any(resource["metadata"]["annotations"]["refused-because"] in one for one in said), said


@pytest.mark.parametrize(("resource", "variant"), variants(violations))
def test_a_value_beyond_a_bound_does_not_pass(resource: Resource, variant: Variant) -> None:
    assert offline.refusals({**resource, "spec": variant.resource})


@pytest.mark.parametrize(("resource", "variant"), variants(edges))
def test_a_value_at_the_edge_passes(resource: Resource, variant: Variant) -> None:
    assert offline.refusals({**resource, "spec": with_companions(variant)}) == ()


def test_the_resource_is_not_changed() -> None:
    resource = SMALLEST
    before = json.dumps(resource)
    offline.refusals(resource)
    assert json.dumps(resource) == before


SMALLEST: dict[str, Any] = {
    "apiVersion": "hal9.ai/v1alpha1",
    "kind": "ShadowDeployment",
    "metadata": {"name": "shop"},
    "spec": {
        "productionRef": {"deploymentName": "shop", "serviceName": "shop"},
        "shadow": {"image": "shop@sha256:1"},
        "mirror": {"forwardHeaders": ["Authorization"]},
    },
}

ADVISED: dict[str, dict[str, Any]] = {
    "spec.samplingPercent": {"phase": "Shadow", "samplingPercent": 0},
    "spec.shadow.image": {"shadow": {"image": "shop:new"}},
    "spec.selfTest": {"selfTest": "Unchanged"},
    "spec.reference.mode": {"reference": {"mode": "None"}},
    "spec.clones.replicas": {"clones": {"replicas": 1}},
    "spec.clones.isolation": {"clones": {"isolation": "BestEffort"}},
    "spec.clones.egress": {"clones": {"egress": "Allow"}},
    "spec.clones.serviceAccountToken": {"clones": {"serviceAccountToken": True}},
    "spec.mirror.methods": {"mirror": {"methods": ["GET", "POST"]}},
    "spec.mirror.forwardHeaders": {"mirror": {"forwardHeaders": []}},
    "spec.mirror.provider": {"mirror": {"provider": "External"}},
    "spec.comparison.ignore": {"comparison": {"ignore": [{"route": "/a", "reason": "x"}]}},
    "spec.gates": {"gates": {"latencyP99": {"mode": "Off"}, "matchRate": {"mode": "Advisory"}}},
    "spec.soakSeconds": {"soakSeconds": 3600},
    "spec.maxDurationSeconds": {"maxDurationSeconds": 86_400},
    "spec.guard.baselineSeconds": {"guard": {"baselineSeconds": 10}},
}


def test_a_careful_resource_gets_no_advice() -> None:
    assert advice(Spec.model_validate(SMALLEST["spec"])) == ()


def test_every_advice_is_tried() -> None:
    assert list(ADVISED) == [entry.path for entry in ADVICE]


@pytest.mark.parametrize(("path", "change"), ADVISED.items())
def test_what_may_not_be_meant_gets_one_sentence(path: str, change: dict[str, Any]) -> None:
    [said] = advice(Spec.model_validate(merged(SMALLEST["spec"], change)))
    assert said.startswith(f"{path}: ")
    assert said.endswith(".")


def test_gates_that_do_not_block_are_named() -> None:
    [said] = advice(Spec.model_validate(merged(SMALLEST["spec"], ADVISED["spec.gates"])))
    assert "match-rate, latency-p99 can't stop a verdict" in said


# The command


def lint(text: str, folder: Path, output: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Lint a file; give the exit status and all that was printed."""
    file = folder / "shadow.yaml"
    file.write_text(text)
    status = run("kubectl shadow", ["lint", "-f", str(file)])
    printed = output.readouterr()
    return status, printed.out + printed.err


GOOD, BAD = json.dumps(SMALLEST), json.dumps(merged(SMALLEST, {"spec": {"samplingPercent": 101}}))
LATER = json.dumps(merged(SMALLEST, {"spec": {"reference": {"mode": "Production"}}}))

FILES: dict[str, tuple[str, Exit, str]] = {
    "good": (GOOD, Exit.GREEN, "✓ shop would be taken\n"),
    "refused by the API server": (BAD, Exit.NO, "✗ shop: spec.samplingPercent: 101 is greater"),
    "refused by the operator": (LATER, Exit.NO, "✗ shop: spec.reference.mode: "),
    "one of two": (f"{GOOD}\n---\n{BAD}", Exit.NO, "✓ shop would be taken\n✗ shop: "),
    "beside other kinds": (f"kind: Service\n---\n{GOOD}", Exit.GREEN, "✓ shop"),
    "in a list": (f'{{"kind": "List", "items": [{GOOD}]}}', Exit.GREEN, "✓ shop"),
    "none": ("kind: Service", Exit.USAGE, "has no ShadowDeployment"),
    "another version": (GOOD.replace("v1alpha1", "v9"), Exit.NO, "write hal9.ai/v1alpha1"),
    "no YAML": ("{", Exit.USAGE, "is not YAML"),
    "no object": ("- a", Exit.USAGE, "is not an object"),
    "no name": (GOOD.replace('{"name": "shop"}', "{}"), Exit.NO, "✗ (no name): metadata.name"),
}


@pytest.mark.parametrize(("text", "status", "says"), FILES.values(), ids=FILES.keys())
def test_a_file_gets_an_answer(
    text: str, status: Exit, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen, said = lint(text, tmp_path, capsys)
    assert seen == status, said
    assert says in said
    assert "Traceback" not in said


def test_a_file_that_is_not_there_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("kubectl shadow", ["lint", "-f", "/none.yaml"]) == Exit.USAGE
    assert "/none.yaml can't be read: No such file" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("**/shadow*.yaml")), ids=str)
def test_every_example_passes(path: Path) -> None:
    assert run("kubectl shadow", ["lint", "-f", str(path)]) == Exit.GREEN


PLAIN = {
    "2026-01-31T14:05:00Z": "2026-01-31T14:05:00Z",
    "1e-6": 1e-6,
    "1e9": 1e9,
    "0x10": 16,
    "010": 8,
    "1:30": "1:30",
    "on": True,
    "n": False,
    "~": None,
    "1.5Gi": "1.5Gi",
    "99.9": 99.9,
}


@pytest.mark.parametrize(("text", "value"), PLAIN.items())
def test_a_plain_word_is_what_kubectl_takes_it_for(text: str, value: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"a: {text}\n")
    assert read(str(file)) == [{"a": value}]


def test_what_can_not_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="can't be read"):
        read(str(tmp_path))
