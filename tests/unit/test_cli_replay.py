"""`replay` sends the user's request to both clones, and shows how their answers differ."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from shadow_operator.cli.access import Access
from shadow_operator.cli.errors import Exit
from shadow_operator.cli.main import run
from shadow_operator.cli.replaying import printable, shown
from shadow_operator.core.comparing.answer import Answer
from tests.support.apiserver import ApiServer
from tests.support.world import up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BASE = "/api/v1/namespaces/hal9"
RESOURCES = "/apis/hal9.ai/v1alpha1/namespaces/hal9/shadowdeployments"


class Clone(ThreadingHTTPServer):
    """A pod that answers always the same."""

    def __init__(self, status: int = 200, body: bytes = b"{}", **headers: str) -> None:
        self.answer = status, body, {"Content-Type": "application/json", **headers}
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @contextmanager
    def serving(self) -> Iterator[Clone]:
        """Answer until the end of the block."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        with self:
            thread.start()
            yield self
            self.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Clone

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.command, self.path, headers, self.rfile.read(length)))
        status, body, given = self.server.answer
        self.send_response(status)
        for name, value in given.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Answer."""
        self._answer()

    def do_POST(self) -> None:
        """Answer."""
        self._answer()

    def log_message(self, *_: object) -> None:
        """Keep the terminal clean."""


@dataclass
class Place:
    """A cluster with two clones, and a terminal."""

    folder: Path
    server: ApiServer
    capsys: pytest.CaptureFixture[str]
    clones: dict[str, Clone] = field(default_factory=dict)

    def replay(self, request: Any, *words: str) -> tuple[int, str]:
        """Run it with this request; gives exit status and all that was printed."""
        file = self.folder / "request.json"
        file.write_text(request if isinstance(request, str) else json.dumps(request))
        where = ["--from-file", str(file), "--kubeconfig", self.server.kubeconfig(self.folder)]
        status = run("kubectl shadow", ["replay", "r-1", *where, *words])
        printed = self.capsys.readouterr()
        return status, printed.out + printed.err


def listed(role: str) -> str:
    return f"{BASE}/pods?labelSelector=hal9.ai/shadow%3Dhal9%2Chal9.ai/role%3D{role}"


@contextmanager
def place(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    reference: Clone,
    shadow: Clone,
) -> Iterator[Place]:
    """Give two clones behind an API server; what leads to a pod leads to its server here."""
    clones = {"a-reference": reference, "a-shadow": shadow}

    def connect(_: Access, pod: str, port: int) -> socket.socket:
        assert port == 8080
        return socket.create_connection(("127.0.0.1", clones[pod].server_port))

    monkeypatch.setattr(Access, "connect", connect)
    with ExitStack() as stack:
        server = stack.enter_context(ApiServer().serving())
        for role, clone in (("reference", reference), ("shadow", shadow)):
            stack.enter_context(clone.serving())
            pod = {
                "metadata": {"name": f"a-{role}"},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            }
            server.answers[listed(role)] = (200, {"items": [pod]})
            service = {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}
            server.answers[f"{BASE}/services/hal9-{role}"] = (200, service)
        server.answers[listed("comparator")] = (200, {"items": []})
        server.answers[RESOURCES] = (200, {"items": [up().body]})
        yield Place(folder, server, capsys, clones)


@pytest.fixture
def differing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """Give clones that differ at one place, and in a header."""
    with place(
        tmp_path,
        capsys,
        monkeypatch,
        reference=Clone(body=b'{"id": 7, "state": "on"}', Server="x", Date="now"),
        shadow=Clone(body=b'{"state": "off\\u001b[31m", "id": 7}', Server="x", Date="now"),
    ) as made:
        yield made


GET = {"method": "GET", "path": "/thing?x=1"}


def test_the_difference_is_shown_with_its_values_and_what_would_be_counted(
    differing: Place,
) -> None:
    status, text = differing.replay(GET)
    assert status == Exit.NO
    assert '-  "state": "on"' in text
    assert '+  "state": "off\\u001b[31m"' in text, "a terminal obeys nothing of it"
    assert "Counted as: GET /thing differs\n  $.state text\n" in text
    assert text.startswith("No sample r-1 is remembered; the request is sent all the same.\n")
    for role in ("reference", "shadow"):
        assert f"  {role} a-{role}: 200, " in text


def test_it_is_sent_as_the_user_has_it_and_marked_as_a_copy(differing: Place) -> None:
    request = {
        "method": "POST",
        "path": "/thing",
        "headers": {"Host": "shop.example.com", "Authorization": "Bearer of-the-user"},
        "body": {"a": 1},
    }
    differing.replay(request, "--unsafe")
    for clone in differing.clones.values():
        [(method, path, headers, body)] = clone.seen
        assert (method, path, body) == ("POST", "/thing", b'{"a": 1}')
        assert headers["host"] == "shop.example.com"
        assert headers["authorization"] == "Bearer of-the-user"
        assert headers["content-type"] == "application/json"
        assert headers["x-shadow-copy"] == "replay"


def test_an_unsafe_method_is_refused_before_anything_is_sent(differing: Place) -> None:
    status, text = differing.replay({"method": "POST", "path": "/thing"})
    assert (status, "say --unsafe" in text) == (Exit.USAGE, True)
    assert all(not clone.seen for clone in differing.clones.values())


def test_a_rule_excuses_a_difference(differing: Place) -> None:
    body = up(comparison={"ignore": [{"path": "$.state", "reason": "A lamp"}]}).body
    differing.server.answers[RESOURCES] = (200, {"items": [body]})
    status, text = differing.replay(GET)
    assert status == Exit.GREEN
    assert "  $.state text (ignore: A lamp)" in text


@pytest.mark.parametrize(
    ("reference", "shadow", "status", "said"),
    [
        (Clone(), Clone(), Exit.GREEN, "Counted as: GET /thing matched"),
        (Clone(404), Clone(404), Exit.UNKNOWN, "Counted as: GET /thing unproven"),
        (Clone(), Clone(500), Exit.NO, "  status status 200>500"),
        (Clone(body=b"\xff\xfe"), Clone(body=b"\xff\xff"), Exit.NO, "+(2 bytes that are no text, "),
    ],
    ids=["the same", "neither did the work", "another status", "no text"],
)
def test_outcomes(  # noqa: PLR0917
    reference: Clone,
    shadow: Clone,
    status: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with place(tmp_path, capsys, monkeypatch, reference=reference, shadow=shadow) as made:
        found, text = made.replay(GET)
    assert found == status
    assert said in text


@pytest.mark.parametrize(
    ("request_file", "said"),
    [
        ("{", "is no request: the file: "),
        ({"path": "thing"}, "is no request: path: "),
        ({"path": "/a\r\nX: 1"}, "is no request: path: "),
        ({"path": "/", "headers": {"x": "a\r\nb"}}, "is no request: headers.x: "),
        ({"path": "/", "url": "s3cret"}, "is no request: url: "),
    ],
)
def test_a_file_that_is_no_request_is_said_in_a_sentence(
    request_file: Any, said: str, differing: Place
) -> None:
    status, text = differing.replay(request_file)
    assert status == Exit.USAGE
    assert said in text
    assert "s3cret" not in text


def test_without_a_ready_pod_there_is_no_answer(differing: Place) -> None:
    differing.server.answers[listed("shadow")] = (200, {"items": []})
    status, text = differing.replay(GET)
    assert (status, "No pod of hal9-shadow is ready" in text) == (Exit.UNKNOWN, True)


def test_a_clone_that_breaks_off_is_a_sentence(
    differing: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object) -> socket.socket:
        one, other = socket.socketpair()
        other.close()
        return one

    monkeypatch.setattr(Access, "connect", closed)
    status, text = differing.replay(GET)
    assert (status, "A clone gave no answer" in text) == (Exit.UNKNOWN, True)


def test_an_answer_is_shown_as_lines() -> None:
    headers = {"set-cookie": "a=1\nb=2", "content-type": "text/plain"}
    lines = shown(Answer(200, headers, b"one\ntwo"))
    assert lines == [
        "HTTP 200",
        "content-type: text/plain",
        "set-cookie: a=1",
        "set-cookie: b=2",
        "",
        "one",
        "two",
    ]
    assert shown(Answer(200, {}, b"", cut="BodyTooLarge"))[-1] == "(more than 16777216 bytes)"
    assert printable("a\tb\x07") == "a\tb\\x07"
