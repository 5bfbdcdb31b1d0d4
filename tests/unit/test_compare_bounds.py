"""Bodies that would take too much memory or time are not looked through, and that is said."""

import gzip
import json
import os
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest

from shadow_operator.api.evidence import PlaceKind
from shadow_operator.core.comparing.answer import (
    MAX_MEMBERS,
    MAX_VALUES,
    Answer,
    IncomparableError,
    decompress,
)
from shadow_operator.core.comparing.compare import compare
from shadow_operator.core.comparing.shape import Shape

JSON = {"content-type": "application/json"}
PACKED = {**JSON, "content-encoding": "gzip"}


def kinds(reference: Answer, shadow: Answer) -> set[tuple[PlaceKind, str]]:
    found = compare(Shape(), reference, shadow)
    return {(kind, detail) for _, kind, detail in found.places}


def records(count: int, state: str) -> bytes:
    return json.dumps([{"n": number, "state": state} for number in range(count)]).encode()


def test_a_small_compressed_body_of_very_many_values_is_not_parsed() -> None:
    bodies = [gzip.compress(records(MAX_VALUES, state), 9) for state in ("on", "off")]
    assert max(map(len, bodies)) < 512 << 10
    tracemalloc.start()
    found = kinds(*(Answer(200, PACKED, body) for body in bodies))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == {(PlaceKind.TEXT, "TooLarge")}
    assert peak < 32 << 20


PEAK = """
from shadow_operator.core.comparing.answer import Answer
from shadow_operator.core.comparing.compare import compare
from shadow_operator.core.comparing.shape import Shape

def mebibytes():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) >> 10

bodies = [
    b"[" + b",".join(b'{"n":%d,"state":"%s"}' % (n, state) for n in range(33_000)) + b"]"
    for state in (b"on", b"off")
]
before = mebibytes()
answers = [Answer(200, {"content-type": "application/json"}, body) for body in bodies]
print(len(compare(Shape(), *answers).places), mebibytes() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak")
def test_as_many_values_as_are_parsed_take_little_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEAK],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
        text=True,
    )
    places, mebibytes = map(int, done.stdout.split())
    assert places == 2  # the text, and that not all was looked through
    assert mebibytes < 80


def test_equal_bodies_of_very_many_values_match_unparsed() -> None:
    one = Answer(200, JSON, records(MAX_VALUES, "on"))
    assert kinds(one, one) == set()


def test_a_body_grows_to_its_limit_and_no_further() -> None:
    plain = b"x" * 1000
    body = gzip.compress(plain)
    assert decompress(body, "gzip", 1000) == plain
    with pytest.raises(IncomparableError, match="BodyTooLarge"):
        decompress(body, "gzip", 999)
    reference, shadow = (
        Answer(200, PACKED, gzip.compress(n * 999), 0, "", 998) for n in (b"a", b"b")
    )
    assert kinds(reference, shadow) == {(PlaceKind.TEXT, "BodyTooLarge")}


def members(*parts: bytes) -> bytes:
    return b"".join(map(gzip.compress, parts))


BODIES: dict[str, tuple[bytes, str, bytes | None]] = {
    "all members count": (members(b"a", b"", b"b"), "gzip", b"ab"),
    "a member that is not whole": (members(b"a", b"b" * 99)[:-9], "gzip", None),
    "something else after a member": (members(b"a") + b"more", "gzip", None),
    "more members than anybody writes": (members(*[b"a"] * (MAX_MEMBERS + 1)), "gzip", None),
    "members that together are too large": (members(b"a" * 900, b"b" * 900), "gzip", None),
    "deflate with a zlib header, cut": (zlib.compress(b"a" * 99)[:-5], "deflate", None),
    "deflate without one, cut": (zlib.compress(b"a" * 99)[2:-6], "deflate", None),
}


@pytest.mark.parametrize("sentence", BODIES)
def test_a_compressed_body_is_decoded_whole_or_not_at_all(sentence: str) -> None:
    body, encoding, plain = BODIES[sentence]
    if plain is not None:
        assert decompress(body, encoding, 1000) == plain
        return
    with pytest.raises(IncomparableError):
        decompress(body, encoding, 1000)


def test_answers_that_differ_in_their_second_member_differ() -> None:
    one, other = (members(b'{"a": 1, "b": ', end) for end in (b"1}", b"2}"))
    found = kinds(Answer(200, PACKED, one), Answer(200, PACKED, other))
    assert found == {(PlaceKind.NUMBER, "1e-1")}


@pytest.mark.parametrize(
    ("reference", "shadow"),
    [("Memory", ""), ("", "Memory"), ("Memory", "BodyTooLarge"), ("Memory", "Memory")],
)
@pytest.mark.parametrize("count", [True, False])
def test_our_own_want_of_memory_is_no_difference(
    reference: str, shadow: str, *, count: bool
) -> None:
    cut: list[Any] = [
        Answer(200, JSON, b"" if cut else b"[1]", 3, cut) for cut in (reference, shadow)
    ]
    with pytest.raises(IncomparableError, match="Memory"):
        compare(Shape(), *cut, count=count)


def test_a_forgotten_content_is_decoded_again() -> None:
    answer = Answer(200, JSON, b"[1]")
    before = answer.content
    answer.forget()
    assert answer.content == before
    assert answer.content is not before
