"""Routes, each by itself: which must be judged, what they lack, and what to do about it."""

from typing import Any

import pytest

from shadow_operator.api.enums import GateName, GateResult, RouteResult
from shadow_operator.api.evidence import PathCount, RouteCounts
from shadow_operator.core.counting.counts import Counts
from shadow_operator.core.judging.judgement import Judgement, Subject, judge, settle
from shadow_operator.core.recording.ledger import Ledger, Process, begin
from shadow_operator.core.recording.soak import Soak
from tests.support.readings import EPOCH, control, route, spec

PASSED, FAILED, INCONCLUSIVE = GateResult.PASSED, GateResult.FAILED, GateResult.INCONCLUSIVE
STATE = "$.state text"
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


def required(*templates: str) -> dict[str, Any]:
    return {"gates": {"routes": {"required": list(templates)}}}


EXCUSED = PathCount(path="$.state", reference=5000, shadow=5000, leaves=40_000)
IGNORED = {"comparison": {"ignore": [{"path": "$.state", "reason": "renamed"}]}}
MEANT = {
    "comparison": {
        "expectedVariations": [{"path": "$.state", "maxPercent": "100", "reason": "renamed"}]
    }
}
EVERYWHERE = {"uniform": control(250, {}, {STATE: 230, "$.sum text": 20})}
"""Controls by which both differ in the shadow alone."""

CASES: dict[str, tuple[tuple[RouteCounts, ...], dict[str, Any], GateResult, str]] = {
    "every route has pairs enough": (
        (get("/a", 5000), get("/b", 5000)), {}, PASSED, "All 2 routes that must be judged are.",
    ),
    "a rare route is listed as untested": (
        (get("/a", 20_000), get("/b", 99)), {}, PASSED, "Untested, because rare: GET /b.",
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
    gate = next(gate for gate in judged.gates if gate.name is GateName.ROUTES)
    assert (gate.result, sentence in gate.message) == (result, True), gate


def test_a_lost_credential_is_named() -> None:
    refused = get("/b", 0, unproven={"401": 900})
    judged = judgement(ledger(get("/a", 5000), refused, credentials={"authorization": 900}))
    (first, *_) = judged.comparison.routes
    assert first.missing is not None
    assert first.missing.endswith("list authorization in mirror.forwardHeaders")


def test_a_route_that_lacks_pairs_says_how_many_requests_bring_them() -> None:
    judged = judgement(ledger(get("/a", 950), get("/b", 50)))
    gate = next(gate for gate in judged.gates if gate.name is GateName.ROUTES)
    assert gate.needs is not None
    assert gate.needs.pairs == 1000


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
        seen = ledger(get("/a", 9_988, differing={STATE: 12}, **CHANGED))
        shown = judgement(seen, comparison={"expectedVariations": [rule]}).comparison
        assert shown.routes[0].match_rate_lower_bound == shown.match_rate_lower_bound
