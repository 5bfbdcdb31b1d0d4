"""The evidence ledger: all that one epoch has shown, in one ConfigMap.

It holds, for every comparator process, its latest cumulative counts; so a reading that arrives
twice, late or out of order changes nothing, and an operator that was killed loses nothing. Soak and
verdict are computed from it alone.
"""

import base64
import binascii
import zlib
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from shadow_operator.api.enums import Decision
from shadow_operator.api.errors import ShadowOperatorError
from shadow_operator.api.evidence import SAFE_METHODS, ComparatorSnapshot
from shadow_operator.core.counting.blocks import KEPT, Block, folded
from shadow_operator.core.counting.counts import Counts, counts_of, merged, tightened
from shadow_operator.core.numbers.bursts import Bursts
from shadow_operator.core.numbers.histogram import Timing
from shadow_operator.core.recording.alerts import Alerts
from shadow_operator.core.recording.failures import Failures
from shadow_operator.core.recording.guard import GuardRecord
from shadow_operator.core.recording.headroom import Headroom
from shadow_operator.core.recording.intervals import StoredIntervals, Totals
from shadow_operator.core.recording.learning import Learning
from shadow_operator.core.recording.logs import Logs
from shadow_operator.core.recording.meter import Meter
from shadow_operator.core.recording.production import Course, StoredBins, lighter
from shadow_operator.core.recording.soak import Soak
from shadow_operator.core.recording.usage import Usage
from shadow_operator.core.snapshot import MirrorReading

LEDGER_SCHEMA: Final = 1
LEDGER_KEY: Final = "ledger"
"""Key of the compressed ledger in the data of the evidence ConfigMap."""
LARGEST_BYTES: Final = 32 * 1024
"""What `encode` never exceeds, all keys and values together."""
REMEMBERED_PROCESSES: Final = 128
"""Names of folded processes that are kept, so that a late reading is not counted again."""
LEAST_RECORDS: Final = 16
"""Intervals of production whose latencies are kept even where there is hardly room."""
DISCARDED: Final = frozenset({"RateLimit", "DeadMan"})
"""Reasons in `shed` of copies that are discarded on purpose: more than `maxRequestsPerSecond`, or
while nobody reads. The time of the latter does not count anyway."""


class UnreadableLedger(ShadowOperatorError):  # noqa: N818  # it is a fact about what is stored
    """The stored evidence can't be read; the sentence says what to do."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class Process(_Frozen):
    """Latest counts of one comparator process."""

    pod: str
    pod_uid: str
    boot_id: str
    started_time: float
    time: float
    """When the comparator took these counts."""
    counts: Counts

    @property
    def name(self) -> str:
        """The cursor."""
        return f"{self.pod_uid}/{self.boot_id}"


class MirrorCursor(_Frozen):
    """Up to where the counters of one Envoy process have been taken over."""

    pod: str = ""
    requests: int = 0
    eligible: int = 0
    percent: int = 0
    time: float = 0.0
    statuses: dict[str, dict[str, int]] = {}
    """Key of the mix -> group of statuses -> answers (`core/comparing/mix`)."""
    sizes: dict[str, dict[str, int]] = {}
    """Key of the mix -> class of sizes -> answers."""
    answered: int = 0
    errors: int = 0
    latency: StoredBins = {}

    @classmethod
    def of(cls, pod: str, reading: MirrorReading, percent: int, time: float) -> "MirrorCursor":
        """Return the cursor that this reading leaves."""
        return cls(
            pod=pod,
            requests=reading.requests,
            eligible=reading.eligible,
            percent=percent,
            time=time,
            statuses={name: dict(table) for name, table in reading.statuses.items()},
            sizes={name: dict(table) for name, table in reading.sizes.items()},
            answered=reading.answered,
            errors=reading.errors,
            latency=dict(reading.latency),
        )


class Load(_Frozen):
    """Requests of one pod, summed over intervals."""

    production: float = 0.0
    shadow: float = 0.0
    everywhere: float = 0.0
    """Of the shadow's, those that go to every clone: of unsafe methods."""


class Coverage(_Frozen):
    """Copies that should have arrived, summed over intervals."""

    requests: int = 0
    """All production requests."""
    eligible: int = 0
    """Of these, the ones that the mirror rule matches."""
    expected: float = 0.0
    """Sum of (eligible requests x the percentage then in force)."""
    received_before: int = 0
    """Copies that had arrived before the first interval began: no request was counted for them."""


class Copies(_Frozen):
    """What became of the eligible copies: totals of an epoch, or what came since some moment."""

    expected: float = 0.0
    received: int = 0
    discarded: int = 0
    """Of those received, the ones that were shed on purpose."""
    answered: int = 0
    """Sent to the clones."""

    @property
    def wanted(self) -> float:
        """Expected copies less those that are discarded on purpose.

        Their share of what was received is taken off: expected and received copies are not counted
        at the same moment, and with a low limit the difference of both would be mostly chance.
        """
        share = self.discarded / self.received if self.received > 0 else 0.0
        return self.expected * max(0.0, 1 - share)

    def since(self, before: "Copies") -> "Copies":
        """Return what came since `before`."""
        return Copies(
            expected=self.expected - before.expected,
            received=self.received - before.received,
            discarded=self.discarded - before.discarded,
            answered=self.answered - before.answered,
        )


class Mark(_Frozen):
    """Where the last complete interval ended: everything could be read."""

    time: float
    processes: tuple[str, ...] = ()
    copies: Copies = Copies()
    """Totals when it was last judged whether copies are lost, which may be some intervals ago."""
    lost: bool = False
    """What was found then."""


class LayerRecord(_Frozen):
    """What a layer last said, and since when it says so."""

    healthy: bool
    since: float
    time: float
    message: str = ""


class Decided(_Frozen):
    """The verdict as it was last decided."""

    decision: Decision
    time: float
    """When the decision last changed."""
    rules: str
    soak_too_short: bool = False
    """Whether a Required gate ever needed more time than the soak still took."""


class Ledger(_Frozen):
    """The evidence of one epoch. Times are seconds since the epoch."""

    schema_version: int = LEDGER_SCHEMA
    epoch: str
    """Only snapshots of this epoch are counted."""
    begun: float
    interval: float = 30.0
    """Seconds between two readings."""
    processes: tuple[Process, ...] = ()
    """Sorted by name."""
    closed: Counts = Counts()
    """All processes that are gone for good."""
    closed_names: tuple[str, ...] = ()
    mirrors: dict[str, MirrorCursor] = {}
    """Boot of an Envoy -> cursor."""
    production: tuple[Course, ...] = ()
    """How production ran, whatever the epoch: `core/numbers/series` of intervals."""
    seen_by: str = "envoy"
    """Who told that: `envoy`, or production's own `metrics`."""
    meter: Meter = Meter()
    """Up to where the latter were taken over."""
    guard: GuardRecord = GuardRecord()
    coverage: Coverage = Coverage()
    answers: dict[str, dict[str, int]] = {}
    """Production's answers, in hundredths of those that are copied: key of the mix -> group of
    statuses -> count."""
    sizes: dict[str, dict[str, int]] = {}
    """The same by class of sizes, of those with a whole body."""
    load: Load = Load()
    bursts: Bursts = Bursts()
    failures: Failures = Failures()
    mark: Mark | None = None
    last_copy: float | None = None
    """When copies were last seen to have been sent to the clones."""
    soak: Soak = Soak()
    layers: dict[str, LayerRecord] = {}
    alerts: Alerts = Alerts()
    logs: Logs = Logs()
    learning: Learning = Learning()
    usage: Usage = Usage()
    """What shadow, reference and production use."""
    headroom: Headroom | None = None
    """Room in the cluster before the first copy."""
    mirrored: float = 0.0
    """Seconds of mirroring since the first copy, soak or not; what `maxDurationSeconds` limits."""
    advanced: float | None = None
    """When the ledger was last advanced."""
    first_measurement: float | None = None
    """When comparators were last read before the first copy: what they counted came since."""
    last_measurement: float | None = None
    decided: Decided | None = None
    blocks: tuple[Block, ...] = ()
    """Pairs and differences by interval, the older the coarser."""
    intervals: StoredIntervals = ()
    """What else came by interval; it ends where `blocks` does, record by record."""

    @property
    def totals(self) -> Totals:
        """Totals of now, of which intervals are the differences."""
        return Totals.of(
            (self.closed, *(process.counts for process in self.processes)),
            expected=self.coverage.expected,
            received=self.received,
            answered=self.answered,
        )

    @property
    def counts(self) -> Counts:
        """All counts of the epoch."""
        return merged([self.closed, *(process.counts for process in self.processes)])

    @property
    def timing(self) -> Timing:
        """All latencies of the epoch."""
        parts = (self.closed, *(process.counts for process in self.processes))
        return reduce(Timing.plus, (part.timing for part in parts), Timing())

    @property
    def everywhere(self) -> int:
        """Pairs that went to every clone: of unsafe methods."""
        parts = (self.closed, *(process.counts for process in self.processes))
        routes = (route for part in parts for route in part.routes)
        return sum(route.pairs for route in routes if route.method not in SAFE_METHODS)

    @property
    def received(self) -> int:
        """Eligible copies that arrived since intervals are counted."""
        eligible = self.closed.eligible + sum(p.counts.eligible for p in self.processes)
        return eligible - self.coverage.received_before

    @property
    def answered(self) -> int:
        """Eligible copies that were sent to the clones."""
        return self.closed.answered + sum(p.counts.answered for p in self.processes)

    @property
    def copies(self) -> Copies:
        """Totals of now."""
        parts = (self.closed, *(process.counts for process in self.processes))
        return Copies(
            expected=self.coverage.expected,
            received=self.received,
            discarded=sum(part.shed.get(reason, 0) for part in parts for reason in DISCARDED),
            answered=self.answered,
        )


def begin(epoch: str, *, now: float, interval: float, previous: Ledger | None = None) -> Ledger:
    """Open an empty ledger; what is known of production and its Envoys is taken over."""
    empty = Ledger(epoch=epoch, begun=now, interval=interval)
    if previous is None:
        return empty
    return empty.model_copy(
        update={
            "mirrors": previous.mirrors,
            "production": previous.production,
            "seen_by": previous.seen_by,
            "meter": previous.meter,
            "guard": previous.guard.model_copy(update={"watched": 0}),
        }
    )


def process_of(pod: str, snapshot: ComparatorSnapshot) -> Process:
    """Take over a snapshot that the pod of this name gave."""
    return Process(
        pod=pod,
        pod_uid=snapshot.pod_uid,
        boot_id=snapshot.boot_id,
        started_time=snapshot.started_time,
        time=snapshot.time,
        counts=counts_of(snapshot),
    )


def close(ledger: Ledger, gone: Iterable[Process]) -> Ledger:
    """Fold processes that will not be read again into the closed total."""
    gone = list(gone)
    if not gone:
        return ledger
    names = (*ledger.closed_names, *(process.name for process in gone))
    return ledger.model_copy(
        update={
            "processes": tuple(p for p in ledger.processes if p not in gone),
            "closed": merged([ledger.closed, *(process.counts for process in gone)]),
            "closed_names": names[-REMEMBERED_PROCESSES:],
        }
    )


def encode(ledger: Ledger) -> dict[str, str]:
    """Give the data of the ConfigMap: the ledger compressed, and a few fields for people.

    Never more than `LARGEST_BYTES`: where it would be, the least frequent signatures are folded
    (`tightened` in `core/counting/counts`).
    """
    data = _encoded(ledger)
    return data if size(data) <= LARGEST_BYTES else _encoded(fit(ledger))


def decode(data: Mapping[str, str]) -> Ledger | None:
    """Read the ledger back; None where there is none; raise UnreadableLedger where it is broken."""
    text = data.get(LEDGER_KEY)
    if text is None:
        return None
    try:
        ledger = Ledger.model_validate_json(zlib.decompress(base64.b64decode(text)))
    except (ValidationError, zlib.error, binascii.Error) as error:
        raise UnreadableLedger(
            "The stored evidence can't be read; delete the evidence ConfigMap to begin a new epoch."
        ) from error
    if ledger.schema_version != LEDGER_SCHEMA:
        raise UnreadableLedger(
            f"The stored evidence has schema {ledger.schema_version}, this operator reads "
            f"{LEDGER_SCHEMA}; run the version that wrote it, or delete the evidence ConfigMap."
        )
    return ledger


def _encoded(ledger: Ledger) -> dict[str, str]:
    packed = zlib.compress(ledger.model_dump_json(exclude_defaults=True).encode())
    parts = (ledger.closed, *(process.counts for process in ledger.processes))
    return {
        LEDGER_KEY: base64.b64encode(packed).decode(),
        "schema": str(LEDGER_SCHEMA),
        "epoch": ledger.epoch,
        "pairs": str(sum(route.pairs for part in parts for route in part.routes)),
        "soakSeconds": str(int(ledger.soak.counted)),
    }


def size(data: Mapping[str, str]) -> int:
    """Return the bytes that keys and values take."""
    return sum(len(key) + len(value) for key, value in data.items())


_ROOM: Final = (
    *((signatures, 200) for signatures in (256, 64, 16, 4, 1)),
    *((1, routes) for routes in (100, 40, 15, 5, 1)),
)
"""Signatures that a route, and routes that a process, may keep: from generous to tight."""


def fit(ledger: Ledger) -> Ledger:
    """Fold what is least frequent until the ledger can be stored; itself where it can."""
    if size(_encoded(ledger)) <= LARGEST_BYTES:
        return ledger
    # The room that fits is found by bisection: storing a flood is not cheap.
    loose, tight = 0, len(_ROOM)
    while loose < tight:
        middle = (loose + tight) // 2
        if size(_encoded(_shrunk(ledger, *_ROOM[middle]))) <= LARGEST_BYTES:
            tight = middle
        else:
            loose = middle + 1
    if tight < len(_ROOM):
        return _shrunk(ledger, *_ROOM[tight])
    small = _one_process(_shrunk(ledger, *_ROOM[-1]))  # a flood of processes is left
    return small if size(_encoded(small)) <= LARGEST_BYTES else _without_mix(small)


def _shrunk(ledger: Ledger, signatures: int, routes: int) -> Ledger:
    processes = (
        p.model_copy(update={"counts": tightened(p.counts, signatures, routes)})
        for p in ledger.processes
    )
    closed = tightened(ledger.closed, signatures, routes)
    recorded = ledger.production
    if signatures < _ROOM[1][0]:
        recorded = lighter(recorded, LEAST_RECORDS)
    blocks = tuple(
        block.model_copy(update={"differing": folded(block.differing, min(KEPT, signatures // 16))})
        for block in ledger.blocks
    )
    return ledger.model_copy(
        update={
            "closed": closed,
            "processes": tuple(processes),
            "production": recorded,
            "blocks": blocks,
            "intervals": tuple(interval.lighter for interval in ledger.intervals),
        }
    )


def _one_process(ledger: Ledger) -> Ledger:
    newest = max(ledger.processes, key=lambda process: process.time)
    older = [process for process in ledger.processes if process is not newest]
    return close(ledger, older)


def _without_mix(ledger: Ledger) -> Ledger:
    """Forget what production answers; where no cursor is left, nothing is counted twice."""
    forgotten: dict[str, dict[str, int]] = {"statuses": {}, "sizes": {}}
    mirrors = {boot: one.model_copy(update=forgotten) for boot, one in ledger.mirrors.items()}
    update = {"mirrors": mirrors, "answers": {}, "sizes": {}, "meter": Meter()}
    return ledger.model_copy(update=update)
