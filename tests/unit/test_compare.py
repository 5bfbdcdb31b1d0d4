"""Two answers become places: where they differ and how, without a value."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow_operator.api.evidence import PathRule, PlaceKind
from shadow_operator.core.comparing.answer import MAX_LEAVES, Answer, IncomparableError, decompress
from shadow_operator.core.comparing.compare import Pods, compare
from shadow_operator.core.comparing.differing import magnitude
from shadow_operator.core.comparing.named import rule_matcher
from shadow_operator.core.comparing.shape import MAX_FOLLOWED, SHOWN_AFTER, Shape

JSON = {"content-type": "application/json"}
UUID = "6f1c1f8e-0f5b-4d0e-9a0b-0b9a3c1f2e{:02d}"


def of(content: object, headers: dict[str, str] | None = None, *, status: int = 200) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer(status, {**JSON, **(headers or {})}, body)


def places(reference: Answer, shadow: Answer, **options: Any) -> set[str]:
    """Compare often enough that keys are shown; give the places as text."""
    shape = Shape()
    for _ in range(SHOWN_AFTER):
        found = compare(shape, reference, shadow, **options)
        reference, shadow = (
            Answer(one.status, one.headers, one.body, one.size, one.cut)
            for one in (reference, shadow)
        )
    return {
        f"{node.path} {kind.value}{' ' + detail if detail else ''}"
        for node, kind, detail in found.places
    }


BODIES: dict[str, tuple[object, object, set[str]]] = {
    "equal objects in another key order are equal": ({"a": 1, "b": 2}, {"b": 2, "a": 1}, set()),
    "white space does not matter": (b'{"a": 1}', b'{"a":1}', set()),
    "one and one point nought are the same number": ({"a": 1}, {"a": 1.0}, set()),
    "true is not one": ({"a": True}, {"a": 1}, {"$.a type boolean>number"}),
    "a missing member": ({"a": 1, "b": 2}, {"a": 1}, {"$.b missing"}),
    "an extra member": ({"a": 1}, {"a": 1, "b": 2}, {"$.b extra"}),
    "null is a type of its own": ({"a": None}, {"a": "x"}, {"$.a type null>string"}),
    "an object for an array": ({"a": []}, {"a": {}}, {"$.a type array>object"}),
    "a changed text": ({"a": "on"}, {"a": "off"}, {"$.a text"}),
    "a changed boolean": ({"a": True}, {"a": False}, {"$.a boolean"}),
    "a number by a thousandth": ({"a": 1000}, {"a": 1002}, {"$.a number 1e-3"}),
    "a number by all of it": ({"a": 0}, {"a": 5}, {"$.a number 1e0"}),
    "ISO times": (
        {"at": "2025-01-02T03:04:05Z"},
        {"at": "2025-01-02T04:04:06.25+01:00"},
        {"$.at timestamp"},
    ),
    "RFC 1123 times": (
        {"at": "Thu, 02 Jan 2025 03:04:05 GMT"},
        {"at": "Thu, 02 Jan 2025 03:04:15 GMT"},
        {"$.at timestamp"},
    ),
    "times an hour apart": (
        {"at": "2025-01-02T03:04:05Z"},
        {"at": "2025-01-02T03:04:05+01:00"},
        {"$.at timestamp 1e3"},
    ),
    "dates a day apart": ({"at": "2025-01-02"}, {"at": "2025-01-01"}, {"$.at timestamp 1e4"}),
    "milliseconds for seconds are no times": (
        {"at": 1735787045},
        {"at": 1735787045000},
        {"$.at number 1e-1"},
    ),
    "epoch seconds": ({"at": 1735787045}, {"at": 1735787046.5}, {"$.at timestamp"}),
    "epoch milliseconds as text": (
        {"at": "1735787045123"},
        {"at": "1735787046123"},
        {"$.at timestamp"},
    ),
    "a time against no time is text": ({"at": "2025-01-02"}, {"at": "never"}, {"$.at text"}),
    "a number out of the range of times": (
        {"bytes": 900_000_000},
        {"bytes": 900_000_001},
        {"$.bytes number 1e-9"},
    ),
    "uuids": ({"id": UUID.format(1)}, {"id": UUID.format(2)}, {"$.id identifier"}),
    "ids with a prefix": (
        {"id": "req_" + "0a" * 8},
        {"id": "req_" + "1b" * 8},
        {"$.id identifier"},
    ),
    "ulids": (
        {"id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
        {"id": "01BX5ZZKBKACTAV9WEVGEMMVRZ"},
        {"$.id identifier"},
    ),
    "an id of another family is text": ({"id": UUID.format(1)}, {"id": "0a" * 8}, {"$.id text"}),
    "indices fold": (
        {"items": [{"v": "a"}, {"v": "b"}]},
        {"items": [{"v": "x"}, {"v": "y"}]},
        {"$.items[*].v text"},
    ),
    "an array that lost an item": ([1, 2, 3], [1, 2], {"$ length"}),
    "the same items in another order": (
        {"tags": ["a", "b", "c"]},
        {"tags": ["c", "a", "b"]},
        {"$.tags order"},
    ),
    "the same objects in another order, keys shuffled": (
        [{"a": 1, "b": 2}, {"a": 3}],
        [{"a": 3}, {"b": 2, "a": 1}],
        {"$ order"},
    ),
    "keys that are data fold": (
        {"users": {"a@example.com": 1, "b@example.com": 2}},
        {"users": {"a@example.com": 1, "b@example.com": 3}},
        {"$.users.{*} number 1e-1"},
    ),
    "text is compared as a whole": (b"hello", b"hullo", {"$ text"}),
    "an empty answer lacks the body": ({"a": 1}, b"", {"$ missing"}),
    "a body where there was none": (b"", {"a": 1}, {"$ extra"}),
    "text for JSON": ({"a": 1}, b"oops", {"$ type json>text"}),
    "invalid UTF-8 is text": (b'{"a": "\xff"}', b'{"a": "\xfe"}', {"$ text"}),
    "NaN is no JSON": (b'{"a": NaN}', b'{"a": 1}', {"$ type text>json"}),
    "integers beyond 64 bits stay exact": (
        {"a": 2**70 + 1},
        {"a": 2**70 + 2},
        {"$.a number 1e-17"},
    ),
    "of duplicate keys the last one counts": (b'{"a": 1, "a": 2}', b'{"a": 2}', set()),
    "a number too large for a float": (
        b'{"a": 1' + b"0" * 400 + b"}",
        b'{"a": 2}',
        {"$.a number 1e0"},
    ),
}


@pytest.mark.parametrize("sentence", BODIES)
def test_bodies(sentence: str) -> None:
    reference, shadow, expected = BODIES[sentence]
    assert places(of(reference), of(shadow)) == expected


HEADERS: dict[str, tuple[dict[str, str], dict[str, str], set[str]]] = {
    "a header that is missing": ({"x-cache": "a"}, {}, {"header:x-cache missing"}),
    "a header that is new": ({}, {"x-cache": "a"}, {"header:x-cache extra"}),
    "a changed value": ({"x-mode": "a"}, {"x-mode": "b"}, {"header:x-mode header"}),
    "times in headers": (
        {"expires": "Thu, 02 Jan 2025 03:04:05 GMT"},
        {"expires": "Thu, 02 Jan 2025 03:04:09 GMT"},
        {"header:expires timestamp"},
    ),
    "ids in headers": (
        {"x-request-id": UUID.format(1)},
        {"x-request-id": UUID.format(2)},
        {"header:x-request-id identifier"},
    ),
    "date, length and trace are not compared": (
        {"date": "a", "content-length": "1", "traceparent": "a", "age": "1"},
        {"date": "b"},
        set(),
    ),
    "an etag follows from the body, which is compared": ({"etag": "a"}, {"etag": "b"}, set()),
    "an etag that is gone": ({"etag": "a"}, {}, {"header:etag missing"}),
    "cookies: values are random": ({"set-cookie": "sid=1"}, {"set-cookie": "sid=2"}, set()),
    "cookies: their names are behaviour": (
        {"set-cookie": "sid=1"},
        {"set-cookie": "sid=1\nlang=en"},
        {"header:set-cookie header"},
    ),
    "blanks in a media type do not matter": (
        {"content-type": "text/html;charset=utf-8"},
        {"content-type": "text/html; charset=UTF-8"},
        set(),
    ),
    "a header name that is data folds": (
        {"x-8f3a9c-77": "a"},
        {"x-8f3a9c-77": "b"},
        {"header:{*} header"},
    ),
}


@pytest.mark.parametrize("sentence", HEADERS)
def test_headers(sentence: str) -> None:
    reference, shadow, expected = HEADERS[sentence]
    assert places(of({}, reference), of({}, shadow)) == expected


def test_a_status_that_changed_names_both() -> None:
    assert places(of({}), of({}, status=500)) == {"status status 200>500"}


def test_an_unordered_array_is_compared_as_a_multiset() -> None:
    unordered = {"$.tags"}.__contains__
    for left, right, expected in (
        ([1, 2, 2], [1, 2, 2], set()),
        (["a", "b"], ["c", "a"], {"$.tags order", "$.tags[*] text"}),
        (["a", "b"], ["a", "c"], {"$.tags[*] text"}),
        ([1, 2, 2], [1, 2], {"$.tags length"}),
    ):
        assert places(of({"tags": left}), of({"tags": right}), unordered=unordered) == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([1, 2, 2], [2, 1, 2]),
        ([{"n": 1, "id": UUID.format(1)}, {"n": 2}], [{"n": 2}, {"n": 1, "id": UUID.format(2)}]),
        ([1, True], [True, 1]),
    ],
)
def test_another_order_leaves_a_place_under_a_rule_too(left: object, right: object) -> None:
    found = places(of({"tags": left}), of({"tags": right}), unordered={"$.tags"}.__contains__)
    assert "$.tags order" in found
    assert found <= {"$.tags order", "$.tags[*].id identifier"}


def test_another_order_of_many_items_is_not_too_large() -> None:
    items = list(range(MAX_LEAVES + 5))
    assert places(of({"a": 1, "b": items}), of({"a": 2, "b": items[::-1]})) == {
        "$.a number 1e-1",
        "$.b order",
    }


@pytest.mark.parametrize(
    ("encode", "name"),
    [
        (gzip.compress, "gzip"),
        (zlib.compress, "deflate"),
        (lambda data: zlib.compress(data)[2:-4], "deflate"),
    ],
)
def test_a_compressed_answer_is_decoded(encode: Any, name: str) -> None:
    plain = json.dumps({"a": 1}).encode()
    packed = Answer(200, {**JSON, "content-encoding": name}, encode(plain))
    other = Answer(200, {**JSON, "content-encoding": name}, encode(b'{"a":2}'))
    assert places(packed, of({"a": 1})) == {"header:content-encoding missing"}
    assert places(packed, other) == {"$.a number 1e-1"}


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (b"x", "br", "ContentEncoding"),
        (b"no gzip at all", "gzip", "ContentEncoding"),
        (gzip.compress(b"\0" * 1001), "gzip", "BodyTooLarge"),
    ],
)
def test_what_cannot_be_decoded_is_incomparable(body: bytes, encoding: str, reason: str) -> None:
    with pytest.raises(IncomparableError, match=reason):
        decompress(body, encoding, 1000)


def test_equal_bytes_match_even_in_an_unknown_encoding() -> None:
    one = Answer(200, {**JSON, "content-encoding": "br"}, b"\x01")
    assert places(one, one) == set()


def nested(depth: int, leaf: int) -> bytes:
    return b'{"a":' * depth + str(leaf).encode() + b"}" * depth


LARGE = [0] * (MAX_LEAVES + 5)
BR = {"content-encoding": "br"}


@pytest.mark.parametrize(
    ("reference", "shadow", "expected"),
    [
        (of(nested(100, 1)), of(nested(100, 2)), {"$ text TooDeep"}),
        (
            of(b"[" * 900 + b"1" + b"]" * 900),
            of(b"[" * 900 + b"2" + b"]" * 900),
            {"$ text TooDeep"},
        ),
        (of(LARGE), of([*LARGE[1:], 1]), {"$ text TooLarge"}),
        (of({"a": 1, "b": LARGE}), of({"b": [*LARGE[1:], 1]}), {"$.a missing", "$ text TooLarge"}),
        (of(b"\x01", BR), of(b"\x02", BR), {"$ text ContentEncoding"}),
    ],
)
def test_bodies_that_differ_beyond_the_bounds_still_differ(
    reference: Answer, shadow: Answer, expected: set[str]
) -> None:
    assert places(reference, shadow) == expected


@pytest.mark.parametrize(
    ("content", "cut", "expected"),
    [
        ({"items": LARGE}, "", {"$ text TooLarge", "$.items missing"}),
        ({}, "BodyTooLarge", {"$ length BodyTooLarge"}),
    ],
)
def test_a_status_change_is_seen_whatever_the_bodies_are(
    content: object, cut: str, expected: set[str]
) -> None:
    large = of(content)
    large.cut = cut
    failed = of({"error": "x"}, status=500)
    assert places(large, failed) == {"status status 200>500", *expected}


def cut(status: int, reason: str = "BodyTooLarge") -> Answer:
    return Answer(status, JSON, cut=reason)


def test_whether_two_bodies_that_were_cut_differ_is_not_known() -> None:
    with pytest.raises(IncomparableError, match="BodyTooLarge"):
        compare(Shape(), cut(200), cut(200, "EventStream"))
    assert compare(Shape(), cut(200), cut(200), count=False).places == frozenset()
    assert places(cut(200), cut(500)) == {"status status 200>500", "$ text BodyTooLarge"}


def test_a_pair_that_is_not_compared_is_not_counted_in_the_shape() -> None:
    shape = Shape()
    with pytest.raises(IncomparableError):
        compare(shape, cut(200), cut(200))
    assert shape.pairs == 0


def test_answers_that_are_equal_are_never_too_deep_or_too_large() -> None:
    for body in (nested(100, 1), json.dumps([0] * (MAX_LEAVES + 5)).encode()):
        assert compare(Shape(), of(body), of(body)).places == frozenset()


def test_an_answer_cut_on_one_side_only_differs_in_length() -> None:
    assert places(of({}), Answer(200, JSON, cut="BodyTooLarge")) == {"$ length BodyTooLarge"}


def test_leaves_are_the_larger_count_of_both_sides() -> None:
    found = compare(Shape(), of({"a": 1, "b": [1, 2, 3]}), of({"a": 1, "b": [1, 5], "c": {}}))
    assert found.leaves == 5


def test_the_shape_counts_in_how_many_answers_a_place_was() -> None:
    shape = Shape()
    for _ in range(4):
        compare(shape, of({"items": [{"a": 1}, {"a": 2}], "b": 1}), of({"items": [{"a": 1}]}))
    counts = {node.path: (node.reference, node.shadow, node.leaves) for node in shape}
    assert counts["$.items[*].a"] == (4, 4, 8)
    assert counts["$.b"] == (4, 0, 4)
    assert shape.pairs == 4


def test_a_control_comparison_leaves_the_shape_alone() -> None:
    shape = Shape()
    compare(shape, of({"a": 1}), of({"a": 2}))
    compare(shape, of({"a": 1}), of({"a": 2}), count=False)
    assert {node.path: node.reference for node in shape}["$"] == 1


@pytest.mark.parametrize(
    ("left", "right", "power"),
    [(1, 2, "1e-1"), (100, 101, "1e-3"), (-1, 1, "1e0"), (1e-300, 2e-300, "1e-1"), (1, -9, "1e0")],
)
def test_magnitude_is_the_power_of_ten_of_the_relative_difference(
    left: float, right: float, power: str
) -> None:
    assert magnitude(left, right) == power


@pytest.mark.parametrize(
    ("rule", "path", "matches"),
    [
        (PathRule(path="$.a"), "$.a", True),
        (PathRule(path="$.a"), "$.a.b", False),
        (PathRule(path="*"), "$.x", True),
        (PathRule(path="$.a", route="*"), "$.a", True),
        (PathRule(path="$.a", route="GET /x/{}"), "$.a", True),
        (PathRule(path="$.a", route="/x/{}"), "$.a", True),
        (PathRule(path="$.a", route="POST /x/{}"), "$.a", False),
        (PathRule(path="$.a", route="/y/{}"), "$.a", False),
        (PathRule(path="$.a", route="GET /x/{id}"), "$.a", True),
    ],
)
def test_a_rule_names_a_place_exactly(rule: PathRule, path: str, *, matches: bool) -> None:
    assert rule_matcher([rule], "/x/{}", "GET")(path) is matches


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(left=VALUES, right=VALUES)
@settings(max_examples=50, deadline=None)
def test_any_two_answers_compare_without_an_exception(left: object, right: object) -> None:
    found = compare(Shape(), of(left), of(right))
    assert (found.places == frozenset()) == (left == right and _types(left) == _types(right))


def _types(value: object) -> object:
    if isinstance(value, dict):
        return {key: _types(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_types(item) for item in value]
    return "number" if type(value) in {int, float} else type(value)


@given(left=st.binary(), right=st.binary(), kind=st.sampled_from(["application/json", "text/x"]))
@settings(max_examples=50, deadline=None)
def test_any_two_bodies_compare_without_an_exception(left: bytes, right: bytes, kind: str) -> None:
    headers = {"content-type": kind}
    found = compare(Shape(), Answer(200, headers, left), Answer(200, headers, right))
    if left == right:
        assert found.places == frozenset()


@given(value=VALUES)
@settings(max_examples=50, deadline=None)
def test_an_answer_equals_itself(value: object) -> None:
    assert compare(Shape(), of(value), of(value)).places == frozenset()
    kinds = {place[1] for place in compare(Shape(), of({"k": value}), of({})).places}
    assert kinds == {PlaceKind.MISSING}


@pytest.mark.parametrize(
    ("reference", "shadow", "more", "less"),
    [
        ({"a": 1}, {"a": 2}, 1, 0),
        ({"a": 2}, {"a": 1}, 0, 1),
        ({"a": [1, 2]}, {"a": [1]}, 0, 1),
        ({"a": "some words"}, {"a": "other words"}, 0, 0),
        ({"a": "some words"}, {"a": "some"}, 0, 1),
        ({"a": "x"}, {"a": "some words"}, 1, 0),
        ({"a": 1}, {"a": "x"}, 0, 0),
    ],
)
def test_which_side_has_more_is_counted(
    reference: object, shadow: object, more: int, less: int
) -> None:
    shape = Shape()
    compare(shape, of(reference), of(shadow))
    compare(shape, of(shadow), of(reference), count=False)
    node = shape.body.key("a", 1)
    assert (node.more, node.less) == (more, less)


def test_values_are_followed_in_the_pod_that_answered() -> None:
    shape = Shape()
    for second in range(30):
        reference, shadow, control = (
            of({"up": second + start, "name": f"pod {start}", "at": f"{second * start}"})
            for start in (5, 7, 9)
        )
        pods = Pods("r1", "s1", is_shadow=True, reference_time=second, other_time=second)
        compare(shape, reference, shadow, pods=pods)
        pods = Pods("r1", "r2", is_shadow=False, reference_time=second, other_time=second)
        compare(shape, reference, control, count=False, pods=pods)
    trends = {name: shape.body.key(name, 3).instances for name in ("up", "name", "at")}
    assert {name: found and found.trend for name, found in trends.items()} == {
        "up": "rising 0 %",
        "name": "constant",
        "at": "neither",
    }


def test_only_so_many_places_are_followed() -> None:
    shape = Shape()
    many = MAX_FOLLOWED + 5
    left, right = ({"k" * (n + 1): n + add for n in range(many)} for add in (0, 1))
    pods = Pods("r1", "s1", is_shadow=True, reference_time=0, other_time=0)
    assert len(compare(shape, of(left), of(right), pods=pods).places) == many
    assert sum(node.instances is not None for node in shape) == MAX_FOLLOWED
