"""Headroom: how much room there was before the first copy of an epoch (runbook, 1.2).

What pods of the whole cluster ask for is not read, since that would mean listing every pod for one
number; what its nodes use stands for it. What our own pods use is taken off, so that an epoch which
begins with clones that run is judged as if they did not.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict

from shadow_operator.api.enums import GateName, GateResult
from shadow_operator.api.spec import HeadroomGate
from shadow_operator.api.status import Gate
from shadow_operator.core.pods import read_amount, read_bounds
from shadow_operator.core.situation import Situation
from shadow_operator.core.snapshot import Amount, Found, Missing, RoomReading, Unknown, found
from shadow_operator.core.usage import METRICS_API
from shadow_operator.core.wording import amount, cpu, memory, percent


class Asked(BaseModel):
    """What the pods of one role ask for."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pods: int
    cpu: int
    """Millicores, each pod."""
    memory: int
    """Bytes, each pod."""


class Headroom(BaseModel):
    """What was read before the first copy. CPU in millicores, memory in bytes."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    nodes: int = 0
    """Nodes that take pods."""
    cpu: int = 0
    """What they can give."""
    memory: int = 0
    used_cpu: int | None = None
    """What they use, without our pods; None: not known."""
    used_memory: int | None = None
    problem: str = ""
    """What is not known, and why, as a clause."""
    quota: str = ""
    """Which quota leaves too little for the clones, as a clause."""
    quota_problem: str = ""
    """Why quotas could not be read, as a clause."""
    asked: dict[str, Asked] = {}
    """Role -> what its pods ask for."""

    @property
    def all_asked(self) -> Amount:
        """What all our pods ask for."""
        parts = (Amount(one.cpu, one.memory) * one.pods for one in self.asked.values())
        return sum(parts, Amount())


def is_open(situation: Situation) -> bool:
    """Whether it is still to be read: before the first copy, until nodes could be read."""
    progress = situation.progress
    return situation.wants_clones and progress.headroom != situation.epoch


def is_settled(room: Headroom | None, *, copying: bool) -> bool:
    """Whether there is nothing more to read: all is known, or the first copy is made."""
    return copying or (room is not None and room.used_cpu is not None)


def read(situation: Situation) -> Headroom | None:
    """Read it, once all Deployments are there, because they say what is asked for; else None."""
    room, asked = situation.snapshot.room, _asked(situation)
    if room is None or asked is None:
        return None
    nodes = found(room.nodes)
    total = sum((node.allocatable for node in nodes or ()), Amount())
    used, problem = _used(situation, room)
    known = Headroom(
        nodes=len(nodes or ()),
        cpu=total.cpu,
        memory=total.memory,
        used_cpu=used.cpu if used else None,
        used_memory=used.memory if used else None,
        problem=problem[:160],
        quota_problem=room.quotas.reason[:60] if isinstance(room.quotas, Unknown) else "",
        asked=asked,
    )
    return known.model_copy(update={"quota": _short_quota(situation, room, known.all_asked)[:160]})


def _asked(situation: Situation) -> dict[str, Asked] | None:
    asked: dict[str, Asked] = {}
    for role in situation.roles:
        live = found(situation.deployment(role))
        if live is None:
            return None
        spec = live["spec"]
        each = sum(
            (one.requests for one in read_bounds(spec["template"]["spec"]).values()), Amount()
        )
        asked[role.value] = Asked(pods=spec.get("replicas", 1), cpu=each.cpu, memory=each.memory)
    return asked


def _used(situation: Situation, room: RoomReading) -> tuple[Amount | None, str]:
    """Give what the nodes use without our pods, or why that is not known."""
    nodes, usage = room.nodes, room.usage
    if not isinstance(nodes, Found):
        return None, f"nodes are not known ({_why(nodes, 'nodes')})"
    if not nodes.value:
        return None, "no node takes pods without a toleration"
    if not isinstance(usage, Found):
        return None, f"what nodes use is not known ({_why(usage, 'metrics API')})"
    lacking = [node.name for node in nodes.value if node.name not in usage.value]
    if lacking:
        return None, f"what {len(lacking)} of {len(nodes.value)} nodes use is not known"
    samples = found(situation.snapshot.usage) or {}
    ours = (samples[pod.name].total for pod in situation.pods if pod.name in samples)
    total = sum((usage.value[node.name] for node in nodes.value), Amount())
    return total - sum(ours, Amount()), ""


def _why(item: Missing | Unknown, what: str) -> str:
    return item.reason if isinstance(item, Unknown) else f"the cluster has no {what}"


_QUOTA_NAMES: Final = {
    "requests.cpu": "cpu",
    "cpu": "cpu",
    "requests.memory": "memory",
    "memory": "memory",
}


def _short_quota(situation: Situation, room: RoomReading, asked: Amount) -> str:
    """Name a quota that leaves too little for the pods of ours that do not run yet."""
    running = sum((pod.requests for pod in situation.pods), Amount())
    missing = asked - running
    for quota in found(room.quotas) or ():
        status = quota.get("status") or {}
        for name, kind in _QUOTA_NAMES.items():
            if name not in (status.get("hard") or {}):
                continue
            hard, used = (
                getattr(read_amount({kind: (status.get(part) or {}).get(name, 0)}), kind)
                for part in ("hard", "used")
            )
            if 0 < getattr(missing, kind) > hard - used:
                return f"quota {quota['metadata']['name']} leaves too little {name} for the clones"
    return ""


def judge(settings: HeadroomGate, room: Headroom | None, *, copied: bool) -> Gate:
    """Judge it; nothing known is `NotApplicable`. `copied`: the first copy was made."""
    if room is None:
        return _unread(copied=copied)
    rest = f"Clones ask for {amount(room.all_asked)}. {_unknown(room)}."
    gate = Gate(
        name=GateName.HEADROOM,
        result=GateResult.FAILED,
        threshold=f"> {settings.min_cpu_percent}%/{settings.min_memory_percent}%",
        source=METRICS_API if room.used_cpu is not None else "nodes",
    )
    over = room.quota or _too_large(room)
    if over:
        return gate.model_copy(update={"message": f"{over[0].upper()}{over[1:]}. {rest}"})
    if room.used_cpu is None or room.used_memory is None or not room.cpu or not room.memory:
        text = f"Headroom is not judged: {room.problem}. {rest}"
        return gate.model_copy(update={"result": GateResult.NOT_APPLICABLE, "message": text})
    shares = 1 - room.used_cpu / room.cpu, 1 - room.used_memory / room.memory
    wanted = settings.min_cpu_percent, settings.min_memory_percent
    enough = all(100 * have > least for have, least in zip(shares, wanted, strict=True))
    of_cpu, of_memory = (percent(max(0.0, share), 0) for share in shares)
    free = Amount(room.cpu, room.memory) - Amount(room.used_cpu, room.used_memory)
    return gate.model_copy(
        update={
            "result": GateResult.PASSED if enough else GateResult.FAILED,
            "observed": f"{of_cpu}/{of_memory}",
            "message": (
                f"{of_cpu} of CPU and {of_memory} of memory ({amount(free)}) were free on "
                f"{_nodes(room.nodes)} before the start. {rest}"
            ),
        }
    )


def _unread(*, copied: bool) -> Gate:
    result = GateResult.NOT_APPLICABLE if copied else GateResult.INCONCLUSIVE
    text = (
        "Headroom was not read before the first copy."
        if copied
        else "It is read once the clones' Deployments are there."
    )
    return Gate(name=GateName.HEADROOM, result=result, message=text)


def _unknown(room: Headroom) -> str:
    """Say what is not known whatever is measured."""
    if room.quota_problem:
        return f"Network and quotas are not known (no Prometheus; {room.quota_problem})"
    return "Network is not known without Prometheus"


def _too_large(room: Headroom) -> str:
    """Say that nodes can't hold the clones, whatever else runs."""
    if not room.nodes:
        return ""
    free = Amount(room.cpu, room.memory) - Amount(room.used_cpu or 0, room.used_memory or 0)
    asked = room.all_asked
    if asked.cpu <= free.cpu and asked.memory <= free.memory:
        return ""
    return f"{_nodes(room.nodes)} with {amount(free)} free can't hold the clones"


def _nodes(number: int) -> str:
    return "1 node" if number == 1 else f"{number} nodes"


def sentence(room: Headroom) -> str:
    """Say what the pods of each role ask for, and what was free, for status."""
    parts = (
        f"{role} {one.pods} x {_each(Amount(one.cpu, one.memory))}"
        for role, one in room.asked.items()
    )
    asked = f"Asked for: {', '.join(parts)}."
    if room.used_cpu is None or room.used_memory is None:
        return f"{asked} Free: {room.problem}."
    free = Amount(room.cpu, room.memory) - Amount(room.used_cpu, room.used_memory)
    return f"{asked} Free before the start: {amount(free)}."


def _each(asked: Amount) -> str:
    known = [cpu(asked.cpu)] if asked.cpu else []
    return " and ".join([*known, *([memory(asked.memory)] if asked.memory else [])]) or "nothing"
