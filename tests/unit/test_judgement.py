"""From ledger and rules to the verdict, and what the verdict does to the ledger."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow_operator.api.enums import Decision, GateMode, GateName, GateResult, SoakState
from shadow_operator.api.evidence import RouteCounts, Sketch
from shadow_operator.api.reasons import VerdictReason
from shadow_operator.api.status import Status
from shadow_operator.core.judging.judgement import (
    Judgement,
    Ledger,
    Subject,
    advance,
    begin,
    decode,
    encode,
    guarded,
    hints,
    judge,
    settle,
)
from shadow_operator.core.snapshot import LayerReading
from tests.support.readings import (
    EPOCH,
    ROUTE,
    comparators,
    control,
    mirror,
    mirrors,
    route,
    signature,
    snapshot,
    spec,
    table,
)
from tests.support.schema import problems

SUBJECT = Subject("hal9", "hal9", "sha256:new", "sha256:old")
TIME = "$.time timestamp"
STATE = "$.state text"
PROCEED, EXTEND = Decision.PROCEED_TO_CANARY, Decision.EXTEND_SHADOW
INVESTIGATE = Decision.INVESTIGATE
IGNORE_STATE = {"ignore": [{"path": "$.state", "reason": "renamed on purpose"}]}

Routes = Callable[[int], tuple[RouteCounts, ...]]
"""Pairs so far -> what the comparator has counted."""


def noisy(pairs: int) -> tuple[RouteCounts, ...]:
    """Answer with a timestamp, as every version does."""
    triples = pairs // 20
    return (
        route(
            0,
            {TIME: pairs} if pairs else {},
            uniform=control(triples, {TIME: triples}, {TIME: triples}),
            present={"$.time": 1.0},
        ),
    )


def buggy(pairs: int) -> tuple[RouteCounts, ...]:
    """Answer with a wrong state in 4 % of the pairs."""
    triples, wrong = pairs // 20, pairs // 25
    both = f"{STATE}, {TIME}"
    return (
        route(
            0,
            {TIME: pairs - wrong, both: wrong} if wrong else {TIME: max(1, pairs)},
            uniform=control(triples, {TIME: triples}, {TIME: triples, STATE: wrong // 20}),
            triggered=control(20, {TIME: 20}, {TIME: 20, STATE: 20}) if wrong > 20 else control(0),
            present={"$.time": 1.0, "$.state": 1.0},
        ),
    )


class Run:
    """An operator that reads a comparator every 30 s, at ten pairs a second from the start."""

    def __init__(self, **changes: Any) -> None:
        self.spec = spec(**({"soakSeconds": 600, "mirror": {"rampSeconds": 0}} | changes))
        self.ledger: Ledger = begin(EPOCH, now=0.0, interval=30.0)
        self.now = 0.0
        self.said: list[Judgement] = []

    def go(self, seconds: float, routes: Routes = noisy, **changes: Any) -> Judgement:
        """Go on for so long; the counts are those of `routes` at each moment."""
        end = self.now + seconds
        while self.now < end:
            self.now += 30.0
            pairs = int(self.now * 10)
            before = self.ledger
            after = advance(
                before,
                comparators(snapshot(*routes(pairs), time=self.now)),
                mirrors(mirror(pairs)),
                now=self.now,
                **({"mirroring": True, "healthy": True, "interval": 30.0} | changes),
                spec=self.spec,
            )
            self.ledger = guarded(self.spec, before, after, now=self.now)
            self.judge()
        return self.said[-1]

    def judge(self) -> Judgement:
        """Judge and settle without reading anything new."""
        judged = judge(self.spec, self.ledger, SUBJECT, now=self.now)
        self.ledger = settle(self.spec, self.ledger, judged, now=self.now)
        self.said.append(judged)
        return judged

    @property
    def decisions(self) -> list[Decision | None]:
        """Return every decision so far, repetitions left out."""
        said = [judged.verdict.decision if judged.verdict else None for judged in self.said]
        return [d for n, d in enumerate(said) if n == 0 or d is not said[n - 1]]


def decision(judged: Judgement) -> Decision | None:
    return judged.verdict.decision if judged.verdict else None


# --- the two stories ------------------------------------------------------------------------------


def test_a_good_version_proceeds_when_the_soak_is_complete() -> None:
    run = Run()
    judged = run.go(660)
    assert run.decisions == [EXTEND, PROCEED]
    assert judged.verdict is not None
    assert judged.verdict.reason == VerdictReason.ALL_GATES_PASSED
    assert "6,600 of 6,600 pairs match (90% of the values judged)" in judged.verdict.message
    assert (judged.verdict.epoch, judged.verdict.shadow_image_id) == (EPOCH, "sha256:new")
    assert judged.match_column == "100%/90%"
    assert (judged.blocked_by, judged.final, judged.soak_complete) == ("", True, True)
    assert judged.soak.state is SoakState.COMPLETE


def test_a_bad_version_is_to_be_investigated_and_its_place_is_named() -> None:
    run = Run()
    judged = run.go(660, buggy)
    assert run.decisions == [EXTEND, INVESTIGATE]
    assert judged.verdict is not None
    assert judged.verdict.reason == VerdictReason.GATE_FAILED
    assert f"{ROUTE} $.state text in 264 pairs" in judged.verdict.message
    assert judged.blocked_by == "match-rate"
    top = judged.comparison.top_differences[0]
    assert (top.route, top.path, top.count, top.excused_by) == (ROUTE, "$.state", 264, None)
    assert judged.comparison.top_differences[1].excused_by == (
        "noise: the reference differs from itself in 330 of 330"
    )
    assert "topDifferences" in judged.next_step


def test_of_all_that_is_critical_the_status_comes_first() -> None:
    """An error's body lacks every member, so that the status would be one of many."""
    error = f"status status 200>404, {STATE}, $.id missing"
    errors = route(
        4900,
        {error: 100},
        triggered=control(20, {}, dict.fromkeys(error.split(", "), 20)),
        present={"$.id": 1.0, "$.state": 1.0},
    )
    judged = Run().go(60, lambda _: (errors,))
    first = judged.comparison.top_differences[0]
    assert (first.path, first.kind, first.critical) == ("status", "status", True)
    gate = next(one for one in judged.gates if one.name is GateName.CRITICAL_DIFFERENCES)
    assert gate.message.startswith(f"{ROUTE} status status 200>404 in 100 of 5,000 pairs")


def test_there_is_no_verdict_before_the_first_pair() -> None:
    run = Run()
    judged = run.go(60, lambda _: (route(0),))
    assert judged.verdict is None
    assert judged.comparison.compared == 0


@pytest.mark.parametrize(
    "most",
    [
        lambda pairs: route(0, unproven={"404": pairs}),
        lambda pairs: route(pairs, incomparable={"BodyTooLarge": 9 * pairs}),
        lambda pairs: route(pairs, both_timeouts=9 * pairs),
        lambda pairs: route(pairs, reference_errors=9 * pairs),
    ],
)
def test_pairs_that_prove_nothing_never_proceed(most: Callable[[int], RouteCounts]) -> None:
    run = Run()
    judged = run.go(3000, lambda pairs: (most(pairs),))
    assert run.decisions == [EXTEND]
    assert judged.verdict is not None
    assert judged.verdict.reason == VerdictReason.INSUFFICIENT_EVIDENCE


def test_lost_credentials_name_the_command_that_lets_them_through() -> None:
    run = Run()
    run.ledger = advance(
        run.ledger,
        comparators(
            snapshot(route(500, unproven={"401": 9500}), credentials={"authorization": 9000})
        ),
        mirrors(mirror(0)),
        now=30.0,
        mirroring=True,
        healthy=True,
        interval=30.0,
    )
    run.spec = spec(gates={"coverage": {"mode": "Off"}, "matchRate": {"mode": "Advisory"}})
    judged = run.judge()
    assert '{"spec":{"mirror":{"forwardHeaders":["authorization"]}}}' in judged.next_step
    assert judged.blocked_by == "unproven"


# --- keeping, losing and giving back --------------------------------------------------------------


def test_the_decision_is_kept_when_mirroring_stops() -> None:
    run = Run()
    first = run.go(660).verdict
    run.now += 9000
    later = run.go(60, lambda _: noisy(6600), mirroring=False, standstill="VerdictReached").verdict
    assert first is not None
    assert later is not None
    assert later.decision is PROCEED
    assert later.decided_time == first.decided_time


def test_a_later_failure_turns_it() -> None:
    run = Run()
    run.go(660)
    judged = run.go(3000, buggy)
    assert run.decisions == [EXTEND, PROCEED, INVESTIGATE]
    assert judged.verdict is not None
    assert judged.verdict.decided_time.timestamp() > 660


def test_an_ignore_rule_re_judges_the_past_at_once_and_gives_the_soak_back() -> None:
    run = Run()
    run.go(900, buggy)
    assert run.ledger.soak.counted < 600
    run.spec = spec(soakSeconds=600, comparison=IGNORE_STATE)
    judged = run.judge()
    assert decision(judged) is PROCEED
    assert judged.comparison.ignored == 360
    assert "ignore: renamed on purpose" in {
        top.excused_by for top in judged.comparison.top_differences
    }


def test_a_rule_that_is_taken_back_turns_the_verdict_back() -> None:
    run = Run(comparison=IGNORE_STATE)
    assert decision(run.go(660, buggy)) is PROCEED
    run.spec = spec(soakSeconds=600)
    assert decision(run.judge()) is INVESTIGATE


def test_another_threshold_judges_the_past() -> None:
    run = Run(gates={"matchRate": {"minPercent": "90"}})
    assert decision(run.go(660, buggy)) is PROCEED
    run.spec = spec(soakSeconds=600, gates={"matchRate": {"minPercent": "99"}})
    judged = run.judge()
    assert decision(judged) is INVESTIGATE


def test_without_controls_the_verdict_is_another() -> None:
    run = Run()
    assert decision(run.go(660)) is PROCEED
    rules = run.said[-1].rules
    run.spec = spec(soakSeconds=600, reference={"controlPercent": 0})
    assert run.judge().rules != rules


def test_a_failed_gate_takes_the_soak_away_until_it_holds_again() -> None:
    run = Run(layers=["Cognitive"])
    run.go(300, layers=(LayerReading("Cognitive", True, ""),))
    judged = run.go(90, layers=(LayerReading("Cognitive", False, "no neurons"),))
    assert decision(judged) is INVESTIGATE
    assert run.ledger.soak.counted == 0.0
    judged = run.go(300, layers=(LayerReading("Cognitive", True, ""),))
    assert decision(judged) is EXTEND
    assert run.ledger.soak.counted == 300.0
    assert judged.blocked_by == "soak 5m/10m"
    assert judged.soak.last_restart is not None
    assert judged.soak.last_restart_reason == "gate layers failed"


@pytest.mark.parametrize(
    ("gate", "healthy", "routes"), [("layers", False, noisy), ("match-rate", True, buggy)]
)
def test_while_a_gate_fails_the_clock_stands_at_zero_and_says_so_once(
    gate: str, healthy: bool, routes: Routes
) -> None:
    run = Run(layers=["Cognitive"], soakSeconds=86_400)
    run.go(300, layers=(LayerReading("Cognitive", True, ""),))
    run.go(600, routes, layers=(LayerReading("Cognitive", healthy, ""),))
    failing = [one.soak for one in run.said if one.soak.reason == "GateFailed"]
    assert len(failing) > 3
    assert {(soak.state, soak.elapsed_seconds) for soak in failing} == {(SoakState.STOPPED, 0)}
    assert {soak.last_restart_reason for soak in failing} == {f"gate {gate} failed"}
    assert len({soak.last_restart for soak in failing}) == 1
    assert run.said[-1].soak_column == "0s/24h"


def test_a_crash_after_the_soak_restarts_it_while_copies_flow() -> None:
    run = Run()
    run.go(660)
    judged = run.go(30, crash="OOMKilled")
    assert judged.soak_complete is False
    assert decision(judged) is EXTEND


def test_a_crash_after_the_soak_changes_nothing_without_copies() -> None:
    run = Run()
    run.go(660)
    judged = run.go(30, lambda _: noisy(6600), crash="OOMKilled", mirroring=False)
    assert decision(judged) is PROCEED


def test_time_runs_out_without_a_decision() -> None:
    run = Run(soakSeconds=86_400, maxDurationSeconds=86_400)
    run.spec = spec(soakSeconds=3600, maxDurationSeconds=3600)
    judged = run.go(3660, lambda pairs: (route(0, unproven={"404": pairs}),))
    assert judged.verdict is not None
    assert judged.verdict.reason == VerdictReason.MAX_DURATION_REACHED
    assert judged.verdict.message.startswith("Mirrored for 1h")
    assert judged.final


def test_a_rate_waits_for_pairs_that_are_undecided() -> None:
    def until_controlled(pairs: int) -> tuple[RouteCounts, ...]:
        odd = f"$.odd text, {TIME}"
        triples = pairs // 20
        extra = control(20, {TIME: 20, "$.odd text": 11}, {TIME: 20, "$.odd text": 20})
        return (
            route(
                0,
                {TIME: pairs - 20, odd: 20},
                uniform=control(triples, {TIME: triples}, {TIME: triples}),
                triggered=extra if pairs > 7000 else control(0),
            ),
        )

    run = Run()
    judged = run.go(690, until_controlled)
    assert judged.verdict is not None
    assert "waits for what is undecided" in judged.verdict.message
    [odd] = [top for top in judged.comparison.top_differences if top.path == "$.odd"]
    assert odd.excused_by == "undecided: noise or change, more controls will tell"
    assert decision(run.go(60, until_controlled)) is PROCEED


def burst_of(mismatches: int, after: int) -> Routes:
    """Give pairs of which so many differ, all of them right after so many pairs."""

    def routes(pairs: int) -> tuple[RouteCounts, ...]:
        wrong = mismatches if pairs > after else 0
        proof = control(40, {}, {STATE: 40}) if wrong else control(0)
        return (route(pairs - wrong, {STATE: wrong} if wrong else {}, triggered=proof),)

    return routes


def test_one_burst_does_not_prove_a_rate() -> None:
    run = Run(soakSeconds=7200)
    run.go(7200, burst_of(150, after=30_000))
    assert INVESTIGATE not in run.decisions
    [gate] = [gate for gate in run.said[-1].gates if gate.name == "match-rate"]
    assert gate.result is GateResult.INCONCLUSIVE
    assert "mismatches come in bursts" in gate.message


def test_a_rule_that_is_taken_back_finds_mismatches_that_no_block_has() -> None:
    run = Run(comparison=IGNORE_STATE)
    run.go(660, buggy)
    assert not any(block.differing.get("*", 0) for block in run.ledger.blocks[5:])
    run.spec = spec(soakSeconds=600)
    assert decision(run.judge()) is INVESTIGATE


def test_a_ledger_with_looks_is_read() -> None:
    run = Run()
    run.go(60)
    text = run.ledger.model_dump_json()
    old = text.replace('"begun"', '"look":{"number":1,"pairs":9,"time":1,"rules":"x"},"begun"', 1)
    assert Ledger.model_validate_json(old) == run.ledger


# --- details --------------------------------------------------------------------------------------


def test_waiting_for_the_soak_names_the_soak() -> None:
    judged = Run(soakSeconds=7200).go(1830, noisy)
    assert judged.blocked_by == "soak 30m/2h"
    assert judged.soak_column == "30m/2h"
    assert judged.next_step == (
        "kubectl -n hal9 wait shd/hal9 --for=condition=SoakComplete --timeout=5700s"
    )


def test_a_gate_that_needs_longer_than_the_soak_is_said_at_once() -> None:
    run = Run(soakSeconds=300)
    judged = run.go(120)
    assert judged.verdict is not None
    assert judged.verdict.reason == VerdictReason.SOAK_TOO_SHORT
    assert judged.verdict.message == (
        "match-rate: 1,200 of 1,200 pairs match (90% judged); 3,312 more pairs are needed, about "
        "4m 8s, but the soak has 3m 30s left. The soak is also too short for: shadow-errors, "
        "timeouts."
    )
    assert judged.blocked_by == GateName.MATCH_RATE


def test_it_is_said_whatever_else_is_in_the_way() -> None:
    once = signature("status status 200>404", 1, first=10, last=10)
    run = Run(soakSeconds=300)
    judged = run.go(120, lambda n: (route(n, signatures=(once,)),))
    assert judged.verdict is not None
    assert judged.blocked_by == GateName.CRITICAL_DIFFERENCES
    assert judged.verdict.reason == VerdictReason.SOAK_TOO_SHORT
    assert "The soak is also too short for: match-rate" in judged.verdict.message


def test_an_advisory_gate_may_need_longer_than_the_soak() -> None:
    advisory = {"mode": "Advisory"}
    gates = dict.fromkeys(("matchRate", "shadowErrors", "timeouts"), advisory)
    judged = Run(soakSeconds=300, gates=gates).go(120)
    assert judged.late == ()
    assert judged.blocked_by == "soak 90s/5m"


def test_hints_are_the_ignored_places_and_the_noise() -> None:
    run = Run(comparison={"ignore": [{"path": "$.age", "reason": "r"}]})
    run.go(600, noisy)
    found = [(hint.route, hint.path) for hint in hints(run.spec, run.ledger)]
    assert found == [(None, "$.age"), (ROUTE, "$.time")]


@pytest.mark.parametrize(("disagreements", "hinted"), [(1, []), (5, ["$.next"])])
def test_a_path_is_not_hinted_while_one_of_its_places_is_open(
    disagreements: int, hinted: list[str]
) -> None:
    """Pairs that differ at hinted places only are not asked again: it would stay open for long."""
    null, value, number = "$.next type null>number", "$.next type number>null", "$.next number 1e-1"
    types = {null: 20, value: 20}
    counted = route(
        700,
        {null: 100, value: 100, number: 100},
        uniform=control(100, types | {number: disagreements}, types | {number: 4}),
    )
    run = Run()
    run.go(60, lambda _: (counted,))
    assert [hint.path for hint in hints(run.spec, run.ledger)] == hinted


def test_a_critical_place_is_never_hinted() -> None:
    run = Run(comparison={"critical": [{"path": "$.time", "reason": "r"}]})
    run.go(600, noisy)
    assert hints(run.spec, run.ledger) == ()


def test_hinted_pairs_stay_noise() -> None:
    def hinted(pairs: int) -> tuple[RouteCounts, ...]:
        triples = pairs // 20
        counts = control(triples, {TIME: triples}, {TIME: triples})
        return (route(0, hinted_only=pairs, hinted=table({TIME: pairs}), uniform=counts),)

    judged = Run().go(660, hinted)
    assert decision(judged) is PROCEED
    assert judged.comparison.noise == 6600


def test_what_changed_at_a_hinted_place_is_a_mismatch() -> None:
    def hinted(pairs: int) -> tuple[RouteCounts, ...]:
        triples, gone = pairs // 20, pairs // 10
        counts = control(
            triples, {TIME: triples}, {TIME: triples - gone // 20, "$.time missing": gone // 20}
        )
        return (
            route(
                0,
                hinted_only=pairs,
                hinted=table({TIME: pairs - gone, "$.time missing": gone}),
                uniform=counts,
                present={"$.time": 1.0},
            ),
        )

    judged = Run().go(660, hinted)
    assert judged.comparison.mismatched == 660
    assert judged.blocked_by == "critical-differences"


def test_a_hinted_change_is_charged_to_pairs_that_would_match_otherwise() -> None:
    counts = route(
        10,
        {TIME: 5},
        hinted_only=3,
        hinted=table({STATE: 6}),
        uniform=control(150, {TIME: 150}, {TIME: 150, STATE: 60}),
    )
    run = Run()
    judged = run.go(30, lambda _: (counts,))
    assert (judged.comparison.mismatched, judged.comparison.noise) == (6, 2)


def test_without_a_control_the_kind_alone_excuses_and_status_says_so() -> None:
    judged = Run(clones={"replicas": 1}).go(60, lambda pairs: (route(0, {TIME: pairs}),))
    assert judged.comparison.top_differences[0].excused_by == (
        "noise: by its kind alone, there is no control"
    )


def test_what_controls_have_shown_holds_when_none_are_asked_any_more() -> None:
    def shifted(pairs: int) -> tuple[RouteCounts, ...]:
        return (route(0, {TIME: pairs}, uniform=control(pairs // 20, {}, {TIME: pairs // 20})),)

    run = Run()
    assert decision(run.go(660, shifted)) is INVESTIGATE
    run.spec = spec(soakSeconds=600, reference={"controlPercent": 0})
    judged = run.judge()
    assert decision(judged) is INVESTIGATE
    assert judged.comparison.mismatched == 6600


def test_bodies_that_are_not_looked_through_are_never_hinted() -> None:
    unread = "$ text TooLarge"

    def large(pairs: int) -> tuple[RouteCounts, ...]:
        triples = pairs // 20
        both = control(triples, {TIME: triples, unread: triples}, {TIME: triples, unread: triples})
        return (route(0, {f"{unread}, {TIME}": pairs}, uniform=both),)

    run = Run()
    judged = run.go(660, large)
    assert (decision(judged), judged.comparison.unproven) == (EXTEND, 6600)
    assert [hint.path for hint in hints(run.spec, run.ledger)] == ["$.time"]


def test_an_unordered_rule_that_is_taken_back_turns_the_verdict_back() -> None:
    def shuffled(pairs: int) -> tuple[RouteCounts, ...]:
        order = {"$.tags order": pairs // 20}
        return (
            route(
                0,
                hinted_only=pairs,
                hinted=table({"$.tags order": pairs}),
                uniform=control(pairs // 20, {}, order),
            ),
        )

    run = Run(comparison={"unordered": [{"path": "$.tags", "route": ROUTE, "reason": "a set"}]})
    judged = run.go(660, shuffled)
    assert (decision(judged), judged.comparison.ignored) == (PROCEED, 6600)
    run.spec = spec(soakSeconds=600)
    assert decision(run.judge()) is INVESTIGATE


def test_without_a_reference_errors_alone_are_judged() -> None:
    def answered(requests: int) -> tuple[RouteCounts, ...]:
        return (route(0).model_copy(update={"shadow_latency": Sketch(count=requests)}),)

    run = Run(reference={"mode": "None"})
    judged = run.go(660, answered)
    assert run.decisions == [EXTEND, PROCEED]
    assert judged.match_column is None
    assert judged.verdict is not None
    assert "6,600 requests were answered, none compared" in judged.verdict.message


def test_status_takes_it_as_it_is() -> None:
    judged = Run().go(660, buggy)
    status = Status(
        gates=judged.gates, verdict=judged.verdict, comparison=judged.comparison, soak=judged.soak
    ).to_dict()
    assert problems("status", status) == []


# --- properties -----------------------------------------------------------------------------------


def _stored(ledger: Ledger) -> Ledger:
    again = decode(encode(ledger))
    assert again is not None
    return again


counts = st.integers(0, 4000)


@given(matched=counts, wrong=st.integers(0, 60), late=st.integers(0, 60), lost=st.integers(0, 500))
@settings(max_examples=40, deadline=None)
def test_the_same_ledger_and_rules_give_the_same_verdict(
    matched: int, wrong: int, late: int, lost: int
) -> None:
    seen = route(matched, {STATE: wrong} if wrong else {}, shadow_timeouts=late)
    run = Run(soakSeconds=30)
    for now, copies in ((30.0, 0), (60.0, matched), (90.0, matched + lost)):
        run.ledger = advance(
            run.ledger,
            comparators(snapshot(seen, time=now)),
            mirrors(mirror(copies)),
            now=now,
            mirroring=True,
            healthy=True,
            interval=30.0,
        )
    once = judge(run.spec, run.ledger, SUBJECT, now=90.0)
    assert judge(run.spec, _stored(run.ledger), SUBJECT, now=90.0) == once
    settled = settle(run.spec, run.ledger, once, now=90.0)
    again = judge(run.spec, settled, SUBJECT, now=500.0)
    assert decision(again) is decision(once) or not once.soak_complete
    failing = any(
        gate.result is GateResult.FAILED and run.spec.mode(gate.name) is GateMode.REQUIRED
        for gate in once.gates
    )
    assert once.verdict is None or (decision(once) is INVESTIGATE) == failing


@given(matched=counts, wrong=st.integers(1, 4000))
@settings(max_examples=40, deadline=None)
def test_more_mismatches_never_make_a_version_proceed(matched: int, wrong: int) -> None:
    def at_the_end(mismatches: int) -> Judgement:
        total = matched + wrong
        seen = route(
            total - mismatches, {STATE: mismatches}, uniform=control(150, {}, {STATE: 150})
        )
        return Run(soakSeconds=30).go(90, lambda _: (seen,))

    if decision(at_the_end(wrong)) is PROCEED:
        assert decision(at_the_end(max(1, wrong // 2))) is PROCEED
