"""Names and labels of everything that the operator creates for one resource.

A resource's name is a DNS label of at most 40 characters that begins with a letter (the CRD holds
that), so every name here is a valid name of a Service.
"""

from typing import Final

from shadow_operator.api.names import GROUP, LABEL_ROLE, LABEL_SHADOW, Role
from shadow_operator.core.snapshot import ObjectRef

LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "shadow-operator"

ANNOTATION_APPLIED: Final = f"{GROUP}/applied"
"""On every child: hash of the manifest as it was last applied, this annotation left out."""

ANNOTATION_TOGETHER: Final = f"{GROUP}/together"
"""On the pods of shadow and reference: hash of what both are made of. Where one role's pods begin
anew the other's do, too: what they keep in memory must be as old in both."""

COPIES_PORT: Final = 8080
"""Where a comparator receives copies."""

ADMIN_PORT: Final = 9090
"""Where a comparator answers for its health, measurements and metrics."""


def child(name: str, role: Role) -> str:
    """Give the name of the main objects of a role: `hal9-shadow`."""
    return f"{name}-{role}"


def pods_service(name: str, role: Role) -> str:
    """Give the name of the headless Service whose A records are the ready pods of a role."""
    return f"{child(name, role)}-pods"


def clones_policy(name: str) -> str:
    """Give the name of the NetworkPolicy of shadow, reference and isolation probe."""
    return f"{name}-clones"


def selector(name: str, role: Role) -> dict[str, str]:
    """Give the labels that select the pods of a role; they never change."""
    return {LABEL_SHADOW: name, LABEL_ROLE: str(role)}


def labels(name: str, role: Role) -> dict[str, str]:
    """Give all labels of a child, and of the pods that it makes."""
    return {**selector(name, role), LABEL_MANAGED_BY: MANAGED_BY}


def references(name: str) -> tuple[ObjectRef, ...]:
    """Give every object that `children` may create for a resource, whether it exists or not."""
    services = (
        function(name, role)
        for role in (Role.SHADOW, Role.REFERENCE)
        for function in (child, pods_service)
    )
    comparator = child(name, Role.COMPARATOR)
    return (
        *(
            ObjectRef("apps/v1", "Deployment", child(name, role))
            for role in (Role.SHADOW, Role.REFERENCE, Role.COMPARATOR)
        ),
        *(ObjectRef("v1", "Service", service) for service in (*services, comparator)),
        ObjectRef("v1", "ConfigMap", comparator),
        ObjectRef("policy/v1", "PodDisruptionBudget", comparator),
        ObjectRef("networking.k8s.io/v1", "NetworkPolicy", comparator),
        ObjectRef("networking.k8s.io/v1", "NetworkPolicy", clones_policy(name)),
        ObjectRef("v1", "Pod", child(name, Role.PROBE)),
    )
