"""The shape of one route's answers: which places exist, how often, and under which name.

A tree that grows with the keys that answers have. It folds keys that are data into `{*}`, counts
in how many answers a place was there, and is bounded in every direction.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from shadow_operator.core.comparing.fold import NAME_LIMIT, looks_like_data
from shadow_operator.core.comparing.instances import Instances

REFERENCE: Final = 1
SHADOW: Final = 2
BOTH: Final = 3
"""Which sides of a pair have a place."""

ITEM: Final = "[*]"
FOLDED: Final = "{*}"
MAX_NODES: Final = 1_024
"""Places of one route's bodies; more share a place that is there, at worst their parent's."""
MAX_KEYS: Final = 256
"""More distinct keys of one object are data."""
MAX_PATH: Final = 200
"""Characters of a path; deeper places share one `{*}`."""
MAX_HEADERS: Final = 64
MAX_FOLLOWED: Final = 24
"""Places of which each pod is followed by itself."""
SHOWN_AFTER: Final = 3
"""A key, or a header that is not a known one, is shown once it was there in this many pairs: what
occurs once may be somebody's name."""
KNOWN_HEADERS: Final = frozenset(
    {
        "accept-ranges", "access-control-allow-credentials", "access-control-allow-headers",
        "access-control-allow-methods", "access-control-allow-origin",
        "access-control-expose-headers", "access-control-max-age", "age", "allow", "alt-svc",
        "cache-control", "clear-site-data", "connection", "content-disposition", "content-encoding",
        "content-language", "content-length", "content-location", "content-md5", "content-range",
        "content-security-policy", "content-security-policy-report-only", "content-type",
        "cross-origin-embedder-policy", "cross-origin-opener-policy",
        "cross-origin-resource-policy", "date", "deprecation", "digest", "etag", "expires",
        "keep-alive", "last-modified", "link", "location", "nel", "p3p", "permissions-policy",
        "pragma", "proxy-authenticate", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset",
        "referrer-policy", "refresh", "report-to", "retry-after", "server", "server-timing",
        "set-cookie", "strict-transport-security", "sunset", "timing-allow-origin", "trailer",
        "transfer-encoding", "upgrade", "vary", "via", "warning", "www-authenticate", "x-amz-cf-id",
        "x-amz-id-2", "x-amz-request-id", "x-cache", "x-content-type-options", "x-correlation-id",
        "x-dns-prefetch-control", "x-download-options", "x-frame-options",
        "x-permitted-cross-domain-policies", "x-powered-by", "x-ratelimit-limit",
        "x-ratelimit-remaining", "x-ratelimit-reset", "x-request-id", "x-response-time",
        "x-robots-tag", "x-runtime", "x-ua-compatible", "x-xss-protection",
    }
)  # fmt: skip
"""Header names that carry no value, whatever they look like."""


class Node:
    """A place in the answers of one route; compared by identity."""

    __slots__ = (
        "children",
        "differed",
        "folded",
        "instances",
        "items",
        "last",
        "leaves",
        "length",
        "less",
        "more",
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
        self.more = 0
        """Pairs in which the shadow had a larger number, a longer array, or text twice as long."""
        self.less = 0
        self.instances: Instances | None = None
        """How its value behaves within each pod; None: not followed."""

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
            if self.length + len(ITEM) > MAX_PATH or self.shape.full:
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
        if self.length + len(name) > MAX_PATH or self.shape.full:
            return self.rest()
        child = self.children[name] = self.shape.grow(name, self)
        return child

    def rest(self) -> "Node":
        """Return the place that all folded keys of this object share.

        It is this one itself where there is no room for another.
        """
        if self.wildcard is None:
            if self.shape.full or (self.name == FOLDED and self.length > MAX_PATH):
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


class _Header(Node):
    """A header; not shown before it was there a few times, unless its name is a known one."""

    __slots__ = ()

    @property
    def path(self) -> str:
        """`header:` and the name as it may be shown now."""
        rare = max(self.reference, self.shadow) < SHOWN_AFTER
        known = self.name in KNOWN_HEADERS or self.name == self.shape.marker
        name = FOLDED if rare and not known else self.name
        return f"header:{name}"


class Shape:
    """All places of one route's answers."""

    def __init__(self) -> None:
        self.nodes = 0
        self.followed = 0
        self.pairs = 0
        """Compared pairs so far; also marks in a node that it was counted for this pair."""
        self.body = Node(self, "$")
        self.status = Node(self, "status")
        self.headers: dict[str, Node] = {}
        self.marker = ""
        """A header whose name the operator told, so that it is always shown."""

    def follow(self, node: Node) -> Instances | None:
        """Return how a place is followed in each pod; None where there is no room for another."""
        if node.instances is None and self.followed < MAX_FOLLOWED:
            self.followed += 1
            node.instances = Instances()
        return node.instances

    @property
    def full(self) -> bool:
        """Whether there is no room for a further place."""
        return self.nodes >= MAX_NODES

    def grow(self, name: str, parent: Node) -> Node:
        """Make a place below another one."""
        self.nodes += 1
        return Node(self, name, parent)

    def header(self, name: str) -> Node:
        """Return the place of a header (lower case)."""
        node = self.headers.get(name)
        if node is None:
            folds = looks_like_header_data(name) or len(self.headers) >= MAX_HEADERS
            key = FOLDED if folds and name != self.marker else name
            node = self.headers.setdefault(key, _Header(self, key))
        return node

    def __iter__(self) -> Iterator[Node]:
        yield from self.body.below()
        yield self.status
        yield from self.headers.values()


@lru_cache(maxsize=1_024)  # asked for every answer, since a name that folds has no place
def looks_like_header_data(name: str) -> bool:
    """Say whether a header's name (lower case) has a part that is no word: `x-meta-4f2a91`."""
    if name in KNOWN_HEADERS:
        return False
    return len(name) > NAME_LIMIT or any(
        looks_like_data(word) and _NUMBERED.match(word) is None for word in name.split("-")
    )


_NUMBERED: Final = re.compile(r"[a-z]{1,12}\d\Z")
"""Names of programs and systems: `b3`, `ec2`, `log4`."""
