"""Errors of this room.

ShadowOperatorError
└── InvalidSpec    a resource that this version cannot act on; its sentences are for the user
"""


class ShadowOperatorError(Exception):
    """Root of every error that the operator raises on purpose."""


class InvalidSpec(ShadowOperatorError):  # noqa: N818  # it is a fact about the user's resource
    """The spec does not hold what it must; `problems` has one sentence for each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems
