"""The report as one object: what it takes from status and evidence, and what it leaves out."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from shadow_operator.api.enums import GateMode, GateName, UsedBy
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core.counting.tally import tally
from shadow_operator.core.recording.ledger import decode
from shadow_operator.report import schema, summary
from shadow_operator.report.build import build, configured
from shadow_operator.report.differences import differences
from shadow_operator.report.model import Report
from tests.support.clones import merged
from tests.support.readings import spec
from tests.support.reported import Run, bad, ended, good
from tests.support.world import START, World

RUNBOOK = """Shadow Mode Deployment Summary
==============================
Start Time:
End Time:
Duration:

Results:
- Response Match Rate:
- Latency Impact:
- Resource Increase:
- Errors Detected:

Decision: [ ] Proceed to Canary
          [ ] Extend Shadow Mode
          [ ] Investigate Issues

Operator Notes:
"""
"""Section 7.2 of the runbook, without the room to write."""


def bare(report: Report) -> str:
    """Give the summary without what was filled in."""
    kept = [line for line in summary.lines(report) if not line.startswith("___")]
    names = [
        line.split(": ")[0] + ":" if ": " in line and "[" not in line else line for line in kept
    ]
    return "\n".join(names).replace("[x]", "[ ]") + "\n"


def test_the_summary_is_the_runbooks_migration_log() -> None:
    assert bare(good()) == RUNBOOK
    text = "\n".join(summary.lines(good()))
    assert "[x] Proceed to Canary" in text
    assert text.count("[x]") == 1
    assert text.endswith("_" * 65)


def test_the_summary_of_what_was_never_begun_says_so() -> None:
    world = World()
    world.reconcile()
    made = build(ShadowDeployment.parse(world.body), {}, START)
    assert bare(made) == RUNBOOK
    assert "[x]" not in "\n".join(summary.lines(made))
    assert dict(summary.fields(made))["Start Time"] == "not known"


def test_numbers_come_from_the_evidence_and_judgements_from_status() -> None:
    report, status = good(), ended().status
    assert [gate.name for gate in report.gates] == [gate["name"] for gate in status["gates"]]
    assert report.summary.match_rate == status["comparison"]["matchRate"]
    assert report.summary.decision == "ProceedToCanary"
    assert report.summary.cpu_percent == "+8.0"
    assert report.summary.memory_percent == "+3.0"
    assert report.subject.shadow_image_id == status["verdict"]["shadowImageID"]
    assert {one.role for one in report.latency} >= {UsedBy.SHADOW, UsedBy.REFERENCE}
    modes = {gate.name: gate.mode for gate in report.gates}
    assert modes[GateName.MATCH_RATE] is GateMode.REQUIRED
    assert modes[GateName.THROUGHPUT] is GateMode.ADVISORY


def test_a_run_that_is_over_ended_with_its_last_copy() -> None:
    summary_of = good().summary
    assert summary_of.ended_time is not None
    assert summary_of.started_time is not None
    lasted = (summary_of.ended_time - summary_of.started_time).total_seconds()
    assert summary_of.duration_seconds == lasted
    assert 3600 <= lasted < 3600 + 600
    assert bad().summary.ended_time is None


def test_the_course_adds_up_to_the_whole() -> None:
    report = bad()
    assert report.comparison is not None
    assert sum(span.pairs for span in report.course) == pytest.approx(
        report.comparison.compared, rel=0.01
    )
    last = report.course[-1]
    assert last.match_rate == pytest.approx(float(report.comparison.match_rate or 0), abs=1e-4)
    assert 0 < (last.lower_bound or 0) < (last.match_rate or 0)
    assert last.usage[UsedBy.SHADOW].cpu_millicores > last.usage[UsedBy.REFERENCE].cpu_millicores


def test_values_of_environment_variables_are_left_out() -> None:
    assert "s3cret-token" in json.dumps(ended().spec)
    assert "s3cret-token" not in good().to_json()
    assert "HAL9_TOKEN" in good().to_json()


def test_what_has_its_default_is_left_out_of_the_configuration() -> None:
    assert configured(spec(soakSeconds=60)) == {
        "phase": "Shadow",
        "productionRef": {"deploymentName": "hal9-server", "serviceName": "hal9-service"},
        "shadow": {"image": "hal9:new"},
        "soakSeconds": 60,
    }


def pasted(world: Run, rule: str) -> dict[str, bool]:
    """Judge again with a rule that was pasted below spec: what counts, by its place."""
    changed = merged(world.spec, yaml.safe_load(rule.replace("<why>", "it is meant")))
    resource = ShadowDeployment.parse({**world.body, "spec": changed})
    ledger = decode(world.data)
    assert ledger is not None
    counted = tally(resource.spec, ledger.counts, interval=ledger.interval)
    return {one.path: not one.excused_by for one in differences(counted, resource.spec.comparison)}


@pytest.mark.parametrize("path", ["$.layerCount", "$.activation", "$.confidence"])
def test_the_rule_of_a_difference_excuses_it_and_no_other(path: str) -> None:
    world = ended(wrong=0.02, hours=0.5, soak_hours=24)
    before = {one.path: one for one in bad().differences}
    assert before[path].excused_by is None
    assert before[path].rule
    counts = pasted(world, before[path].rule or "")
    assert not counts[path]
    others = {"$.layerCount", "$.activation", "$.confidence"} - {path}
    assert all(counts[other] for other in others)


def test_only_what_evidence_speaks_for_is_called_harmless() -> None:
    harmless = {one.path: one.looks_harmless for one in bad().differences}
    assert harmless == {
        "$.layerCount": False,
        "$.activation": False,
        "$.confidence": True,
        "$.answeredAt": False,
    }
    assert next(one for one in bad().differences if one.path == "$.answeredAt").rule is None


# The JSON form


def test_json_reads_back_as_the_same_report() -> None:
    assert Report.model_validate_json(bad().to_json()) == bad()


@pytest.mark.parametrize("made", [good, bad])
def test_json_keeps_to_its_documented_schema(made: object) -> None:
    written = json.loads(schema.FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(written)
    report = made()  # type: ignore[operator]
    jsonschema.validate(json.loads(report.to_json()), written)


def test_every_field_of_the_schema_is_explained() -> None:
    parts = json.loads(schema.schema())
    for name, part in {"Report": parts, **parts["$defs"]}.items():
        for field, described in part.get("properties", {}).items():
            # A part whose own description says all is not explained twice.
            assert described.get("description") or "$ref" in described, f"{name}.{field}"


def test_the_schema_is_what_the_model_says() -> None:
    assert Path(schema.FILE).read_text(encoding="utf-8") == schema.schema(), "run `make generate`"
