"""What the operator tells a comparator, and what a comparator has measured.

`ComparatorConfig` is the file that the operator mounts into every comparator pod.
`ComparatorSnapshot` is what `GET /snapshot` answers: cumulative counts since the process started,
so that reading it twice, or late, changes nothing. Neither holds a value of a request or of an
answer.
"""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from shadow_operator.api.enums import PresetName

SNAPSHOT_SCHEMA: Final = 1
"""Version of `ComparatorSnapshot`; an operator counts no snapshot of another version."""

MARKER_HEADER: Final = "x-shadow-copy"
"""Every call to a clone carries this header with the resource's nonce; a marked copy that comes
back is a loop."""

CREDENTIAL_HEADERS: Final = ("authorization", "cookie", "proxy-authorization", "x-api-key")
"""Headers that reach the clones only when `mirror.forwardHeaders` lists them."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110, section 9.2.1."""

UNPROVEN_STATUSES: Final = frozenset({304, 401, 403, 404, 407, 421, 429})
"""With every 5xx: when both sides answer so, the pair proves nothing."""


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class PlaceKind(StrEnum):
    """How two answers differ at one place."""

    STATUS = "status"
    HEADER = "header"
    MISSING = "missing"
    EXTRA = "extra"
    TYPE = "type"
    LENGTH = "length"
    ORDER = "order"
    TEXT = "text"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    IDENTIFIER = "identifier"
    NUMBER = "number"


class Place(_Wire):
    """One differing place of a pair, without any value."""

    path: str
    """`$.items[*].id` in a JSON body, `$` for a whole body, `status`, or `header:<lower-case
    name>`."""
    kind: PlaceKind
    detail: str = ""
    """From a closed vocabulary: `200>500` (status, reference first), `string>number` (type),
    `1e-3` (number: its relative difference is above that, and at most ten times as much, or the
    next of `ComparatorConfig.edges`), `1e4` (timestamp: more than 10,000 seconds apart, and at most
    ten times as much; empty up to ten seconds), `TooLarge` (text and length: why bodies that differ
    were not looked through); else empty."""

    @property
    def unread(self) -> bool:
        """Whether it only says that bodies differ, which were not looked through."""
        return self.kind in {PlaceKind.TEXT, PlaceKind.LENGTH} and bool(self.detail)


class Sample(_Wire):
    """Enough to find one request in one's own logs, and nothing of its content."""

    time: float
    """Seconds since the epoch."""
    request_id: Annotated[str, Field(max_length=64)]
    shadow_pod: str
    reference_pod: str
    shadow_status: int
    reference_status: int
    shadow_bytes: int
    reference_bytes: int


class Signature(_Wire):
    """The set of places where a pair differed, and in how many pairs exactly these differed."""

    places: tuple[Place, ...]
    """Sorted, distinct; places that are counted singly are left out."""
    pairs: int
    first_time: float
    last_time: float
    samples: tuple[Sample, ...] = ()
    """The latest few."""


class Mismatch(_Wire):
    """One pair that differed, as `GET /samples` shows it to a person."""

    method: str
    template: str
    """The route."""
    places: tuple[Place, ...]
    pairs: int
    """Pairs that differed at exactly these places."""
    sample: Sample


class Mismatches(_Wire):
    """The latest pairs that differed, newest first: at most `SAMPLES` of each signature."""

    samples: tuple[Mismatch, ...]
    kept: int
    """How many there are."""


class PlaceCount(_Wire):
    """In how many pairs one place differed."""

    place: Place
    pairs: int


class ControlCounts(_Wire):
    """Triples: the same request to shadow, reference and control, all at once.

    Answers the question how much the *same* version disagrees with itself.
    """

    triples: int = 0
    reference: tuple[PlaceCount, ...] = ()
    """Reference against control, per place."""
    shadow: tuple[PlaceCount, ...] = ()
    """Shadow against reference in these same triples, per place."""
    overflow: int = 0
    """Differing places that found no room in the bounded tables."""


class PathCount(_Wire):
    """How often a JSON path was there; only for paths that ever differed, and bounded."""

    path: str
    reference: int
    """Reference answers with at least one value there (of this route's compared pairs)."""
    shadow: int
    leaves: int
    """Leaf values compared at and below this path, both sides' larger count."""
    pairs: int = 0
    """Compared pairs that `reference` and `shadow` are counted of: those of processes that export
    this path. 0: all of the route."""
    more: int = 0
    """Pairs in which the shadow's number was larger, its array longer, or its text more than twice
    as long."""
    less: int = 0
    """The reverse."""
    within_pods: str = ""
    """How the value that differs behaves within each pod: `constant`, `rising 3 %` (how far the
    growth of both roles is apart), `neither`, or empty while that is not known."""


class Sketch(_Wire):
    """A mergeable histogram (DDSketch, relative accuracy 1 %) of seconds, or of their ratios."""

    count: int = 0
    total: float = 0.0
    largest: float = 0.0
    zero: int = 0
    """How many were too small for a bin: less than 1e-5."""
    bins: dict[int, int] = {}
    """Key of the logarithmic mapping -> count; the bin of key k ends at gamma^k."""


class RouteCounts(_Wire):
    """One route: pairs = matched + hinted_only + sum of signatures + overflow."""

    method: str
    template: str
    """Declared or learned path template such as `/api/v1/neurons/{}`; never a value."""
    pairs: int = 0
    """Compared pairs: both sides answered and the pair proves something."""
    matched: int = 0
    """Pairs that differed nowhere."""
    hinted_only: int = 0
    """Pairs that differed only at places that are counted singly: hinted ones, and those of pairs
    whose signature found no room."""
    signatures: tuple[Signature, ...] = ()
    overflow: int = 0
    """Pairs whose places found no room either: counted as mismatch, never hidden."""
    hinted: tuple[PlaceCount, ...] = ()
    """Hinted places, the order of unordered arrays, and places of pairs whose signature found no
    room, counted singly (of all pairs)."""
    unproven: dict[str, int] = {}
    """`401` -> pairs in which both sides answered with that status, so that nothing is proved."""
    shadow_errors: int = 0
    """Only the shadow failed (refused, reset, broken answer)."""
    reference_errors: int = 0
    both_errors: int = 0
    shadow_timeouts: int = 0
    """Only the shadow exceeded `comparison.timeoutSeconds`."""
    reference_timeouts: int = 0
    both_timeouts: int = 0
    reference_statuses: dict[str, int] = {}
    """Group of statuses (`2xx`, `404`, `core/comparing/mix`) -> answers of the reference, compared
    or not."""
    reference_sizes: dict[str, int] = {}
    """Class of sizes of the body as sent (`300`: from 300 bytes on, `core/comparing/mix`) ->
    answers of the reference that are whole, compared or not."""
    incomparable: dict[str, int] = {}
    """Reason -> pairs of which it is not known whether they differ (a body over the limit on both
    sides, for example)."""
    uniform: ControlCounts = ControlCounts()
    """The uniform control sample."""
    triggered: ControlCounts = ControlCounts()
    """Extra controls asked because the pair differed; never mixed with the uniform sample."""
    paths: tuple[PathCount, ...] = ()
    leaves: int = 0
    """All leaf values compared in `pairs`."""
    shadow_latency: Sketch = Sketch()
    """Of compared pairs, as the two below; without answers of pods that still warmed up. Without a
    reference: of all answers."""
    reference_latency: Sketch = Sketch()
    latency_ratio: Sketch = Sketch()
    """How many times as long the shadow took in the same pair."""

    @property
    def name(self) -> str:
        """For people: `GET /api/v1/neurons/{}`."""
        return f"{self.method} {self.template}"


class ComparatorSnapshot(_Wire):
    """Cumulative counts of one comparator process."""

    schema_version: int = SNAPSHOT_SCHEMA
    pod_uid: str
    boot_id: str
    """New with every start of the process."""
    epoch: str
    """The epoch that this process was started for."""
    config_version: str
    started_time: float
    time: float
    """When this snapshot was taken, seconds since the epoch."""
    received: int
    """Copies that arrived, whatever became of them."""
    eligible: int
    """Of these, the ones that the spec asks to compare (method, path, no upgrade or stream)."""
    skipped: dict[str, int] = {}
    """Reason -> copies that are not eligible (`Method`, `Excluded`, `Upgrade`, `EventStream`,
    `GRPC`, `Loop`, ...)."""
    shed: dict[str, int] = {}
    """Reason -> eligible copies that were not compared (`Overload`, `RateLimit`, `DeadMan`,
    `BodyTooLarge`, `NoShadow`, `NoReference`, ...)."""
    in_flight: int = 0
    credentials: dict[str, int] = {}
    """Credential header name -> eligible copies that carried it while it is not forwarded."""
    shadow_pods: int = 0
    """Distinct shadow addresses in use now."""
    reference_pods: int = 0
    routes: tuple[RouteCounts, ...] = ()
    """At most 200; further routes are counted under the template `{*}`."""

    @property
    def name(self) -> tuple[str, str]:
        """The cursor: which process these counts belong to."""
        return (self.pod_uid, self.boot_id)


class Target(_Wire):
    """Where clones of one role are found."""

    host: str
    """A headless Service name; its A records are the pods."""
    port: Annotated[int, Field(ge=1, le=65535)]


class PathRule(_Wire):
    """A JSON path, in one route or in all."""

    path: str
    route: str | None = None
    """`GET /api/v1/neurons/{}` or `/api/v1/neurons/{}` (all methods); None: every route."""


class PathMatch(_Wire):
    """Which request paths a mirror rule speaks of."""

    value: str
    prefix: bool = True


class ComparatorConfig(_Wire):
    """The comparator's whole configuration; re-read when the mounted file changes."""

    version: str
    """Hash of the content; comes back in the snapshot, so that the operator knows what is in
    force."""
    epoch: str
    resource: str
    """`namespace/name`, for logs."""
    nonce: str
    """Value of `MARKER_HEADER`, one per resource."""
    shadow: Target
    reference: Target | None
    """None with `reference.mode: None`: the shadow is called alone, and only errors and
    latencies are counted."""
    control_percent: Annotated[int, Field(ge=0, le=100)] = 5
    methods: tuple[str, ...] = ("GET", "HEAD")
    include: tuple[PathMatch, ...] = ()
    """Empty: every path."""
    exclude: tuple[PathMatch, ...] = ()
    forward_headers: tuple[str, ...] = ()
    timeout_seconds: Annotated[float, Field(gt=0)] = 10.0
    max_body_bytes: Annotated[int, Field(ge=0)] = 1 << 20
    max_requests_per_second: int | None = None
    """Per comparator pod."""
    sample_percent: Annotated[int, Field(ge=0, le=100)] = 100
    """Percentage of the eligible copies that are compared. 100 where the mirror itself copies
    `samplingPercent` only; a mirror that is not ours copies everything."""
    connection_seconds: Annotated[float, Field(gt=0)] | None = None
    """Age at which a mirror's connection ends with its next answer, so that a Service that no
    longer leads here is obeyed. None: never."""
    routes: tuple[str, ...] = ()
    """Declared templates such as `/api/v1/signal/{id}`, first match wins; others are learned."""
    hints: tuple[PathRule, ...] = ()
    """Known noise and ignored paths: counted singly, left out of signatures."""
    unordered: tuple[PathRule, ...] = ()
    """Arrays that are compared as multisets; their order is counted singly."""
    plant_faults: bool = False
    """A self-test: change one value in one of fifty answers of the shadow before comparing."""
    edges: tuple[str, ...] = ()
    """Edges of numbers' relative differences besides the powers of ten: `2e-2`."""
    marker: str = ""
    """Place that says that learning changed an answer: always named, compared by presence."""
    preset: PresetName = PresetName.NONE
    """Whose names the metrics have besides our own."""
    dead_man_seconds: Annotated[float, Field(gt=0)] = 300.0
    """Not scraped for so long, the comparator discards copies."""
