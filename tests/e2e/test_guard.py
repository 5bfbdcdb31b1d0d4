"""The production guard: copies that slow production end, and a person is asked."""

import time
from typing import Any

from tests.support import hal9
from tests.support.kubectl import Namespace
from tests.support.operator import ShadowCluster

SERVER = """
import asyncio, os, time
from aiohttp import ClientSession, web

calls, busy_until = os.environ.get("CALLS"), 0.0

async def answer(request):
    global busy_until
    if request.path == "/busy":
        busy_until = time.monotonic() + 1
    elif calls and request.path != "/health":
        asyncio.create_task(call())
    elif time.monotonic() < busy_until:
        await asyncio.sleep(0.2)
    await asyncio.sleep(0.02)
    return web.json_response({"ok": True})

async def call():
    async with ClientSession() as client, client.get(calls):
        pass

app = web.Application()
app.router.add_route("*", "/{path:.*}", answer)
web.run_app(app, port=8080)
"""
"""Where `CALLS` is set, as in the clones, each request calls production, which is slow then."""


def test_a_new_version_that_slows_production_down_is_not_copied_to_any_more(
    namespace: Namespace, shadow_cluster: ShadowCluster
) -> None:
    image = shadow_cluster.hal9_image
    production = hal9.short_lived(image)
    (deployment,) = (one for one in production if one["kind"] == "Deployment")
    deployment["spec"]["replicas"] = 1
    pod = deployment["spec"]["template"]["spec"]
    pod["terminationGracePeriodSeconds"] = 1
    (container,) = pod["containers"]
    container["command"] = ["python", "-c", SERVER]
    container.pop("args", None)
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        container.pop(probe, None)
    container["readinessProbe"] = {"httpGet": {"path": "/health", "port": "api"}}
    shadow = hal9.shadow_deployment(
        image,
        preset="None",
        layers=[],
        clones={
            "egress": "Allow",
            "env": [{"name": "CALLS", "value": "http://hal9-service:8080/busy"}],
        },
        mirror={"methods": ["GET", "HEAD"]},
        soakSeconds=3600,
        gates={"productionImpact": {"mode": "Required"}},
        # On one node copies alone cost something; the planted harm is far above that.
        guard={
            "baselineSeconds": 40,
            "forSeconds": 10,
            "recoverySeconds": 30,
            "maxP50IncreasePercent": 300,
            "maxP99IncreasePercent": 1000,
        },
    )
    shadow["spec"]["shadow"].pop("command", None)
    namespace.apply(*production, shadow, hal9.traffic(image, "--get=/x", rate=40))

    namespace.wait_for_status("hal9", "copies", lambda s: bool(_percent(s)))
    begun = time.monotonic()
    suspected = namespace.wait_for_status("hal9", "no copies", lambda s: _percent(s) == 0, 60)
    assert time.monotonic() - begun < 40
    assert "p50 rose from" in suspected["mirror"]["lastOffReason"]
    status = namespace.wait_for_status(
        "hal9", "a person is asked", lambda s: _unaffected(s) == "False"
    )
    assert status["phase"] == "Paused"
    assert "restartedAt" in status["nextStep"]
    assert status["verdict"]["decision"] == "Investigate"
    assert status["verdict"]["reason"] == "ProductionHarmed"
    assert "without copies it recovered" in status["verdict"]["message"]


def _percent(status: dict[str, Any]) -> int | None:
    percent: int | None = status.get("mirror", {}).get("effectivePercent")
    return percent


def _unaffected(status: dict[str, Any]) -> str:
    (condition,) = (c for c in status["conditions"] if c["type"] == "ProductionUnaffected")
    return str(condition["status"])
