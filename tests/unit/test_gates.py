"""The edges of gates as a table: what was seen, and what the gate says about it.

The criteria of the runbook, one by one, are in `tests/unit/test_gates_of_the_runbook.py`.
"""

import pytest

from shadow_operator.api.enums import GateName, GateResult
from shadow_operator.api.evidence import PathCount, RouteCounts, Signature
from shadow_operator.api.status import Gate
from shadow_operator.core.counting.tally import tally
from shadow_operator.core.judging.case import Case
from shadow_operator.core.judging.gates import GATES
from shadow_operator.core.judging.judgement import Subject, judge
from shadow_operator.core.judging.rates import fails, match_rate, passes
from shadow_operator.core.recording.ledger import LayerRecord
from tests.support.readings import ROUTE, control, route, signature, spec, table
from tests.support.seen import Seen, clean, proved, wrong

PASSED, FAILED = GateResult.PASSED, GateResult.FAILED
INCONCLUSIVE, ERROR = GateResult.INCONCLUSIVE, GateResult.ERROR
NOT_APPLICABLE = GateResult.NOT_APPLICABLE

TIME = "$.time timestamp"
STATE = "$.state text"
UNREAD = "$ text TooLarge"
CHANGED = control(150, {}, {STATE: 150})
"""Controls that prove that the shadow, and only the shadow, changed the state."""


def once(where: str) -> Signature:
    """Give what a single pair showed."""
    return signature(where, 1, first=10, last=10)


def counted(reference: int, pairs: int) -> tuple[RouteCounts, ...]:
    """Give 40,000 pairs; the process that saw the state missing compared so many of them."""
    state = PathCount(path="$.state", reference=reference, shadow=0, leaves=0, pairs=pairs)
    missing = "$.state missing"
    return tuple(
        one.model_copy(update={"paths": (state,)})
        for one in clean(39_990, differing={missing: 10}, **proved(missing))
    )


def well(time: float) -> dict[str, LayerRecord]:
    return {"Cognitive": LayerRecord(healthy=True, since=0, time=time)}


def ill(since: float, time: float) -> dict[str, LayerRecord]:
    return {"Cognitive": LayerRecord(healthy=False, since=since, time=time, message="3 neurons")}


CRITICAL, MATCH = GateName.CRITICAL_DIFFERENCES, GateName.MATCH_RATE
ERRORS, TIMEOUTS = GateName.SHADOW_ERRORS, GateName.TIMEOUTS
COVERAGE, ELIGIBLE, UNPROVEN = GateName.COVERAGE, GateName.ELIGIBLE_SHARE, GateName.UNPROVEN
JUDGED, MINIMUM, LAYERS = GateName.JUDGED_SHARE, GateName.MINIMUM_PAIRS, GateName.LAYERS
THROUGHPUT = GateName.THROUGHPUT

IGNORE_STATE = {"comparison": {"ignore": [{"path": "$.state", "reason": "renamed"}]}}
ALONE = {"reference": {"mode": "None"}}
OWN_MIRROR = {"mirror": {"provider": "External"}}
ONE_LAYER = {"layers": ["Cognitive"]}

Row = tuple[GateName, Seen, GateResult, str]
CASES: dict[str, Row] = {
    # critical differences
    "no critical difference": (CRITICAL, Seen(clean(5000)), PASSED, "in 5,000 pairs"),
    "nothing compared can't pass": (CRITICAL, Seen(()), INCONCLUSIVE, "No pair"),
    "without a reference nothing differs": (
        CRITICAL, Seen(clean(0), ALONE), NOT_APPLICABLE, "no reference",
    ),
    "another status class is critical": (
        CRITICAL,
        Seen(wrong("status status 200>500")),
        FAILED,
        f"{ROUTE} status status 200>500 in 100 of 5,000 pairs",
    ),
    "another status of the same class is not": (
        CRITICAL,
        Seen(wrong("status status 200>201")),
        PASSED,
        "No critical",
    ),
    "a member that practically all answers have is missing": (
        CRITICAL,
        Seen(
            wrong("$.state missing", present={"$.state": 0.99})
        ),
        FAILED,
        "$.state missing",
    ),
    "an optional member is missing": (
        CRITICAL,
        Seen(
            wrong("$.state missing", present={"$.state": 0.9})
        ),
        PASSED,
        "",
    ),
    "a member is missing that all answers have where it was counted": (
        CRITICAL, Seen(counted(20_000, 20_000)), FAILED, "$.state missing in 10 of 40,000",
    ),
    "a member is missing that few answers have where it was counted": (
        CRITICAL, Seen(counted(10_000, 20_000)), PASSED, "",
    ),
    "a rule names the route with its method": (
        CRITICAL,
        Seen(
            wrong("status status 200>500"),
            {"comparison": {"ignore": [{"route": ROUTE, "path": "status", "reason": "r"}]}},
        ),
        PASSED,
        "",
    ),
    "a changed JSON type is critical": (
        CRITICAL,
        Seen(wrong("$.n type string>number")),
        FAILED,
        "$.n type string>number",
    ),
    "a listed place is critical": (
        CRITICAL,
        Seen(
            wrong("$.balance number 1e-9"),
            {"comparison": {"critical": [{"path": "$.balance", "reason": "money"}]}},
        ),
        FAILED,
        "$.balance",
    ),
    "one interval reproduces nothing": (
        CRITICAL,
        Seen(
            clean(
                4900,
                signatures=(signature("status status 200>500", 100, first=10, last=35),),
                **proved("status status 200>500"),
            )
        ),
        INCONCLUSIVE,
        "3 pairs in 2 intervals",
    ),
    "one that was seen once and never again is shown to be rare": (
        CRITICAL,
        Seen(clean(6_900, signatures=(once("status status 200>404"),))),
        PASSED,
        f"No critical difference was reproduced in 6,901 pairs; {ROUTE} status status 200>404, "
        "seen in 1, is rarer than 0.1%.",
    ),
    "too few pairs show that it is rare": (
        CRITICAL,
        Seen(clean(6_000, signatures=(once("status status 200>404"),))),
        INCONCLUSIVE,
        "To show that it is rarer than 0.1%, 850 more pairs of the route are needed, about 1m 20s",
    ),
    "what comes again is not rare, though nobody knows yet whether it is noise": (
        CRITICAL,
        Seen(clean(90_000, differing={"status status 200>404": 3}, uniform=control(10))),
        INCONCLUSIVE,
        "not decided yet",
    ),
    "at a place that people call critical once is not rare": (
        CRITICAL,
        Seen(
            clean(90_000, signatures=(once("$.balance number 1e-1"),)),
            {"comparison": {"critical": [{"path": "$.balance", "reason": "money"}]}},
        ),
        INCONCLUSIVE,
        "$.balance",
    ),
    "noise is never critical": (
        CRITICAL,
        Seen(
            clean(
                4900,
                differing={"$.n type string>null": 50, "$.n type null>string": 50},
                uniform=control(150, {"$.n type string>null": 5}, {"$.n type string>null": 5}),
            )
        ),
        PASSED,
        "",
    ),
    "whether it is noise is not decided yet": (
        CRITICAL,
        Seen(clean(4990, differing={"status status 200>500": 10}, uniform=control(10))),
        INCONCLUSIVE,
        "not decided yet",
    ),
    "an ignored place is not critical": (
        CRITICAL,
        Seen(
            clean(4900, differing={"$.state type string>null": 100}, uniform=control(150)),
            IGNORE_STATE,
        ),
        PASSED,
        "",
    ),
    # match rate
    "five thousand clean pairs pass": (
        MATCH, Seen(clean(5000)), PASSED, "5,000 of 5,000 pairs match",
    ),
    "a hundred clean pairs are not enough": (
        MATCH, Seen(clean(100)), INCONCLUSIVE, "4,412 more pairs are needed",
    ),
    "a rate passes before the soak is complete": (
        MATCH, Seen(clean(50_000), soaked=False), PASSED, "",
    ),
    "what takes longer than the soak is said at once": (
        MATCH,
        Seen(clean(100), soaked=False, known={"mirrored": 600.0}),
        INCONCLUSIVE,
        "4,412 more pairs are needed, about 6h 59m, but the soak has 9m left",
    ),
    "a clearly worse version fails before": (
        MATCH,
        Seen(clean(900, differing={STATE: 100}, uniform=CHANGED), soaked=False),
        FAILED,
        f"{ROUTE} $.state text in 100 pairs",
    ),
    "from a hundred pairs on": (
        MATCH, Seen(clean(0, differing={STATE: 100}, uniform=CHANGED), soaked=False), FAILED, "",
    ),
    "but not on its first pairs": (
        MATCH,
        Seen(clean(0, differing={STATE: 99}, uniform=CHANGED), soaked=False),
        INCONCLUSIVE,
        "0 of 99",
    ),
    "one mismatch in five thousand does not decide": (
        MATCH,
        Seen(clean(4999, differing={STATE: 1}, uniform=CHANGED)),
        INCONCLUSIVE,
        "1,851 more pairs",
    ),
    "one in seven thousand passes": (
        MATCH, Seen(clean(6999, differing={STATE: 1}, uniform=CHANGED)), PASSED, "",
    ),
    "twenty-five in five thousand fail": (
        MATCH, Seen(clean(4975, differing={STATE: 25}, uniform=CHANGED)), FAILED, "",
    ),
    "an ignored place matches": (
        MATCH,
        Seen(clean(4900, differing={STATE: 100}, uniform=CHANGED), IGNORE_STATE),
        PASSED,
        "5,000 of 5,000",
    ),
    "undecided pairs neither pass": (
        MATCH,
        Seen(clean(4900, differing={TIME: 100}, uniform=control(5))),
        INCONCLUSIVE,
        "100 more need controls",
    ),
    "an undecided pair counts as a mismatch against passing": (
        MATCH,
        Seen(clean(6998, differing={STATE: 1, TIME: 1}, uniform=CHANGED)),
        INCONCLUSIVE,
        "waits for what is undecided",
    ),
    "a large body that only the shadow changes is a mismatch": (
        MATCH,
        Seen(clean(4900, differing={UNREAD: 100}, uniform=control(150, {}, {UNREAD: 19}))),
        FAILED,
        "4,900 of 5,000",
    ),
    "what found no room is a mismatch": (
        MATCH, Seen(clean(4900, overflow=100)), FAILED, "4,900 of 5,000",
    ),
    "a threshold of all can't be proved": (
        MATCH,
        Seen(clean(9000), {"gates": {"matchRate": {"minPercent": "100"}}}),
        INCONCLUSIVE,
        "set a threshold below",
    ),
    # errors
    "no errors": (ERRORS, Seen(clean(5000)), PASSED, "0 errors of the shadow against 0"),
    "as many errors as the reference": (
        ERRORS,
        Seen(clean(200_000, shadow_errors=20, reference_errors=20)),
        PASSED,
        "20 errors of the shadow against 20",
    ),
    "errors in excess": (
        ERRORS, Seen(clean(5000, shadow_errors=50, reference_errors=2)), FAILED, "50 errors",
    ),
    "answers with 5xx are errors": (
        ERRORS,
        Seen(clean(4950, differing={"status status 200>503": 50}, uniform=control(150))),
        FAILED,
        "50 errors",
    ),
    "answers with 5xx are errors where the status is counted singly, too": (
        ERRORS,
        Seen(
            clean(
                97_500,
                hinted_only=2500,
                hinted=table({"status status 200>503": 1500, "status status 503>200": 1000}),
            )
        ),
        FAILED,
        "1,500 errors of the shadow against 1,000",
    ),
    "5xx that both answer are not": (
        ERRORS, Seen(clean(5000, unproven={"503": 50})), PASSED, "0 errors",
    ),
    "both failed: nobody is accused": (ERRORS, Seen(clean(5000, both_errors=50)), PASSED, ""),
    "nothing sent": (ERRORS, Seen(()), INCONCLUSIVE, "Nothing was sent"),
    "errors count where there is no reference": (
        ERRORS, Seen(clean(5000, shadow_errors=50), ALONE), FAILED, "in 5,050 requests",
    ),
    "timeouts in excess": (TIMEOUTS, Seen(clean(5000, shadow_timeouts=50)), FAILED, "50 timeouts"),
    "the route with the most of them is named": (
        TIMEOUTS,
        Seen((*clean(5000, name="GET /a", shadow_timeouts=9), *clean(5000, shadow_timeouts=50))),
        FAILED,
        f"requests, most of them in {ROUTE}",
    ),
    "few timeouts do not decide": (
        TIMEOUTS, Seen(clean(5000, shadow_timeouts=4)), INCONCLUSIVE, "more pairs",
    ),
    "a limit of zero can't be proved": (
        TIMEOUTS,
        Seen(clean(5000), {"gates": {"timeouts": {"maxExcessPercent": "0"}}}),
        INCONCLUSIVE,
        "set a threshold",
    ),
    # layers
    "no layers": (LAYERS, Seen(clean(1)), NOT_APPLICABLE, "no layers"),
    "a healthy layer": (
        LAYERS,
        Seen(
            clean(1), ONE_LAYER, layers={"Cognitive": LayerRecord(healthy=True, since=0, time=600)}
        ),
        PASSED,
        "All 1",
    ),
    "a layer that was not reached": (LAYERS, Seen(clean(1), ONE_LAYER), INCONCLUSIVE, "Cognitive"),
    "a layer that answered long ago": (
        LAYERS,
        Seen(
            clean(1), ONE_LAYER, layers={"Cognitive": LayerRecord(healthy=True, since=0, time=500)}
        ),
        INCONCLUSIVE,
        "No answer from: Cognitive",
    ),
    "a layer that answered three intervals ago": (
        LAYERS, Seen(clean(1), ONE_LAYER, layers=well(510)), PASSED, "",
    ),
    "a layer that answered before that": (
        LAYERS, Seen(clean(1), ONE_LAYER, layers=well(509)), INCONCLUSIVE, "",
    ),
    "bad for half an interval": (
        LAYERS, Seen(clean(1), ONE_LAYER, layers=ill(585, 600)), FAILED, "",
    ),
    "bad for less": (
        LAYERS, Seen(clean(1), ONE_LAYER, layers=ill(586, 600)), INCONCLUSIVE, "",
    ),
    "one bad answer": (
        LAYERS, Seen(clean(1), ONE_LAYER, layers=ill(600, 600)), INCONCLUSIVE, "next one decides",
    ),
    "two bad answers": (
        LAYERS, Seen(clean(1), ONE_LAYER, layers=ill(570, 600)), FAILED, "Cognitive: 3 neurons",
    ),
    # coverage
    "all copies arrived": (COVERAGE, Seen(clean(5000)), PASSED, "5,000 of 5,000"),
    "a hundred that are expected can be judged": (COVERAGE, Seen(clean(100)), PASSED, ""),
    "fewer can't": (COVERAGE, Seen(clean(99)), INCONCLUSIVE, ""),
    "as many as chance allows beyond a twentieth more": (
        COVERAGE, Seen(clean(10_900), eligible=10_000), PASSED, "",
    ),
    "one more than that": (COVERAGE, Seen(clean(10_901), eligible=10_000), ERROR, ""),
    "as few as chance allows": (
        COVERAGE, Seen(clean(9_100), eligible=10_000), INCONCLUSIVE, "within chance",
    ),
    "one less than that": (COVERAGE, Seen(clean(9_099), eligible=10_000), INCONCLUSIVE, "lost"),
    "half of them are lost": (
        COVERAGE, Seen(clean(5000), eligible=10_000), INCONCLUSIVE, "lost on their way",
    ),
    "within chance of the threshold": (
        COVERAGE, Seen(clean(940), eligible=1000), INCONCLUSIVE, "within chance",
    ),
    "more than can be is an error": (COVERAGE, Seen(clean(5000), eligible=4000), ERROR, "more"),
    "nothing expected": (
        COVERAGE, Seen((), eligible=0), INCONCLUSIVE, "100 more expected copies are needed.",
    ),
    "nothing received of what was expected": (
        COVERAGE, Seen((), eligible=1000), INCONCLUSIVE, "0 of 1,000",
    ),
    "an own mirror is not counted": (
        COVERAGE, Seen(clean(10), OWN_MIRROR), NOT_APPLICABLE, "own mirror",
    ),
    "half of the requests are eligible": (ELIGIBLE, Seen(clean(5000)), PASSED, "5,000 of 10,000"),
    "too few are": (
        ELIGIBLE,
        Seen(
            clean(5000),
            {"gates": {"eligibleShare": {"minPercent": 60}}},
            skipped={"Method": 4000, "Upgrade": 1},
        ),
        INCONCLUSIVE,
        "Method 4,000",
    ),
    # representative?
    "few pairs prove nothing": (UNPROVEN, Seen(clean(900, unproven={"404": 100})), PASSED, "100"),
    "most answers were 401 for want of a credential": (
        UNPROVEN,
        Seen(
            clean(70, unproven={"401": 930}), received=1000, credentials={"authorization": 990}
        ),
        INCONCLUSIVE,
        "In 93% of 1,000 pairs both sides answered 401, which proves nothing. 990 of 1,000 "
        "requests carry authorization, which copies lose; listed in mirror.forwardHeaders it goes "
        "through.",
    ),
    "most answers were 404": (
        UNPROVEN,
        Seen(clean(70, unproven={"404": 930}), credentials={"cookie": 900}),
        INCONCLUSIVE,
        "the clones may lack production's data",
    ),
    "most bodies were cut on both sides": (
        UNPROVEN,
        Seen(clean(6900, incomparable={"BodyTooLarge": 62_100})),
        INCONCLUSIVE,
        "In 90% of 69,000 pairs bodies were too large to keep, which proves nothing; "
        "comparison.maxBodyBytes keeps more.",
    ),
    "most bodies differ beyond what is looked through, as the reference's do": (
        UNPROVEN,
        Seen(
            clean(
                6900,
                differing={"$ text TooLarge, $.time timestamp": 62_100},
                uniform=control(3000, {UNREAD: 2700, TIME: 2700}, {UNREAD: 2700, TIME: 2700}),
            )
        ),
        INCONCLUSIVE,
        "In 90% of 69,000 pairs bodies could not be compared (too large), which proves nothing",
    ),
    "most of them where they are counted singly, too": (
        UNPROVEN,
        Seen(
            clean(
                6900,
                hinted_only=62_100,
                hinted=table({UNREAD: 62_100}),
                uniform=control(3000, {UNREAD: 2700}, {UNREAD: 2700}),
            )
        ),
        INCONCLUSIVE,
        "In 90% of 69,000 pairs",
    ),
    "neither side answered in time": (
        UNPROVEN,
        Seen(clean(6900, both_timeouts=62_100)),
        INCONCLUSIVE,
        "In 90% of 69,000 pairs neither side answered in time, which proves nothing",
    ),
    "neither side answered": (
        UNPROVEN, Seen(clean(6900, both_errors=62_100)), INCONCLUSIVE, "neither side answered,",
    ),
    "the reference did not answer": (
        UNPROVEN, Seen(clean(70, reference_errors=30)), INCONCLUSIVE, "the reference did not",
    ),
    "the shadow alone did not answer: that is not nothing": (
        UNPROVEN, Seen(clean(70, shadow_errors=30)), PASSED, "0 of 100",
    ),
    "a little of each": (
        UNPROVEN,
        Seen(clean(85, both_errors=5, both_timeouts=5, incomparable={"Memory": 5})),
        PASSED,
        "15 of 100",
    ),
    "an ignored body that is not looked through is ignored": (
        UNPROVEN,
        Seen(
            clean(100, differing={UNREAD: 900}),
            {"comparison": {"ignore": [{"path": "$", "reason": "a download"}]}},
        ),
        PASSED,
        "0 of 1,000",
    ),
    "most values were compared": (
        JUDGED,
        Seen(
            clean(
                0, differing={TIME: 5000}, uniform=control(250, {TIME: 250}, {TIME: 250}),
                present={"$.time": 1.0},
            )
        ),
        PASSED,
        "90%",
    ),
    "another order is not ignored values": (
        JUDGED,
        Seen(
            clean(0, differing={"$.tags order": 5000}, present={"$.tags": 1.0}),
            {"comparison": {"unordered": [{"path": "$.tags", "reason": "a set"}]}},
        ),
        PASSED,
        "100%",
    ),
    "most values were ignored": (
        JUDGED,
        Seen(
            clean(
                4000,
                hinted_only=1000,
                hinted=table({f"$.a{i} text": 1000 for i in range(8)}),
                present={f"$.a{i}": 1.0 for i in range(8)},
            ),
            {"comparison": {"ignore": [{"path": f"$.a{i}", "reason": "r"} for i in range(8)]}},
        ),
        INCONCLUSIVE,
        "20%",
    ),
    "pairs enough": (MINIMUM, Seen(clean(1000)), PASSED, "1,000 pairs"),
    "one less": (MINIMUM, Seen(clean(999)), INCONCLUSIVE, ""),
    "too few pairs": (MINIMUM, Seen(clean(400)), INCONCLUSIVE, "600 more pairs are needed, about"),
    "a rare route is named": (
        MINIMUM,
        Seen((route(5000), route(9, name="GET /rare"))),
        PASSED,
        "Untested, with fewer than 100 pairs: GET /rare (9).",
    ),
    "all routes are rare": (
        MINIMUM,
        Seen(tuple(route(99, name=f"GET /r{i}") for i in range(20))),
        INCONCLUSIVE,
        "1 more pairs of GET /r9 are needed, about 5s.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "seen", "result", "words"), CASES.values(), ids=CASES.keys())
def test_gate(name: GateName, seen: Seen, result: GateResult, words: str) -> None:
    gate = seen.gate(name)
    assert (gate.result, words in gate.message) == (result, True), gate


def test_every_gate_of_the_resource_is_judged_in_its_order() -> None:
    assert list(GATES) == list(GateName)


def test_a_gate_that_is_off_is_not_measured() -> None:
    wanted = spec(gates={"coverage": {"mode": "Off"}})
    judged = judge(wanted, Seen(clean(10)).ledger(), Subject("hal9", "hal9"), now=600.0)
    assert GateName.COVERAGE not in {gate.name for gate in judged.gates}


def test_an_undecided_route_that_is_too_rare_to_judge_does_not_block_the_rate() -> None:
    rare = route(0, {TIME: 9}, name="GET /rare")
    assert Seen((*clean(5000), rare)).gate(MATCH).result is PASSED


NEEDS: dict[str, tuple[GateName, Seen, int | None, int | None]] = {
    "pairs that match": (MATCH, Seen(clean(1000)), 3512, 2001),
    "pairs of those that prove something": (
        MATCH, Seen(clean(1000, unproven={"404": 1000})), 3512, 2001,
    ),
    "requests without an error": (ERRORS, Seen(clean(1000)), 3443, 1962),
    "pairs at all": (MINIMUM, Seen(clean(400)), 600, 855),
    "pairs of the route that is first to be judged": (
        MINIMUM, Seen(tuple(route(50 + i, name=f"GET /r{i}") for i in range(20))), 31, 256,
    ),
    "pairs that show that a difference is rare": (
        CRITICAL, Seen(clean(6_000, signatures=(once("status status 200>404"),))), 850, 80,
    ),
    "of two differences the one that takes longer": (
        CRITICAL,
        Seen(
            (
                *clean(6_000, signatures=(once("status status 200>404"),)),
                *clean(500, name="GET /b", signatures=(once("status status 200>404"),)),
            )
        ),
        6350,
        7224,
    ),
    "what pairs alone don't show has no number": (
        CRITICAL,
        Seen(
            (
                *clean(6_000, signatures=(once("status status 200>404"),)),
                *clean(900, differing={"status status 200>500": 3}, name="GET /b"),
            )
        ),
        None,
        None,
    ),
    "answers of both": (THROUGHPUT, Seen(clean(20)), 23, 655),
    "copies to judge by": (COVERAGE, Seen(clean(40)), 60, 855),
    "no copy yet": (COVERAGE, Seen((), eligible=0), 100, None),
    "copies that make up for lost ones": (COVERAGE, Seen(clean(940), eligible=1000), 200, None),
    "of lost copies none make up where all must arrive": (
        COVERAGE,
        Seen(clean(940), {"gates": {"coverage": {"minPercent": 100}}}, eligible=1000),
        None,
        None,
    ),
    "pairs that outweigh those that prove nothing": (
        UNPROVEN, Seen(clean(700, unproven={"401": 300})), 500, None,
    ),
    "of pairs that prove nothing none must be": (
        UNPROVEN,
        Seen(clean(700, unproven={"401": 300}), {"gates": {"unproven": {"maxPercent": 0}}}),
        None,
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "seen", "pairs", "eta"), NEEDS.values(), ids=NEEDS)
def test_a_gate_says_what_it_needs_and_how_long_that_takes(
    name: GateName, seen: Seen, pairs: int | None, eta: int | None
) -> None:
    gate = seen.gate(name)
    assert gate.result is INCONCLUSIVE
    needs = gate.needs
    assert ((needs.pairs, needs.eta_seconds) if needs else (None, None)) == (pairs, eta)


def test_what_is_needed_is_enough() -> None:
    assert Seen(clean(20 + 22)).gate(THROUGHPUT).result is INCONCLUSIVE
    assert Seen(clean(20 + 23)).gate(THROUGHPUT).result is PASSED
    assert Seen(clean(940 + 199), eligible=1199).gate(COVERAGE).result is INCONCLUSIVE
    assert Seen(clean(940 + 200), eligible=1200).gate(COVERAGE).result is PASSED
    assert Seen(clean(1199, unproven={"404": 300})).gate(UNPROVEN).result is INCONCLUSIVE
    assert Seen(clean(1200, unproven={"404": 300})).gate(UNPROVEN).result is PASSED


def test_what_counts_pairs_or_copies_says_over_which_time() -> None:
    judged = judge(spec(soakSeconds=600), Seen(clean(10)).ledger(), Subject("a", "b"), now=600.0)
    windows = {one.name: one.window_seconds for one in judged.gates if one.source == "comparator"}
    assert set(windows.values()) == {600}
    assert windows.keys() == {
        CRITICAL, MATCH, ERRORS, TIMEOUTS, UNPROVEN, JUDGED, MINIMUM, THROUGHPUT,
        GateName.ROUTES, GateName.LATENCY_P50, GateName.LATENCY_P99,
    }  # fmt: skip
    for name in (COVERAGE, ELIGIBLE):
        assert Seen(clean(10)).gate(name).window_seconds == 600


def test_the_first_pairs_that_can_decide_do() -> None:
    assert Seen(clean(4511)).gate(MATCH).result is INCONCLUSIVE
    assert Seen(clean(4512)).gate(MATCH).result is PASSED


RATES: dict[str, tuple[bool, bool]] = {
    # what is judged, and what it must be
    "no event of the first number that decides": (passes(0, 4512, 0.001), True),
    "of one less": (passes(0, 4511, 0.001), False),
    "where two count as one it takes twice as many": (passes(0, 2 * 4512, 0.001, 2.0), True),
    "and no less": (passes(0, 2 * 4511, 0.001, 2.0), False),
    "two events that are one": (passes(2, 2 * 6851, 0.001, 2.0), True),
    "as two they are too many": (passes(2, 2 * 4512, 0.001, 2.0), False),
    "many events are too many": (fails(30, 5000, 0.001), True),
    "if they are one they are not": (fails(30, 5000, 0.001, 30.0), False),
    "if each is ten of three hundred they are": (fails(300, 5000, 0.001, 10.0), True),
    "before the first hundred trials nothing is": (fails(99, 99, 0.001), False),
}


@pytest.mark.parametrize(("found", "expected"), RATES.values(), ids=RATES)
def test_a_rate_is_judged_by_what_counts_as_one(*, found: bool, expected: bool) -> None:
    assert found is expected


def match(seen: Seen, effect: float = 1.0) -> Gate:
    """Judge the match rate where so many mismatches count as one."""
    asked, ledger = spec(), seen.ledger()
    counted = tally(asked, ledger.counts, interval=30.0)
    return match_rate(Case(asked, ledger, counted, soaked=True, design_effect=effect)).gate


@pytest.mark.parametrize(("effect", "said"), [(1.49, False), (1.5, True)])
def test_bursts_are_said_where_they_matter(effect: float, *, said: bool) -> None:
    seen = Seen(clean(4990, differing={STATE: 10}, uniform=CHANGED))
    assert ("bursts" in match(seen, effect).message) is said


def test_where_two_mismatches_count_as_one_it_takes_twice_as_many_pairs() -> None:
    one, two = (
        match(Seen(clean(5000 - n, differing={STATE: n}, uniform=CHANGED)), n) for n in (1, 2)
    )
    assert one.needs is not None
    assert two.needs is not None
    assert (one.needs.pairs, two.needs.pairs) == (6851 - 5000, 2 * 6851 - 5000)


@pytest.mark.parametrize("effect", [1, 2])
def test_status_shows_what_was_seen_and_what_is_sure(effect: int) -> None:
    """5,000 pairs without a mismatch show 99.9 %; where two count as one they show less."""
    clean_one = match(Seen(clean(5000)), effect)
    assert (clean_one.observed, clean_one.samples) == ("100%", 5000)
    assert clean_one.bound == {1: "99.9%", 2: "99.81%"}[effect]
    seen = Seen(clean(4500, differing={STATE: 500, TIME: 5000}, uniform=CHANGED))
    gate = match(seen, effect)
    assert (gate.observed, gate.samples) == ("90%", 10_000)


def test_undecided_pairs_are_pairs() -> None:
    gate = match(Seen(clean(100, differing={TIME: 100}, uniform=control(5))))
    assert (gate.samples, gate.observed) == (200, "100%")
