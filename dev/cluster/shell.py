"""What a person's shell needs to use a cluster."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from dev.cluster.base import environment
from dev.cluster.programs import own, tools_folder

if TYPE_CHECKING:
    from dev.cluster.base import Cluster

TOOLS = ("kubectl", "helm")


def exports(cluster: Cluster) -> str:
    """Give the line that names the cluster, and whatever else kubectl needs to reach it.

    That is our kubectl and helm where the machine has none of its own, and an exception for the
    cluster where a proxy is set.
    """
    words = [f"KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}"]
    tools = tools_folder()
    if any(not own(name) and (tools / name).exists() for name in TOOLS):
        words.append(f'PATH={shlex.quote(str(tools))}:"$PATH"')
    if cluster.provider == "source" and (os.environ.keys() & {"HTTPS_PROXY", "https_proxy"}):
        words.append(f"NO_PROXY={shlex.quote(environment()['NO_PROXY'])}")
    return f"export {' '.join(words)}"
