"""The first answers of a pod say nothing about how fast it is."""

import pytest

from shadow_operator.api.evidence import ComparatorConfig, Target
from shadow_operator.comparator import export
from shadow_operator.comparator.counts import Counts, Result, Rules
from shadow_operator.comparator.warming import WARM_ANSWERS, WARM_SECONDS, Warming
from shadow_operator.core.comparing.answer import Answer


def test_a_pod_is_warm_after_enough_answers_and_enough_time() -> None:
    warming = Warming()
    assert not any(warming.answered("a", 0.0) for _ in range(10 * WARM_ANSWERS))
    assert warming.answered("a", WARM_SECONDS)
    assert warming.answered("a", WARM_SECONDS)


def test_time_alone_warms_no_pod() -> None:
    warming = Warming()
    assert not warming.answered("a", 0.0)
    assert not warming.answered("a", 1000.0)


def test_each_pod_warms_up_for_itself() -> None:
    warming = Warming()
    for _ in range(WARM_ANSWERS):
        warming.answered("a", 0.0)
    assert warming.answered("a", WARM_SECONDS)
    assert not warming.answered("b", WARM_SECONDS)


def test_addresses_are_not_remembered_without_bound() -> None:
    warming = Warming()
    for number in range(5000):
        warming.answered(str(number), 0.0)
    assert len(warming._cold) <= 1025


CONFIG = ComparatorConfig(
    version="1", epoch="e", resource="a/b", nonce="n",
    shadow=Target(host="s", port=1), reference=Target(host="r", port=1),
)  # fmt: skip


def result(pod: str, seconds: float) -> Result:
    return Result(pod, Answer(200, {}, b"{}", 2), "", seconds)


@pytest.mark.parametrize(("shadow", "key"), [(0.02, 35), (0.005, -34)])
def test_latencies_and_their_ratio_count_once_both_pods_are_warm(shadow: float, key: int) -> None:
    counts, rules = Counts(), Rules(CONFIG).of("GET", "/a")
    tally = counts.tally("GET", "/a")
    for number in range(WARM_ANSWERS + 3):
        now = number * WARM_SECONDS
        tally.pair(result("s", shadow), result("r", 0.01), None, rules, now=now, request_id="")
    (route,) = export.routes(counts)
    assert (route.shadow_latency.count, route.reference_latency.count) == (3, 3)
    assert route.latency_ratio.bins == {key: 3}
