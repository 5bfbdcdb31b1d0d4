"""Which headers of an answer are compared, and what of each."""

from enum import StrEnum
from typing import Final


class HeaderRule(StrEnum):
    """What of a header is compared."""

    NOTHING = "nothing"
    PRESENCE = "presence"
    NAMES = "names"
    VALUE = "value"


HEADER_RULES: Final[dict[str, HeaderRule]] = {
    # About this connection or this moment, not about the answer.
    "connection": HeaderRule.NOTHING,
    "keep-alive": HeaderRule.NOTHING,
    "proxy-connection": HeaderRule.NOTHING,
    "transfer-encoding": HeaderRule.NOTHING,
    "te": HeaderRule.NOTHING,
    "trailer": HeaderRule.NOTHING,
    "upgrade": HeaderRule.NOTHING,
    "alt-svc": HeaderRule.NOTHING,
    "date": HeaderRule.NOTHING,
    "age": HeaderRule.NOTHING,
    "server-timing": HeaderRule.NOTHING,
    # Follows from the body, which is compared itself.
    "content-length": HeaderRule.NOTHING,
    "etag": HeaderRule.PRESENCE,
    "content-md5": HeaderRule.PRESENCE,
    "digest": HeaderRule.PRESENCE,
    "repr-digest": HeaderRule.PRESENCE,
    # Every call has a trace context of its own.
    "traceparent": HeaderRule.NOTHING,
    "tracestate": HeaderRule.NOTHING,
    "traceresponse": HeaderRule.NOTHING,
    "b3": HeaderRule.NOTHING,
    "x-b3-traceid": HeaderRule.NOTHING,
    "x-b3-spanid": HeaderRule.NOTHING,
    "x-b3-parentspanid": HeaderRule.NOTHING,
    "x-amzn-trace-id": HeaderRule.NOTHING,
    "x-cloud-trace-context": HeaderRule.NOTHING,
    "uber-trace-id": HeaderRule.NOTHING,
    # Sessions are random; which cookies are set is behaviour.
    "set-cookie": HeaderRule.NAMES,
}
"""All other headers are compared by value. A value that merely changes from answer to answer is
noise, and the control shows it."""

IGNORED: Final = frozenset(
    name for name, rule in HEADER_RULES.items() if rule is HeaderRule.NOTHING
)


def media(value: str) -> str:
    """Blanks and letter case around parameters carry no meaning (`text/html; charset=UTF-8`)."""
    return value if ";" not in value else value.replace("; ", ";").lower()


def cookie_names(value: str) -> set[str]:
    return {cookie.split("=", 1)[0].strip() for cookie in value.split("\n")}
