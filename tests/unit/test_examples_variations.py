"""What varies in the answers of examples/hal9 though nothing is wrong."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from examples.hal9.hal9sim import records, variations
from examples.hal9.hal9sim.network import Json
from examples.hal9.hal9sim.planting import Answer
from examples.hal9.hal9sim.variations import KINDS

GOOD = records.record("one", 1)
HEADERS = records.headers("one", 1)


def answers(text: str, number: int = 40) -> list[Answer]:
    made = [Answer(records.record("one", 1), headers=dict(HEADERS)) for _ in range(number)]
    for answer in made:
        variations.apply(variations.parse(text), answer, "GET", "/api/v1/records/one?page=1")
    return made


def written(answer: Answer) -> bytes:
    content = json.dumps(answer.body).encode()
    for step in answer.write:
        content = step(content)
    return content


@pytest.mark.parametrize("name", KINDS)
def test_a_variation_varies_and_leaves_alone_what_it_does_not_name(name: str) -> None:
    made = answers(name, 1000)
    seen = {(written(a), a.status, str(a.headers), a.delay_seconds) for a in made}
    assert len(seen) > 1 or name == "started"
    named = {**KINDS[name].defaults}.get("field", "").partition(".")[0]
    whole = [answer for answer in made if answer.status == 200]
    assert all(rest(answer.body, named) == rest(GOOD, named) for answer in whole)


def rest(body: Json, without: str) -> Json:
    return {key: value for key, value in body.items() if key != without}


def test_shuffled_entries_are_the_same_ones() -> None:
    for answer in answers("shuffled"):
        assert sorted(answer.body["entries"], key=str) == sorted(GOOD["entries"], key=str)


@pytest.mark.parametrize("name", ["gzip", "indented", "escaped", "key-order", "number-form"])
def test_another_form_says_the_same(name: str) -> None:
    for answer in answers(name):
        content = written(answer)
        packed = answer.headers.get("Content-Encoding") == "gzip"
        assert json.loads(gzip.decompress(content) if packed else content) == GOOD


def test_the_last_digit_is_all_that_a_float_loses() -> None:
    for answer in answers("last-digit"):
        assert answer.body["score"] == pytest.approx(GOOD["score"], rel=1e-15)


def test_the_rate_is_a_share_of_the_answers() -> None:
    statuses = Counter(answer.status for answer in answers("busy:rate=0.5", 400))
    assert 120 < statuses[503] < 280


def test_a_variation_keeps_to_its_route_and_method() -> None:
    for text in ("time:route=/api/v1/signal", "time:method=POST"):
        assert all(answer.body == GOOD for answer in answers(text, 3))


def test_every_kind_of_variation_is_in_the_readme() -> None:
    readme = (Path(__file__).parents[2] / "examples" / "README.md").read_text()
    rows = [line for line in readme.splitlines() if line.startswith("| `")]
    for name, kind in KINDS.items():
        row = next(line for line in rows if f"`{name}`" in line.split("|")[1])
        for option, default in kind.defaults.items():
            assert f"`{option}` ({default})" in row
