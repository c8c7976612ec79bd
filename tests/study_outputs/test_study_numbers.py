"""Few digits, no exponents, nothing lost that matters."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.outputs.numbers import human, text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (10.0, "10.0"),
        (0.1 + 0.2, "0.3"),
        (1012.345678, "1012.35"),
        (99_999.94, "99999.9"),
        (99_999.96, "100000.0"),  # six digits carry into the seventh: whole numbers from here
        (154_321.987, "154322.0"),
        (46_800_000.4, "46800000.0"),
        (1.2345678e-5, "0.0000123457"),  # no exponent
        (-0.0, "0.0"),
        (-4.56, "-4.56"),
        (math.nan, ""),
    ],
)
def test_truth_table(value: float, expected: str) -> None:
    assert text(human(value)) == expected


def test_six_digits_of_a_longitude_would_be_a_hundred_metres() -> None:
    assert text(human(115.7781234567)) == "115.778"
    assert text(human(115.7781234567, degree=True)) == "115.778123"


@given(st.floats(min_value=-1e12, max_value=1e12, allow_nan=False))
def test_text_reads_back_as_the_number_and_stays_within_half_a_digit(value: float) -> None:
    tidy = human(value)
    shown = text(tidy)
    assert float(shown) == tidy
    assert "e" not in shown
    assert human(tidy) == tidy
    assert abs(tidy - value) <= 5.0001e-6 * abs(value)
