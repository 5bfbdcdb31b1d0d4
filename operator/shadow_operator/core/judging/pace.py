"""How many pairs a day there are, and when they are enough for a verdict if nothing differs."""

from dataclasses import dataclass
from typing import Final

from shadow_operator.api.base import ratio
from shadow_operator.api.enums import GateMode, GateName, ReferenceMode
from shadow_operator.api.spec import Spec
from shadow_operator.core.judging import latency, levels
from shadow_operator.core.numbers import excess
from shadow_operator.core.numbers.sequential import trials_below
from shadow_operator.core.recording.ledger import Ledger
from shadow_operator.core.wording import count, duration, percent

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Rate:
    """Production's requests."""

    per_second: float
    eligible: float
    """Share of a method and path that is compared, 0..1."""
    source: str
    """Where that is from, as a clause."""


@dataclass(frozen=True, slots=True)
class Expected:
    """When there can be a verdict."""

    sentence: str
    too_long: bool = False
    """Not before `maxDurationSeconds`."""


def told(per_second: float) -> Rate:
    """Give the rate that a person says."""
    return Rate(per_second, 1.0, "as you say")


def recorded(ledger: Ledger | None, now: float) -> Rate | None:
    """Give the mean rate of the last day as it was recorded; None where nothing was."""
    course = [one for one in (ledger.production if ledger else ()) if now - one.end < DAY]
    seconds, requests = sum(one.seconds for one in course), sum(one.requests for one in course)
    if ledger is None or not seconds or not requests:
        return None
    whole = ledger.coverage
    eligible = whole.eligible / whole.requests if whole.requests else 1.0
    return Rate(requests / seconds, eligible, f"recorded over {duration(seconds)}")


def needed_pairs(spec: Spec) -> int | None:
    """Say how many pairs without a difference decide every Required gate; None: none ever do."""
    wanted = [spec.gates.minimum_pairs.total]
    compares = spec.reference.mode is not ReferenceMode.NONE
    if compares and _required(spec, GateName.MATCH_RATE):
        least = 1 - ratio(spec.gates.match_rate.min_percent)
        found = trials_below(0, least, levels.PASSING)
        if found is None:
            return None
        wanted.append(found)
    for name, gate in (
        (GateName.SHADOW_ERRORS, spec.gates.shadow_errors),
        (GateName.TIMEOUTS, spec.gates.timeouts),
    ):
        if _required(spec, name):
            found = excess.requests_below(0, 0, ratio(gate.max_excess_percent), levels.PASSING)
            wanted.append(found or 0)
    if any(_required(spec, name) for name in (GateName.LATENCY_P50, GateName.LATENCY_P99)):
        wanted.append(latency.LEAST_PAIRS)
    return max(wanted)


def expected(spec: Spec, rate: Rate | None) -> Expected:
    """Say how long it takes to a verdict where nothing differs."""
    pairs = needed_pairs(spec)
    soak = f"the soak takes {duration(spec.soak_seconds)}"
    if pairs is None:
        text = "No number of pairs proves 100 %; set gates.matchRate.minPercent below."
        return Expected(text, too_long=True)
    if rate is None:
        text = f"A run without a difference needs {count(pairs)} pairs, and {soak}"
        return Expected(f"{text}; --requests-per-second says how many days that is.")
    each = rate.per_second * rate.eligible * spec.sampling_percent / 100
    each = min(each, spec.mirror.max_requests_per_second or each)
    if each <= 0:
        return Expected("Nothing would be copied: set samplingPercent.", too_long=True)
    takes = max(pairs / each, spec.soak_seconds)
    text = (
        f"{rate.per_second:.3g} requests/s ({rate.source}), {percent(rate.eligible, 0)} eligible, "
        f"{spec.sampling_percent}% copied: about {count(round(each * DAY))} pairs a day. A run "
        f"without a difference needs {count(pairs)}, {duration(pairs / each)}; {soak}. A verdict "
        f"comes after {duration(takes)}"
    )
    too_long = takes > spec.max_duration_seconds
    more = f", more than maxDurationSeconds ({duration(spec.max_duration_seconds)})"
    return Expected(f"{text}{more if too_long else ''}.", too_long)


def _required(spec: Spec, gate: GateName) -> bool:
    return spec.mode(gate) is GateMode.REQUIRED
