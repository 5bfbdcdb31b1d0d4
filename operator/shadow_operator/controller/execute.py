"""Carries out a plan, in the order that keeps production safe: mirror, workloads, status."""

import asyncio
import datetime
import uuid
from collections.abc import Mapping
from typing import Any, Final

import httpx
import structlog

from shadow_operator.adapters import envoy
from shadow_operator.adapters.kubernetes import ApiError, KubernetesApi
from shadow_operator.api.names import API_VERSION, FIELD_MANAGER, FINALIZER, KIND
from shadow_operator.api.reasons import EventReason
from shadow_operator.core.actions import Event, Plan
from shadow_operator.core.snapshot import Manifest, ObjectRef, Snapshot, Unknown, found

_log = structlog.get_logger(__name__)

_MESSAGE_LENGTH: Final = 400
"""Of bytes that `status.message` keeps, with room for wide characters."""

_NOTE_LENGTH: Final = 1024
"""events.k8s.io/v1 refuses a longer note."""


async def execute(
    api: KubernetesApi, pods: httpx.AsyncClient, snapshot: Snapshot, plan: Plan
) -> None:
    """Do what the plan says; raise the first `ApiError` after status has said it.

    Work that failed is found undone by the next reconcile, so nothing here retries.
    """
    if plan.finalizer:
        await _set_finalizer(api, snapshot.body, present=True)
    await _tell_mirrors(pods, snapshot, plan.percent)
    failure = await _change_children(api, snapshot, plan)
    if plan.evidence is not None:
        await _write_evidence(api, snapshot, plan.evidence)
    status = _explained(snapshot, plan, failure) if failure else plan.status
    if status is not None:
        await _write_status(api, snapshot, status)
    await _post_events(api, snapshot, plan.events if failure is None else _kept(plan.events))
    if failure is not None:
        raise failure
    if plan.finalizer is False:
        await _set_finalizer(api, snapshot.body, present=False)


def _explained(snapshot: Snapshot, plan: Plan, failure: ApiError) -> Mapping[str, Any] | None:
    """Give the status that tells people what was refused; a conflict is no news to them."""
    before = snapshot.body.get("status") or {}
    if failure.conflict:
        return plan.status
    message = f"The API server refused a change: {failure}"[:_MESSAGE_LENGTH]
    after = {**(plan.status or before), "message": message}
    return after if after != before else None


def _kept(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """Leave out what was announced and did not come to be."""
    return tuple(event for event in events if event.reason is not EventReason.DRIFT_REPAIRED)


async def _tell_mirrors(
    client: httpx.AsyncClient, snapshot: Snapshot, percent: Mapping[str, int]
) -> None:
    addresses = {pod.name: pod.ip for pod in found(snapshot.pods) or ()}
    told = await asyncio.gather(
        *(envoy.set_percent(client, addresses[pod], value) for pod, value in percent.items())
    )
    for pod, answer in zip(percent, told, strict=True):
        if isinstance(answer, Unknown):  # read again and told again at the next look
            _log.warning("mirror not told", pod=pod, percent=percent[pod], why=answer.reason)


async def _change_children(api: KubernetesApi, snapshot: Snapshot, plan: Plan) -> ApiError | None:
    """Apply up to the first refusal, since policies come before what they protect from; delete."""
    namespace, failure = _namespace(snapshot), None
    try:
        for manifest in plan.apply:
            await api.apply(manifest, namespace)
    except ApiError as error:
        failure = error
    for deletion in plan.delete:
        try:
            await api.delete(deletion.ref, namespace, deletion.uid)
        except ApiError as error:
            failure = failure or error
    return failure


async def _write_evidence(api: KubernetesApi, snapshot: Snapshot, manifest: Manifest) -> None:
    """Write it under the version that was read: status must not tell of what is not kept."""
    write = api.replace if "resourceVersion" in manifest["metadata"] else api.create
    await write(manifest, _namespace(snapshot))


async def _write_status(api: KubernetesApi, snapshot: Snapshot, status: Mapping[str, Any]) -> None:
    body = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": snapshot.body["metadata"]["name"]},
        "status": status,
    }
    await api.apply(body, _namespace(snapshot), status=True)


async def _set_finalizer(api: KubernetesApi, body: Manifest, *, present: bool) -> None:
    metadata = body["metadata"]
    others = [f for f in metadata.get("finalizers", ()) if f != FINALIZER]
    patch = {
        "metadata": {
            "finalizers": [*others, FINALIZER] if present else others,
            "resourceVersion": metadata["resourceVersion"],
        }
    }
    ref = ObjectRef(API_VERSION, KIND, metadata["name"])
    await api.merge(ref, metadata["namespace"], patch)


async def _post_events(api: KubernetesApi, snapshot: Snapshot, events: tuple[Event, ...]) -> None:
    metadata = snapshot.body["metadata"]
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
    for event in events:
        manifest = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}"},
            "eventTime": now.replace("+00:00", "Z"),
            "reportingController": FIELD_MANAGER,
            "reportingInstance": FIELD_MANAGER,
            "action": "Reconcile",
            "reason": event.reason,
            "type": "Warning" if event.warning else "Normal",
            "note": event.message[:_NOTE_LENGTH],
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
        }
        try:
            await api.create(manifest, metadata["namespace"])
        except ApiError as error:  # an event that is lost decides nothing
            _log.warning("event not posted", reason=event.reason, why=str(error))


def _namespace(snapshot: Snapshot) -> str:
    namespace: str = snapshot.body["metadata"]["namespace"]
    return namespace
