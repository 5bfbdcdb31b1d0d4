"""How much of the answers was really compared, where some of it is excused."""

from collections.abc import Mapping
from typing import Any

import pytest

from shadow_operator.api.evidence import PathCount
from shadow_operator.core.counting.counts import Counts
from shadow_operator.core.counting.tally import tally
from tests.support.readings import control, route, signature, spec

IGNORED = {"comparison": {"ignore": [{"path": "$.a", "reason": "whatever"}]}}
A, WHOLE = {"$.a": 1}, {"$": 10, "$.a": 1}
NOW_AND_THEN = {"$.a missing": 20, "$.a extra": 20}


def share(
    differing: Mapping[str, int], leaves: Mapping[str, int], rules: Mapping[str, Any]
) -> float | None:
    """Give the share of 1,000 pairs of 10 values each, all differences being noise.

    `differing`: places that differ together -> pairs; `leaves`: path -> values in each answer.
    """
    signatures = tuple(signature(places, pairs) for places, pairs in differing.items())
    places = {place: 20 for together in differing for place in together.split(", ")}
    one = route(
        1000 - sum(differing.values()),
        signatures=signatures,
        uniform=control(50, places, places),
    ).model_copy(
        update={
            "paths": tuple(
                PathCount(path=path, reference=1000, shadow=1000, leaves=1000 * each)
                for path, each in leaves.items()
            )
        }
    )
    return tally(spec(**rules), Counts(routes=(one,)), interval=30.0).judged_share


@pytest.mark.parametrize(
    ("differing", "leaves", "rules", "wanted"),
    [
        ({}, {}, {}, 1.0),
        ({"$.a text": 40}, A, {}, 0.9),
        (NOW_AND_THEN, A, {}, 0.996),
        ({"$.a length": 40}, A, {}, 0.996),
        ({"$.a type null>number": 20, "$.a type number>null": 20}, A, {}, 0.996),
        ({"$.a missing": 500, "$.a extra": 500}, A, {}, 0.9),
        (NOW_AND_THEN | {"$.a text": 10}, A, {}, 0.9),
        (NOW_AND_THEN, A, IGNORED, 0.9),
        ({"$ missing": 50, "$ extra": 50}, WHOLE, {}, 0.9),
        ({"$ missing": 50, "$ extra": 50, "$.a text": 30}, WHOLE, {}, 1 - (1 + 9 * 0.1) / 10),
    ],
)
def test_a_value_is_compared_where_it_is_there_though_at_times_it_is_not(
    differing: dict[str, int], leaves: dict[str, int], rules: dict[str, Any], wanted: float
) -> None:
    assert share(differing, leaves, rules) == pytest.approx(wanted)
