"""Asks each layer of the shadow how it is."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import httpx
import orjson

from shadow_operator.core.snapshot import LayerReading

HEALTHY_WORDS: Final = frozenset({"healthy", "ok", "up", "active", "ready", "running", "true"})
"""What a layer's `status`, `state` or `health` says when it is well; any case."""


async def probe(
    client: httpx.AsyncClient, base_url: str, template: str, layers: tuple[str, ...]
) -> tuple[LayerReading, ...]:
    """Ask all layers at once; `template` is a path with `{layer}`, filled in lower case."""
    return tuple(
        await asyncio.gather(
            *(
                _ask(client, base_url + template.replace("{layer}", layer.lower()), layer)
                for layer in layers
            )
        )
    )


async def _ask(client: httpx.AsyncClient, url: str, layer: str) -> LayerReading:
    try:
        answer = await client.get(url)
    except httpx.HTTPError as error:
        return LayerReading(layer, None, f"did not answer ({type(error).__name__})")
    if answer.is_error:
        return LayerReading(layer, False, f"answered {answer.status_code}")
    return read_answer(layer, answer.content)


def read_answer(layer: str, content: bytes) -> LayerReading:
    """Judge the body of a 2xx answer: without a word on health, the status code decides.

    Only words of `HEALTHY_WORDS` and the member's name are repeated, never the body.
    """
    try:
        body: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        return LayerReading(layer, True, "answered 2xx")
    if not isinstance(body, Mapping):
        return LayerReading(layer, True, "answered 2xx")
    for member in ("status", "state", "health", "healthy"):
        if member in body and isinstance(body[member], str | bool):
            well = str(body[member]).lower() in HEALTHY_WORDS
            return LayerReading(layer, well, f"`{member}` says {'it is well' if well else 'no'}")
    return LayerReading(layer, True, "answered 2xx")
