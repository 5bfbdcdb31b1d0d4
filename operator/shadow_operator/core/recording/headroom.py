"""Headroom: how much room there was before the first copy of an epoch (runbook, 1.2).

What pods of the whole cluster ask for is not read, since that would mean listing every pod for one
number; what its nodes use stands for it. What our own pods use is taken off, so that an epoch which
begins with clones that run is judged as if they did not. What production's autoscaler may still ask
for counts as used.
"""

from pydantic import BaseModel, ConfigDict

from shadow_operator.api.enums import GateName, GateResult
from shadow_operator.api.spec import HeadroomGate
from shadow_operator.api.status import Gate
from shadow_operator.core.recording.usage import METRICS_API
from shadow_operator.core.snapshot import Amount
from shadow_operator.core.wording import all_of, amount, cpu, memory, percent


class Asked(BaseModel):
    """What some pods ask for."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pods: int
    cpu: int
    """Millicores, each pod."""
    memory: int
    """Bytes, each pod."""

    @property
    def all(self) -> Amount:
        """What they ask for together."""
        return Amount(self.cpu, self.memory) * self.pods


class Network(BaseModel):
    """The network of the nodes that take pods, in bytes a second."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    speed: int
    """What all their cards can carry in one direction."""
    used: int
    """What they carry, of each node in its busier direction. Our own pods' part is in it."""


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
    """What is not known of that, and why, as a clause."""
    network: Network | None = None
    """None: not known."""
    network_problem: str = ""
    """Why it is not known though there is a Prometheus, as a clause."""
    quota: str = ""
    """Which quota leaves too little for the clones, as a clause."""
    quota_problem: str = ""
    """Why quotas could not be read, as a clause."""
    asked: dict[str, Asked] = {}
    """Role -> what its pods ask for."""
    autoscaler: Asked | None = None
    """Pods that production's autoscaler may still add; None: none, or not known."""
    autoscaler_problem: str = ""
    """Why autoscalers could not be read, as a clause."""

    @property
    def all_asked(self) -> Amount:
        """What all our pods ask for."""
        return sum((one.all for one in self.asked.values()), Amount())

    @property
    def kept(self) -> Amount:
        """What is kept free for production's autoscaler."""
        return self.autoscaler.all if self.autoscaler else Amount()

    @property
    def wanted_by(self) -> str:
        """Who needs room, in words."""
        return f"the clones and {_more(self.autoscaler)}" if self.autoscaler else "the clones"


def is_settled(room: Headroom | None, *, copying: bool) -> bool:
    """Whether there is nothing more to read: all is known, or the first copy is made."""
    known = room is not None and room.used_cpu is not None and not room.network_problem
    return copying or known


def judge(settings: HeadroomGate, room: Headroom | None, *, copied: bool) -> Gate:
    """Judge what is known; nothing known is `NotApplicable`. `copied`: the first copy was made."""
    if room is None:
        return _unread(copied=copied)
    shares = _free_shares(room)
    wanted = (settings.min_cpu_percent, settings.min_memory_percent, settings.min_network_percent)
    judged = list(zip(shares, wanted, strict=False))
    gate = Gate(
        name=GateName.HEADROOM,
        result=GateResult.FAILED,
        threshold="> " + "/".join(f"{least}%" for _, least in judged),
        source=METRICS_API if room.used_cpu is not None else "nodes",
    )
    if any(share is not None for share in shares):
        gate = gate.model_copy(update={"observed": "/".join(map(_share, shares))})
    if over := room.quota or _too_large(room):
        text = f"{over[0].upper()}{over[1:]}. {_rest(room)}"
        return gate.model_copy(update={"message": text})
    result = GateResult.NOT_APPLICABLE if None in shares else GateResult.PASSED
    if any(share is not None and 100 * share <= least for share, least in judged):
        result = GateResult.FAILED
    text = f"{_what_was_free(room)} {_rest(room)}"
    return gate.model_copy(update={"result": result, "message": text})


def _free(room: Headroom) -> Amount:
    return Amount(room.cpu, room.memory) - Amount(room.used_cpu or 0, room.used_memory or 0)


def _free_shares(room: Headroom) -> tuple[float | None, ...]:
    """Give the free share of CPU, memory and, where it is known, network; None: not known."""
    network = (1 - room.network.used / room.network.speed,) if room.network else ()
    if room.used_cpu is None or room.used_memory is None or not room.cpu or not room.memory:
        return None, None, *network
    used = Amount(room.used_cpu, room.used_memory) + room.kept
    return 1 - used.cpu / room.cpu, 1 - used.memory / room.memory, *network


def _share(share: float | None) -> str:
    return "?" if share is None else percent(max(0.0, share), 0)


def _unread(*, copied: bool) -> Gate:
    result = GateResult.NOT_APPLICABLE if copied else GateResult.INCONCLUSIVE
    text = (
        "Headroom was not read before the first copy."
        if copied
        else "It is read once the clones' Deployments are there."
    )
    return Gate(name=GateName.HEADROOM, result=result, message=text)


def _what_was_free(room: Headroom) -> str:
    of_cpu, of_memory, *of_network = map(_share, _free_shares(room))
    network = [f"{share} of network" for share in of_network]
    if room.used_cpu is None:
        free = f" {network[0]} was free on {_nodes(room.nodes)}." if network else ""
        return f"CPU and memory are not judged: {room.problem}.{free}"
    shares = all_of([f"{of_cpu} of CPU", f"{of_memory} of memory", *network])
    free = f"{shares} were free on {_nodes(room.nodes)} ({amount(_free(room) - room.kept)})"
    return f"{free}, leaving room for {_more(room.autoscaler)}." if room.autoscaler else f"{free}."


def _rest(room: Headroom) -> str:
    """Say what else there is to say, whatever is free."""
    parts = (
        ""
        if room.network
        else f"Network is not judged: {room.network_problem or 'no Prometheus'}.",
        f"Clones ask for {amount(room.all_asked)}." if room.asked else "",
        f"Quotas are not known ({room.quota_problem})." if room.quota_problem else "",
        f"Autoscalers are not known ({room.autoscaler_problem})."
        if room.autoscaler_problem
        else "",
    )
    return " ".join(filter(None, parts))


def _too_large(room: Headroom) -> str:
    """Say that nodes can't hold what needs room, whatever else runs."""
    if not room.nodes:
        return ""
    free, asked = _free(room), room.all_asked + room.kept
    if asked.cpu <= free.cpu and asked.memory <= free.memory:
        return ""
    return f"{_nodes(room.nodes)} with {amount(free)} free can't hold {room.wanted_by}"


def _more(autoscaler: Asked) -> str:
    pods = "1 more pod" if autoscaler.pods == 1 else f"{autoscaler.pods} more pods"
    return f"{pods} of production's autoscaler"


def _nodes(number: int) -> str:
    return "1 node" if number == 1 else f"{number} nodes"


def sentence(room: Headroom) -> str:
    """Say what the pods of each role ask for, and what was free, for status."""
    parts = (
        f"{role} {one.pods} x {_each(Amount(one.cpu, one.memory))}"
        for role, one in room.asked.items()
    )
    asked = f"Asked for: {', '.join(parts)}. " if room.asked else ""
    if room.used_cpu is None or room.used_memory is None:
        return f"{asked}Free: {room.problem}."
    return f"{asked}Free before the start: {amount(_free(room) - room.kept)}."


def _each(asked: Amount) -> str:
    known = [cpu(asked.cpu)] if asked.cpu else []
    return " and ".join([*known, *([memory(asked.memory)] if asked.memory else [])]) or "nothing"
