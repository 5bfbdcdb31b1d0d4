"""Route templates: declared ones first, others learned, without a value in any of them."""

from collections.abc import Iterable
from typing import Final

from shadow_operator.core.comparing.fold import segment_is_data

FOLDED: Final = "{}"
OTHER: Final = "{*}"
MAX_DEPTH: Final = 16
"""Segments beyond this depth share one `{*}`."""
MAX_VALUES: Final = 30
"""More distinct segments under one prefix are values of a parameter."""
MAX_NODES: Final = 4_000
SHOWN_AFTER: Final = 3
"""A learned segment is shown once it was seen this often: what occurs once may be a name of
somebody."""


class Route:
    """A node in the tree of learned segments, or a declared template.

    It is compared by identity. Its template is asked for when it is shown, since a segment may
    turn out to be a value later.
    """

    __slots__ = ("children", "depth", "folded", "name", "parent", "seen", "wildcard")

    def __init__(self, name: str, parent: "Route | None" = None) -> None:
        self.name = name
        self.parent = parent
        self.depth: int = parent.depth + 1 if parent else 0
        self.seen = 0
        self.folded = False
        self.children: dict[str, Route] = {}
        self.wildcard: Route | None = None

    @property
    def template(self) -> str:
        """The template as it may be shown now."""
        if self.parent is None:
            return self.name or "/"
        names: list[str] = []
        node = self
        while node.parent is not None:
            names.append(node._shown())
            node = node.parent
        return "/" + "/".join(reversed(names))

    def _shown(self) -> str:
        learned = self.name not in {FOLDED, OTHER, ""}
        hidden = self.seen < SHOWN_AFTER or (self.parent is not None and self.parent.folded)
        return FOLDED if learned and hidden else self.name


class Routes:
    """All templates of one comparator; bounded in every direction."""

    def __init__(self, declared: Iterable[str] = ()) -> None:
        self._root = Route("")
        self._nodes = 0
        self._declared: dict[int, list[tuple[tuple[str | None, ...], Route]]] = {}
        self._by_template: dict[str, Route] = {}
        self.declare(declared)

    def declare(self, templates: Iterable[str]) -> None:
        """Replace the declared templates; the first that matches wins."""
        self._declared = {}
        for template in templates:
            route = self._by_template.setdefault(template, Route(template))
            pattern = tuple(
                None if part.startswith("{") and part.endswith("}") else part
                for part in template.split("/")[1:]
            )
            self._declared.setdefault(len(pattern), []).append((pattern, route))

    def of(self, path: str) -> Route:
        """Return the route of a request path (no query)."""
        segments = path.split("/")[1:]
        for pattern, route in self._declared.get(len(segments), ()):
            if all(
                want is None or want == got for want, got in zip(pattern, segments, strict=True)
            ):
                return route
        node = self._root
        for segment in segments:
            node = self._step(node, segment)
            node.seen += 1
            if node.name == OTHER:
                break
        return node

    def _step(self, node: Route, segment: str) -> Route:
        child = node.children.get(segment)
        if child is not None and not node.folded:
            return child
        if node.depth >= MAX_DEPTH or self._nodes >= MAX_NODES:
            return self._wildcard(node, OTHER)
        if node.folded or segment_is_data(segment or "_"):
            return self._wildcard(node, FOLDED)
        if len(node.children) >= MAX_VALUES:
            node.folded = True
            return self._wildcard(node, FOLDED)
        child = node.children[segment] = Route(segment, node)
        self._nodes += 1
        return child

    def _wildcard(self, node: Route, name: str) -> Route:
        if node.wildcard is None:
            node.wildcard = Route(name, node)
            self._nodes += 1
        return node.wildcard
