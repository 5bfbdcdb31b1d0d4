"""Request paths become templates; keys and segments that are data never show."""

from collections.abc import Callable

import pytest

from shadow_operator.core.comparing.fold import looks_like_data, segment_is_data
from shadow_operator.core.comparing.routes import (
    MAX_DEPTH,
    MAX_NODES,
    MAX_VALUES,
    SHOWN_AFTER,
    Routes,
)
from shadow_operator.core.comparing.shape import KNOWN_HEADERS, MAX_HEADERS, MAX_KEYS, Node, Shape
from shadow_operator.core.comparing.shape import MAX_NODES as MAX_PLACES

WORDS = [
    *("status", "api", "v1", "v2beta1", "neurons", "network_status", "errors-recent"),
    *("favicon.ico", "createdAt", "userID", "latency_p99", "ipv4", "sha256", "XMLHttpRequest"),
    *("numberOfActiveConnections", "_links", "$ref", "content-type"),
]
DATA = [
    *("123", "42a", "user7", "neuron-17", "6f1c1f8e-0f5b-4d0e-9a0b-0b9a3c1f2e3d", "deadbeef"),
    *("a@example.com", "a%20b", "2025-01-02", "aB3dE5", "xKcQwZrTyUiOpAsDf", "two words"),
    *("ключ", "a:b", "x" * 49, ""),
]


@pytest.mark.parametrize("name", WORDS)
def test_a_word_of_a_program_is_shown(name: str) -> None:
    assert not segment_is_data(name)


@pytest.mark.parametrize("name", DATA)
def test_what_may_be_a_value_is_folded(name: str) -> None:
    assert looks_like_data(name)


def learned(path: str, *, times: int = SHOWN_AFTER) -> str:
    routes = Routes()
    for _ in range(times):
        route = routes.of(path)
    return route.template


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/", "/"),
        ("/api/v1/status", "/api/v1/status"),
        ("/api/v1/neurons/17", "/api/v1/neurons/{}"),
        ("/api/v1/neurons/17/health", "/api/v1/neurons/{}/health"),
        ("/users/a%40b.c", "/users/{}"),
        ("/users/@alice", "/users/{}"),
        ("/files/6f1c1f8e-0f5b-4d0e-9a0b-0b9a3c1f2e3d/", "/files/{}/"),
        ("/a//b", "/a//b"),
    ],
)
def test_a_learned_template_folds_segments_that_look_like_data(path: str, template: str) -> None:
    assert learned(path) == template


def test_a_segment_is_not_shown_before_it_was_seen_a_few_times() -> None:
    assert learned("/users/alice", times=SHOWN_AFTER - 1) == "/{}/{}"


def test_too_many_values_under_one_prefix_are_a_parameter() -> None:
    routes = Routes()
    first = [routes.of(f"/users/{_word(number)}/cart") for number in range(MAX_VALUES)]
    for number in range(MAX_VALUES + 1):
        for _ in range(SHOWN_AFTER):
            last = routes.of(f"/users/{_word(number)}/cart")
    assert last.template == "/users/{}/cart"
    assert {route.template for route in first} <= {"/users/{}/cart", "/users/{}/{}"}


def _word(number: int) -> str:
    letters = "bcdfghjklmnpqrstvwxyz"
    return letters[number // 21 % 21] + "a" + letters[number % 21]


def test_declared_templates_come_first_and_in_order() -> None:
    routes = Routes(["/api/v1/signal/{id}", "/api/{version}/signal/{id}", "/users/{name}"])
    assert routes.of("/api/v1/signal/abc").template == "/api/v1/signal/{id}"
    assert routes.of("/api/v2/signal/abc").template == "/api/{version}/signal/{id}"
    assert routes.of("/users/alice").template == "/users/{name}"
    assert routes.of("/users/alice/cart").template.startswith("/{}")


def test_declaring_again_keeps_the_identity_of_a_template() -> None:
    routes = Routes(["/users/{name}"])
    before = routes.of("/users/alice")
    routes.declare(["/other", "/users/{name}"])
    assert routes.of("/users/bob") is before


def test_a_path_of_any_depth_and_any_number_of_paths_stay_bounded() -> None:
    routes = Routes()
    assert learned("/a" * 1000).count("/") == MAX_DEPTH + 1
    for number in range(3 * MAX_NODES):
        routes.of("/" + "/".join(_word(number // divisor) for divisor in (1, 7, 49, 343)))
    assert routes._nodes < 2 * MAX_NODES


def test_an_object_with_ever_new_keys_is_a_map() -> None:
    shape = Shape()
    users = shape.body.key("users", 1)
    for _ in range(SHOWN_AFTER):
        for number in range(30):
            node = users.key(_word(number), 2)
            for one in (users, node):
                one.reference += 1
    assert {child.path for child in users.children.values()} == {"$.users.{*}"}
    assert users.rest().path == "$.users.{*}"


def test_a_wide_record_is_no_map() -> None:
    record = Shape().body
    nodes = [record.key(_word(number), 100) for number in range(100)]
    for node in nodes:
        node.reference = SHOWN_AFTER
    assert not record.folded
    assert nodes[99].path == f"$.{_word(99)}"


GROWTH: dict[str, Callable[[Node, int], Node]] = {
    "keys, items and folded keys": lambda node, number: node.key(_word(number), 1).item().rest(),
    "items of items": lambda node, _: node.item(),
    "folded keys of folded keys": lambda node, _: node.rest(),
    "keys that are data, and items": lambda node, number: node.key(f"{number}", 1).item(),
}


@pytest.mark.parametrize("sentence", GROWTH)
def test_a_shape_is_bounded(sentence: str) -> None:
    shape = Shape()
    for outer in range(MAX_KEYS + 50):
        node = shape.body.key(_word(outer), 400)
        for inner in range(30):
            node = GROWTH[sentence](node, inner)
            node.see(outer, 3)
    places = list(shape)
    assert len(places) <= MAX_PLACES + len((shape.body, shape.status))
    assert all(len(node.path) < 300 for node in places)


def test_a_full_shape_shares_places_that_are_there() -> None:
    shape = Shape()
    inner = shape.body.key("inner", 1)
    folded = inner.rest()
    shape.nodes = MAX_PLACES
    assert inner.key("more", 2) is inner.item() is folded
    assert folded.key("more", 1) is folded.item() is folded.rest() is folded
    assert shape.body.key("inner", 1) is inner


def shown(header: str, *, answers: int) -> str:
    node = Shape().header(header)
    node.reference = answers
    return node.path.removeprefix("header:")


@pytest.mark.parametrize(
    "name", [*("content-type", "x-amz-id-2", "p3p"), *("x-hal9-learning", "x-b3-sampled", "x-mode")]
)
def test_a_header_whose_name_is_made_of_words_is_shown(name: str) -> None:
    assert shown(name, answers=SHOWN_AFTER) == name
    assert (shown(name, answers=SHOWN_AFTER - 1) == name) is (name in KNOWN_HEADERS)


@pytest.mark.parametrize(
    "name",
    [
        *("x-amz-meta-alice-4f2a91", "x-8f3a9c-77", "x-user42-mode", "x-meta-2025", "x--empty"),
        "x-object-meta-" + "-".join(["word"] * 10),
    ],
)
def test_a_header_whose_name_has_a_part_that_is_data_is_folded(name: str) -> None:
    assert shown(name, answers=99) == "{*}"


def test_headers_are_bounded() -> None:
    shape = Shape()
    for number in range(2 * MAX_HEADERS):
        shape.header(f"x-{_word(number)}").reference = SHOWN_AFTER
    assert len({node.path for node in shape}) == MAX_HEADERS + len(("$", "status", "header:{*}"))
