"""The layout that the rest of the project relies on."""

import operator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_operator_is_a_source_root_and_hides_nothing_of_the_standard_library() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert operator.add(1, 1) == 2
