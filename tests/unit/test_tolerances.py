"""A tolerance excuses numbers that are as close as it says, and none that is further off."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow_operator.api.evidence import Place, PlaceKind
from shadow_operator.api.spec import Comparison
from shadow_operator.core.comparing.answer import Answer
from shadow_operator.core.comparing.compare import compare
from shadow_operator.core.comparing.differing import edges_of, named
from shadow_operator.core.comparing.shape import Shape
from shadow_operator.core.counting.counts import counts_of
from shadow_operator.core.counting.rules import excuse, number_edges
from shadow_operator.core.counting.tally import tally
from tests.support.readings import route, snapshot, spec

ROUTE = route(name="GET /a")


def tolerating(*relatives: str) -> Comparison:
    """Tolerate the first one at `$.a`, and the others elsewhere."""
    return Comparison.model_validate(
        {
            "tolerances": [
                {"path": f"$.{name}", "relative": relative, "reason": "float"}
                for name, relative in zip("abcdefgh", relatives, strict=False)
            ]
        }
    )


def is_tolerated(comparison: Comparison, left: str, right: str) -> bool:
    """Compare two numbers as a comparator does that has the edges of these tolerances."""
    answers = [
        Answer(200, {"content-type": "application/json"}, f'{{"a": {number}}}'.encode())
        for number in (left, right)
    ]
    found = compare(Shape(), *answers, edges=edges_of(number_edges(comparison)))
    places = [Place(path="$.a", kind=kind, detail=detail) for _, kind, detail in found.places]
    return all(excuse(comparison, ROUTE, place) == "tolerance: float" for place in places)


AT_THE_EDGE = {
    "just as much": ("1e-6", "1000000", "999999", True),
    "just as much, written with decimals": ("1e-6", "1.0", "0.999999", True),
    "a little more": ("1e-6", "1.0", "0.9999989999999", False),
    "a little less": ("1e-6", "1.0", "0.9999990000001", True),
    "just as much, with a small difference": ("1e-12", "1.0", "0.999999999999", True),
    "a little more, with a small difference": ("1e-12", "1.0", "0.999999999998999", False),
    "the last digit": ("1e-15", "0.1", "0.10000000000000002", True),
    "less than a float can tell": ("1e-16", "0.1", "0.10000000000000002", False),
    "just as much as an edge of its own": ("0.02", "100", "98", True),
    "a little more than an edge of its own": ("0.02", "100", "97.9999999", False),
    "between its own edge and the power of ten below": ("0.02", "1000", "989", True),
    "an edge with decimals": ("2.5e-2", "1000", "975", True),
    "more than that": ("2.5e-2", "1000", "974.999", False),
    "a power of ten written otherwise": ("0.010", "100", "99", True),
    "another sign": ("0.9", "1", "-1", False),
    "all of it": ("0.9", "5", "0", False),
    "nothing is tolerated by zero": ("0.0", "1000", "1000.0000001", False),
}


@pytest.mark.parametrize(
    ("relative", "left", "right", "tolerated"), AT_THE_EDGE.values(), ids=AT_THE_EDGE
)
def test_a_tolerance_is_exact(relative: str, left: str, right: str, tolerated: bool) -> None:
    assert is_tolerated(tolerating(relative), left, right) is tolerated
    assert is_tolerated(tolerating(relative), right, left) is tolerated
    with_others = tolerating(relative, "0.05", "3e-4", "0.015", "1e-9")
    assert is_tolerated(with_others, left, right) is tolerated


NUMBERS = st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
RELATIVES = st.one_of(
    st.integers(1, 15).map(lambda power: f"1e-{power}"),
    st.tuples(st.integers(1, 9), st.integers(1, 14)).map(lambda two: f"{two[0]}e-{two[1]}"),
    st.integers(1, 9999).map(lambda part: f"0.{part:04}"),
)
NEARLY = st.fractions(min_value=Fraction(1, 2), max_value=Fraction(2), max_denominator=10**6)


@given(NUMBERS.filter(bool), RELATIVES, NEARLY | st.just(Fraction(1)), st.booleans())
def test_what_is_tolerated_is_as_close_as_the_tolerance_says(
    number: float, relative: str, times: Fraction, is_float: bool
) -> None:
    one = Fraction(repr(number))
    moved = one * (1 - Fraction(relative) * times)
    other = repr(float(moved)) if is_float else repr(int(moved))
    apart = abs(one - Fraction(other)) / max(abs(one), abs(Fraction(other)))
    if apart < 1 and not (1e8 < abs(number) < 1e19):  # else it may be a time
        expected = apart <= Fraction(relative)
        assert is_tolerated(tolerating(relative), repr(number), other) is expected


def test_only_other_tolerances_than_powers_of_ten_need_an_edge() -> None:
    assert number_edges(tolerating("1e-6", "0.001", "1e-16")) == ()
    assert number_edges(tolerating("0.02", "1e-6", "2e-2", "0.0250")) == ("2e-2", "2.5e-2")


@pytest.mark.parametrize(
    ("relative", "name"), [("0.02", "2e-2"), ("0.10", "1e-1"), ("2.50e-3", "2.5e-3")]
)
def test_an_edge_is_written_as_details_are(relative: str, name: str) -> None:
    assert named(relative) == name


def test_a_tolerance_excuses_numbers_only() -> None:
    text = Place(path="$.a", kind=PlaceKind.TEXT)
    assert excuse(tolerating("0.9"), ROUTE, text) is None


def test_tolerated_pairs_match_and_their_values_are_judged() -> None:
    rule = {"path": "$.a", "relative": "1e-6", "reason": "float"}
    counted = counts_of(
        snapshot(route(90, {"$.a number 1e-7": 8, "$.a number 1e-6": 2}, present={"$.a": 1.0}))
    )
    tolerant = spec(comparison={"tolerances": [rule]}, reference={"controlPercent": 0})
    judged = tally(tolerant, counted, interval=30.0)
    assert (judged.total("ignored"), judged.mismatched) == (8, 2)
    assert judged.judged_share == 1.0
