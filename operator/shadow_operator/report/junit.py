"""JUnit XML, for pipelines: one test case for each gate.

| result | becomes |
| --- | --- |
| Passed | a case that passes |
| Failed | a failure |
| Error | an error: it could not be measured |
| Inconclusive | an error where it is Required, since a pipeline that goes on would not know |
| NotApplicable | skipped |

A gate that is Advisory never fails a pipeline: what is not Passed is skipped, with its sentence.
"""

from typing import Final
from xml.etree import ElementTree as Tree  # it writes only; nothing is parsed

from shadow_operator.api.base import utc_text
from shadow_operator.api.enums import GateMode, GateResult
from shadow_operator.report import summary, tables
from shadow_operator.report.model import JudgedGate, Report

_KINDS: Final = {
    GateResult.FAILED: "failure",
    GateResult.ERROR: "error",
    GateResult.INCONCLUSIVE: "error",
    GateResult.NOT_APPLICABLE: "skipped",
}
"""Element below the case; a gate that passed has none."""


def junit(report: Report) -> str:
    """Write the report as JUnit XML."""
    subject, kinds = report.subject, [_kind(gate) for gate in report.gates]
    suite = Tree.Element(
        "testsuite",
        {
            "name": f"shadow.{subject.namespace}.{subject.name}",
            "tests": str(len(kinds)),
            "failures": str(kinds.count("failure")),
            "errors": str(kinds.count("error")),
            "skipped": str(kinds.count("skipped")),
            "time": str(report.summary.duration_seconds),
            "timestamp": utc_text(report.written_time).rstrip("Z"),
        },
    )
    properties = Tree.SubElement(suite, "properties")
    word, message = tables.verdict(report)
    for name, value in (("verdict", word), ("message", message), *tables.identity(report)):
        Tree.SubElement(properties, "property", {"name": name, "value": _clean(value)})
    for gate, kind in zip(report.gates, kinds, strict=True):
        _case(suite, gate, kind)
    Tree.SubElement(suite, "system-out").text = _clean("\n".join(summary.lines(report)))
    suites = Tree.Element("testsuites")
    suites.append(suite)
    Tree.indent(suites)
    text = Tree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _kind(gate: JudgedGate) -> str:
    kind = _KINDS.get(gate.result, "")
    return "skipped" if kind and gate.mode is GateMode.ADVISORY else kind


def _case(suite: Tree.Element, gate: JudgedGate, kind: str) -> None:
    case = Tree.SubElement(
        suite, "testcase", {"classname": suite.get("name", ""), "name": gate.name}
    )
    if kind:
        element = Tree.SubElement(case, kind, {"message": _clean(gate.message)})
        if kind != "skipped":
            element.set("type", gate.result)
    numbers = (
        ("result", gate.result),
        ("observed", gate.observed),
        ("must be", gate.threshold),
        ("bound", gate.bound),
        ("samples", gate.samples),
        ("source", gate.source),
    )
    lines = [f"{name}: {value}" for name, value in numbers if value is not None]
    Tree.SubElement(case, "system-out").text = _clean("\n".join([*lines, gate.message]))


def _clean(text: str) -> str:
    """Drop what XML 1.0 can't hold."""
    return "".join(
        char
        for char in text
        if char in "\t\n"
        or 0x20 <= ord(char) < 0xD800
        or ord(char) in range(0xE000, 0xFFFE)
        or ord(char) >= 0x10000
    )
