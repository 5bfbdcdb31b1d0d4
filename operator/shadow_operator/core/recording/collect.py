"""From readings to the ledger: count what is new, move the clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from shadow_operator.api.evidence import SNAPSHOT_SCHEMA, ComparatorSnapshot
from shadow_operator.api.reasons import SoakReason
from shadow_operator.api.spec import Spec
from shadow_operator.core.comparing import mix
from shadow_operator.core.counting.blocks import block
from shadow_operator.core.numbers import series
from shadow_operator.core.numbers.series import appended
from shadow_operator.core.recording import production
from shadow_operator.core.recording import soak as clock
from shadow_operator.core.recording.ledger import (
    LayerRecord,
    Ledger,
    Load,
    Mark,
    MirrorCursor,
    Process,
    close,
    fit,
    process_of,
)
from shadow_operator.core.recording.soak import DEAD_MAN_SECONDS, SILENT_SECONDS, Soak
from shadow_operator.core.snapshot import (
    Found,
    Item,
    LayerReading,
    MirrorReading,
    RequestsReading,
    Unknown,
)

GONE_SECONDS: Final = 600.0
"""A process whose pod is not listed for so long is folded into the closed total."""
LOST_SHARE: Final = 0.5
"""Coverage is lost where fewer of the expected copies were sent to the clones."""
LOST_MINIMUM: Final = 20
"""Fewer expected copies don't tell whether coverage is lost: more are waited for."""
FORGOTTEN_SECONDS: Final = 3600.0
"""Cursors of Envoy processes that are gone for so long are dropped."""


@dataclass(frozen=True, slots=True)
class Pods:
    """Pods that are ready."""

    production: int
    shadow: int


def advance(
    ledger: Ledger,
    comparators: Mapping[str, Item[ComparatorSnapshot]],
    mirrors: Mapping[str, Item[MirrorReading]],
    *,
    now: float,
    mirroring: bool,
    healthy: bool,
    interval: float,
    percent: int = 0,
    requests: Iterable[Item[RequestsReading]] | None = None,
    layers: tuple[LayerReading, ...] = (),
    crash: str = "",
    standstill: str = "",
    leaving: frozenset[str] = frozenset(),
    pods: Pods | None = None,
    spec: Spec | None = None,
) -> Ledger:
    """Take over what was read at `now` (seconds since the epoch) and move the soak clock.

    `mirroring`: copies are wanted and on their way, `percent` of them from now on. `requests`: what
    production's own metrics say, None where an Envoy sees its requests. `healthy`: the shadow and
    the reference can answer. `crash`: a clause that says how the shadow crashed since the last
    call, empty if it did not. `standstill`: why copies are not wanted, one CamelCase word, where
    the caller knows better than `NotMirroring`. `leaving`: names of pods that are terminating.
    `pods`: how many pods serve, where that is known. `spec`: the rules that say what is no noise in
    this interval; without them nothing is kept by interval. Readings of another epoch, old and
    repeated ones change no count; unknown ones change nothing.
    """
    started = bool(ledger.processes or ledger.closed_names)
    before, answered = ledger, ledger.answered
    mirrored = _mirrored(ledger, now) if mirroring else ledger.mirrored
    ledger = ledger.model_copy(update={"interval": interval, "mirrored": mirrored})
    ledger = _with_production(ledger, mirrors, now)
    ledger = _with_meter(ledger, requests, now=now, percent=percent)
    ledger = _with_mirrors(ledger, mirrors, now, counting=started)
    ledger = _with_processes(ledger, comparators, now)
    ledger = _with_load(ledger, before, pods)
    ledger = _with_layers(ledger, layers, now)
    if not started:
        ledger = _without_earlier(ledger)
    if ledger.answered > answered:
        ledger = ledger.model_copy(update={"last_copy": now})
    ledger = _with_soak(
        ledger,
        _readings(ledger, comparators, mirrors, leaving, now),
        now=now,
        mirroring=mirroring,
        healthy=healthy,
        crash=crash,
        standstill=standstill,
    )
    ledger = fit(ledger)  # what came is the difference of what is stored, folded alike
    return fit(_with_interval(before, ledger, spec, now)) if spec else ledger


@dataclass(frozen=True, slots=True)
class _Readings:
    """What could be read this time."""

    processes: frozenset[str]
    """Comparators of this epoch."""
    has_mirrors: bool
    complete: bool
    """Whether everything could be read that there is to read."""


def _readings(
    ledger: Ledger,
    comparators: Mapping[str, Item[ComparatorSnapshot]],
    mirrors: Mapping[str, Item[MirrorReading]],
    leaving: frozenset[str],
    now: float,
) -> _Readings:
    processes = frozenset(
        f"{item.value.pod_uid}/{item.value.boot_id}"
        for item in comparators.values()
        if isinstance(item, Found) and item.value.epoch == ledger.epoch
    )
    unread = {
        pod
        for pod, item in (*comparators.items(), *mirrors.items())
        if isinstance(item, Unknown)
        and not (pod in leaving and now - _last_read(ledger, pod) > DEAD_MAN_SECONDS)
    }
    return _Readings(processes, bool(mirrors), bool(processes) and not unread)


def _last_read(ledger: Ledger, pod: str) -> float:
    """Return when a pod was last read; one that is terminating and silent may be so for ever."""
    processes = (process.time for process in ledger.processes if process.pod == pod)
    cursors = (cursor.time for cursor in ledger.mirrors.values() if cursor.pod == pod)
    return max((*processes, *cursors), default=ledger.begun)


def _mirrored(ledger: Ledger, now: float) -> float:
    """Add the time since the last reading; before the first copy there was nothing to decide on."""
    if ledger.advanced is None or ledger.last_copy is None:
        return ledger.mirrored
    return ledger.mirrored + max(0.0, min(now - ledger.advanced, DEAD_MAN_SECONDS))


def _with_production(
    ledger: Ledger, mirrors: Mapping[str, Item[MirrorReading]], now: float
) -> Ledger:
    """Record how production ran since the last reading; a longer gap tells of no one time."""
    since = ledger.advanced
    if since is None or now - since > max(DEAD_MAN_SECONDS, 2 * ledger.interval):
        return ledger
    course = production.course(ledger.mirrors, mirrors.values(), since=since, now=now)
    if course is None:
        return ledger
    return _recorded(ledger, course, "envoy")


def _with_meter(
    ledger: Ledger, requests: Iterable[Item[RequestsReading]] | None, *, now: float, percent: int
) -> Ledger:
    """Record how production ran since its own metrics were last read."""
    if requests is None:
        return ledger
    meter, course = ledger.meter.taken(requests, now=now, percent=percent)
    ledger = ledger.model_copy(update={"meter": meter})
    return ledger if course is None else _recorded(ledger, course, "metrics")


def _recorded(ledger: Ledger, course: production.Course, by: str) -> Ledger:
    """Add a record; what another place measured is not comparable with it."""
    known = ledger.production if ledger.seen_by == by else ()
    update = {"production": series.appended(known, course), "seen_by": by}
    return ledger.model_copy(update=update)


def _with_mirrors(
    ledger: Ledger, mirrors: Mapping[str, Item[MirrorReading]], now: float, *, counting: bool
) -> Ledger:
    cursors, coverage = _cursors(ledger, mirrors, now), ledger.coverage
    statuses, sizes = ledger.answers, ledger.sizes
    for pod, item in mirrors.items():
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
        cursors[reading.boot] = MirrorCursor.of(pod, reading, percent, now)
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
        if percent:
            statuses = _with_answers(statuses, before, before.statuses, reading.statuses, percent)
            sizes = _with_answers(sizes, before, before.sizes, reading.sizes, percent)
    return ledger.model_copy(
        update={
            "mirrors": cursors,
            "coverage": coverage,
            "answers": statuses,
            "sizes": sizes,
        }
    )


def _with_answers(
    production: dict[str, dict[str, int]],
    cursor: MirrorCursor,
    before: Mapping[str, mix.Mix],
    now: Mapping[str, mix.Mix],
    percent: int,
) -> dict[str, dict[str, int]]:
    """Add production's answers since the reading before; without its counts nothing is known."""
    if cursor.eligible and not before:
        return production
    return mix.added((production, mix.weighted(before, now, percent)))


def _cursors(
    ledger: Ledger, mirrors: Mapping[str, Item[MirrorReading]], now: float
) -> dict[str, MirrorCursor]:
    """Return the cursors to count from: it may be the operator that was away for long."""
    running = {item.value.boot for item in mirrors.values() if isinstance(item, Found)}
    unread = {pod for pod, item in mirrors.items() if isinstance(item, Unknown)}
    return {
        boot: cursor
        for boot, cursor in ledger.mirrors.items()
        if boot in running or cursor.pod in unread or now - cursor.time <= FORGOTTEN_SECONDS
    }


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
            "last_measurement": newest or ledger.last_measurement,
        }
    )
    if ledger.first_measurement is None or not ledger.answered:
        # Of readings before the first copy the last one tells when evidence begins.
        ledger = ledger.model_copy(update={"first_measurement": newest or ledger.first_measurement})
    return close(ledger, [p for p in ledger.processes if _is_gone(p, ledger, comparators, now)])


def _with_interval(before: Ledger, ledger: Ledger, spec: Spec, now: float) -> Ledger:
    """Keep what came in this interval, by itself."""
    seconds = max(0.0, now - (before.begun if before.advanced is None else before.advanced))
    new = block(
        before.counts, ledger.counts, spec, interval=ledger.interval, now=now, seconds=seconds
    )
    soak, earlier, totals = ledger.soak, before.totals, ledger.totals
    interval = totals.since(
        earlier,
        now=now,
        seconds=seconds,
        soaked=soak.counted,
        standstill=soak.standstill or (SoakReason.GATE_FAILED if soak.failing else ""),
    )
    return ledger.model_copy(
        update={
            "blocks": appended(ledger.blocks, new),
            "intervals": appended(ledger.intervals, interval),
            "failures": ledger.failures.seen(earlier.counts, totals.counts),
        }
    )


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


def _with_load(ledger: Ledger, before: Ledger, pods: Pods | None) -> Ledger:
    """Take over how fast the new answers were, and to how many pods the new requests went."""
    bursts = ledger.bursts.seen(before.timing, ledger.timing)
    load, requests = ledger.load, _requests_of_a_pod(ledger, before, pods)
    if pods is not None and pods.shadow and requests > 0:
        everywhere = ledger.everywhere - before.everywhere
        single = max(0, ledger.answered - before.answered - everywhere)
        load = Load(
            production=load.production + requests,
            shadow=load.shadow + everywhere + single / pods.shadow,
            everywhere=load.everywhere + everywhere,
        )
    return ledger.model_copy(update={"bursts": bursts, "load": load})


def _requests_of_a_pod(ledger: Ledger, before: Ledger, pods: Pods | None) -> float:
    """Return the new requests of a pod of production under copies; 0 where they are not known."""
    if ledger.production is before.production or not ledger.production[-1].percent:
        return 0.0  # without copies the clones have no load to compare
    if ledger.seen_by == "envoy":
        requests = ledger.coverage.requests - before.coverage.requests
        return requests / pods.production if pods and pods.production else 0.0
    return ledger.production[-1].requests / ledger.meter.counted


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
    mark = _mark(ledger, readings, now) if readings.complete else ledger.mark
    if crash and (mirroring or soak.complete_since is None):
        # After the soak, without traffic, a crash says nothing about what was decided.
        soak = clock.restart(soak, now=now, reason=crash)
    if not mirroring:
        soak = clock.stop(soak, standstill or SoakReason.NOT_MIRRORING)
    elif not healthy:
        soak = clock.stop(soak, SoakReason.CLONES_UNAVAILABLE)
    else:
        soak = _ticked(ledger, soak, readings, mark, now)
    return ledger.model_copy(update={"soak": soak, "mark": mark, "advanced": now})


def _ticked(ledger: Ledger, soak: Soak, readings: _Readings, mark: Mark | None, now: float) -> Soak:
    if not readings.processes:
        return clock.wait(soak, SoakReason.COMPARATORS_UNREADABLE)
    in_the_way = _in_the_way(ledger, readings, mark, now)
    if in_the_way:
        return clock.stop(soak, in_the_way)
    gap = 0.0 if soak.counted_to is None else now - soak.counted_to
    same = ledger.mark is None or bool(readings.processes & set(ledger.mark.processes))
    if gap > 2 * ledger.interval and not same:
        return clock.skip(soak, now=now, interval=ledger.interval)
    return clock.run(soak, now=now, interval=ledger.interval)


def _in_the_way(
    ledger: Ledger, readings: _Readings, mark: Mark | None, now: float
) -> SoakReason | None:
    """Return why time up to now does not count, or nothing."""
    if ledger.last_copy is None or now - ledger.last_copy > SILENT_SECONDS:
        return SoakReason.NO_COPIES
    if mark is not None and mark.lost:
        return SoakReason.COVERAGE_LOST
    known = ledger.begun if mark is None else mark.time
    if not readings.complete and now - known > DEAD_MAN_SECONDS:
        return SoakReason.COVERAGE_UNKNOWN
    return None


def _mark(ledger: Ledger, readings: _Readings, now: float) -> Mark:
    """Judge whether copies are lost, once enough are expected: slow traffic takes some intervals.

    Where nobody counts what should arrive, nothing is known to be lost.
    """
    before, processes = ledger.mark, tuple(sorted(readings.processes))
    if before is None or not readings.has_mirrors:
        return Mark(time=now, processes=processes, copies=ledger.copies)
    copies = ledger.copies.since(before.copies)
    if copies.wanted < LOST_MINIMUM:
        return before.model_copy(update={"time": now, "processes": processes})
    lost = copies.answered < LOST_SHARE * copies.wanted
    return Mark(time=now, processes=processes, copies=ledger.copies, lost=lost)
