"""`.venv/bin/python -m dev.cluster`: one command line for every provider."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dev import cluster as clusters
from dev.cluster import images, programs, shell, source, state
from dev.cluster.base import ClusterError, Progress, Unavailable
from dev.cluster.choose import Machine, choose
from dev.cluster.store import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEFAULT_NAME = "shadow-dev"
COMMAND = ".venv/bin/python -m dev.cluster"

EPILOG = f"""
examples:
  eval "$({COMMAND} up)"            a cluster with a node, and KUBECONFIG set
  {COMMAND} up --control-plane      only the API: no root, ready in seconds
  {COMMAND} build --tag localhost/app:1 --file Dockerfile --context . --output app.tar
  {COMMAND} load app.tar            then use image localhost/app:1 in a pod
  {COMMAND} down
  SHADOW_KUBECONFIG=~/.kube/config {COMMAND} up     use a cluster that you have

providers, the first that applies: the cluster that SHADOW_KUBECONFIG names; kind, where a Docker
engine answers; a real one-node Kubernetes compiled from its Go modules (Linux, root).
SHADOW_CLUSTER=kind or SHADOW_CLUSTER=source takes that one whatever else there is.
exit status: 0 done, 1 failed, 2 this machine can't have a cluster (the message says what to do).
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace, Progress], None] = options.command
    try:
        command(options, Progress())
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 2
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; `down` removes what was started", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="A Kubernetes cluster for development, tests and the demo.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, command: Callable[[argparse.Namespace, Progress], None], text: str):  # type: ignore[no-untyped-def]
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=command)
        return added

    def add_name(to: argparse.ArgumentParser) -> None:
        to.add_argument("--name", default=DEFAULT_NAME, help="default: %(default)s")

    up = add("up", _up, "find or start a cluster; prints `export KUBECONFIG=...` last")
    add_name(up)
    up.add_argument("--control-plane", action="store_true", help="only the API, no node for pods")
    up.add_argument("--yes", action="store_true", help="don't ask before the machine is changed")
    bring = add("prepare", _prepare, "bring all that a cluster here needs, without starting one")
    bring.add_argument("--yes", action="store_true", help="don't ask before the machine is changed")
    add_name(add("down", _down, "stop a cluster and remove every trace of it"))
    add("status", _status, "what would be used here, and which clusters there are")
    load = add("load", _load, "put the images of an OCI archive on the cluster's node")
    load.add_argument("archive", type=Path)
    add_name(load)
    build = add("build", _build, "build an image into an OCI archive")
    build.add_argument("--tag", required=True, help="the image's whole name, e.g. localhost/app:1")
    build.add_argument("--file", required=True, type=Path)
    build.add_argument("--context", required=True, type=Path)
    build.add_argument("--build-arg", action="append", default=[], type=_pair, metavar="KEY=VALUE")
    build.add_argument("--output", required=True, type=Path)
    build.add_argument("--yes", action="store_true", help="don't ask before the machine is changed")
    tool = add(
        "tool", _tool, "print the path of kubectl or helm; compiled if this machine has none"
    )
    tool.add_argument("program", choices=["kubectl", "helm"])
    add("clean", _clean, "remove the cache (compiled programs, images) while no cluster runs")
    return parser


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def _up(options: argparse.Namespace, progress: Progress) -> None:
    cluster = clusters.ensure(
        options.name,
        control_plane_only=options.control_plane,
        progress=progress,
        ask=not options.yes,
    )
    progress.say(f"cluster {cluster.name!r} is ready ({cluster.provider})")
    if programs.at_hand("kubectl"):
        programs.tool("kubectl", progress)
    else:
        progress.say(f"no kubectl here: `{COMMAND} tool kubectl` compiles one; then run this again")
    print(shell.exports(cluster))


def _prepare(options: argparse.Namespace, progress: Progress) -> None:
    if choose(Machine.look()) == "source":
        source.prepare(progress, ask=not options.yes)


def _down(options: argparse.Namespace, progress: Progress) -> None:
    machine = Machine.look()
    if machine.existing:
        progress.say("the cluster of SHADOW_KUBECONFIG is not ours; it is left as it is")
    with progress.step(f"stopping cluster {options.name!r}"):
        clusters.remove(options.name, machine=machine)


def _status(_: argparse.Namespace, progress: Progress) -> None:
    machine = Machine.look()
    try:
        print(f"a cluster with a node would come from: {choose(machine)}")
    except Unavailable as error:
        print(error)
    for name in state.names():
        cluster = source.find(name, progress)
        running = f"running, KUBECONFIG={cluster.kubeconfig}" if cluster else "not running"
        print(f"{name}: {running}")


def _load(options: argparse.Namespace, progress: Progress) -> None:
    if not options.archive.is_file():
        raise ClusterError(f"there is no file {options.archive}")
    with progress.step(f"loading {options.archive} on cluster {options.name!r}"):
        clusters.require(options.name, progress=progress).load_image(options.archive)


def _build(options: argparse.Namespace, progress: Progress) -> None:
    arguments = dict(options.build_arg)
    archive = images.build(
        options.tag, options.file, options.context, arguments, progress, ask=not options.yes
    )
    options.output.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(archive, options.output)


def _tool(options: argparse.Namespace, progress: Progress) -> None:
    print(programs.tool(options.program, progress))


def _clean(_: argparse.Namespace, progress: Progress) -> None:
    if left := state.names():
        raise ClusterError(f"take these clusters down first: {', '.join(left)}")
    progress.say(f"removing {cache_folder()}")
    shutil.rmtree(cache_folder(), ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
