"""The gates, in the order in which they are judged: each a small function of the same case.

docs/verdict.md says what each means and why its bound is the right one.
"""

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Final

from shadow_operator.api.enums import GateMode, GateName, GateResult, Learning, MirrorProvider
from shadow_operator.api.status import Gate, Needs
from shadow_operator.core.judging.approval import approval
from shadow_operator.core.judging.case import Case, Outcome, concluded, inconclusive, not_applicable
from shadow_operator.core.judging.critical import critical_differences
from shadow_operator.core.judging.impact import production_impact
from shadow_operator.core.judging.latency import latency_p50, latency_p99
from shadow_operator.core.judging.load import like_production
from shadow_operator.core.judging.rates import match_rate, shadow_errors, timeouts
from shadow_operator.core.judging.resources import headroom, memory_growth, resources
from shadow_operator.core.judging.route_gate import routes
from shadow_operator.core.judging.throughput import throughput
from shadow_operator.core.judging.unproven import unproven
from shadow_operator.core.recording.alerts import since
from shadow_operator.core.recording.learning import standing
from shadow_operator.core.recording.logs import LITTLE_BYTES
from shadow_operator.core.wording import count, memory, percent

WAVERING: Final = 4.0
"""Standard deviations by which a share of copies may miss its threshold before it is judged."""
COVERAGE_LIMIT: Final = 1.05
"""More copies than that share of the expected ones is an error of measuring, or a loop."""
LEAST_EXPECTED: Final = 100
"""Coverage is not judged on fewer expected copies."""
STALE_INTERVALS: Final = 3
"""What a layer said longer ago is not known any more."""


_COUNTED: Final = frozenset({"comparator", "envoy"})
"""Sources of counts: they are those of the whole epoch where a gate names no other window."""


def gates(case: Case) -> tuple[Outcome, ...]:
    """Judge every gate that is not off, in order."""
    judged = (judge(case) for name, judge in GATES.items() if case.spec.mode(name) != GateMode.OFF)
    return tuple(_with_window(case, outcome) for outcome in judged)


def _with_window(case: Case, outcome: Outcome) -> Outcome:
    gate = outcome.gate
    if gate.window_seconds is not None or gate.source not in _COUNTED:
        return outcome
    whole = gate.model_copy(update={"window_seconds": int(case.seconds)})
    return replace(outcome, gate=whole)


def layers(case: Case) -> Outcome:
    """Every declared layer says that it is healthy, and one bad answer is not yet illness."""
    name, declared = GateName.LAYERS, case.spec.layers
    if not declared:
        return not_applicable(name, "The service has no layers.")
    interval, now = case.ledger.interval, case.ledger.advanced or 0.0
    known = case.ledger.layers
    fresh = {
        layer: known[layer]
        for layer in declared
        if layer in known and now - known[layer].time <= STALE_INTERVALS * interval
    }
    unknown = [layer for layer in declared if layer not in fresh]
    ill = {layer: record for layer, record in fresh.items() if not record.healthy}
    # Probes come once in an interval, a little early or late.
    lasting = [layer for layer, r in ill.items() if r.time - r.since >= interval / 2]
    gate = Gate(
        name=name,
        result=GateResult.PASSED,
        observed=f"{len(declared) - len(ill) - len(unknown)} of {len(declared)} healthy",
        threshold="all",
        source="probe",
        message=f"All {len(declared)} layers say that they are healthy.",
    )
    if lasting:
        named = "; ".join(f"{layer}: {ill[layer].message or 'unhealthy'}" for layer in lasting)
        return Outcome(concluded(gate, GateResult.FAILED, f"Unhealthy: {named}."))
    if ill:
        text = f"Unhealthy in one probe: {', '.join(ill)}; the next one decides."
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, text))
    if unknown:
        text = f"No answer from: {', '.join(unknown)}."
        return Outcome(concluded(gate, GateResult.INCONCLUSIVE, text))
    return Outcome(gate)


def learning(case: Case) -> Outcome:
    """Learning goes on in the shadow (runbook: learning system active)."""
    name, known = GateName.LEARNING, case.ledger.learning
    if case.spec.learning is Learning.DISABLED:
        return not_applicable(name, "The shadow shall not learn (spec.learning is Disabled).")
    result, sentence = standing(known, case.ledger.advanced or 0.0)
    gate = Gate(
        name=name,
        result=result,
        observed=f"{count(known.cycles)} cycles",
        threshold="> 0 in 15m",
        samples=known.cycles,
        source="shadow",
    )
    return Outcome(concluded(gate, result, sentence))


def coverage(case: Case) -> Outcome:
    """Coverage: copies received of those expected, from the counters of the Envoys.

    Lost copies are not the new version's fault: they keep it from passing, they don't fail it.
    """
    name = GateName.COVERAGE
    if case.spec.mirror.provider is not MirrorProvider.ENVOY:
        return not_applicable(
            name, "Your own mirror sends the copies; how many it should send is not known here."
        )
    expected, received = case.ledger.coverage.expected, case.ledger.received
    minimum = case.spec.gates.coverage.min_percent / 100
    gate = Gate(
        name=name,
        result=GateResult.INCONCLUSIVE,
        observed=percent(received / expected) if expected else None,
        threshold=f">= {case.spec.gates.coverage.min_percent}%",
        samples=max(0, received),
        source="envoy",
    )
    if expected < LEAST_EXPECTED:
        wait = case.wait(LEAST_EXPECTED - expected, expected, "expected copies")
        return wait.outcome(gate, f"{_arrived(expected, received)}; {wait.clause}.")
    result, text = _covered(expected, received, minimum)
    lacking = result is GateResult.INCONCLUSIVE and minimum < 1
    # Time alone brings none of them: of what came so far too much was lost.
    good = ceil((minimum * expected - received) / (1 - minimum)) if lacking else None
    return Outcome(concluded(gate, result, text, Needs(pairs=good) if good else None))


def _arrived(expected: float, received: int) -> str:
    return f"{count(max(0, received))} of {count(round(expected))} expected copies arrived"


def _covered(expected: float, received: int, minimum: float) -> tuple[GateResult, str]:
    numbers, slack = _arrived(expected, received), WAVERING * expected**0.5
    if received > COVERAGE_LIMIT * expected + slack:
        return GateResult.ERROR, f"{numbers}: more than can be; something else sends copies, too."
    if received >= minimum * expected:
        return GateResult.PASSED, f"{numbers}."
    if received < minimum * expected - slack:
        return GateResult.INCONCLUSIVE, f"{numbers}; the others were lost on their way."
    return GateResult.INCONCLUSIVE, f"{numbers}; that is within chance of the threshold."


def eligible_share(case: Case) -> Outcome:
    """Share of production's requests that is eligible; the others are not tested at all."""
    name, minimum = GateName.ELIGIBLE_SHARE, case.spec.gates.eligible_share.min_percent
    requests, eligible = case.ledger.coverage.requests, case.ledger.coverage.eligible
    if case.spec.mirror.provider is not MirrorProvider.ENVOY:
        return not_applicable(name, "Only provider Envoy counts all of production's requests.")
    if not requests:
        return inconclusive(name, "No production request was counted yet.")
    enough = eligible / requests >= minimum / 100
    skipped = sorted(case.tally.counts.skipped.items(), key=lambda item: (-item[1], item[0]))
    reasons = "".join(f"; {reason} {count(number)}" for reason, number in skipped[:3])
    return Outcome(
        Gate(
            name=name,
            result=GateResult.PASSED if enough else GateResult.INCONCLUSIVE,
            observed=percent(eligible / requests),
            threshold=f">= {minimum}%",
            samples=requests,
            source="envoy",
            message=(
                f"{count(eligible)} of {count(requests)} production requests are of a method and "
                f"path that is compared{reasons}."
            ),
        )
    )


def judged_share(case: Case) -> Outcome:
    """How much of the answers was really compared: neither noise nor ignored."""
    name, share = GateName.JUDGED_SHARE, case.tally.judged_share
    if not case.compares:
        return not_applicable(name, "There is no reference to compare with.")
    if share is None:
        return inconclusive(name, "No value was compared yet.")
    minimum = case.spec.gates.judged_share.min_percent
    enough = share >= minimum / 100
    rest = "the rest is noise or ignored"
    return Outcome(
        Gate(
            name=name,
            result=GateResult.PASSED if enough else GateResult.INCONCLUSIVE,
            observed=percent(share),
            threshold=f">= {minimum}%",
            samples=case.tally.total("leaves"),
            source="comparator",
            message=f"{percent(share)} of the values in answers were compared; {rest}.",
        )
    )


def minimum_pairs(case: Case) -> Outcome:
    """Pairs that a verdict needs whatever the bounds say; rare routes are named as untested."""
    name, settings = GateName.MINIMUM_PAIRS, case.spec.gates.minimum_pairs
    have = case.pairs
    untested = case.tally.untested
    gate = Gate(
        name=name,
        result=GateResult.PASSED,
        observed=count(have),
        threshold=f">= {count(settings.total)}",
        samples=have,
        source="comparator",
        message=f"{count(have)} pairs.{_untested_sentence(case)}",
    )
    if have < settings.total:
        wait = case.wait(settings.total - have, have)
    elif case.compares and len(untested) == len(case.tally.routes):
        most = max(untested, key=lambda route: (route.pairs, route.name))
        wait = case.wait(settings.per_route - most.pairs, most.pairs, f"pairs of {most.name}")
    else:
        return Outcome(gate)
    return wait.outcome(gate, f"{count(have)} pairs; {wait.clause}.{_untested_sentence(case)}")


def _untested_sentence(case: Case) -> str:
    untested = sorted(case.tally.untested, key=lambda route: (-route.pairs, route.name))
    if not untested:
        return ""
    named = ", ".join(f"{route.name} ({count(route.pairs)})" for route in untested[:5])
    more = f" and {len(untested) - 5} more" if len(untested) > 5 else ""
    least = count(case.spec.gates.minimum_pairs.per_route)
    return f" Untested, with fewer than {least} pairs: {named}{more}."


def log_volume(case: Case) -> Outcome:
    """Judge whether the shadow logs much more than the reference (runbook: manageable)."""
    name, known = GateName.LOG_VOLUME, case.ledger.logs
    if known.problem:
        text = f"Prometheus can't be asked for log volumes: {known.problem}."
        return Outcome(Gate(name=name, result=GateResult.ERROR, source="prometheus", message=text))
    if not known.configured:
        return not_applicable(name, "No Prometheus is configured that knows how much pods log.")
    if known.shadow is None or known.reference is None:
        return inconclusive(
            name,
            "Not known yet: Prometheus must have the kubelet's "
            "kubelet_container_log_filesystem_used_bytes, and 10 minutes under copies.",
        )
    most = case.spec.gates.log_volume.max_increase_percent
    more = known.shadow / max(1, known.reference) - 1
    gate = Gate(
        name=name,
        result=GateResult.PASSED,
        observed=f"{more:+.0%}" if known.reference else memory(known.shadow),
        threshold=f"<= +{most}%",
        window_seconds=3600,
        source="prometheus",
    )
    text = (
        f"In the last hour the shadow logged {memory(known.shadow)} and the reference "
        f"{memory(known.reference)}."
    )
    if known.shadow < LITTLE_BYTES or 100 * more <= most:
        return Outcome(concluded(gate, GateResult.PASSED, text))
    return Outcome(concluded(gate, GateResult.FAILED, f"{text} Is its log level as production's?"))


def alerts(case: Case) -> Outcome:
    """No alert began since copying began (runbook: no alerts triggered)."""
    name, known = GateName.ALERTS, case.ledger.alerts
    ignored = {rule.name: rule.reason for rule in case.spec.gates.alerts.ignore}
    begun = [alert for alert in known.begun if alert.name not in ignored]
    gate = Gate(
        name=name,
        result=GateResult.FAILED,
        observed=count(len(begun)),
        threshold="0",
        samples=known.readings,
        source="prometheus",
    )
    if begun:
        named = ", ".join(f"{a.name} ({a.severity}, {since(a, known)})" for a in begun[:5])
        more = f" and {len(begun) - 5} more" if begun[5:] else ""
        text = f"Since copying began: {named}{more}."
        return Outcome(concluded(gate, GateResult.FAILED, text))
    if known.problem:
        text = f"Prometheus can't be asked for alerts: {known.problem}."
        return Outcome(concluded(gate, GateResult.ERROR, text))
    if not known.configured:
        return not_applicable(name, "No Prometheus is configured that knows alerts.")
    if not known.readings:
        return inconclusive(name, "Nothing was copied yet, so no alert can come of it.")
    left_out = [alert.name for alert in known.begun if alert.name in ignored]
    text = "No alert began since copying began."
    text += f" Firing already before: {', '.join(known.before)}." if known.before else ""
    text += f" Ignored by rule: {', '.join(left_out)}." if left_out else ""
    return Outcome(concluded(gate, GateResult.PASSED, text))


GATES: Final[dict[GateName, Callable[[Case], Outcome]]] = {
    GateName.PRODUCTION_IMPACT: production_impact,
    GateName.CRITICAL_DIFFERENCES: critical_differences,
    GateName.MATCH_RATE: match_rate,
    GateName.SHADOW_ERRORS: shadow_errors,
    GateName.TIMEOUTS: like_production(timeouts),
    GateName.LAYERS: layers,
    GateName.LEARNING: learning,
    GateName.COVERAGE: coverage,
    GateName.ELIGIBLE_SHARE: eligible_share,
    GateName.UNPROVEN: unproven,
    GateName.JUDGED_SHARE: judged_share,
    GateName.MINIMUM_PAIRS: minimum_pairs,
    GateName.ROUTES: routes,
    GateName.LATENCY_P50: like_production(latency_p50),
    GateName.LATENCY_P99: like_production(latency_p99),
    GateName.THROUGHPUT: throughput,
    GateName.HEADROOM: headroom,
    GateName.RESOURCES: resources,
    GateName.MEMORY_GROWTH: memory_growth,
    GateName.LOG_VOLUME: log_volume,
    GateName.ALERTS: alerts,
    GateName.APPROVAL: approval,
}
PAUSING: Final = frozenset({GateName.PRODUCTION_IMPACT, GateName.HEADROOM, GateName.APPROVAL})
"""Gates whose failure says nothing against the new version: the soak goes on, or only stops."""
RULED: Final = frozenset(
    {GateName.CRITICAL_DIFFERENCES, GateName.MATCH_RATE, GateName.ROUTES, GateName.ALERTS}
)
"""Gates that a changed rule can turn without new evidence."""
