"""Errors of this room, in the one tree whose root is `ShadowOperatorError` (`api/errors`).

ShadowOperatorError
├── CannotClone    production's workload can't be cloned as the spec asks; the sentence is for users
└── CannotMirror   Envoy can't stand in front of production's Service; the sentence is for users
"""

from shadow_operator.api.errors import ShadowOperatorError


class CannotClone(ShadowOperatorError):  # noqa: N818  # it is a fact about production and spec
    """The message is one sentence or two: what is in the way and what to change."""


class CannotMirror(ShadowOperatorError):  # noqa: N818  # it is a fact about production and spec
    """The message is one sentence: what is in the way and what to do instead."""
