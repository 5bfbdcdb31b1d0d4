"""From what production's own metrics count to a record of how it ran."""

import random
from dataclasses import replace
from itertools import accumulate
from math import inf

import pytest

from shadow_operator.core.numbers import envoy_bins, series
from shadow_operator.core.recording.ledger import Ledger, encode, size
from shadow_operator.core.recording.meter import (
    LONGEST_SECONDS,
    MOST_BUCKETS,
    MOST_PROCESSES,
    Counted,
    Meter,
    spread,
)
from shadow_operator.core.recording.production import Course
from shadow_operator.core.snapshot import Found, Item, RequestsReading, Unknown

NOW = 1_700_000_000.0


def told(requests: int, time: float, boot: str = "a", **fields: object) -> RequestsReading:
    """Give what a process says: of ten answers nine take up to 10 ms and one up to 100 ms."""
    buckets = {0.01: requests * 9 // 10, 0.1: requests, inf: requests}
    return replace(RequestsReading(boot, requests, 0, buckets, time), **fields)  # type: ignore[arg-type]


def after(*looks: tuple[float, int, list[Item[RequestsReading]]]) -> tuple[Meter, Course | None]:
    """Give the meter, and the record of the last of these looks: (seconds, percent told, read)."""
    meter, course = Meter(), None
    for seconds, percent, items in looks:
        meter, course = meter.taken(items, now=NOW + seconds, percent=percent)
    return meter, course


def test_a_record_is_what_came_between_two_readings() -> None:
    _, course = after(
        (0.0, 0, [Found(told(1000, NOW))]), (30.0, 0, [Found(told(1600, NOW + 30, errors=6))])
    )
    assert course is not None
    assert (course.end, course.seconds, course.requests, course.errors) == (NOW + 30, 30, 600, 6)
    assert course.p50 == pytest.approx(5.6, abs=0.1)
    assert course.p99 == pytest.approx(91.0, abs=0.5)


NOT_COUNTED: dict[str, RequestsReading] = {
    "another process": told(1600, NOW + 30, boot="b"),
    "a process that began anew": told(900, NOW + 30),
    "no scrape since": told(1000, NOW),
    "what was read long ago": told(1600, NOW + LONGEST_SECONDS + 1),
    "the same process as another source tells it": told(1600, NOW + 30, source="prometheus"),
}


@pytest.mark.parametrize("reading", NOT_COUNTED.values(), ids=NOT_COUNTED)
def test_nothing_is_counted_of(reading: RequestsReading) -> None:
    _, course = after(
        (0.0, 0, [Found(told(1000, NOW))]), (reading.time - NOW or 30.0, 0, [Found(reading)])
    )
    assert course is None


def scraped(*offsets: float) -> list[Item[RequestsReading]]:
    """Give what pods had counted at these offsets: a hundred requests a second each."""
    return [
        Found(told(round(100 * (1000 + offset)), NOW + offset, boot=f"{n}"))
        for n, offset in enumerate(offsets)
    ]


def test_what_a_prometheus_scraped_before_a_switch_counts_with_the_percentage_before_it() -> None:
    """Copies end at 60 s, but the scrape that is read at 90 s still tells of the time before."""
    looks = [(0.0, 0, scraped(-20)), (30.0, 100, scraped(10)), (60.0, 0, scraped(40))]
    percents = []
    for seconds in (90.0, 120.0, 150.0):
        looks.append((seconds, 0, scraped(seconds - 20)))
        _, course = after(*looks)
        assert course is not None
        assert course.requests == 3000
        percents.append((course.begin - NOW, course.percent))
    assert percents == [(40, 100), (70, 0), (100, 0)]


def test_a_look_without_a_new_scrape_gives_no_record_and_loses_nothing() -> None:
    _, course = after(
        (0.0, 50, scraped(0, -10)),
        (30.0, 0, scraped(0, -10)),
        (60.0, 0, scraped(60, 50)),
    )
    assert course is not None
    assert (course.requests, course.seconds, course.percent) == (12000, 60, 50)


def test_what_fails_is_remembered_until_it_can_be_read_again() -> None:
    failed: list[Item[RequestsReading]] = [Unknown("/metrics answered 503")]
    meter, course = after((0.0, 0, scraped(0)), (30.0, 0, failed))
    assert (meter.problem, course) == ("/metrics answered 503", None)
    assert meter.taken([], now=NOW + 31)[0].problem, "nobody asked"
    assert not meter.taken(scraped(60), now=NOW + 60)[0].problem
    assert not after((0.0, 0, [*failed, *scraped(0)]))[0].problem, "one of two tells enough"


def test_a_crowd_of_pods_and_buckets_is_bounded() -> None:
    many = {0.01 * (end + 1): end for end in range(200)} | {inf: 300}
    crowd: list[Item[RequestsReading]] = [
        Found(told(1, NOW, boot=f"{n:03}", buckets=many)) for n in range(100)
    ]
    meter, _ = after((0.0, 0, crowd))
    assert len(meter.processes) == MOST_PROCESSES
    for counted in meter.processes.values():
        assert len(counted.buckets) <= MOST_BUCKETS
        assert counted.buckets[-1][1] == 199, "the largest end stays"
    for minute in range(2000):
        meter, _ = meter.taken([], now=NOW + 30 * minute, percent=minute % 100)
    assert len(meter.percents) <= LONGEST_SECONDS / 30 + 1


HISTOGRAMS: dict[str, tuple[tuple[tuple[float, int], ...], int, float]] = {
    "within a bucket": (((0.01, 0), (0.02, 100)), 100, 15.0),
    "in the first bucket": (((0.02, 100),), 100, 10.0),
    "above the last end": (((0.02, 10),), 100, 20.5),
    "narrower than a millisecond": (((0.0005, 60), (0.001, 100)), 100, 0.5),
}


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_a_histogram_keeps_its_number_and_its_median(name: str) -> None:
    buckets, timed, median = HISTOGRAMS[name]
    bins = spread([Counted(time=NOW, requests=timed, timed=timed, buckets=buckets)])
    assert envoy_bins.size(bins) == timed
    assert envoy_bins.quantile(bins, 0.5) == pytest.approx(median, abs=0.3)


ENDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Those of the client libraries of Prometheus."""


def test_records_and_all_counters_are_small() -> None:
    rng, meter = random.Random(1), Meter()  # noqa: S311 - repeatable
    ledger = Ledger(epoch="e", begun=NOW)
    counts = [[0] * (len(ENDS) + 1) for _ in range(MOST_PROCESSES)]
    for look in range(2 * 288):
        now = NOW + 300.0 * look
        for mine in counts:
            for number in range(len(mine)):
                mine[number] += round(rng.expovariate(0.02))
        read: list[Item[RequestsReading]] = [
            Found(
                RequestsReading(
                    f"{pod}",
                    sum(mine),
                    mine[-1],
                    dict(zip((*ENDS, inf), accumulate(mine), strict=True)),
                    now,
                )
            )
            for pod, mine in enumerate(counts)
        ]
        meter, course = meter.taken(read, now=now, percent=100)
        if course:
            production = series.appended(ledger.production, course)
            ledger = ledger.model_copy(update={"production": production})
    assert size(encode(ledger)) < 10 * 1024
    assert size(encode(ledger.model_copy(update={"meter": meter}))) < 14 * 1024
