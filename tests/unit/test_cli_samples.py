"""`verify --verbose` reads samples from the comparators, through the API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shadow_operator.cli.access import Access
from shadow_operator.cli.commands.samples import sample_lines
from shadow_operator.cli.errors import CliError
from shadow_operator.cli.main import run
from shadow_operator.cli.target import Target
from tests.support.apiserver import ApiServer
from tests.support.world import up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PODS = (
    "/api/v1/namespaces/hal9/pods?labelSelector=hal9.ai/shadow%3Dhal9%2Chal9.ai/role%3Dcomparator"
)


def pod(name: str) -> dict[str, Any]:
    """Give a comparator pod as a list has it."""
    ports = [{"name": "copies", "containerPort": 8080}, {"name": "admin", "containerPort": 9090}]
    return {"metadata": {"name": name}, "spec": {"containers": [{"ports": ports}]}}


def answer(*times: float) -> dict[str, Any]:
    """Give what a comparator answers: one sample for each time."""
    return {
        "kept": len(times),
        "samples": [
            {
                "method": "GET",
                "template": "/api/v1/status",
                "places": [{"path": "$.state", "kind": "text", "detail": ""}],
                "pairs": 7,
                "sample": {
                    "time": time,
                    "request_id": f"r-{time:.0f}",
                    "shadow_pod": "10.0.0.1",
                    "reference_pod": "10.0.0.2",
                    "shadow_status": 200,
                    "reference_status": 404,
                    "shadow_bytes": 12,
                    "reference_bytes": 13,
                },
            }
            for time in times
        ],
    }


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """Serve two comparators; the second has the newest sample."""
    with ApiServer().serving() as made:
        made.answers[PODS] = (200, {"items": [pod("a"), pod("b")]})
        made.answers[_samples("a")] = (200, answer(1_000.0, 500.0))
        made.answers[_samples("b")] = (200, answer(2_000.0))
        yield made


def _samples(name: str, limit: int = 10) -> str:
    return f"/api/v1/namespaces/hal9/pods/{name}:9090/proxy/samples?limit={limit}"


def lines(server: ApiServer, folder: Path, limit: int = 10) -> list[str]:
    """Ask for samples."""
    target = Target(kubeconfig=server.kubeconfig(folder))
    return sample_lines(target, up().situation.resource, limit)


def test_samples_of_all_comparators_come_newest_first(server: ApiServer, tmp_path: Path) -> None:
    said = lines(server, tmp_path)
    assert [line.split()[-1] for line in said if " GET " in line] == ["r-2000", "r-1000", "r-500"]
    assert said[1:4] == [
        "  1970-01-01 00:33:20.000Z GET /api/v1/status r-2000",
        "    shadow 10.0.0.1 200, 12 bytes; reference 10.0.0.2 404, 13 bytes",
        "    differs in $.state text (as 7 pairs)",
    ]


def test_no_more_are_shown_than_asked_for(server: ApiServer, tmp_path: Path) -> None:
    server.answers |= {_samples(n, 1): server.answers[_samples(n)] for n in ("a", "b")}
    assert len([line for line in lines(server, tmp_path, 1) if " GET " in line]) == 1


@pytest.mark.parametrize(
    ("path", "status", "content", "said"),
    [
        (PODS, 403, {}, "you may not list pods in namespace hal9; see: kubectl auth can-i"),
        (_samples("b"), 403, {}, "b: you may not get pods/proxy in namespace hal9"),
        (_samples("b"), 503, {}, "b: the API server answers 503 to: get pods/proxy"),
        (_samples("b"), 302, {}, "b: the API server answers 302 to: get pods/proxy"),
        (_samples("b"), 200, {"odd": 1}, "b: it is of another version"),
    ],
)
def test_what_can_not_be_read_is_said_and_ends_nothing(
    path: str, status: int, content: Any, said: str, *, server: ApiServer, tmp_path: Path
) -> None:
    server.answers[path] = (status, content)
    last = lines(server, tmp_path)[-1]
    assert last.startswith(f"  Not known: {said}")


def test_a_comparator_on_its_way_out_is_not_asked(server: ApiServer, tmp_path: Path) -> None:
    going = pod("b")
    going["metadata"]["deletionTimestamp"] = "2026-01-31T14:05:00Z"
    server.answers[PODS] = (200, {"items": [pod("a"), going]})
    del server.answers[_samples("b")]
    assert "Not known" not in "".join(lines(server, tmp_path))


def test_where_nothing_differed_that_is_said(server: ApiServer, tmp_path: Path) -> None:
    server.answers |= {_samples(name): (200, answer()) for name in ("a", "b")}
    assert lines(server, tmp_path)[1:] == ["  No pair that differed is remembered."]


def test_an_api_server_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    with ApiServer() as gone:
        kubeconfig = gone.kubeconfig(tmp_path)
    with pytest.raises(CliError, match="does not answer"):
        Access(kubeconfig, None, None).raw("/version", "get it")


def test_verbose_shows_them_below_the_gates(
    server: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = "/apis/hal9.ai/v1alpha1/namespaces/hal9/shadowdeployments"
    server.answers[listed] = (200, {"items": [up().body]})
    words = ["verify", "--tests", "shadow-comparison", "--kubeconfig", server.kubeconfig(tmp_path)]
    run("hal9-migrate", words)
    assert "r-2000" not in capsys.readouterr().out
    run("hal9-migrate", [*words, "--verbose", "--limit", "10"])
    assert "r-2000" in capsys.readouterr().out
