"""Everything that one reconcile has read, frozen: the only input of `plan`.

Each item is `Found`, `Missing` or `Unknown`. Unknown is never taken for missing: what could not be
read decides nothing and destroys nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from shadow_operator.api.evidence import ComparatorSnapshot

T = TypeVar("T")

Manifest: TypeAlias = Mapping[str, Any]
"""A Kubernetes object as plain data."""


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """It was read, and it is there."""

    value: T


@dataclass(frozen=True, slots=True)
class Missing:
    """It was asked for, and the answer is that it does not exist."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It could not be read."""

    reason: str
    """One clause for people: `timed out after 5 s`, `forbidden: cannot list pods`."""


Item: TypeAlias = Found[T] | Missing | Unknown


def found(item: Item[T]) -> T | None:
    """Return the value where there is one; None stands for both missing and unknown."""
    return item.value if isinstance(item, Found) else None


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """A child by kind and name, in the resource's namespace."""

    api_version: str
    kind: str
    name: str

    @classmethod
    def of(cls, manifest: Manifest) -> "ObjectRef":
        """Return the reference of a manifest."""
        return cls(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])


@dataclass(frozen=True, slots=True)
class Amount:
    """CPU in millicores and memory in bytes: used, asked for or allowed."""

    cpu: int = 0
    memory: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        """Add up."""
        return Amount(self.cpu + other.cpu, self.memory + other.memory)

    def __sub__(self, other: "Amount") -> "Amount":
        """Take off; never below nothing."""
        return Amount(max(0, self.cpu - other.cpu), max(0, self.memory - other.memory))

    def __mul__(self, times: int) -> "Amount":
        """Give so many times as much."""
        return Amount(self.cpu * times, self.memory * times)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a container asks for, and what it may use; 0 where nothing is said."""

    requests: Amount = Amount()
    limits: Amount = Amount()


@dataclass(frozen=True, slots=True)
class PodUsage:
    """One sample of the metrics API (`metrics.k8s.io/v1beta1`, `PodMetrics`)."""

    time: float
    """End of the window that was measured, in seconds since the epoch."""
    containers: Mapping[str, Amount]

    @property
    def total(self) -> Amount:
        """Sum over its containers."""
        return sum(self.containers.values(), Amount())


@dataclass(frozen=True, slots=True)
class Node:
    """A node that takes pods: ready, schedulable, without a taint that keeps pods away."""

    name: str
    allocatable: Amount


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the network cards of a node carried of late, and can carry, in bytes a second."""

    received: float
    sent: float
    speed: float
    """In each direction, as the cards say."""


@dataclass(frozen=True, slots=True)
class RoomReading:
    """What tells how much room there is."""

    nodes: Item[tuple[Node, ...]]
    usage: Item[Mapping[str, Amount]]
    """Node name -> what runs on it uses (`NodeMetrics`)."""
    quotas: Item[tuple[Manifest, ...]]
    """The namespace's ResourceQuotas."""
    autoscalers: Item[tuple[Manifest, ...]] = Missing()
    """The namespace's HorizontalPodAutoscalers."""
    network: Item[Mapping[str, Traffic]] = Missing()
    """Node name -> its network; missing where no Prometheus is configured."""


@dataclass(frozen=True, slots=True)
class Pod:
    """The few facts of a pod that decisions need."""

    name: str
    uid: str
    role: str
    """`production`, or the value of the label `hal9.ai/role`."""
    ip: str = ""
    """Empty before it has one, and when the pod is gone: failed, ended, or on a lost node."""
    ready: bool = False
    terminating: bool = False
    ends_by: float | None = None
    """When it is killed if it has not ended, in seconds since the epoch; None: it is to go on."""
    image_id: str = ""
    """Digest of the container that serves; empty until it runs."""
    container_id: str = ""
    """Of all its containers: changes when one restarts."""
    restarts: int = 0
    last_termination: str = ""
    """Reason of the last termination, such as `OOMKilled` or `Error`."""
    waiting: str = ""
    """Why it does not run: `CrashLoopBackOff`, `ImagePullBackOff: ...`, or why it is not
    scheduled."""
    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    """Container name -> its requests and limits."""

    @property
    def requests(self) -> Amount:
        """What all its containers ask for."""
        return sum((one.requests for one in self.bounds.values()), Amount())


@dataclass(frozen=True, slots=True)
class MirrorReading:
    """Counters of one pod's Envoys in sum, cumulative since the last of them started."""

    pod: str
    boot: str
    """Pod uid and container ids: new with every start of a process."""
    requests: int
    """All production requests that it forwarded."""
    eligible: int
    """Of these, the ones that the mirror rule matches, whatever the percentage."""
    copies: int
    """Copies that it sent to comparators."""
    copies_failed: int
    active: int
    """Production requests and connections in progress."""
    percent: int | None
    """Mirror percentage in force; None where it is not known, or the pod's Envoys differ."""
    statuses: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Production's answers to eligible requests: key of the mix (`core/comparing/mix`) -> group of
    statuses -> count."""
    sizes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Of these, the ones with a whole body: key of the mix -> class of sizes -> count."""
    answered: int = 0
    """Production requests that were answered, by Envoy itself where they could not be sent on."""
    errors: int = 0
    """Of these, the ones with a status of 500 or above."""
    latency: Mapping[int, int] = field(default_factory=dict)
    """How long answers took: bin (`core/numbers/envoy_bins`) -> count. Upgrades, CONNECT, event
    streams and gRPC are not in it."""


@dataclass(frozen=True, slots=True)
class LayerReading:
    """One answer of a layer's status endpoint."""

    name: str
    """As in `spec.layers`."""
    healthy: bool | None
    """None: it could not be asked."""
    message: str
    neurons: int | None = None
    """Active neurons of a pod, mean over pods; None where metrics don't tell."""


@dataclass(frozen=True, slots=True)
class LearningReading:
    """Counters of learning of one process of the shadow, cumulative since it started."""

    boot: str
    """New with every start of the process."""
    cycles: float
    adjustments: float
    gradient: float | None = None
    """Error gradient; None where it does not tell."""


@dataclass(frozen=True, slots=True)
class RequestsReading:
    """What one process of production counted of its requests since it started."""

    boot: str
    """New with every start of the process."""
    requests: int
    errors: int
    """Of these, the ones that it answered with 5xx."""
    buckets: Mapping[float, int] = field(default_factory=dict)
    """Seconds -> answers that took no longer (a histogram of Prometheus)."""
    time: float = 0.0
    """When it had counted so far, in seconds since the epoch."""
    source: str = "metrics"
    """`metrics` of the process itself, or `prometheus`."""


@dataclass(frozen=True, slots=True)
class AlertReading:
    """One alert of the namespace that fires, or did lately."""

    name: str
    severity: str
    """`warning` or `critical`."""
    since: float
    """Since when its condition holds, in seconds since the epoch."""
    about: frozenset[str] = frozenset()
    """Names of the objects that its labels name."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator's installation decides, for all resources."""

    operator_image: str
    """Image of the comparator and of the isolation probe: the operator's own."""
    envoy_image: str
    operator_namespace: str
    operator_labels: Mapping[str, str]
    """Labels of the operator's pods: the network policies let them in."""
    interval_seconds: float = 30.0
    cluster_domain: str = "cluster.local"
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    """Secrets of the resource's namespace by which our own pods pull their images."""
    clone_priority_class: str = ""
    """PriorityClass of shadow and reference; the chart brings one below zero that never preempts.
    Empty: the cluster's default, since a pod can't be told not to preempt without a class."""


@dataclass(frozen=True, slots=True)
class LogReading:
    """Bytes that all pods of each role logged in the last hour."""

    shadow: int
    reference: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was read for one resource, at one moment."""

    body: Manifest
    """The resource as the API server has it."""
    namespace_annotations: Item[Mapping[str, str]]
    settings: Settings
    deployment: Item[Manifest] = Missing()
    """`spec.productionRef.deploymentName`."""
    service: Item[Manifest] = Missing()
    """`spec.productionRef.serviceName`."""
    production_pods: Item[tuple[Pod, ...]] = Missing()
    selecting: Item[tuple[Manifest, ...]] = Missing()
    """Services, PodDisruptionBudgets, NetworkPolicies, ReplicaSets and monitors of the
    namespace that select pods by label."""
    children: Mapping[ObjectRef, Item[Manifest]] = field(default_factory=dict)
    """Every object that we may own, by reference, whoever owns it."""
    pods: Item[tuple[Pod, ...]] = Missing()
    """Pods with our label for this resource, of all roles."""
    comparators: Mapping[str, Item[ComparatorSnapshot]] = field(default_factory=dict)
    """Pod name -> its measurements."""
    mirrors: Mapping[str, Item[MirrorReading]] = field(default_factory=dict)
    """Pod name -> counters of its Envoys."""
    layers: tuple[LayerReading, ...] = ()
    learning: Mapping[str, Item[LearningReading]] = field(default_factory=dict)
    """Pod of the shadow -> what it says of its learning; empty where it shall not learn."""
    requests: Mapping[str, Item[RequestsReading]] = field(default_factory=dict)
    """Pod of production -> what its metrics say of requests; empty where nobody asked."""
    probe: Item[Mapping[str, Any]] = Missing()
    """What the isolation probe reported: `{"target": ..., "reachable": bool, ...}`."""
    probe_reachable_from_here: bool | None = None
    """Whether the operator itself reaches the probe's target; without it, a refusal proves
    nothing."""
    alerts: Item[tuple[AlertReading, ...]] = Missing()
    """Alerts of the namespace; missing where no Prometheus is configured."""
    logs: Item[LogReading | None] = Missing()
    """How much the clones log; missing where no Prometheus is configured."""
    usage: Item[Mapping[str, PodUsage]] = Missing()
    """Pod name -> what it uses, for all pods of the namespace; `Missing` where the cluster has no
    metrics API."""
    room: RoomReading | None = None
    """None where it was not asked for."""
    ledger: Item[Manifest] = Missing()
    """The ConfigMap that holds the evidence."""
