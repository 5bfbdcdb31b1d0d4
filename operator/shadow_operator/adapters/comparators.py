"""Scrapes what comparators have measured."""

import httpx
from pydantic import ValidationError

from shadow_operator.api.evidence import SNAPSHOT_SCHEMA, ComparatorSnapshot
from shadow_operator.core import names
from shadow_operator.core.snapshot import Found, Item, Unknown


async def scrape(client: httpx.AsyncClient, pod_ip: str) -> Item[ComparatorSnapshot]:
    """Read one comparator's cumulative counts; `Unknown` where it can't be read or understood."""
    url = f"http://{_host(pod_ip)}:{names.ADMIN_PORT}/snapshot"
    try:
        answer = await client.get(url, params={"scraper": "operator"})
        answer.raise_for_status()
        measured = ComparatorSnapshot.model_validate_json(answer.content)
    except httpx.HTTPStatusError as error:
        return Unknown(f"answered {error.response.status_code}")
    except httpx.HTTPError as error:
        return Unknown(f"did not answer ({type(error).__name__})")
    except ValidationError as error:
        return Unknown(f"sent a snapshot that can't be read ({error.error_count()} problems)")
    if measured.schema_version != SNAPSHOT_SCHEMA:
        return Unknown(f"speaks snapshot version {measured.schema_version}")
    return Found(measured)


def _host(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip
