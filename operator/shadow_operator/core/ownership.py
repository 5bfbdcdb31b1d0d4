"""Whose an object is: a child without our owner reference is a stranger's and never touched."""

from shadow_operator.api.names import KIND, LABEL_SHADOW, Role
from shadow_operator.api.resource import ShadowDeployment
from shadow_operator.core import names
from shadow_operator.core.snapshot import Manifest


def stranger(resource: ShadowDeployment, manifest: Manifest) -> bool:
    """Whether this object, which has a child's name, belongs to somebody else."""
    if is_entry(resource.name, manifest):
        return (manifest["metadata"].get("labels") or {}).get(LABEL_SHADOW) != resource.name
    owners = manifest["metadata"].get("ownerReferences") or ()
    return all(owner.get("uid") != resource.metadata.uid for owner in owners)


def earlier(resource: ShadowDeployment, manifest: Manifest) -> bool:
    """Whether this belonged to an earlier resource of the same name, and will be collected."""
    owners = manifest["metadata"].get("ownerReferences") or ()
    return stranger(resource, manifest) and any(
        (owner.get("kind"), owner.get("name")) == (KIND, resource.name) for owner in owners
    )


def is_entry(name: str, manifest: Manifest) -> bool:
    """Whether this is the stable entry, which has no owner, so that it outlives the resource."""
    return bool(
        manifest["kind"] == "Service"
        and manifest["metadata"]["name"] == names.child(name, Role.MIRROR)
    )
