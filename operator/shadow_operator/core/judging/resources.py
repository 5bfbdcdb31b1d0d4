"""The gates on what the shadow uses: within its limits, without growth (docs/verdict.md)."""

from dataclasses import dataclass
from typing import Final

from shadow_operator.api.enums import GateName, GateResult, ReferenceMode
from shadow_operator.api.names import Role
from shadow_operator.api.status import Gate
from shadow_operator.core.judging.case import Case, Outcome, concluded, not_applicable
from shadow_operator.core.judging.levels import FAILING, PASSING
from shadow_operator.core.numbers.growth import Point, Trend, trend
from shadow_operator.core.numbers.looks import Look, last_look
from shadow_operator.core.numbers.series import KEPT, settled
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
PASSING_SECONDS: Final = 10800.0
"""That memory does not grow isn't told of younger processes: what varies for minutes looks like a
trend in them."""
FIRST_LOOK_SECONDS: Final = 1680.0
"""Growth is not judged of younger processes."""
LEAST_SECONDS: Final = 960.0
"""Growth is not judged on less than that after the initial rise: samples are missing then."""
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
    since = _since(case)
    age = case.ledger.usage.series[-1].end - since if since is not None else 0.0
    look = last_look(age, first=FIRST_LOOK_SECONDS, due=case.spec.soak_seconds, kept=KEPT)
    if since is None or not look.number:
        return _too_early(case, gate, age, look.following)
    outcome = _grown(case, gate, _after_the_rise(case, since, look), look)
    if case.spec.soak_seconds < PASSING_SECONDS and outcome.gate.result is GateResult.INCONCLUSIVE:
        return _not_shown(outcome.gate)
    return outcome


def _grown(case: Case, gate: Gate, records: list[UsageRecord], look: Look) -> Outcome:
    """Judge what was known at the last look."""
    most = case.spec.gates.memory_growth.max_percent_per_day
    span = _span(records)
    gate = gate.model_copy(update={"samples": len(records), "window_seconds": int(span)})
    own = trend(_points(records))
    excess = trend(_points(records, compared=True)) if _compares(case) else None
    base, of_what = _base(case.ledger.usage, records)
    again = f"It is judged again when the pods are {duration(look.following)} old."
    if own is None or span < LEAST_SECONDS or not base:
        text = f"In {duration(span)} after the initial rise there are too few samples to tell."
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, f"{text} {again}"), on_course=True)
    found = _Growth(own, excess, base, of_what, span, look)
    gate = found.shown(gate)
    if found.lower > most and found.lasts and found.seen >= MATERIAL * most:
        return Outcome(concluded(gate, GateResult.FAILED, found.sentence(found.at_least)))
    if look.age >= PASSING_SECONDS and found.upper <= most:
        return Outcome(concluded(gate, GateResult.PASSED, found.sentence(found.at_most)))
    text = f"{found.sentence(found.at_most)} {again}"
    gate = concluded(gate, GateResult.INCONCLUSIVE, text)
    return Outcome(gate, on_course=case.remaining_soak > 0)


@dataclass(frozen=True, slots=True)
class _Growth:
    """Growth in percent of `base` per day: the smaller of the shadow's own and its excess.

    What the reference does too is not the new version's doing, and a shadow that does not grow does
    not leak, whatever the reference does.
    """

    own: Trend
    excess: Trend | None
    """None where there is no reference."""
    base: float
    of_what: str
    span: float
    look: Look

    @property
    def trends(self) -> tuple[Trend, ...]:
        """All that there are."""
        return (self.own,) if self.excess is None else (self.own, self.excess)

    @property
    def scale(self) -> float:
        """From bytes a second."""
        return 100 * _DAY / self.base

    @property
    def slope(self) -> float:
        """The estimate."""
        return self.scale * min(one.slope for one in self.trends)

    @property
    def lower(self) -> float:
        """Bound at the level at which it fails. Both must be above it, and it must last."""
        level = self.look.early(FAILING)
        return self.scale * min(one.lower(level) for one in self.trends)

    @property
    def upper(self) -> float:
        """Bound at the level at which it passes. One below it is enough, so they share it."""
        level = self.look.due(PASSING) / len(self.trends)
        return self.scale * min(one.cautious_upper(level) for one in self.trends)

    @property
    def seen(self) -> float:
        """Percent by which it grew within the window."""
        return self.slope * self.span / _DAY

    @property
    def lasts(self) -> bool:
        """Whether it neither comes to an end nor goes up and down."""
        return all(one.steady for one in self.trends) and not self.own.flattens

    def sentence(self, bound: str) -> str:
        """Say it with its numbers."""
        own, *excess = (_signed(self.scale * one.slope) for one in self.trends)
        reference = "".join(f", {more} more than the reference's" for more in excess)
        return (
            f"In {duration(self.span)} after the initial rise memory grew by {own} of "
            f"{self.of_what} a day{reference} ({bound})."
        )

    @property
    def at_least(self) -> str:
        """Say by which bound it fails."""
        return f"99.9% sure: at least {_signed(self.lower)}"

    @property
    def at_most(self) -> str:
        """Say by which bound it passes."""
        known = self.upper < _MOST_SAID
        return f"95% sure: at most {_signed(self.upper)}" if known else "no sure bound yet"

    def shown(self, gate: Gate) -> Gate:
        """Put the numbers into the gate."""
        bound = f"<= {_signed(self.upper)}/day" if self.upper < _MOST_SAID else None
        observed = f"{_signed(self.slope)}/day"
        return gate.model_copy(update={"observed": observed, "bound": bound})


_MOST_SAID: Final = 1e5
"""More percent a day than that are no number for people."""


def _signed(value: float) -> str:
    if abs(value) >= _MOST_SAID:
        return "more than can be said"
    return f"{value:+.1f}%".replace("-0.0%", "+0.0%")


def _not_shown(gate: Gate) -> Outcome:
    least = duration(PASSING_SECONDS)
    text = f"A soak shorter than {least} can show a leak, but not that there is none."
    return Outcome(concluded(gate, GateResult.NOT_APPLICABLE, text))


def _too_early(case: Case, gate: Gate, age: float, first: float) -> Outcome:
    eta = int(max(0.0, first - age))
    wait = case.until(f"they are {duration(age)} old; more is needed", eta)
    text = (
        f"Growth is judged when the pods are {duration(first)} old and their initial rise "
        f"({duration(WARM_UP_SECONDS)}, or a third of that) is over; {wait.clause}."
    )
    return wait.outcome(gate, text)


def _compares(case: Case) -> bool:
    return case.spec.reference.mode is ReferenceMode.CLONE


def _roles(case: Case) -> list[str]:
    return [Role.SHADOW.value, *([Role.REFERENCE.value] if _compares(case) else [])]


def _since(case: Case) -> float | None:
    """Give when the processes of now were first seen; None where that is not known."""
    usage, roles = case.ledger.usage, _roles(case)
    if not usage.series or any(role not in usage.runs for role in roles):
        return None
    return max(usage.runs[role].since for role in roles)


def _after_the_rise(case: Case, since: float, look: Look) -> list[UsageRecord]:
    """Give the records up to a look without the initial rise, as they stay until the next one."""
    begin = since + max(WARM_UP_SECONDS, look.age / 3, look.following - KEPT)
    return [
        record
        for record in settled(case.ledger.usage.series, since + look.age, since + look.following)
        if record.end - record.seconds >= begin
        and all(record.of(role).pods for role in _roles(case))
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
