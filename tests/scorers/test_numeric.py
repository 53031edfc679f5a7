from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import InvalidInput
from noria.scorers.numeric import numbers

from .subjects import judged, value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is 1,234.5 in all", ["1234.5"]),
        ("1,234,567", ["1234567"]),
        ("in 1,23", ["1", "23"]),
        ("-3 or −4 or +5", ["-3", "-4", "5"]),
        ("10-5", ["10", "5"]),
        ("GPT-4 says 7", ["4", "7"]),
        ("6.02e23 and 1E-9", ["6.02E+23", "1E-9"]),
        ("$4.50, -$3, $-2", ["4.50", "-3", "-2"]),
        ("45 % or 5%", ["45", "5"]),
        (".5 and 5.", ["0.5", "5"]),
        ("no number", []),
        ("1e9999", ["1", "9999"]),
    ],
)
def test_numbers_in_text(text, found):
    assert numbers(text) == [Decimal(number) for number in found]


@given(st.integers(-(10**15), 10**15), st.integers(0, 6))
def test_every_way_to_write_a_number_is_read_back(number, places):
    exact = Decimal(number).scaleb(-places)
    assert numbers(f"so it is {exact:,f} then") == [exact]
    assert numbers(f"{exact:E}") == [exact]


@given(st.text(max_size=200))
def test_no_text_breaks_it(text):
    assert all(number.is_finite() for number in numbers(text))


@pytest.mark.parametrize(
    ("answer", "reference", "options", "right"),
    [
        ("The answer is 42.", 42, {}, True),
        ("First 1, then 42", "42", {}, True),
        ("First 1, then 42", 1, {}, False),
        ("First 1, then 42", 1, {"take": "first"}, True),
        ("1.1", 1, {"abs_tol": 0.1}, True),
        ("1.11", 1, {"abs_tol": 0.1}, False),
        ("102", 100, {"rel_tol": 0.02}, True),
        ("103", 100, {"rel_tol": 0.02}, False),
        ("-102", -100, {"rel_tol": 0.02}, True),
        ("45%", 45, {}, True),
        ("45%", 0.45, {}, False),
        ("45%", 0.45, {"percent": "fraction"}, True),
        ("0.45", "45 %", {"percent": "fraction"}, True),
        ("none", 1, {}, False),
    ],
)
async def test_numeric(answer, reference, options, right):
    assert await value("numeric", answer, reference, **options) is right


async def test_it_says_how_far_off_the_answer_is():
    score = await judged("numeric", "about 1,250", 1200, abs_tol=25)
    assert score.reason == "1250 differs from 1200 by 50; 25 is allowed."
    assert score.metadata == {"extracted": "1250"}


@pytest.mark.parametrize("reference", ["none", "1 or 2", True, [1, 2]])
async def test_a_reference_that_is_not_one_number_is_an_error(reference):
    with pytest.raises(InvalidInput, match="not one number"):
        await judged("numeric", "1", reference)


async def test_negative_tolerances_are_refused():
    with pytest.raises(InvalidInput, match="abs_tol"):
        await judged("numeric", "1", 1, abs_tol=-1)


async def test_a_number_beyond_all_measure_is_no_number():
    assert await value("numeric", "9" * 2_000_000, 1) is False
    assert await value("numeric", f"1, not {'9' * 500}", 1) is True
    assert await value("numeric", "1e999", 1) is False
