"""Records of intervals, the older the coarser."""

from dataclasses import dataclass
from typing import Self

from shadow_operator.core.numbers.series import NEWEST, appended, settled

INTERVAL = 30.0
DAY = int(86400 / INTERVAL)


@dataclass(frozen=True)
class Seen:
    """A record that counts what went into it."""

    end: float
    seconds: float = INTERVAL
    count: int = 1

    def merged(self, later: Self) -> "Seen":
        """Add up."""
        return Seen(later.end, self.seconds + later.seconds, self.count + later.count)


def series(records: int, interval: float = INTERVAL) -> tuple[Seen, ...]:
    """Give the series after so many intervals."""
    result: tuple[Seen, ...] = ()
    for number in range(records):
        result = appended(result, Seen((number + 1) * interval, interval))
    return result


def test_two_days_are_kept_in_few_records_and_older_ones_go() -> None:
    after = series(3 * DAY)
    assert len(after) < 170
    span = after[-1].end - (after[0].end - after[0].seconds)
    assert 2 * 86400 - 1800 <= span <= 2 * 86400 + 1800


def test_nothing_is_lost_or_counted_twice_within_two_days() -> None:
    after = series(DAY)
    assert sum(record.count for record in after) == DAY
    ends = [record.end for record in after]
    assert ends == sorted(ends)
    starts = [record.end - record.seconds for record in after]
    assert starts[1:] == ends[:-1]


def test_the_newest_records_stay_as_they_were_taken() -> None:
    assert [record.count for record in series(DAY)[-NEWEST:]] == [1] * NEWEST


def test_short_intervals_show_twenty_minutes_as_finely_as_the_default_does() -> None:
    after = series(720, interval=5.0)
    lately = [record for record in after if after[-1].end - record.end < 1140.0]
    assert max(record.seconds for record in lately) == 30.0
    assert len(after) < 100


def test_older_records_span_five_minutes_then_half_an_hour() -> None:
    spans = {record.seconds for record in series(DAY)[1:-NEWEST]}
    assert {300.0, 1800.0} <= spans
    assert max(spans) == 1800.0


def test_what_is_coarse_already_stays_as_it_is() -> None:
    whole = series(DAY)
    assert appended(whole[:-1], whole[-1]) == whole


def test_what_was_known_at_a_moment_stays_although_records_get_coarser() -> None:
    begin, end = 10 * 3600.0 + 140.0, 11 * 3600.0
    now, kept = begin, series(int(begin / INTERVAL))
    known = settled(kept, begin, end)
    assert begin - 300.0 - INTERVAL <= known[-1].end <= begin
    assert sum(record.count for record in known) == known[-1].end / INTERVAL
    while (now := kept[-1].end + INTERVAL) < end:
        kept = appended(kept, Seen(now))
        assert settled(kept, begin, end) == known


def test_what_will_be_forgotten_is_left_out_from_the_start() -> None:
    begin, end = 50 * 3600.0, 54 * 3600.0
    found = settled(series(int(begin / INTERVAL)), begin, end)
    assert found[0].end - found[0].seconds >= 6 * 3600.0 - 1800.0
