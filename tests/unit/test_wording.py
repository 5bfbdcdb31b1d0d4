"""Numbers in status never look better than they are."""

import pytest

from shadow_operator.core.wording import (
    all_of,
    count,
    duration,
    percent,
    progress,
    ratio_text,
    words,
)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1.0, "100%"),
        (0.999996, "99.9996%"),
        (0.9999999, "99.9999%"),
        (0.99899, "99.89%"),
        (0.999, "99.9%"),
        (0.5, "50%"),
        (0.0, "0%"),
    ],
)
def test_a_percentage_is_never_rounded_up(ratio: float, text: str) -> None:
    assert percent(ratio) == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(1.0, "1"), (0.99999999, "0.999999"), (0.25, "0.25"), (0.0, "0")]
)
def test_a_ratio_is_never_rounded_up(ratio: float, text: str) -> None:
    assert ratio_text(ratio) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m"), (11_400, "3h 10m"), (90_061, "1d 1h"), (86_405, "1d")],
)
def test_a_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("elapsed", "required", "text"),
    [
        (21_600, 86_400, "6h/24h"),
        (90, 120, "90s/2m"),
        (5_400, 86_400, "90m/24h"),
        (99_999, 86_400, "24h/24h"),
        (0, 60, "0s/1m"),
    ],
)
def test_progress_never_exceeds_what_is_asked_for(
    elapsed: float, required: float, text: str
) -> None:
    assert progress(elapsed, required) == text


def test_a_count_is_grouped() -> None:
    assert count(10_233) == "10,233"


def test_a_reason_is_read_inside_a_sentence() -> None:
    assert words("ComparatorsUnreadable") == "comparators unreadable"
    assert words("Suspended") == "suspended"


@pytest.mark.parametrize(
    ("parts", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_all_parts_of_a_sentence_are_joined(parts: list[str], text: str) -> None:
    assert all_of(parts) == text
