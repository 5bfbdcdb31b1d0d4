"""What turns a control plane into a node that runs pods: containerd, kubelet, kube-proxy, DNS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from dev.cluster import images, namespace, packages, plane
from dev.cluster.base import ClusterError, Progress, run
from dev.cluster.programs import tool
from dev.cluster.running import ensure_running, wait_while_alive

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence

    from dev.cluster.plane import Layout
    from dev.cluster.processes import Process
    from dev.cluster.state import State

MANIFESTS = Path(__file__).parent / "manifests"
# Programs that run in the cluster, each an image of nothing but itself: (tag, program).
SYSTEM_IMAGES = {
    "pause": "localhost/pause:dev",
    "coredns": "localhost/coredns:dev",
    "metrics-server": "localhost/metrics-server:dev",
}


def start(state: State, binaries: Mapping[str, Path], progress: Progress) -> None:
    """Start what is missing of the node and wait until it takes pods and resolves names."""
    layout, holder = state.layout, state.processes[namespace.HOLDER]
    archives = [
        images.program_image(tag, binaries[name], progress) for name, tag in SYSTEM_IMAGES.items()
    ]
    _write_configuration(layout)
    runtime = packages.find("containerd")
    ensure_running(state, "containerd", [runtime, *plane.containerd(layout)])
    wait_while_alive(
        state,
        "an answer of containerd",
        lambda: _ctr(layout, holder, "version", check=False).returncode == 0,
    )
    for archive in archives:
        load_image(layout, holder, archive)
    for name, arguments in (
        ("kube-scheduler", plane.kube_scheduler(layout)),
        ("kubelet", plane.kubelet(layout)),
        ("kube-proxy", plane.kube_proxy(layout)),
    ):
        ensure_running(state, name, [str(binaries[name]), *arguments])
    _install_addons(state, progress)


def load_image(layout: Layout, holder: Process, archive: Path) -> None:
    """Import an OCI archive where the kubelet looks for images."""
    _ctr(layout, holder, "images", "import", str(archive.absolute()))


def container_pids(
    layout: Layout, holder: Process, namespace_: str, pod: str, container: str
) -> list[int]:
    """Give the ids, inside the cluster, of every process of a running container."""
    wanted = {"pod.namespace": namespace_, "pod.name": pod, "container.name": container}
    query = ",".join(f'labels."io.kubernetes.{key}"=={value}' for key, value in wanted.items())
    for identifier in _ctr(layout, holder, "containers", "list", "-q", query).stdout.split():
        listed = _ctr(layout, holder, "tasks", "ps", identifier, check=False)
        if listed.returncode == 0:
            return [int(line.split()[0]) for line in listed.stdout.splitlines()[1:]]
    raise ClusterError(f"no running container {namespace_}/{pod}/{container}")


def _ctr(
    layout: Layout, holder: Process, *words: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    command = [packages.find("ctr"), "--address", str(layout.containerd_socket), "-n", "k8s.io"]
    return run([*namespace.enter(holder), *command, *words], check=check, timeout=300)


def _write_configuration(layout: Layout) -> None:
    folder = layout.folder
    (folder / "cni").mkdir(exist_ok=True)
    texts = {
        "containerd.toml": _containerd(layout),
        "cni/10-pods.conflist": json.dumps(_pod_network()),
        "kubelet.yaml": yaml.safe_dump(_kubelet(layout)),
        "kube-proxy.yaml": yaml.safe_dump(_kube_proxy(layout)),
        # Pods with `dnsPolicy: Default` get this one instead of the machine's.
        "resolv.conf": f"nameserver {plane.DNS_SERVICE}\n",
    }
    for name, text in texts.items():
        path = folder / name
        # kube-proxy ends when its file is written, even with the same content.
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def _containerd(layout: Layout) -> str:
    runtime = "io.containerd.grpc.v1.cri"
    return f"""version = 2
root = "{layout.folder}/containerd"
state = "{layout.folder}/run"
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
address = "{layout.containerd_socket}"

[plugins."{runtime}"]
sandbox_image = "{SYSTEM_IMAGES["pause"]}"
# Without CAP_SYS_RESOURCE (often so in a sandbox) scores can't be lowered, and runc would fail.
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
enable_unprivileged_ports = true
disable_apparmor = true

[plugins."{runtime}".cni]
bin_dir = "{packages.CNI_FOLDER}"
conf_dir = "{layout.folder}/cni"

[plugins."{runtime}".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."{runtime}".containerd.runtimes.runc.options]
SystemdCgroup = false
"""


def _pod_network() -> dict[str, Any]:
    ranges = {"type": "host-local", "subnet": plane.NODE_PODS, "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {
        "type": "bridge",
        "bridge": "pods",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": ranges,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]}


def _kubelet(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{layout.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{plane.cgroup(layout.name)}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "clusterDNS": [plane.DNS_SERVICE],
        "clusterDomain": "cluster.local",
        "resolvConf": f"{layout.folder}/resolv.conf",
        "podLogsDir": f"{layout.folder}/pod-logs",
        "volumePluginDir": f"{layout.folder}/volume-plugins",
        "maxPods": 200,
        # The machine's disk is not the cluster's to manage, and an image that was removed to make
        # room could not be pulled again.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
    }


def _kube_proxy(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(layout.user("kube-proxy"))},
        "mode": "iptables",
        "clusterCIDR": plane.PODS,
        "detectLocalMode": "ClusterCIDR",
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        # The kernel's table is the machine's, not this namespace's: its limits stay as they are.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "iptables": {
            # Where bridged packets don't pass iptables, a pod could not reach itself or a
            # neighbour through a Service unless the answer takes the way back through the node.
            "masqueradeAll": not Path("/proc/sys/net/bridge/bridge-nf-call-iptables").exists()
        },
    }


def _install_addons(state: State, progress: Progress) -> None:
    layout = state.layout
    kubectl = [str(tool("kubectl", progress)), f"--kubeconfig={layout.kubeconfig}"]

    def call(words: Sequence[str]) -> bool:
        return run([*kubectl, *words], check=False, timeout=200).returncode == 0

    manifests = [f"--filename={path}" for path in sorted(MANIFESTS.glob("*.yaml"))]
    run([*kubectl, "apply", "--server-side", "--force-conflicts", *manifests])
    ready = "--for=condition=Ready"
    wait_while_alive(
        state,
        f"readiness of node {layout.node_name}",
        lambda: call(["wait", ready, f"node/{layout.node_name}", "--timeout=5s"]),
    )
    rollout = ["--namespace=kube-system", "rollout", "status", "deployment/coredns"]
    if not call([*rollout, "--timeout=180s"]):
        pods = ["--namespace=kube-system", "describe", "pods", "--selector=k8s-app=kube-dns"]
        found = run([*kubectl, *pods], check=False).stdout
        raise ClusterError(f"CoreDNS did not become ready:\n{found[-3000:]}")
