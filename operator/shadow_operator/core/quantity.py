"""Quantities of Kubernetes: `0.1` is `100m`, `1Gi` is `1073741824`."""

import re
from decimal import Decimal
from typing import Final

_PATTERN: Final = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))(?P<suffix>[eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i|)"
)
_DECIMAL: Final = {
    "n": -9,
    "u": -6,
    "m": -3,
    "": 0,
    "k": 3,
    "M": 6,
    "G": 9,
    "T": 12,
    "P": 15,
    "E": 18,
}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def parse(text: object) -> Decimal:
    """Give the exact number; raise `ValueError` for what the API server would refuse."""
    found = _PATTERN.fullmatch(str(text))
    if found is None:
        raise ValueError("not a quantity of Kubernetes")
    number, suffix = Decimal(found["number"]), found["suffix"]
    if suffix in _BINARY:
        return number * (1 << _BINARY[suffix])
    if suffix in _DECIMAL:
        return number.scaleb(_DECIMAL[suffix])
    return number.scaleb(int(suffix[1:]))


def same(one: object, other: object) -> bool:
    """Whether both say the same amount; what is no quantity is compared as it stands."""
    try:
        return parse(one) == parse(other)
    except ValueError:
        return one == other
