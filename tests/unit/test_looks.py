"""Looks share out a level, and stand until the next one."""

import pytest

from shadow_operator.core.numbers.looks import Look, last_look

HOUR = 3600.0
FIRST, KEPT = 0.5 * HOUR, 48 * HOUR


def last(age: float, due: float = 24 * HOUR) -> Look:
    """Give the last look."""
    return last_look(age, first=FIRST, due=due, kept=KEPT)


def all_looks(due: float, until: float) -> list[Look]:
    """Give all looks, from that there was none on."""
    found = [last(0.0, due)]
    while found[-1].following < until:
        found.append(last(found[-1].following + 1e-3, due))
    return found


def test_a_level_is_never_spent_twice() -> None:
    looks = [Look(0.0, 0.0, number, 0) for number in range(1, 5000)]
    assert sum(look.early(0.05) for look in looks) == pytest.approx(0.05, rel=1e-3)
    looks = [Look(0.0, 0.0, 1, distance) for distance in range(-5000, 5000)]
    assert sum(look.due(0.05) for look in looks) == pytest.approx(0.05, rel=1e-3)


def test_most_of_it_is_spent_where_it_decides() -> None:
    assert Look(0.0, 0.0, 1, 0).early(1.0) > 0.6
    assert Look(0.0, 0.0, 30, 0).due(1.0) > 0.4


@pytest.mark.parametrize("due", [HOUR, 24 * HOUR, 100 * HOUR])
def test_one_look_is_due_and_none_is_too_early(due: float) -> None:
    looks = all_looks(due, 200 * HOUR)
    assert [look.age for look in looks if look.distance == 0] == [due]
    assert looks[0].number == 0
    assert [look.number for look in looks] == list(range(len(looks)))
    assert FIRST <= looks[1].age <= 1.1 * FIRST


@pytest.mark.parametrize("due", [60.0, HOUR, 24 * HOUR, 100 * HOUR])
def test_a_look_stands_for_a_tenth_of_its_age_and_no_longer_than_evidence_is_kept(
    due: float,
) -> None:
    for look in all_looks(due, 400 * HOUR)[1:]:
        assert last(look.age * 0.4 + look.following * 0.6, due) == look
        assert look.following - look.age < min(0.1001 * look.age, 0.1 * KEPT)


def test_nothing_was_looked_at_before_there_was_any_evidence() -> None:
    for age in (-5.0, 0.0, FIRST - 1.0):
        assert last(age).number == 0
    assert last(0.0).following == pytest.approx(last(HOUR / 2 * 1.2).age, rel=0.11)
