"""Keeps the report of an epoch in a ConfigMap without owner, and the last few of a resource."""

import asyncio
from dataclasses import replace

import structlog

from shadow_operator.adapters.kubernetes import ApiError, KubernetesApi
from shadow_operator.api.names import LABEL_REPORT
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core.actions import Plan
from shadow_operator.core.recording.ledger import UnreadableLedger
from shadow_operator.core.snapshot import Found, Manifest, ObjectRef, Snapshot
from shadow_operator.core.telling import reports
from shadow_operator.core.telling.status import unreported
from shadow_operator.report.kept import config_map

_log = structlog.get_logger(__name__)


async def keep_report(api: KubernetesApi, snapshot: Snapshot, plan: Plan, now: float) -> Plan:
    """Write the report that is due; give the plan with a status that names it only if it is kept.

    A report is no reason to stop anything: what could not be written is due again at the next look.
    """
    if plan.report is None:
        return plan
    try:
        manifest = await asyncio.to_thread(_made, snapshot, plan, plan.report, now)
        await _written(api, manifest, plan.report, snapshot)
    except (ApiError, UnreadableLedger) as error:
        _log.warning("report not kept", name=plan.report.name, why=str(error))
        before = snapshot.body.get("status") or {}
        kept = None if plan.status is None else unreported(plan.status, before)
        return replace(plan, status=kept)
    return plan


def _made(snapshot: Snapshot, plan: Plan, ref: ObjectRef, now: float) -> Manifest:
    """Make the report from what this plan writes, or from what is there already."""
    body = dict(snapshot.body) | ({"status": plan.status} if plan.status is not None else {})
    live = snapshot.ledger.value if isinstance(snapshot.ledger, Found) else {}
    data = (plan.evidence or live).get("data") or {}
    return config_map(ShadowDeployment.parse(body), data, ref.name, now)


async def _written(
    api: KubernetesApi, manifest: Manifest, ref: ObjectRef, snapshot: Snapshot
) -> None:
    """Write it, and remove the oldest."""
    name, namespace = snapshot.body["metadata"]["name"], snapshot.body["metadata"]["namespace"]
    live = await api.get(ref, namespace)
    if isinstance(live, Found) and reports.is_ours(name, live.value):
        version = {"resourceVersion": live.value["metadata"]["resourceVersion"]}
        manifest = {**manifest, "metadata": {**manifest["metadata"], **version}}
        await api.replace(manifest, namespace)
    else:
        await api.create(manifest, namespace)
    listed = await api.list("v1", "ConfigMap", namespace, f"{LABEL_REPORT}={name}")
    for deletion in reports.surplus(listed.value if isinstance(listed, Found) else ()):
        await api.delete(deletion.ref, namespace, deletion.uid)
