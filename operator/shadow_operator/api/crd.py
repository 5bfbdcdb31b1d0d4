"""The CustomResourceDefinition, as plain data."""

from typing import Any, Final

from shadow_operator.api.base import VALIDATIONS
from shadow_operator.api.constraints import RULES
from shadow_operator.api.names import GROUP, KIND, PLURAL, SHORT_NAME, SINGULAR, VERSION
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.api.schema import structural
from shadow_operator.api.spec import Spec
from shadow_operator.api.status import Status

COLUMNS: Final = (
    ("Phase", "string", 0, ".status.phase", "Where the machinery is."),
    (
        "Verdict",
        "string",
        0,
        ".status.verdict.decision",
        "ProceedToCanary, ExtendShadow or Investigate; empty until the first pair.",
    ),
    (
        "BlockedBy",
        "string",
        0,
        ".status.summary.blockedBy",
        "What is first in the way of ProceedToCanary, in one word.",
    ),
    (
        "Match",
        "string",
        0,
        ".status.summary.match",
        "Match rate / share of the answers that was judged.",
    ),
    ("Soak", "string", 0, ".status.summary.soak", "Soak elapsed / required."),
    ("Mirror", "string", 0, ".status.summary.mirror", "Sampling in force / asked for."),
    (
        "Ready",
        "string",
        0,
        '.status.conditions[?(@.type=="Ready")].status',
        "Whether the machinery does what spec asks.",
    ),
    ("Age", "date", 0, ".metadata.creationTimestamp", "Age of the resource."),
    ("P50", "string", 1, ".status.summary.p50", "Median latency against the reference's."),
    ("P99", "string", 1, ".status.summary.p99", "99th percentile against the reference's."),
    (
        "Errors",
        "string",
        1,
        ".status.summary.errors",
        "Errors and timeouts in excess of the reference's.",
    ),
    ("Image", "string", 1, ".spec.shadow.image", "Image of the new version."),
    ("Reason", "string", 1, ".status.summary.reason", "Why it stands as it does."),
)
"""Columns of `kubectl get`: name, type, priority (1: only with `-o wide`), path, description."""

_STANDARD: Final = {
    "apiVersion": (
        "Versioned schema of this representation of an object; servers convert between versions."
    ),
    "kind": "Kind of the REST resource that this object represents.",
}


def custom_resource_definition() -> dict[str, Any]:
    """Give the CustomResourceDefinition that `kubectl apply` takes."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": SINGULAR,
                "shortNames": [SHORT_NAME],
                "categories": ["all"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [
                        {
                            "name": name,
                            "type": kind,
                            "priority": priority,
                            "jsonPath": path,
                            "description": description,
                        }
                        for name, kind, priority, path, description in COLUMNS
                    ],
                    "schema": {"openAPIV3Schema": _root_schema()},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


def _root_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "description": " ".join((ShadowDeployment.__doc__ or "").split()),
        "required": ["spec"],
        "properties": {
            **{
                name: {"type": "string", "description": description}
                for name, description in _STANDARD.items()
            },
            "metadata": {"type": "object"},
            "spec": structural(Spec, for_people=True),
            "status": structural(Status, for_people=False),
        },
        VALIDATIONS: [rule.schema() for rule in RULES[ShadowDeployment]],
    }
