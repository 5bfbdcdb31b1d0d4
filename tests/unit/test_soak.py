"""The soak clock never counts more than the wall's."""

from hypothesis import given
from hypothesis import strategies as st

from shadow_operator.api.reasons import SoakReason
from shadow_operator.core.recording import soak as clock
from shadow_operator.core.recording.soak import Soak
from tests.support.schema import ROOT

INTERVAL = 30.0


def _run(soak: Soak, *times: float) -> Soak:
    for now in times:
        soak = clock.run(soak, now=now, interval=INTERVAL)
    return soak


def test_the_first_reading_starts_it_and_the_next_ones_count() -> None:
    assert _run(Soak(), 100.0).counted == 0.0
    assert _run(Soak(), 100.0, 130.0, 160.0).counted == 60.0


def test_a_stop_keeps_what_was_counted_and_loses_the_time_of_the_stop() -> None:
    soak = clock.stop(_run(Soak(), 0.0, 30.0), "Suspended")
    assert (soak.counted, soak.standstill) == (30.0, "Suspended")
    assert _run(soak, 1000.0, 1030.0).counted == 60.0


def test_a_wait_leaves_open_whether_the_gap_counts() -> None:
    soak = clock.wait(_run(Soak(), 0.0, 30.0), "ComparatorsUnreadable")
    assert soak.standstill == "ComparatorsUnreadable"
    assert _run(soak, 150.0).counted == 150.0
    assert clock.skip(soak, now=150.0, interval=INTERVAL).counted == 60.0


def test_a_gap_counts_no_longer_than_the_dead_man_lets_copies_be_compared() -> None:
    assert _run(Soak(), 0.0, 1000.0).counted == 300.0


def test_a_restart_begins_at_zero_and_says_why() -> None:
    soak = clock.restart(_run(Soak(), 0.0, 300.0), now=310.0, reason="the shadow was OOMKilled")
    assert (soak.counted, soak.last_restart) == (0.0, 310.0)
    assert soak.restart_reason == "the shadow was OOMKilled"
    assert _run(soak, 340.0).counted == 30.0


def test_rules_give_back_what_a_gate_took() -> None:
    soak = clock.forfeit(_run(Soak(), 0.0, 100.0), now=100.0, reason="gate match-rate failed")
    assert soak.counted == 0.0
    soak = _run(soak, 130.0)
    assert soak.counted == 30.0
    assert clock.give_back(soak).counted == 130.0


def test_time_that_runs_backwards_counts_nothing() -> None:
    assert _run(Soak(), 100.0, 50.0, 60.0).counted == 10.0


def test_every_reason_to_stand_is_explained() -> None:
    text = (ROOT / "docs/verdict.md").read_text("utf-8")
    assert [reason for reason in SoakReason if f"`{reason}`" not in text] == []


steps = st.lists(
    st.tuples(st.sampled_from(["run", "skip", "stop", "wait", "restart"]), st.floats(0, 2000)),
    max_size=30,
)


@given(steps)
def test_elapsed_never_exceeds_the_wall(moves: list[tuple[str, float]]) -> None:
    soak, now = Soak(), 0.0
    for move, passed in moves:
        now += passed
        if move in {"run", "skip"}:
            soak = getattr(clock, move)(soak, now=now, interval=INTERVAL)
        elif move == "restart":
            soak = clock.restart(soak, now=now, reason="crash")
        else:
            soak = getattr(clock, move)(soak, "Paused")
        assert 0.0 <= soak.counted <= now + 1e-6
