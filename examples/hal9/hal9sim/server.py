"""HAL9's endpoints, metrics and health."""

import asyncio
import json
import logging
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import uuid4

from aiohttp import WSMsgType, web

from . import faults, records, variations
from .metrics import Metrics
from .network import LAYERS, BadSignalError, Json, Memory, Network, Signal, fraction
from .planting import Answer
from .settings import Settings

LOG = logging.getLogger("hal9")

Endpoint = Callable[[web.Request, bytes], Answer]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):  # noqa: N818 - an answer, not a failure of the program
    """A request that gets an error answer, with the sentence for the client."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Hal9:
    """One instance of HAL9 and the state of its process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.network = Network(settings.neurons_per_layer)
        self.memory = Memory(settings.seed_signals, settings.memory_signals)
        self.notes = records.Notes()
        self.metrics = Metrics(settings, neurons=len(self.network.neurons))
        self.draining = False
        self.idle = asyncio.Event()
        """Set while no request is being answered."""
        self.idle.set()
        self._active = 0
        self._started = time.monotonic()
        self._requests = 0
        self._failed = 0
        self._errors: deque[Json] = deque(maxlen=50)
        self._stale: dict[str, Json] = {}
        """Path -> what it first answered, where the fault `stale` is planted."""

    def app(self) -> web.Application:
        """Build the application of port `api`."""
        app = web.Application(middlewares=[self._observe])
        app.on_response_prepare.append(self._close_when_draining)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/api/v1/stream", self._stream)
        app.router.add_get("/api/v1/ws", self._websocket)
        app.router.add_get("/api/v1/slow", self._slow)
        app.router.add_post("/api/v1/signal", self._json(self._post_signal))
        app.router.add_post("/api/v1/records/{name}", self._json(self._post_record))
        for path, endpoint in self._endpoints().items():
            app.router.add_get(path, self._json(endpoint))
        return app

    def metrics_app(self) -> web.Application:
        """Build the application of port `metrics`."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        return app

    def _endpoints(self) -> dict[str, Endpoint]:
        """All endpoints that are read with GET and answer JSON."""
        endpoints: dict[str, Endpoint] = {
            "/health": self._health,
            "/health/detailed": self._health_detailed,
            "/ready": self._ready,
            "/readyz": self._ready,
            "/livez": self._health,
            "/api/v1/signal/{id}": self._get_signal,
            "/api/v1/records/{name}": self._record,
            "/api/v1/status": self._status,
            "/api/v1/neurons": self._neurons,
            "/api/v1/neurons/{id}": self._neuron,
            "/api/v1/neurons/{id}/health": self._neuron_health,
            "/api/v1/network/status": self._network_status,
            "/api/v1/metrics": self._numbers,
            "/api/v1/errors/recent": self._recent_errors,
        }
        if self.settings.system == "hierarchical":
            endpoints["/hierarchical/health"] = self._hierarchical_health
            endpoints["/hierarchical/{layer}/status"] = self._layer_status
        return endpoints

    # Signals

    def _post_signal(self, _request: web.Request, body: bytes) -> Answer:
        try:
            signal = Signal.parse(body)
            self.memory.store(signal)
        except BadSignalError as error:
            raise Refused(400, str(error)) from error
        learned = self.settings.learning and self.network.learns_from(signal)
        self.metrics.signal(learned=learned)
        return self._signal_answer(signal, status=201)

    def _get_signal(self, request: web.Request, _body: bytes) -> Answer:
        signal = self.memory.find(request.match_info["id"])
        if signal is None:
            raise Refused(404, "no such signal")
        return self._signal_answer(signal, status=200)

    def _signal_answer(self, signal: Signal, status: int) -> Answer:
        learning = self.settings.learning
        body = {
            "signal_id": signal.id,
            "content": signal.content,
            "source": signal.source,
            "intensity": signal.intensity,
            "result": self.network.process(signal, learning=learning),
        }
        learned = learning and self.network.learns_from(signal)
        return Answer(body, status, {"X-HAL9-Learning": "adjusted"} if learned else {})

    # Records

    def _post_record(self, request: web.Request, body: bytes) -> Answer:
        try:
            given = json.loads(body)
        except ValueError as error:
            raise Refused(400, "the body is not JSON") from error
        if not isinstance(given, dict) or not isinstance(given.get("note"), str):
            raise Refused(400, 'send an object with a text in "note"')
        name = request.match_info["name"]
        self.notes.store(name, given["note"])
        return Answer({"stored": True, "name": name, "note": given["note"]}, 201)

    def _record(self, request: web.Request, body: bytes) -> Answer:
        """Give a page of a record; the fault `page-shift` counts its entries from one too far."""
        name, page = request.match_info["name"], request.query.get("page", "1")
        if not page.isdigit() or not 1 <= int(page) <= records.PAGES:
            raise Refused(400, f"page is 1 to {records.PAGES}")
        fault = self.settings.fault("page-shift")
        shifted = fault and fault.hits(request.method, request.path_qs, body)
        content = records.record(name, int(page), shift=1 if shifted else 0)
        content["note"] = self.notes.find(name)
        return Answer(content, headers=records.headers(name, int(page)))

    # The network

    def _status(self, _request: web.Request, _body: bytes) -> Answer:
        return Answer(
            {
                "status": "running",
                "version": "0.9.0",
                "neurons": len(self.network.neurons),
                "capabilities": ["signals", "neurons", "network", "errors"],
                "limits": {"max_content": 1_000_000, "memory": self.settings.memory_signals},
                "uptime_seconds": round(time.monotonic() - self._started, 3),
                "requests_served": self._requests,
            },
        )

    def _neurons(self, request: web.Request, _body: bytes) -> Answer:
        layer = request.query.get("layer")
        if layer not in (None, *LAYERS):
            raise Refused(400, f"layer is one of {', '.join(LAYERS)}")
        found = [
            neuron.summary()
            for neuron in self.network.neurons.values()
            if layer in (None, neuron.layer)
        ]
        return Answer({"neurons": found, "total": len(found)})

    def _neuron(self, request: web.Request, _body: bytes) -> Answer:
        neuron = self.network.neurons.get(request.match_info["id"])
        if neuron is None:
            raise Refused(404, "no such neuron")
        return Answer({**neuron.summary(), "connections": list(neuron.connections)})

    def _neuron_health(self, request: web.Request, body: bytes) -> Answer:
        neuron = self._neuron(request, body).body
        checks = {"heartbeat": "ok", "backlog": 0, "connected": len(neuron["connections"])}
        return Answer({"id": neuron["id"], "healthy": True, "checks": checks, "last_beat": _now()})

    def _network_status(self, _request: web.Request, _body: bytes) -> Answer:
        neurons = self.network.neurons.values()
        return Answer(
            {
                "topology": "layered",
                "layers": [
                    {"name": layer, "neurons": sum(neuron.layer == layer for neuron in neurons)}
                    for layer in LAYERS
                ],
                "connections": sum(len(neuron.connections) for neuron in neurons),
                "partitioned": False,
                "snapshot_id": str(uuid4()),
            },
        )

    def _numbers(self, _request: web.Request, _body: bytes) -> Answer:
        uptime = time.monotonic() - self._started
        return Answer(
            {
                "requests_total": self._requests,
                "errors_total": self._failed,
                "requests_per_second": round(self._requests / uptime, 3),
                "uptime_seconds": round(uptime, 3),
                "neurons_active": len(self.network.neurons),
            },
        )

    def _recent_errors(self, _request: web.Request, _body: bytes) -> Answer:
        return Answer({"errors": list(self._errors), "kept": self._errors.maxlen})

    # Health

    def _health(self, _request: web.Request, _body: bytes) -> Answer:
        return Answer({"status": "healthy"})

    def _health_detailed(self, _request: web.Request, _body: bytes) -> Answer:
        parts = {"memory": "healthy", "network": "healthy", "api": "healthy"}
        return Answer({"status": "healthy", "system": self.settings.system, "components": parts})

    def _ready(self, _request: web.Request, _body: bytes) -> Answer:
        if self.draining:
            raise Refused(503, "draining")
        return Answer({"status": "ready"})

    def _hierarchical_health(self, _request: web.Request, _body: bytes) -> Answer:
        states = {layer: self._layer_state(layer) for layer in LAYERS}
        down = "Down" in states.values()
        body = {"state": "Degraded" if down else "Healthy", "layers": states}
        return Answer(body, 503 if down else 200)

    def _layer_status(self, request: web.Request, _body: bytes) -> Answer:
        layer = request.match_info["layer"]
        if layer not in LAYERS:
            raise Refused(404, f"a layer is one of {', '.join(LAYERS)}")
        state = self._layer_state(layer)
        body: Json = {
            "layer": layer,
            "state": state,
            "neurons_active": self.settings.neurons_per_layer if state == "Healthy" else 0,
            "signals_processed": self.metrics.signals if state == "Healthy" else 0,
        }
        if layer == "cognitive" and self.settings.learning:
            body["learning"] = self.metrics.learning()
        return Answer(body, 503 if state == "Down" else 200)

    def _layer_state(self, layer: str) -> str:
        if layer not in self.settings.layers:
            return "Disabled"
        fault = self.settings.fault("layer-down")
        return "Down" if fault and fault.options["layer"] == layer else "Healthy"

    # Requests that last

    async def _slow(self, request: web.Request) -> web.StreamResponse:
        seconds = _bounded(request, "seconds", default=1, most=600)
        await asyncio.sleep(seconds)
        return web.json_response({"held_seconds": seconds, **self._meta()})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Send server-sent events, `?events=10&interval=1`, numbered from 0."""
        events = int(_bounded(request, "events", default=10, most=3600))
        interval = _bounded(request, "interval", default=1, most=60)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(events):
            await response.write(f"id: {number}\ndata: {_now()}\n\n".encode())
            await asyncio.sleep(interval)
        await response.write_eof()
        return response

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        """Echo every message."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        return socket

    # What every request passes

    def _json(self, endpoint: Endpoint) -> Handler:
        """Make a handler of an endpoint: its own time, planted faults, what differs each time."""

        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            try:
                answer = endpoint(request, body)
            except Refused as refused:
                answer = Answer({"error": str(refused)}, refused.status)
            if request.path.startswith("/api/"):
                self._plant(request, body, answer)
            await asyncio.sleep(answer.delay_seconds)
            if answer.broken and request.transport is not None:
                request.transport.abort()
            return self._written(answer)

        return handle

    def _plant(self, request: web.Request, body: bytes, answer: Answer) -> None:
        """Let variations and faults change the answer, and give it the time that it takes."""
        key = request.method, request.path_qs, body
        stale = self.settings.fault("stale")
        if stale and stale.hits(*key):
            answer.body = self._stale.setdefault(request.path_qs, answer.body)
        variations.apply(self.settings.variations, answer, request.method, request.path_qs)
        faults.apply(self.settings.faults, answer, *key)
        answer.delay_seconds += self._own_seconds(*key)

    def _written(self, answer: Answer) -> web.Response:
        content = json.dumps({**answer.body, **self._meta()}).encode()
        for step in answer.write:
            content = step(content)
        headers = {"Content-Type": "application/json; charset=utf-8", **answer.headers}
        return web.Response(body=content, status=answer.status, headers=headers)

    def _own_seconds(self, method: str, path: str, body: bytes) -> float:
        """Return the time that HAL9 takes for this input: 0.5 to 1.5 times the set latency."""
        draw = fraction("latency", method, path, body.decode(errors="replace"))
        return self.settings.latency_ms / 1000 * (0.5 + draw)

    def _meta(self) -> Json:
        """Return what differs between two answers to the same request."""
        return {
            "meta": {
                "trace_id": str(uuid4()),
                "generated_at": _now(),
                "instance": self.settings.instance,
            },
        }

    @web.middleware
    async def _observe(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count a request, and time it if no probe sent it; nothing of its content is kept."""
        self._crash_when_due(request)
        self._active += 1
        self.idle.clear()
        started = time.perf_counter()
        status = 500
        try:
            response = await handler(request)
            status = response.status
        except web.HTTPException as error:
            status = error.status
            raise
        except (ConnectionResetError, asyncio.CancelledError):
            status = 499  # the client left: no error of this service
            raise
        finally:
            self._requests += 1
            self._active -= 1
            if not self._active:
                self.idle.set()
            if request.path.startswith("/api/"):
                self.metrics.request(time.perf_counter() - started, failed=status >= 500)
                if status >= 500:
                    self._log_error(request, status)
        return response

    def _log_error(self, request: web.Request, status: int) -> None:
        self._failed += 1
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "unknown"
        self._errors.append({"time": _now(), "status": status, "route": route})
        LOG.error("status=%d route=%s", status, route)

    def _crash_when_due(self, request: web.Request) -> None:
        fault = self.settings.fault("crash")
        if fault and request.path.startswith("/api/") and self._requests >= fault.number("after"):
            LOG.critical("planted crash after %d requests", self._requests)
            os._exit(70)

    async def _close_when_draining(
        self, _request: web.Request, response: web.StreamResponse
    ) -> None:
        """Ask clients to take their next request elsewhere, once the end has begun."""
        if self.draining and response.status != 101:
            response.headers["Connection"] = "close"
            response.force_close()

    async def _metrics(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(body=self.metrics.text(), headers={"Content-Type": Metrics.TYPE})


def _bounded(request: web.Request, name: str, *, default: float, most: float) -> float:
    try:
        value = float(request.query.get(name, default))
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{name} is a number") from error
    if not 0 <= value <= most:
        raise web.HTTPBadRequest(text=f"{name} is 0 to {most:g}")
    return value


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
