"""Calls to pods by their addresses: short, without proxies, following nothing."""

import asyncio

import httpx


def pod_client() -> httpx.AsyncClient:
    """Open the client that all resources share; a pod that hangs costs at most two seconds."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(2.0, connect=1.0),
        limits=httpx.Limits(max_connections=64, max_keepalive_connections=0),
        follow_redirects=False,
        trust_env=False,
    )


async def reachable(host: str, port: int, *, seconds: float = 1.0) -> bool:
    """Whether a TCP connection to this address opens."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
