"""Clones that answer otherwise than production prove nothing about it, however well they agree."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from shadow_operator.api.enums import GateName, GateResult, RouteResult
from shadow_operator.api.evidence import RouteCounts
from shadow_operator.core.comparing import mix
from shadow_operator.core.comparing.mix import ALL, key
from shadow_operator.core.judging.judgement import Judgement, Subject, judge
from shadow_operator.core.judging.representative import LARGER, SMALLER, shifted, unlike
from shadow_operator.core.recording.collect import advance
from shadow_operator.core.recording.ledger import (
    LARGEST_BYTES,
    Ledger,
    MirrorCursor,
    begin,
    encode,
    fit,
    size,
)
from tests.support.readings import (
    EPOCH,
    comparators,
    mirror,
    mirrors,
    route,
    snapshot,
    spec,
)
from tests.unit.test_route_gate import ledger

ITEM, LIST = "/items/{id}", "/items"
DECLARED = {"comparison": {"routes": [ITEM, LIST]}}


@pytest.mark.parametrize(
    ("production", "clones", "says"),
    [
        ({"2xx": 980, "404": 20}, {"404": 930, "2xx": 70}, ("2xx", "404")),
        ({"2xx": 980, "404": 20}, {"404": 40, "2xx": 960}, None),
        ({"2xx": 980, "404": 20}, {"404": 120, "2xx": 880}, ("2xx", "404")),
        ({"2xx": 98, "404": 2}, {"404": 1, "2xx": 9}, None),
        ({"2xx": 700, "404": 300}, {"404": 310, "2xx": 690}, None),
        ({"2xx": 700, "404": 300}, {"2xx": 1000}, ("404", "2xx")),
        ({"2xx": 1000}, {"5xx": 1000}, ("2xx", "5xx")),
        ({}, {"404": 1000}, None),
        ({"2xx": 1000}, {}, None),
    ],
)
def test_mixes_are_alike_or_not(
    production: dict[str, int], clones: dict[str, int], says: tuple[str, str] | None
) -> None:
    found = unlike(production, clones)
    assert (found and (found.usual, found.instead)) == says


@pytest.mark.parametrize(
    ("production", "clones", "says"),
    [
        ({"300": 500, "1000": 500}, {"300": 500, "1000": 500}, None),
        ({"1000": 1000}, {"300": 1000}, None),  # what is next to it may hardly differ
        ({"1000": 1000}, {"3000": 1000}, None),
        ({"1000": 1000}, {"100": 1000}, (SMALLER, 1000, 300)),
        ({"100": 1000}, {"1000": 1000}, (LARGER, 300, 1000)),
        ({"10": 1000}, {"1": 1000}, (SMALLER, 10, 3)),
        ({"1": 1000}, {"0": 1000}, None),
        ({"1000": 940, "10": 60}, {"1000": 1000}, None),  # too few to be sure
        ({"1000": 9100, "10": 900}, {"1000": 10_000}, (LARGER, 30, 100)),
        ({"1000": 9600, "10": 400}, {"1000": 10_000}, None),
        ({"10000": 13}, {"1": 13}, None),
        ({"10000": 14}, {"1": 14}, (SMALLER, 10, 3)),
        ({}, {"1000": 1000}, None),
        ({"1000": 1000}, {}, None),
    ],
)
def test_sizes_are_alike_or_shifted_by_more_than_a_class(
    production: dict[str, int], clones: dict[str, int], says: tuple[str, int, int] | None
) -> None:
    found = shifted(production, clones)
    assert (found and (found.instead, found.production_bytes, found.clones_bytes)) == says


def counts(name: str, statuses: dict[str, int], sizes: dict[str, int] | None = None) -> RouteCounts:
    """Give a route without a difference, whose reference answered so."""
    proved = sum(n for status, n in statuses.items() if status not in mix.UNPROVEN)
    unproven = {s: n for s, n in statuses.items() if s in mix.UNPROVEN}
    return route(
        proved,
        name=name,
        unproven=unproven,
        reference_statuses=statuses,
        reference_sizes=sizes or {},
    )


def production(**answers: dict[str, int]) -> dict[str, dict[str, int]]:
    """Give the answers of production in the ledger: of all, and of each template by its name."""
    named = {"all": ALL, "item": key(ITEM), "list": key(LIST)}
    return {
        named[name]: {status: 100 * n for status, n in table.items()}
        for name, table in answers.items()
    }


def judged(
    *routes: RouteCounts, of: dict[str, dict[str, int]], changes: Any = None, **seen: Any
) -> Judgement:
    wanted = spec(**{"soakSeconds": 600} | (DECLARED if changes is None else changes))
    evidence = ledger(*routes, answers=of, **seen)
    return judge(wanted, evidence, Subject("hal9", "hal9"), now=600.0)


def gate(judgement: Judgement, name: GateName) -> tuple[GateResult, str]:
    return next((one.result, one.message) for one in judgement.gates if one.name is name)


GOOD = {"2xx": 9000}


def test_clones_without_productions_data_are_named_with_the_way_out() -> None:
    of = production(
        all={"2xx": 18_800, "404": 200}, item={"2xx": 9800, "404": 200}, list={"2xx": 9000}
    )
    result, message = gate(
        judged(
            counts(f"GET {LIST}", GOOD), counts(f"GET {ITEM}", {"404": 9300, "2xx": 700}), of=of
        ),
        GateName.ROUTES,
    )
    assert result is GateResult.INCONCLUSIVE
    assert message == (
        f"GET {ITEM}: production answers 2xx in 98% of its requests, the clones 404 in 93%: they "
        "lack its data; seed the clones, or let them reach it (clones.egressTo)."
    )


def test_what_production_itself_answers_is_representative_though_it_proves_nothing() -> None:
    half = {"2xx": 5000, "404": 5000}
    seen = judged(
        counts(f"GET {LIST}", GOOD),
        counts(f"GET {ITEM}", half),
        of=production(all={"2xx": 14_000, "404": 5000}, item=half, list=GOOD),
    )
    assert gate(seen, GateName.ROUTES)[0] is GateResult.PASSED
    result, message = gate(seen, GateName.UNPROVEN)
    assert result is GateResult.PASSED
    assert message.endswith("no larger a share than of production's own answers.")


def test_where_production_is_not_known_the_share_of_the_spec_decides() -> None:
    half = counts(f"GET {ITEM}", {"2xx": 5000, "404": 5000})
    seen = judged(counts(f"GET {LIST}", GOOD), half, of={})
    assert gate(seen, GateName.ROUTES)[0] is GateResult.INCONCLUSIVE
    assert gate(seen, GateName.UNPROVEN)[0] is GateResult.INCONCLUSIVE


def test_methods_of_a_template_are_held_against_production_together() -> None:
    of = production(all={"2xx": 8000, "404": 2000}, item={"2xx": 8000, "404": 2000})
    seen = judged(
        counts(f"GET {ITEM}", {"2xx": 8000}), counts(f"DELETE {ITEM}", {"404": 2000}), of=of
    )
    assert all("production answers" not in (one.missing or "") for one in seen.comparison.routes)


def test_routes_that_are_not_declared_are_held_against_the_rest_together() -> None:
    of = production(all={"2xx": 30_000, "404": 5000}, item={"404": 5000})
    seen = judged(
        counts(f"GET {ITEM}", {"404": 5000}),
        counts("GET /b", {"2xx": 15_000}),
        counts("GET /c", {"404": 9000, "2xx": 6000}),
        of=of,
    )
    missing = {one.name: one.missing or "" for one in seen.comparison.routes}
    assert "production answers 2xx in 100%" in missing["GET /c"]
    assert missing["GET /b"] == ""
    assert missing[f"GET {ITEM}"].startswith("0 of 100 pairs")


@pytest.mark.parametrize(
    ("group", "advice"),
    [
        ("401", "list cookie in mirror.forwardHeaders"),
        ("429", "clones.env"),
        ("5xx", "clones.egressTo"),
        ("3xx", "mirror.forwardHeaders"),
        ("4xx", "see what production has"),
    ],
)
def test_the_advice_is_the_statuss(group: str, advice: str) -> None:
    of = production(all={"2xx": 5000}, item={"2xx": 5000})
    seen = judged(
        counts(f"GET {ITEM}", {group: 4000, "2xx": 1000}), of=of, credentials={"cookie": 4000}
    )
    (only,) = seen.comparison.routes
    assert only.result is RouteResult.INCONCLUSIVE
    assert advice in (only.missing or "")


def test_clones_with_empty_lists_are_named_though_every_status_is_productions() -> None:
    of = production(all={"2xx": 18_000}, item={"2xx": 9000}, list={"2xx": 9000})
    sizes = production(
        all={"300": 9000, "1000": 8100, "10": 900},
        item={"300": 9000},
        list={"1000": 8100, "10": 900},
    )
    seen = judged(
        counts(f"GET {LIST}", GOOD, {"10": 9000}),
        counts(f"GET {ITEM}", GOOD, {"100": 4500, "300": 4500}),
        of=of,
        sizes=sizes,
    )
    assert gate(seen, GateName.ROUTES) == (
        GateResult.INCONCLUSIVE,
        f"GET {LIST}: of production's answers 90% have 100 bytes or more, of the clones' 0% have "
        "30 or more: they lack its data; seed the clones.",
    )


def test_clones_with_more_data_than_production_are_named_as_well() -> None:
    seen = judged(
        counts(f"GET {ITEM}", GOOD, {"3000": 9000}),
        of=production(all=GOOD, item=GOOD),
        sizes=production(all={"100": 9000}, item={"100": 9000}),
    )
    (only,) = seen.comparison.routes
    assert only.result is RouteResult.INCONCLUSIVE
    assert (only.missing or "").endswith("its state is not theirs; seed the clones")


def test_where_sizes_are_not_known_statuses_decide() -> None:
    sizes = {"10": 9000}
    seen = judged(counts(f"GET {ITEM}", GOOD, sizes), of=production(all=GOOD, item=GOOD))
    assert gate(seen, GateName.ROUTES)[0] is GateResult.PASSED


def test_sizes_of_routes_that_are_not_declared_are_held_against_the_rest_together() -> None:
    small, large = {"10": 15_000}, {"3000": 15_000}
    of = production(all={"2xx": 39_000}, item=GOOD)
    sizes = production(all={"10": 24_000, "3000": 15_000}, item={"10": 9000})
    item = counts(f"GET {ITEM}", GOOD, {"10": 9000})
    a, b = (
        counts(f"GET /{name}", {"2xx": 15_000}, table)
        for name, table in (("a", small), ("b", large))
    )
    alike = judged(item, a, b, of=of, sizes=sizes)
    assert {one.missing for one in alike.comparison.routes} == {None}
    emptied = judged(item, a, counts("GET /b", {"2xx": 15_000}, small), of=of, sizes=sizes)
    missing = {one.name: one.missing or "" for one in emptied.comparison.routes}
    assert "of production's answers 50% have" in missing["GET /b"]
    assert missing[f"GET {ITEM}"] == ""


def reading(boot: str, answers: int, percent: int = 100, **statuses: int) -> Any:
    table = {ALL: {name.strip("_"): n for name, n in statuses.items()}}
    return replace(mirror(answers, boot=boot, percent=percent), statuses=table)


def advanced(seen: Ledger, pairs: int, now: float, *readings: Any) -> Ledger:
    return advance(
        seen,
        comparators(snapshot(route(pairs), time=now)),
        mirrors(*readings),
        now=now,
        mirroring=True,
        healthy=True,
        interval=30,
    )


def test_answers_are_counted_as_often_as_they_are_copied() -> None:
    seen = advanced(begin(EPOCH, now=0, interval=30), 1, 30, reading("m", 100, _2xx=100))
    seen = advanced(seen, 50, 60, reading("m", 200, 50, _2xx=150, _404=50))
    assert seen.answers == {ALL: {"2xx": 50 * 50, "404": 50 * 50}}
    seen = advanced(seen, 90, 90, reading("m", 300, 0, _2xx=250, _404=50))
    assert seen.answers == {ALL: {"2xx": 50 * 50, "404": 50 * 50}}
    # An old reading that comes late changes nothing.
    again = advanced(seen, 90, 120, reading("m", 150, 100, _2xx=120))
    assert again.answers == seen.answers


def sized(boot: str, answers: int, percent: int, **sizes: int) -> Any:
    table = {ALL: {name.strip("_"): n for name, n in sizes.items()}}
    return replace(mirror(answers, boot=boot, percent=percent), sizes=table)


def test_sizes_are_counted_as_often_as_they_are_copied() -> None:
    seen = advanced(begin(EPOCH, now=0, interval=30), 1, 30, sized("m", 100, 100, _300=100))
    seen = advanced(seen, 50, 60, sized("m", 200, 50, _300=150, _10=50))
    assert seen.sizes == {ALL: {"300": 50 * 50, "10": 50 * 50}}
    assert advanced(seen, 90, 90, sized("m", 300, 0, _300=250, _10=50)).sizes == seen.sizes


def test_evidence_of_before_sizes_were_counted_is_read_and_counts_none_of_the_past() -> None:
    before = MirrorCursor(pod="m", requests=200, eligible=100, percent=100, time=30.0)
    old = begin(EPOCH, now=0, interval=30).model_copy(update={"mirrors": {"m": before}})
    written = old.model_dump_json(exclude={"sizes": True, "mirrors": {"m": {"sizes"}}})
    seen = advanced(Ledger.model_validate_json(written), 50, 60, sized("m", 200, 100, _300=900))
    assert seen.sizes == {}
    seen = advanced(seen, 90, 90, sized("m", 300, 100, _300=950))
    assert seen.sizes == {ALL: {"300": 5000}}


GROUPS = ("2xx", "3xx", "4xx", "5xx", "401", "403", "404", "407", "429")


CLASSES = tuple(map(str, mix.SIZES[4:12]))
"""Of one template; those of a longest are ten thousand times as large as those of a shortest."""


def _largest(seed: int, groups: tuple[str, ...] = GROUPS) -> dict[str, dict[str, int]]:
    """Give the answers of an Envoy that has seen everything of every template."""
    chance = Random(seed)  # noqa: S311
    keys = [ALL, *(key(str(number)) for number in range(mix.MOST_TEMPLATES))]
    return {name: {group: chance.randrange(10**7) for group in groups} for name in keys}


def _with_envoys(number: int) -> Ledger:
    seen = advanced(begin(EPOCH, now=0, interval=30), 5000, 30)
    cursors = {
        f"{n:036d}": MirrorCursor(
            pod=f"m{n}", eligible=n, statuses=_largest(n), sizes=_largest(n, CLASSES)
        )
        for n in range(number)
    }
    return seen.model_copy(
        update={"mirrors": cursors, "answers": _largest(99), "sizes": _largest(99, CLASSES)}
    )


def test_answers_of_two_envoys_leave_room_for_evidence() -> None:
    assert size(encode(_with_envoys(2))) <= LARGEST_BYTES / 2
    assert fit(_with_envoys(2)).answers
    assert fit(_with_envoys(2)).sizes


def test_a_flood_of_envoys_leaves_the_ledger_small_and_counts_nothing_twice() -> None:
    seen = _with_envoys(40)
    assert size(encode(seen)) <= LARGEST_BYTES
    small = fit(seen)
    assert (small.answers, small.sizes) == ({}, {})
    later = advanced(small, 6000, 60, replace(reading("0" * 35 + "7", 900), statuses=_largest(7)))
    assert later.answers == {}
