"""What a new version can get wrong is caught and named; what only differs accuses nobody.

All cases share one run: real comparators, and two pods of each role on the loopback.
"""

import asyncio

import pytest

from tests.support.catalogue.cases import VARIATIONS
from tests.support.catalogue.play import Played, play
from tests.support.catalogue.table import ALL_REGRESSIONS, PAGE, listed


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Give what came of all cases."""
    return asyncio.run(play(tmp_path_factory.mktemp("catalogue")))


@pytest.mark.parametrize("name", [case.name for case in ALL_REGRESSIONS])
def test_a_planted_regression_is_caught_and_named(played: Played, name: str) -> None:
    trial = played.trials[name]
    assert trial.is_right, trial.told()


@pytest.mark.parametrize("name", [case.name for case in VARIATIONS])
def test_a_harmless_variation_accuses_nobody(played: Played, name: str) -> None:
    trial = played.trials[name]
    assert trial.is_right, trial.told()


def test_all_that_is_harmless_proceeds_as_one_resource(played: Played) -> None:
    assert played.whole.is_right, played.whole.told()


def test_the_page_lists_exactly_the_cases() -> None:
    assert listed(PAGE.read_text(encoding="utf-8")) == [
        case.name for case in (*ALL_REGRESSIONS, *VARIATIONS)
    ]


def test_there_are_at_least_25_of_each() -> None:
    assert len(ALL_REGRESSIONS) >= 25
    assert len(VARIATIONS) >= 25
