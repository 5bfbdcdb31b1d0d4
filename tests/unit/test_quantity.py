"""Quantities, as the API server reads them."""

from decimal import Decimal

import pytest

from shadow_operator.core.quantity import parse, same


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", "0"),
        ("0.5", "0.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-1", "-1"),
        ("100m", "0.1"),
        ("1u", "0.000001"),
        ("1n", "0.000000001"),
        ("1k", "1000"),
        ("2E", "2000000000000000000"),
        ("1E3", "1000"),
        ("12e-1", "1.2"),
        ("1Ki", "1024"),
        ("1Ei", "1152921504606846976"),
    ],
)
def test_a_quantity_is_a_number(text: str, number: str) -> None:
    assert parse(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "m", "1 Gi", "1gi", "1K", "ten", "1Gi5"])
def test_what_the_api_server_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        parse(text)


def test_what_is_no_quantity_is_compared_as_it_stands() -> None:
    assert same("small", "small")
    assert not same("small", "1")
