"""The comparator's data path, on loopback sockets: from a copy to counts."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from aiohttp import web

from shadow_operator.api.enums import PresetName
from shadow_operator.api.evidence import ComparatorSnapshot, Mismatches, RouteCounts
from shadow_operator.comparator import pairs as pairs_module
from shadow_operator.comparator.counts import TRIGGERED_PER_SIGNATURE
from shadow_operator.comparator.pairs import MAX_PAIRS
from shadow_operator.comparator.room import Room
from shadow_operator.comparator.sketch import Latencies
from shadow_operator.core.comparing.mix import group
from tests.support.comparator import Bench, Handler, answer, never, running

SAME = answer({"state": "on"})
OTHER = answer({"state": "off"})


def conserved(route: RouteCounts) -> bool:
    """Hold the contract's sum: every compared pair is in exactly one outcome."""
    signatures = sum(signature.pairs for signature in route.signatures)
    return route.pairs == route.matched + route.hinted_only + signatures + route.overflow


async def sent(bench: Bench, times: int, path: str = "/thing", **kwargs: Any) -> RouteCounts:
    for _ in range(times):
        assert await bench.send(path, **kwargs) == 200
    route = await bench.route()
    assert conserved(route)
    return route


async def test_equal_answers_match() -> None:
    async with running([SAME], [SAME]) as bench:
        route = await sent(bench, 4)
    assert (route.name, route.pairs, route.matched, route.leaves) == ("GET /thing", 4, 4, 4)
    assert route.latency_ratio.count == 0  # both pods still warm up


async def test_different_answers_are_counted_under_their_signature() -> None:
    async with running([OTHER], [SAME]) as bench:
        route = await sent(bench, 5, headers={"X-Request-Id": "req-1"})
    (signature,) = route.signatures
    assert [(place.path, place.kind) for place in signature.places] == [("$.state", "text")]
    assert signature.pairs == 5
    assert signature.samples[-1].request_id == "req-1"
    assert signature.samples[-1].reference_bytes == len(b'{"state": "on"}')
    (path,) = route.paths
    assert (path.path, path.reference, path.shadow, path.leaves) == ("$.state", 5, 5, 5)


async def test_a_hinted_place_stays_out_of_signatures() -> None:
    shadow, reference = answer({"at": 1, "state": "on"}), answer({"at": 2, "state": "on"})
    hints = [{"path": "$.at", "route": "GET /thing"}]
    async with running([shadow], [reference], hints=hints) as bench:
        route = await sent(bench, 4)
        seen = len(route.signatures)
        # The first pairs, before the key is shown, are counted under `$.{*}`.
        assert route.hinted_only + sum(one.pairs for one in route.signatures) == 4
    assert seen <= 1
    assert route.hinted_only >= 1
    assert route.hinted[0].place.path == "$.at"


UNPROVEN: dict[str, tuple[int, int, dict[str, int], int]] = {
    "both unauthorised prove nothing": (401, 401, {"401": 1}, 0),
    "both not found prove nothing": (404, 404, {"404": 1}, 0),
    "two server errors prove nothing": (500, 503, {"500": 1}, 0),
    "another refusal is a difference": (401, 403, {}, 1),
    "an error of the shadow alone is a difference": (200, 500, {}, 1),
    "created on both sides is a match": (201, 201, {}, 1),
}


@pytest.mark.parametrize("sentence", UNPROVEN)
async def test_pairs_that_prove_nothing(sentence: str) -> None:
    reference, shadow, unproven, compared = UNPROVEN[sentence]
    async with running([answer(status=shadow)], [answer(status=reference)]) as bench:
        route = await sent(bench, 1)
    assert (route.unproven, route.pairs) == (unproven, compared)
    assert route.reference_statuses == {group(reference): 1}


async def broken(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


FAILURES: dict[str, tuple[Handler, Handler, str]] = {
    "only the shadow breaks off": (broken, SAME, "shadow_errors"),
    "only the reference breaks off": (SAME, broken, "reference_errors"),
    "both break off": (broken, broken, "both_errors"),
    "only the shadow is late": (never, SAME, "shadow_timeouts"),
    "only the reference is late": (SAME, never, "reference_timeouts"),
    "both are late": (never, never, "both_timeouts"),
    "one breaks off and one is late": (broken, never, "both_errors"),
}


@pytest.mark.parametrize("sentence", FAILURES)
async def test_failures(sentence: str) -> None:
    shadow, reference, outcome = FAILURES[sentence]
    async with running([shadow], [reference], timeout_seconds=0.2) as bench:
        route = await sent(bench, 1)
    counted = {name: value for name, value in route if name.endswith(("_errors", "_timeouts"))}
    assert counted == {**dict.fromkeys(counted, 0), outcome: 1}
    assert route.pairs == 0
    assert route.reference_statuses == ({"2xx": 1} if reference is SAME else {})


async def test_a_refused_connection_is_an_error_of_the_shadow() -> None:
    async with running([SAME], [SAME]) as bench:
        bench.shadows[0].address = ("127.0.0.1", 1)
        await bench.comparator._shadows.refresh()
        route = await sent(bench, 1)
    assert route.shadow_errors == 1


async def test_without_a_reference_only_failures_and_latencies_are_counted() -> None:
    async with running([SAME], [], reference=None) as bench:
        route = await sent(bench, 3)
    assert (route.pairs, route.shadow_latency.count, route.shadow_errors) == (0, 3, 0)


async def test_the_mirror_is_answered_before_any_clone_answers() -> None:
    async with running([never], [never], timeout_seconds=60) as bench:
        assert await bench.send("/a") == 200
        assert await bench.send("/b") == 200
        await bench.until(lambda: bench.comparator.in_flight == 2)


async def test_controls_go_to_another_reference_pod_at_the_same_time() -> None:
    async with running([SAME], [SAME, OTHER], control_percent=100) as bench:
        route = await sent(bench, 4)
        seen = [len(pod.seen) for pod in bench.references]
    assert seen == [4, 4]
    assert route.uniform.triples == 4
    assert {count.place.path: count.pairs for count in route.uniform.reference} == {"$.state": 4}
    assert route.triggered.triples == 0


async def test_there_is_no_control_with_one_reference_pod() -> None:
    async with running([OTHER], [SAME], control_percent=100) as bench:
        route = await sent(bench, 2)
    assert route.uniform.triples == route.triggered.triples == 0


async def test_pairs_that_differ_get_an_extra_control_that_is_counted_apart() -> None:
    async with running([OTHER], [SAME, SAME]) as bench:
        route = await sent(bench, TRIGGERED_PER_SIGNATURE + 5)
    assert route.uniform.triples == 0
    assert route.triggered.triples == TRIGGERED_PER_SIGNATURE
    assert route.triggered.reference == ()
    assert route.triggered.shadow[0].pairs == TRIGGERED_PER_SIGNATURE


@pytest.mark.parametrize("percent", [0, 100])
async def test_controls_leave_the_load_of_both_roles_alike(percent: int) -> None:
    async with running([OTHER, OTHER], [SAME, SAME], control_percent=percent) as bench:
        await sent(bench, 4)
        served = [sum(len(p.seen) for p in role) for role in (bench.shadows, bench.references)]
    assert served == [8, 8]


async def test_a_session_stays_on_its_pods_and_others_take_turns() -> None:
    async with running([SAME, SAME], [SAME, SAME], forward_headers=["Cookie"]) as bench:
        await sent(bench, 6, headers={"Cookie": "sid=1"})
        assert sorted(len(pod.seen) for pod in bench.shadows) == [0, 6]
        assert sorted(len(pod.seen) for pod in bench.references) == [0, 6]
        await sent(bench, 6)
        assert sorted(len(pod.seen) for pod in bench.shadows) == [3, 9]


async def test_an_unsafe_request_goes_exactly_once_to_every_clone() -> None:
    methods = ["GET", "POST"]
    async with running([OTHER, OTHER], [SAME, SAME, SAME], methods=methods) as bench:
        route = await sent(bench, 3, method="POST", data=b"x=1")
        every = [*bench.shadows, *bench.references]
        assert [[seen.body for seen in pod.seen] for pod in every] == [[b"x=1"] * 3] * 5
    assert route.uniform.triples == 3
    assert route.triggered.triples == 0


async def test_an_unsafe_request_is_not_sent_again_when_its_connection_breaks() -> None:
    async with running([broken], [SAME], methods=["POST"]) as bench:
        await sent(bench, 2, method="POST", data=b"x")
        assert len(bench.shadows[0].seen) == 2


async def test_a_safe_request_is_sent_again_when_a_kept_connection_was_closed() -> None:
    async with running([SAME], [SAME]) as bench:
        await sent(bench, 1)
        idle = bench.comparator._client._idle[bench.shadows[0].address]
        # The server has closed; the client has not noticed yet.
        request_count = len(bench.shadows[0].seen)
        bench.shadows[0].handler = _breaks_once(SAME)
        assert idle
        route = await sent(bench, 1)
    assert (route.shadow_errors, route.pairs) == (0, 2)
    assert len(bench.shadows[0].seen) == request_count + 2


def _breaks_once(then: Handler) -> Handler:
    calls = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        return await (broken if calls == 1 else then)(request)

    return handle


async def test_pairs_of_one_session_keep_their_order_around_unsafe_ones() -> None:
    order: list[str] = []
    gate = asyncio.Event()

    async def record(request: web.Request) -> web.StreamResponse:
        order.append(f"{request.method} {request.path}")
        if request.path == "/slow":
            await gate.wait()
        return web.Response()

    async with running([record], [SAME], methods=["GET", "PUT"]) as bench:
        await bench.send("/slow")
        await bench.send("/write", method="PUT")
        await bench.send("/after")
        await bench.send("/other", headers={"Authorization": "someone else"})
        await bench.until(lambda: "GET /other" in order)
        assert order == ["GET /slow", "GET /other"]
        gate.set()
        await bench.settled()
    assert order == ["GET /slow", "GET /other", "PUT /write", "GET /after"]


async def test_a_copy_over_the_limit_is_answered_at_once_and_shed() -> None:
    async with running([SAME], [SAME], methods=["POST"], max_body_bytes=1000) as bench:
        reader, writer = await asyncio.open_connection(*bench.comparator.copies_address)
        writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9000\r\n\r\n" + b"x" * 2000)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.write(b"x" * 7000 + b"GET /next HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()
        snapshot = await bench.settled()
    assert (snapshot.received, snapshot.eligible) == (2, 1)
    assert snapshot.shed == {"BodyTooLarge": 1}
    assert bench.comparator._client.memory.free == pairs_module.MAX_BYTES


async def test_an_answer_over_the_limit_is_a_length_or_incomparable_on_both_sides() -> None:
    large, small = answer(["x" * 5000]), answer(["x"])
    async with running([large], [small], max_body_bytes=1000) as bench:
        one = await sent(bench, 1)
    async with running([large], [large], max_body_bytes=1000) as bench:
        both = await sent(bench, 1)
        assert bench.comparator._client.memory.free == pairs_module.MAX_BYTES
    assert one.signatures[0].places[0].kind == "length"
    assert (both.incomparable, both.pairs) == ({"BodyTooLarge": 1}, 0)


async def test_an_endless_answer_does_not_hold_a_pair() -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    async with running([stream], [stream]) as bench:
        route = await sent(bench, 1)
    assert route.incomparable == {"EventStream": 1}


async def test_head_chunked_and_until_close_answers_are_understood() -> None:
    async def chunked(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b'{"state":')
        await response.write(b' "on"}')
        return response

    async with running([chunked], [SAME]) as bench:
        assert (await sent(bench, 3)).matched == 3
    async with running([SAME], [SAME]) as bench:
        assert (await sent(bench, 3, method="HEAD")).matched == 3
    until_close = b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n" + b'{"state": "on"}'

    async def closes(request: web.Request) -> web.StreamResponse:
        assert isinstance(request.transport, asyncio.Transport)
        request.transport.write(until_close)
        request.transport.close()
        raise asyncio.CancelledError

    async with running([closes], [answer({"state": "on"})]) as bench:
        route = await sent(bench, 1)
    assert route.pairs == 1
    assert {place.path for place in route.signatures[0].places} == {"header:server"}


async def test_a_full_house_is_shed_and_nothing_waits() -> None:
    async with running([never], [SAME], timeout_seconds=60) as bench:
        for _ in range(MAX_PAIRS + 10):
            await bench.send()
        snapshot = await bench.snapshot()
    assert (snapshot.in_flight, snapshot.shed) == (MAX_PAIRS, {"Overload": 10})
    assert snapshot.eligible == MAX_PAIRS + 10


SHED: dict[str, tuple[dict[str, Any], Sequence[Handler], Sequence[Handler], str]] = {
    "no shadow pod": ({}, [], [SAME], "NoShadow"),
    "no reference pod": ({}, [SAME], [], "NoReference"),
    "nobody looks": ({"dead_man_seconds": 1e-9}, [SAME], [SAME], "DeadMan"),
    "over the rate": ({"max_requests_per_second": 0}, [SAME], [SAME], "RateLimit"),
}


@pytest.mark.parametrize("sentence", SHED)
async def test_eligible_copies_that_are_not_compared(sentence: str) -> None:
    settings, shadows, references, reason = SHED[sentence]
    async with running(list(shadows), list(references), **settings) as bench:
        assert await bench.send() == 200
        snapshot = await bench.settled()
        assert [len(clone.seen) for clone in bench.shadows] == [0] * len(shadows)
    assert snapshot.shed == {reason: 1}
    assert (snapshot.received, snapshot.eligible, snapshot.routes) == (1, 1, ())


async def test_only_the_operators_scrape_feeds_the_dead_man() -> None:
    async with running([SAME], [SAME], dead_man_seconds=30) as bench:
        before = bench.comparator.pairs.fed
        bench.comparator.pairs.fed -= 31
        await bench.snapshot()
        await bench.send()
        assert (await bench.settled()).shed == {"DeadMan": 1}
        await bench.snapshot("?scraper=operator")
        assert bench.comparator.pairs.fed >= before
        await bench.send()
        assert (await bench.settled()).shed == {"DeadMan": 1}
        assert bench.comparator.ready


async def test_what_is_not_http_closes_the_connection_and_nothing_else() -> None:
    async with running([SAME], [SAME]) as bench:
        for junk in (b"\x16\x03\x01\x00\xa5\x01\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
            assert (await bench.raw(junk)).startswith(b"HTTP/1.1 400")
        head = b"GET / HTTP/1.1\r\n" + b"".join(
            b"x-%d: %b\r\n" % (i, b"y" * 900) for i in range(400)
        )
        assert (await bench.raw(head)).startswith(b"HTTP/1.1 400")
        assert (await sent(bench, 1)).matched == 1


async def test_a_copy_that_breaks_off_gives_its_memory_back() -> None:
    async with running([SAME], [SAME], methods=["POST"]) as bench:
        _, writer = await asyncio.open_connection(*bench.comparator.copies_address)
        writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9000\r\n\r\n" + b"x" * 2000)
        memory = bench.comparator.pairs._receiving
        await bench.until(lambda: memory.free < memory.size)
        writer.close()
        await bench.until(lambda: memory.free == memory.size)
        assert (await bench.settled()).shed == {"Broken": 1}


async def test_copies_may_come_in_a_pipeline_and_are_answered_in_order() -> None:
    async with running([SAME], [SAME]) as bench:
        answers = await bench.raw(
            b"GET /a HTTP/1.1\r\nhost: a\r\n\r\nGET /b HTTP/1.1\r\nhost: a\r\n\r\n"
            b"GET /c HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        )
        assert answers.count(b"HTTP/1.1 200 OK") == 3
        assert (await bench.settled()).received == 3


async def test_expect_continue_is_answered() -> None:
    async with running([SAME], [SAME], methods=["POST"]) as bench:
        assert await bench.send("/x", method="POST", data=b"abc", expect100=True) == 200
        assert (await bench.route()).matched == 1
        assert bench.shadows[0].seen[0].header("expect") is None


async def test_the_snapshot_is_the_contract_and_can_be_read_twice() -> None:
    async with running([OTHER], [SAME]) as bench:
        await sent(bench, 3)
        first, second = await bench.snapshot(), await bench.snapshot()
        async with bench.client.get(f"{bench.admin}/snapshot") as response:
            assert orjson.loads(await response.read())["schema_version"] == 1
    assert first.model_copy(update={"time": 0}) == second.model_copy(update={"time": 0})
    assert (first.pod_uid, first.epoch, first.config_version) == ("uid", "e1", "1")


async def test_metrics_have_the_runbooks_name() -> None:
    async with running([OTHER], [SAME]) as bench:
        await sent(bench, 3)
        await bench.send(method="DELETE")
        async with bench.client.get(f"{bench.admin}/metrics") as response:
            text = await response.text()
    assert 'shadow_requests_total{outcome="mismatched"} 3.0' in text
    assert 'shadow_requests_total{outcome="skipped"} 1.0' in text
    assert 'shadow_pairs_total{method="GET",outcome="mismatched",route="/thing"} 3.0' in text
    assert 'shadow_latency_seconds_count{role="shadow"} 0.0' in text


async def test_the_shadow_has_the_metrics_of_its_preset_and_production_has_its_own() -> None:
    failing = answer({}, status=500)
    async with running([failing], [SAME], preset="HAL9") as bench:
        await sent(bench, 3)
        async with bench.client.get(f"{bench.admin}/metrics") as response:
            text = await response.text()
        bench.comparator.apply(bench.config.model_copy(update={"preset": PresetName.NONE}))
        async with bench.client.get(f"{bench.admin}/metrics") as response:
            without = await response.text()
    assert 'hal9_requests_total{system="hierarchical"} 3.0' in text
    assert 'hal9_errors_total{system="hierarchical"} 3.0' in text
    assert 'hal9_request_duration_seconds_bucket{le="+Inf",system="hierarchical"} ' in text
    assert 'system="flat"' not in text
    assert "hal9" not in without


def test_a_histogram_counts_what_is_at_most_as_long() -> None:
    durations = Latencies(Room(1 << 10))
    for seconds in (0.0, 0.02, 0.03, 7.0):
        durations.add(seconds)
    assert [durations.at_most(edge) for edge in (0.001, 0.025, 0.05, 10.0)] == [1, 2, 3, 4]


async def test_samples_are_the_latest_pairs_that_differed_without_a_value() -> None:
    async with running([OTHER], [SAME]) as bench:
        for path, name in (("/thing", "a"), ("/thing", "b"), ("/thing", "c"), ("/other", "d")):
            await bench.send(path, headers={"x-request-id": name})
            await bench.settled()
        async with bench.client.get(f"{bench.admin}/samples?limit=2") as response:
            few = Mismatches.model_validate_json(await response.read())
        async with bench.client.get(f"{bench.admin}/samples?limit=x") as response:
            every, text = (
                Mismatches.model_validate_json(await response.read()),
                await response.text(),
            )
    assert [one.sample.request_id for one in few.samples] == ["d", "c"]
    assert (few.kept, every.kept, len(every.samples)) == (3, 3, 3)
    first = every.samples[0]
    assert (first.method, first.template, first.pairs) == ("GET", "/{}", 1)
    assert [place.path for place in every.samples[1].places] == ["$.state"]
    assert "off" not in text


async def test_layer_endpoints_are_passed_through_to_the_shadow() -> None:
    async with running([answer({"status": "ok"}, status=418)], [SAME]) as bench:
        url = f"{bench.admin}/hierarchical/substrate/status?x=1"
        async with bench.client.get(url) as response:
            assert (response.status, await response.json()) == (418, {"status": "ok"})
        assert bench.shadows[0].seen[0].path == "/hierarchical/substrate/status?x=1"
        async with bench.client.post(url) as response:
            assert response.status == 405
        bench.shadows[0].address = ("127.0.0.1", 1)
        await bench.comparator._shadows.refresh()
        async with bench.client.get(url) as response:
            assert (response.status, await response.json()) == (502, {"state": "Unreachable"})


@pytest.mark.parametrize(
    ("parts", "status", "size"), [(40, 200, 40 << 14), (65, 502, len('{"state": "TooLarge"}'))]
)
async def test_layer_endpoints_are_passed_through_whole_or_not_at_all(
    parts: int, status: int, size: int
) -> None:
    async def in_parts(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(parts):
            await response.write(b"x" * (1 << 14))
        return response

    async with (
        running([in_parts], [SAME]) as bench,
        bench.client.get(f"{bench.admin}/hierarchical/health") as response,
    ):
        assert (response.status, len(await response.read())) == (status, size)


async def test_layer_endpoints_say_that_there_is_no_shadow() -> None:
    async with (
        running([], [SAME]) as bench,
        bench.client.get(f"{bench.admin}/hierarchical/health") as response,
    ):
        assert (response.status, await response.json()) == (503, {"state": "NotDeployed"})


async def test_a_drained_comparator_serves_its_snapshot_until_it_is_read() -> None:
    async with running([never], [SAME], timeout_seconds=0.3) as bench:
        await bench.send()
        drain = asyncio.create_task(bench.comparator.drain(linger=0.05, end=5))
        await bench.until(lambda: not bench.comparator.ready)
        async with bench.client.get(f"{bench.admin}/readyz") as response:
            assert response.status == 503
        await bench.send()  # endpoints change late: copies are still welcome for a moment
        await bench.until(lambda: bench.comparator.pairs.draining)
        await bench.send()
        await bench.until(lambda: bench.comparator.in_flight == 0)
        assert not drain.done()
        final = await bench.snapshot("?scraper=operator")
        assert await drain
    assert final.routes[0].shadow_timeouts == 2
    assert final.shed == {"Draining": 1}


async def test_a_drain_ends_when_nobody_reads() -> None:
    async with running([SAME], [SAME]) as bench:
        assert not await bench.comparator.drain(linger=0, end=0.05)


async def test_a_new_configuration_is_in_force_at_once() -> None:
    async with running([OTHER], [SAME], exclude=[{"value": "/thing"}]) as bench:
        await bench.send()
        changed = bench.config.model_copy(update={"exclude": (), "version": "2"})
        bench.comparator.apply(changed)
        await bench.send()
        snapshot = await bench.settled()
    assert (snapshot.skipped, snapshot.eligible) == ({"Excluded": 1}, 1)
    assert snapshot.config_version == "2"


async def test_several_comparators_add_up_to_one() -> None:
    snapshots: list[ComparatorSnapshot] = []
    for handler in (SAME, OTHER):
        async with running([handler], [SAME]) as bench:
            await sent(bench, 3)
            snapshots.append(await bench.snapshot())
    assert len({snapshot.name for snapshot in snapshots}) == 2
    assert sum(snapshot.routes[0].pairs for snapshot in snapshots) == 6
    assert {snapshot.routes[0].name for snapshot in snapshots} == {"GET /thing"}


async def test_a_body_of_a_post_reaches_both_sides_with_its_length() -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        return web.json_response(json.loads(await request.read()))

    async with running([echo], [echo], methods=["POST"]) as bench:
        route = await sent(bench, 2, method="POST", json={"a": [1, 2, 3]})
        seen = bench.shadows[0].seen[0]
    assert route.matched == 2
    assert (seen.header("content-length"), seen.header("transfer-encoding")) == ("16", None)
