"""examples/plain: the catalog as a real process."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

CATALOG = Path(__file__).parents[2] / "examples" / "plain" / "catalog.py"
NOISE = {"request", "time"}


@asynccontextmanager
async def catalog(**env: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Start a catalog on a free port; give the process and its address."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CATALOG)),
        env={**os.environ, "LISTEN_PORT": "0", **env},
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout
    try:
        line = (await asyncio.wait_for(child.stdout.readline(), 20)).decode()
        yield child, f"http://127.0.0.1:{line.strip().removeprefix('port=')}"
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def get(session: aiohttp.ClientSession, url: str) -> tuple[int, dict[str, Any]]:
    async with session.get(url) as response:
        return response.status, await response.json()


@pytest.mark.parametrize(("bug", "differing"), [("", 0), ("price", 10)])
async def test_two_versions_differ_in_noise_and_by_the_planted_bug_alone(
    bug: str, differing: int
) -> None:
    async with (
        catalog() as (_, one),
        catalog(CATALOG_BUG=bug) as (_, other),
        aiohttp.ClientSession() as session,
    ):
        pairs = [
            [await get(session, f"{url}/products/{number}") for url in (one, other)]
            for number in range(1, 101)
        ]
    found = set()
    for (status, left), (other_status, right) in pairs:
        assert status == other_status == 200
        changed = {key for key in left if left[key] != right[key]}
        assert changed >= NOISE
        found |= {(left["id"], *changed - NOISE)} if changed - NOISE else set()
    assert found == {(number, "price") for number in range(10, 101, 10)[:differing]}


async def test_pages_unknown_products_and_head_requests_are_answered() -> None:
    async with catalog() as (_, url), aiohttp.ClientSession() as session:
        status, body = await get(session, f"{url}/products?page=2")
        assert status == 200
        assert [product["id"] for product in body["products"]] == list(range(11, 21))
        assert (await get(session, f"{url}/products/101"))[0] == 404
        assert (await get(session, f"{url}/elsewhere"))[0] == 404
        assert (await get(session, f"{url}/healthz"))[1]["status"] == "ok"
        async with session.head(f"{url}/products/1") as response:
            assert response.status == 200
            assert int(response.headers["Content-Length"]) > 50


async def test_what_kubernetes_sets_for_a_service_of_that_name_does_not_matter() -> None:
    link = {"CATALOG_PORT": "tcp://10.96.0.7:80", "CATALOG_SERVICE_PORT": "80"}
    async with catalog(**link) as (_, url), aiohttp.ClientSession() as session:
        assert (await get(session, f"{url}/healthz"))[0] == 200


async def test_sigterm_ends_the_catalog_with_status_0() -> None:
    async with catalog() as (child, _):
        child.terminate()
        assert await asyncio.wait_for(child.wait(), 10) == 0
