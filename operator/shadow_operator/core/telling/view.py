"""Everything that status is composed from, in one place."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from shadow_operator.api.enums import AfterVerdict, GateName, RequestedPhase
from shadow_operator.api.reasons import ConditionStatus, ConditionType, Reason
from shadow_operator.api.status import Gate, Status
from shadow_operator.core.judging.judgement import Judgement, Ledger
from shadow_operator.core.planning.acceptance import Refusal
from shadow_operator.core.planning.situation import Situation
from shadow_operator.core.planning.steps import Steps
from shadow_operator.core.recording import headroom
from shadow_operator.core.recording.baseline import Baseline
from shadow_operator.core.recording.guard import GuardRecord
from shadow_operator.core.recording.progress import Progress
from shadow_operator.core.snapshot import Found


@dataclass(frozen=True, slots=True)
class View:
    """One reconcile, as status sees it."""

    situation: Situation
    refused: Refusal | None
    steps: Steps
    judgement: Judgement | None
    """What the evidence says; None before there is any."""
    progress: Progress
    """What is remembered from now on."""
    problem: str = ""
    """What is wrong with the stored evidence."""
    last_measurement: float | None = None
    """When comparators were last read, in seconds since the epoch."""
    ledger: Ledger | None = None
    """The evidence, as it is from now on."""
    baseline: Baseline = field(default_factory=Baseline)
    """How production runs while nothing is shadowed."""

    @property
    def guard(self) -> GuardRecord:
        """What the production guard makes of it."""
        return self.ledger.guard if self.ledger else self.situation.guard

    @property
    def now(self) -> float:
        """The moment, in seconds since the epoch."""
        return self.situation.now

    @property
    def before(self) -> Status:
        """The status that was written last."""
        return self.situation.resource.status

    @property
    def was_available(self) -> bool:
        """Whether the workloads of this epoch were all available before."""
        condition = self.before.condition(ConditionType.SHADOW_AVAILABLE)
        if condition is None or self.progress.epoch != self.situation.progress.epoch:
            return False
        return condition.status is ConditionStatus.TRUE or condition.reason == Reason.UNAVAILABLE

    @property
    def blocked(self) -> bool:
        """Whether the answer of the isolation probe keeps the clones from starting."""
        state = self.steps.isolation
        demand = self.situation.spec.clones.isolation
        return state is not None and state.tested and not state.allows(demand)

    @property
    def over(self) -> bool:
        """Whether the run has come to its end, so that nothing is copied any more."""
        situation = self.situation
        return situation.finished and situation.spec.after_verdict is not AfterVerdict.KEEP

    @property
    def paused(self) -> bool:
        """Whether a person, or the production guard, keeps off copies that would be made."""
        situation = self.situation
        stopped = situation.stop is not None or situation.spec.suspend
        stopped = stopped or self.guard.holds(situation.spec)
        return situation.wants_clones and stopped and not self.over

    @property
    def unattached(self) -> bool:
        """Whether Envoy waits for its first request."""
        situation, steps = self.situation, self.steps
        ready = not steps.waiting or steps.recording
        waits = situation.through_envoy and situation.wants_copies and ready
        return waits and self.entry_requests == 0 and situation.spec.sampling_percent > 0

    @property
    def in_force(self) -> int | None:
        """Percentage that is copied now; None where no Envoy can say it.

        An Envoy that answered takes what it is told before status is written; one that did not goes
        on as it did when it was last known.
        """
        situation, told = self.situation, self.steps.percent
        if not situation.through_envoy:
            return told
        answered = any(isinstance(item, Found) for _, item in situation.readings)
        all_known = situation.active is not None
        if answered and (told or all_known):
            return told
        mirror = self.before.mirror
        was_off = mirror.effective_percent == 0 if mirror else not situation.progress.mirroring
        return 0 if all_known or was_off else None

    @property
    def gates(self) -> Iterable[Gate]:
        """All gates, judged."""
        return self.judgement.gates if self.judgement else ()

    def gate(self, name: GateName) -> Gate | None:
        """Give a gate by name."""
        return next((gate for gate in self.gates if gate.name is name), None)

    @property
    def idle(self) -> bool:
        """Whether nothing is asked for, so that what is seen of production is its baseline."""
        return self.situation.spec.phase is RequestedPhase.NONE

    @property
    def headroom(self) -> Gate | None:
        """How much room there is: as it is now, or as it was before the first copy."""
        if not self.idle:
            return self.gate(GateName.HEADROOM)
        return headroom.judge(
            self.situation.spec.gates.headroom, self.baseline.headroom, copied=False
        )

    @property
    def entry_requests(self) -> int | None:
        """Production requests that came through the Envoys of now; None: none could be asked."""
        known = [item.value for _, item in self.situation.readings if isinstance(item, Found)]
        return sum(reading.requests for reading in known) if known else None
