"""How often the gate `memory-growth` is wrong, and how soon it finds a leak.

Every series is judged at every interval of a soak and a quarter, as the operator does. Between two
looks the gate says the same (`core/numbers/looks`, tests/unit/test_growth.py), so it is asked in
the intervals that bring a new one.
"""

import argparse
from collections.abc import Iterator
from math import inf
from typing import Final, TypeAlias

from shadow_operator.api.enums import GateResult
from tests.support import memory
from tests.support.memory import (
    Make,
    collected,
    constant,
    growing,
    leak,
    noisy,
    rise,
    seeded,
    steps,
)

Pair: TypeAlias = tuple[Make, Make]
"""Shadow and reference."""

HOUR: Final = 3600.0
SHORT: Final = 3 * HOUR
"""The shortest soak in which the gate can pass."""
DAY: Final = 24 * HOUR
ALLOWED: Final = 25.6
"""MiB a day: 5 % of the limit."""
QUIET: Final = noisy(constant)
LASTING: Final = noisy(constant, 3, 0.9)
SLOW: Final = collected(600, 40)
HARMLESS: Final[dict[str, Pair]] = {
    "constant": (QUIET, QUIET),
    "constant, noise of 3 MiB, 0.9 alike": (LASTING, LASTING),
    "rise of 80 MiB, 5 min": (noisy(rise(300)), QUIET),
    "rise of 80 MiB, 10 min": (noisy(rise(600)), QUIET),
    "rise of 80 MiB, 20 min": (noisy(rise(1200)), QUIET),
    "rise of 200 MiB, 60 min, in both": (noisy(rise(3600, 200)), noisy(rise(3600, 200))),
    "collector, 1 min": (collected(60), collected(60)),
    "collector, 5 min": (collected(300), collected(300)),
    "collector, 10 min": (SLOW, SLOW),
    "collector, 5 min, in the new version only": (collected(300), QUIET),
    "steps": (steps, steps),
}
LEAKING: Final[dict[str, Pair]] = {
    "constant, with the leak that is allowed": (growing(QUIET, ALLOWED), QUIET),
    "noise of 3 MiB, with the leak that is allowed": (growing(LASTING, ALLOWED), LASTING),
    "collector, 10 min, with the leak that is allowed": (growing(SLOW, ALLOWED), SLOW),
    "steps, with the leak that is allowed": (growing(steps, ALLOWED), steps),
}
"""Just too large to pass."""
SLOWLY: Final[dict[str, Pair]] = {
    f"leak of {by} MiB/day": (growing(QUIET, by), QUIET) for by in (27, 38)
}
FAST: Final[dict[str, Pair]] = {
    f"noise of {deviation} MiB, {alike} alike": (
        noisy(leak, deviation, alike),
        noisy(constant, deviation, alike),
    )
    for deviation, alike in ((0.5, 0.5), (1, 0.7), (2, 0.8), (2, 0.9))
}
"""Leaks of 1 MiB/min."""
MINUTES: Final = (30, 36, 45, 60, 90)


def judged(pair: Pair, seed: int, soak: float, hours: float) -> Iterator[tuple[float, GateResult]]:
    """Judge one pair of series in every interval that brings a look: seconds, and the result."""
    shadow, reference = pair
    seen = memory.watched(shadow(seeded(seed)), reference(seeded(seed + 100_000)), hours)
    for usage in memory.looks(seen, soak):
        yield usage.asked, memory.growth(usage, soakSeconds=soak).result


def counted(pairs: dict[str, Pair], soak: float, number: int) -> None:
    """Print a line for each pair."""
    for name, pair in pairs.items():
        passed = failed = due = 0
        for seed in range(number):
            results = list(judged(pair, seed, soak, 1.25 * soak / HOUR))
            ever = {result for _, result in results}
            passed += GateResult.PASSED in ever
            failed += GateResult.FAILED in ever
            due += [one for time, one in results if time <= soak][-1] is GateResult.PASSED
        print(
            f"| {name} | {soak / HOUR:g} h | {number} | {failed} | {passed} | {due} |", flush=True
        )


def timed(pairs: dict[str, Pair], number: int) -> None:
    """Print a line for each pair that leaks: how many failed in so many minutes."""
    for name, pair in pairs.items():
        minutes = [
            next((t / 60 for t, one in judged(pair, s, DAY, 1.5) if one is GateResult.FAILED), inf)
            for s in range(number)
        ]
        within = " | ".join(str(sum(one <= most for one in minutes)) for most in MINUTES)
        print(f"| {name} | {number} | {within} |", flush=True)


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=100)
    number: int = parser.parse_args().series
    print("| series | soak | runs | failed ever | passed ever | passed at the soak's end |")
    print("| --- | --- | --- | --- | --- | --- |")
    counted(LEAKING, SHORT, number)
    counted(HARMLESS, SHORT, max(1, 3 * number // 10))
    counted(LEAKING | SLOWLY | HARMLESS, DAY, max(1, number // 20))
    print(f"\n| leak of 1 MiB/min | runs |{''.join(f' {most} min |' for most in MINUTES)}")
    print(f"| --- | --- |{' --- |' * len(MINUTES)}")
    timed(FAST, number)


if __name__ == "__main__":
    main()
