"""kopf's part: watch, and wake the worker of the resource that an event speaks of.

kopf keeps no state here, neither annotations nor finalizers: every event ends in the same
reconcile, which reads the cluster again.
"""

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import kopf
import structlog

from shadow_operator.adapters.grafana import Grafana
from shadow_operator.adapters.kubernetes import KubernetesApi, connect
from shadow_operator.adapters.pods import pod_client
from shadow_operator.adapters.prometheus import Prometheus
from shadow_operator.api.names import (
    ANNOTATION_STOP,
    FIELD_MANAGER,
    GROUP,
    LABEL_SHADOW,
    PLURAL,
    VERSION,
)
from shadow_operator.controller.annotator import Annotator
from shadow_operator.controller.execute import Annotate, post_event
from shadow_operator.controller.gather import Sources
from shadow_operator.controller.production import PRODUCTION_FIELDS, ProductionRefs
from shadow_operator.controller.reconcile import Reconciler
from shadow_operator.controller.settings import OperatorSettings
from shadow_operator.controller.workers import Key, Workers

KINDS: Final = (
    ("apps", "v1", "deployments"),
    ("", "v1", "pods"),
    ("", "v1", "services"),
    ("", "v1", "configmaps"),
    ("networking.k8s.io", "v1", "networkpolicies"),
    ("policy", "v1", "poddisruptionbudgets"),
)
"""Watched, so that drift and readiness of children are seen at once. Of the kinds that production
is made of all objects are watched, of the others those with our label."""

_PAGE: Final = 500
"""Objects that are listed at once: in a large cluster the whole list would need much memory."""

Logger: TypeAlias = logging.Logger | logging.LoggerAdapter[Any]

_TOKEN_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class Operator:
    """Everything that lives as long as the process; kopf hands it to handlers as `memo`."""

    def __init__(self, settings: OperatorSettings) -> None:
        self.settings = settings
        self.workers: Workers | None = None
        self.reconciler: Reconciler | None = None
        self.seen: dict[Key, tuple[object, ...]] = {}
        """What each resource asked for at its last event."""
        self.production = ProductionRefs()
        self.stack = contextlib.AsyncExitStack()

    def __copy__(self) -> Self:
        """Stay one: kopf copies the memo for each object that it sees, thousands in all."""
        return self

    async def start(self, logger: Logger) -> None:
        """Connect to the API server."""
        api = await self._connect(logger)
        pods = await self.stack.enter_async_context(pod_client())
        url, token = self.settings.prometheus_url, self.settings.prometheus_token
        prometheus = Prometheus(url, token=token) if url else None
        sources = Sources(api, pods, self.settings.for_decisions(), prometheus)
        self.reconciler = Reconciler(sources, await self._annotations(api))
        self.workers = Workers(self.reconciler)

    async def stop(self) -> None:
        """Stop the workers and close what is open."""
        if self.workers:
            await self.workers.close()
        await self.stack.aclose()

    async def _annotations(self, api: KubernetesApi) -> Annotate | None:
        """Begin to send annotations to the configured Grafana, if there is one."""
        url, token = self.settings.grafana_url, self.settings.grafana_token
        if not url:
            return None
        grafana = await self.stack.enter_async_context(Grafana(url, token))
        annotator = Annotator(grafana, functools.partial(post_event, api))
        task = asyncio.create_task(annotator.run(), name="annotations")
        self.stack.callback(task.cancel)
        return annotator.take

    async def _connect(self, logger: Logger) -> KubernetesApi:
        info = login(logger=logger)
        return await self.stack.enter_async_context(
            connect(
                info.server,
                verify=await asyncio.to_thread(info.as_ssl_context),
                headers=info.as_http_headers(),
                token_file=_TOKEN_FILE if _TOKEN_FILE.exists() else None,
            )
        )


def login(*, logger: Logger, **_: Any) -> kopf.ConnectionInfo:
    """Log in with the service account, else with the kubeconfig.

    kopf's own choice would import the `kubernetes` client where it is installed, for 50 MiB more.
    """
    settings = kopf.OperatorSettings()
    found = kopf.login_with_service_account(
        logger=logger, settings=settings
    ) or kopf.login_with_kubeconfig(logger=logger, settings=settings)
    if found is None:
        raise kopf.LoginError(
            "No way into a cluster: set KUBECONFIG, or run in a pod with a service account."
        )
    return found


def build_registry() -> kopf.OperatorRegistry:
    """Register the handlers; there is no module-level state."""
    registry = kopf.OperatorRegistry()
    kopf.on.startup(registry=registry)(_startup)
    kopf.on.cleanup(registry=registry)(_cleanup)
    kopf.on.login(registry=registry)(login)
    kopf.on.probe(registry=registry, id="reconcile-age-seconds")(_reconcile_age)
    kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)(_resource_changed)
    kopf.on.event("", "v1", "namespaces", registry=registry)(_namespace_changed)
    for group, version, plural in KINDS:
        kopf.on.event(group, version, plural, registry=registry)(_object_changed)
    return registry


async def _startup(
    memo: Operator,
    settings: kopf.OperatorSettings,
    logger: Logger,
    **_: Any,
) -> None:
    settings.posting.enabled = False  # events are ours, on transitions only
    settings.posting.reporting_component = FIELD_MANAGER
    settings.persistence.finalizer = f"{GROUP}/kopf"  # never used: on.event needs none
    settings.networking.request_timeout = 30
    settings.watching.chunk_size = _PAGE
    for group, version, plural in KINDS:
        if plural not in PRODUCTION_FIELDS:
            settings.watching.label_selectors[group, version, plural] = LABEL_SHADOW
    await memo.start(logger)


async def _cleanup(memo: Operator, **_: Any) -> None:
    await memo.stop()


async def _reconcile_age(memo: Operator, **_: Any) -> float:
    """Seconds since the last finished reconcile; liveness alone shows only that a task lives."""
    finished = memo.reconciler.last_finished if memo.reconciler else None
    return round(time.monotonic() - finished, 1) if finished else 0.0


async def _resource_changed(
    memo: Operator,
    namespace: str | None,
    name: str,
    event: Mapping[str, Any],
    **_: Any,
) -> None:
    workers, key = _workers(memo), (namespace or "", name)
    if event["type"] == "DELETED":
        memo.seen.pop(key, None)
        memo.production.forget(key)
        workers.wake(key)  # it sees for itself that the resource is gone
    elif memo.seen.get(key) != (wish := asked_for(event["object"])):
        memo.seen[key] = wish
        memo.production.refer(key, event["object"])
        workers.ensure(key)


def asked_for(body: Mapping[str, Any]) -> tuple[object, ...]:
    """Give what people change in a resource; our own status writes change none of it."""
    metadata = body["metadata"]
    return (
        metadata.get("uid"),
        metadata.get("generation"),
        metadata.get("deletionTimestamp"),
        tuple(metadata.get("finalizers") or ()),
        (metadata.get("annotations") or {}).get(ANNOTATION_STOP),
    )


async def _object_changed(
    memo: Operator,
    namespace: str | None,
    labels: Mapping[str, str],
    resource: kopf.Resource,
    event: Mapping[str, Any],
    **_: Any,
) -> None:
    """Wake whose child this is, and who shadows it: a dead address of production can't wait."""
    if owner := labels.get(LABEL_SHADOW):
        _workers(memo).wake((namespace or "", owner))
    for key in memo.production.woken(resource.plural, event):
        _workers(memo).wake(key)


async def _namespace_changed(memo: Operator, name: str, **_: Any) -> None:
    """Look at all resources of the namespace: its stop annotation stops them at once."""
    _workers(memo).wake_namespace(name)


def _workers(memo: Operator) -> Workers:
    if memo.workers is None:
        raise RuntimeError("an event came before startup was done")
    return memo.workers


def run(settings: OperatorSettings) -> None:
    """Run until a signal comes."""
    structlog.get_logger(__name__).info(
        "starting", interval_seconds=settings.interval_seconds, namespaces=settings.watch_namespaces
    )
    kopf.run(
        registry=build_registry(),
        memo=Operator(settings),
        # kopf's own identity asks passwd for our user, which has no entry there; the type is a
        # NewType of str that kopf does not export.
        identity=FIELD_MANAGER,  # type: ignore[arg-type]
        standalone=True,
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
        liveness_endpoint=settings.liveness_address or None,
    )
