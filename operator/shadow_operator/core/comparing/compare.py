"""Compare two answers: where do they differ, and in which way. No value comes out of it.

`compare` is deterministic and does a bounded amount of work; the only thing it changes is the
route's `Shape`, which counts what was there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from shadow_operator.api.evidence import PlaceKind
from shadow_operator.core.comparing.answer import (
    MAX_LEAVES,
    MEMORY,
    Answer,
    IncomparableError,
    Text,
)
from shadow_operator.core.comparing.arrays import aligned, equal, keyed
from shadow_operator.core.comparing.differing import Edges, apart, edges_of, magnitude
from shadow_operator.core.comparing.fold import identifier_family, number_scale, text_time
from shadow_operator.core.comparing.headers import (
    HEADER_RULES,
    IGNORED,
    HeaderRule,
    cookie_names,
    media,
)
from shadow_operator.core.comparing.shape import BOTH, REFERENCE, SHADOW, Node, Shape

MAX_DEPTH: Final = 64

Difference: TypeAlias = tuple[Node, PlaceKind, str]
"""A differing place: where, how, and the detail from the closed vocabulary."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Where two answers differ."""

    places: frozenset[Difference]
    leaves: int
    """Values compared, both sides' larger count."""


@dataclass(frozen=True, slots=True)
class Pods:
    """Who answered, so that values of an instance are told from those of a request."""

    reference: str
    other: str
    """The shadow's pod, or that of the control."""
    is_shadow: bool
    reference_time: float
    """When its answer was received, in seconds."""
    other_time: float


def compare(
    shape: Shape,
    reference: Answer,
    shadow: Answer,
    *,
    unordered: Callable[[str], bool] | None = None,
    edges: Edges | None = None,
    marker: str = "",
    count: bool = True,
    pods: Pods | None = None,
) -> Comparison:
    """Compare two answers of one route; `count` adds to the shape what was there.

    With `pods` the values that differ are followed within each pod.

    `edges` are those of numbers' relative differences, `marker` is a header of which only the
    presence counts.

    Differing bodies that can't be decoded, or are too deep or too large to be walked to the end,
    differ at `$`, with the reason as detail, besides the places that were found before.

    Raises:
        IncomparableError: both bodies of a pair that is counted were cut, and nothing else tells
            the answers apart: it is not known whether they are the same. (With `count` False,
            for a control, that is no difference.) Or one was cut for want of memory here.
    """
    if MEMORY in (reference.cut, shadow.cut):
        raise IncomparableError(MEMORY)
    if count and reference.cut and shadow.cut and reference.status == shadow.status:
        raise IncomparableError(reference.cut)
    walk = _Walk(shape, unordered, edges or edges_of(), marker, pods, count=count)
    if count:
        shape.status.reference += 1
        shape.status.shadow += 1
    if reference.status != shadow.status:
        walk.add(shape.status, PlaceKind.STATUS, f"{reference.status}>{shadow.status}")
    walk.headers(reference.headers, shadow.headers)
    walk.bodies(reference, shadow)
    return Comparison(frozenset(walk.places), walk.leaves)


class _Walk:
    """One comparison in progress."""

    __slots__ = (
        "count", "edges", "leaves", "marker", "pair", "places", "pods", "shape", "unordered",
    )  # fmt: skip

    def __init__(
        self,
        shape: Shape,
        unordered: Callable[[str], bool] | None,
        edges: Edges,
        marker: str,
        pods: Pods | None,
        *,
        count: bool,
    ) -> None:
        self.shape = shape
        self.pods = pods
        self.unordered = unordered
        self.edges = edges
        self.marker = shape.marker = marker
        self.count = count
        self.places: set[Difference] = set()
        self.leaves = 0
        if count:
            shape.pairs += 1
        self.pair = shape.pairs

    def add(self, node: Node, kind: PlaceKind, detail: str = "") -> None:
        self.places.add((node, kind, detail))

    def values(self, node: Node, left: Any, right: Any, more: float) -> None:
        """Note two values that differ; `more` says whether the right one is more than the other."""
        if self.count:
            node.more += more > 0
            node.less += more < 0
        pods = self.pods
        followed = self.shape.follow(node) if pods is not None else None
        if pods is None or followed is None:
            return
        if self.count:  # or it was noted with the pair
            followed.add(pods.reference, left, pods.reference_time, shadow=False)
        followed.add(pods.other, right, pods.other_time, shadow=pods.is_shadow)

    # -- headers

    def headers(self, reference: dict[str, str], shadow: dict[str, str]) -> None:
        for name, value in reference.items():
            if name in IGNORED:
                continue
            node = self.shape.headers.get(name) or self.shape.header(name)
            if self.count:
                node.reference += 1
            other = shadow.get(name)
            if other is None:
                self.add(node, PlaceKind.MISSING)
            elif other != value:
                self._header(node, name, value, other)
        for name in shadow:
            if name in IGNORED:
                continue
            node = self.shape.headers.get(name) or self.shape.header(name)
            if self.count:
                node.shadow += 1
            if name not in reference:
                self.add(node, PlaceKind.EXTRA)

    def _header(self, node: Node, name: str, value: str, other: str) -> None:
        rule = HEADER_RULES.get(name, HeaderRule.VALUE)
        if name == self.marker:
            return
        if rule is HeaderRule.NAMES and cookie_names(value) != cookie_names(other):
            self.add(node, PlaceKind.HEADER)
        elif rule is HeaderRule.VALUE and media(value) != media(other):
            kind, detail = _text_kind(value, other)
            self.add(node, PlaceKind.HEADER if kind is PlaceKind.TEXT else kind, detail)
            self.values(node, value, other, _longer(value, other))

    # -- bodies

    def bodies(self, reference: Answer, shadow: Answer) -> None:
        body = self.shape.body
        if reference.cut and shadow.cut:
            if reference.status != shadow.status:  # else nothing shows that they differ
                self.add(body, PlaceKind.TEXT, reference.cut)
            return
        if reference.cut or shadow.cut:
            self.add(body, PlaceKind.LENGTH, reference.cut or shadow.cut)
            return
        same = reference.body == shadow.body and reference.headers.get(
            "content-encoding"
        ) == shadow.headers.get("content-encoding")
        if same and not self.count:
            self.leaves = 1
            return
        try:
            self._contents(body, reference, shadow, same=same)
        except IncomparableError as error:
            self.add(body, PlaceKind.TEXT, str(error))

    def _contents(self, body: Node, reference: Answer, shadow: Answer, *, same: bool) -> None:
        try:
            left = reference.content
            right = left if same else shadow.content
        except IncomparableError:
            if not same:
                raise
            self.leaves = 1
            return
        if isinstance(left, Text) or isinstance(right, Text):
            self._texts(body, left, right)
        elif same or equal(left, right):
            self._same(body, left, 0)
        else:
            try:
                self._both(body, left, right, 0)
            except RecursionError:  # `==` on the branch that is too deep to walk
                raise IncomparableError("TooDeep") from None

    def _texts(self, body: Node, left: object, right: object) -> None:
        self.leaves = 1
        names = _content_name(left), _content_name(right)
        if self.count:
            sides = (names[0] != "empty") * REFERENCE + (names[1] != "empty") * SHADOW
            body.see(self.pair, sides)
            body.leaves += 1
        if left == right:
            return
        if names[0] == names[1]:
            self.add(body, PlaceKind.TEXT)
        elif names[0] == "empty":
            self.add(body, PlaceKind.EXTRA)
        elif names[1] == "empty":
            self.add(body, PlaceKind.MISSING)
        else:
            self.add(body, PlaceKind.TYPE, f"{names[0]}>{names[1]}")

    # The three walks below run for every value of every answer: leaves are counted where they
    # are met, without a call.

    def _same(self, node: Node, value: Any, depth: int) -> None:
        """Count what is there where both sides are equal; past the bounds it just stops."""
        if not self.count or self.leaves >= MAX_LEAVES:
            return
        pair = self.pair
        node.see(pair, BOTH)
        kind = type(value)
        if not value or depth >= MAX_DEPTH or (kind is not dict and kind is not list):
            self.leaves += 1
            node.leaves += 1
        elif kind is list:
            child = node.item()
            for item in value:
                self._same(child, item, depth + 1)
        else:
            children = node.children
            for key, item in value.items():
                child = children.get(key) or node.key(key, len(value))
                if type(item) in _SCALARS:
                    self.leaves += 1
                    child.leaves += 1
                    if child.last != pair:
                        child.last = pair
                        child.sides = BOTH
                        child.reference += 1
                        child.shadow += 1
                    elif child.sides != BOTH:
                        child.see(pair, BOTH)
                else:
                    self._same(child, item, depth + 1)

    def _one(self, node: Node, value: Any, depth: int, side: int) -> None:
        """Count what only one side has."""
        if depth > MAX_DEPTH:
            raise IncomparableError("TooDeep")
        if self.count:
            node.see(self.pair, side)
        if isinstance(value, dict) and value:
            for key, item in value.items():
                self._one(node.key(key, len(value)), item, depth + 1, side)
        elif isinstance(value, list) and value:
            for item in value:
                self._one(node.item(), item, depth + 1, side)
        else:
            self._leaf(node)

    def _leaf(self, node: Node) -> None:
        self.leaves += 1
        if self.leaves > MAX_LEAVES:
            raise IncomparableError("TooLarge")
        if self.count:
            node.leaves += 1

    def _both(self, node: Node, left: Any, right: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise IncomparableError("TooDeep")
        if self.count:
            node.see(self.pair, BOTH)
        kind = type(left)
        if kind is dict and type(right) is dict:
            self._objects(node, left, right, depth)
        elif kind is list and type(right) is list:
            self._arrays(node, left, right, depth)
        else:
            self._leaf(node)
            if left != right or kind is not type(right):
                self._differ(node, left, right)

    def _differ(self, node: Node, left: Any, right: Any) -> None:
        """Add a place whose values are not the same; numbers may still be equal."""
        names = _type_name(left), _type_name(right)
        if names[0] != names[1]:
            self.add(node, PlaceKind.TYPE, f"{names[0]}>{names[1]}")
        elif left != right:
            kind, detail = self._leaf_kind(names[0], left, right)
            self.add(node, kind, detail)
            if kind is PlaceKind.NUMBER:
                self.values(node, left, right, 1 if right > left else -1)
            elif kind is not PlaceKind.BOOLEAN:
                self.values(node, left, right, _longer(left, right))

    def _leaf_kind(self, name: str, left: Any, right: Any) -> tuple[PlaceKind, str]:
        if name == "boolean":
            return PlaceKind.BOOLEAN, ""
        if name == "number":
            scale = number_scale(left)
            if scale is not None and scale == number_scale(right):
                return PlaceKind.TIMESTAMP, apart((right - left) / scale)
            return PlaceKind.NUMBER, magnitude(left, right, self.edges)
        return _text_kind(left, right)

    def _objects(self, node: Node, left: dict[str, Any], right: dict[str, Any], depth: int) -> None:
        if (not left and not right) or self.leaves > MAX_LEAVES:
            self._leaf(node)
        children, count, pair = node.children, self.count, self.pair
        for key, value in left.items():
            child = children.get(key) or node.key(key, len(left))
            if key not in right:
                self.add(child, PlaceKind.MISSING)
                self._one(child, value, depth + 1, REFERENCE)
                continue
            other = right[key]
            if value == other and type(value) is type(other) and type(value) in _SCALARS:
                self.leaves += 1
                if count:
                    child.leaves += 1
                    if child.last != pair or child.sides != BOTH:
                        child.see(pair, BOTH)
            else:
                self._both(child, value, other, depth + 1)
        for key in right.keys() - left.keys():
            child = node.key(key, len(right))
            self.add(child, PlaceKind.EXTRA)
            self._one(child, right[key], depth + 1, SHADOW)

    def _arrays(self, node: Node, left: list[Any], right: list[Any], depth: int) -> None:
        if len(left) != len(right):
            self.add(node, PlaceKind.LENGTH)
            if self.count:
                node.more += len(right) > len(left)
                node.less += len(right) < len(left)
        if not left and not right:
            self._leaf(node)
            return
        if equal(left, right):
            child = node.item()
            for item in left:
                self._same(child, item, depth + 1)
            return
        left, right, common = self._in_order(node, left, right)
        child = node.item()
        shared = min(len(left), len(right))
        for item in left[:common]:
            self._same(child, item, depth + 1)
        for one, other in zip(left[common:shared], right[common:shared], strict=True):
            self._both(child, one, other, depth + 1)
        for item in left[shared:]:
            self._one(child, item, depth + 1, REFERENCE)
        for item in right[shared:]:
            self._one(child, item, depth + 1, SHADOW)

    def _in_order(
        self, node: Node, left: list[Any], right: list[Any]
    ) -> tuple[list[Any], list[Any], int]:
        """Bring arrays into one order where order does not matter or is all that differs.

        Return them and how many equal items they begin with. Another order is a place of its own,
        one and not one per item, under a rule too: the rule excuses it as long as it stands.
        """
        free = self.unordered is not None and self.unordered(node.path)
        if not free and len(left) != len(right):
            return left, right, 0
        texts = keyed(left), keyed(right)
        if not free and any(a != b for (a, _), (b, _) in zip(*texts, strict=True)):
            return left, right, 0
        one, other, common = aligned(*texts)
        if any(index != index2 for index, index2 in zip(one, other, strict=False)):
            self.add(node, PlaceKind.ORDER)
        return [left[index] for index in one], [right[index] for index in other], common


_SCALARS: Final = frozenset({str, int, float, bool, type(None)})

_TYPE_NAMES: Final = {
    dict: "object",
    list: "array",
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def _type_name(value: object) -> str:
    return _TYPE_NAMES[type(value)]


def _content_name(content: object) -> str:
    if not isinstance(content, Text):
        return "json"
    return "text" if content.data else "empty"


def _text_kind(left: str, right: str) -> tuple[PlaceKind, str]:
    time = text_time(left)
    if time is not None and (other := text_time(right)) is not None:
        return PlaceKind.TIMESTAMP, apart(other - time)
    family = identifier_family(left)
    if family is not None and family == identifier_family(right):
        return PlaceKind.IDENTIFIER, ""
    return PlaceKind.TEXT, ""


def _longer(left: Any, right: Any) -> int:
    """Say whether a text is more than twice as long as another (1), or the reverse (-1).

    A little longer is no sign: names of pods are part of many a text.
    """
    if not (isinstance(left, str) and isinstance(right, str)):
        return 0
    return (len(right) > 2 * len(left)) - (len(left) > 2 * len(right))
