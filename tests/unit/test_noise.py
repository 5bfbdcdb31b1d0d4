"""Noise is what the reference does to itself; nothing else is."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from shadow_operator.api.evidence import PathCount, RouteCounts
from shadow_operator.core.counting.noise import RouteNoise, Standing
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
    within_pods: str = "neither"
    more: int = 0
    less: int = 0


TIME = "$.time timestamp"
NEAR, FAR = "$.served number 1e-3", "$.served number 1e-1"
LENGTH = "$.items length"
CASES = {
    "a timestamp that the reference also changes is noise": (
        Seen(TIME, 3000, 150, {TIME: 150}, {TIME: 150}),
        NOISE,
    ),
    "a stable date that the shadow shifts is a change": (
        Seen(TIME, 3000, 150, {}, {TIME: 150}),
        CHANGE,
    ),
    "nineteen differences without one of the reference are a change before twenty triples": (
        Seen(TIME, 380, 19, {}, {TIME: 19}),
        CHANGE,
    ),
    "eighteen of them are not": (Seen(TIME, 360, 18, {}, {TIME: 18}), UNDECIDED),
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
    "a rare wrong value is refuted by eighteen clean extra controls": (
        Seen("$.sum number 1e0", 18, 600, {}, {}, 18, {}, {"$.sum number 1e0": 18}),
        CHANGE,
    ),
    "seventeen of them leave it undecided": (
        Seen("$.sum number 1e0", 18, 600, {}, {}, 17, {}, {"$.sum number 1e0": 17}),
        UNDECIDED,
    ),
    "rare noise is excused by extra controls, of which half find the reference odd": (
        Seen("$.x text", 30, 150, {}, {}, 30, {"$.x text": 14}, {"$.x text": 30}),
        NOISE,
    ),
    "a frequent difference that the uniform sample never shows in the reference is a change": (
        Seen("$.state text", 300, 150, {}, {"$.state text": 5}),
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
    "nor do its hiccups excuse another status that is seldom": (
        Seen(
            "status status 200>404",
            12,
            150,
            {"status status 200>503": 10},
            {"status status 200>503": 10},
        ),
        UNDECIDED,
    ),
    "texts that are noise do not excuse a body that was too large to look into": (
        Seen("$ text TooLarge", 12, 150, {"$ text": 70}, {"$ text": 70}),
        UNDECIDED,
    ),
    "a time that may be seconds off does not excuse one that is a day off": (
        Seen("$.time timestamp 1e4", 3000, 150, {TIME: 150}, {"$.time timestamp 1e4": 150}),
        CHANGE,
    ),
    "a time that is off by as much as the reference's own is noise": (
        Seen("$.time timestamp 1e4", 300, 150, {"$.time timestamp 1e4": 15, TIME: 90}, {TIME: 90}),
        NOISE,
    ),
    "a counter of the instance is noise, however far off the pods are": (
        Seen(FAR, 3000, 150, {NEAR: 150}, {FAR: 150}, within_pods="rising 3 %"),
        NOISE,
    ),
    "two counters may be equal now and then": (
        Seen(FAR, 3000, 150, {NEAR: 20}, {FAR: 150}, within_pods="rising 3 %"),
        NOISE,
    ),
    "a counter that all pods of the reference share is none of the instance": (
        Seen(FAR, 3000, 150, {}, {FAR: 150}, within_pods="rising 0 %"),
        CHANGE,
    ),
    "it is undecided from the first disagreement on while the pods are not known": (
        Seen(FAR, 20, 1, {NEAR: 0}, {FAR: 1}, 19, {NEAR: 1}, {FAR: 19}, within_pods=""),
        UNDECIDED,
    ),
    "it is undecided while there are too few controls": (
        Seen("$.x text", 20, 19, {"$.x text": 19}, {"$.x text": 19}, within_pods="constant"),
        UNDECIDED,
    ),
    "it is undecided while the pods were not followed for long enough": (
        Seen(FAR, 3000, 150, {NEAR: 150}, {FAR: 150}, within_pods=""),
        UNDECIDED,
    ),
    "a counter that rises twice as fast is a change": (
        Seen(FAR, 3000, 150, {NEAR: 150}, {FAR: 150}, within_pods="rising 50 %"),
        CHANGE,
    ),
    "a number of the request is a change": (
        Seen(FAR, 3000, 150, {NEAR: 150}, {FAR: 150}, within_pods="neither"),
        CHANGE,
    ),
    "what the reference's pods usually have in common is no value of the instance": (
        Seen(
            "$.x number 1e0",
            3000,
            150,
            {"$.x number 1e0": 5},
            {"$.x number 1e0": 150},
            within_pods="constant",
        ),
        CHANGE,
    ),
    "the start of each instance is noise": (
        Seen(
            "$.time timestamp 1e3",
            3000,
            150,
            {TIME: 150},
            {"$.time timestamp 1e3": 150},
            within_pods="constant",
        ),
        NOISE,
    ),
    "random lengths that are nearly always shorter are a change": (
        Seen(LENGTH, 300, 150, {LENGTH: 100}, {LENGTH: 100}, more=30, less=270),
        CHANGE,
    ),
    "random lengths of which two thirds are longer are noise": (
        Seen(LENGTH, 300, 150, {LENGTH: 100}, {LENGTH: 100}, more=200, less=100),
        NOISE,
    ),
    "random texts that are cut are a change": (
        Seen("$.pick text", 3000, 150, {"$.pick text": 150}, {"$.pick text": 150}, less=3000),
        CHANGE,
    ),
    "nineteen differences in one direction and none in the other are a change": (
        Seen("$.state missing", 19, 150, {"$.state missing": 3}, {}),
        CHANGE,
    ),
    "eighteen are not": (
        Seen("$.state missing", 18, 150, {"$.state missing": 3}, {}),
        NOISE,
    ),
}


def _path(seen: Seen) -> PathCount:
    return PathCount(
        path=place(seen.where).path,
        reference=3000,
        shadow=3000,
        leaves=3000,
        more=seen.more,
        less=seen.less,
        within_pods=seen.within_pods,
    )


@pytest.mark.parametrize(("seen", "expected"), CASES.values(), ids=CASES.keys())
def test_a_place_stands_as_its_controls_say(seen: Seen, expected: Standing) -> None:
    counts = route(
        3000 - seen.pairs,
        {seen.where: seen.pairs},
        uniform=control(seen.triples, seen.reference, seen.shadow),
        triggered=control(seen.triggered, seen.triggered_reference, seen.triggered_shadow),
    ).model_copy(update={"paths": (_path(seen),)})
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
        uniform=control(150, {TIME: 150}, {TIME: 150, "$.sum text": 5}),
    )
    assert RouteNoise(hinted, controlled=True).standing(place(TIME)) is NOISE
    assert RouteNoise(hinted, controlled=True).standing(place("$.sum text")) is CHANGE


def test_what_found_no_room_may_have_differed_in_the_other_direction() -> None:
    counts = route(2900, {"$.state missing": 20}, overflow=80, uniform=control(150))
    assert RouteNoise(counts, controlled=True).standing(place("$.state missing")) is UNDECIDED


# --- simulated services ---------------------------------------------------------------------------

Answer = tuple[int, bool]
"""A status, and whether the member `$.state` is there."""
Service = Callable[[random.Random], Answer]


def service(statuses: Mapping[int, float] | None = None, absent: float = 0.0) -> Service:
    """Give a service that answers at random with other statuses, or without the member."""

    def answer(dice: random.Random) -> Answer:
        draw = dice.random()
        for status, share in (statuses or {}).items():
            if draw < share:
                return status, False
            draw -= share
        return 200, draw >= absent

    return answer


def differing(reference: Answer, shadow: Answer) -> str:
    """Give the places, as `signature` reads them."""
    places = []
    if reference[1] != shadow[1]:
        places.append(f"$.state {'missing' if reference[1] else 'extra'}")
    if reference[0] != shadow[0] and not reference[0] >= 500 <= shadow[0]:
        places.append(f"status status {reference[0]}>{shadow[0]}")
    return ", ".join(places)


def simulated(reference: Service, shadow: Service, seed: int, pairs: int = 5000) -> RouteCounts:
    """Count as a comparator does: 5 % uniform controls, 20 extra ones for each signature."""
    dice = random.Random(seed)  # noqa: S311 - repeatable
    signatures: Counter[str] = Counter()
    triples: Counter[str] = Counter()
    tables: dict[str, Counter[str]] = {
        name: Counter() for name in ("uniform r", "uniform s", "triggered r", "triggered s")
    }
    for _ in range(pairs):
        one, other = reference(dice), shadow(dice)
        places = differing(one, other)
        signatures[places] += 1
        sample = "uniform" if dice.random() < 0.05 else "triggered"
        if sample == "uniform" or (places and signatures[places] <= 20):
            triples[sample] += 1
            tables[f"{sample} s"].update(filter(None, places.split(", ")))
            tables[f"{sample} r"].update(filter(None, differing(one, reference(dice)).split(", ")))
    matched = signatures.pop("", 0)
    uniform = control(triples["uniform"], tables["uniform r"], tables["uniform s"])
    triggered = control(triples["triggered"], tables["triggered r"], tables["triggered s"])
    return route(matched, signatures, uniform=uniform, triggered=triggered)


HICCUPS = service({503: 0.02})
LACKING = service(absent=0.02)
UNCHANGED = {
    "one answer in fifty is 503": HICCUPS,
    "one answer in fifty is 503 and one is 404": service({503: 0.02, 404: 0.02}),
    "one answer in fifty lacks a member": LACKING,
}


@pytest.mark.parametrize("same", UNCHANGED.values(), ids=UNCHANGED.keys())
def test_an_unchanged_version_with_random_faults_is_noise(same: Service) -> None:
    for seed in range(10):
        counts = simulated(same, same, seed)
        noise = RouteNoise(counts, controlled=True)
        standings = {noise.standing(p) for s in counts.signatures for p in s.places}
        assert CHANGE not in standings, f"seed {seed}"
        assert NOISE in standings


CHANGED = {
    "503s that the reference never gives": (
        service(), HICCUPS, "status status 200>503",
    ),
    "twice as many 503s as the reference": (
        HICCUPS, service({503: 0.04}), "status status 200>503",
    ),
    "404s beside the 503s of both": (
        HICCUPS, service({503: 0.02, 404: 0.005}), "status status 200>404",
    ),
    "a member that only the shadow lacks": (service(), LACKING, "$.state missing"),
    "a member that the shadow lacks more often": (
        service(absent=0.003), LACKING, "$.state missing",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("reference", "shadow", "where"), CHANGED.values(), ids=CHANGED.keys())
def test_a_changed_version_is_seen_beside_random_faults(
    reference: Service, shadow: Service, where: str
) -> None:
    for seed in range(10):
        counts = simulated(reference, shadow, seed, pairs=10_000)
        standing = RouteNoise(counts, controlled=True).standing(place(where))
        assert standing is CHANGE, f"seed {seed}"


# --- judged at every reading ----------------------------------------------------------------------

ODD = "$.pick text"


def readings(seed: int, changed: float, number: int) -> Iterator[Standing]:
    """Judge a field after each reading of 20 pairs, one of them with a control.

    It is another value in one answer of ten. The shadow changes it for good with chance `changed`.
    """
    dice = random.Random(seed)  # noqa: S311 - repeatable
    pairs = 0
    seen = Counter[str]()
    for triples in range(1, number + 1):
        answers = [[dice.random() < 0.1 for _ in range(2)] for _ in range(20)]
        differs = [one != other or dice.random() < changed for one, other in answers]
        pairs += sum(differs)
        seen["shadow"] += differs[0]
        seen["reference"] += answers[0][0] != (dice.random() < 0.1)
        uniform = control(triples, {ODD: seen["reference"]}, {ODD: seen["shadow"]})
        counts = route(20 * triples - pairs, {ODD: pairs}, uniform=uniform)
        yield RouteNoise(counts, controlled=True).standing(place(ODD))


def test_noise_is_no_change_at_any_reading() -> None:
    for seed in range(40, 80):
        assert CHANGE not in set(readings(seed, 0.0, 300)), f"seed {seed}"


def test_a_field_that_changed_for_good_is_found_beside_noise() -> None:
    for seed in range(10):
        assert CHANGE in set(readings(seed, 1.0, 300)), f"seed {seed}"
