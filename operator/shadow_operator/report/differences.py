"""The differences of a report, each with the rule that would excuse it; people decide."""

import json
from math import ceil
from typing import Final

from shadow_operator.api.spec import Comparison
from shadow_operator.core.comparing.shape import FOLDED
from shadow_operator.core.counting.differences import Difference as Judged
from shadow_operator.core.counting.proposals import proposal
from shadow_operator.core.counting.tally import Tally
from shadow_operator.core.counting.variations import LEVEL
from shadow_operator.core.numbers.statistics import upper_bound
from shadow_operator.report.model import Difference

MOST: Final = 20
"""Differences of a report."""
_UNDECIDED: Final = "undecided: noise or change, more controls will tell"


def differences(counted: Tally, comparison: Comparison) -> tuple[Difference, ...]:
    """Give the most important ones: critical ones first, then by pairs, excused ones last."""
    return tuple(_shown(one, counted, comparison) for one in counted.differences[:MOST])


def _shown(judged: Judged, counted: Tally, comparison: Comparison) -> Difference:
    harmless = proposal(judged, counted, comparison)
    return Difference(
        route=judged.route,
        path=judged.place.path,
        kind=judged.place.kind.value,
        detail=judged.place.detail,
        pairs=judged.pairs,
        critical=judged.critical and judged.counts,
        excused_by=judged.excused_by or (_UNDECIDED if judged.pending else None),
        rule=harmless or _meant(judged, counted) or None,
        looks_harmless=bool(harmless),
    )


def _meant(judged: Judged, counted: Tally) -> str:
    """Write the rule for who knows that the change is meant, with the share that was seen.

    Empty where it does not count, and where the place has no name that a rule could take.
    """
    if not judged.counts or judged.share or FOLDED in judged.route + judged.place.path:
        return ""
    of = next(route.pairs for route in counted.counts.routes if route.name == judged.route)
    share = upper_bound(min(judged.pairs, of), of, LEVEL)
    rule = {
        "route": judged.route,
        "path": judged.place.path,
        "maxPercent": f"{min(100.0, ceil(1000 * share) / 10):g}",
        "reason": "<why>",
    }
    members = ", ".join(f"{name}: {json.dumps(v, ensure_ascii=False)}" for name, v in rule.items())
    return f"comparison: {{expectedVariations: [{{{members}}}]}}"
