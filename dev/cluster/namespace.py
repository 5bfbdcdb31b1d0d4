"""The namespaces that a cluster with a node lives in.

One process, the holder, owns a network, a mount and a process-id namespace. Addresses, rules,
mounts and processes of a cluster are therefore never those of the machine or of another cluster,
and all of them end with the holder, even after a crash of everything else. Outside remain one
network interface, the cgroups of the pods and the cluster's folder.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster import plane
from dev.cluster.base import ClusterError, environment, run, wait_until
from dev.cluster.processes import MARK, Process, only_child
from dev.cluster.processes import spawn as spawn_here

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dev.cluster.plane import Layout
    from dev.cluster.state import State

HOLDER = "holder"
CGROUPS = Path("/sys/fs/cgroup")
SLOTS = 100

# Paths that kubelet, containerd or the network plugins have built in: each cluster sees its own.
_FIXED_PATHS = "/var/lib/kubelet /var/lib/cni /var/log/containers /run/containerd"
# Settings of the whole machine that a kubelet wants changed: it finds them as it likes them.
_KERNEL_SETTINGS = "vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1"
# Ignoring SIGCHLD makes the kernel collect orphans that end; as process 1, nobody else would.
_HOLD = f"""set -e
mount --make-rshared /
for path in {_FIXED_PATHS}; do
  mkdir -p "$path" "$1/private$path"
  mount --bind "$1/private$path" "$path"
done
for setting in {_KERNEL_SETTINGS}; do
  pretended="$1/private/sysctl/${{setting%=*}}"
  mkdir -p "$(dirname "$pretended")"
  echo "${{setting#*=}}" > "$pretended"
  mount --bind "$pretended" "/proc/sys/${{setting%=*}}"
done
trap '' CHLD
: > "$1/held"
exec sleep infinity
"""


def ensure(state: State) -> None:
    """Make the namespaces, the link and the cgroups of a cluster unless they are there."""
    layout = state.layout
    holder = state.processes.get(HOLDER)
    if holder is None or not holder.alive():
        holder = _hold(layout)
        _connect(layout, holder)
        # Written down only now: a holder that nobody knows is removed, not used half connected.
        state.processes[HOLDER] = holder
        state.write()
    for cgroup in cgroups(layout.name):
        _make_cgroup(cgroup)


def enter(holder: Process) -> list[str]:
    """Give the words to put before a command that is to run inside."""
    return ["nsenter", f"--target={holder.pid}", "--net", "--mount", "--pid", "--"]


def spawn(holder: Process, argv: Sequence[str], log: Path, env: Mapping[str, str]) -> Process:
    """Start a long-running program inside; the result is the program, not the wrapper around it."""
    if not holder.alive():
        raise ClusterError("the cluster's namespaces are gone; `down` and `up` make new ones")
    return only_child(spawn_here([*enter(holder), *argv], log, env), log)


def free_slot(taken: set[int]) -> int:
    """Give a number for a new link that no cluster of ours and no interface here uses."""
    for slot in range(SLOTS):
        if slot not in taken and not Path(f"/sys/class/net/shadowdev{slot}").exists():
            return slot
    raise ClusterError(f"{SLOTS} clusters run on this machine; take one down first")


def cgroups(name: str) -> list[Path]:
    """Give the parent cgroup of a cluster's pods: one folder, or one per controller (version 1)."""
    parent = plane.cgroup(name)
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS / parent]
    hierarchies = (path.parent for path in sorted(CGROUPS.glob("*/cgroup.procs")))
    return [path / parent for path in hierarchies]


def disconnect(layout: Layout) -> None:
    """Remove the link, which otherwise goes some time after the holder."""
    if Path(f"/sys/class/net/{layout.interface}").exists():
        run(["ip", "link", "delete", layout.interface], check=False)


def remove_cgroups(name: str) -> None:
    """Remove the cgroups of a cluster's pods with whatever still runs in them."""
    for cgroup in cgroups(name):
        _remove_cgroup(cgroup)


def unmount_below(folder: Path) -> None:
    """Detach every mount below `folder`, so that removing it can't reach what was mounted."""
    for _ in range(10):
        below = mounts_below(folder)
        if not below:
            return
        for path in reversed(below):
            run(["umount", "-l", path], check=False)
    raise ClusterError(f"{mounts_below(folder)} can't be unmounted; {folder} is left as it is")


def mounts_below(folder: Path) -> list[str]:
    """List the mount points of this machine below `folder`, outer ones first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = (line.split()[4].encode().decode("unicode_escape") for line in lines)
    return [point for point in points if point.startswith(f"{folder}/")]


def _hold(layout: Layout) -> Process:
    held = layout.folder / "held"
    held.unlink(missing_ok=True)
    log = layout.folder / "logs" / "holder.log"
    log.parent.mkdir(exist_ok=True)
    apart = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--propagation=private"]
    script = ["sh", "-c", _HOLD, "sh", str(layout.folder)]
    wrapper = spawn_here(
        ["unshare", *apart, "--kill-child=SIGKILL", *script],
        log,
        environment(**{MARK: str(layout.folder)}),
    )
    holder = only_child(wrapper, log)
    wait_until("the cluster's namespaces", held.exists, hint=f"See {log}")
    return holder


def _connect(layout: Layout, holder: Process) -> None:
    inside = ["nsenter", f"--target={holder.pid}", "--net", "--"]
    link = layout.interface
    run(["ip", "link", "add", link, "type", "veth", "peer", "eth0", "netns", str(holder.pid)])
    run(["ip", "address", "add", f"{layout.host_address}/30", "dev", link])
    run(["ip", "link", "set", link, "up"])
    run([*inside, "ip", "link", "set", "lo", "up"])
    run([*inside, "ip", "address", "add", f"{layout.address}/30", "dev", "eth0"])
    run([*inside, "ip", "link", "set", "eth0", "up"])
    # A route for everything, since a Service's address is looked up before it is rewritten ...
    run([*inside, "ip", "route", "add", "default", "via", layout.host_address])
    # ... and a wall, so that nothing but answers and the link's own traffic leaves the cluster.
    wall = ["--out-interface", "eth0", "!", "--destination", layout.link, "--jump", "DROP"]
    run([*inside, "iptables", "--table", "mangle", "--append", "POSTROUTING", *wall])


def _make_cgroup(cgroup: Path) -> None:
    cgroup.mkdir(exist_ok=True)
    # Version 2 hands a controller down only where the parent says so; some can't be.
    handed_down = cgroup.parent / "cgroup.subtree_control"
    if handed_down.exists():
        for controller in (cgroup.parent / "cgroup.controllers").read_text().split():
            with suppress(OSError):
                handed_down.write_text(f"+{controller}")
    # A new cpuset of version 1 holds no processor and no memory, and then accepts no process.
    for name in ("cpuset.cpus", "cpuset.mems"):
        own, parent = cgroup / name, cgroup.parent / name
        if parent.exists() and own.exists() and not own.read_text().strip():
            own.write_text(parent.read_text())
    # Without it all pods together weigh as much as one program beside them.
    cores = os.cpu_count() or 1
    for name, weight in (("cpu.shares", 1024 * cores), ("cpu.weight", min(100 * cores, 10_000))):
        if (cgroup / name).exists():
            (cgroup / name).write_text(str(weight))


def _remove_cgroup(cgroup: Path) -> None:
    for path in sorted(cgroup.glob("**/"), key=lambda path: len(path.parts), reverse=True):
        for _ in range(100):
            for pid in _members(path):
                _kill_quietly(pid)
            try:
                path.rmdir()
                break
            except FileNotFoundError:
                break
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
            time.sleep(0.05)
        else:
            raise ClusterError(f"cgroup {path} still has processes: {_members(path)}")


def _members(cgroup: Path) -> list[int]:
    try:
        # 0 stands for a process that can't be seen from here, and must never reach kill().
        return [int(pid) for pid in (cgroup / "cgroup.procs").read_text().split() if pid != "0"]
    except FileNotFoundError:
        return []


def _kill_quietly(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
