"""Asks a Prometheus, by fixed queries: a value from a resource only ever becomes a quoted literal.

The client library is synchronous, so it runs in a thread; and it is loaded with the first question,
since an installation without a Prometheus shall not pay for it.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any, Final

from shadow_operator.api.names import Role
from shadow_operator.api.presets import Preset
from shadow_operator.core.names import child
from shadow_operator.core.snapshot import (
    AlertReading,
    Found,
    Item,
    LogReading,
    RequestsReading,
    Traffic,
    Unknown,
)

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
_COUNTED: Final = (
    "sum by (__name__, pod, le)"
    " ({{__name__=~{names},namespace={namespace},pod=~{pods},{label}={system}}})"
)
_SCRAPED: Final = (
    "max by (pod)"
    " (timestamp({{__name__={name},namespace={namespace},pod=~{pods},{label}={system}}}))"
)
_PODS: Final = "{deployment}-[a-z0-9]+-[a-z0-9]{{5}}"
"""How the pods of a Deployment are called; those of its clones have one part more."""
_CARDS: Final = 'device=~"(eth|en[a-hj-z]|em|ib|p[0-9]+p)[^.:]*"'
"""Network cards, by the names that Linux gives them. What bridges, bonds and VLANs carry goes
through a card as well, and what devices of pods carry (`eni...` on AWS) may stay in the node."""
_SPEED: Final = f"(node_network_speed_bytes{{{_CARDS}}} > 0)"
_CARRIED: Final = (
    f"rate(node_network_%s_bytes_total{{{_CARDS}}}[5m]) and on (instance, device) {_SPEED}"
)
_BY_NODE: Final = (
    "sum by (nodename) ((%s) * on (instance) group_left (nodename)"
    " max by (instance, nodename) (node_uname_info))"
)
_NETWORK: Final = tuple(
    _BY_NODE % of for of in (_CARRIED % "receive", _CARRIED % "transmit", _SPEED)
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

    async def network(self) -> Item[Mapping[str, Traffic]]:
        """Read what the network cards of each node carried within the last five minutes.

        Node exporter's metrics, by node name. A card that does not tell its speed is left out, and
        so is a node without one that does.
        """
        tables: list[dict[str, float]] = []
        for answer in await asyncio.gather(*map(self._ask, _NETWORK)):
            if isinstance(answer, Unknown):
                return answer
            try:
                tables.append({o["metric"]["nodename"]: float(o["value"][1]) for o in answer})
            except (KeyError, TypeError, ValueError, IndexError):
                return Unknown("its answer is not Prometheus'")
        received, sent, speeds = tables
        return Found(
            {
                # A kubelet writes its host's name in small letters.
                node.lower(): Traffic(received[node], sent[node], speed)
                for node, speed in speeds.items()
                if node in received and node in sent
            }
        )

    async def requests(
        self, namespace: str, deployment: str, preset: Preset, now: float
    ) -> Item[tuple[RequestsReading, ...]]:
        """Read what the pods of production had counted when they were last scraped.

        Empty where it has no such metric. All is read as of `now`, so that it fits together.
        """
        parts = {
            "namespace": literal(namespace),
            "pods": literal(_PODS.format(deployment=re.escape(deployment))),
            "label": preset.system_label,
            "system": literal(preset.production_system),
        }
        names = (preset.requests_metric, preset.errors_metric, preset.duration_metric)
        counted = await self._ask(_COUNTED.format(names=literal("|".join(names)), **parts), now)
        if isinstance(counted, Unknown):
            return counted
        name = literal(preset.requests_metric)
        scraped = await self._ask(_SCRAPED.format(name=name, **parts), now)
        if isinstance(scraped, Unknown):
            return scraped
        try:
            times = {one["metric"]["pod"]: float(one["value"][1]) for one in scraped}
            return Found(tuple(_requests(counted, times, preset)))
        except (KeyError, TypeError, ValueError, IndexError):
            return Unknown("its answer is not Prometheus'")

    async def _ask(
        self, query: str, time: float | None = None
    ) -> list[Mapping[str, Any]] | Unknown:
        try:
            async with asyncio.timeout(2 * TIMEOUT_SECONDS):
                return await asyncio.to_thread(self._query, query, time)
        except TimeoutError:
            return Unknown(f"no answer in {2 * TIMEOUT_SECONDS} s")

    def _query(self, query: str, time: float | None) -> list[Mapping[str, Any]] | Unknown:
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
                answer: list[Mapping[str, Any]] = connection.custom_query(
                    query, {} if time is None else {"time": time}
                )
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


def _requests(
    counted: Iterable[Mapping[str, Any]], times: Mapping[str, float], preset: Preset
) -> Iterator[RequestsReading]:
    values: dict[str, dict[tuple[str, str], int]] = {}
    for one in counted:
        metric, value = one["metric"], float(one["value"][1])
        if isfinite(value):
            mine = values.setdefault(metric["pod"], {})
            mine[metric["__name__"], metric.get("le", "")] = int(value)
    for pod in sorted(values.keys() & times.keys()):
        mine = values[pod]
        yield RequestsReading(
            boot=pod,
            requests=mine[preset.requests_metric, ""],
            errors=mine.get((preset.errors_metric, ""), 0),
            buckets={float(le): n for (_, le), n in mine.items() if le},
            time=times[pod],
            source="prometheus",
        )


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
