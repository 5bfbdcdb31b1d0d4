"""Every form shows the same report, whatever stands in it."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree as Tree

import pypdfium2 as pdfium
import pytest

from shadow_operator.api.enums import GateMode, GateName, GateResult
from shadow_operator.report.drawing import Area, Label, Line, Picture, svg
from shadow_operator.report.forms import FORMS
from shadow_operator.report.html import html
from shadow_operator.report.junit import junit
from shadow_operator.report.markdown import markdown
from shadow_operator.report.model import JudgedGate, Report, Subject, Summary
from shadow_operator.report.pdf import pdf
from shadow_operator.report.pictures import PICTURES, pictures
from shadow_operator.report.series import moment
from tests.support.reported import bad, good, hostile
from tests.support.world import START

EMPTY = Report(
    written_time=moment(START), subject=Subject(name="hal9", namespace="hal9"), summary=Summary()
)
NASTY = "</script></pre></svg><img src=x onerror=alert(1)>\"'&<b>```\n| x | \u4e16 \x0b ]]>"


@pytest.mark.parametrize("ending", FORMS)
@pytest.mark.parametrize(
    "report",
    [good(), bad(), EMPTY, hostile(bad(), NASTY), hostile(bad(), "x" * 4000)],
    ids=["good", "bad", "empty", "hostile", "long"],
)
def test_every_form_can_be_made_of_every_report(ending: str, report: Report) -> None:
    assert FORMS[ending](report)


# Pictures


def every_point(picture: Picture) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for mark in picture.marks:
        match mark:
            case Line(found) | Area(found):
                points += found
            case Label(x, y):
                points.append((x, y))
    return points


def test_a_full_report_has_every_picture_and_an_empty_one_none() -> None:
    assert len(pictures(good())) == len(PICTURES)
    assert pictures(EMPTY) == ()


@pytest.mark.parametrize("report", [good(), bad()], ids=["good", "bad"])
def test_nothing_is_drawn_beyond_the_canvas(report: Report) -> None:
    for picture in pictures(report):
        for x, y in every_point(picture):
            assert 0 <= x <= picture.width, picture.title
            assert 0 <= y <= picture.height, picture.title


def test_labels_below_each_other_do_not_collide() -> None:
    for picture in pictures(good()):
        ticks = [m for m in picture.marks if isinstance(m, Label) and m.anchor == "middle"]
        ends = [(m.x - 2.6 * len(m.text), m.x + 2.6 * len(m.text)) for m in ticks]
        for (_, end), (begin, _) in pairwise(ends):
            assert end <= begin, [m.text for m in ticks]


def test_a_picture_says_in_words_what_it_shows() -> None:
    for picture in pictures(good()):
        root = Tree.fromstring(svg(picture))  # noqa: S314 - our own
        assert root.get("role") == "img"
        assert root.get("aria-label") == picture.caption
        assert len(picture.caption) > 20


# HTML


class Page(HTMLParser):
    """Notes tags and what they would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.add(tag)
        self.loads += [
            f"{tag} {name}" for name, _ in attrs if name in {"src", "href"} or name[:2] == "on"
        ]


@pytest.mark.parametrize("report", [good(), hostile(bad(), NASTY)], ids=["good", "hostile"])
def test_html_loads_nothing_and_runs_nothing(report: Report) -> None:
    text = html(report)
    page = Page(text)
    assert page.loads == []
    assert not page.tags & {"script", "img", "link", "iframe", "object", "b/"}
    assert "url(" not in text
    assert "default-src 'none'" in text


def test_html_has_gates_pictures_differences_and_limits() -> None:
    text = html(bad())
    for gate in bad().gates:
        assert f">{gate.name}" in text
    assert text.count("<svg ") == len(PICTURES)
    assert "expectedVariations" in text
    for sentence in (*bad().limits, *bad().method):
        assert sentence.split("'")[0] in text


# Markdown


def unfenced(text: str) -> str:
    """Drop blocks of code; a fence ends with as many ticks as it begins with."""
    return re.sub(r"(?ms)^\s*(`{3,})\w*\n.*?^\s*\1$", "", text)


def test_markdown_can_not_be_broken_out_of() -> None:
    outside = unfenced(markdown(hostile(bad(), NASTY)))
    assert not re.search(r"(?<!\\)<(img|/script|b)\b", outside)
    assert outside.count("<details") == outside.count("</details>")


def test_every_row_of_a_markdown_table_has_its_columns() -> None:
    lines = unfenced(markdown(hostile(bad(), NASTY))).splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    cells = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert rows
    assert cells <= {3, 4, 6, 7, 10}


# JUnit


def gate(result: GateResult, mode: GateMode = GateMode.REQUIRED) -> JudgedGate:
    return JudgedGate(name=GateName.MATCH_RATE, result=result, mode=mode, message="why")


KINDS = {
    GateResult.PASSED: None,
    GateResult.FAILED: "failure",
    GateResult.ERROR: "error",
    GateResult.INCONCLUSIVE: "error",
    GateResult.NOT_APPLICABLE: "skipped",
}


@pytest.mark.parametrize("result", KINDS)
def test_a_gate_is_a_case(result: GateResult) -> None:
    def kind(mode: GateMode) -> str | None:
        report = EMPTY.model_copy(update={"gates": (gate(result, mode),)})
        [case] = Tree.fromstring(junit(report)).iter("testcase")  # noqa: S314 - our own
        return next((child.tag for child in case if child.tag != "system-out"), None)

    assert kind(GateMode.REQUIRED) == KINDS[result]
    assert kind(GateMode.ADVISORY) == (None if result is GateResult.PASSED else "skipped")


def test_the_counts_of_a_suite_are_those_of_its_cases() -> None:
    root = Tree.fromstring(junit(bad()))  # noqa: S314 - our own
    [suite] = root
    assert int(suite.get("tests", "0")) == len(bad().gates) == len(list(suite.iter("testcase")))
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert int(suite.get(attribute, "-1")) == len(list(suite.iter(kind)))
    assert int(suite.get("failures", "0")) >= 2


# PDF


@pytest.mark.parametrize(
    "report",
    [good(), bad(), hostile(bad(), NASTY), hostile(bad(), "x" * 4000)],
    ids=["good", "bad", "hostile", "long"],
)
def test_no_letter_of_a_pdf_is_beyond_the_margins(report: Report) -> None:
    document = pdfium.PdfDocument(pdf(report))
    for page in document:
        text, (width, height) = page.get_textpage(), page.get_size()
        for number in range(text.count_chars()):
            left, bottom, right, top = text.get_charbox(number)
            assert left >= 36
            assert right <= width - 36
            assert bottom >= 20
            assert top <= height - 20


def test_a_pdf_says_what_the_report_says() -> None:
    document = pdfium.PdfDocument(pdf(bad()))
    text = " ".join(page.get_textpage().get_text_range() for page in document)
    words = " ".join(text.split())
    for one in bad().gates:
        assert one.name in words
    assert "Investigate" in words
    assert "Shadow Mode Deployment Summary" in words
    assert "\u2713" in words
    assert len(document) <= 8
