"""An API server in a dict, behind httpx's mock transport."""

import copy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson

from shadow_operator.adapters.kubernetes import PLURALS, KubernetesApi
from shadow_operator.core.snapshot import Manifest
from tests.support.clones import merged

_KINDS = {(version, plural): kind for (version, kind), plural in PLURALS.items()}


class FakeApi:
    """Objects by path; `calls` are the requests as `GET /api/v1/...`."""

    def __init__(self, *objects: Manifest) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.refuse: Callable[[str, str], int] = lambda method, path: 0
        """Gives the status with which a call is refused; 0 lets it through."""
        self.version = 0
        for manifest in objects:
            self.put(manifest)

    def put(self, manifest: Manifest) -> None:
        """Keep an object."""
        self.version += 1
        stored = copy.deepcopy(dict(manifest))
        metadata = stored["metadata"]
        stored["metadata"] = {"uid": f"uid-{self.version}"} | metadata
        stored["metadata"]["resourceVersion"] = str(self.version)
        self.objects[_path(manifest)] = stored

    @asynccontextmanager
    async def client(self) -> AsyncIterator[KubernetesApi]:
        """Open a client to it."""
        transport = httpx.MockTransport(self._answer)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            yield KubernetesApi(client)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        method, path = request.method, request.url.path
        self.calls.append(f"{method} {path}")
        if status := self.refuse(method, path):
            return httpx.Response(status, json={"message": f"{path.split('/')[-1]} is refused"})
        return getattr(self, f"_{method.lower()}")(path, request)  # type: ignore[no-any-return]

    def _get(self, path: str, request: httpx.Request) -> httpx.Response:
        if path in self.objects:
            return httpx.Response(200, json=self.objects[path])
        version, _, plural = path.rpartition("/")
        version = version.removeprefix("/apis/").removeprefix("/api/").partition("/namespaces")[0]
        if (version, plural) not in _KINDS:
            return httpx.Response(404, json={"message": "not found"})
        wanted = dict(
            pair.split("=")
            for pair in request.url.params.get("labelSelector", "").split(",")
            if "=" in pair
        )
        items = [
            item
            for place, item in self.objects.items()
            if place.rpartition("/")[0] == path
            and wanted.items() <= item["metadata"].get("labels", {}).items()
        ]
        return httpx.Response(200, json={"metadata": {}, "items": items})

    def _patch(self, path: str, request: httpx.Request) -> httpx.Response:
        patch = orjson.loads(request.content)
        path = path.removesuffix("/status")
        self.put(merged(self.objects.get(path, {}), patch))
        return httpx.Response(200, json=self.objects[path])

    def _post(self, path: str, request: httpx.Request) -> httpx.Response:
        manifest = orjson.loads(request.content)
        manifest["metadata"].setdefault("namespace", path.split("/")[-2])
        if _path(manifest) in self.objects:
            return httpx.Response(409, json={"message": "it exists"})
        self.put(manifest)
        return httpx.Response(201, json=manifest)

    def _put(self, path: str, request: httpx.Request) -> httpx.Response:
        manifest = orjson.loads(request.content)
        live = self.objects[path]["metadata"]["resourceVersion"]
        if manifest["metadata"]["resourceVersion"] != live:
            return httpx.Response(409, json={"message": "it was changed"})
        self.put(manifest)
        return httpx.Response(200, json=manifest)

    def _delete(self, path: str, request: httpx.Request) -> httpx.Response:
        uid = orjson.loads(request.content)["preconditions"]["uid"]
        if path not in self.objects:
            return httpx.Response(404, json={"message": "not found"})
        if self.objects[path]["metadata"]["uid"] != uid:
            return httpx.Response(409, json={"message": "another uid"})
        return httpx.Response(200, json=self.objects.pop(path))


def _path(manifest: Manifest) -> str:
    version, kind = manifest["apiVersion"], manifest["kind"]
    root = "/api/v1" if version == "v1" else f"/apis/{version}"
    namespace = manifest["metadata"].get("namespace")
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{scope}/{PLURALS[version, kind]}/{manifest['metadata']['name']}"
