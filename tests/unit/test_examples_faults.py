"""The planted faults of examples/hal9: what each does, and that it does so every time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ServerDisconnectedError
from aiohttp.test_utils import TestClient, TestServer

from examples.hal9.hal9sim import faults, records
from examples.hal9.hal9sim.faults import KINDS, Answer, BadFaultError
from examples.hal9.hal9sim.network import Json, Network, Signal
from examples.hal9.hal9sim.planting import place
from examples.hal9.hal9sim.server import Hal9
from examples.hal9.hal9sim.settings import Settings

SIGNAL = Signal("one", "the ember forest beyond the harbor", "client-7", 0.25)
GOOD = Network(4).process(SIGNAL)
REQUEST = ("POST", "/api/v1/signal", b'{"content": "x"}')


def answer_with(text: str, *request: Any) -> Answer:
    answer = Answer({"signal_id": "one", "result": Network(4).process(SIGNAL)})
    faults.apply(faults.parse(text), answer, *(request or REQUEST))
    return answer


def result(**changed: Any) -> Json:
    return {**GOOD, **changed}


CHANGED: dict[str, Callable[[], Json]] = {
    "wrong-field": lambda: result(category="anomaly"),
    "wrong-field:field=result.words,value=many": lambda: result(words="many"),
    "missing-field": lambda: {key: value for key, value in GOOD.items() if key != "category"},
    "type-change": lambda: result(confidence=str(GOOD["confidence"])),
    "extra-field": lambda: result(debug="on"),
    "null": lambda: result(category=None),
    "rounded:field=result.words": lambda: GOOD,
    "rounded": lambda: result(confidence=round(GOOD["confidence"], 2)),
    "offset": lambda: result(words=GOOD["words"] + 1),
    "date-format": lambda: result(recall_on="22.11.2025"),
    "truncated": lambda: result(associations=GOOD["associations"][:3]),
    "truncated:keep=0,field=result.words.0": lambda: GOOD,
    "duplicate": lambda: result(associations=GOOD["associations"] + GOOD["associations"][-1:]),
    "wrong-field:field=result.associations.9": lambda: GOOD,
    "array-order": lambda: result(associations=GOOD["associations"][::-1]),
    "number-drift:relative=0.001": lambda: result(confidence=GOOD["confidence"] * 1.001),
    "renamed-field:to=kind": lambda: {
        "kind" if key == "category" else key: value for key, value in GOOD.items()
    },
    "wrong-field:field=result.none.such": lambda: GOOD,
    "wrong-field:field=nowhere.at.all": lambda: GOOD,
}


@pytest.mark.parametrize("text", CHANGED)
def test_a_fault_of_a_field_changes_that_field_and_nothing_else(text: str) -> None:
    assert answer_with(text) == Answer({"signal_id": "one", "result": CHANGED[text]()})


RECORD: dict[str, tuple[str, Any]] = {
    "flip:field=archived": ("archived", True),
    "lower-case:field=state": ("state", "active"),
    "mojibake:field=owner.name": ("owner.name", "ZoÃ« Ã\x85strÃ¶m"),
    "locale": ("cost.shown", "1.173,88"),
    "zone-shift": ("opened_at", "2025-10-24T12:11:12Z"),
    "other-id:field=entries.0.id": ("entries.0.id", "?"),
}


@pytest.mark.parametrize("text", RECORD)
def test_a_fault_of_a_record_changes_one_value(text: str) -> None:
    field, value = RECORD[text]
    answer = Answer(records.record("one", 1))
    faults.apply(faults.parse(text), answer, "GET", "/api/v1/records/one", b"")
    expected = records.record("one", 1)
    holder, last = place(expected, field)
    changed_holder, _ = place(answer.body, field)
    assert holder[last] != changed_holder[last]
    holder[last] = changed_holder[last] if value == "?" else value
    assert answer.body == expected


def test_headers_are_lost_and_changed() -> None:
    answer = Answer({}, headers={"ETag": "1", "Vary": "Accept"})
    text = "header-lost;header-set:header=Vary,value=Cookie"
    faults.apply(faults.parse(text), answer, "GET", "/", b"")
    assert answer.headers == {"Vary": "Cookie"}


def test_a_shifted_date_is_one_day_later() -> None:
    day = answer_with("date-shift").body["result"]["recall_on"]
    assert (GOOD["recall_on"], day) == ("2025-11-22", "2025-11-23")


def test_an_order_change_is_seen_in_the_example() -> None:
    assert GOOD["associations"] != GOOD["associations"][::-1]


def test_a_status_change_keeps_the_body() -> None:
    answer = answer_with("status:code=202")
    assert (answer.status, answer.body["result"]) == (202, GOOD)


def test_an_error_says_nothing_but_that() -> None:
    assert answer_with("errors:code=503") == Answer({"error": "internal error"}, 503)


def test_latencies_add_up() -> None:
    assert answer_with("latency:ms=20;latency").delay_seconds == pytest.approx(0.27)


@pytest.mark.parametrize(
    ("rate", "least", "most"), [("0.02", 20, 65), ("0", 0, 0), ("1", 2000, 2000)]
)
def test_the_rate_is_the_share_of_inputs_that_are_hit(rate: str, least: int, most: int) -> None:
    (fault,) = faults.parse(f"wrong-field:rate={rate}")
    inputs = [f"/api/v1/signal/seed-{number:04d}" for number in range(2000)]
    hit = [path for path in inputs if fault.hits("GET", path, b"")]
    assert least <= len(hit) <= most
    assert hit == [path for path in inputs if fault.hits("GET", path, b"")], "the same ones again"


def test_two_faults_hit_different_inputs() -> None:
    one, other = faults.parse("wrong-field:rate=0.5;missing-field:rate=0.5")
    inputs = [f"{number}".encode() for number in range(100)]
    assert [one.hits("POST", "/", body) for body in inputs] != [
        other.hits("POST", "/", body) for body in inputs
    ]


@pytest.mark.parametrize(
    ("request_", "is_hit"),
    [
        (("POST", "/api/v1/signal", b""), True),
        (("GET", "/api/v1/signal/seed-0001", b""), False),
        (("POST", "/api/v1/neurons", b""), False),
    ],
)
def test_method_and_route_narrow_a_fault(request_: tuple[Any, ...], is_hit: bool) -> None:
    answer = answer_with("errors:method=POST,route=/api/v1/signal", *request_)
    assert (answer.status == 500) == is_hit


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("gremlin", "unknown fault 'gremlin'; known: wrong-field"),
        ("errors:often=1", "errors has no parameter 'often'; it has: rate, method, route, code"),
        ("errors:rate=often", "errors: rate is a number, not 'often'"),
        ("layer-down:layer=attic", "layer-down: layer is one of substrate"),
    ],
)
def test_a_fault_that_is_not_understood_is_refused(text: str, part: str) -> None:
    with pytest.raises(BadFaultError, match=part):
        faults.parse(text)


def test_no_text_is_no_fault() -> None:
    assert faults.parse(" ; ") == ()


async def test_a_server_with_faults_shows_them_on_the_wire_and_in_its_own_numbers() -> None:
    planted = faults.parse("errors:route=/api/v1/signal/seed-0001;layer-down:layer=protocol")
    hal9 = Hal9(Settings(system="hierarchical", latency_ms=0, faults=planted))
    async with TestClient(TestServer(hal9.app())) as client:

        async def get(path: str) -> tuple[int, Json]:
            async with client.get(path) as response:
                return response.status, await response.json()

        assert (await get("/api/v1/signal/seed-0001"))[0] == 500
        assert (await get("/api/v1/signal/seed-0002"))[0] == 200
        (error,) = (await get("/api/v1/errors/recent"))[1]["errors"]
        assert (error["status"], error["route"]) == (500, "/api/v1/signal/{id}")
        status, health = await get("/hierarchical/health")
        assert (status, health["state"], health["layers"]["protocol"]) == (503, "Degraded", "Down")
        status, layer = await get("/hierarchical/protocol/status")
        assert (status, layer["state"], layer["neurons_active"]) == (503, "Down", 0)
        assert (await get("/hierarchical/cognitive/status"))[0] == 200
        async with client.get("/metrics") as response:
            assert 'hal9_errors_total{system="hierarchical"} 1.0' in await response.text()


async def test_probes_are_never_hit_by_faults_of_the_api() -> None:
    hal9 = Hal9(Settings(faults=faults.parse("errors;latency:ms=5000;wrong-field:field=status")))
    async with TestClient(TestServer(hal9.app())) as client, client.get("/readyz") as response:
        assert (response.status, (await response.json())["status"]) == (200, "ready")


async def test_what_is_wrong_with_a_body_and_a_connection_is_seen_on_the_wire() -> None:
    text = ";".join(f"{name}:route=/api/v1/records/{name}" for name in ("empty-body", "reset"))
    text += ";stale:route=/api/v1/records/stale,method=GET;page-shift:route=/api/v1/records/page"
    hal9 = Hal9(Settings(latency_ms=0, faults=faults.parse(text)))
    async with TestClient(TestServer(hal9.app())) as client:

        async def get(name: str) -> Json:
            async with client.get(f"/api/v1/records/{name}") as response:
                content: Json = await response.json()
                return content

        async with client.get("/api/v1/records/empty-body") as response:
            assert (response.status, await response.read()) == (200, b"")
        with pytest.raises(ServerDisconnectedError):
            await client.get("/api/v1/records/reset")
        assert [entry["number"] for entry in (await get("page"))["entries"]] == [2, 3, 4]
        for name, note in (("fresh", "new"), ("stale", "")):
            await get(name)
            await client.post(f"/api/v1/records/{name}", json={"note": "new"})
            assert (await get(name))["note"] == note


def test_every_kind_of_fault_is_in_the_readme() -> None:
    readme = (Path(__file__).parents[2] / "examples" / "README.md").read_text()
    for name, kind in KINDS.items():
        row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}` |"))
        for option, default in kind.defaults.items():
            assert f"`{option}` ({default})" in row
