"""Noise is what the reference does to itself; nothing else is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from shadow_operator.core.noise import RouteNoise, Standing
from tests.support.readings import control, place, route, table

NOISE, CHANGE, UNDECIDED = Standing.NOISE, Standing.CHANGE, Standing.UNDECIDED


@dataclass
class Seen:
    """3,000 pairs of which some differ at `where`, and what the controls showed."""

    where: str
    pairs: int
    triples: int
    reference: Mapping[str, int] = field(default_factory=dict)
    shadow: Mapping[str, int] = field(default_factory=dict)
    triggered: int = 0
    triggered_reference: Mapping[str, int] = field(default_factory=dict)
    triggered_shadow: Mapping[str, int] = field(default_factory=dict)


TIME = "$.time timestamp"
CASES = {
    "a timestamp that the reference also changes is noise": (
        Seen(TIME, 3000, 150, {TIME: 150}, {TIME: 150}),
        NOISE,
    ),
    "a stable date that the shadow shifts is a change": (
        Seen(TIME, 3000, 150, {}, {TIME: 150}),
        CHANGE,
    ),
    "seven differences without one of the reference are a change before twenty triples": (
        Seen(TIME, 140, 7, {}, {TIME: 7}),
        CHANGE,
    ),
    "six of them are not": (Seen(TIME, 120, 6, {}, {TIME: 6}), UNDECIDED),
    "a timestamp is undecided while there are fewer than twenty triples": (
        Seen(TIME, 380, 19, {TIME: 19}, {TIME: 19}),
        UNDECIDED,
    ),
    "a random pick that both make as often is noise": (
        Seen("$.pick text", 1500, 150, {"$.pick text": 70}, {"$.pick text": 81}),
        NOISE,
    ),
    "noise that became much more frequent is a change": (
        Seen("$.pick text", 1500, 150, {"$.pick text": 10}, {"$.pick text": 75}),
        CHANGE,
    ),
    "two disagreements of the reference do not make noise": (
        Seen("$.pick text", 40, 150, {"$.pick text": 2}, {"$.pick text": 2}),
        UNDECIDED,
    ),
    "a member that is missing where its value is noise is a change": (
        Seen("$.time missing", 3000, 150, {TIME: 150}, {"$.time missing": 150}),
        CHANGE,
    ),
    "a timestamp that became text is a change": (
        Seen("$.time text", 3000, 150, {TIME: 150}, {"$.time text": 150}),
        CHANGE,
    ),
    "a rare wrong value is refuted by ten clean extra controls": (
        Seen("$.sum number 1e0", 12, 600, {}, {}, 10, {}, {"$.sum number 1e0": 10}),
        CHANGE,
    ),
    "nine of them leave it undecided": (
        Seen("$.sum number 1e0", 12, 600, {}, {}, 9, {}, {"$.sum number 1e0": 9}),
        UNDECIDED,
    ),
    "rare noise is excused by extra controls, of which half find the reference odd": (
        Seen("$.x text", 30, 150, {}, {}, 30, {"$.x text": 14}, {"$.x text": 30}),
        NOISE,
    ),
    "a frequent difference that the uniform sample never shows in the reference is a change": (
        Seen("$.state text", 300, 150, {}, {}),
        CHANGE,
    ),
    "a rare one that so small a sample could have missed is undecided": (
        Seen("$.state text", 15, 150, {}, {}),
        UNDECIDED,
    ),
    "noise in the last digit does not excuse one percent": (
        Seen("$.x number 1e-2", 15, 150, {"$.x number 1e-15": 100}, {"$.x number 1e-15": 99}),
        UNDECIDED,
    ),
    "one percent in a tenth of the pairs is a change, whatever the last digit does": (
        Seen("$.x number 1e-2", 300, 150, {"$.x number 1e-15": 100}, {"$.x number 1e-2": 15}),
        CHANGE,
    ),
    "a random number may be ten times further off than any seen": (
        Seen("$.x number 1e2", 3, 150, {"$.x number 1e1": 20, "$.x number 1e0": 80}, {}),
        NOISE,
    ),
    "a smaller difference of a random number is noise": (
        Seen("$.x number 1e-6", 3, 150, {"$.x number 1e0": 100}, {"$.x number 1e0": 100}),
        NOISE,
    ),
    "another status than the reference's own hiccups is a change": (
        Seen(
            "status status 200>500",
            900,
            150,
            {"status status 200>503": 10},
            {"status status 200>503": 10, "status status 200>500": 40},
        ),
        CHANGE,
    ),
}


@pytest.mark.parametrize(("seen", "expected"), CASES.values(), ids=CASES.keys())
def test_a_place_stands_as_its_controls_say(seen: Seen, expected: Standing) -> None:
    counts = route(
        3000 - seen.pairs,
        {seen.where: seen.pairs},
        uniform=control(seen.triples, seen.reference, seen.shadow),
        triggered=control(seen.triggered, seen.triggered_reference, seen.triggered_shadow),
    )
    assert RouteNoise(counts, controlled=True).standing(place(seen.where)) is expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [(TIME, NOISE), ("$.id identifier", NOISE), ("$.sum number 1e0", CHANGE)],
)
def test_without_a_control_the_kind_alone_decides(where: str, expected: Standing) -> None:
    counts = route(0, {where: 10})
    assert RouteNoise(counts, controlled=False).standing(place(where)) is expected


def test_a_hinted_place_is_tested_like_any_other() -> None:
    hinted = route(
        0,
        hinted_only=3000,
        hinted=table({"$.sum text": 300}),
        uniform=control(150, {TIME: 150}, {TIME: 150}),
    )
    assert RouteNoise(hinted, controlled=True).standing(place(TIME)) is NOISE
    assert RouteNoise(hinted, controlled=True).standing(place("$.sum text")) is CHANGE
