"""The whole catalogue in one run: pods, comparators, traffic, and the judge at every look."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from shadow_operator.adapters import layers
from shadow_operator.api.evidence import ComparatorConfig
from shadow_operator.api.presets import HAL9
from shadow_operator.core.recording import usage
from shadow_operator.core.snapshot import Amount, Bounds, Found, Pod, PodUsage
from tests.support.catalogue import processes
from tests.support.catalogue.cases import (
    LAYER,
    LEAK,
    PATIENT_SECONDS,
    REGRESSIONS,
    SECONDS,
    VARIATIONS,
    Case,
)
from tests.support.catalogue.processes import Comparing
from tests.support.catalogue.trial import EPOCH, INTERVAL, WHOLE, Trial, Whole

ROUND: Final = 20
"""Requests of a case between two looks."""
HARMLESS: Final = "harmless"
APART: Final = 2.0
"""Seconds between the starts of reference and shadow: what counts them must not be accused."""
FASTER: Final = 120
"""Minutes of the leak in a minute: it leaks so many times as fast, and is measured so often."""
SAMPLES_EVERY: Final = 0.25
LIMIT: Final = 512 << 20
"""Bytes of memory that these pods may use."""
LEAKED_SECONDS: Final = 60 * 60.0
"""Of the leak's own time, after which it must have been found."""


@dataclass(frozen=True)
class Played:
    """What came of all cases."""

    trials: dict[str, Trial]
    whole: Whole
    seconds: float

    @property
    def wrong(self) -> dict[str, Trial]:
        """Return what is not as it must be."""
        everything = {**self.trials, WHOLE.name: self.whole}
        return {name: trial for name, trial in everything.items() if not trial.is_right}


async def play(folder: Path) -> Played:
    """Run everything."""
    started = time.monotonic()
    cases = (*REGRESSIONS, *VARIATIONS)
    trials = {case.name: Trial(case, now=time.time()) for case in cases}
    whole = Whole(WHOLE, now=time.time())
    async with AsyncExitStack() as stack:
        shadows, references = _environments(folder)
        reference = await stack.enter_async_context(processes.pods(references, first=1))
        await asyncio.sleep(APART)
        shadow = await stack.enter_async_context(processes.pods(shadows, first=3))
        roles = {"shadow": shadow, "reference": reference}
        groups = {
            await stack.enter_async_context(
                processes.comparator(_config(name, group), folder, roles)
            ): [trials[case.name] for case in group]
            for name, group in _groups().items()
        }
        timed, *others = groups
        await timed.send(_copies(groups[timed][0]))  # so that the pods are warm later
        layer, leak, _ = await asyncio.gather(
            _probed(shadow[0]),
            _leaking(),
            asyncio.gather(
                *(
                    _compared(one, groups[one], whole if one.name.startswith(HARMLESS) else None)
                    for one in others
                )
            ),
        )
        timed.window = processes.CALM
        await timed.connect()  # idle ones may have been closed
        await _compared(timed, groups[timed])
    trials |= {LAYER.name: layer, LEAK.name: leak}
    return Played(trials, whole, time.monotonic() - started)


def _groups() -> dict[str, list[Case]]:
    """Share the cases out to comparators: a snapshot has room for so many noisy routes only."""
    half = len(VARIATIONS) // 2
    return {
        "timed": [case for case in REGRESSIONS if case.timed],
        "rare": [case for case in REGRESSIONS if case.share > 1 and not case.timed],
        "regressions": [case for case in REGRESSIONS if case.share == 1],
        HARMLESS: list(VARIATIONS[:half]),
        f"{HARMLESS}-too": list(VARIATIONS[half:]),
    }


def _config(name: str, group: Iterable[Case]) -> ComparatorConfig:
    seconds = PATIENT_SECONDS if name.startswith(HARMLESS) else SECONDS
    routes = dict.fromkeys(case.path for case in group)
    return processes.config(name, EPOCH, routes, seconds, marker=HAL9.learning_marker)


def _environments(folder: Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Give the environments of two pods of the shadow, and of two of the reference."""
    cases = (*REGRESSIONS, *VARIATIONS)
    varies = ";".join(filter(None, (case.planted(case.varies) for case in cases)))
    both = processes.at_once(folder) | {"HAL9_VARIATIONS": varies}
    # Two cases may share a route and its fault.
    everywhere = {c.path: c.planted(c.faults) for c in REGRESSIONS if not c.on_one_pod}
    alone = [case.planted(case.faults) for case in REGRESSIONS if case.on_one_pod]
    faults = [*filter(None, everywhere.values()), LAYER.faults]
    shadow = both | {"HAL9_SYSTEM": "hierarchical", "HAL9_HIERARCHICAL_LEARNING": "shadow-only"}
    return (
        [
            shadow | {"HOSTNAME": "hal9-shadow-1", "HAL9_FAULTS": ";".join(faults)},
            shadow | {"HOSTNAME": "hal9-shadow-2", "HAL9_FAULTS": ";".join(faults + alone)},
        ],
        [both | {"HOSTNAME": f"hal9-reference-{number}"} for number in (1, 2)],
    )


async def _compared(
    comparing: Comparing, trials: Sequence[Trial], whole: Whole | None = None
) -> None:
    """Send and judge in turns until nothing is left to send, and what is under way has come."""
    last = 0.0
    while due := _due(trials, whole):
        await comparing.send([group for trial in due for group in _copies(trial)])
        await asyncio.sleep(max(0.0, last + INTERVAL - time.time()))
        last = time.time()
        await _look(comparing, trials, whole)
        if not _due(trials, whole):
            await comparing.settled()
            await _look(comparing, trials, whole, last=True)


def _due(trials: Sequence[Trial], whole: Whole | None) -> Sequence[Trial]:
    """Give those that get more requests: where each has had its own, all for the whole."""
    due = [trial for trial in trials if not trial.over]
    if due or whole is None or whole.over:
        return due
    return [trial for trial in trials if whole.concerns(trial.case.path)]


def _copies(trial: Trial) -> list[tuple[int, list[bytes]]]:
    """Give the requests of one round, with the connection that they keep."""
    number, line = ROUND * trial.case.share, sum(trial.case.path.encode())
    copies = []
    while number > 0:
        group = trial.case.requests(trial.case, trial.sent)
        copies.append((line, group))
        trial.sent += 1
        number -= len(group)
    return copies


async def _look(
    comparing: Comparing, trials: Sequence[Trial], whole: Whole | None, *, last: bool = False
) -> None:
    snapshot, now = await comparing.snapshot(), time.time()
    for trial in (*trials, *([whole] if whole else [])):
        trial.look(snapshot, now, last=last)
        await asyncio.sleep(0)  # others send meanwhile
    hints = dict.fromkeys(hint for trial in trials for hint in trial.hints)
    comparing.configure(hints=tuple(hints))


async def _probed(pod: processes.Pod) -> Trial:
    """Ask the layers as the operator does, interval by interval."""
    trial = Trial(LAYER, now=time.time())
    async with httpx.AsyncClient() as client:
        while trial.found is None and trial.requests < 10:
            read = await layers.probe(client, pod.url, HAL9.layer_path_template, trial.spec.layers)
            trial.requests += 1
            trial.judge({}, time.time(), read)
            await asyncio.sleep(INTERVAL)
    return trial


async def _leaking() -> Trial:
    """Measure a pod that leaks and one that does not, in the leak's own time."""
    trial = Trial(LEAK, now=0.0)
    leak = {"HAL9_FAULTS": f"leak:mb-per-minute={FASTER}"}
    async with processes.pods([leak, {}], first=5) as (shadow, reference):
        started = time.monotonic()
        while trial.found is None and trial.ledger.usage.taken < LEAKED_SECONDS:
            await asyncio.sleep(SAMPLES_EVERY)
            now = FASTER * (time.monotonic() - started)
            _measure(trial, {"shadow": shadow, "reference": reference}, now)
            trial.requests = int(now / 60)
            trial.judge({}, now)
    return trial


def _measure(trial: Trial, running: dict[str, processes.Pod], now: float) -> None:
    bounds = {"hal9": Bounds(limits=Amount(memory=LIMIT))}
    pods = {role: (Pod(role, role, role, ready=True, bounds=bounds),) for role in running}
    samples = {
        role: PodUsage(now, {"hal9": Amount(memory=pod.memory)}) for role, pod in running.items()
    }
    used = usage.taken(trial.ledger.usage, Found(samples), pods, now=now, copying=True)
    trial.ledger = trial.ledger.model_copy(update={"usage": used})
