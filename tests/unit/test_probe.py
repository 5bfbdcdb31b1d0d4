"""The isolation probe, with real connections on loopback and with told outcomes."""

import json
import socket
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from shadow_operator import probe as program
from shadow_operator.probe import connect, main, name_servers, probe

TARGET = "10.96.0.7:80"
DNS = ("10.96.0.10",)
OPEN, TIMEOUT = "", "timed out"


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


class Network:
    """Answers attempts at the target one after another, and name servers always the same."""

    def __init__(self, *outcomes: str, dns: str = OPEN) -> None:
        self._outcomes = list(outcomes)
        self._dns = dns

    def __call__(self, host: str, port: int) -> str:
        if port == 53:
            return self._dns
        return self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]


@pytest.mark.parametrize(
    ("network", "reachable"),
    [
        pytest.param(Network(OPEN), True, id="what always answers is reachable"),
        pytest.param(Network(TIMEOUT), False, id="what never answers is not"),
        pytest.param(Network(OPEN, OPEN, TIMEOUT), False, id="a policy may be enforced late"),
        pytest.param(Network(TIMEOUT, TIMEOUT, OPEN), True, id="a network may come up late"),
        pytest.param(Network(TIMEOUT, dns=TIMEOUT), None, id="without a network nothing is proved"),
        pytest.param(Network("the name is not known"), None, id="an unknown name proves nothing"),
    ],
)
def test_the_probe_tells(network: Network, reachable: bool | None) -> None:
    report = probe(TARGET, 9, DNS, connect=network, pause=0, clock=count().__next__)
    assert report["target"] == TARGET
    assert report["reachable"] is reachable


def test_a_reachable_target_ends_the_probe_early() -> None:
    assert probe(TARGET, 60, DNS, connect=Network(OPEN), pause=0)["attempts"] == 3


def test_too_few_attempts_prove_nothing() -> None:
    report = probe(TARGET, 0, DNS, connect=Network(TIMEOUT), pause=0)
    assert (report["attempts"], report["reachable"], report["error"]) == (1, None, TIMEOUT)


def test_an_open_port_connects(listener: int) -> None:
    assert connect("127.0.0.1", listener) == ""


def test_a_closed_port_says_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert connect("127.0.0.1", port) == "Connection refused"


def test_a_name_that_does_not_exist_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert connect("shop.shop.svc", 80) == program.UNKNOWN_NAME


def test_name_servers_are_read_from_resolv_conf() -> None:
    text = "search shop.svc\nnameserver 10.96.0.10\n# nameserver 1.1.1.1\nnameserver\n"
    assert name_servers(text) == ["10.96.0.10"]


def test_the_program_leaves_one_line_for_the_operator(
    listener: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolv_conf, log = tmp_path / "resolv.conf", tmp_path / "termination-log"
    resolv_conf.write_text("nameserver 127.0.0.1\n")
    monkeypatch.setattr(program, "RESOLV_CONF", resolv_conf)
    target = f"127.0.0.1:{listener}"
    assert main(["--target", target, "--seconds", "0", "--report", str(log)]) == 0
    assert json.loads(log.read_text()) == {
        "target": target,
        "reachable": True,
        "attempts": 1,
        "error": "",
    }


def test_an_address_of_six_stands_in_brackets() -> None:
    seen: list[tuple[str, int]] = []

    def refuse(host: str, port: int) -> str:
        seen.append((host, port))
        return TIMEOUT

    probe("[fd00::1]:80", 0, (), connect=refuse, pause=0)
    assert seen == [("fd00::1", 80)]
