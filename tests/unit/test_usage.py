"""What pods use is taken once per sample, and kept in few bytes."""

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow_operator.core.numbers.series import appended
from shadow_operator.core.recording.ledger import Ledger, begin, decode, encode, size
from shadow_operator.core.recording.usage import UNIT, Usage, UsageRecord, Use, taken
from shadow_operator.core.snapshot import Amount, Bounds, Found, Missing, Pod, PodUsage, Unknown
from tests.support import memory
from tests.support.memory import MIB, collected, noisy

BOUNDS = {"server": Bounds(Amount(100, 64 * MIB), Amount(1000, 200 * MIB))}
SHADOW = (
    Pod("s-1", "1", "shadow", bounds=BOUNDS),
    Pod("s-2", "2", "shadow", bounds=BOUNDS),
)
REFERENCE = (Pod("r-1", "3", "reference", bounds=BOUNDS),)


def sample(time: float, cpu: int, mib: int) -> PodUsage:
    """Give a sample of a pod with one container."""
    return PodUsage(time, {"server": Amount(cpu, mib * MIB)})


def after(
    usage: Usage,
    samples: Mapping[str, PodUsage],
    *,
    now: float,
    shadow: tuple[Pod, ...] = SHADOW,
    copying: bool = True,
) -> Usage:
    """Take these samples over."""
    pods = {"shadow": shadow, "reference": REFERENCE}
    return taken(usage, Found(samples), pods, now=now, copying=copying)


FIRST = {"s-1": sample(100, 50, 80), "s-2": sample(101, 150, 100), "r-1": sample(100, 40, 60)}


def test_a_record_has_means_and_the_largest_of_each_role() -> None:
    [record] = after(Usage(), FIRST, now=110).series
    assert record.of("shadow") == Use(100, 90 * MIB, 100 * MIB, 15, 50, 2)
    assert record.of("reference") == Use(40, 60 * MIB, 60 * MIB, 0, 0, 1)
    assert record.of("production").pods == 0
    assert record.end == 101


def test_a_sample_is_not_taken_twice() -> None:
    once = after(Usage(), FIRST, now=110)
    assert after(once, FIRST, now=140).series == once.series
    older = {**FIRST, "s-2": sample(90, 1, 1)}
    assert after(once, older, now=170).series == once.series


def test_a_pod_that_was_not_measured_for_long_is_left_out() -> None:
    [record] = after(Usage(), {**FIRST, "s-1": sample(-60, 0, 0)}, now=110).series
    assert record.of("shadow").pods == 1


def test_others_pods_of_the_namespace_are_of_no_account() -> None:
    assert after(Usage(), {"other": sample(100, 1, 1)}, now=110).series == ()


def test_a_container_without_a_limit_leaves_the_pod_without_one() -> None:
    assert after(Usage(), FIRST, now=110).memory_limit == 200 * MIB
    free = {**BOUNDS, "proxy": Bounds()}
    pods = (replace(SHADOW[0], bounds=free),)
    assert after(Usage(), FIRST, now=110, shadow=pods).memory_limit == 0


@pytest.mark.parametrize(
    ("item", "absent", "problem"),
    [(Missing(), True, ""), (Unknown("it is down"), False, "it is down")],
)
def test_a_reading_that_failed_keeps_what_was_known(
    item: Missing | Unknown, absent: bool, problem: str
) -> None:
    known = after(Usage(), FIRST, now=110)
    usage = taken(known, item, {"shadow": SHADOW}, now=140, copying=True)
    assert (usage.absent, usage.problem, usage.asked) == (absent, problem, 140)
    assert usage.series == known.series


def restarted(times: int, reason: str = "Error") -> tuple[Pod, ...]:
    """Give the shadow's pods after one of them restarted."""
    return (replace(SHADOW[0], restarts=times, last_termination=reason), SHADOW[1])


def test_restarts_before_the_first_look_are_of_no_account() -> None:
    usage = after(Usage(), FIRST, now=110, shadow=restarted(7))
    assert (usage.restarts, usage.seen) == (0, {"s-1": 7, "s-2": 0})


def test_restarts_count_once_and_say_why() -> None:
    usage = after(Usage(), FIRST, now=110)
    for now in (140, 170):
        usage = after(usage, FIRST, now=now, shadow=restarted(2, "OOMKilled"))
    assert (usage.restarts, usage.killed) == (2, 2)
    assert usage.last_restart == "pod s-1 (OOMKilled)"


def test_restarts_before_the_first_copy_are_of_no_account() -> None:
    usage = after(Usage(), FIRST, now=110, copying=False)
    usage = after(usage, FIRST, now=140, shadow=restarted(1), copying=False)
    assert after(usage, FIRST, now=170, shadow=restarted(1)).restarts == 0


def test_a_pod_that_came_later_began_at_zero() -> None:
    usage = after(Usage(), FIRST, now=110)
    new = (SHADOW[1], Pod("s-3", "9", "shadow", restarts=1, bounds=BOUNDS))
    assert after(usage, FIRST, now=140, shadow=new).restarts == 1


def test_growth_begins_anew_with_other_processes() -> None:
    usage = after(Usage(), FIRST, now=110)
    same = after(usage, FIRST, now=140)
    assert same.runs["shadow"].since == 110
    assert after(same, FIRST, now=170, shadow=restarted(1)).runs["shadow"].since == 170
    assert after(same, FIRST, now=170, shadow=restarted(1)).runs["reference"].since == 110


uses = st.builds(
    Use,
    cpu=st.integers(0, 64_000),
    memory=st.integers(0, 1 << 20).map(lambda units: units * UNIT),
    largest=st.integers(0, 1 << 20).map(lambda units: units * UNIT),
    cpu_share=st.integers(0, 4000),
    memory_share=st.integers(0, 1000),
    pods=st.integers(0, 50),
)


@given(st.lists(st.dictionaries(st.sampled_from(["shadow", "reference", "production"]), uses)))
def test_what_is_stored_is_read_back_as_it_was(roles: list[dict[str, Use]]) -> None:
    series = tuple(
        UsageRecord(30.0 * n, 30.0, {r: one.get(r, Use()) for r in MOST})
        for n, one in enumerate(roles)
    )
    usage = Usage(series=series)
    assert Usage.model_validate_json(usage.model_dump_json(exclude_defaults=True)) == usage


MOST = ("shadow", "reference", "production")


def two_days() -> Ledger:
    """Give a ledger with two days of noisy use of three roles."""
    rng = memory.seeded(1)
    shapes = {role: collected(420)(rng) for role in MOST}
    extra = noisy(lambda t: t / 3600, 5)(rng)
    series: tuple[UsageRecord, ...] = ()
    for number in range(1, 2 * 2880 + 1):
        time = 1_700_000_000.0 + 30.0 * number
        roles = {
            role: _varied(rng, shape(time) + extra(0.0), role == "shadow")
            for role, shape in shapes.items()
        }
        series = appended(series, UsageRecord(time, 30.0, roles))
    assert len(series) >= 140
    empty = begin("e-1", now=0.0, interval=30.0)
    return empty.model_copy(update={"usage": Usage(series=series, taken=time, asked=time)})


def _varied(rng: random.Random, mib: float, judged: bool) -> Use:
    one = memory.use(mib)
    return one._replace(
        cpu=rng.randint(80, 400),
        largest=one.memory + rng.randint(0, 400) * UNIT,
        cpu_share=rng.randint(8, 40) * judged,
        memory_share=one.memory_share * judged,
    )


def test_two_days_take_few_bytes_and_leave_room_for_signatures() -> None:
    ledger = two_days()
    stored = encode(ledger)
    assert size(stored) <= 5 * 1024
    assert decode(stored) == ledger
