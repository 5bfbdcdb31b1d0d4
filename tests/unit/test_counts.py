"""Counts of processes: what they are counted of, added up, and folded without a loss."""

import json
from itertools import product
from typing import Any

from shadow_operator.api.evidence import ComparatorConfig, PathCount, PlaceKind, RouteCounts
from shadow_operator.comparator import export
from shadow_operator.comparator.counts import (
    ERROR,
    TABLE_PLACES,
    ControlTally,
    Result,
    Rules,
)
from shadow_operator.comparator.counts import Counts as Measured
from shadow_operator.comparator.room import Room
from shadow_operator.core.comparing.answer import EVENT_STREAM, MEMORY, Answer
from shadow_operator.core.comparing.instances import is_instance
from shadow_operator.core.comparing.shape import Shape
from shadow_operator.core.counting.counts import Counts, merged, tightened
from tests.support.readings import control, route
from tests.unit.test_comparator_copy import BASE


def result(content: object) -> Result:
    body = json.dumps(content).encode()
    return Result("10.0.0.1", Answer(200, {"content-type": "application/json"}, body), "", 0.01)


def measured(*pairs: tuple[object, object], path: str = "/thing", **config: Any) -> Measured:
    """Let a comparator count pairs of answers, reference first."""
    counts, rules = Measured(), Rules(ComparatorConfig.model_validate({**BASE, **config}))
    for _ in range(3):  # so that the route is shown
        counts.routes.of(path)
    for reference, shadow in pairs:
        tally = counts.tally("GET", path)
        of_route = rules.of("GET", tally.route.template)
        tally.pair(result(shadow), result(reference), None, of_route, now=1.0, request_id="r")
    return counts


def exported(counts: Measured) -> RouteCounts:
    [one] = export.routes(counts)
    return one


def added(*routes: RouteCounts) -> RouteCounts:
    [one] = merged(Counts(routes=(part,)) for part in routes).routes
    return one


def up(pod: str, since: float, now: float, seconds: float) -> Result:
    """Give what a pod that started `since` answers at that moment; a call takes `seconds`."""
    body = json.dumps({"up": round(now - since, 3)}).encode()
    answer = Answer(200, {"content-type": "application/json"}, body, len(body))
    return Result(pod, answer, "", seconds, received=now)


def test_a_value_that_waited_for_the_other_pods_of_its_pair_is_no_older_one() -> None:
    counts, rules = Measured(), Rules(ComparatorConfig.model_validate(BASE))
    pairs = []
    for number in range(400):
        sent = number / 10
        slow = 4.0 if number % 5 == 0 else 0.01  # of the control
        pods = (("s", -9.0, 0.01), ("r1", -5.0, 0.01), ("r2", -6.0, slow))
        seen = [up(pod, since, sent + seconds, seconds) for pod, since, seconds in pods]
        pairs.append((sent + slow, seen))
    for now, (shadow, reference, another) in sorted(pairs, key=lambda pair: pair[0]):
        tally = counts.tally("GET", "/thing")
        of_route = rules.of("GET", tally.route.template)
        tally.pair(shadow, reference, another, of_route, now=now, request_id="r")
    [path] = exported(counts).paths
    assert path.within_pods.startswith("rising")
    assert is_instance(path.within_pods)


WITH, WITHOUT = {"state": "on", "n": 1}, {"n": 1}


def test_a_path_is_counted_of_the_pairs_of_processes_that_saw_it_differ() -> None:
    saw = exported(measured(*[(WITH, WITH)] * 9, (WITH, WITHOUT)))
    clean = exported(measured(*[(WITH, WITH)] * 10))
    assert clean.paths == ()
    [path] = added(saw, clean).paths
    assert (path.path, path.reference, path.pairs) == ("$.state", 10, 10)
    [path] = added(saw, clean, saw).paths
    assert (path.reference, path.pairs) == (20, 20)


def test_a_count_of_before_is_of_all_pairs_of_its_process() -> None:
    old = PathCount.model_validate({"path": "$.state", "reference": 50, "shadow": 0, "leaves": 0})
    stored = route(100, name="GET /thing").model_copy(update={"paths": (old,)})
    saw = exported(measured(*[(WITH, WITH)] * 9, (WITH, WITHOUT)))
    [path] = added(stored, saw).paths
    assert (path.reference, path.pairs) == (60, 110)


def test_the_order_of_an_unordered_array_is_counted_singly() -> None:
    there, back = {"tags": [1, 2]}, {"tags": [2, 1]}
    one = exported(measured(*[(there, back)] * 5, unordered=[{"path": "$.tags"}]))
    [count] = [count for count in one.hinted if count.place.path == "$.tags"]
    assert (count.place.kind, one.matched, one.signatures[1:]) == ("order", 0, ())
    plain = exported(measured(*[(there, back)] * 5))
    assert plain.hinted == ()


def test_what_is_folded_keeps_the_counts_that_a_missing_member_is_judged_by() -> None:
    texts = ", ".join(f"$.a{number} text" for number in range(9))
    folded = route(
        1000,
        {f"{texts}, $.z missing": 5, "$.rare text": 1},
        present={f"$.a{number}": 1.0 for number in range(9)} | {"$.z": 1.0, "$.rare": 1.0},
    )
    [one] = tightened(Counts(routes=(folded,)), 1, 10).routes
    assert [path.path for path in one.paths] == ["$.a0", "$.a1", "$.a2", "$.z"]
    assert (one.overflow, len(one.signatures)) == (1, 1)


def test_what_is_folded_keeps_both_sides_of_a_place_or_none() -> None:
    noisy = [f"$.a{number} text" for number in range(9)]
    folded = route(
        0,
        {", ".join(noisy): 1000},
        uniform=control(
            50,
            {name: 40 + number for number, name in enumerate(noisy)},
            {name: 50 - number for number, name in enumerate(noisy)},
        ),
    )
    [one] = tightened(Counts(routes=(folded,)), 1, 10).routes
    reference = {count.place for count in one.uniform.reference}
    assert reference == {count.place for count in one.uniform.shadow}
    assert len(reference) == 4


def test_members_that_come_and_go_are_folded_alike() -> None:
    folded = route(0, {"$.x missing": 5, "$.x extra": 4, "$.y text": 900})
    [one] = tightened(Counts(routes=(folded,)), 2, 10).routes
    assert [s.places[0].kind for s in one.signatures] == ["extra", "missing"]


def test_a_place_finds_room_on_both_sides_of_the_controls_or_on_none() -> None:
    names = [f"x{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(TABLE_PLACES + 1)]
    shape = Shape()
    places = [(shape.grow(name, shape.body), PlaceKind.TEXT, "") for name in names]
    *many, late = places
    tally = ControlTally(Room(1 << 20))
    for place in many:  # the reference disagrees with itself, the shadow happens not to
        tally.add([place], [])
    for _ in range(9):
        tally.add([late], [late])
    assert (tally.reference.pairs[late], tally.shadow.pairs[late]) == (0, 0)
    assert (tally.reference.overflow, tally.shadow.overflow) == (9, 9)
    tally.add(many[:1], many[:1])
    assert tally.shadow.pairs[many[0]] == 1


def test_answers_of_the_reference_are_counted_by_size_where_they_are_whole() -> None:
    counts, rules = Measured(), Rules(ComparatorConfig.model_validate(BASE))
    answers = {
        "GET": (Answer(200, {}, size=7), Answer(200, {}, size=5000, cut=MEMORY)),
        "HEAD": (Answer(200, {}),),
        "POST": (Answer(404, {}, size=40), Answer(200, {}, size=9, cut=EVENT_STREAM)),
    }
    shadow = Result("s", None, ERROR, 0.01)
    for method, given in answers.items():
        tally = counts.tally(method, "/")
        of_route = rules.of(method, "/")
        for answer, whole in product(given, (True, False)):
            reference = Result("r", answer, "", 0.01)
            tally.pair(shadow, reference, None, of_route, now=1.0, request_id="r", whole=whole)
    assert {one.method: one.reference_sizes for one in export.routes(counts)} == {
        "GET": {"3": 1, "3000": 1},
        "HEAD": {},
        "POST": {},
    }


def test_statuses_and_sizes_of_the_reference_add_up_and_survive_folding() -> None:
    one, two = route(2, reference_statuses={"2xx": 2}), route(reference_statuses={"404": 3})
    assert added(one, two, one).reference_statuses == {"2xx": 4, "404": 3}
    sized = route(2, reference_sizes={"0": 1, "300": 1})
    assert added(sized, one, sized).reference_sizes == {"0": 2, "300": 2}
    other = route(9, name="GET /other", reference_statuses={"2xx": 9})
    folded = tightened(Counts(routes=(one, other)), signatures=0, routes=1).routes
    assert {r.template: r.reference_statuses for r in folded} == {
        "{*}": {"2xx": 2},
        "/other": {"2xx": 9},
    }


def test_of_noise_that_is_folded_places_are_counted_singly() -> None:
    differing = {"$.a text": 9, "$.a text, $.b text": 5, "$.b text": 3}
    [one] = tightened(Counts(routes=(route(100, differing),)), 1, 10).routes
    assert [(s.pairs, len(s.places)) for s in one.signatures] == [(9, 1)]
    assert {count.place.path: count.pairs for count in one.hinted} == {"$.a": 5, "$.b": 8}
    assert (one.pairs, one.hinted_only, one.overflow) == (117, 8, 0)


def test_what_finds_no_room_for_its_places_is_overflow() -> None:
    many = {f"$.a{number} text": 1 for number in range(9)}
    [one] = tightened(Counts(routes=(route(100, many),)), 1, 10).routes
    assert (len(one.signatures), len(one.hinted), one.hinted_only, one.overflow) == (1, 3, 3, 5)
