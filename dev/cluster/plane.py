"""The command line of every program of a cluster, as pure functions of where it runs."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SERVICES = "10.96.0.0/16"
KUBERNETES_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
PODS = "10.244.0.0/16"
NODE_PODS = "10.244.0.0/24"
# RFC 2544: addresses for tests, on no real network.
LINKS = ipaddress.ip_network("198.18.0.0/15")


@dataclass(frozen=True)
class Layout:
    """Where one cluster lives: its folder, its address and port, whether it has a node."""

    name: str
    folder: Path
    has_node: bool
    slot: int
    """Tells the links of clusters on one machine apart, 0 to 99; of no meaning without a node."""
    port: int

    @property
    def address(self) -> str:
        """The node's own address; the loopback where there is no node."""
        return str(LINKS[4 * self.slot + 2]) if self.has_node else "127.0.0.1"

    @property
    def host_address(self) -> str:
        """The machine's end of the link to the node."""
        return str(LINKS[4 * self.slot + 1])

    @property
    def link(self) -> str:
        """The link's network in CIDR notation."""
        return f"{LINKS[4 * self.slot]}/30"

    @property
    def interface(self) -> str:
        """The name of the machine's end of the link (15 characters at most)."""
        return f"shadowdev{self.slot}"

    @property
    def server(self) -> str:
        """The API server's URL, reachable from this machine only."""
        return f"https://{self.address}:{self.port}"

    @property
    def node_name(self) -> str:
        """The name of the Node object."""
        return f"{self.name}-node"

    @property
    def pki(self) -> Path:
        """The folder of keys and certificates."""
        return self.folder / "pki"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "kubeconfig"

    def user(self, component: str) -> Path:
        """Give the kubeconfig of one of the cluster's own programs."""
        return self.folder / f"{component}.kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        """Where this cluster's containerd listens."""
        return self.folder / "containerd.sock"


def cgroup(name: str) -> str:
    """Name the parent of the cgroups of a cluster's pods."""
    return f"shadow-operator-{name}"


def etcd(layout: Layout) -> list[str]:
    """Use sockets, not ports: nothing can collide, and only the folder's owner gets in."""
    return [
        f"--data-dir={layout.folder}/etcd",
        f"--listen-client-urls=unix://{layout.folder}/etcd.sock",
        f"--listen-peer-urls=unix://{layout.folder}/peer.sock",
        # The one member of this etcd never calls itself, so these addresses are only names.
        "--advertise-client-urls=http://localhost:2379",
        "--initial-advertise-peer-urls=http://localhost:2380",
        "--initial-cluster=default=http://localhost:2380",
        # Alone, it need not wait long before it elects itself.
        "--heartbeat-interval=10",
        "--election-timeout=100",
        # Its content is worth nothing after a crash of the machine.
        "--unsafe-no-fsync",
        "--logger=zap",
        "--log-level=warn",
    ]


def kube_apiserver(layout: Layout) -> list[str]:
    """Authorize by RBAC and Node, with the default admission plugins, as a real cluster does."""
    pki = layout.pki
    return [
        f"--etcd-servers=unix://{layout.folder}/etcd.sock",
        f"--bind-address={layout.address}",
        f"--advertise-address={layout.address}",
        f"--endpoint-reconciler-type={'lease' if layout.has_node else 'none'}",
        f"--secure-port={layout.port}",
        f"--service-cluster-ip-range={SERVICES}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--anonymous-auth=false",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/tokens.pub",
        f"--service-account-signing-key-file={pki}/tokens.key",
        f"--kubelet-client-certificate={pki}/kubelet-client.crt",
        f"--kubelet-client-key={pki}/kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP,Hostname",
        f"--requestheader-client-ca-file={pki}/ca.crt",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki}/front-proxy.crt",
        f"--proxy-client-key-file={pki}/front-proxy.key",
        "--profiling=false",
    ]


def kube_controller_manager(layout: Layout) -> list[str]:
    """Run all default controllers; no port, no leader election."""
    return [
        f"--kubeconfig={layout.user('kube-controller-manager')}",
        "--leader-elect=false",
        "--secure-port=0",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={layout.pki}/tokens.key",
        f"--root-ca-file={layout.pki}/ca.crt",
        f"--cluster-signing-cert-file={layout.pki}/ca.crt",
        f"--cluster-signing-key-file={layout.pki}/ca.key",
        "--profiling=false",
    ]


def kube_scheduler(layout: Layout) -> list[str]:
    """Run the default scheduler; no port, no leader election."""
    return [
        f"--kubeconfig={layout.user('kube-scheduler')}",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
    ]


def containerd(layout: Layout) -> list[str]:
    """Run a containerd that shares nothing with one that the machine may run already."""
    return [f"--config={layout.folder}/containerd.toml"]


def kubelet(layout: Layout) -> list[str]:
    """Give the flags that the configuration file has no field for."""
    return [
        f"--config={layout.folder}/kubelet.yaml",
        f"--kubeconfig={layout.user('kubelet')}",
        f"--hostname-override={layout.node_name}",
        f"--node-ip={layout.address}",
        f"--root-dir={layout.folder}/kubelet",
        f"--cert-dir={layout.pki}/kubelet",
    ]


def kube_proxy(layout: Layout) -> list[str]:
    """Give the two that its configuration file does not hold."""
    return [f"--config={layout.folder}/kube-proxy.yaml", f"--hostname-override={layout.node_name}"]


# The user that each program is to the API server: O= is its group, CN= its name.
SUBJECTS: Mapping[str, str] = {
    "kube-controller-manager": "/CN=system:kube-controller-manager",
    "kube-scheduler": "/CN=system:kube-scheduler",
    "kube-proxy": "/CN=system:kube-proxy",
}


def kubelet_subject(layout: Layout) -> str:
    """Name the kubelet after its node: it may only touch what belongs there."""
    return f"/O=system:nodes/CN=system:node:{layout.node_name}"


def server_hosts(layout: Layout) -> list[str]:
    """Give the names by which clients reach the API server."""
    service = "kubernetes.default.svc"
    names = ["localhost", "kubernetes", "kubernetes.default", service, f"{service}.cluster.local"]
    return [*names, KUBERNETES_SERVICE, "127.0.0.1", layout.address]
