"""What a clone may do: who it is, and its rights on the node."""

from typing import Any, Final

from shadow_operator.core.deploying.cloning.draft import Draft, Notes, only


def give_no_identity(draft: Draft) -> Notes:
    """Run as `default` without a token, unless the spec asks for production's account."""
    account = draft.pod.get("serviceAccountName") or "default"
    if draft.resource.spec.clones.service_account_token:
        return
    draft.pod["serviceAccountName"] = "default"
    draft.pod["automountServiceAccountToken"] = False
    if account != "default":
        yield f"service account {account} is left out, with its token and pull secrets"
    for volume in draft.pod.get("volumes") or ():
        sources = (volume.get("projected") or {}).get("sources") or []
        kept = [source for source in sources if "serviceAccountToken" not in source]
        if len(kept) < len(sources):
            volume["projected"]["sources"] = kept
            yield f"the token in volume {volume['name']} is left out"


def give_no_privileges(draft: Draft) -> Notes:
    """Baseline Pod Security Standards always, and restricted ones where production meets them.

    Production's user and what it drops are kept. To drop more would break every image that begins
    as root and changes its user (nginx, httpd), which needs the usual capabilities for that.
    """
    context = draft.pod.get("securityContext") or {}
    sysctls = [s for s in context.get("sysctls") or () if s["name"] in _SAFE_SYSCTLS]
    draft.pod["securityContext"] = {
        **only(context, _POD_SECURITY_FIELDS),
        **({"sysctls": sysctls} if sysctls else {}),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in draft.containers:
        yield from _restrict(container)


def _restrict(container: dict[str, Any]) -> Notes:
    context = container.get("securityContext") or {}
    capabilities = context.get("capabilities") or {}
    added = [c for c in capabilities.get("add") or () if c != "NET_BIND_SERVICE"]
    if context.get("privileged"):
        yield f"privileged of container {container['name']} is left out"
    if added:
        yield f"capabilities {', '.join(added)} of container {container['name']} are left out"
    kept = {
        "drop": capabilities.get("drop") or [],
        "add": [c for c in capabilities.get("add") or () if c not in added],
    }
    container["securityContext"] = {
        **only(context, _CONTAINER_SECURITY_FIELDS),
        **({"capabilities": some} if (some := {k: v for k, v in kept.items() if v}) else {}),
        "allowPrivilegeEscalation": False,
    }


_POD_SECURITY_FIELDS: Final = frozenset(
    {
        "fsGroup",
        "fsGroupChangePolicy",
        "runAsGroup",
        "runAsNonRoot",
        "runAsUser",
        "supplementalGroups",
        "supplementalGroupsPolicy",
    }
)
_CONTAINER_SECURITY_FIELDS: Final = frozenset(
    {"readOnlyRootFilesystem", "runAsGroup", "runAsNonRoot", "runAsUser"}
)
_SAFE_SYSCTLS: Final = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_syncookies",
    }
)
"""Those that Pod Security Standards allow everybody."""
