"""`kubectl get shadowdeployments` fits a terminal of 120 columns, whatever stands in it."""

from collections.abc import Iterable

import pytest

from shadow_operator.api.crd import COLUMNS
from shadow_operator.api.enums import Decision, GateName, Phase
from shadow_operator.core import wording

TERMINAL = 120
GAP = 3
"""Spaces that kubectl leaves between two columns; the last has none behind it."""
SHOWN = [name.upper() for name, _, priority, _, _ in COLUMNS if priority == 0]
DAY = 86_400
OURS = ("accepted", "isolation", "baseline", "workloads", "paused", "traffic", "soak 119m/720h")
"""What is in the way besides gates."""
AGES = ("9m59s", "119m", "23h", "7d23h", "100d")


def longest(words: Iterable[str]) -> str:
    return max(words, key=len)


def soaks(required: int) -> set[str]:
    """Give what the clock of a soak shows."""
    seconds = {*range(0, min(required, 3 * 3600), 61), *range(0, required + 1, 3600), 7199}
    return {wording.progress(min(second, required), required) for second in seconds}


CELLS = {
    "PHASE": longest(Phase),
    "VERDICT": longest(Decision),
    "BLOCKEDBY": longest(wording.column(word) for word in (*GateName, *OURS)),
    "MATCH": "99.99%/100%",
    "SOAK": longest(soaks(30 * DAY)),
    "MIRROR": "100%/100%",
    "READY": "False",
    "AGE": longest(AGES),
}
"""The longest cell of each column, which need not be in one row."""
USUAL = CELLS | {"MATCH": "99.97%/84%", "SOAK": "23h/24h"}
"""The same, with a match rate and a soak as they are most of the time."""


def width(cells: dict[str, str], **names: int) -> int:
    """Give the columns that a table takes, with columns of so many letters before the others."""
    headed = [max(len(head), letters) for head, letters in names.items()]
    headed += [max(len(head), len(cells[head])) for head in SHOWN]
    return sum(headed) + GAP * (len(headed) - 1)


def test_every_column_has_its_longest_cell() -> None:
    assert list(CELLS) == SHOWN


def test_a_table_of_long_names_fits_a_terminal_whatever_is_in_its_rows() -> None:
    assert width(CELLS, NAME=20) <= TERMINAL


def test_a_table_of_all_namespaces_fits_where_namespace_and_name_have_20_letters_together() -> None:
    assert width(USUAL, NAMESPACE=10, NAME=10) <= TERMINAL


@pytest.mark.parametrize("gate", GateName)
def test_a_gate_is_known_by_the_word_of_its_column(gate: GateName) -> None:
    assert wording.column(gate) in gate
    assert len({wording.column(name) for name in GateName}) == len(GateName)


@pytest.mark.parametrize("ratio", [0.0, 0.5, 0.99899, 0.99999, 0.9999999, 1.0])
def test_a_match_rate_has_two_digits_behind_its_point(ratio: float) -> None:
    assert len(f"{wording.percent(ratio, 2)}/{wording.percent(1.0, 0)}") <= len(CELLS["MATCH"])
