"""What shadow, reference and production use, one record an interval; pure.

The series is kept in the ledger: memory in units of 64 KiB, and column by column as differences,
because that compresses to a few KiB (tests/unit/test_usage.py holds the bytes).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import ceil
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, field_serializer, field_validator

from shadow_operator.api.names import Role
from shadow_operator.core.numbers.series import appended
from shadow_operator.core.pods import PRODUCTION
from shadow_operator.core.snapshot import (
    Bounds,
    Found,
    Item,
    Missing,
    Pod,
    PodUsage,
    Unknown,
)

ROLES: Final = (Role.SHADOW.value, Role.REFERENCE.value, PRODUCTION)
METRICS_API: Final = "metrics-api"
"""Source of a gate that judges what was measured there."""
UNIT: Final = 65536
"""Bytes to which memory is rounded."""
TOGETHER_SECONDS: Final = 120.0
"""Samples of one record are at most so far apart: nodes are not measured at the same moment."""


class Use(NamedTuple):
    """What the pods of one role use."""

    cpu: int = 0
    """Millicores, mean over pods."""
    memory: int = 0
    """Bytes, mean over pods."""
    largest: int = 0
    """Bytes of the pod that uses most."""
    cpu_share: int = 0
    """CPU of the container nearest to its limit, in percent of that limit; 0: no limit. Like the
    next one kept for the shadow only, whose limits are judged."""
    memory_share: int = 0
    """The same for memory."""
    pods: int = 0
    """Pods that were measured; 0: none, and the rest says nothing."""


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """What was measured up to `end` (seconds since the epoch), over `seconds`."""

    end: float
    seconds: float
    roles: Mapping[str, Use]

    def of(self, role: str) -> Use:
        """Give what a role uses; without pods where it was not measured."""
        return self.roles.get(role, Use())

    def merged(self, later: "UsageRecord") -> "UsageRecord":
        """Return one record for both spans: means by seconds, and the larger of what is largest."""
        return UsageRecord(
            later.end,
            self.seconds + later.seconds,
            {role: _merged(self, later, role) for role in ROLES},
        )


def _merged(before: UsageRecord, later: UsageRecord, role: str) -> Use:
    one, two = before.of(role), later.of(role)
    if not one.pods or not two.pods:
        return one if one.pods else two
    whole = before.seconds + later.seconds

    def mean(a: int, b: int) -> int:
        return round((a * before.seconds + b * later.seconds) / whole)

    return Use(
        cpu=mean(one.cpu, two.cpu),
        memory=_rounded(mean(one.memory, two.memory)),
        largest=max(one.largest, two.largest),
        cpu_share=max(one.cpu_share, two.cpu_share),
        memory_share=max(one.memory_share, two.memory_share),
        pods=two.pods,
    )


class Run(BaseModel):
    """The same processes of a role."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pods: str
    """Hash of their uids and restarts."""
    since: float


class Usage(BaseModel):
    """Use of resources in one epoch. Times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    series: tuple[UsageRecord, ...] = ()
    taken: float = 0.0
    """Time of the newest sample that was taken."""
    asked: float = 0.0
    """When the metrics API was last asked."""
    absent: bool = False
    """The cluster has no metrics API."""
    problem: str = ""
    """Why it could not be read when it was last asked, as a clause."""
    runs: dict[str, Run] = {}
    """Role -> processes of now."""
    memory_limit: int = 0
    """Bytes that a pod of the shadow may use; 0: a container has no limit."""
    seen: dict[str, int] = {}
    """Pod of the shadow -> its restarts when it was last seen."""
    restarts: int = 0
    """Restarts of the shadow's containers in this epoch, since copies come."""
    killed: int = 0
    """Of these, the ones for want of memory."""
    last_restart: str = ""
    """The last one, as a clause."""

    @field_serializer("series")
    def _as_columns(self, series: tuple[UsageRecord, ...]) -> dict[str, list[list[int]]]:
        """Give the columns, each as its differences."""
        if not series:
            return {}
        rows = {"": [(int(r.end), int(r.seconds)) for r in series]} | {
            role: [_packed(record.of(role)) for record in series] for role in ROLES
        }
        return {
            name: [_differences(column) for column in zip(*row, strict=True)]
            for name, row in rows.items()
        }

    @field_validator("series", mode="before")
    @classmethod
    def _from_columns(cls, stored: Any) -> Any:
        if not isinstance(stored, Mapping):
            return stored
        rows = {
            name: list(zip(*map(accumulate, columns), strict=True))
            for name, columns in stored.items()
        }
        return tuple(
            UsageRecord(
                float(end), float(seconds), {role: _unpacked(rows[role][i]) for role in ROLES}
            )
            for i, (end, seconds) in enumerate(rows.get("", ()))
        )


def _packed(use: Use) -> tuple[int, ...]:
    return tuple(use._replace(memory=use.memory // UNIT, largest=use.largest // UNIT))


def _unpacked(row: tuple[int, ...]) -> Use:
    use = Use(*row)
    return use._replace(memory=use.memory * UNIT, largest=use.largest * UNIT)


def _differences(column: Iterable[int]) -> list[int]:
    return [after - before for before, after in pairwise((0, *column))]


def _rounded(memory: int) -> int:
    return (memory + UNIT // 2) // UNIT * UNIT


def taken(
    usage: Usage,
    item: Item[Mapping[str, PodUsage]],
    pods: Mapping[str, tuple[Pod, ...]],
    *,
    now: float,
    copying: bool,
) -> Usage:
    """Take over what was read at `now`. `pods`: role -> its pods that are not on their way out.

    A restart counts while `copying`. A sample that is older than what was taken is not taken twice.
    """
    usage = _with_runs(_with_restarts(usage, pods.get(Role.SHADOW, ()), copying=copying), pods, now)
    match item:
        case Missing():
            return usage.model_copy(update={"absent": True, "problem": "", "asked": now})
        case Unknown(reason):
            return usage.model_copy(update={"absent": False, "problem": reason, "asked": now})
        case Found(samples):
            known = {"absent": False, "problem": "", "asked": now}
            return _with_record(usage.model_copy(update=known), samples, pods)


OUT_OF_MEMORY: Final = "OOMKilled"
"""Reason of a termination: the kernel killed a process of the container for want of memory."""


def _with_restarts(usage: Usage, pods: Iterable[Pod], *, copying: bool) -> Usage:
    """Count restarts that are new.

    What a pod did before the first look belongs to no epoch; one that came later began at zero.
    """
    pods = tuple(pods)
    usage, before = usage.model_copy(update={"seen": {p.name: p.restarts for p in pods}}), usage
    new = {
        pod.name: pod.restarts - before.seen.get(pod.name, 0 if before.asked else pod.restarts)
        for pod in pods
    }
    fresh = [pod for pod in pods if new[pod.name] > 0]
    if not fresh or not copying:
        return usage
    last = fresh[-1]
    return usage.model_copy(
        update={
            "restarts": usage.restarts + sum(new[pod.name] for pod in fresh),
            "killed": usage.killed
            + sum(new[pod.name] for pod in fresh if pod.last_termination == OUT_OF_MEMORY),
            "last_restart": f"pod {last.name} ({last.last_termination or 'unknown'})",
        }
    )


def _with_runs(usage: Usage, pods: Mapping[str, tuple[Pod, ...]], now: float) -> Usage:
    runs: dict[str, Run] = {}
    for role in (Role.SHADOW.value, Role.REFERENCE.value):
        key = _identity(pods.get(role, ()))
        before = usage.runs.get(role)
        runs[role] = before if before and before.pods == key else Run(pods=key, since=now)
    limits = [_limit(pod) for pod in pods.get(Role.SHADOW, ())]
    return usage.model_copy(
        update={"runs": runs, "memory_limit": min(limits, default=usage.memory_limit)}
    )


def _identity(pods: Iterable[Pod]) -> str:
    text = " ".join(sorted(f"{pod.uid}/{pod.restarts}" for pod in pods))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _limit(pod: Pod) -> int:
    limits = [one.limits.memory for one in pod.bounds.values()]
    return sum(limits) if all(limits) else 0


def _with_record(
    usage: Usage, samples: Mapping[str, PodUsage], pods: Mapping[str, tuple[Pod, ...]]
) -> Usage:
    ours = {pod.name for role in ROLES for pod in pods.get(role, ())}
    newest = max((s.time for name, s in samples.items() if name in ours), default=0.0)
    if newest <= usage.taken:
        return usage
    roles = {role: _use(pods.get(role, ()), samples, newest) for role in ROLES}
    end = float(int(newest))
    since = end - usage.series[-1].end if usage.series else 1.0
    if since < 1.0:
        return usage
    record = UsageRecord(end, min(since, TOGETHER_SECONDS), roles)
    return usage.model_copy(update={"series": appended(usage.series, record), "taken": newest})


def _use(pods: Iterable[Pod], samples: Mapping[str, PodUsage], newest: float) -> Use:
    measured = [
        (pod, sample)
        for pod in pods
        if (sample := samples.get(pod.name)) and newest - sample.time <= TOGETHER_SECONDS
    ]
    if not measured:
        return Use()
    totals = [sample.total for _, sample in measured]
    shares = [_shares(pod.bounds, sample) for pod, sample in measured if pod.role == Role.SHADOW]
    return Use(
        cpu=round(sum(total.cpu for total in totals) / len(totals)),
        memory=_rounded(round(sum(total.memory for total in totals) / len(totals))),
        largest=_rounded(max(total.memory for total in totals)),
        cpu_share=max((cpu for cpu, _ in shares), default=0),
        memory_share=max((memory for _, memory in shares), default=0),
        pods=len(measured),
    )


def _shares(bounds: Mapping[str, Bounds], sample: PodUsage) -> tuple[int, int]:
    """Give how near the nearest container is to its limits, in percent, rounded up."""
    pairs = [
        (used, bounds[name].limits) for name, used in sample.containers.items() if name in bounds
    ]
    cpu = (ceil(100 * used.cpu / limit.cpu) for used, limit in pairs if limit.cpu)
    memory = (ceil(100 * used.memory / limit.memory) for used, limit in pairs if limit.memory)
    return max(cpu, default=0), max(memory, default=0)
