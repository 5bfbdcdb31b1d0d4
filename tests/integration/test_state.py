"""A service that remembers: what is written by one request is read by a later one.

Real comparators and pods on the loopback: 100 clients a second post a signal, and read it half a
second later; the copies of both take different comparators.
"""

import asyncio
from pathlib import Path

from shadow_operator.api.enums import Decision, GateName, GateResult
from tests.support import stateful
from tests.support.judged import gate, told

THIRTY_SECONDS = 600
"""Groups of clients, 20 a second: 6,000 pairs, where 4,512 without a mismatch show 99.9 %."""


def test_an_unchanged_version_that_remembers_proceeds_and_nothing_is_excused_for_it(
    tmp_path: Path,
) -> None:
    judged = asyncio.run(stateful.play(tmp_path, groups=THIRTY_SECONDS))
    compared, verdict = judged.comparison, judged.verdict
    assert verdict is not None
    assert verdict.decision is Decision.PROCEED_TO_CANARY, told(judged)
    assert compared.matched > 0.999 * compared.received, told(judged)
    assert compared.received > 5_900
    # What every answer of HAL9 says of itself is noise; nothing of a signal is.
    excused = {difference.path for difference in compared.top_differences}
    assert excused == {"$.meta.generated_at", "$.meta.instance", "$.meta.trace_id"}, told(judged)


def test_clones_that_lack_what_production_remembers_prove_nothing(tmp_path: Path) -> None:
    judged = asyncio.run(stateful.play(tmp_path, groups=THIRTY_SECONDS // 4, old=True))
    routes = gate(judged, GateName.ROUTES)
    assert judged.verdict is not None
    assert judged.verdict.decision is Decision.EXTEND_SHADOW, told(judged)
    assert judged.comparison.mismatched == 0
    assert routes.result is GateResult.INCONCLUSIVE
    assert routes.message == (
        "GET /api/v1/signal/{id}: production answers 2xx in 100% of its requests, the clones 404 "
        "in 100%: they lack its data; seed the clones, or let them reach it (clones.egressTo)."
    )
    unproven = gate(judged, GateName.UNPROVEN)
    assert unproven.result is GateResult.INCONCLUSIVE, told(judged)
    assert "both sides answered 404" in unproven.message
