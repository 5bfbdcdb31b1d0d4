"""What end-to-end tests share: one cluster with the operator, a namespace for each test."""

from collections.abc import Generator

import pytest

from tests.support.operator import FAILED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let fixtures know whether a test of theirs failed."""
    report = yield
    if report.failed:
        node: pytest.Item | pytest.Collector | None = item
        while node is not None:  # a module's fixture looks at the module
            node.stash[FAILED] = True
            node = node.parent
    return report
