"""How often the gate `memory-growth` fails what does not leak, and how soon it finds a leak.

Every series is judged at every interval, as the operator does.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from statistics import median
from typing import Final

from shadow_operator.api.enums import GateResult
from tests.support import memory
from tests.support.memory import Make, collected, constant, leak, noisy, rise, seeded, steps

QUIET: Final = noisy(constant)
HARMLESS: Final[dict[str, tuple[Make, Make]]] = {
    "constant": (QUIET, QUIET),
    "constant, noise of 3 MiB, 0.9 alike": (noisy(constant, 3, 0.9), noisy(constant, 3, 0.9)),
    "rise of 80 MiB, 5 min": (noisy(rise(300)), QUIET),
    "rise of 80 MiB, 10 min": (noisy(rise(600)), QUIET),
    "rise of 80 MiB, 20 min": (noisy(rise(1200)), QUIET),
    "rise of 200 MiB, 60 min, in both": (noisy(rise(3600, 200)), noisy(rise(3600, 200))),
    "collector, 1 min": (collected(60), collected(60)),
    "collector, 5 min": (collected(300), collected(300)),
    "collector, 10 min": (collected(600, 40), collected(600, 40)),
    "collector, 5 min, in the new version only": (collected(300), QUIET),
    "steps": (steps, steps),
}
LEAKS: Final[dict[str, tuple[Make, Make]]] = {
    f"leak of 1 MiB/min, noise of {deviation} MiB, {alike} alike": (
        noisy(leak, deviation, alike),
        noisy(constant, deviation, alike),
    )
    for deviation, alike in ((0.5, 0.5), (1, 0.7), (2, 0.8), (2, 0.9))
}


def judged(makes: tuple[Make, Make], seed: int, hours: float) -> Iterator[tuple[float, GateResult]]:
    """Judge one pair of series in every interval: seconds since the start, and the result."""
    shadow, reference = makes
    seen = memory.watched(shadow(seeded(seed)), reference(seeded(seed + 100_000)), hours)
    for usage in seen:
        yield usage.asked, memory.growth(usage).result


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--hours", type=float, default=3.0)
    given = parser.parse_args()
    for name, makes in HARMLESS.items():
        failed, ends = 0, Counter[str]()
        for seed in range(given.series):
            results = [result for _, result in judged(makes, seed, given.hours)]
            failed += GateResult.FAILED in results
            ends[results[-1]] += 1
        print(
            f"{name}: {failed} of {given.series} failed ever; at the end {dict(ends)}", flush=True
        )
    for name, makes in LEAKS.items():
        found = sorted(
            next((t for t, result in judged(makes, s, 1.5) if result is GateResult.FAILED), 1e9)
            for s in range(given.series)
        )
        early = sum(time <= 1800 for time in found)
        print(
            f"{name}: median {median(found) / 60:g} min, {early} of {given.series} within 30 min, "
            f"{sum(t <= 5400 for t in found)} within 90",
            flush=True,
        )


if __name__ == "__main__":
    main()
