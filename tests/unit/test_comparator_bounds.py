"""Whatever arrives, the snapshot stays small and no value leaves in it, in metrics or in logs."""

import json
import random
from typing import Any

import pytest
import structlog
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest

from shadow_operator.api.evidence import ComparatorConfig
from shadow_operator.comparator import export, metrics
from shadow_operator.comparator.admin import encode
from shadow_operator.comparator.counts import MAX_ROUTES, Counts, Result, Rules
from shadow_operator.comparator.room import SNAPSHOT_BYTES, Room
from shadow_operator.comparator.sketch import MAPPING, Latencies, merged, wire
from shadow_operator.core.comparing.answer import Answer
from tests.support.comparator import running
from tests.unit.test_comparator_copy import BASE

MIB = 1 << 20
LETTERS = "bcdfghjklmnpqrstvwxz"


def word(number: int, length: int = 6) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(LETTERS))
        digits.append(LETTERS[digit])
    return "".join(digits)


def fill(counts: Counts, pairs: int) -> None:
    """Count pairs that differ in ever new places, on ever new routes, with ever new durations."""
    rules = Rules(ComparatorConfig.model_validate(BASE))
    draw = random.Random(1)  # noqa: S311 - made-up numbers

    def result(content: object) -> Result:
        headers = {"content-type": "application/json"}
        answer = Answer(200, headers, json.dumps(content).encode(), 100)
        return Result("10.0.0.1", answer, "", draw.lognormvariate(-5, 4))

    for number in range(pairs):
        for _ in range(3):
            path = f"/{word(number % 29)}/{word(number // 29 % 29)}/{word(number % 31)}"
            tally = counts.tally("GET", path)
            keys = [word(draw.randrange(200), 40) for _ in range(20)]
            tally.pair(
                result(dict.fromkeys(keys, "on")),
                result(dict.fromkeys(keys, "off")),
                result(dict.fromkeys(keys, "out")),
                rules.of("GET", tally.route.template),
                now=1_700_000_000.123,
                request_id="r" * 64,
            )


def test_the_snapshot_stays_under_a_mebibyte() -> None:
    counts = Counts()
    fill(counts, 700)
    routes = export.routes(counts)
    size = len(
        json.dumps([route.model_dump(mode="json", exclude_defaults=True) for route in routes])
    )
    assert counts.room.free < 2_000, "the test has to fill the room"
    assert size < MIB
    assert len(routes) <= MAX_ROUTES
    assert sum(route.overflow for route in routes) > 0
    for route in routes:
        signatures = sum(signature.pairs for signature in route.signatures)
        assert route.pairs == route.matched + route.hinted_only + signatures + route.overflow


def test_a_histogram_has_one_per_cent_accuracy_and_merges_bin_by_bin() -> None:
    draw = random.Random(1)  # noqa: S311 - made-up numbers
    values = [draw.lognormvariate(-4, 1) for _ in range(5000)]
    halves = [Latencies(Room(SNAPSHOT_BYTES)), Latencies(Room(SNAPSHOT_BYTES))]
    for number, value in enumerate(values):
        halves[number % 2].add(value)
    whole = merged(halves)
    for share in (0.5, 0.99):
        exact = sorted(values)[int(share * (len(values) - 1))]
        assert whole.quantile(share) == pytest.approx(exact, rel=0.01)
    assert wire(whole).count == sum(wire(whole).bins.values()) == 5000


def test_a_histogram_without_room_keeps_every_count() -> None:
    sketch = Latencies(Room(30))
    for power in range(20):
        sketch.add(10.0 ** (power - 10))
    shown = wire(sketch)
    assert shown.count == 20 == shown.zero + sum(shown.bins.values())
    assert len(shown.bins) == 3
    assert max(shown.bins) >= MAPPING.key(0.001)


# A planted value is told from words of the program by its length and letters.
SECRETS = st.text(alphabet="zqxjkvwZQXJKVW", min_size=12, max_size=20)


@given(
    secrets=st.lists(SECRETS, min_size=6, max_size=6, unique=True),
    shape=st.sampled_from(["value", "key", "nested key", "text", "mail"]),
)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_no_value_of_a_request_or_an_answer_leaves(
    secrets: list[str], shape: str, capsys: pytest.CaptureFixture[str]
) -> None:
    body, other, path, query, header, cookie = secrets

    def content(secret: str) -> bytes:
        values: dict[str, Any] = {
            "value": {"name": secret},
            "key": {secret: 1},
            "nested key": {"users": [{secret: {"a": secret}}]},
            "text": secret,
            "mail": {f"{secret}@example.com": {"at": "2025-01-01"}},
        }
        return json.dumps(values[shape]).encode()

    async def shadow(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content(body), headers={"X-Mode": header, "Set-Cookie": cookie})

    async def reference(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content(other), content_type="application/json")

    with structlog.testing.capture_logs() as logs:
        async with running([shadow], [reference, reference], control_percent=50) as bench:
            await bench.send(
                f"/users/{path}?q={query}",
                headers={"Cookie": cookie, "Authorization": header, "X-Custom": query},
            )
            shown = encode(await bench.settled()).decode()
            async with bench.client.get(f"{bench.admin}/metrics") as response:
                shown += await response.text()
    captured = capsys.readouterr()
    shown += json.dumps(logs, default=str) + captured.out + captured.err
    for secret in secrets:
        assert secret not in shown


async def test_a_defect_is_counted_and_its_message_is_not_logged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def defect(*_: object, **__: object) -> None:
        raise ValueError("a value of somebody")

    async with running([_empty], [_empty]) as bench:
        monkeypatch.setattr(bench.comparator.counts, "tally", defect)
        with structlog.testing.capture_logs() as logs:
            await bench.send()
            snapshot = await bench.settled()
    assert snapshot.shed == {"Internal": 1}
    assert [entry["error"] for entry in logs] == ["ValueError"]
    assert "somebody" not in str(logs)


async def _empty(_: web.Request) -> web.StreamResponse:
    return web.Response()


async def test_metrics_show_as_many_routes_as_the_snapshot() -> None:
    async with running([_empty], [_empty]) as bench:
        fill(bench.comparator.counts, 300)
        text = generate_latest(metrics.registry(bench.comparator)).decode()
    templates = {
        line.split('route="')[1].split('"')[0] for line in text.splitlines() if 'route="' in line
    }
    assert 0 < len(templates) <= MAX_ROUTES
