"""Values of an instance are known by how they behave within each pod."""

from collections.abc import Callable

import pytest

from shadow_operator.core.comparing.instances import Instances, is_instance, merged

Value = str | float
Pods = dict[str, Callable[[float], Value]]


def trend(references: Pods, shadows: Pods, *, seconds: int = 60, per_second: int = 1) -> str:
    """Follow the values of pods for a while; answers of a pod come in turn."""
    place = Instances()
    for step in range(seconds * per_second):
        now = step / per_second
        for pod, value in references.items():
            place.add(pod, value(now), now, shadow=False)
        for pod, value in shadows.items():
            place.add(pod, value(now), now, shadow=True)
    return place.trend


def constant(value: Value) -> Callable[[float], Value]:
    return lambda _: value


def since(start: float, rate: float = 1.0) -> Callable[[float], Value]:
    return lambda now: (now - start) * rate


def restarted(now: float) -> float:
    """Begin again at half past."""
    return now if now < 30 else now - 30


def late(now: float) -> float:
    """Come behind the one before, every other time."""
    return now - (0.8 if int(now * 10) % 2 else 0)


NAMES: Pods = {"r1": constant("hal9-a"), "r2": constant("hal9-b")}
UPTIMES: Pods = {"r1": since(-5), "r2": since(-7)}
CASES: dict[str, tuple[Pods, Pods, str]] = {
    "a name of its own in each pod": (
        NAMES,
        {"s1": constant("x"), "s2": constant("y")},
        "constant",
    ),
    "a number of its own": ({"r1": constant(7), "r2": constant(9)}, {"s": constant(8)}, "constant"),
    "time since the start": (UPTIMES, {"s1": since(-100), "s2": since(-3)}, "rising 0 %"),
    "a counter that rises twice as fast": (UPTIMES, {"s1": since(0, 2)}, "rising 50 %"),
    "a pod that started again": (UPTIMES, {"s1": restarted}, "rising 0 %"),
    "a number that never rises in the shadow": (UPTIMES, {"s1": constant(5)}, "rising 100 %"),
    "a counter of which one pod has counted nothing": (
        {"r1": constant(0), "r2": since(0)},
        {"s1": since(0), "s2": constant(0)},
        "rising 0 %",
    ),
    "a value of the request": (
        {"r1": lambda now: now % 7, "r2": lambda now: now % 7},
        {"s1": lambda now: now % 5},
        "neither",
    ),
    "a text that changes": (NAMES, {"s1": lambda now: f"at {now}"}, "neither"),
    "one reference pod alone": ({"r1": since(-5)}, {"s1": since(-3)}, ""),
    "no shadow": (UPTIMES, {}, ""),
}


@pytest.mark.parametrize(("references", "shadows", "expected"), CASES.values(), ids=CASES.keys())
def test_the_trend_is_what_pods_have_in_common(
    references: Pods, shadows: Pods, expected: str
) -> None:
    assert trend(references, shadows) == expected


def test_nineteen_answers_of_a_pod_say_nothing_and_nothing_is_said_of_growth_in_nine_seconds() -> (
    None
):
    shadows: Pods = {"s1": constant("x")}
    assert trend(NAMES, shadows, seconds=19) == ""
    assert trend(NAMES, shadows, seconds=20) == "constant"
    rising: Pods = {"s1": since(0)}
    assert trend(UPTIMES, rising, seconds=9, per_second=10) == ""
    assert trend(UPTIMES, rising, seconds=11, per_second=10).startswith("rising")


def test_answers_that_overtake_each_other_by_less_than_a_second_still_rise() -> None:
    found = trend(UPTIMES, {"s1": late}, per_second=10)
    assert found.startswith("rising")
    assert is_instance(found)


def test_an_answer_that_was_received_before_another_does_not_fall() -> None:
    place = Instances()
    for second in range(60):
        for now in (second, second - 5) if second % 3 == 0 else (second,):
            for pod, start in {"r1": -50, "r2": -70, "s1": -90}.items():
                place.add(pod, now - start, now, shadow=pod == "s1")
    assert place.trend == "rising 0 %"


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("constant", "constant", "constant"),
        ("constant", "", "constant"),
        ("", "rising 3 %", "rising 3 %"),
        ("rising 3 %", "rising 12 %", "rising 12 %"),
        ("rising 3 %", "rising 0 %", "rising 3 %"),
        ("rising 3 %", "constant", "neither"),
        ("neither", "constant", "neither"),
    ],
)
def test_two_comparators_together_say_the_worse(one: str, other: str, together: str) -> None:
    assert merged(one, other) == merged(other, one) == together


@pytest.mark.parametrize(
    ("said", "is_one"),
    [
        ("constant", True),
        ("rising 0 %", True),
        ("rising 25 %", True),
        ("rising 26 %", False),
        ("rising 100 %", False),
        ("neither", False),
        ("", False),
    ],
)
def test_growth_that_is_more_than_a_quarter_apart_is_no_value_of_the_instance(
    said: str, is_one: bool
) -> None:
    assert is_instance(said) is is_one
