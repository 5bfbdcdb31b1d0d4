"""What every object that the operator creates has in common."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from shadow_operator.api.names import API_VERSION, KIND, Role
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core import names
from shadow_operator.core.snapshot import Manifest, Settings

RUN_AS: Final = 65532
"""User and group of our own pods; no user of the image's passwd is needed."""

POD_SECURITY: Final[Mapping[str, Any]] = {
    "runAsNonRoot": True,
    "runAsUser": RUN_AS,
    "runAsGroup": RUN_AS,
    "fsGroup": RUN_AS,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""Pod security context of our own pods (Pod Security Standards, restricted)."""

CONTAINER_SECURITY: Final[Mapping[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""Container security context of our own pods."""


def own_pod(settings: Settings) -> dict[str, Any]:
    """Give what the specs of our own pods have in common."""
    secrets = [{"name": name} for name in settings.image_pull_secrets]
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": dict(POD_SECURITY),
        **({"imagePullSecrets": secrets} if secrets else {}),
    }


NO_INJECTION: Final[Mapping[str, str]] = {
    "sidecar.istio.io/inject": "false",
    "linkerd.io/inject": "disabled",
    "kuma.io/sidecar-injection": "disabled",
    "consul.hashicorp.com/connect-inject": "false",
}
"""Annotations of all our pods: a namespace with injection would otherwise put a proxy into the
clones that finds no control plane behind their network policy, and refuses calls by address."""


def owner_reference(resource: ShadowDeployment) -> dict[str, Any]:
    """Give the reference that makes the garbage collector remove a child with its resource."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": resource.name,
        "uid": resource.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def metadata(resource: ShadowDeployment, role: Role, name: str) -> dict[str, Any]:
    """Give the metadata of a child that goes with its resource."""
    return {
        "name": name,
        "namespace": resource.namespace,
        "labels": names.labels(resource.name, role),
        "ownerReferences": [owner_reference(resource)],
    }


def fingerprint(content: object) -> str:
    """Give 16 hex digits that change with the content (plain data)."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stamped(manifest: Manifest) -> Manifest:
    """Add the annotation `hal9.ai/applied`, by which `drift` knows what was applied last."""
    meta = manifest["metadata"]
    annotations = {
        **meta.get("annotations", {}),
        names.ANNOTATION_APPLIED: fingerprint(manifest),
    }
    return {**manifest, "metadata": {**meta, "annotations": annotations}}


def applied(manifest: Manifest) -> str:
    """Give the stamp that an object carries; empty where it has none."""
    annotations = manifest.get("metadata", {}).get("annotations") or {}
    return str(annotations.get(names.ANNOTATION_APPLIED, ""))
