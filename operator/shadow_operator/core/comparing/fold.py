"""What is data and what is structure: names that may be shown, and kinds of text.

A path or a route template must carry no value. A name is shown when it reads like a word of a
program; everything else folds to a wildcard.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

NAME_LIMIT = 48
"""A longer name is data."""

_WORD = re.compile(r"[A-Za-z_$-][A-Za-z0-9_$-]*\Z", re.ASCII)
_TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_HEX_LETTERS = re.compile(r"[a-fA-F]{8,}\Z")
_TECHNICAL = re.compile(
    r"(?i:v\d{1,3}(?:(?:alpha|beta)\d{1,2})?|p\d{2,3}|ipv[46]|utf8|sha\d{1,3}|md5|base64|oauth2"
    r"|http[123]|s3|x86|i18n|l10n|k8s|h2c?|mp[34])\Z"
)
"""Words with a digit that name things of a program: `v1`, `latency_p99`, `ipv4`."""


def looks_like_data(name: str) -> bool:
    """Say whether an object key or a path segment looks like data: ids, emails, dates, numbers."""
    if len(name) > NAME_LIMIT or _WORD.match(name) is None:
        return True
    words = re.split(r"[_$-]", name)
    if any(_is_data_word(word) for word in words):
        return True
    return len(name) >= 16 and _is_scrambled(words)


def _is_data_word(word: str) -> bool:
    if any(character.isdigit() for character in word):
        return _TECHNICAL.match(word) is None
    return _HEX_LETTERS.match(word) is not None


def _is_scrambled(words: list[str]) -> bool:
    """Random letters change case every other letter; camelCase has whole words."""
    tokens = sum(len(_TOKEN.findall(word)) for word in words)
    return tokens > 0 and sum(map(len, words)) / tokens < 2.5


def segment_is_data(segment: str) -> bool:
    """Like `looks_like_data`, for a path segment: `favicon.ico` and `robots.txt` are words."""
    return looks_like_data(segment.replace(".", "_").replace("~", "_"))


_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?\Z"
)
_RFC_1123 = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*, \d{1,2}[ -][A-Z][a-z]{2}[ -]\d{2,4} "
)
_DIGITS = re.compile(r"\d{10}(?:\d{3}){0,3}(?:\.\d{1,9})?\Z")

EPOCH_FIRST = 1_483_228_800
"""2017-01-01; with `EPOCH_LAST` the range in which a number is taken for a time."""
EPOCH_LAST = 2_208_988_800
"""2040-01-01."""


_SCALES = (1, 10**3, 10**6, 10**9)


def number_scale(number: float) -> int | None:
    """Return how many of its units a second has, where a number is a plausible time since 1970.

    None: it is none.
    """
    for scale in _SCALES:
        if EPOCH_FIRST * scale <= number <= EPOCH_LAST * scale:
            return scale
    return None


def text_time(text: str) -> float | None:
    """Return the seconds since 1970 that a text says: ISO 8601, RFC 1123, or epoch digits.

    A time without a zone is taken for UTC. None: it says none.
    """
    if len(text) > 40:
        return None
    try:
        if _ISO.match(text):
            return _seconds(datetime.fromisoformat(text.replace(",", ".")))
        if _RFC_1123.match(text):
            return _seconds(parsedate_to_datetime(text))
    except (ValueError, OverflowError):
        return None
    if _DIGITS.match(text) is None:
        return None
    scale = number_scale(float(text))
    return None if scale is None else float(text) / scale


def _seconds(time: datetime) -> float:
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


_IDENTIFIERS = {
    "uuid": r"(?:urn:uuid:)?\{?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?",
    "hex": r"(?=.*\d)(?:[0-9a-f]{16,128}|[0-9A-F]{16,128})",
    "ulid": r"[0-7][0-9A-HJKMNP-TV-Z]{25}",
    "ksuid": r"(?=.*\d)(?=.*[A-Z])[0-9A-Za-z]{27}",
}
_IDENTIFIER = re.compile(
    r"(?:[a-z]{1,12}[_-])?(?:"
    + "|".join(f"(?P<{name}>{pattern})" for name, pattern in _IDENTIFIERS.items())
    + r")\Z"
)


def identifier_family(text: str) -> str | None:
    """Return `uuid`, `hex`, `ulid` or `ksuid` where a text looks like a generated id.

    A short prefix such as `req_` is allowed. Two ids are of one kind only within one family.
    """
    if not 16 <= len(text) <= 145:
        return None
    match = _IDENTIFIER.match(text)
    return match.lastgroup if match else None
