"""Memory of pods as services use it, in MiB over seconds; seeded, for tests and `bench`."""

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from shadow_operator.api.enums import GateName
from shadow_operator.api.status import Gate
from shadow_operator.core.counting.counts import Counts
from shadow_operator.core.counting.tally import tally
from shadow_operator.core.judging.case import Case
from shadow_operator.core.judging.resources import FIRST_LOOK_SECONDS, memory_growth
from shadow_operator.core.numbers.looks import last_look
from shadow_operator.core.numbers.series import KEPT, appended
from shadow_operator.core.recording.ledger import begin
from shadow_operator.core.recording.usage import Run, Usage, UsageRecord, Use
from tests.support.readings import EPOCH, spec

MIB: Final = 1 << 20
INTERVAL: Final = 30.0
LIMIT: Final = 512 * MIB

Memory: TypeAlias = Callable[[float], float]
"""Seconds since the start -> MiB."""
Make: TypeAlias = Callable[[random.Random], Memory]


def seeded(seed: int) -> random.Random:
    """Give the same numbers each time."""
    return random.Random(seed)  # noqa: S311  # no secret


def growing(make: Make, by: float) -> Make:
    """Add a leak of so many MiB a day."""

    def leaking(rng: random.Random) -> Memory:
        without = make(rng)
        return lambda time: without(time) + by * time / 86400

    return leaking


def noisy(shape: Memory, deviation: float = 0.5, alike: float = 0.5) -> Make:
    """Add noise of which neighbouring samples share the part `alike`."""

    def make(rng: random.Random) -> Memory:
        rest = deviation * math.sqrt(1 - alike * alike)
        noise = 0.0

        def at(time: float) -> float:
            nonlocal noise
            noise = alike * noise + rng.gauss(0, rest)
            return shape(time) + noise

        return at

    return make


def constant(_: float) -> float:
    """Use the same all the time."""
    return 150.0


def leak(time: float) -> float:
    """Leak 1 MiB a minute."""
    return 150.0 + time / 60


def rise(seconds: float, by: float = 80.0) -> Memory:
    """Rise at first, with this time constant."""
    return lambda time: 100.0 + by * (1 - math.exp(-time / seconds))


def collected(period: float, by: float = 60.0) -> Make:
    """Give the sawtooth of a garbage collector whose periods vary by half."""

    def make(rng: random.Random) -> Memory:
        begun, ends = -period * rng.random(), period * rng.random()

        def at(time: float) -> float:
            nonlocal begun, ends
            if time >= ends:
                begun, ends = ends, ends + period * rng.uniform(0.5, 1.5)
            return 150.0 + by * (time - begun) / period + rng.gauss(0, 0.5)

        return at

    return make


def steps(rng: random.Random) -> Memory:
    """Hold a level for half an hour or so, then another one."""
    level = 150.0

    def at(_: float) -> float:
        nonlocal level
        if rng.random() < 1 / 60:
            level = 150.0 + rng.choice([0, 4, 8, 12])
        return level + rng.gauss(0, 0.3)

    return at


def use(mib: float, limit: int = LIMIT) -> Use:
    """Give what two pods use that use so much each."""
    size = round(mib * 16) * 65536
    share = round(100 * size / limit) if limit else 0
    return Use(cpu=100, memory=size, largest=size, memory_share=share, pods=2)


def watched(
    shadow: Memory, reference: Memory | None, hours: float, *, limit: int = LIMIT
) -> Iterator[Usage]:
    """Give what is known after each interval."""
    series: tuple[UsageRecord, ...] = ()
    runs = {role: Run(pods="p", since=0.0) for role in ("shadow", "reference")}
    for number in range(1, int(hours * 3600 / INTERVAL) + 1):
        time = number * INTERVAL
        roles: Mapping[str, Use] = {"shadow": use(shadow(time), limit)} | (
            {"reference": use(reference(time), limit)} if reference else {}
        )
        series = appended(series, UsageRecord(time, INTERVAL, roles))
        yield Usage(series=series, taken=time, asked=time, runs=runs, memory_limit=limit)


def looks(seen: Iterable[Usage], soak: float) -> Iterator[Usage]:
    """Leave the intervals that bring a new look; in between the gate says the same."""
    before = 0
    for usage in seen:
        look = last_look(usage.taken, first=FIRST_LOOK_SECONDS, due=soak, kept=KEPT)
        if look.number != before:
            before = look.number
            yield usage


def case(usage: Usage, **changes: object) -> Case:
    """Give what gates look at, with a soak of a day that began with the pods."""
    asked = spec(**changes)
    elapsed = usage.asked
    ledger = begin(EPOCH, now=0.0, interval=INTERVAL).model_copy(update={"usage": usage})
    soak = ledger.soak.model_copy(update={"elapsed": elapsed})
    return Case(
        spec=asked,
        ledger=ledger.model_copy(update={"soak": soak, "last_copy": elapsed}),
        tally=tally(asked, Counts(), interval=INTERVAL),
        soaked=elapsed >= asked.soak_seconds,
    )


def growth(usage: Usage, **changes: object) -> Gate:
    """Judge the growth of memory."""
    gate = memory_growth(case(usage, **changes)).gate
    assert gate.name is GateName.MEMORY_GROWTH
    return gate
