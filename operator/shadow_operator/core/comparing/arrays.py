"""Which documents are equal, and arrays in an order of their own: by the text of their items."""

import json
from typing import Any, TypeAlias

import orjson

from shadow_operator.core.comparing.answer import IncomparableError


def equal(left: object, right: object) -> bool:
    """Compare whole documents at the speed of C where that is exact.

    `==` takes true for 1, so documents that are equal by it are compared once more as text.
    """
    try:
        return left == right and _sorted_dump(left) == _sorted_dump(right)
    except (RecursionError, TypeError):
        return False


def _sorted_dump(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS)


def _dump(value: object) -> bytes:
    """Canonical text of a JSON value; integers beyond 64 bits included."""
    try:
        # Copied, since what orjson gives keeps the 4 KiB that it was written into.
        return bytes(memoryview(_sorted_dump(value)))
    except TypeError:
        return json.dumps(value, sort_keys=True).encode()
    except RecursionError:
        raise IncomparableError("TooDeep") from None


Keyed: TypeAlias = list[tuple[bytes, int]]
"""Items of an array by their canonical text, with their indices."""


def keyed(items: list[Any]) -> Keyed:
    return sorted((_dump(item), index) for index, item in enumerate(items))


def aligned(left: Keyed, right: Keyed) -> tuple[list[int], list[int], int]:
    """Bring two multisets into one order: equal items first, the rest by their text.

    Return the order of indices on both sides, and how many items are equal.
    """
    common: tuple[list[int], list[int]] = ([], [])
    rest: tuple[list[int], list[int]] = ([], [])
    one, other = 0, 0
    while one < len(left) and other < len(right):
        (text, index), (text2, index2) = left[one], right[other]
        if text == text2:
            common[0].append(index)
            common[1].append(index2)
            one, other = one + 1, other + 1
        elif text < text2:
            rest[0].append(index)
            one += 1
        else:
            rest[1].append(index2)
            other += 1
    rest[0].extend(index for _, index in left[one:])
    rest[1].extend(index for _, index in right[other:])
    return common[0] + rest[0], common[1] + rest[1], len(common[0])
