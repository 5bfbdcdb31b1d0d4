"""The layout that the rest of the project relies on."""

import operator
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ROOT / "operator" / "shadow_operator"
ROOMS = "|".join(room.name for room in CODE.iterdir() if (room / "__init__.py").exists())
NAMED = re.compile(rf"`((?:{ROOMS}|bench|tests)/[\w/.]+|(?:{ROOMS})\.[\w.]+)`")
"""A path as texts give it: `core/judging/gates`, never with dots."""


def test_operator_is_a_source_root_and_hides_nothing_of_the_standard_library() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert operator.add(1, 1) == 2


def _texts() -> Iterator[Path]:
    for folder in ("operator", "tests", "bench", "dev", "examples"):
        yield from (ROOT / folder).rglob("*.py")
    yield from (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "bench").glob("*.md"))


def _exists(path: str) -> bool:
    return any((root / end).exists() for root in (CODE, ROOT) for end in (path, f"{path}.py"))


def test_every_module_that_a_text_names_exists() -> None:
    found = [
        (str(text.relative_to(ROOT)), path)
        for text in _texts()
        for path in NAMED.findall(text.read_text("utf-8"))
    ]
    assert len(found) > 50
    assert [(text, path) for text, path in found if not _exists(path)] == []
