"""The catalogue as people read it: what was planted, what named it, after how many requests."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.support.catalogue.cases import LAYER, LEAK, REGRESSIONS, VARIATIONS, Case
from tests.support.catalogue.play import Played
from tests.support.catalogue.trial import Trial

PAGE: Final = Path(__file__).parents[3] / "docs" / "catalogue.md"
ALL_REGRESSIONS: Final = (*REGRESSIONS, LAYER, LEAK)
_UNIT: Final = {LAYER.name: "probes", LEAK.name: "minutes"}
"""What is counted for cases that need no request."""


def page(played: Played) -> str:
    """Write the whole page in Markdown."""
    return "\n".join(
        (
            _HEAD.format(
                regressions=len(ALL_REGRESSIONS),
                variations=len(VARIATIONS),
                seconds=round(played.seconds),
            ),
            "| case | what the new version does | gate that fails | where it was found | after |",
            "| --- | --- | --- | --- | --- |",
            *(_regression(case, played.trials[case.name]) for case in ALL_REGRESSIONS),
            _BETWEEN.format(together=f"{played.whole.requests:,}"),
            "| case | what differs | requests | known after |",
            "| --- | --- | --- | --- |",
            *(_variation(case, played.trials[case.name]) for case in VARIATIONS),
            "",
        )
    )


def listed(text: str) -> list[str]:
    """Give the names of the cases that a page lists."""
    rows = (line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| `"))
    return [name.strip("`") for name in rows]


def _regression(case: Case, trial: Trial) -> str:
    found, want = trial.found, case.caught
    assert want is not None
    after = f"{found.requests:,} {_UNIT.get(case.name, 'requests')}" if found else "not found"
    gate = f"`{want.gate}`" if want.gate else "none, see below"
    return _row((f"`{case.name}`", case.what, gate, _where(trial), after))


def _where(trial: Trial) -> str:
    """Say what was named: a place of a route, or what the gate says."""
    if trial.found is None:
        return "-"
    named = trial.found.named
    if named is None:
        return re.split(r"(?<=\.) ", trial.found.sentence)[0]
    return f"`{named.route}` `{named.path}` {named.kind}"


def _variation(case: Case, trial: Trial) -> str:
    settled = "never" if trial.decided is None else f"{trial.decided:,}"
    return _row((f"`{case.name}`", case.what, f"{trial.requests:,}", settled))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


_HEAD: Final = """# The catalogue

{regressions} things that a new version can get wrong, and {variations} that differ though nothing
is wrong. Each is planted in `examples/hal9` and judged by the operator's own code: real
comparators, two pods of the shadow and two of the reference on the loopback, and a route of its
own for each case. No rule excuses anything, except that learning may change answers where the
table says so. Every regression must fail the gate that the table names, and what is named must be
the place where it was planted. No harmless variation may be accused at any reading.
`tests/integration/test_catalogue.py` demands both.

The numbers are those of one run of {seconds} s, written by `make catalogue`. They vary from run
to run, since requests are sent until the next reading. A reading came every 0.5 s or later; in a
cluster one comes every 30 s, so a decision takes as many requests, and two readings at least.

## Regressions

*After* counts the requests to the route until the gate failed. Three things bound it from below:
a critical difference counts once it was seen in two readings; a rate can fail from 100 pairs on;
and a difference is a change only once about 18 controls have shown that the reference does not
differ from itself there ([Noise](verdict.md#noise)). What is wrong in 1 of 20 answers takes more
requests in proportion.
"""

_BETWEEN: Final = """
`wrong-in-1000` is a match rate of 99.9 %, which is what the runbook asks for, so no gate has to
fail; the place is named all the same, and `comparison.critical` makes it count. The latency gates
and `memory-growth` judge all routes together and name none. Layers are probed, so `layer` takes
no request. `leak` runs 120 times as fast as it says, and so does the clock by which it is judged.

## Harmless variations

Besides what the table says, every answer has a random trace id, the time and the name of its
instance. *Known after* counts the requests until all that differs there was known to be noise, or
to be as it is meant to be; before, it is undecided: not accused, and not passed.

All of them but `as-ever-busy` were also judged as one resource, with the latency gates `Advisory`
because one machine ran it all: `ProceedToCanary` after {together} requests. Left out is
`as-ever-busy`, because 503s in 2 of 100 answers take more requests than are sent here until it is
shown that they are no excess ([Bounds](verdict.md#bounds-and-how-often-one-looks)).
"""
