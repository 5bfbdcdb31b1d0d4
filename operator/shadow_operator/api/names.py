"""Names that the cluster sees; each is written down here and nowhere else."""

from enum import StrEnum
from typing import Final

GROUP: Final = "hal9.ai"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "ShadowDeployment"
PLURAL: Final = "shadowdeployments"
SINGULAR: Final = "shadowdeployment"
SHORT_NAME: Final = "shd"

LABEL_SHADOW: Final = f"{GROUP}/shadow"
"""On every child: the name of the ShadowDeployment that it belongs to."""

LABEL_ROLE: Final = f"{GROUP}/role"
"""On every child: its `Role`."""

LABEL_EVIDENCE: Final = f"{GROUP}/evidence"
"""On every ConfigMap of recorded evidence: the resource's name. It is not `LABEL_SHADOW`, because
evidence changes in every interval, and nobody should be woken by that."""

LABEL_REPORT: Final = f"{GROUP}/report"
"""On every ConfigMap of a kept report: the resource's name."""

ANNOTATION_STOP: Final = f"{GROUP}/stop"
"""On the resource or its namespace: stops mirroring at once; the value says why."""

FINALIZER: Final = f"{GROUP}/shadow-operator"
FIELD_MANAGER: Final = "shadow-operator"

NAME_MAX_LENGTH: Final = 40
"""Longest name of a ShadowDeployment, so that the names of its children fit a DNS label."""


class Role(StrEnum):
    """What a child is for: the value of the label `hal9.ai/role`, and the end of its name."""

    SHADOW = "shadow"
    """Runs the new version."""
    REFERENCE = "reference"
    """Runs the version that production runs."""
    COMPARATOR = "comparator"
    """Receives copies, asks both, counts the differences."""
    MIRROR = "mirror"
    """The stable entry and its Envoy."""
    PROBE = "probe"
    """Tests whether the cluster enforces NetworkPolicy."""
