"""Where a clone runs, how it looks from outside, and what it inherits of production's pod."""

from typing import Final

from shadow_operator.api.names import GROUP
from shadow_operator.core.deploying import objects
from shadow_operator.core.deploying.cloning.draft import Draft, Notes, set_or_drop, unique
from shadow_operator.core.deploying.selectors import matches
from shadow_operator.core.errors import CannotClone
from shadow_operator.core.snapshot import Manifest


def copy_known_pod_fields(draft: Draft) -> Notes:
    """Copy what is known to be harmless; host access, priority, names and claims are not."""
    if (draft.pod.get("os") or {}).get("name") == "windows":
        raise CannotClone("Production runs on Windows nodes; only Linux pods can be cloned.")
    for field in sorted(draft.pod.keys() - _POD_FIELDS):
        if (value := draft.pod.pop(field)) and field in _POD_FIELDS_MISSED:
            yield f"{field} is left out" if value is not True else f"{field}: true is left out"
    if draft.pod.get("dnsPolicy") == "ClusterFirstWithHostNet":
        draft.pod["dnsPolicy"] = "ClusterFirst"
    if host_aliases := draft.pod.get("hostAliases"):
        draft.pod["hostAliases"] = unique(host_aliases, "ip")
    if pull_secrets := draft.pod.get("imagePullSecrets"):
        draft.pod["imagePullSecrets"] = unique(pull_secrets, "name")


_POD_FIELDS: Final = frozenset(
    {
        "affinity",
        "automountServiceAccountToken",
        "containers",
        "dnsConfig",
        "dnsPolicy",
        "enableServiceLinks",
        "hostAliases",
        "hostUsers",
        "imagePullSecrets",
        "initContainers",
        "nodeSelector",
        "os",
        "resources",
        "restartPolicy",
        "runtimeClassName",
        "schedulerName",
        "securityContext",
        "serviceAccountName",
        "shareProcessNamespace",
        "terminationGracePeriodSeconds",
        "tolerations",
        "topologySpreadConstraints",
        "volumes",
    }
)
_POD_FIELDS_MISSED: Final = frozenset(
    {
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "hostname",
        "priorityClassName",
        "readinessGates",
        "resourceClaims",
        "schedulingGates",
        "setHostnameAsFQDN",
        "subdomain",
    }
)
"""Fields that are left out and whose absence a person may want to know of."""


def carry_only_harmless_annotations(draft: Draft) -> Notes:
    """Keep no scrape, injection or reload annotation; production's labels go with its template."""
    kept = {
        key: value for key, value in draft.annotations.items() if key.startswith(_KEPT_ANNOTATIONS)
    }
    if restarted := draft.annotations.get("kubectl.kubernetes.io/restartedAt"):
        kept[f"{GROUP}/production-restarted-at"] = restarted
    draft.annotations = {**kept, **objects.NO_INJECTION}
    return ()


_KEPT_ANNOTATIONS: Final = ("checksum/",)


def schedule_apart_from_production(draft: Draft) -> Notes:
    """Drop terms about production's pods: a required one would keep production's from starting."""
    affinity = draft.pod.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(kind) or {}
        for strength in (_REQUIRED, _PREFERRED):
            before = terms.get(strength) or []
            kept = [term for term in before if not _about_production(draft, term)]
            set_or_drop(terms, strength, kept)
            if len(kept) < len(before):
                yield f"{kind} to production's pods is left out"
        set_or_drop(affinity, kind, terms)
    set_or_drop(draft.pod, "affinity", affinity)
    before = draft.pod.get("topologySpreadConstraints") or []
    kept = [c for c in before if not matches(c.get("labelSelector"), draft.production_labels)]
    set_or_drop(draft.pod, "topologySpreadConstraints", kept)
    if len(kept) < len(before):
        yield "topologySpreadConstraints over production's pods are left out"


_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


def _about_production(draft: Draft, term: Manifest) -> bool:
    """Whether the term may match production's pods; a namespaceSelector is taken to match."""
    term = term.get("podAffinityTerm", term)
    namespaces = term.get("namespaces") or ()
    elsewhere = (
        bool(namespaces)
        and draft.resource.namespace not in namespaces
        and "namespaceSelector" not in term
    )
    return not elsewhere and matches(term.get("labelSelector"), draft.production_labels)


def yield_to_everybody(draft: Draft) -> Notes:
    if draft.settings.clone_priority_class:
        draft.pod["priorityClassName"] = draft.settings.clone_priority_class
    return ()
