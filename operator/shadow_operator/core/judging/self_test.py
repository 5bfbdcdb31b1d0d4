"""The judge on trial: production's own version as the shadow, unchanged or with planted faults.

Whoever is to trust a verdict about a new version can first see, on the same service and the same
traffic, that no difference is found where there is none, and that one is found where there is one.
"""

from dataclasses import replace
from typing import Final

from shadow_operator.api.enums import Approval, Decision, GateName, Learning, PresetName, SelfTest
from shadow_operator.api.reasons import VerdictReason
from shadow_operator.api.spec import Spec
from shadow_operator.core.commands import Commands
from shadow_operator.core.judging.case import Case
from shadow_operator.core.judging.verdict import Choice
from shadow_operator.core.wording import count

CATCHING: Final = frozenset({GateName.CRITICAL_DIFFERENCES, GateName.MATCH_RATE, GateName.ROUTES})
"""Gates that a wrong value has to fail."""
BLOCKED: Final = "self-test"


def spec_of(spec: Spec) -> Spec:
    """Give the spec that is acted on.

    In a self-test the shadow is a second reference: no environment, resources, layers or learning
    of the new version, and nothing to approve. The preset's routes stay, since they are the
    service's.
    """
    if spec.self_test is SelfTest.DISABLED:
        return spec
    routes = spec.comparison.model_copy(update={"routes": spec.effective_routes})
    return spec.model_copy(
        update={
            "shadow": spec.shadow.model_copy(update={"env": (), "resources": None}),
            "layers": (),
            "preset": PresetName.NONE,
            "learning": Learning.DISABLED,
            "comparison": routes,
            "approval": Approval.NOT_REQUIRED,
        }
    )


def choose(case: Case, choice: Choice, commands: Commands) -> Choice:
    """Turn what was decided about the shadow into what it says about the judge.

    The verdict is never `ProceedToCanary`: nothing new was tested.
    """
    kind = case.spec.self_test
    if kind is SelfTest.DISABLED:
        return choice
    if kind is SelfTest.UNCHANGED:
        passed = choice.decision is Decision.PROCEED_TO_CANARY
        failed = choice.decision is Decision.INVESTIGATE
    else:
        passed = choice.decision is Decision.INVESTIGATE and choice.blocked_by in CATCHING
        failed = not passed and choice.decision is not Decision.EXTEND_SHADOW
    if passed:
        return _passed(case, choice, commands)
    return _failed(case, choice) if failed else choice


def _passed(case: Case, choice: Choice, commands: Commands) -> Choice:
    unchanged = case.spec.self_test is SelfTest.UNCHANGED
    found = "nothing counts as a difference" if unchanged else "the planted fault was caught"
    following = SelfTest.PLANTED_FAULT if unchanged else SelfTest.DISABLED
    return replace(
        choice,
        decision=Decision.EXTEND_SHADOW,
        reason=VerdictReason.SELF_TEST_PASSED,
        message=f"Self-test passed, {found}. {choice.message}",
        next_step=commands.patch({"selfTest": following.value}),
        blocked_by=BLOCKED,
        final=True,
    )


def _failed(case: Case, choice: Choice) -> Choice:
    missed = f"no planted fault was caught in {count(case.tally.compared)} pairs"
    unchanged = case.spec.self_test is SelfTest.UNCHANGED
    found = "the same version does not pass" if unchanged else missed
    return replace(
        choice,
        decision=Decision.INVESTIGATE,
        reason=VerdictReason.SELF_TEST_FAILED,
        message=f"Self-test failed, {found}. {choice.message}",
        blocked_by=choice.blocked_by or BLOCKED,
    )
