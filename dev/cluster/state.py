"""What is written down about a cluster, so that another program can go on with it or end it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from dev.cluster.plane import Layout
from dev.cluster.processes import Process
from dev.cluster.store import cache_folder, cluster_folder

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass
class State:
    """One cluster: where it lives, since which boot of the machine, and its processes by name."""

    layout: Layout
    boot: str
    processes: dict[str, Process] = field(default_factory=dict)

    @classmethod
    def read(cls, name: str) -> State | None:
        """Give the state of the cluster `name`, or None where nothing usable was written."""
        folder = cluster_folder(name)
        try:
            data = json.loads((folder / "state.json").read_text())
            layout = Layout(name, folder, data["has_node"], data["slot"], data["port"])
            processes = {key: Process(**value) for key, value in data["processes"].items()}
            return cls(layout, data["boot"], processes)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self) -> None:
        """Replace the file in one step."""
        data = {
            "has_node": self.layout.has_node,
            "slot": self.layout.slot,
            "port": self.layout.port,
            "boot": self.boot,
            "processes": {
                key: {"pid": process.pid, "started": process.started}
                for key, process in self.processes.items()
            },
        }
        partial = self.layout.folder / "state.partial"
        partial.write_text(json.dumps(data))
        partial.replace(self.layout.folder / "state.json")


def names() -> list[str]:
    """List every cluster that has a folder, running or not."""
    folder = cache_folder() / "clusters"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
