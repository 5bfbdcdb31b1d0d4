"""The runbook's command lines: taken from its text, and what is to be done with each.

`tests/support/runbook.md` is the runbook as HAL9's operators have it, word for word. What a line
is, its first word decides; a line of no known kind is an error, so that none is left out.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RUNBOOK: Final = Path(__file__).with_name("runbook.md")
GUIDE: Final = Path(__file__).parents[2] / "docs/runbook.md"
"""Our own: what stands for the lines that mean a machine and not a cluster."""


class Kind(StrEnum):
    """What is done with a line."""

    RUN = "run"
    """It is run as it stands, but for hosts, namespace and waiting times."""
    WATCH = "watch"
    """`watch` repeats it for ever; what it repeats is run."""
    MAPPED = "mapped"
    """It means files or units of one machine; docs/runbook.md has what stands for it."""


_RUN: Final = {"hal9-migrate", "hal9-cli", "kubectl", "curl", "for"}
_MAPPED: Final = {"tail", "du", "ls", "grep", "journalctl", "systemctl", "htop"}


class UnknownLineError(Exception):
    """A line of no known kind."""


@dataclass(frozen=True)
class Line:
    """One command of the runbook."""

    number: int
    """Of its first line in the text, from 1."""
    step: str
    """The heading above it, such as `1.1 Verify Current State`."""
    text: str
    """As the runbook has it; several lines where it goes on over them."""
    expected: tuple[str, ...] = ()
    """What its output must hold, line by line, where the runbook quotes that."""

    @property
    def words(self) -> list[str]:
        """The command in words, without a comment behind it."""
        return shlex.split(self.text, comments=True)

    @property
    def kind(self) -> Kind:
        """What is done with it; raise `UnknownLineError` where nobody has thought of it."""
        return _kind(self.words, self)

    @property
    def command(self) -> str:
        """What a shell is to run: of `watch` what it repeats."""
        return self.words[-1] if self.kind is Kind.WATCH else self.text


def _kind(words: list[str], line: Line) -> Kind:
    match words[0]:
        case "watch":
            inner = _kind(shlex.split(words[-1]), line)
            return Kind.WATCH if inner is Kind.RUN else inner
        case first if first in _RUN:
            return Kind.RUN
        case first if first in _MAPPED:
            return Kind.MAPPED
    raise UnknownLineError(f"line {line.number} of the runbook ({line.step}): {line.text}")


# From the text to lines


def lines(text: str) -> list[Line]:
    """Give every command of the code blocks, in order, with what is expected of it."""
    found: list[Line] = []
    for step, start, block in _blocks(text):
        found += _commands(step, start, block)
        for number, comment in _comments(start, block):
            if inner := re.fullmatch(r"Terminal \d+: (.+)", comment):
                found.append(Line(number, step, inner[1]))
    found.sort(key=lambda line: line.number)
    return _with_prose(found, text)


def _blocks(text: str) -> Iterator[tuple[str, int, list[str]]]:
    """Give heading, number of the first line and lines of each block of shell."""
    step, block, inside = "", list[str](), ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            if inside == "```bash":
                yield step, number - len(block), block
            inside, block = "" if inside else line.strip(), []
        elif inside:
            block.append(line)
        elif line.startswith("#"):
            step = line.lstrip("# ")


def _comments(start: int, block: list[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(block, start):
        if line.startswith("#"):
            yield number, line.lstrip("# ").strip()


def _commands(step: str, start: int, block: list[str]) -> Iterator[Line]:
    number, parts = start, list[str]()
    found: Line | None = None
    says: list[str] = []
    for at, line in enumerate(block, start):
        if not parts and (not line.strip() or line.startswith("#")):
            says.append(line)
            continue
        if not parts:
            if found:
                yield replace(found, expected=tuple(_quoted(says)))
            number, says = at, []
            found = None
        parts.append(line)
        if _is_whole("\n".join(parts)):
            found, parts = Line(number, step, "\n".join(parts)), []
    if parts:
        raise UnknownLineError(f"line {number} of the runbook ({step}) has no end")
    if found:
        yield replace(found, expected=tuple(_quoted(says)))


def _is_whole(text: str) -> bool:
    if text.endswith("\\"):
        return False
    try:
        words = shlex.split(text, comments=True)
    except ValueError:  # a quotation goes on
        return False
    return words.count("for") == words.count("done")


_QUOTES: Final = ("Expected output:", "Must show all green:", "Must show:")
"""Comments below which stands what the output has, line by line."""
_THRESHOLD: Final = re.compile(r" > \d+%$")
"""What the runbook asks of a number: the output has the number's name, and the number there is."""


def _quoted(comments: list[str]) -> Iterator[str]:
    """Give what the comments below a command quote from its output."""
    quoting = False
    for comment in (line.lstrip("# ").strip() for line in comments):
        if quoting and comment:
            yield _THRESHOLD.sub("", comment)
        elif found := re.match(r'(?:Expected:|Should show:) *"?([^"]+)', comment):
            yield found[1]
        quoting = comment in _QUOTES or (quoting and bool(comment))


def _with_prose(found: list[Line], text: str) -> list[Line]:
    """Add what the prose below a block says to wait for."""
    result = list(found)
    for number, line in enumerate(text.splitlines(), 1):
        if waits := re.match(r'\*\*Wait for\*\*: "([^"]+)"', line):
            index = max(i for i, one in enumerate(result) if one.number < number)
            expected = (*result[index].expected, waits[1])
            result[index] = replace(result[index], expected=expected)
    return result


# What stands for the others


def equivalents(text: str) -> dict[str, str]:
    """Give runbook line -> what stands for it, from the table of docs/runbook.md."""
    _, _, table = text.partition("\n| runbook | Kubernetes |")
    row = re.compile(r"^\| `(?P<theirs>.+?)` \| `(?P<ours>.+?)` \|")
    found = (row.match(line) for line in table.splitlines())
    return {
        one["theirs"].replace("\\|", "|"): one["ours"].replace("\\|", "|") for one in found if one
    }


# For a run


@dataclass(frozen=True)
class Change:
    """What differs from the runbook's text where a test runs it."""

    namespace: str
    hosts: Mapping[str, str]
    """Of the runbook, without scheme -> base of the URLs that are asked."""
    faster: int = 1
    """By how much waiting times are shorter."""

    def __call__(self, command: str) -> str:
        """Give the command as it is run."""
        for host, base in self.hosts.items():
            command = command.replace(f"https://{host}", base)
        command = re.sub(r"(-n|--namespace) hal9\b", rf"\1 {self.namespace}", command)
        return re.sub(r"(--duration) (\d+)([smh])\b", self._shorter, command)

    def _shorter(self, found: re.Match[str]) -> str:
        seconds = int(found[2]) * {"s": 1, "m": 60, "h": 3600}[found[3]]
        if self.faster == 1:
            return found[0]
        return f"{found[1]} {max(1, seconds // self.faster)}s"
