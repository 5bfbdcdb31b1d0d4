"""Which reports are kept, and when: what remains when the resource is gone.

Each epoch has one ConfigMap, without an owner. It is written when a verdict is reached, and once
more when the run is over.
"""

from collections.abc import Iterable
from typing import Final

from shadow_operator.api.enums import AfterVerdict, Decision
from shadow_operator.api.names import GROUP, LABEL_REPORT
from shadow_operator.api.status import ReportRef, Status
from shadow_operator.core.actions import Deletion
from shadow_operator.core.snapshot import Manifest, ObjectRef
from shadow_operator.core.telling.view import View

KEPT: Final = 5
"""Reports of one resource that are kept."""
ANNOTATION_WRITTEN: Final = f"{GROUP}/written"
"""On a kept report: when it was written, RFC 3339 in UTC."""


def reference(name: str, epoch: str) -> ObjectRef:
    """Give the ConfigMap that keeps the report of an epoch of the resource."""
    key, _, number = epoch.partition("-")
    return ObjectRef("v1", "ConfigMap", f"{name}-report-{key[:8]}-{number or 1}")


def kept(view: View) -> ReportRef | None:
    """Say what is kept once this look is done; what was kept before stays until there is better."""
    judged, before = view.judgement, view.before.report_ref
    verdict = judged.verdict if judged else None
    if judged is None or verdict is None:
        return before
    situation = view.situation
    ends = judged.final and situation.spec.after_verdict is not AfterVerdict.KEEP
    over = ends or not situation.wants_clones
    if verdict.decision is Decision.EXTEND_SHADOW and not (judged.final or over):
        return before
    name = reference(situation.name, verdict.epoch).name
    return ReportRef(name=name, decision=verdict.decision, final=over)


def due(before: Status, after: Status) -> ObjectRef | None:
    """Give the report that has to be written, by what was kept before and shall be after."""
    wanted = after.report_ref
    if wanted is None or wanted == before.report_ref:
        return None
    return ObjectRef("v1", "ConfigMap", wanted.name)


def is_ours(resource_name: str, manifest: Manifest) -> bool:
    """Whether this ConfigMap keeps a report of the resource; a stranger's is never touched."""
    return (manifest["metadata"].get("labels") or {}).get(LABEL_REPORT) == resource_name


def surplus(found: Iterable[Manifest]) -> tuple[Deletion, ...]:
    """Give the reports of one resource that are too many: the oldest."""

    def written(manifest: Manifest) -> str:
        metadata = manifest["metadata"]
        annotations = metadata.get("annotations") or {}
        return str(annotations.get(ANNOTATION_WRITTEN) or metadata.get("creationTimestamp") or "")

    newest_first = sorted(found, key=written, reverse=True)
    return tuple(
        Deletion(ObjectRef.of(manifest), manifest["metadata"]["uid"])
        for manifest in newest_first[KEPT:]
    )
