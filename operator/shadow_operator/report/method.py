"""How it was measured, and what the numbers do not show: in sentences, from spec and evidence."""

from collections.abc import Iterable, Iterator

from shadow_operator.api.enums import MirrorProvider, ReferenceMode, SelfTest
from shadow_operator.api.spec import Spec
from shadow_operator.core.counting.tally import Tally, is_controlled
from shadow_operator.core.recording.ledger import Ledger
from shadow_operator.core.wording import count, duration, percent

_NAMED = 5
"""Routes or reasons that one sentence names."""


def method(spec: Spec, ledger: Ledger | None) -> Iterator[str]:
    """Say how it was measured."""
    by = {
        MirrorProvider.ENVOY: "An Envoy in front of production copies",
        MirrorProvider.EXTERNAL: "A mirror outside of the operator copies",
    }.get(spec.mirror.provider, f"{spec.mirror.provider} copies")
    methods = ", ".join(spec.mirror.methods)
    yield (
        f"{by} {spec.sampling_percent} % of the eligible requests ({methods}) to a comparator, "
        "which never answers a client."
    )
    if spec.reference.mode is ReferenceMode.NONE:
        yield "Each copy is answered by the shadow alone: errors and latencies, no comparison."
    else:
        yield (
            "Each copy is answered at the same time by one pod of the shadow and one of the "
            f"reference, which runs production's version; both have {spec.clones.replicas} pods."
        )
    if spec.reference.mode is not ReferenceMode.NONE and is_controlled(spec):
        yield (
            f"{spec.reference.control_percent} % of the copies go to a second reference pod as "
            "well. A place where the reference differs from itself as often as from the shadow is "
            "noise; no kind of value is excused as such."
        )
    yield (
        "What differed is counted by route, place and kind. No value of a request or an answer is "
        "kept. Rules are applied to the counts, so a changed rule re-judges the whole run."
    )
    yield (
        "Bounds are one-sided at 95 % and hold at every look; mismatches, errors and timeouts that "
        "come in bursts count as the bursts that they are."
    )
    yield (
        "Latency is that of pairs of which both pods were warm: the median of the ratio within "
        "pairs, and the 99th percentiles of the two sides."
    )
    if ledger is not None:
        yield f"Numbers were read every {duration(ledger.interval)}; older records are coarser."


def limits(spec: Spec, ledger: Ledger | None, counted: Tally | None) -> Iterator[str]:
    """Say what the numbers do not show."""
    if spec.self_test is not SelfTest.DISABLED:
        yield f"This is a self-test ({spec.self_test}): production's own version ran as the shadow."
    if counted is not None and ledger is not None:
        yield from _of_counts(counted)
        yield from _of_copies(ledger)
    if not spec.sees_production:
        yield "Production's own requests are not seen: neither its latency nor its errors."
    elif spec.mirror.provider is not MirrorProvider.ENVOY:
        yield (
            "Of production is known what its own metrics say: latencies to the width of their "
            "buckets, and all its requests, compared or not."
        )
    if spec.reference.mode is not ReferenceMode.NONE and not is_controlled(spec):
        yield "There is no control: noise is told by the kind of a difference alone."
    yield (
        "The shadow answered copies: it had no clients that retry, and its own writes went to "
        "whatever its clones may reach."
    )
    yield "Latency is judged over all routes together; a rare route can be slower unseen."


def _of_counts(counted: Tally) -> Iterator[str]:
    share = counted.judged_share
    if share is not None and share < 1:
        yield (
            f"{percent(1 - share)} of the compared values are excused, as noise or by a rule; "
            "nothing is said about them."
        )
    if counted.untested:
        names = [route.name for route in counted.untested]
        yield (
            f"{count(len(names))} of {count(len(counted.routes))} routes came too rarely to be "
            f"judged: {_some(names)}."
        )
    if counted.unproven:
        yield (
            f"{count(counted.unproven)} of {count(counted.attempts)} requests prove nothing, for "
            "example because both sides refused them."
        )
    overflow = counted.total("overflow")
    if overflow:
        yield f"{count(overflow)} pairs differ in ways that found no room: they are mismatches."


def _of_copies(ledger: Ledger) -> Iterator[str]:
    counts, coverage = ledger.counts, ledger.coverage
    if coverage.requests > coverage.eligible:
        share = percent(coverage.eligible / coverage.requests)
        yield f"{share} of production's requests were eligible; the others were never compared."
    if counts.skipped:
        yield f"Copies that were not compared, by reason: {_table(counts.skipped)}."
    if counts.shed:
        yield f"Copies that were discarded, by reason: {_table(counts.shed)}."


def _table(numbers: dict[str, int]) -> str:
    ordered = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return _some([f"{name} {count(number)}" for name, number in ordered])


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - _NAMED
    return ", ".join(listed[:_NAMED]) + (f" and {count(more)} more" if more > 0 else "")
