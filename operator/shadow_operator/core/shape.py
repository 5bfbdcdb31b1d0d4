"""The shape of one route's answers: which places exist, how often, and under which name.

A tree that grows with the keys that answers have. It folds keys that are data into `{*}`, counts
in how many answers a place was there, and is bounded in every direction.
"""

from collections.abc import Iterator
from typing import Final

from shadow_operator.core.fold import looks_like_data

REFERENCE: Final = 1
SHADOW: Final = 2
BOTH: Final = 3
"""Which sides of a pair have a place."""

ITEM: Final = "[*]"
FOLDED: Final = "{*}"
MAX_NODES: Final = 1_024
"""Places of one route; more share their parent's `{*}`."""
MAX_KEYS: Final = 256
"""More distinct keys of one object are data."""
MAX_PATH: Final = 200
"""Characters of a path; deeper places share one `{*}`."""
MAX_HEADERS: Final = 64
SHOWN_AFTER: Final = 3
"""A key is shown once it was there in this many pairs: what occurs once may be somebody's name."""


class Node:
    """A place in the answers of one route; compared by identity."""

    __slots__ = (
        "children",
        "differed",
        "folded",
        "items",
        "last",
        "leaves",
        "length",
        "name",
        "parent",
        "reference",
        "shadow",
        "shape",
        "sides",
        "widest",
        "wildcard",
    )

    def __init__(self, shape: "Shape", name: str, parent: "Node | None" = None) -> None:
        self.shape = shape
        self.name = name
        self.parent = parent
        self.length: int = (parent.length if parent else 0) + len(name) + 1
        self.children: dict[str, Node] = {}
        self.items: Node | None = None
        self.wildcard: Node | None = None
        self.folded = False
        self.widest = 0
        self.reference = 0
        self.shadow = 0
        self.last = 0
        """The pair that was counted last, and on which `sides` (1 reference, 2 shadow)."""
        self.sides = 0
        self.leaves = 0
        self.differed = False

    def see(self, pair: int, sides: int) -> None:
        """Count this place for one pair, once per side however many items have it."""
        if self.last != pair:
            self.last = pair
            new = self.sides = sides
        else:
            new = sides & ~self.sides
            self.sides |= sides
        self.reference += new & REFERENCE
        self.shadow += new >> 1

    @property
    def path(self) -> str:
        """The path as it may be shown now: `$.items[*].{*}.state`."""
        names: list[str] = []
        node = self
        while node.parent is not None:
            names.append(node.name if node.name == ITEM else "." + node._shown(node.parent))
            node = node.parent
        names.append(node.name)
        return "".join(reversed(names))

    def _shown(self, parent: "Node") -> str:
        rare = max(self.reference, self.shadow) < SHOWN_AFTER
        return FOLDED if parent.folded or rare else self.name

    def item(self) -> "Node":
        """Return the place that all items of this array share."""
        if self.items is None:
            if self.length + len(ITEM) > MAX_PATH:
                return self.rest()
            self.items = self.shape.grow(ITEM, self)
        return self.items

    def key(self, name: str, width: int) -> "Node":
        """Return the place of a key of this object, which has `width` keys in this answer.

        An object whose answers together have far more keys than any one of them is a map from
        data, not a record.
        """
        child = self.children.get(name)
        if child is not None:
            return child
        self.widest = max(self.widest, width)
        if self.folded or looks_like_data(name):
            return self.rest()
        if len(self.children) >= min(2 * self.widest + 8, MAX_KEYS):
            self.folded = True
            return self.rest()
        if self.length + len(name) > MAX_PATH or self.shape.nodes >= MAX_NODES:
            return self.rest()
        child = self.children[name] = self.shape.grow(name, self)
        return child

    def rest(self) -> "Node":
        """Return the place that all folded keys of this object share."""
        if self.wildcard is None:
            if self.name == FOLDED and (self.length > MAX_PATH or self.shape.nodes >= MAX_NODES):
                return self
            self.wildcard = self.shape.grow(FOLDED, self)
        return self.wildcard

    def below(self) -> Iterator["Node"]:
        """Yield this place and all below it."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(node.children.values())
            stack.extend(child for child in (node.items, node.wildcard) if child is not None)


class Shape:
    """All places of one route's answers."""

    def __init__(self) -> None:
        self.nodes = 0
        self.pairs = 0
        """Compared pairs so far; also marks in a node that it was counted for this pair."""
        self.body = Node(self, "$")
        self.status = Node(self, "status")
        self.headers: dict[str, Node] = {}

    def grow(self, name: str, parent: Node) -> Node:
        """Make a place below another one."""
        self.nodes += 1
        return Node(self, name, parent)

    def header(self, name: str) -> Node:
        """Return the place of a header (lower case)."""
        node = self.headers.get(name)
        if node is None:
            full = looks_like_header_data(name) or len(self.headers) >= MAX_HEADERS
            shown = f"header:{FOLDED}" if full else f"header:{name}"
            node = self.headers.get(FOLDED if full else name) or Node(self, shown)
            self.headers[FOLDED if full else name] = node
        return node

    def __iter__(self) -> Iterator[Node]:
        yield from self.body.below()
        yield self.status
        yield from self.headers.values()


def looks_like_header_data(name: str) -> bool:
    """Say whether a header's name is not made of words: `x-b3-traceid` is, `x-4f2a91` is not."""
    return all(looks_like_data(word) for word in name.split("-"))
