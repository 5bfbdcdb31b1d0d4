"""Which copies are eligible, and what of them reaches the clones."""

import random
import re
from typing import Any

import pytest

from shadow_operator.api.evidence import ComparatorConfig
from shadow_operator.comparator.copy import Copy, Policy, Skip, admit

BASE: dict[str, Any] = {
    "version": "1",
    "epoch": "e",
    "resource": "ns/name",
    "nonce": "n0nce",
    "shadow": {"host": "s", "port": 1},
    "reference": {"host": "r", "port": 1},
}


def policy(**settings: Any) -> Policy:
    return Policy(ComparatorConfig.model_validate({**BASE, **settings}))


def decide(
    target: str = "/thing",
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    **settings: Any,
) -> Copy | Skip:
    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return admit(policy(**settings), method.encode(), target.encode(), raw, 1)


SKIPPED: dict[str, tuple[dict[str, Any], Skip]] = {
    "a marked copy of ours": ({"headers": {"X-Shadow-Copy": "n0nce"}}, Skip.LOOP),
    "a marked copy of another resource": ({"headers": {"x-shadow-copy": "else"}}, Skip.LOOP),
    "an upgrade": ({"headers": {"Upgrade": "websocket"}}, Skip.UPGRADE),
    "a tunnel": ({"method": "CONNECT", "target": "a:443"}, Skip.UPGRADE),
    "gRPC": ({"headers": {"Content-Type": "application/grpc+proto"}}, Skip.GRPC),
    "an event stream": (
        {"headers": {"Accept": "text/html, Text/Event-Stream"}},
        Skip.EVENT_STREAM,
    ),
    "a method that is not listed": ({"method": "POST"}, Skip.METHOD),
    "a path that is not included": ({"include": [{"value": "/api"}]}, Skip.NOT_INCLUDED),
    "an excluded path": ({"exclude": [{"value": "/thing"}]}, Skip.EXCLUDED),
    "exclude wins over include": (
        {"include": [{"value": "/"}], "exclude": [{"value": "/thing"}]},
        Skip.EXCLUDED,
    ),
    "a path below an excluded one": (
        {"target": "/thing/1?x=/api", "exclude": [{"value": "/thing/"}]},
        Skip.EXCLUDED,
    ),
    "an excluded path in an absolute URL": (
        {"target": "http://host/thing", "exclude": [{"value": "/thing"}]},
        Skip.EXCLUDED,
    ),
}


@pytest.mark.parametrize("sentence", SKIPPED)
def test_not_eligible(sentence: str) -> None:
    request, reason = SKIPPED[sentence]
    assert decide(**request) is reason


UNUSUAL: dict[str, str] = {
    "an empty segment": "//admin/x",
    "an empty segment inside": "/admin//x",
    "an encoded letter": "/%61dmin/x",
    "a letter that is encoded twice": "/%2561dmin/x",
    "an encoded slash": "/admin%2fx",
    "a way up": "/a/../admin/x",
    "an encoded way up": "/a/%2e%2e/admin/x",
    "a way up from the top": "/../admin/x",
    "a way up that is not resolved": "//admin/../b",
    "a dot": "/./admin/x",
    "parameters": "/admin;v=1/x",
    "parameters of a way up": "/a/..;/admin/x",
    "a backslash": "/a\\..\\admin/x",
    "a fragment": "/admin#x",
}


@pytest.mark.parametrize("sentence", UNUSUAL)
def test_an_excluded_path_in_an_unusual_spelling(sentence: str) -> None:
    assert decide(UNUSUAL[sentence], exclude=[{"value": "/admin"}]) is Skip.EXCLUDED


@pytest.mark.parametrize(
    ("path", "rule", "prefix"),
    [
        ("/caf%C3%A9/x", "/caf\N{LATIN SMALL LETTER E WITH ACUTE}", True),
        ("//a%20b/c", "/a%20b", True),
        ("//admin", "/admin", False),
        ("/x/../admin/", "/admin/", False),
    ],
)
def test_rules_are_read_like_paths(path: str, rule: str, *, prefix: bool) -> None:
    assert decide(path, exclude=[{"value": rule, "prefix": prefix}]) is Skip.EXCLUDED


def test_a_way_up_leaves_what_is_included() -> None:
    assert decide("/api/../admin", include=[{"value": "/api"}]) is Skip.NOT_INCLUDED
    assert isinstance(decide("/api/a;v=1/%20b", include=[{"value": "/api"}]), Copy)


def test_a_share_of_the_eligible_copies_is_drawn() -> None:
    random.seed(1)
    taken = [decide(sample_percent=10) for _ in range(2000)]
    assert set(map(type, taken)) == {Copy, Skip}
    assert {one for one in taken if isinstance(one, Skip)} == {Skip.NOT_SAMPLED}
    assert 140 < sum(isinstance(one, Copy) for one in taken) < 260
    assert decide(sample_percent=0) is Skip.NOT_SAMPLED
    assert decide(method="POST", sample_percent=0) is Skip.METHOD


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "HEAD"},
        {"method": "POST", "methods": ["POST"]},
        {"include": [{"value": "/thing"}]},
        {"target": "/things", "exclude": [{"value": "/thing"}]},
        {"target": "/thing/1", "exclude": [{"value": "/thing", "prefix": False}]},
        {"target": "/thing?x", "include": [{"value": "/thing", "prefix": False}]},
        {"target": "/things;/.well-known/%2561", "exclude": [{"value": "/thing"}]},
    ],
)
def test_eligible(request_: dict[str, Any]) -> None:
    assert isinstance(decide(**request_), Copy)


def lines(headers: dict[str, str], **settings: Any) -> list[str]:
    """Return the header lines that the clones get, without marker and trace context."""
    copy = decide(headers=headers, **settings)
    assert isinstance(copy, Copy)
    first, marker, *rest = copy.head.decode().split("\r\n")
    assert first == "GET /thing HTTP/1.1"
    assert marker == "x-shadow-copy: n0nce"
    assert re.fullmatch(r"traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", rest[-2])
    return rest[:-2]


FORWARDED: dict[str, tuple[dict[str, str], dict[str, Any], list[str]]] = {
    "Host, order and case stay": (
        {"Host": "api.example.com", "X-B": "1", "x-A": "2"},
        {},
        ["Host: api.example.com", "X-B: 1", "x-A: 2"],
    ),
    "hop-by-hop headers and those that Connection lists go": (
        {"Connection": "close, X-Hop", "X-Hop": "1", "Keep-Alive": "1", "TE": "trailers"},
        {},
        [],
    ),
    "conditions and ranges go": (
        {"If-None-Match": "a", "If-Modified-Since": "b", "Range": "bytes=0-1", "If-Range": "c"},
        {},
        [],
    ),
    "credentials go": (
        {"Authorization": "a", "Cookie": "b", "X-Api-Key": "c", "Proxy-Authorization": "d"},
        {},
        [],
    ),
    "listed credentials stay": (
        {"Authorization": "a", "Cookie": "b"},
        {"forward_headers": ["Authorization"]},
        ["Authorization: a"],
    ),
    "only codings that can be decoded are accepted": (
        {"Accept-Encoding": "br, gzip;q=0.8, zstd, deflate"},
        {},
        ["Accept-Encoding: gzip;q=0.8, deflate"],
    ),
    "no coding can be decoded": ({"Accept-Encoding": "br"}, {}, ["Accept-Encoding: identity"]),
    "other traces go, the request id stays": (
        {"b3": "a", "X-B3-TraceId": "b", "tracestate": "c", "X-Request-Id": "r1"},
        {},
        ["X-Request-Id: r1"],
    ),
}


@pytest.mark.parametrize("sentence", FORWARDED)
def test_what_the_clones_get(sentence: str) -> None:
    headers, settings, expected = FORWARDED[sentence]
    assert lines(headers, **settings) == expected


@pytest.mark.parametrize("name", ["If-None-Match", "if-modified-since", "Range"])
def test_a_copy_says_whether_production_was_asked_for_a_whole_answer(name: str) -> None:
    whole, part = decide(headers={"Accept": "x"}), decide(headers={name: "a"})
    assert isinstance(whole, Copy)
    assert isinstance(part, Copy)
    assert (whole.whole, part.whole) == (True, False)


def test_the_trace_is_new_and_as_sampled_as_before() -> None:
    given = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    copy = decide(headers={"traceparent": given})
    assert isinstance(copy, Copy)
    head = copy.head.decode()
    assert "a" * 32 not in head
    assert head.endswith("-01\r\n")


def test_credentials_that_are_held_back_are_named() -> None:
    headers = {"Cookie": "a", "authorization": "b"}
    copy = decide(headers=headers, forward_headers=["cookie"])
    assert isinstance(copy, Copy)
    assert copy.credentials == ("authorization",)


def test_a_session_is_told_by_its_credentials_alone() -> None:
    def session(**headers: str) -> int:
        copy = decide(headers=headers)
        assert isinstance(copy, Copy)
        return copy.session

    assert session(Cookie="a") == session(Cookie="a", Accept="x") != session(Cookie="b")
    assert session() == session(Accept="x") == 0
    assert session(Cookie="ab") != session(Cookie="b", Authorization="a") != session(Cookie="a")


def test_a_session_is_the_same_in_every_comparator_of_a_resource() -> None:
    def session(nonce: str) -> int:
        return policy(nonce=nonce).session({b"cookie": b"sid=1"})

    assert session("n0nce") == 4025679317411998790
    assert session("n0nce") != session("other")


@pytest.mark.parametrize(
    ("given", "kept"),
    [("req-1:a.b_c", "req-1:a.b_c"), ("two words", ""), ("x" * 65, ""), ("<script>", "")],
)
def test_a_request_id_is_kept_only_if_it_looks_like_one(given: str, kept: str) -> None:
    copy = decide(headers={"x-request-id": given})
    assert isinstance(copy, Copy)
    assert copy.request_id == kept
