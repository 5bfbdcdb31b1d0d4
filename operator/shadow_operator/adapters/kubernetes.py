"""The API server, as few verbs as the operator needs, on plain dicts.

The `kubernetes` client costs more memory than the whole rest of the operator (about 50 MiB), and
its dynamic client is synchronous; kopf already reads kubeconfigs and service accounts, so what is
left is this page of httpx.

Errors: reads answer `Unknown` instead of raising; writes raise `ApiError`.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from shadow_operator.api.names import API_VERSION, FIELD_MANAGER, KIND, PLURAL
from shadow_operator.core.snapshot import Found, Item, Manifest, Missing, ObjectRef, Unknown

PLURALS: Final[Mapping[tuple[str, str], str]] = {
    (API_VERSION, KIND): PLURAL,
    ("v1", "Namespace"): "namespaces",
    ("v1", "Pod"): "pods",
    ("v1", "Service"): "services",
    ("v1", "ConfigMap"): "configmaps",
    ("events.k8s.io/v1", "Event"): "events",
    ("apps/v1", "Deployment"): "deployments",
    ("apps/v1", "ReplicaSet"): "replicasets",
    ("networking.k8s.io/v1", "NetworkPolicy"): "networkpolicies",
    ("policy/v1", "PodDisruptionBudget"): "poddisruptionbudgets",
    ("monitoring.coreos.com/v1", "PodMonitor"): "podmonitors",
    ("monitoring.coreos.com/v1", "ServiceMonitor"): "servicemonitors",
    ("metrics.k8s.io/v1beta1", "PodMetrics"): "pods",
    ("metrics.k8s.io/v1beta1", "NodeMetrics"): "nodes",
    ("v1", "Node"): "nodes",
    ("v1", "ResourceQuota"): "resourcequotas",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "horizontalpodautoscalers",
}
"""Every kind that the operator touches; its RBAC lists the same."""

_PAGE: Final = 500
_SENTENCE_LENGTH: Final = 300


class ApiError(Exception):
    """A write that the API server refused, or that did not reach it."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status
        """HTTP status; 0 where no answer came."""

    @property
    def conflict(self) -> bool:
        """Whether somebody else changed the object meanwhile: read again and retry."""
        return self.status == httpx.codes.CONFLICT


class KubernetesApi:
    """Reads and writes of one cluster.

    Build it with `connect`; one instance serves all reconciles.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def get(self, ref: ObjectRef, namespace: str | None) -> Item[Manifest]:
        """Read one object."""
        return await self._read(_path(ref.api_version, ref.kind, namespace, ref.name))

    async def list(
        self, api_version: str, kind: str, namespace: str | None, selector: str = ""
    ) -> Item[tuple[Manifest, ...]]:
        """Read all objects of a kind; the kind itself may be `Missing` (a CRD not installed)."""
        items: list[Manifest] = []
        query = {"limit": str(_PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            page = await self._read(_path(api_version, kind, namespace), query)
            if not isinstance(page, Found):
                return page
            items += [
                {"apiVersion": api_version, "kind": kind, **item} for item in page.value["items"]
            ]
            query["continue"] = page.value["metadata"].get("continue", "")
            if not query["continue"]:
                return Found(tuple(items))

    async def apply(self, manifest: Manifest, namespace: str, *, status: bool = False) -> Manifest:
        """Server-side apply, taking over conflicting fields: these fields are ours."""
        ref = ObjectRef.of(manifest)
        path = _path(ref.api_version, ref.kind, namespace, ref.name)
        return await self._write(
            "PATCH",
            path + "/status" if status else path,
            manifest,
            params={"fieldManager": FIELD_MANAGER, "force": "true"},
            content_type="application/apply-patch+yaml",
        )

    async def create(self, manifest: Manifest, namespace: str) -> Manifest:
        """Create an object; a name that is taken raises `ApiError` with status 409."""
        path = _path(manifest["apiVersion"], manifest["kind"], namespace)
        return await self._write("POST", path, manifest, params={"fieldManager": FIELD_MANAGER})

    async def replace(self, manifest: Manifest, namespace: str) -> Manifest:
        """Replace an object under the `resourceVersion` that it carries."""
        ref = ObjectRef.of(manifest)
        path = _path(ref.api_version, ref.kind, namespace, ref.name)
        return await self._write("PUT", path, manifest, params={"fieldManager": FIELD_MANAGER})

    async def merge(self, ref: ObjectRef, namespace: str, patch: Manifest) -> Manifest:
        """Merge-patch an object."""
        return await self._write(
            "PATCH",
            _path(ref.api_version, ref.kind, namespace, ref.name),
            patch,
            params={"fieldManager": FIELD_MANAGER},
            content_type="application/merge-patch+json",
        )

    async def delete(self, ref: ObjectRef, namespace: str, uid: str) -> None:
        """Delete exactly the object that was read; one that is gone already is fine."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        path = _path(ref.api_version, ref.kind, namespace, ref.name)
        try:
            await self._write("DELETE", path, options)
        except ApiError as error:
            if error.status not in (httpx.codes.NOT_FOUND, httpx.codes.CONFLICT):
                raise

    async def _read(self, path: str, params: Mapping[str, str] | None = None) -> Item[Manifest]:
        try:
            answer = await self._client.get(path, params=params)
        except httpx.HTTPError as error:
            return Unknown(_unreachable(error))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return Missing()
        if answer.is_error:
            return Unknown(_refusal(answer))
        try:
            return Found(orjson.loads(answer.content))
        except orjson.JSONDecodeError:
            return Unknown("what answered is no API server")

    async def _write(
        self,
        method: str,
        path: str,
        body: Manifest,
        *,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        try:
            answer = await self._client.request(
                method,
                path,
                params=params,
                content=orjson.dumps(body),
                headers={"Content-Type": content_type},
            )
        except httpx.HTTPError as error:
            raise ApiError(_unreachable(error)) from error
        if answer.is_error:
            raise ApiError(_refusal(answer), answer.status_code)
        written: Manifest = orjson.loads(answer.content)
        return written


class ServiceAccountAuth(httpx.Auth):
    """The bearer token of a pod, read again each minute: the kubelet rotates it."""

    def __init__(self, token_file: Path) -> None:
        self._file = token_file
        self._token = ""
        self._read_at = float("-inf")

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Add the token."""
        if time.monotonic() - self._read_at > 60:
            self._token = (await asyncio.to_thread(self._file.read_text)).strip()
            self._read_at = time.monotonic()
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


@asynccontextmanager
async def connect(
    server: str,
    *,
    verify: ssl.SSLContext,
    headers: Mapping[str, str],
    token_file: Path | None = None,
) -> AsyncIterator[KubernetesApi]:
    """Open a client for the API server at this address.

    `token_file` wins over an Authorization header: a token that was read once expires.
    """
    auth = ServiceAccountAuth(token_file) if token_file else None
    async with httpx.AsyncClient(
        base_url=server,
        verify=verify,
        headers=dict(headers),
        auth=auth,
        timeout=httpx.Timeout(10.0, connect=5.0),
        limits=httpx.Limits(max_connections=16),
        trust_env=False,
    ) as client:
        yield KubernetesApi(client)


def _path(api_version: str, kind: str, namespace: str | None, name: str = "") -> str:
    root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
    scope = f"/namespaces/{namespace}" if namespace else ""
    plural = PLURALS[api_version, kind]
    return f"{root}{scope}/{plural}" + (f"/{name}" if name else "")


def _unreachable(error: httpx.HTTPError) -> str:
    return f"the API server did not answer ({type(error).__name__})"


def _refusal(answer: httpx.Response) -> str:
    try:
        message: Any = orjson.loads(answer.content).get("message", "")
    except (orjson.JSONDecodeError, AttributeError):
        message = ""
    return str(message)[:_SENTENCE_LENGTH] or f"the API server answered {answer.status_code}"
