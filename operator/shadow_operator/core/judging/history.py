"""The course of an epoch, from all that is kept of it: one function for who shows it.

`history` is a pure function of evidence and rules, as the verdict is. Several spans make one by
adding up their counts; quantiles of latencies don't add up, their bins do (`Latency.merged`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Final, TypeVar

from shadow_operator.api.spec import Spec
from shadow_operator.core.counting.blocks import mismatches
from shadow_operator.core.counting.tally import tally
from shadow_operator.core.judging.levels import PASSING
from shadow_operator.core.numbers.sequential import upper_bound
from shadow_operator.core.numbers.series import Record
from shadow_operator.core.recording.intervals import Interval, Latency
from shadow_operator.core.recording.learning import Span as Learned
from shadow_operator.core.recording.ledger import Ledger
from shadow_operator.core.recording.production import Course
from shadow_operator.core.recording.usage import UsageRecord

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Span:
    """What was seen in a span of time: one interval, or several that were merged with age."""

    begin: float
    """Seconds since the epoch; where the span before ended."""
    end: float
    pairs: int
    """Compared pairs."""
    mismatched: float
    """Of these, pairs with a difference that counts under the rules of now. Estimated where many
    different ones came at once; over all spans it adds up to what is known by now."""
    unproven: int
    """Pairs that prove nothing, or could not be compared."""
    expected: int
    """Copies that should have arrived."""
    received: int
    """Copies that did, of eligible requests."""
    answered: int
    """Of these, the ones that were sent to the clones."""
    shadow_errors: int
    """Only the shadow gave no answer; an answer with a status of 500 or above is a difference."""
    reference_errors: int
    shadow_timeouts: int
    reference_timeouts: int
    shadow: Latency
    """Of compared pairs: `p50` and `p99` in milliseconds, 0 where none was timed; `bins` in
    seconds, empty in older spans."""
    reference: Latency
    soaked: int
    """Seconds on the soak clock at the end; it falls where the soak began anew."""
    standstill: str
    """Why the clock last stood still, one CamelCase word; empty where it ran all the time."""
    production: Course | None
    """How production ran: requests, errors, p50, p99 (milliseconds), largest percentage copied.
    None where it is not known. Like the next two it tells over how many `seconds`, which may be
    more than the span where the span is short."""
    usage: UsageRecord | None
    """CPU (millicores) and memory (bytes) of shadow, reference and production; None where no
    sample was taken."""
    learning: Learned | None
    """Cycles and error gradient of the shadow; None where it was not asked."""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.begin

    @property
    def match_rate(self) -> float | None:
        """Pairs that match under the rules of now, of all; None where there was no pair."""
        return max(0.0, 1 - self.mismatched / self.pairs) if self.pairs else None

    @property
    def match_rate_lower_bound(self) -> float | None:
        """One-sided 95 % bound of the match rate, as if the pairs of this span were all."""
        if not self.pairs:
            return None
        return 1 - upper_bound(float(round(self.mismatched)), float(self.pairs), PASSING)

    @property
    def coverage(self) -> float | None:
        """Copies that arrived, of those that should have; None where none should."""
        return self.received / self.expected if self.expected else None


def history(spec: Spec, ledger: Ledger) -> tuple[Span, ...]:
    """Return the spans of an epoch, oldest first, without a gap between them."""
    intervals, blocks = ledger.intervals, ledger.blocks
    differing = mismatches(blocks, tally(spec, ledger.counts, interval=ledger.interval))
    mismatched = {block.end: many for block, many in zip(blocks, differing, strict=True)}
    ends = [one.end for one in intervals]
    begins = [one.end - one.seconds for one in intervals[:1]] + ends[:-1]
    spans = list(zip(begins, ends, strict=True))
    return tuple(
        Span(
            begin=begin,
            mismatched=mismatched.get(interval.end, 0.0),
            production=production,
            usage=usage,
            learning=learning,
            **{name: getattr(interval, name) for name in _TAKEN},
        )
        for interval, (begin, _), production, usage, learning in zip(
            intervals,
            spans,
            _by_span(ledger.production, spans),
            _by_span(ledger.usage.series, spans),
            _by_span(ledger.learning.series, spans),
            strict=True,
        )
    )


_TAKEN: Final = tuple(name for name in Interval.model_fields if name != "seconds")


def _by_span(series: Iterable[R], spans: Iterable[tuple[float, float]]) -> Iterator[R | None]:
    """Give for each span the records that end in it, as one."""
    records = list(series)
    for begin, end in spans:
        inside = [one for one in records if begin < round(one.end, 1) <= end]
        yield reduce(lambda one, later: one.merged(later), inside) if inside else None
