"""Statuses and sizes in few groups, and production's mix as the operator reads it."""

import pytest

from shadow_operator.core.comparing import mix
from shadow_operator.core.deploying import envoy_mix


@pytest.mark.parametrize(
    ("status", "group"),
    [
        (200, "2xx"), (201, "2xx"), (304, "2xx"), (416, "2xx"), (301, "3xx"), (400, "4xx"),
        (401, "401"), (404, "404"), (429, "429"), (500, "5xx"), (503, "5xx"),
    ],
)  # fmt: skip
def test_a_status_has_a_group(status: int, group: str) -> None:
    assert mix.group(status) == group


def test_the_name_of_a_template_in_envoy_is_not_the_template() -> None:
    assert mix.key("/a/{id}") == mix.key("/a/{id}") != mix.key("/a/{name}")


def test_only_counters_of_statuses_are_taken_out_of_an_envoys_values() -> None:
    name = mix.key("/a/{id}")
    values = {
        "vhost.production.route.eligible.upstream_rq_200": 5,
        "vhost.production.route.eligible.upstream_rq_304": 2,
        f"vhost.production.vcluster.{name}.upstream_rq_404": 3,
        "vhost.production.vcluster.skipped.upstream_rq_404": 9,
        "http.production.downstream_rq_active": 4,
    }
    assert envoy_mix.statuses(values) == {"": {"2xx": 7}, name: {"404": 3}}
    assert set(values) == {
        "vhost.production.vcluster.skipped.upstream_rq_404",
        "http.production.downstream_rq_active",
    }


@pytest.mark.parametrize(
    ("size", "begin"),
    [(0, "0"), (2, "1"), (3, "3"), (29, "10"), (299, "100"), (300, "300"), (10**12, "3000000")],
)
def test_a_size_has_a_class(size: int, begin: str) -> None:
    assert mix.size_class(size) == begin


def test_only_histograms_of_bytes_are_read_in_all_and_by_template() -> None:
    name = mix.key("/a/{id}")
    histograms = {
        "answers.bytes.template.": [(0.0, 4), (300.0, 1)],
        f"answers.bytes.template.{name}": [(300.0, 2), (990.0, 3), (1000.0, 5)],
        "vhost.production.route.eligible.upstream_rq_time": [(7.0, 9)],
    }
    assert envoy_mix.sizes(histograms) == {
        "": {"0": 4, "300": 6, "1000": 5},
        name: {"300": 5, "1000": 5},
    }
