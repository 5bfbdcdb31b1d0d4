"""Alerts, log volumes, requests and networks as a real Prometheus tells them."""

from __future__ import annotations

import asyncio
import os
import time
from math import inf
from typing import TYPE_CHECKING

import pytest

from shadow_operator.adapters.prometheus import Prometheus
from shadow_operator.api.presets import HAL9
from shadow_operator.core.snapshot import AlertReading, Found, Unknown
from tests.support import prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.cluster import Progress

RULES = """
groups:
- name: rules
  rules:
  - {alert: Slow, expr: vector(1), labels: {namespace: shop, severity: warning, pod: cart-1}}
  - {alert: Down, expr: vector(1), for: 1s, labels: {namespace: shop, severity: critical}}
  - {alert: Pending, expr: vector(1), for: 1h, labels: {namespace: shop, severity: critical}}
  - {alert: Chatty, expr: vector(1), labels: {namespace: shop, severity: info}}
  - {alert: Elsewhere, expr: vector(1), labels: {namespace: bank, severity: critical}}
  - record: kubelet_container_log_filesystem_used_bytes
    expr: time() * 2000
    labels: {namespace: shop, pod: cart-shadow-1}
  - record: kubelet_container_log_filesystem_used_bytes
    expr: time() * 1000
    labels: {namespace: shop, pod: cart-reference-1}
  - record: kubelet_container_log_filesystem_used_bytes
    expr: time() * 9000
    labels: {namespace: shop, pod: cart-2-shadow-1}
  - record: hal9_requests_total
    expr: floor(vector(time() * 10))
    labels: {namespace: shop, pod: cart-web-6c9fd-x7k2p, system: flat}
  - record: hal9_requests_total
    expr: floor(vector(time() * 10))
    labels: {namespace: shop, pod: cart-web-shadow-6c9fd-x7k2p, system: flat}
  - record: hal9_requests_total
    expr: floor(vector(time() * 10))
    labels: {namespace: shop, pod: cart-web-6c9fd-x7k2p, system: hierarchical}
  - record: hal9_requests_total
    expr: floor(vector(time() * 10))
    labels: {namespace: bank, pod: cart-web-6c9fd-another, system: flat}
  - record: hal9_errors_total
    expr: floor(vector(time()))
    labels: {namespace: shop, pod: cart-web-6c9fd-x7k2p, system: flat}
  - record: hal9_request_duration_seconds_bucket
    expr: floor(vector(time() * 9))
    labels: {namespace: shop, pod: cart-web-6c9fd-x7k2p, system: flat, le: "0.05"}
  - record: hal9_request_duration_seconds_bucket
    expr: floor(vector(time() * 10))
    labels: {namespace: shop, pod: cart-web-6c9fd-x7k2p, system: flat, le: "+Inf"}
  - {alert: Quoted, expr: vector(1), labels: {namespace: 'a"b\\c', severity: critical}}
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, progress: Progress) -> Iterator[str]:
    """Give the address of a Prometheus with alerts of several namespaces."""
    folder: Path = tmp_path_factory.mktemp("prometheus")
    with prometheus.running(folder, RULES, progress) as url:
        yield url


async def alerts(url: str, namespace: str, *, expected: int) -> dict[str, AlertReading]:
    """Ask until so many fire; a rule is first evaluated some seconds after the start."""
    async with asyncio.timeout(60):
        while True:
            item = await Prometheus(url).alerts(namespace)
            assert isinstance(item, Found), item
            if len(item.value) >= expected:
                return {alert.name: alert for alert in item.value}
            await asyncio.sleep(0.2)


async def test_what_fires_in_the_namespace_is_read_with_its_beginning(url: str) -> None:
    found = await alerts(url, "shop", expected=2)
    assert set(found) == {"Slow", "Down"}
    assert found["Slow"].about == {"cart-1"}
    assert found["Down"].severity == "critical"
    assert abs(found["Down"].since - time.time()) < 120


async def test_a_namespace_is_a_value_whatever_is_in_it(url: str) -> None:
    assert set(await alerts(url, 'a"b\\c', expected=1)) == {"Quoted"}
    assert await Prometheus(url).alerts('shop",alertname=~".*') == Found(())


async def test_what_the_clones_logged_is_read_by_role(url: str) -> None:
    async with asyncio.timeout(60):
        while True:
            item = await Prometheus(url).logs("shop", "cart")
            assert isinstance(item, Found), item
            if item.value is not None and item.value.reference > 0:
                break
            await asyncio.sleep(0.2)
    assert 1.5 < item.value.shadow / item.value.reference < 2.5
    assert await Prometheus(url).logs("bank", "cart") == Found(None)


async def test_what_productions_pods_counted_is_read_with_the_time_of_its_scrape(url: str) -> None:
    async with asyncio.timeout(60):
        while True:
            item = await Prometheus(url).requests("shop", "cart-web", HAL9, time.time())
            assert isinstance(item, Found), item
            if item.value and len(item.value[0].buckets) == 2 and item.value[0].errors:
                break
            await asyncio.sleep(0.2)
    [one] = item.value
    assert (one.boot, one.source) == ("cart-web-6c9fd-x7k2p", "prometheus")
    assert 0 <= time.time() - one.time < 10
    assert one.requests == pytest.approx(10 * one.time, abs=20)
    assert one.errors == pytest.approx(one.time, abs=2)
    assert one.buckets == {
        0.05: pytest.approx(9 * one.time, abs=20),
        inf: pytest.approx(10 * one.time, abs=20),
    }
    later = time.time() + 30
    assert await Prometheus(url).requests("shop", 'x",pod=~".*', HAL9, later) == Found(())
    assert await Prometheus(url).requests('shop",pod=~".*', "cart-web", HAL9, later) == Found(())


SPEEDS = {"eth0": "1000", "enp3s0": "2500", "eth1": "-1", "veth7": "10000", "eth0.7": "1000"}
"""Device -> megabits a second, as Linux says: a card without a cable has none."""
CARD = "{name}: {received} 1 0 0 0 0 0 0 {sent} 1 0 0 0 0 0 0\n"


def carry(proc: Path, seconds: float) -> None:
    """Let every device that has a cable receive 5,000 bytes a second and send 1,000."""
    told = (
        CARD.format(name=name, received=int(5000 * seconds), sent=int(1000 * seconds))
        for name in SPEEDS
        if name != "eth1"
    )
    # As a whole: the exporter may read at any moment.
    (proc / "new").write_text("Inter-| Receive | Transmit\nface |bytes |bytes\n" + "".join(told))
    (proc / "new").rename(proc / "net/dev")


async def test_the_network_of_a_node_is_that_of_its_cards(
    tmp_path: Path, progress: Progress
) -> None:
    proc, sys, began = tmp_path / "proc", tmp_path / "sys", time.monotonic()
    (proc / "net").mkdir(parents=True)
    for name, speed in SPEEDS.items():
        (device := sys / "class/net" / name).mkdir(parents=True)
        (device / "speed").write_text(speed)
    carry(proc, 0)
    (folder := tmp_path / "prometheus").mkdir()
    with (
        prometheus.exporting(proc, sys, progress) as node,
        prometheus.running(folder, "groups: []", progress, node=node) as url,
    ):
        async with asyncio.timeout(60):
            while True:
                carry(proc, time.monotonic() - began)
                item = await Prometheus(url).network()
                assert isinstance(item, Found), item
                if item.value and (read := item.value[os.uname().nodename.lower()]).sent:
                    break
                await asyncio.sleep(0.2)
    assert read.speed == 3500e6 / 8
    assert read.received / read.sent == pytest.approx(5, rel=0.1)
    assert list(item.value) == [os.uname().nodename.lower()]


async def test_without_a_node_exporter_no_network_is_known(url: str) -> None:
    assert await Prometheus(url).network() == Found({})


async def test_a_prometheus_that_is_not_there_is_unknown() -> None:
    item = await Prometheus("http://127.0.0.1:1").alerts("shop")
    assert item == Unknown("it could not be reached (ConnectionError)")


async def test_an_answer_of_something_else_is_unknown(url: str) -> None:
    assert await Prometheus(f"{url}/nothing").alerts("shop") == Unknown("it answered 404")
