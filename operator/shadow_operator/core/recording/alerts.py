"""Which alerts began after copying began. Only names are kept, no label of an alert."""

from typing import Final

from pydantic import BaseModel, ConfigDict

from shadow_operator.api.names import Role
from shadow_operator.core import names
from shadow_operator.core.snapshot import AlertReading, Found, Item, Missing, Unknown
from shadow_operator.core.wording import duration

MOST: Final = 32
"""Alerts of each kind that are remembered, the first ones."""
OURS: Final = (Role.SHADOW, Role.REFERENCE, Role.COMPARATOR, Role.PROBE)
"""An alert about one of these says nothing about production; what it would say has its own gate.
The mirror is in production's path, so what is about it counts."""


class Alert(BaseModel):
    """An alert that began after copying began."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    name: str
    severity: str
    since: float
    """When its condition first held, in seconds since the epoch."""


class Alerts(BaseModel):
    """What a Prometheus said of one epoch."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    configured: bool = False
    problem: str = ""
    """Why the last question had no answer; empty where it had."""
    readings: int = 0
    """Answers since copying began."""
    began: float | None = None
    """When copying began."""
    begun: tuple[Alert, ...] = ()
    """Sorted by when they began. One that ended again stays: it was triggered."""
    before: tuple[str, ...] = ()
    """Names of those that fired already when copying began, sorted."""


def noted(
    alerts: Alerts,
    read: Item[tuple[AlertReading, ...]],
    resource: str,
    *,
    began: float | None,
    now: float,
) -> Alerts:
    """Take over what was read for a resource of this name; `began` None: nothing is copied yet."""
    if isinstance(read, Missing):
        return alerts.model_copy(update={"configured": False, "problem": ""})
    if isinstance(read, Unknown):
        return alerts.model_copy(update={"configured": True, "problem": read.reason})
    readings = alerts.readings + (began is not None)
    alerts = alerts.model_copy(
        update={"configured": True, "problem": "", "readings": readings, "began": began}
    )
    if began is None:
        return alerts
    return _sorted_in(alerts, _others(read, resource), min(began, now))


def since(alert: Alert, alerts: Alerts) -> str:
    """Say when an alert began: `12 min after it`."""
    return f"{duration(max(0.0, alert.since - (alerts.began or alert.since)))} after it"


def _others(read: Found[tuple[AlertReading, ...]], resource: str) -> list[AlertReading]:
    ours = tuple(names.child(resource, role) for role in OURS)
    return [
        alert
        for alert in read.value
        if not any(
            about == own or about.startswith(f"{own}-") for about in alert.about for own in ours
        )
    ]


def _sorted_in(alerts: Alerts, read: list[AlertReading], began: float) -> Alerts:
    begun = {(alert.name, alert.severity): alert for alert in alerts.begun}
    before = set(alerts.before)
    for alert in sorted(read, key=lambda alert: (alert.since, alert.name, alert.severity)):
        if alert.since < began:
            before.add(alert.name)
        else:
            new = Alert(name=alert.name, severity=alert.severity, since=alert.since)
            begun.setdefault((alert.name, alert.severity), new)
    by_time = sorted(begun.values(), key=lambda alert: (alert.since, alert.name))
    return alerts.model_copy(
        update={"begun": tuple(by_time[:MOST]), "before": tuple(sorted(before)[:MOST])}
    )
