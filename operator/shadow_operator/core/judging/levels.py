"""How often the judge may be wrong: levels of its bounds, over a whole run and all its looks."""

from typing import Final

PASSING: Final = 0.05
"""Chance that a gate passes at any look although what it judges is not good enough. As
`ProceedToCanary` needs every gate, all of them together have no larger one."""
FAILING: Final = 0.001
"""Chance that a gate fails at any look although what it judges is good enough. By the union bound
the eight gates that fail by a bound (match rate, routes, errors, timeouts, both latencies,
throughput, growth of memory) are wrong in less than one run of a hundred, with room for the tests
that tell noise from change (`core/counting/noise`: 0.0001 for each noisy place)."""
