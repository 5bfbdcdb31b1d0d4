"""Which provider a machine gets, with which commands, and how its processes are remembered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dev import cluster as clusters
from dev.cluster import Silent, namespace, node, plane, processes, programs, running, source
from dev.cluster.__main__ import main
from dev.cluster.base import ClusterError, Unavailable, wait_until
from dev.cluster.choose import Machine, choose
from dev.cluster.existing import ExistingCluster
from dev.cluster.namespace import mounts_below
from dev.cluster.plane import Layout
from dev.cluster.processes import MARK, Process, marked, spawn
from dev.cluster.state import BOOT_ID, State
from dev.cluster.store import cluster_folder, locked

PLAIN = Machine(shadow_kubeconfig=None, docker_answers=False, system="Linux", root=True)


pytestmark = pytest.mark.usefixtures("cache")


@pytest.mark.parametrize(
    ("machine", "control_plane_only", "provider"),
    [
        (PLAIN, False, "source"),
        (replace(PLAIN, docker_answers=True), False, "kind"),
        (replace(PLAIN, root=False, docker_answers=True), False, "kind"),
        (replace(PLAIN, system="Darwin", docker_answers=True), True, "kind"),
        (replace(PLAIN, docker_answers=True), True, "kind"),
        (replace(PLAIN, root=False), True, "source"),
        (replace(PLAIN, docker_answers=True, shadow_kubeconfig="/k"), False, "existing"),
        (replace(PLAIN, system="Windows", root=False, shadow_kubeconfig="/k"), True, "existing"),
        (replace(PLAIN, docker_answers=True, wanted="source"), False, "source"),
        (replace(PLAIN, docker_answers=True, wanted="kind"), False, "kind"),
        (replace(PLAIN, shadow_kubeconfig="/k", wanted="source"), False, "source"),
    ],
)
def test_the_first_provider_that_applies_is_chosen(
    machine: Machine, control_plane_only: bool, provider: str
) -> None:
    assert choose(machine, control_plane_only=control_plane_only) == provider


@pytest.mark.parametrize(
    ("machine", "cause"),
    [
        (replace(PLAIN, system="Darwin"), "can be built on Darwin"),
        (replace(PLAIN, root=False), "needs root"),
        (replace(PLAIN, root=False, docker_answers=True, wanted="source"), "needs root"),
    ],
)
def test_where_no_cluster_can_be_had_the_command_says_what_to_do_and_ends_with_2(
    machine: Machine,
    cause: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Machine, "look", lambda: machine)
    assert main(["up"]) == 2
    written = capsys.readouterr()
    assert cause in written.err
    assert "set SHADOW_KUBECONFIG to" in written.err
    assert "start a Docker engine" in written.err
    assert written.out == ""


def test_a_wanted_provider_that_is_not_there_is_named() -> None:
    with pytest.raises(Unavailable, match="SHADOW_CLUSTER=kind, but no Docker engine answers"):
        choose(replace(PLAIN, wanted="kind"))
    with pytest.raises(ClusterError, match="SHADOW_CLUSTER=minikube: write kind or source"):
        choose(replace(PLAIN, wanted="minikube"))


def test_the_last_line_of_up_is_the_export(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (cache / "mine").touch()
    monkeypatch.setenv("SHADOW_KUBECONFIG", str(cache / "mine"))
    assert main(["up"]) == 0
    assert capsys.readouterr().out == f"export KUBECONFIG={cache}/mine\n"


def test_an_existing_cluster_is_used_and_never_changed(cache: Path) -> None:
    (cache / "mine").touch()
    machine = replace(PLAIN, shadow_kubeconfig=str(cache / "mine"))
    found = clusters.ensure("any", machine=machine, progress=Silent())
    assert (found.provider, found.kubeconfig) == ("existing", cache / "mine")
    with pytest.raises(ClusterError, match="push the image to a registry"):
        found.load_image(cache / "image.tar")
    with pytest.raises(ClusterError, match="is not ours"):
        found.node_run(["true"])
    with pytest.raises(ClusterError, match="is not ours"):
        found.signal_container("default", "web", "web", 9)
    found.down()


def test_a_kubeconfig_that_is_not_there_is_named() -> None:
    with pytest.raises(Unavailable, match="/nowhere, which is no file"):
        ExistingCluster("any", "/nowhere", Silent())


def test_a_process_is_known_by_its_start_time_too(cache: Path) -> None:
    process = spawn(["sleep", "60"], cache / "log")
    try:
        impostor = Process(process.pid, process.started + 1)
        assert not impostor.alive()
        impostor.kill()
        assert process.alive()
    finally:
        process.kill()
    assert not process.alive()
    process.kill()


def test_a_process_is_not_gone_while_one_of_its_threads_holds_what_it_had_open() -> None:
    program = (
        "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(60,)).start();"
        "ctypes.CDLL(None).pthread_exit(None)"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as child:
        stat = Path(f"/proc/{child.pid}/stat")
        try:
            wait_until("its first thread's end", lambda: ") Z " in stat.read_text())
            found = Process.of(child.pid)
        finally:
            child.kill()
        wait_until("its end", lambda: Process.of(child.pid) is None)
    assert found is not None


def test_a_process_is_found_by_its_mark_when_nobody_wrote_it_down(cache: Path) -> None:
    process = spawn(["sleep", "60"], cache / "log", {**os.environ, MARK: str(cache)})
    try:
        assert marked(cache) == [process]
        assert marked(cache / "other") == []
    finally:
        process.kill()
    assert marked(cache) == []


def test_where_there_is_no_proc_there_is_no_process_of_ours(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PROC", cache / "proc")
    monkeypatch.setattr(namespace, "CGROUPS", cache / "cgroup")
    assert marked(cache) == []
    clusters.remove("own", machine=replace(PLAIN, system="Darwin"))


def test_what_a_process_prints_is_added_to_its_log(cache: Path) -> None:
    log = cache / "log"
    for word in ("one", "two"):
        command = [sys.executable, "-c", f"print({word!r}); input()"]
        process = spawn(command, log)
        clusters.base.wait_until("its end", lambda known=process: not known.alive(), 10)  # type: ignore[misc]
    assert [line for line in log.read_text().splitlines() if line in {"one", "two"}] == [
        "one",
        "two",
    ]
    assert "EOFError" in log.read_text()


def _layout(name: str = "own", *, has_node: bool = True, slot: int = 3) -> Layout:
    folder = cluster_folder(name)
    return Layout(name, folder, has_node, slot, 6443 if has_node else 20001)


def test_state_is_read_back_as_it_was_written() -> None:
    layout = _layout()
    layout.folder.mkdir(parents=True)
    state = State(layout, "boot-1", {"etcd": Process(11, 22)})
    state.write()
    assert State.read("own") == state


@pytest.mark.parametrize("content", ["", "{", "[]", '{"has_node": true}'])
def test_a_state_file_that_cannot_be_read_is_none(content: str) -> None:
    layout = _layout()
    layout.folder.mkdir(parents=True)
    (layout.folder / "state.json").write_text(content)
    assert State.read("own") is None
    assert State.read("never-made") is None


@pytest.mark.parametrize(
    ("has_node", "boot", "holder", "usable"),
    [
        (True, None, None, False),
        (True, None, Process(1, -1), False),
        (True, None, Process.of(os.getpid()), True),
        (True, "another boot", Process.of(os.getpid()), False),
        (False, None, None, True),
        (False, "another boot", None, False),
    ],
    ids=["never held", "holder gone", "held", "machine restarted", "plane", "plane, restarted"],
)
def test_a_cluster_goes_on_only_where_its_namespaces_still_are(
    has_node: bool,
    boot: str | None,
    holder: Process | None,
    usable: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    removed: list[str] = []
    monkeypatch.setattr(source, "_remove", removed.append)
    layout = _layout(has_node=has_node)
    layout.folder.mkdir(parents=True)
    processes = {"holder": holder} if holder else {}
    State(layout, boot or BOOT_ID.read_text().strip(), processes).write()
    assert (source._usable_state("own") is not None) == usable
    assert removed == ([] if usable else ["own"])


def test_a_lock_is_held_by_one_and_leaves_no_file(cache: Path) -> None:
    code = "from dev.cluster.store import locked\nwith locked('x'): print('got it', flush=True)"
    with locked("x"):
        other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=1)
    assert other.communicate(timeout=30)[0] == b"got it\n"
    assert list((cache / "shadow-operator" / "locks").iterdir()) == []


def test_clusters_differ_in_address_interface_and_cgroup() -> None:
    one, two = _layout("one", slot=0), _layout("two", slot=1)
    for attribute in ("address", "host_address", "link", "interface", "folder"):
        assert getattr(one, attribute) != getattr(two, attribute)
    assert plane.cgroup("one") != plane.cgroup("two")
    assert len(_layout(slot=99).interface) <= 15
    assert (one.host_address, one.address, one.link) == (
        "198.18.0.1",
        "198.18.0.2",
        "198.18.0.0/30",
    )


def test_a_bare_control_plane_listens_on_the_loopback_only() -> None:
    arguments = plane.kube_apiserver(_layout(has_node=False))
    assert "--bind-address=127.0.0.1" in arguments
    assert "--secure-port=20001" in arguments
    assert "--endpoint-reconciler-type=none" in arguments


@pytest.mark.parametrize("name", ["", "Upper", "-a", "a-", "a" * 21, "a/b", "../a"])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ClusterError, match="use 1 to 20 characters"):
        cluster_folder(name)


def test_a_folder_too_long_for_sockets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/" + "long/" * 12)
    with pytest.raises(ClusterError, match="set XDG_CACHE_HOME to a shorter path"):
        cluster_folder("own")


@pytest.mark.parametrize(
    ("text", "version"),
    [("go1.26.8\n", (1, 26, 8)), ("go1.27rc1", (1, 27, 0)), ("devel +abc", ()), ("", ())],
)
def test_go_versions_compare_as_numbers(text: str, version: tuple[int, ...]) -> None:
    assert programs._go_version(text) == version


def test_every_program_of_a_cluster_has_a_recipe_and_every_image_a_program() -> None:
    assert {*programs.CONTROL_PLANE, *programs.NODE} <= set(programs.PROGRAMS)
    assert set(node.SYSTEM_IMAGES) <= set(programs.NODE)


def test_programs_of_a_cluster_know_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, str]] = []

    def spawn_nothing(_: object, __: object, environment: dict[str, str]) -> Process:
        given.append(environment)
        return Process(1, 1)

    for variable in ("HTTPS_PROXY", "http_proxy"):
        monkeypatch.setenv(variable, "http://proxy:3128")
    monkeypatch.setattr(running, "spawn", spawn_nothing)
    layout = _layout(has_node=False)
    layout.folder.mkdir(parents=True)
    running.ensure_running(State(layout, "boot-1"), "etcd", ["etcd"])
    assert given[0][MARK] == str(layout.folder)
    assert not [name for name in given[0] if "proxy" in name.lower()]


def test_the_kubelet_gets_the_settings_that_a_shared_machine_needs() -> None:
    settings = node._kubelet(_layout())
    assert settings["cgroupRoot"] == "/shadow-operator-own"
    assert settings["imageGCHighThresholdPercent"] == 100
    assert settings["containerRuntimeEndpoint"] == f"unix://{cluster_folder('own')}/containerd.sock"


def test_mounts_below_a_folder_are_told_from_its_neighbours() -> None:
    command = ["findmnt", "--json", "--list", "--output", "TARGET"]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    targets = [entry["target"] for entry in listed["filesystems"]]
    below = [target for target in targets if target.startswith("/sys/")]
    assert sorted(mounts_below(Path("/sys"))) == sorted(below)
    assert mounts_below(Path("/sy")) == []
