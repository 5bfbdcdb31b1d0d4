"""The ConfigMap that keeps a report: JSON for programs and Markdown for people, within bounds."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from shadow_operator.api.base import utc_text
from shadow_operator.api.names import LABEL_REPORT
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core.names import LABEL_MANAGED_BY, MANAGED_BY
from shadow_operator.core.telling.reports import ANNOTATION_WRITTEN
from shadow_operator.report.build import build
from shadow_operator.report.markdown import markdown
from shadow_operator.report.model import Report

JSON_KEY: Final = "report.json"
MARKDOWN_KEY: Final = "report.md"
LARGEST_BYTES: Final = 384 * 1024
"""What both take at most; a ConfigMap can hold 1 MiB."""


def config_map(
    resource: ShadowDeployment, data: Mapping[str, str], name: str, now: float
) -> dict[str, Any]:
    """Make the ConfigMap; `data` is that of the evidence."""
    report = build(resource, data, now)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": resource.namespace,
            "labels": {LABEL_REPORT: resource.name, LABEL_MANAGED_BY: MANAGED_BY},
            "annotations": {ANNOTATION_WRITTEN: utc_text(report.written_time)},
        },
        "data": fitted(report),
    }


def fitted(report: Report) -> dict[str, str]:
    """Give the data: the whole report, or what of it finds room."""
    found: dict[str, str] = {}
    for smaller in _ever_smaller(report):
        found = {JSON_KEY: smaller.to_json(indent=None), MARKDOWN_KEY: markdown(smaller)}
        if sum(len(text.encode()) for text in found.values()) <= LARGEST_BYTES:
            break
    return found


def _ever_smaller(report: Report) -> Iterator[Report]:
    """Leave out what matters least: the course, the configuration, then the rarest differences."""
    yield report
    course = report.course[::4]
    yield report.model_copy(update={"course": course})
    empty = report.configuration.model_copy(update={"spec": {}})
    yield report.model_copy(update={"course": course, "configuration": empty})
    yield report.model_copy(
        update={"course": (), "configuration": empty, "differences": report.differences[:5]}
    )
