"""Carries out a plan, in the order that keeps production safe: less copies first, more last."""

import asyncio
import datetime
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import httpx
import structlog

from shadow_operator.adapters import envoy
from shadow_operator.adapters.kubernetes import ApiError, KubernetesApi
from shadow_operator.api.names import API_VERSION, FIELD_MANAGER, FINALIZER, KIND
from shadow_operator.controller.filing import keep_report
from shadow_operator.core.actions import Annotation, Event, Plan
from shadow_operator.core.deploying.children import lets_copies_in
from shadow_operator.core.snapshot import (
    Found,
    Manifest,
    Missing,
    ObjectRef,
    Snapshot,
    Unknown,
    found,
)
from shadow_operator.core.telling.refused import Refusals, Refused, announced, explained, marked
from shadow_operator.core.telling.status import unconfirmed

_log = structlog.get_logger(__name__)

_NOTE_LENGTH: Final = 1024
"""events.k8s.io/v1 refuses a longer note."""


Annotate: TypeAlias = Callable[[Manifest, tuple[Annotation, ...]], None]
"""Takes the annotations of a resource, and does not wait until they are made."""


async def execute(
    api: KubernetesApi,
    pods: httpx.AsyncClient,
    snapshot: Snapshot,
    plan: Plan,
    now: float,
    *,
    annotate: Annotate | None = None,
) -> None:
    """Do what the plan says; raise the first `ApiError` after status has said it.

    `now` is the moment of the plan; without `annotate` nobody wants annotations. Work that failed
    is found undone by the next reconcile, so nothing here retries.
    """
    if plan.finalizer:
        await _set_finalizer(api, snapshot.body, present=True)
    more = {pod: value for pod, value in plan.percent.items() if _is_more(snapshot, pod, value)}
    less = {pod: value for pod, value in plan.percent.items() if pod not in more}
    told = await _tell_mirrors(pods, snapshot, less)
    evidence = await _keep_evidence(api, snapshot, plan)
    children = await _change_children(api, snapshot, plan, kept=evidence is None)
    held = evidence is not None or _unprotected(children)
    told &= not more if held else await _tell_mirrors(pods, snapshot, more)
    refusals = Refusals(children, evidence, held=held)
    plan = await keep_report(api, snapshot, plan, now)
    await _tell_people(api, snapshot, plan, refusals, told=told, now=now)
    if annotate:
        annotate(snapshot.body, marked(plan.annotations, refusals))
    if refusals.all:
        raise ApiError(refusals.all[0].message, refusals.all[0].code)
    if plan.finalizer is False:
        await _set_finalizer(api, snapshot.body, present=False)


def _is_more(snapshot: Snapshot, pod: str, percent: int) -> bool:
    """Whether this Envoy would copy more than it does; one that is silent is only told to stop."""
    reading = found(snapshot.mirrors.get(pod, Missing()))
    return percent > ((reading.percent or 0) if reading else 0)


async def _keep_evidence(api: KubernetesApi, snapshot: Snapshot, plan: Plan) -> Refused | None:
    """Write it under the version that was read: status must not tell of what is not kept.

    Raise `ApiError` where somebody else wrote it meanwhile: then nothing of the plan is so.
    """
    if plan.evidence is None:
        return None
    write = api.replace if "resourceVersion" in plan.evidence["metadata"] else api.create
    try:
        await write(plan.evidence, _namespace(snapshot))
    except ApiError as error:
        if error.conflict:
            raise
        return Refused(ObjectRef.of(plan.evidence), error.status, str(error))
    return None


async def _change_children(
    api: KubernetesApi, snapshot: Snapshot, plan: Plan, *, kept: bool
) -> tuple[Refused, ...]:
    """Apply and delete; what is refused holds up only what must not be without it."""
    namespace, failures = _namespace(snapshot), list[Refused]()
    for manifest in plan.apply:
        unprotected = _unprotected(failures)
        if unprotected and manifest["kind"] in _RUNNING:
            continue
        if (unprotected or not kept) and lets_copies_in(manifest):
            continue
        try:
            await api.apply(manifest, namespace)
        except ApiError as error:
            failures.append(Refused(ObjectRef.of(manifest), error.status, str(error)))
    for deletion in plan.delete:
        try:
            await api.delete(deletion.ref, namespace, deletion.uid)
        except ApiError as error:
            failures.append(Refused(deletion.ref, error.status, str(error)))
    return tuple(failures)


_RUNNING: Final = ("Deployment", "Pod")
"""Kinds that run something; their policies come before them."""


def _unprotected(failures: Iterable[Refused]) -> bool:
    return any(failure.ref.kind == "NetworkPolicy" for failure in failures)


async def _tell_people(
    api: KubernetesApi,
    snapshot: Snapshot,
    plan: Plan,
    refusals: Refusals,
    *,
    told: bool,
    now: float,
) -> None:
    body, status, events = snapshot.body, plan.status, plan.events
    before = body.get("status") or {}
    if refusals.all:
        status = explained(body, plan.status, refusals, now)
        events = announced(body, plan.events, refusals)
    if not told:
        after = unconfirmed(status or before)
        status = after if after != before else None
    if status is not None:
        await _write_status(api, snapshot, status)
    for event in events:
        await post_event(api, body, event)


async def _tell_mirrors(
    client: httpx.AsyncClient, snapshot: Snapshot, percent: Mapping[str, int]
) -> bool:
    """Tell each Envoy its percentage; return whether all that could be read before took it."""
    addresses = {pod.name: pod.ip for pod in found(snapshot.pods) or ()}
    told = await asyncio.gather(
        *(envoy.set_percent(client, addresses[pod], value) for pod, value in percent.items())
    )
    for pod, answer in zip(percent, told, strict=True):
        if isinstance(answer, Unknown):  # read again and told again at the next look
            _log.warning("mirror not told", pod=pod, percent=percent[pod], why=answer.reason)
    return not any(
        isinstance(answer, Unknown) and isinstance(snapshot.mirrors.get(pod), Found)
        for pod, answer in zip(percent, told, strict=True)
    )


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


async def post_event(api: KubernetesApi, resource: Manifest, event: Event) -> None:
    """Post an event about a ShadowDeployment; one that is lost decides nothing."""
    metadata = resource["metadata"]
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
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
    except ApiError as error:
        _log.warning("event not posted", reason=event.reason, why=str(error))


def _namespace(snapshot: Snapshot) -> str:
    namespace: str = snapshot.body["metadata"]["namespace"]
    return namespace
