"""What is said and asked before a machine is changed, and how its programs are called."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, NoReturn

import pytest

from dev import cluster as clusters
from dev.cluster import ClusterError, Silent, images, packages, programs, source
from dev.cluster.base import Unavailable, environment, run
from dev.cluster.existing import ExistingCluster
from dev.cluster.shell import exports

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.machine import Recorder

NEEDED = {"no-such-program": ("some-package", "for tests")}
NETWORK = "a network interface"


@pytest.fixture
def apt_get(stand_in: Recorder, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Give a machine with apt-get and root, and without Docker."""
    stand_in.add("docker", "exit 1")
    stand_in.add("apt-get")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages, "_without_services", nullcontext)
    return stand_in


class Terminal(io.StringIO):
    """A person who types this."""

    def isatty(self) -> bool:
        return True


def installed(apt_get: Recorder) -> bool:
    return apt_get.log.exists() and any("install" in call for call in apt_get.calls)


def test_changes_are_named_with_their_purpose_before_they_are_made(
    apt_get: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    packages.ensure(NEEDED, clusters.Progress(), also=[NETWORK])
    said = capsys.readouterr().err
    assert "changes the machine: apt-get installs some-package (for tests)" in said
    assert f"changes the machine: {NETWORK}" in said
    assert "to avoid it, set SHADOW_KUBECONFIG" in said
    assert apt_get.calls[-1].endswith("--no-install-recommends some-package")


@pytest.mark.parametrize(("typed", "agreed"), [("y\n", True), ("n\n", False), ("", False)])
def test_a_person_at_a_terminal_is_asked_once_for_everything(
    typed: str,
    agreed: bool,
    apt_get: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    with nullcontext() if agreed else pytest.raises(Unavailable, match="Nothing was changed"):
        packages.ensure(NEEDED, Silent(), ask=True, also=[NETWORK])
    assert installed(apt_get) is agreed
    asked = capsys.readouterr()
    assert asked.err.count("Go on?") == 1
    assert asked.out == "", "the export line alone is for stdout"


def test_what_was_agreed_to_is_not_asked_again(
    apt_get: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\nn\n"))
    packages.ensure({}, clusters.Progress(), ask=True, also=[NETWORK])
    packages.ensure({}, clusters.Progress(), ask=True, also=[NETWORK])
    said = capsys.readouterr().err
    assert (said.count(NETWORK), said.count("Go on?")) == (2, 1)
    with pytest.raises(Unavailable):
        packages.ensure(NEEDED, Silent(), ask=True, also=[NETWORK])
    assert not installed(apt_get)


@pytest.mark.parametrize(("ask", "typed"), [(False, Terminal("n\n")), (True, io.StringIO("n\n"))])
def test_nobody_is_asked_with_yes_or_where_there_is_no_terminal(
    ask: bool, typed: io.StringIO, apt_get: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", typed)
    packages.ensure(NEEDED, Silent(), ask=ask)
    assert installed(apt_get)


@pytest.mark.parametrize(
    ("control_plane_only", "runs", "announced"),
    [(False, False, True), (False, True, False), (True, False, False)],
    ids=["a new node", "a node that runs", "no node"],
)
def test_the_network_of_a_node_is_announced_before_it_is_made(
    *,
    control_plane_only: bool,
    runs: bool,
    announced: bool,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Reached(Exception):  # noqa: N818 - not an error
        pass

    def stop_here(*_: object) -> NoReturn:
        raise Reached

    monkeypatch.setattr(packages, "missing", lambda _: {})
    monkeypatch.setattr(source, "find", lambda *_: object() if runs else None)
    monkeypatch.setattr(source, "programs", stop_here)
    with pytest.raises(Reached):
        source.start(
            "own", control_plane_only=control_plane_only, progress=clusters.Progress(), ask=True
        )
    said = capsys.readouterr().err
    for word in ("shadowdev<number>", "198.18.0.0/15", "cgroups", "to avoid it"):
        assert (word in said) is announced


def test_without_root_no_package_is_installed(
    apt_get: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unavailable, match=r"missing here: some-package\. .* install them yourself"):
        packages.ensure(NEEDED, Silent())
    assert not installed(apt_get)


@pytest.mark.parametrize(
    ("user", "docker", "wanted", "possible"),
    [
        (0, "exit 1", "", True),
        (1000, "exit 0", "", True),
        (1000, "exit 1", "", False),
        (1000, "exit 0", "source", False),
    ],
)
def test_images_are_built_by_docker_or_by_root(
    *,
    user: int,
    docker: str,
    wanted: str,
    possible: bool,
    stand_in: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in.add("docker", docker)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("SHADOW_CLUSTER", wanted)
    with (
        nullcontext() if possible else pytest.raises(Unavailable, match="a Docker engine, or root")
    ):
        images.check()


def test_packages_for_images_are_asked_for_also_where_the_cluster_is_somebody_elses(
    apt_get: Recorder, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / "config").touch()
    theirs = ExistingCluster("any", str(cache / "config"), Silent(), ask=True)
    monkeypatch.setattr(packages, "IMAGES", NEEDED)
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    with pytest.raises(ClusterError, match="To go on without that, start a Docker engine"):
        theirs.build_image("localhost/app:1", cache / "Dockerfile", cache)
    assert not installed(apt_get)


def test_where_docker_answers_images_are_built_and_saved_by_it(
    stand_in: Recorder, cache: Path
) -> None:
    # The last argument of `docker save` names the tag, the one before it the file.
    stand_in.add(
        "docker",
        'case "$1" in inspect) echo sha256:0123456789abcdef;; save) touch "${2#--output=}";; esac',
    )
    archive = images.build("localhost/app:1", cache / "Dockerfile", cache, {"A": "b"}, Silent())
    assert archive.name.startswith("app-1-")
    other = images.build("elsewhere/app:1", cache / "Dockerfile", cache, {"A": "b"}, Silent())
    assert other != archive, "the archive carries the name of its image"
    assert archive.exists()
    built = f"docker build --tag=localhost/app:1 --file={cache}/Dockerfile --build-arg=A=b {cache}"
    assert built in stand_in.calls
    assert not any("BASE_IMAGE" in call for call in stand_in.calls)


@pytest.mark.parametrize("flags", [[], ["-s"]], ids=["captured", "-s"])
def test_what_takes_long_in_a_fixture_is_told_past_the_capture(
    flags: list[str], tmp_path: Path
) -> None:
    test = "def test_it(progress):\n    progress.say('compiling')\n    print('captured')\n"
    (tmp_path / "test_it.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.cluster", "-c", "/dev/null"]
    done = subprocess.run(
        [*command, *flags, f"--rootdir={tmp_path}", "-p", "no:cacheprovider", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout
    assert "[0:00] compiling" in lines
    assert ("captured" in done.stdout) == ("-s" in flags)


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({}, "localhost,127.0.0.1,198.18.0.0/15"),
        ({"NO_PROXY": ".corp"}, ".corp,localhost,127.0.0.1,198.18.0.0/15"),
        ({"no_proxy": ".corp"}, ".corp,localhost,127.0.0.1,198.18.0.0/15"),
    ],
)
def test_no_program_asks_a_proxy_for_a_cluster_on_this_machine(
    theirs: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in theirs.items():
        monkeypatch.setenv(variable, value)
    shown = run(["sh", "-c", "echo $NO_PROXY; echo $no_proxy"]).stdout.split()
    assert shown == [expected, expected]
    assert environment()["NO_PROXY"] == expected


@pytest.fixture
def bare(stand_in: Recorder, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Give a machine whose PATH has nothing but stand-ins."""
    monkeypatch.setenv("PATH", str(stand_in.folder))
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(variable, raising=False)
    return stand_in


def cluster_of_mine(cache: Path) -> ExistingCluster:
    (cache / "config").touch()
    return ExistingCluster("any", str(cache / "config"), Silent())


def test_the_export_puts_our_kubectl_on_the_path_where_there_is_no_other(
    bare: Recorder, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = f"export KUBECONFIG={cache}/config"
    assert exports(cluster_of_mine(cache)) == plain
    built = programs.program_path("kubectl")
    bare.add("kubectl", folder=built.parent)
    assert programs.tool("kubectl", Silent()) == built
    tools = cache / "shadow-operator" / "tools"
    assert exports(cluster_of_mine(cache)) == f'{plain} PATH={tools}:"$PATH"'
    monkeypatch.setenv("PATH", f"{tools}:{bare.folder}")
    assert programs.tool("kubectl", Silent()) == built, "ours on PATH is not the machine's own"
    bare.add("kubectl")
    assert programs.tool("kubectl", Silent()) == bare.folder / "kubectl"
    assert exports(cluster_of_mine(cache)) == plain


def test_the_export_excepts_a_cluster_from_source_from_a_proxy(
    bare: Recorder, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = cluster_of_mine(cache)
    monkeypatch.setattr(cluster, "provider", "source")
    assert "NO_PROXY" not in exports(cluster)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert f"NO_PROXY={environment()['NO_PROXY']}" in exports(cluster)
