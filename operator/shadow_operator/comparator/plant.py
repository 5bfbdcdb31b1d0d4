"""Wrong values for a self-test: what a broken new version could answer, put in by ourselves."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, Final, TypeAlias

from shadow_operator.comparator.counts import Result
from shadow_operator.core.comparing.answer import Answer, IncomparableError, Text
from shadow_operator.core.comparing.fold import (
    identifier_family,
    looks_like_data,
    number_scale,
    text_time,
)

ONE_IN: Final = 50
"""Of the shadow's answers one in so many is changed."""
PLACES: Final = 16
"""Places of an answer that take turns: one of them may be noise, where nothing can be caught."""

Step: TypeAlias = str | int
Leaf: TypeAlias = tuple[tuple[Step, ...], Any]


class Planter:
    """Changes one value in one of fifty answers, each time at the next place."""

    def __init__(self) -> None:
        self._answers = 0

    def changed(self, result: Result, spared: Callable[[str], bool]) -> Result:
        """Return the result to compare; `spared` says of which paths it is known that they vary."""
        self._answers += 1
        turn, rest = divmod(self._answers, ONE_IN)
        if rest or result.answer is None or result.answer.cut:
            return result
        try:
            wrong = _wrong(result.answer, spared, turn)
        except (IncomparableError, RecursionError):
            return result
        return result if wrong is None else replace(result, answer=wrong)


def _wrong(answer: Answer, spared: Callable[[str], bool], turn: int) -> Answer | None:
    content = answer.content
    if isinstance(content, Text):
        return _with_body(answer, content.data + b"~") if content.data else None
    leaves = list(islice(_leaves(content, (), "$", spared), PLACES))
    if not leaves:
        return None
    steps, value = leaves[turn % len(leaves)]
    return _with_body(answer, json.dumps(_replaced(content, steps, _other(value))).encode())


def _with_body(answer: Answer, body: bytes) -> Answer:
    headers = {name: v for name, v in answer.headers.items() if name != "content-encoding"}
    return Answer(answer.status, headers, body, len(body), answer.cut, answer.decoded_limit)


def _leaves(
    value: Any, steps: tuple[Step, ...], path: str, spared: Callable[[str], bool]
) -> Iterator[Leaf]:
    if isinstance(value, dict):
        for name in sorted(filter(lambda name: not looks_like_data(name), value)):
            yield from _leaves(value[name], (*steps, name), f"{path}.{name}", spared)
    elif isinstance(value, list):
        if value:
            yield from _leaves(value[0], (*steps, 0), f"{path}[*]", spared)
    elif value is not None and not spared(path) and not _varies_by_kind(value):
        yield steps, value


def _varies_by_kind(value: Any) -> bool:
    if isinstance(value, str):
        return text_time(value) is not None or identifier_family(value) is not None
    return not isinstance(value, bool) and number_scale(value) is not None


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return f"{value}~" if isinstance(value, str) else value + max(1, abs(value))


def _replaced(value: Any, steps: tuple[Step, ...], new: Any) -> Any:
    """Return a copy in which the value at the end of the steps is another."""
    if not steps:
        return new
    copy = value.copy()
    copy[steps[0]] = _replaced(value[steps[0]], steps[1:], new)
    return copy
