"""The gates on what the shadow uses: within its limits, without growth (docs/verdict.md)."""

from typing import Final

from shadow_operator.api.enums import GateName, GateResult, ReferenceMode
from shadow_operator.api.names import Role
from shadow_operator.api.status import Gate
from shadow_operator.core.judging.case import Case, Outcome, concluded, not_applicable
from shadow_operator.core.judging.levels import FAILING, PASSING
from shadow_operator.core.numbers.growth import Point, Trend, trend
from shadow_operator.core.recording import headroom as room
from shadow_operator.core.recording.usage import METRICS_API, Usage, UsageRecord
from shadow_operator.core.wording import cpu, duration, memory

LASTING_SECONDS: Final = 300.0
"""For so long a limit must be neared: a peak is no state."""
MOST_RESTARTS: Final = 2
"""More in one epoch are no accident."""
STALE_SECONDS: Final = 900.0
"""Without a sample for so long, what is used is not known any more."""
WARM_UP_SECONDS: Final = 600.0
"""The initial rise, which is left out; at least a third of the age of the processes."""
SHORTEST_SOAK: Final = 3600
"""A shorter soak can't show growth."""
LEAST_SECONDS: Final = 1080.0
"""Growth is not judged on less than that after the initial rise."""
MATERIAL: Final = 0.5
"""Share of a day's allowance that must have been seen before growth fails: a slope that is certain
but small may still be the end of a rise."""
_DAY: Final = 86400.0


def headroom(case: Case) -> Outcome:
    """Room in the cluster before the start; kept for the epoch."""
    copied = case.ledger.last_copy is not None or case.tally.attempts > 0
    gate = room.judge(case.spec.gates.headroom, case.ledger.headroom, copied=copied)
    return Outcome(gate, on_course=gate.result is GateResult.INCONCLUSIVE)


def resources(case: Case) -> Outcome:
    """Memory and CPU within limits, no kill for want of memory, no lasting restarts."""
    usage, limit = case.ledger.usage, case.spec.gates.resources.max_percent_of_limit
    gate = Gate(
        name=GateName.RESOURCES,
        result=GateResult.PASSED,
        threshold=f"<= {limit}% of limits" if usage.series else "no restart",
        samples=len(usage.series),
        source=METRICS_API if usage.series else "pods",
    )
    if not usage.asked:
        return not_applicable(gate.name, "Neither restarts nor use were ever looked at.")
    said, over = _restarts_sentence(usage), _over(case, limit)
    text = " ".join(filter(None, (over, _use_sentence(case), said)))
    if usage.killed or usage.restarts > MOST_RESTARTS:
        text = f"{said} {_use_sentence(case)}"
    result = _within(case, over)
    on_course = result is GateResult.INCONCLUSIVE
    return Outcome(concluded(_with_use(case, gate), result, text), on_course=on_course)


def _within(case: Case, over: str) -> GateResult:
    """Judge it. A single restart began the soak anew, and passes with it."""
    usage = case.ledger.usage
    for holds, result in (
        (usage.killed or usage.restarts > MOST_RESTARTS or over, GateResult.FAILED),
        (_fails(case), GateResult.ERROR),
        (usage.restarts and not case.soaked, GateResult.INCONCLUSIVE),
        (not usage.absent and not usage.series, GateResult.INCONCLUSIVE),
    ):
        if holds:
            return result
    return GateResult.PASSED


def _with_use(case: Case, gate: Gate) -> Gate:
    if not case.ledger.usage.series:
        return gate
    use = case.ledger.usage.series[-1].of(Role.SHADOW)
    shares = (("memory", use.memory_share), ("CPU", use.cpu_share))
    known = [f"{what} {share}%" for what, share in shares if share]
    return gate.model_copy(update={"observed": ", ".join(known) or None})


def _restarts_sentence(usage: Usage) -> str:
    if not usage.restarts:
        return "No restart."
    times = "1 restart" if usage.restarts == 1 else f"{usage.restarts} restarts"
    killed = f", {usage.killed} for want of memory" if usage.killed else ""
    return f"{times} in this epoch{killed}; last: {usage.last_restart}."


def _over(case: Case, limit: int) -> str:
    """Say which limit was neared in all records of the last minutes; empty where none was."""
    series = case.ledger.usage.series
    latest = [r for r in series if series[-1].end - r.end < LASTING_SECONDS]
    lasting = sum(record.seconds for record in latest) >= 0.8 * LASTING_SECONDS
    for what, field in (("memory", "memory_share"), ("CPU", "cpu_share")):
        least = min((getattr(r.of(Role.SHADOW), field) for r in latest), default=0)
        if lasting and least > limit:
            span = duration(LASTING_SECONDS)
            return f"For {span} {what} is above {limit}% of its limit ({least}%)."
    return ""


def _fails(case: Case) -> bool:
    """Whether the source gives nothing for so long that what it said before is old.

    Production's pods are measured as well, so it can't be for want of pods.
    """
    usage = case.ledger.usage
    expected = bool(usage.series) or not usage.absent
    return expected and usage.asked - (usage.taken or case.ledger.begun) > STALE_SECONDS


def _use_sentence(case: Case) -> str:
    usage = case.ledger.usage
    if not usage.series or _fails(case):
        why = "the cluster has no metrics API" if usage.absent else usage.problem
        return f"What pods use is not known: {why or 'no sample of them came yet'}."
    use = usage.series[-1].of(Role.SHADOW)
    if not use.pods:
        return "What the shadow uses is not known now."
    return (
        f"Each pod uses {cpu(use.cpu)} and {memory(use.memory)}{_against(usage.series[-1])}, "
        f"the largest {memory(use.largest)}"
        f"{'' if usage.memory_limit else ' without a memory limit'}."
    )


def _against(record: UsageRecord) -> str:
    use, other = record.of(Role.SHADOW), record.of(Role.REFERENCE)
    if not other.pods or not other.memory:
        return ""
    ratio = f"{use.memory / other.memory:.2f}"
    if not other.cpu:
        return f" ({ratio} times the reference's memory)"
    return f" ({use.cpu / other.cpu:.2f} and {ratio} times the reference's)"


# Growth


def memory_growth(case: Case) -> Outcome:
    """Growth of the shadow's memory after the initial rise, in excess of the reference's."""
    name, usage = GateName.MEMORY_GROWTH, case.ledger.usage
    if case.spec.soak_seconds < SHORTEST_SOAK:
        return not_applicable(name, "A soak shorter than an hour can't show growth of memory.")
    if not usage.series and (usage.absent or not usage.asked):
        return not_applicable(name, "What pods use is not known: the cluster has no metrics API.")
    gate = Gate(
        name=name,
        result=GateResult.INCONCLUSIVE,
        threshold=f"<= {case.spec.gates.memory_growth.max_percent_per_day}%/day",
        source=METRICS_API,
        samples=len(usage.series),
    )
    if _fails(case):
        return Outcome(concluded(gate, GateResult.ERROR, _use_sentence(case)))
    return _grown(case, gate, _after_the_rise(case))


def _grown(case: Case, gate: Gate, records: list[UsageRecord]) -> Outcome:
    most = case.spec.gates.memory_growth.max_percent_per_day
    span = _span(records)
    gate = gate.model_copy(update={"samples": len(records), "window_seconds": int(span)})
    own = trend(_points(records))
    excess = trend(_points(records, compared=True)) if _compares(case) else own
    base, of_what = _base(case.ledger.usage, records)
    if own is None or excess is None or span < LEAST_SECONDS or not base:
        return _too_early(case, gate, span)
    found = _Growth(own, excess, base, of_what, span)
    gate = found.shown(gate)
    if found.lower > most and found.lasts and found.seen >= MATERIAL * most:
        return Outcome(concluded(gate, GateResult.FAILED, found.sentence))
    if found.upper <= most:
        return Outcome(concluded(gate, GateResult.PASSED, found.sentence))
    gate = concluded(gate, GateResult.INCONCLUSIVE, f"{found.sentence} More time narrows that.")
    return Outcome(gate, on_course=case.remaining_soak > 0)


class _Growth:
    """Growth in percent of `base` per day: the smaller of the shadow's own and its excess.

    What the reference does too is not the new version's doing, and a shadow that does not grow does
    not leak, whatever the reference does.
    """

    def __init__(self, own: Trend, excess: Trend, base: float, of_what: str, span: float) -> None:
        self._trends = (own, excess)
        self._scale = 100 * _DAY / base
        self._of_what = of_what
        self._span = span

    @property
    def slope(self) -> float:
        """The estimate."""
        return self._scale * min(one.slope for one in self._trends)

    @property
    def lower(self) -> float:
        """Bound at the level at which it fails."""
        return self._scale * min(one.lower(FAILING) for one in self._trends)

    @property
    def upper(self) -> float:
        """Bound at the level at which it passes."""
        return self._scale * min(one.upper(PASSING) for one in self._trends)

    @property
    def seen(self) -> float:
        """Percent by which it grew within the window."""
        return self.slope * self._span / _DAY

    @property
    def lasts(self) -> bool:
        """Whether it neither comes to an end nor goes up and down."""
        own, excess = self._trends
        return own.steady and excess.steady and not own.flattens

    @property
    def sentence(self) -> str:
        """Say it with its numbers."""
        own, excess = (self._scale * one.slope for one in self._trends)
        alone = self._trends[0] is self._trends[1]
        reference = "" if alone else f", {_signed(excess)} more than the reference's"
        return (
            f"In {duration(self._span)} after the initial rise memory grew by {_signed(own)} of "
            f"{self._of_what} a day{reference} (95% sure: at most {_signed(self.upper)})."
        )

    def shown(self, gate: Gate) -> Gate:
        """Put the numbers into the gate."""
        observed, bound = f"{_signed(self.slope)}/day", f"<= {_signed(self.upper)}/day"
        return gate.model_copy(update={"observed": observed, "bound": bound})


def _signed(value: float) -> str:
    if abs(value) >= 1e5:
        return "more than can be said"
    return f"{value:+.1f}%".replace("-0.0%", "+0.0%")


def _too_early(case: Case, gate: Gate, span: float) -> Outcome:
    if span >= LEAST_SECONDS:
        text = f"In {duration(span)} after the initial rise there are too few samples to tell."
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, text), on_course=True)
    usage = case.ledger.usage
    since = max((run.since for run in usage.runs.values()), default=usage.asked)
    eta = int(max(0.0, since + WARM_UP_SECONDS + LEAST_SECONDS - usage.asked))
    wait = case.until(f"there are {duration(span)}; more are needed", eta)
    text = (
        f"Growth is judged on {duration(LEAST_SECONDS)} of samples after the initial rise "
        f"({duration(WARM_UP_SECONDS)}, or a third of the pods' age); {wait.clause}."
    )
    return wait.outcome(gate, text)


def _compares(case: Case) -> bool:
    return case.spec.reference.mode is ReferenceMode.CLONE


def _after_the_rise(case: Case) -> list[UsageRecord]:
    """Give the records since the same processes run, without their initial rise."""
    usage, roles = case.ledger.usage, [Role.SHADOW.value]
    if _compares(case):
        roles.append(Role.REFERENCE.value)
    if not usage.series or any(role not in usage.runs for role in roles):
        return []
    since = max(usage.runs[role].since for role in roles)
    begin = since + max(WARM_UP_SECONDS, (usage.series[-1].end - since) / 3)
    return [
        record
        for record in usage.series
        if record.end - record.seconds >= begin and all(record.of(role).pods for role in roles)
    ]


def _span(records: list[UsageRecord]) -> float:
    return records[-1].end - records[0].end + records[0].seconds if records else 0.0


def _points(records: list[UsageRecord], *, compared: bool = False) -> list[Point]:
    return [
        Point(
            r.end - r.seconds / 2,
            r.of(Role.SHADOW).memory - (r.of(Role.REFERENCE).memory if compared else 0),
            r.seconds,
        )
        for r in records
    ]


def _base(usage: Usage, records: list[UsageRecord]) -> tuple[float, str]:
    """Give what 100 % is, and its name."""
    if usage.memory_limit:
        return float(usage.memory_limit), "the limit"
    if not records:
        return 0.0, ""
    reference = records[0].of(Role.REFERENCE).memory
    if reference:
        return float(reference), "what the reference uses (there is no limit)"
    return float(records[0].of(Role.SHADOW).memory), "what it used first (there is no limit)"
