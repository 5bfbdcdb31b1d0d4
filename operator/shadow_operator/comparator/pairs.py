"""From a copy to a pair: bounds, fan-out, controls, order."""

import asyncio
import random
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from shadow_operator.comparator.client import Address, Client
from shadow_operator.comparator.clones import Clones
from shadow_operator.comparator.copy import Copy, Policy, Shed, Skip, admit
from shadow_operator.comparator.counts import Counts, Question, Result, RouteRules, RouteTally
from shadow_operator.comparator.plant import Planter
from shadow_operator.comparator.room import Room

MAX_PAIRS: Final = 512
"""Pairs under way, waiting ones included."""
MAX_BYTES: Final = 96 << 20
"""Bodies of copies and answers of pairs under way, in memory."""
MAX_RECEIVING: Final = 32 << 20
"""Bodies of copies that are not complete yet; of their own, so that a mirror that stalls takes
nothing from the pairs under way."""
MAX_EXTRA: Final = 16
"""Extra controls under way."""


log = structlog.get_logger()


class RateLimit:
    """At most so many copies per second, with a burst of one second."""

    def __init__(self, now: float) -> None:
        self._tokens = 0.0
        self._last = now

    def allows(self, per_second: int, now: float) -> bool:
        """Take one if there is one."""
        self._tokens = min(per_second, self._tokens + (now - self._last) * per_second)
        self._last = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class _Line:
    """Pairs under way of one session: an unsafe one waits for all before it, all wait for it."""

    __slots__ = ("_reads", "_write")

    def __init__(self) -> None:
        self._write: asyncio.Task[None] | None = None
        self._reads: set[asyncio.Task[None]] = set()

    @property
    def empty(self) -> bool:
        return self._write is None and not self._reads

    def before(self, *, safe: bool) -> "Collection[asyncio.Task[None]]":
        """Return what the next pair has to wait for."""
        write = {self._write} if self._write is not None else set()
        return write if safe else write | self._reads

    def join(self, task: "asyncio.Task[None]", *, safe: bool) -> None:
        """Add a pair that waits for what `before` gave."""
        if safe:
            self._reads.add(task)
        else:
            self._write, self._reads = task, set()

    def leave(self, task: "asyncio.Task[None]") -> None:
        """Take out a pair that is done."""
        self._reads.discard(task)
        if self._write is task:
            self._write = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which pods one copy goes to."""

    addresses: Sequence[Address]
    """Shadow, then reference and control where there are such, then those that only take part."""
    paired: bool
    controlled: bool


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A counted pair that differed, and what an extra control has to be compared with."""

    question: Question
    tally: RouteTally
    plan: _Plan
    reference: Result
    rules: RouteRules


class Pairs:
    """The intake of the data port and the owner of all pairs under way.

    Order: only where unsafe methods are copied does an answer depend on what came before. Then
    pairs of one session (credentials, else the mirror's connection) keep their order around every
    unsafe one; safe ones between two unsafe ones run side by side.
    """

    def __init__(
        self,
        policy: Policy,
        counts: Counts,
        client: Client,
        shadows: Clones,
        references: Clones,
        *,
        clock: Callable[[], float],
        random_: random.Random | None = None,
    ) -> None:
        self.policy = policy
        self.counts = counts
        self.client = client
        self.shadows = shadows
        self.references = references
        self.draining = False
        self._clock = clock
        self._loop = client.loop
        self._random = random_ or random.Random()  # noqa: S311 - draws the sample
        self._tasks: dict[asyncio.Task[None], Copy] = {}
        self._receiving = Room(MAX_RECEIVING)
        self._extra = 0
        self._lines: dict[int, _Line] = {}
        self._rate = RateLimit(self._loop.time())
        self._planter = Planter()
        self.fed = self._loop.time()
        """When the operator last read the snapshot, on the loop's clock."""

    @property
    def in_flight(self) -> int:
        """Pairs under way."""
        return len(self._tasks)

    # -- intake

    def admit(
        self, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], connection: int
    ) -> Copy | None:
        """Count a copy, and decide whether it is compared."""
        counts = self.counts
        counts.received += 1
        copy = admit(self.policy, method, target, headers, connection)
        if isinstance(copy, Skip):
            counts.skipped[copy] += 1
            return None
        counts.eligible += 1
        for name in copy.credentials:
            counts.credentials[name] += 1
        reason = self._refusal()
        if reason is not None:
            counts.shed[reason] += 1
            return None
        return copy

    def _refusal(self) -> Shed | None:
        config = self.policy.config
        now = self._loop.time()
        if self.draining:
            return Shed.DRAINING
        if now - self.fed > config.dead_man_seconds:
            return Shed.DEAD_MAN
        limit = config.max_requests_per_second
        if limit is not None and not self._rate.allows(limit, now):
            return Shed.RATE_LIMIT
        if not self.shadows.addresses:
            return Shed.NO_SHADOW
        if config.reference is not None and not self.references.addresses:
            return Shed.NO_REFERENCE
        return Shed.OVERLOAD if len(self._tasks) >= MAX_PAIRS else None

    def hold(self, copy: Copy, amount: int) -> bool:
        """Take memory for a part of a copy's body."""
        if copy.held + amount > self.policy.config.max_body_bytes:
            reason = Shed.BODY_TOO_LARGE
        elif not self._receiving.take(amount):
            reason = Shed.OVERLOAD
        else:
            copy.held += amount
            return True
        self._drop(copy)
        self.counts.shed[reason] += 1
        return False

    def lose(self, copy: Copy) -> None:
        """Forget a copy whose connection broke before it was complete."""
        self.counts.shed[Shed.BROKEN] += 1
        self._drop(copy)

    def _drop(self, copy: Copy) -> None:
        self._receiving.give(copy.held)
        copy.held = 0

    def take(self, copy: Copy, body: bytes) -> None:
        """Start the pair of a complete copy."""
        if len(self._tasks) >= MAX_PAIRS or not self.client.memory.take(copy.held):
            self.counts.shed[Shed.OVERLOAD] += 1
            self._drop(copy)
            return
        self._receiving.give(copy.held)
        key = copy.session or copy.connection
        line = self._lines.setdefault(key, _Line()) if self.policy.ordered else None
        before = line.before(safe=copy.safe) if line is not None else ()
        task = self._loop.create_task(self._pair(copy, body, before))
        self._tasks[task] = copy
        task.add_done_callback(self._ended)
        if line is not None:
            line.join(task, safe=copy.safe)
            task.add_done_callback(lambda done: self._leave(key, line, done))

    def _ended(self, task: "asyncio.Task[None]") -> None:
        copy = self._tasks.pop(task)
        error = None if task.cancelled() else task.exception()
        if not copy.counted:
            if task.cancelled():
                self.counts.shed[Shed.DRAINING] += 1
            elif error is not None:
                self.counts.shed[Shed.INTERNAL] += 1
        if error is not None:
            # The message could hold a value; where it happened can't.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            log.error("pair failed", error=type(error).__name__, at=f"{frame.name}:{frame.lineno}")

    def _leave(self, key: int, line: "_Line", task: "asyncio.Task[None]") -> None:
        line.leave(task)
        if line.empty and self._lines.get(key) is line:
            del self._lines[key]

    async def drained(self, seconds: float) -> None:
        """Wait until no pair is under way, so long at most; give up and count the others."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    # -- one pair

    async def _pair(
        self, copy: Copy, body: bytes, before: Collection["asyncio.Task[None]"]
    ) -> None:
        results: list[Result] = []
        try:
            if before:
                await asyncio.wait(before)
            request = copy.request(body)
            doubt = await self._measure(copy, request, results)
            copy.counted = True
            if doubt is not None:
                await self._control_again(copy, request, doubt, results)
        finally:
            self.client.memory.give(copy.held + sum(result.held for result in results))

    async def _measure(self, copy: Copy, request: bytes, results: list[Result]) -> "_Doubt | None":
        """Call the pods and count the pair; return what an extra control could clear up."""
        plan = self._plan(copy)
        if isinstance(plan, Shed):
            self.counts.shed[plan] += 1
            return None
        answers = await self._calls(copy, request, plan.addresses, results)
        tally = self.counts.tally(copy.method, copy.path)
        if not plan.paired:
            tally.alone(answers[0])
            return None
        shadow, reference = answers[:2]
        rules = self.policy.rules.of(copy.method, tally.route.template)
        if self.policy.config.plant_faults:
            shadow = self._planter.changed(shadow, rules.hinted)
        question = tally.pair(
            shadow,
            reference,
            answers[2] if plan.controlled else None,
            rules,
            now=self._clock(),
            request_id=copy.request_id,
            whole=copy.whole,
        )
        if question is None or not copy.safe or self._extra >= MAX_EXTRA:
            return None
        for result in results:  # while the control is waited for, the bytes are enough
            if result.answer is not None:
                result.answer.forget()
        return _Doubt(question, tally, plan, reference, rules)

    async def _control_again(
        self, copy: Copy, request: bytes, doubt: _Doubt, results: list[Result]
    ) -> None:
        """Ask another reference pod, because the pair differed."""
        another = self.references.another(doubt.plan.addresses[1])
        if another is None:
            return
        doubt.question.ask()
        self._extra += 1
        try:
            extra = [another, *self._balance(doubt.plan.addresses[0])]
            control = (await self._calls(copy, request, extra, results))[0]
        finally:
            self._extra -= 1
        doubt.tally.control(doubt.question, doubt.reference, control, doubt.rules)

    def _plan(self, copy: Copy) -> "_Plan | Shed":
        """Choose the pods of a pair."""
        shadow = self.shadows.choose(copy.session)
        reference = self.references.choose(copy.session)
        paired = self.policy.config.reference is not None
        if shadow is None:
            return Shed.NO_SHADOW
        if paired and reference is None:
            return Shed.NO_REFERENCE
        addresses = [shadow]
        control = None
        if reference is not None:
            addresses.append(reference)
            control = self._control(copy, reference)
        if control is not None:
            addresses.append(control)
            addresses += self._balance(shadow) if copy.safe else ()
        if not copy.safe:
            # State must be the same in every clone: each gets the request exactly once.
            everyone = (*self.shadows.addresses, *self.references.addresses)
            addresses += [address for address in everyone if address not in addresses]
        return _Plan(addresses, paired=paired, controlled=control is not None)

    def _balance(self, shadow_at: Address) -> Sequence[Address]:
        """Give the shadow pod that is called along with a control, its answer unused.

        Otherwise the reference would serve more than the shadow, and everything that depends on
        load, from a latency to a counter in an answer, would differ for that reason alone.
        """
        other = self.shadows.another(shadow_at)
        return () if other is None else (other,)

    def _control(self, copy: Copy, reference_at: Address) -> Address | None:
        if copy.safe and self._random.random() * 100 >= self.policy.config.control_percent:
            return None
        return self.references.another(reference_at)

    async def _calls(
        self, copy: Copy, request: bytes, addresses: Sequence[Address], results: list[Result]
    ) -> Sequence[Result]:
        """Call all at once; what they hold in memory is given back with the pair."""
        timeout = self.policy.config.timeout_seconds
        calls = [
            self.client.call(
                address,
                request,
                timeout=timeout,
                head_only=copy.method == "HEAD",
                safe=copy.safe,
            )
            for address in addresses
        ]
        answers = [await call for call in calls]
        results += answers
        return answers
