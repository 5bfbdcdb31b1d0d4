"""What one resource writes to the API server in a day: `python -m bench.evidence [intervals]`.

A day of a healthy service with twelve noisy fields is played through `plan`, interval by interval,
with real comparing and counting (`tests/support/counting`). Bytes are those of the JSON sent.
"""

import json
import sys
from dataclasses import dataclass, field
from typing import Final

from shadow_operator.core.snapshot import Amount, Manifest, Pod
from tests.support.counting import CountingWorld, noisy
from tests.support.world import mirroring

INTERVAL: Final = 30.0
DAY: Final = int(86_400 / INTERVAL)
REQUESTS: Final = 60
"""In an interval; more of them make counts longer by some digits and nothing else."""
MIB: Final = 1 << 20


@dataclass
class Writes:
    """Writes of one kind of object."""

    sizes: list[int] = field(default_factory=list)

    def add(self, body: Manifest | None) -> None:
        """Count a write, if it is one."""
        if body is not None:
            self.sizes.append(len(json.dumps(body, separators=(",", ":"))))

    def line(self, name: str, intervals: int) -> str:
        """Give the row of the table."""
        number, total = len(self.sizes), sum(self.sizes)
        a_day = total * DAY / intervals / MIB
        mean, largest = total / max(1, number) / 1024, max(self.sizes, default=0) / 1024
        return f"{name:10} {number:7,} {mean:9.1f} {largest:9.1f} {a_day:9.1f}"


def used(pod: Pod) -> Amount:
    """Use a little, not always the same."""
    return Amount(100 + hash(pod.name) % 20, 128 * MIB)


def day(intervals: int) -> dict[str, Writes]:
    """Play so many intervals of a day; give what was written."""
    world = CountingWorld(reference=noisy, shadow=noisy, usage=used)
    world.traffic = 0
    world.edit(soakSeconds=172_800)
    world.until(mirroring)
    world.traffic = REQUESTS
    written = {"evidence": Writes(), "status": Writes()}
    for number in range(intervals):
        plan = world.reconcile(INTERVAL)
        written["evidence"].add(plan.evidence)
        written["status"].add(plan.status)
        world.plans.clear()
        if sys.stderr.isatty():
            print(f"\r{number * INTERVAL / 3600:.1f} h", end="", file=sys.stderr)
    return written


def main() -> None:
    """Print a table."""
    intervals = int(sys.argv[1]) if sys.argv[1:] else DAY
    print("            writes  KiB mean   largest   MiB/day")
    for name, writes in day(intervals).items():
        print(writes.line(name, intervals))


if __name__ == "__main__":
    main()
