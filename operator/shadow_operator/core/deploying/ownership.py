"""Whose an object is; a stranger's is never touched.

What goes with its resource has our owner reference. What stands in production's path has none
(`entry.metadata`) and is known by our label or the resource's uid: what an earlier resource of the
same name left behind is taken over.
"""

from shadow_operator.api.names import KIND, LABEL_SHADOW
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core.deploying import entry, mirror
from shadow_operator.core.snapshot import Manifest, ObjectRef


def stranger(resource: ShadowDeployment, manifest: Manifest) -> bool:
    """Whether this object, which has a child's name, belongs to somebody else."""
    if _is_in_productions_path(resource.name, manifest):
        return not _is_marked(resource, manifest["metadata"])
    owners = manifest["metadata"].get("ownerReferences") or ()
    return all(owner.get("uid") != resource.metadata.uid for owner in owners)


def earlier(resource: ShadowDeployment, manifest: Manifest) -> bool:
    """Whether this belonged to an earlier resource of the same name, and will be collected."""
    owners = manifest["metadata"].get("ownerReferences") or ()
    return stranger(resource, manifest) and any(
        (owner.get("kind"), owner.get("name")) == (KIND, resource.name) for owner in owners
    )


def _is_marked(resource: ShadowDeployment, metadata: Manifest) -> bool:
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    return (
        labels.get(LABEL_SHADOW) == resource.name
        or annotations.get(entry.ANNOTATION_UID) == resource.metadata.uid
    )


def _is_in_productions_path(name: str, manifest: Manifest) -> bool:
    return ObjectRef.of(manifest) in (entry.reference(name), *mirror.references(name))
