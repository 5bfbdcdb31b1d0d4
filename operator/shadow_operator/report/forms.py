"""A report in the form that the name of a file asks for; what a form needs is loaded only then."""

from collections.abc import Callable, Mapping
from typing import Final

from shadow_operator.report.model import Report


def _json(report: Report) -> bytes:
    return f"{report.to_json()}\n".encode()


def _markdown(report: Report) -> bytes:
    from shadow_operator.report.markdown import markdown  # noqa: PLC0415

    return markdown(report).encode()


def _junit(report: Report) -> bytes:
    from shadow_operator.report.junit import junit  # noqa: PLC0415

    return junit(report).encode()


def _html(report: Report) -> bytes:
    from shadow_operator.report.html import html  # noqa: PLC0415

    return html(report).encode()


def _pdf(report: Report) -> bytes:
    from shadow_operator.report.pdf import pdf  # noqa: PLC0415

    return pdf(report)


FORMS: Final[Mapping[str, Callable[[Report], bytes]]] = {
    ".pdf": _pdf,
    ".html": _html,
    ".json": _json,
    ".xml": _junit,
    ".md": _markdown,
}
"""Ending of a file -> its form."""
