"""How much the clones log: the runbook's log volume, where a Prometheus knows it."""

from pydantic import BaseModel, ConfigDict

from shadow_operator.core.snapshot import Item, LogReading, Missing, Unknown

LEAST_SECONDS = 600.0
"""Sooner after copying began, what was logged is about the start."""
LITTLE_BYTES = 10 << 20
"""An hour with less fills no disk, however much more it is than the reference's."""


class Logs(BaseModel):
    """What a Prometheus said of one epoch."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    configured: bool = False
    problem: str = ""
    """Why the last question had no answer; empty where it had."""
    shadow: int | None = None
    """Bytes that all its pods logged in the last hour; None: never read under copies."""
    reference: int | None = None


def noted(logs: Logs, read: Item[LogReading | None], *, began: float | None, now: float) -> Logs:
    """Take over what was read; `began` None: nothing is copied yet."""
    if isinstance(read, Missing):
        return logs.model_copy(update={"configured": False, "problem": ""})
    if isinstance(read, Unknown):
        return logs.model_copy(update={"configured": True, "problem": read.reason})
    known = {"configured": True, "problem": ""}
    if read.value is None or began is None or now - began < LEAST_SECONDS:
        return logs.model_copy(update=known)
    amounts = {"shadow": read.value.shadow, "reference": read.value.reference}
    return logs.model_copy(update=known | amounts)
