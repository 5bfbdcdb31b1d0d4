"""Routes, each by itself: which must be judged, what they lack, and what to do about it."""

from typing import Any

import pytest

from shadow_operator.api.enums import GateName, GateResult, RouteResult
from shadow_operator.api.evidence import PathCount, RouteCounts
from shadow_operator.api.status import Gate
from shadow_operator.core.counting.blocks import OTHER, Block
from shadow_operator.core.counting.counts import Counts
from shadow_operator.core.judging.judgement import Judgement, Subject, judge, settle
from shadow_operator.core.recording.ledger import Ledger, Process, begin
from shadow_operator.core.recording.soak import Soak
from tests.support.readings import EPOCH, control, route, spec

PASSED, FAILED, INCONCLUSIVE = GateResult.PASSED, GateResult.FAILED, GateResult.INCONCLUSIVE
STATE, TIME, TYPE = "$.state text", "$.time timestamp", "$.n type string>number"
CHANGED = {"uniform": control(250, {}, {STATE: 5}), "triggered": control(20, {}, {STATE: 20})}


def get(path: str, matched: int, **changes: Any) -> RouteCounts:
    return route(matched, name=f"GET {path}", **changes)


def ledger(*routes: RouteCounts, **changes: Any) -> Ledger:
    """Give the evidence of ten minutes of soak."""
    received = sum(one.pairs + sum(one.unproven.values()) for one in routes)
    counts = Counts(
        received=received,
        eligible=received,
        routes=routes,
        credentials=changes.pop("credentials", {}),
    )
    process = Process(pod="p", pod_uid="u", boot_id="b", started_time=0, time=600, counts=counts)
    measured = {"first_measurement": 0.0, "last_measurement": 600.0, "advanced": 600.0}
    return begin(EPOCH, now=0, interval=30).model_copy(
        update={"processes": (process,), "soak": Soak(elapsed=600.0, counted_to=600.0)}
        | measured
        | changes
    )


def judgement(seen: Ledger, **changes: Any) -> Judgement:
    wanted = spec(**{"soakSeconds": 600} | changes)
    return judge(wanted, seen, Subject("hal9", "hal9"), now=600.0)


def gate_of(judged: Judgement) -> Gate:
    return next(gate for gate in judged.gates if gate.name is GateName.ROUTES)


def required(*templates: str) -> dict[str, Any]:
    return {"gates": {"routes": {"required": list(templates)}}}


WAITING = (
    "matchRate", "shadowErrors", "timeouts", "latencyP50", "latencyP99", "productionImpact",
    "coverage",
)  # fmt: skip
"""Gates that wait for what these tests do not tell."""
EXCUSED = PathCount(path="$.state", reference=5000, shadow=5000, leaves=40_000)
IGNORED = {"comparison": {"ignore": [{"path": "$.state", "reason": "renamed"}]}}
MEANT = {
    "comparison": {
        "expectedVariations": [{"path": "$.state", "maxPercent": "100", "reason": "renamed"}]
    }
}
EVERYWHERE = {"uniform": control(250, {}, {STATE: 230, "$.sum text": 20})}
"""Controls by which both differ in the shadow alone."""


def half_excused(leaves: int) -> RouteCounts:
    """Give a route of 50,000 leaves, of which so many are at an ignored place."""
    paths = (EXCUSED.model_copy(update={"leaves": leaves}),)
    return get("/b", 0, differing={STATE: 5000}).model_copy(update={"paths": paths})


CASES: dict[str, tuple[tuple[RouteCounts, ...], dict[str, Any], GateResult, str]] = {
    "every route has pairs enough": (
        (get("/a", 5000), get("/b", 5000)), {}, PASSED, "All 2 routes that must be judged are.",
    ),
    "a rare route is listed as untested": (
        (get("/a", 20_000), get("/b", 99)), {}, PASSED, "Untested, because rare: GET /b.",
    ),
    "of many rare routes the first three are named": (
        (get("/a", 20_000), *(get(f"/{letter}", 20) for letter in "bcdef")), {}, PASSED,
        "Untested, because rare: GET /b, GET /c, GET /d and 2 more.",
    ),
    "three of them are all": (
        (get("/a", 20_000), *(get(f"/{letter}", 20) for letter in "bcd")), {}, PASSED,
        "Untested, because rare: GET /b, GET /c, GET /d.",
    ),
    "one request in a hundred is rare": (
        (get("/a", 5940), get("/b", 60)), {}, PASSED, "rare: GET /b.",
    ),
    "one more is not": (
        (get("/a", 5939), get("/b", 61)), {}, INCONCLUSIVE, "GET /b: 61 of 100 pairs",
    ),
    "a route above the share must be judged": (
        (get("/a", 2000), get("/b", 60)), {}, INCONCLUSIVE, "GET /b: 60 of 100 pairs",
    ),
    "the share is the spec's": (
        (get("/a", 2000), get("/b", 60)),
        {"gates": {"routes": {"minSharePercent": 5}}},
        PASSED,
        "rare: GET /b.",
    ),
    "a required route must be judged however rare it is": (
        (get("/a", 20_000), get("/b/{}", 99)), required("/b/{id}"), INCONCLUSIVE,
        "GET /b/{}: 99 of 100 pairs",
    ),
    "a required route that nobody asked for": (
        (get("/a", 5000),), required("/b/{id}"), INCONCLUSIVE, "/b/{id}: no request for it yet",
    ),
    "a required route that is judged": (
        (get("/a", 20_000), get("/b/{}", 100)), required("/b/{id}"), PASSED, "All 2 routes",
    ),
    "clones that lack production's data prove nothing": (
        (get("/a", 20_000), get("/b", 500, unproven={"404": 600})), {}, INCONCLUSIVE,
        "GET /b: in 54.54% of them both sides answered 404; the clones may lack production's data",
    ),
    "most of the answer is ignored": (
        (
            get("/a", 5000),
            get("/b", 0, differing={STATE: 5000}).model_copy(update={"paths": (EXCUSED,)}),
        ),
        IGNORED,
        INCONCLUSIVE,
        "GET /b: only 20% of its values are judged",
    ),
    "half of the answer is enough": (
        (get("/a", 5000), half_excused(25_000)), IGNORED, PASSED, "All 2",
    ),
    "a little less is not": (
        (get("/a", 5000), half_excused(25_001)), IGNORED, INCONCLUSIVE, "GET /b: only",
    ),
    "undecided pairs are pairs, too": (
        (get("/a", 0, differing={STATE: 100, TIME: 50}, **CHANGED),), {}, FAILED,
        "GET /a: 100 of 150 pairs mismatch",
    ),
    "of a bad route its own places are named": (
        (
            get("/a", 200_000, differing={TYPE: 3}, uniform=control(250, {}, {TYPE: 3})),
            get("/b", 2900, differing={STATE: 100}, **CHANGED),
        ),
        {},
        FAILED,
        "GET /b: 100 of 3,000 pairs mismatch, most often $.state text",
    ),
    "a bad route hides among many good pairs": (
        (get("/a", 200_000), get("/b", 2900, differing={STATE: 100}, **CHANGED)), {}, FAILED,
        "GET /b: 100 of 3,000 pairs mismatch, most often $.state text",
    ),
    "a few mismatches of a route are no failure": (
        (get("/a", 5000), get("/b", 2998, differing={STATE: 2}, **CHANGED)), {}, PASSED, "All 2",
    ),
    "pairs that differ as they are meant to are pairs of the route, too": (
        (get("/a", 90, differing={STATE: 4900, "$.sum text": 10}, **EVERYWHERE),),
        MEANT,
        PASSED,
        "All 1",
    ),
    "where a match rate is not required no route fails": (
        (get("/a", 200_000), get("/b", 2900, differing={STATE: 100}, **CHANGED)),
        {"gates": {"matchRate": {"mode": "Advisory"}}},
        PASSED,
        "All 2",
    ),
    "where every route is rare none is judged": (
        tuple(get(f"/r{number}", 50) for number in range(150)), {}, INCONCLUSIVE,
        "No route is judged, for each is rare; the first: GET /r0: 50 of 100 pairs.",
    ),
    "nothing compared can't pass": ((), {}, INCONCLUSIVE, "No pair"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_gate_says(name: str) -> None:
    routes, changes, result, sentence = CASES[name]
    judged = judgement(ledger(*routes), **changes)
    gate = gate_of(judged)
    assert (gate.result, sentence in gate.message) == (result, True), gate


@pytest.mark.parametrize(
    ("mismatches", "routes", "result"),
    [(13, 2, FAILED), (13, 5, PASSED), (14, 10, FAILED), (14, 20, PASSED)],
)
def test_the_chance_of_a_wrong_failure_is_split_over_all_routes(
    mismatches: int, routes: int, result: GateResult
) -> None:
    bad = get("/bad", 3000 - mismatches, differing={STATE: mismatches}, **CHANGED)
    others = [get(f"/{number}", 3000) for number in range(routes - 1)]
    assert gate_of(judgement(ledger(bad, *others))).result is result


@pytest.mark.parametrize(("pairs", "result"), [(99, INCONCLUSIVE), (100, FAILED)])
def test_no_route_fails_on_its_first_pairs(pairs: int, result: GateResult) -> None:
    bad = get("/bad", 0, differing={STATE: pairs}, **CHANGED)
    assert gate_of(judgement(ledger(get("/a", 5000), bad))).result is result


def test_mismatches_of_a_route_that_come_in_bursts_count_for_less() -> None:
    bad = get("/bad", 2980, differing={STATE: 20}, **CHANGED)
    seen = ledger(get("/a", 27_000), bad)
    assert gate_of(judgement(seen)).result is FAILED
    burst = seen.model_copy(update={"blocks": blocks(10)})
    assert gate_of(judgement(burst)).result is PASSED
    worse = get("/bad", 2800, differing={STATE: 200}, **CHANGED)
    bursts = ledger(get("/a", 27_000), worse, blocks=blocks(*range(1, 21, 2)))
    assert gate_of(judgement(bursts)).result is FAILED


def blocks(*bursts: int) -> tuple[Block, ...]:
    """Give twenty intervals; in these twenty pairs differ."""
    return tuple(
        Block(end=30.0 * n, seconds=30.0, pairs=1500, differing={OTHER: 20} if n in bursts else {})
        for n in range(1, 21)
    )


def test_a_lost_credential_is_named() -> None:
    refused = get("/b", 0, unproven={"401": 900})
    judged = judgement(ledger(get("/a", 5000), refused, credentials={"authorization": 900}))
    (first, *_) = judged.comparison.routes
    assert first.missing is not None
    assert first.missing.endswith("list authorization in mirror.forwardHeaders")


def test_a_route_that_lacks_pairs_says_how_many_requests_bring_them() -> None:
    judged = judgement(ledger(get("/a", 950), get("/b", 50)))
    gate = gate_of(judged)
    assert gate.needs is not None
    assert gate.needs.pairs == 1000


def test_of_a_route_without_a_pair_each_request_that_is_missing_costs_all() -> None:
    judged = judgement(ledger(get("/a", 1000), get("/b", 0, shadow_errors=60)))
    needs = gate_of(judged).needs
    assert needs is not None
    assert needs.pairs == 100 * 1060


@pytest.mark.parametrize(("elapsed", "blocked_by"), [(30.0, "soak 30s/10m"), (31.0, "routes")])
def test_a_route_whose_pairs_come_within_the_soak_is_in_nobodys_way(
    elapsed: float, blocked_by: str
) -> None:
    """A thousand requests took ten minutes with the ramp, 570 s without, and so many are needed."""
    running = Soak(elapsed=elapsed, counted_to=600.0)
    seen = ledger(get("/a", 950), get("/b", 50), soak=running)
    off = {name: {"mode": "Off"} for name in WAITING}
    judged = judgement(seen, gates=off)
    assert judged.verdict is not None
    assert judged.blocked_by == blocked_by


def test_how_many_routes_are_judged_is_said_and_of_many_that_are_not_the_first_three() -> None:
    few = [get(f"/{letter}", 50) for letter in "bcdef"]
    gate = gate_of(judgement(ledger(get("/a", 1000), *few)))
    assert gate.observed == "1 of 6 judged"
    assert "GET /d: 50 of 100 pairs; and 2 more routes" in gate.message
    assert "GET /e" not in gate.message
    assert "and 1 more" in gate_of(judgement(ledger(get("/a", 1000), *few[1:]))).message
    assert "more routes" not in gate_of(judgement(ledger(get("/a", 1000), *few[2:]))).message


def test_status_lists_what_lacks_something_first_and_no_more_than_it_has_room_for() -> None:
    many = [get(f"/{letter}", 10_000) for letter in "cdefghijklmnopqrstuvwxyz"]
    judged = judgement(ledger(*many, get("/a", 20_000, unproven={"404": 20_000}), get("/b", 5)))
    listed = judged.comparison.routes
    assert (listed[0].name, listed[0].result) == ("GET /a", RouteResult.INCONCLUSIVE)
    assert len(listed) == 20


def test_a_route_that_fails_takes_the_soak_until_a_rule_gives_it_back() -> None:
    seen = ledger(get("/a", 200_000), get("/b", 2900, differing={STATE: 100}, **CHANGED))
    running = seen.model_copy(update={"soak": Soak(elapsed=300.0, counted_to=600.0)})
    failing = judgement(running)
    assert failing.soak.elapsed_seconds == 0
    settled = settle(spec(soakSeconds=600), running, failing, now=600.0)
    assert judgement(settled, **IGNORED).soak.elapsed_seconds == 300


def test_a_route_shows_its_own_bound_and_share() -> None:
    (only,) = judgement(ledger(get("/a", 5000))).comparison.routes
    assert only.result is RouteResult.JUDGED
    assert only.match_rate_lower_bound is not None
    assert 0.999 < float(only.match_rate_lower_bound) < 0.9995
    assert only.judged_share == "1"
    assert only.missing is None


def test_the_bound_of_a_route_is_that_of_all_where_it_is_the_only_one() -> None:
    meant = MEANT["comparison"]["expectedVariations"]
    for percent in ("0.1", "100"):
        rule = {**meant[0], "maxPercent": percent}
        differing = {STATE: 12, TIME: 9, "$.sum text": 7}
        controls = {"uniform": control(250, {}, {STATE: 5, "$.sum text": 20})}
        seen = ledger(get("/a", 9_972, differing=differing, **controls))
        shown = judgement(seen, comparison={"expectedVariations": [rule]}).comparison
        assert shown.mismatched == 7
        assert shown.routes[0].match_rate_lower_bound == shown.match_rate_lower_bound
