"""Ticks are round, few, and far enough from each other to be read."""

from itertools import pairwise

import pytest

from shadow_operator.report.axes import WIDTH, Scale, nines, ticks, times
from shadow_operator.report.drawing import ORANGE, Line
from shadow_operator.report.model import Report
from shadow_operator.report.pictures import timeline
from tests.support.reported import HOUR, good

BEGIN = 1_700_000_123.0
SPANS = {
    "half a minute": 30.0,
    "three minutes": 180.0,
    "eight minutes": 480.0,
    "an hour and a half": 1.5 * HOUR,
    "five hours": 5 * HOUR,
    "a day": 24 * HOUR,
    "two days": 48 * HOUR,
    "ten days": 240 * HOUR,
}


@pytest.mark.parametrize("span", SPANS.values(), ids=SPANS)
def test_moments_can_be_read(span: float) -> None:
    found = times(BEGIN, BEGIN + span)
    assert 2 <= len(found) <= 8
    assert all(BEGIN <= moment <= BEGIN + span for moment, _ in found)
    place = Scale(BEGIN, BEGIN + span, 52.0, WIDTH - 12)
    for (one, text), (other, later) in pairwise(found):
        assert place(other) - place(one) > 2.4 * (len(text) + len(later))
    assert found[0][1].startswith("Nov ")


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0.0, 100.0, (0, 20, 40, 60, 80, 100)),
        (0.0, 0.7, (0, 0.2, 0.4, 0.6)),
        (0.0, 53.9, (0, 20, 40)),
        (3.0, 3.0, (3,)),
    ],
)
def test_numbers_are_round(low: float, high: float, wanted: tuple[float, ...]) -> None:
    assert ticks(low, high) == pytest.approx(wanted)


@pytest.mark.parametrize(("ratio", "wanted"), [(0, 0), (0.9, 1), (0.999, 3), (1, 9), (1.1, 9)])
def test_nines_of_a_ratio(ratio: float, wanted: float) -> None:
    assert nines(ratio) == pytest.approx(wanted)


def lines(report: Report, colour: str) -> int:
    """Count the lines of this colour in the timeline, without that of the legend."""
    picture = timeline(report)
    assert picture is not None
    return sum(isinstance(mark, Line) and mark.colour == colour for mark in picture.marks) - 1


def test_coverage_has_no_line_where_no_copies_were_expected() -> None:
    report, orange = good(), ORANGE
    whole = [span for span in report.course if span.expected]
    middle = whole[len(whole) // 2].model_copy(update={"expected": 0, "received": 0})
    split = tuple(middle if span.time == middle.time else span for span in report.course)
    assert lines(report, orange) == 1
    assert lines(report.model_copy(update={"course": split}), orange) == 2
