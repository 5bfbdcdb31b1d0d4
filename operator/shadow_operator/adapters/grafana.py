"""Marks in Grafana's graphs: `POST /api/annotations`, one for each transition."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

import httpx

from shadow_operator.core.actions import Annotation

TIMEOUT_SECONDS: Final = 5.0
"""For one attempt."""

_TAG: Final = "migration"
"""The runbook's tag for everything of a migration."""


class GrafanaError(Exception):
    """The mark is not there; the message says why, without an address or a token."""

    def __init__(self, why: str, *, passing: bool) -> None:
        super().__init__(why)
        self.passing = passing
        """Whether another attempt could help."""


class Grafana:
    """One Grafana. Annotations are its organisation's: a dashboard shows them by their tags."""

    def __init__(self, url: str, token: str, *, seconds: float = TIMEOUT_SECONDS) -> None:
        """Keep where it is; `token` is of a service account with the right to annotate."""
        self._url = f"{url.rstrip('/')}/api/annotations"
        self._headers = {"Authorization": f"Bearer {token.strip()}"} if token.strip() else {}
        self._seconds = seconds
        self._client = httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=0))

    async def annotate(self, namespace: str, name: str, annotation: Annotation) -> None:
        """Make one mark; raise `GrafanaError` where Grafana did not take it."""
        content = {
            "time": round(annotation.time * 1000),
            "tags": tags(namespace, name, annotation),
            "text": annotation.text,
        }
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._client.post(self._url, json=content, headers=self._headers)
        except httpx.ConnectError as error:
            raise GrafanaError("no connection to it opens", passing=True) from error
        except (TimeoutError, httpx.HTTPError) as error:
            # It may have the mark all the same: another attempt could make a second one.
            why = f"it did not answer in {self._seconds:g} s or broke off"
            raise GrafanaError(why, passing=False) from error
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            why = "its address or token can't be used"
            raise GrafanaError(why, passing=False) from error
        if not answer.is_success:
            passing = answer.status_code == HTTPStatus.TOO_MANY_REQUESTS or answer.is_server_error
            raise GrafanaError(f"it answered {answer.status_code}", passing=passing)

    async def __aenter__(self) -> Self:
        """Stay open until the end of the block."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close its connections."""
        await self._client.aclose()


def tags(namespace: str, name: str, annotation: Annotation) -> Sequence[str]:
    """Give the tags by which dashboards find a mark."""
    return [_TAG, str(annotation.mark), f"shadowdeployment:{name}", f"namespace:{namespace}"]
