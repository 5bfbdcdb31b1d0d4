"""Asks a Prometheus, by fixed queries: a value from a resource only ever becomes a quoted literal.

The client library is synchronous, so it runs in a thread; and it is loaded with the first question,
since an installation without a Prometheus shall not pay for it.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from shadow_operator.api.names import Role
from shadow_operator.core.names import child
from shadow_operator.core.snapshot import AlertReading, Found, Item, LogReading, Unknown

TIMEOUT_SECONDS: Final = 5
"""For each question."""
ALERTS_WINDOW: Final = "1h"
"""How far back is asked: what began and ended between two questions is seen all the same."""
LARGEST_ANSWER: Final = 500
"""Alerts that are looked at; a namespace with more of them has other worries."""

_FIRING: Final = (
    "last_over_time(ALERTS_FOR_STATE{{namespace={namespace},{severity}}}[{window}])"
    " and ignoring(alertstate)"
    " last_over_time(ALERTS{{namespace={namespace},{severity},"
    'alertstate="firing"}}[{window}])'
)
_LOGGED: Final = (
    "sum(increase(kubelet_container_log_filesystem_used_bytes"
    "{{namespace={namespace},pod=~{pods}}}[1h]))"
)
_SEVERITY: Final = 'severity=~"warning|critical"'


class Prometheus:
    """One Prometheus, or what speaks its API (Thanos, Mimir, VictoriaMetrics)."""

    def __init__(self, url: str, *, token: str = "") -> None:
        """Keep where it is; `token` is sent as a bearer token where it is not empty."""
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def alerts(self, namespace: str) -> Item[tuple[AlertReading, ...]]:
        """Read the alerts of a namespace that fire, or did within the last hour.

        Of severity `warning` or `critical`; `since` is when their condition began to hold.
        """
        query = _FIRING.format(
            namespace=literal(namespace), severity=_SEVERITY, window=ALERTS_WINDOW
        )
        answer = await self._ask(query)
        if isinstance(answer, Unknown):
            return answer
        try:
            return Found(tuple(map(_alert, answer[:LARGEST_ANSWER])))
        except (KeyError, TypeError, ValueError, IndexError):
            return Unknown("its answer is not Prometheus'")

    async def logs(self, namespace: str, resource: str) -> Item[LogReading | None]:
        """Read how many bytes the clones of a resource logged within the last hour.

        None where the kubelets' metrics are not there. A rotated file counts as one that was
        written anew.
        """
        amounts: list[int | None] = []
        for role in (Role.SHADOW, Role.REFERENCE):
            pods = literal(f"{child(resource, role)}-.*")
            answer = await self._ask(_LOGGED.format(namespace=literal(namespace), pods=pods))
            if isinstance(answer, Unknown):
                return answer
            try:
                amounts.append(round(float(answer[0]["value"][1])) if answer else None)
            except (KeyError, TypeError, ValueError, IndexError):
                return Unknown("its answer is not Prometheus'")
        shadow, reference = amounts
        if shadow is None or reference is None:
            return Found(None)
        return Found(LogReading(shadow=shadow, reference=reference))

    async def _ask(self, query: str) -> list[Mapping[str, Any]] | Unknown:
        try:
            async with asyncio.timeout(2 * TIMEOUT_SECONDS):
                return await asyncio.to_thread(self._query, query)
        except TimeoutError:
            return Unknown(f"no answer in {2 * TIMEOUT_SECONDS} s")

    def _query(self, query: str) -> list[Mapping[str, Any]] | Unknown:
        from prometheus_api_client import PrometheusConnect  # noqa: PLC0415 - see above
        from prometheus_api_client.exceptions import (  # noqa: PLC0415
            PrometheusApiClientException,
        )
        from requests.exceptions import RequestException  # noqa: PLC0415
        from urllib3.util import Retry  # noqa: PLC0415

        # A retry would only be late: the next reconcile asks again.
        with PrometheusConnect(
            self._url, headers=self._headers, retry=Retry(total=0), timeout=TIMEOUT_SECONDS
        ) as connection:
            try:
                answer: list[Mapping[str, Any]] = connection.custom_query(query)
            except PrometheusApiClientException as error:
                return Unknown(_refusal(str(error)))
            except RequestException as error:
                return Unknown(f"it could not be reached ({type(error).__name__})")
            except (KeyError, ValueError):
                return Unknown("its answer is not Prometheus'")
        return answer


def literal(text: str) -> str:
    """Quote a text as PromQL does, so that it stays a value whatever is in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _alert(series: Mapping[str, Any]) -> AlertReading:
    labels, value = series["metric"], series["value"]
    return AlertReading(
        name=str(labels["alertname"])[:128],
        severity=str(labels["severity"]),
        since=float(value[1]),
        about=_named(labels.items()),
    )


_ABOUT: Final = frozenset({"pod", "deployment", "replicaset", "service", "endpoint", "job_name"})
"""Labels that name an object of the namespace."""


def _named(labels: Iterable[tuple[str, Any]]) -> frozenset[str]:
    return frozenset(str(value) for label, value in labels if label in _ABOUT)


def _refusal(text: str) -> str:
    """Repeat the status of an answer; its body may say anything."""
    status = text.removeprefix("HTTP Status Code ").split(" ", 1)[0]
    return f"it answered {status}" if status.isdigit() else "it answered with an error"
