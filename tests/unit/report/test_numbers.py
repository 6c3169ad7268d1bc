"""Numbers for the eyes."""

from __future__ import annotations

import math

import pytest

from darkstats.report.numbers import number, p_number, percent, thousands, with_error


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.5, "2.500"),
        (0.99999, "1.000"),
        (12345.6, "12346"),
        (-0.5, "−0.5000"),
        (1e-9, "1.000e−09"),
        (0.0, "0"),
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
    ],
)
def test_four_significant_digits(value: float | None, text: str) -> None:
    """Trailing zeros are kept, minus signs are true, what is missing is a dash."""
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.23456, 0.0123, "1.235 ± 0.012"),
        (1.23456, 0.0996, "1.23 ± 0.10"),
        (-1.0, 0.25, "−1.00 ± 0.25"),
        (1.0, None, "1.000"),
        (1.0, 0.0, "1.000"),
        (None, 0.1, "–"),
        (-0.001, 1.0, "0.0 ± 1.0"),
    ],
)
def test_value_and_error_have_the_same_digits(
    value: float | None, error: float | None, text: str
) -> None:
    """Two digits of the error decide."""
    assert with_error(value, error) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0477, "0.0477"), (0.5, "0.500"), (3.2e-7, "3.20e−07"), (0.0, "0")]
)
def test_p_values_have_three_digits(value: float, text: str) -> None:
    """Small ones are in scientific notation."""
    assert p_number(value) == text


def test_levels_and_counts() -> None:
    """95 % is not 95.0 %, and a million is readable."""
    assert percent(0.95) == "95 %"
    assert percent(0.9545) == "95.45 %"
    assert thousands(1_000_000) == "1 000 000"
