"""Each number of the production guard at its edge, over intervals that are written by hand.

docs/guard.md says why each is what it is.
"""

from typing import Any

import pytest

from shadow_operator.core.numbers import envoy_bins
from shadow_operator.core.recording import guard, harm
from shadow_operator.core.recording.guard import GuardRecord, GuardState
from shadow_operator.core.recording.production import Course
from tests.support.readings import spec

WATCHING, SUSPECTED = GuardState.WATCHING, GuardState.SUSPECTED
DEGRADED, PAUSED = GuardState.DEGRADED, GuardState.PAUSED
NOW, INTERVAL, DAY = 1_700_000_000.0, 30.0, 86_400.0
USUAL, SLOW = 40.0, 48.0


def course(ms: float = USUAL, percent: int = 0, **fields: Any) -> Course:
    """Give an interval whose 3,000 requests took so many milliseconds; it ends when it is told."""
    requests = fields.pop("requests", 3000)
    bins = {envoy_bins.bin_of(ms): requests}
    known = {"end": NOW, "seconds": INTERVAL, "requests": requests, "p50": ms, "p99": ms}
    return Course(**known | {"percent": percent, "bins": bins} | fields)


def ending_now(*courses: Course) -> tuple[Course, ...]:
    """Put intervals one after the other; the last one ends now."""
    end, placed = NOW, []
    for one in reversed(courses):
        placed.append(one.model_copy(update={"end": end}))
        end -= one.seconds
    return tuple(reversed(placed))


def after(record: GuardRecord, *courses: Course, **limits: Any) -> GuardRecord:
    """Give what the guard makes of the last of these intervals."""
    return guard.judged(record, spec(guard=limits), ending_now(*courses), now=NOW)


COPIED = course(percent=100)
HARMED = course(SLOW, percent=100)


# What is compared with what


@pytest.mark.parametrize(("seconds", "intervals"), [(27.0, 2), (26.9, 3)])
def test_a_minute_may_be_a_tenth_shorter(seconds: float, intervals: int) -> None:
    series = ending_now(*[course(percent=100, seconds=seconds)] * 5)
    assert len(guard.lately(spec(), series)) == intervals


def test_what_is_judged_was_seen_under_copies_however_few() -> None:
    before, few = [course()] * 4, course(percent=1)
    assert not guard.lately(spec(), ending_now(*before, few))
    assert len(guard.lately(spec(), ending_now(*before, few, few))) == 2


def test_what_is_normal_was_seen_in_the_ten_minutes_before() -> None:
    *before, one, other = ending_now(*[COPIED] * 60)
    known = guard.normal(spec(), GuardRecord(), (*before, one, other), (one, other))
    assert known[0].begin == one.begin - 600
    assert list(known) == before[-20:]


WITHOUT: dict[str, tuple[Course, int, dict[str, int], bool]] = {
    "four intervals of them": (course(), 4, {}, True),
    "three do not tell how much production varies": (course(), 3, {}, False),
    "they must last as long as the harm": (course(), 4, {"forSeconds": 121}, False),
    "and no longer": (course(), 4, {"forSeconds": 120}, True),
    "twenty requests make an interval": (course(requests=20), 4, {}, True),
    "fewer are joined": (course(requests=19), 4, {}, False),
    "until there are enough": (course(requests=10), 8, {}, True),
}


@pytest.mark.parametrize(("one", "times", "limits", "alone"), WITHOUT.values(), ids=WITHOUT)
def test_normal_is_production_without_copies_if_there_was_enough_of_it(
    one: Course, times: int, limits: dict[str, int], *, alone: bool
) -> None:
    series = ending_now(*[COPIED] * 3, *[one] * times, COPIED, COPIED)
    known = guard.normal(spec(guard=limits), GuardRecord(), series, series[-2:])
    assert len(known) == (times if alone else times + 3)


def test_what_was_before_copies_were_switched_off_is_not_normal() -> None:
    series = ending_now(*[COPIED] * 10, *[course()] * 2, *[COPIED] * 2)
    record = GuardRecord(off_since=series[10].begin)
    assert guard.normal(spec(), record, series, series[-2:]) == list(series[10:12])


BURST = course(percent=100, errors=150)
"""5 % of the requests fail."""
FAILING = course(percent=100, errors=60)
HOUR_AGO = int(3600 / INTERVAL)


@pytest.mark.parametrize(("ago", "state"), [(HOUR_AGO, WATCHING), (HOUR_AGO + 1, SUSPECTED)])
def test_what_one_interval_of_the_last_hour_had_is_no_news(ago: int, state: GuardState) -> None:
    quiet = [course(percent=100, errors=1)] * (ago - 1)
    assert after(GuardRecord(), BURST, *quiet, FAILING, FAILING).state is state


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(("apart", "state"), [(1800, WATCHING), (1801, SUSPECTED)])
def test_the_same_hour_yesterday_is_half_an_hour_wide_on_either_side(
    apart: int, side: int, state: GuardState
) -> None:
    then = course(SLOW, bins={}).model_copy(update={"end": NOW - DAY + side * apart})
    series = (then, *ending_now(*[course()] * 10, HARMED, HARMED))
    assert guard.judged(GuardRecord(), spec(), series, now=NOW).state is state


# When it is harm


def failing(requests: int, errors: int) -> Course:
    return course(percent=100, requests=requests, errors=errors)


@pytest.mark.parametrize(("more", "names"), [(0, ()), (1, ("errors",))])
def test_chance_explains_what_comes_in_more_than_one_look_of_a_hundred_thousand(
    more: int, names: tuple[str, ...]
) -> None:
    """A third of all requests have all errors by chance: of ten in 3 ** -10, of eleven in 3 ** -11.

    No interval had errors before, so that intervals do not differ from each other.
    """
    normal = [failing(1000, 0)] * 4
    now = [failing(1000, 5), failing(1000, 5 + more)]
    assert harm.harmed(spec().guard, now, normal, normal) == names


def test_a_bound_of_p99_needs_1146_requests() -> None:
    few, enough = {20: 1145}, {20: 1146}
    assert envoy_bins.upper_bound(few, 0.99, harm.LEVEL) is None
    assert envoy_bins.upper_bound(enough, 0.99, harm.LEVEL) is not None


@pytest.mark.parametrize(("requests", "names"), [(286, ("p50",)), (287, ("p50", "p99"))])
def test_too_few_requests_tell_nothing_of_p99(requests: int, names: tuple[str, ...]) -> None:
    normal = [course(requests=requests)] * 4
    assert harm.harmed(spec().guard, [HARMED, HARMED], normal, normal) == names


@pytest.mark.parametrize(("calm", "names"), [(1, ()), (0, ("errors",))])
def test_harm_is_beyond_the_limit_in_each_interval(calm: int, names: tuple[str, ...]) -> None:
    normal = [failing(3000, 0)] * 10
    now = [failing(3000, 300), failing(3000, 300 if not calm else 3)]
    assert harm.harmed(spec().guard, now, normal, normal) == names


@pytest.mark.parametrize(("intervals", "names"), [(3, ()), (4, ("p50", "p99"))])
def test_four_intervals_tell_what_is_normal(intervals: int, names: tuple[str, ...]) -> None:
    normal = [course()] * intervals
    assert harm.harmed(spec().guard, [HARMED, HARMED], normal, normal) == names


def test_what_intervals_differ_by_anyway_is_no_harm() -> None:
    """Beyond the chance of single requests by far, and more than any interval had before."""
    restless = [course(ms) for ms in (40.0, 54.0, 40.0, 54.0, 40.0, 54.0)]
    steady = [course(47.0)] * 6
    now = [course(58.0, percent=100)] * 2
    assert harm.harmed(spec().guard, now, restless, restless) == ()
    assert harm.harmed(spec().guard, now, steady, steady) == ("p50", "p99")


@pytest.mark.parametrize(("usual", "watched"), [(3, 5), (4, 3005)])
def test_requests_count_as_judged_once_it_is_known_what_is_normal(usual: int, watched: int) -> None:
    found = after(GuardRecord(watched=5), *[course()] * usual, COPIED, COPIED)
    assert (found.state, found.watched) == (WATCHING, watched)


# The test of the suspicion


def suspected(off: int, **fields: Any) -> GuardRecord:
    """Give a suspicion of 6,000 requests that were slow; copies are off for so many intervals."""
    fields.setdefault("state", SUSPECTED)
    return GuardRecord(
        off_since=NOW - off * INTERVAL,
        names=("p50",),
        harm=harm.pooled([HARMED, HARMED]),
        normal=harm.pooled([course()] * 10),
        **fields,
    )


@pytest.mark.parametrize(("off", "state"), [(2, SUSPECTED), (3, PAUSED)])
def test_a_recovery_lasts_a_minute_and_the_first_interval_tells_nothing(
    off: int, state: GuardState
) -> None:
    assert after(suspected(off), *[course()] * off).state is state


@pytest.mark.parametrize(("off", "state"), [(5, SUSPECTED), (6, DEGRADED)])
def test_what_did_not_recover_within_recovery_seconds_is_not_the_mirrors(
    off: int, state: GuardState
) -> None:
    """Four fifths of them are enough, and the first interval tells nothing."""
    assert after(suspected(off), *[course(SLOW)] * off).state is state


@pytest.mark.parametrize(("ms", "told"), [(USUAL, PAUSED), (SLOW, DEGRADED)])
@pytest.mark.parametrize("missing", [0, 1])
def test_a_quarter_of_the_requests_of_the_harm_tells_whether_it_recovered(
    ms: float, told: GuardState, missing: int
) -> None:
    few = [course(ms, requests=300)] * 5
    found = after(suspected(6), *few, course(ms, requests=300 - missing))
    assert found.state is (SUSPECTED if missing else told)


NEARER: dict[str, tuple[float, bool]] = {
    "nearer to normal": (48.0, True),
    "in the middle": (50.0, False),
    "nearer to the harm": (52.0, False),
}


@pytest.mark.parametrize(("ms", "recovered"), NEARER.values(), ids=NEARER)
def test_a_recovery_is_nearer_to_normal_than_to_the_harm(ms: float, *, recovered: bool) -> None:
    bad, normal = course(60.0), course(USUAL)
    assert harm.recovered(("p50",), course(ms), bad, normal) is recovered


@pytest.mark.parametrize(("errors", "recovered"), [(6, False), (7, True)])
def test_a_recovery_is_beyond_the_chance_of_one_look_in_a_hundred(
    errors: int, *, recovered: bool
) -> None:
    """Half of all requests have all errors by chance: of six in 2 ** -6, of seven in 2 ** -7."""
    bad, well = failing(1000, errors), failing(1000, 0)
    assert harm.recovered(("errors",), well, bad, well) is recovered


@pytest.mark.parametrize(("times", "state"), [(2, DEGRADED), (3, PAUSED)])
def test_copies_resume_three_times_in_a_day(times: int, state: GuardState) -> None:
    record = suspected(6, resumed=(NOW - DAY,) * times)
    assert after(record, *[course(SLOW)] * 6).state is state
    forgotten = suspected(6, resumed=(NOW - DAY - 1,) * times)
    assert after(forgotten, *[course(SLOW)] * 6).state is DEGRADED


OLD = course(20.0, requests=100_000)
"""When production was much faster."""


@pytest.mark.parametrize(
    ("fresh", "limits", "state"),
    [
        (9, {}, DEGRADED),
        (10, {}, WATCHING),
        (10, {"recoverySeconds": 310}, DEGRADED),
    ],
)
def test_production_is_stable_if_it_is_within_the_limits_of_the_five_minutes_before(
    fresh: int, limits: dict[str, int], state: GuardState
) -> None:
    series = [course(), OLD, *[course(SLOW)] * fresh]
    record = suspected(len(series), state=DEGRADED)
    assert after(record, *series, **limits).state is state
