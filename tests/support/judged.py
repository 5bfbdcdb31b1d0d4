"""What a judgement says, for tests that look at a gate, and for people who look at a failure."""

from shadow_operator.api.enums import GateName
from shadow_operator.api.status import Gate
from shadow_operator.core.judging.judgement import Judgement


def gate(judged: Judgement, name: GateName) -> Gate:
    """Give a gate by its name."""
    return next(one for one in judged.gates if one.name is name)


def told(judged: Judgement) -> str:
    """Say how it stands: the verdict, what differs, and every gate."""
    verdict = judged.verdict
    return "\n".join(
        (
            f"{verdict.decision}: {verdict.message}" if verdict else "no verdict",
            *(
                f"{d.route} {d.path} {d.kind} in {d.count}: {d.excused_by or 'counts'}"
                for d in judged.comparison.top_differences
            ),
            *(f"{one.name} {one.result}: {one.message}" for one in judged.gates),
        )
    )
