"""From readings to the ledger: count what is new, move the clock."""

from collections.abc import Mapping
from typing import Final

from shadow_operator.api.evidence import SNAPSHOT_SCHEMA, ComparatorSnapshot
from shadow_operator.core import soak as clock
from shadow_operator.core.ledger import (
    LayerRecord,
    Ledger,
    Mark,
    MirrorCursor,
    Process,
    close,
    fit,
    process_of,
)
from shadow_operator.core.snapshot import Found, Item, LayerReading, MirrorReading, Unknown
from shadow_operator.core.soak import DEAD_MAN_SECONDS, Soak

GONE_SECONDS: Final = 600.0
"""A process whose pod is not listed for so long is folded into the closed total."""
LOST_SHARE: Final = 0.5
"""Coverage of an interval is lost where fewer of the expected copies were sent to the clones."""
LOST_MINIMUM: Final = 20
"""Intervals with fewer expected copies don't tell whether coverage is lost."""
FORGOTTEN_SECONDS: Final = 3600.0
"""Cursors of Envoy processes that were not read for so long are dropped."""


def advance(
    ledger: Ledger,
    comparators: Mapping[str, Item[ComparatorSnapshot]],
    mirrors: Mapping[str, Item[MirrorReading]],
    *,
    now: float,
    mirroring: bool,
    healthy: bool,
    interval: float,
    layers: tuple[LayerReading, ...] = (),
    crash: str = "",
    standstill: str = "",
) -> Ledger:
    """Take over what was read at `now` (seconds since the epoch) and move the soak clock.

    `mirroring`: copies are wanted and on their way. `healthy`: the shadow and the reference can
    answer. `crash`: a clause that says how the shadow crashed since the last call, empty if it did
    not. `standstill`: why copies are not wanted, one CamelCase word, where the caller knows better
    than `NotMirroring`. Readings of another epoch, old and repeated ones change no count; unknown
    ones change nothing.
    """
    started = bool(ledger.processes or ledger.closed_names)
    answered = ledger.answered
    ledger = ledger.model_copy(update={"interval": interval})
    ledger = _with_mirrors(ledger, mirrors, now, counting=started)
    ledger = _with_processes(ledger, comparators, now)
    ledger = _with_layers(ledger, layers, now)
    if not started:
        ledger = _without_earlier(ledger)
    if ledger.answered > answered:
        ledger = ledger.model_copy(update={"last_copy": now})
    ledger = _with_soak(
        ledger,
        _Readings(ledger, comparators, mirrors),
        now=now,
        mirroring=mirroring,
        healthy=healthy,
        crash=crash,
        standstill=standstill,
    )
    return fit(ledger)


class _Readings:
    """What could be read this time."""

    def __init__(
        self,
        ledger: Ledger,
        comparators: Mapping[str, Item[ComparatorSnapshot]],
        mirrors: Mapping[str, Item[MirrorReading]],
    ) -> None:
        self.processes = {
            f"{item.value.pod_uid}/{item.value.boot_id}"
            for item in comparators.values()
            if isinstance(item, Found) and item.value.epoch == ledger.epoch
        }
        self.has_mirrors = bool(mirrors)
        self.complete = bool(self.processes) and not any(
            isinstance(item, Unknown) for item in (*comparators.values(), *mirrors.values())
        )


def _with_mirrors(
    ledger: Ledger, mirrors: Mapping[str, Item[MirrorReading]], now: float, *, counting: bool
) -> Ledger:
    cursors = {
        boot: cursor
        for boot, cursor in ledger.mirrors.items()
        if now - cursor.time <= FORGOTTEN_SECONDS
    }
    coverage = ledger.coverage
    for item in mirrors.values():
        if not isinstance(item, Found):
            continue
        reading = item.value
        before = cursors.get(reading.boot)
        if before is not None and reading.requests < before.requests:
            continue  # an old reading, after a newer one
        # The percentage is set right after a reading, so the one found now was in force meanwhile.
        percent = reading.percent
        if percent is None:
            percent = before.percent if before else 0
        cursors[reading.boot] = MirrorCursor.of(reading, percent, now)
        if before is None or not counting:
            continue
        eligible = max(0, reading.eligible - before.eligible)
        coverage = coverage.model_copy(
            update={
                "requests": coverage.requests + reading.requests - before.requests,
                "eligible": coverage.eligible + eligible,
                "expected": coverage.expected + eligible * percent / 100,
            }
        )
    return ledger.model_copy(update={"mirrors": cursors, "coverage": coverage})


def _with_processes(
    ledger: Ledger, comparators: Mapping[str, Item[ComparatorSnapshot]], now: float
) -> Ledger:
    known = {process.name: process for process in ledger.processes}
    newest: float | None = None
    for pod, item in comparators.items():
        if not isinstance(item, Found) or not _counts_here(ledger, item.value):
            continue
        process = process_of(pod, item.value)
        other = known.get(process.name)
        if process.name not in ledger.closed_names and (other is None or process.time > other.time):
            known[process.name] = process
            newest = now
    ledger = ledger.model_copy(
        update={
            "processes": tuple(known[name] for name in sorted(known)),
            "first_measurement": ledger.first_measurement or newest,
            "last_measurement": newest or ledger.last_measurement,
        }
    )
    return close(ledger, [p for p in ledger.processes if _is_gone(p, ledger, comparators, now)])


def _counts_here(ledger: Ledger, snapshot: ComparatorSnapshot) -> bool:
    return snapshot.schema_version == SNAPSHOT_SCHEMA and snapshot.epoch == ledger.epoch


def _is_gone(
    process: Process,
    ledger: Ledger,
    comparators: Mapping[str, Item[ComparatorSnapshot]],
    now: float,
) -> bool:
    if any(
        other.pod_uid == process.pod_uid and other.started_time > process.started_time
        for other in ledger.processes
    ):
        return True  # its pod runs another process now
    return process.pod not in comparators and now - process.time > GONE_SECONDS


def _with_layers(ledger: Ledger, layers: tuple[LayerReading, ...], now: float) -> Ledger:
    records = dict(ledger.layers)
    for reading in layers:
        if reading.healthy is None:
            continue
        before = records.get(reading.name)
        since = before.since if before and before.healthy == reading.healthy else now
        records[reading.name] = LayerRecord(
            healthy=reading.healthy, since=since, time=now, message=reading.message[:256]
        )
    return ledger.model_copy(update={"layers": records})


def _without_earlier(ledger: Ledger) -> Ledger:
    """Leave out of coverage what arrived before the first interval began."""
    arrived = ledger.received
    coverage = ledger.coverage.model_copy(update={"received_before": arrived})
    return ledger.model_copy(update={"coverage": coverage})


def _with_soak(
    ledger: Ledger,
    readings: _Readings,
    *,
    now: float,
    mirroring: bool,
    healthy: bool,
    crash: str,
    standstill: str,
) -> Ledger:
    soak = ledger.soak
    if crash and (mirroring or soak.complete_since is None):
        # After the soak, without traffic, a crash says nothing about what was decided.
        soak = clock.restart(soak, now=now, reason=crash)
    if not mirroring:
        soak = clock.stop(soak, standstill or "NotMirroring")
    elif not healthy:
        soak = clock.stop(soak, "ClonesUnavailable")
    else:
        soak = _ticked(ledger, soak, readings, now)
    mirrored = ledger.mirrored
    if mirroring and ledger.advanced is not None:
        mirrored += max(0.0, min(now - ledger.advanced, DEAD_MAN_SECONDS))
    mark = _mark(ledger, readings, now) if readings.complete else ledger.mark
    return ledger.model_copy(
        update={"soak": soak, "mark": mark, "mirrored": mirrored, "advanced": now}
    )


def _ticked(ledger: Ledger, soak: Soak, readings: _Readings, now: float) -> Soak:
    if not readings.processes:
        return clock.wait(soak, "ComparatorsUnreadable")
    in_the_way = _in_the_way(ledger, readings, now)
    if in_the_way:
        return clock.stop(soak, in_the_way)
    gap = 0.0 if soak.counted_to is None else now - soak.counted_to
    same = ledger.mark is None or bool(readings.processes & set(ledger.mark.processes))
    if gap > 2 * ledger.interval and not same:
        return clock.skip(soak, now=now, interval=ledger.interval)
    return clock.run(soak, now=now, interval=ledger.interval)


def _in_the_way(ledger: Ledger, readings: _Readings, now: float) -> str:
    """Return why time up to now does not count, or nothing."""
    mark, last_copy = ledger.mark, ledger.last_copy
    # Without Envoy's counters, only copies themselves show that there is traffic.
    if last_copy is None or (not readings.has_mirrors and now - last_copy > DEAD_MAN_SECONDS):
        return "NoCopies"
    if mark is None:
        return ""
    if readings.complete:
        return "CoverageLost" if _lost(ledger, mark) else ""
    return "CoverageUnknown" if now - mark.time > DEAD_MAN_SECONDS else ""


def _lost(ledger: Ledger, mark: Mark) -> bool:
    expected = ledger.coverage.expected - mark.expected
    answered = ledger.answered - mark.answered
    return expected >= LOST_MINIMUM and answered < LOST_SHARE * expected


def _mark(ledger: Ledger, readings: _Readings, now: float) -> Mark:
    return Mark(
        time=now,
        expected=ledger.coverage.expected,
        answered=ledger.answered,
        processes=tuple(sorted(readings.processes)),
    )
