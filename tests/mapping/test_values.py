"""What becomes of a JSON value on its way to being the text of a custom field."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import RuleError
from bridge.mapping.values import fit, to_text
from bridge.payload import MISSING
from tests.mapping.making import NEEDLE, QUICK, attempt, json_values, numbers

TEXTS = [
    ("gold", "gold"),
    ("", ""),
    (" two  spaces ", " two  spaces "),
    ("Söhne & Cie", "Söhne & Cie"),
    ("日本", "日本"),
    ("👩‍🚀", "👩‍🚀"),
    ("1e21", "1e21"),
    ("12.0", "12.0"),
    (True, "true"),
    (False, "false"),
    (0, "0"),
    (-7, "-7"),
    (2**53 + 1, "9007199254740993"),
    (2**63, "9223372036854775808"),
    (-(2**63), "-9223372036854775808"),
    (2**64 - 1, "18446744073709551615"),
    (10**30, "1" + "0" * 30),
    (0.0, "0"),
    (-0.0, "0"),
    (12.0, "12"),
    (1.10, "1.1"),
    (0.1, "0.1"),
    (-2.5, "-2.5"),
    (100.0, "100"),
    (123456789.125, "123456789.125"),
    (1e-7, "0.0000001"),
    (1.5e-10, "0.00000000015"),
    (1e15, "1000000000000000"),
    (1e16, "10000000000000000"),
    (1e18, "1000000000000000000"),
    (5e-324, "0." + "0" * 323 + "5"),
    (Decimal("12.00"), "12"),
    (Decimal("1E+3"), "1000"),
    (Decimal("0.30"), "0.3"),
    (Decimal("-0.00"), "0"),
    (Decimal("-0.10"), "-0.1"),
    (Decimal("1E+21"), "1" + "0" * 21),
    (Decimal(120), "120"),
]

REFUSED = [
    (2.0**63, "beyond 64 bits"),
    (-(2.0**63), "beyond 64 bits"),
    (1e21, "beyond 64 bits"),
    (1.7e308, "beyond 64 bits"),
    (float("inf"), "beyond 64 bits"),
    (float("nan"), "beyond 64 bits"),
    ([], "is a list"),
    (["gold"], "is a list"),
    ({}, "is an object"),
    ({"tier": "gold"}, "is an object"),
    (None, "is null"),
    (MISSING, "is missing"),
    (..., "is a value"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS, ids=lambda value: repr(value)[:24])
def test_a_value_becomes_its_shortest_plain_text(value, text):
    assert to_text(value) == text


@pytest.mark.parametrize(("value", "phrase"), REFUSED, ids=lambda value: repr(value)[:24])
def test_what_is_no_text_and_no_exact_number_is_refused(value, phrase):
    with pytest.raises(RuleError, match=phrase):
        to_text(value)


def test_the_largest_exact_float_is_written_and_the_next_is_refused():
    below = 2.0**63 - 1024
    assert to_text(below) == "9223372036854775000"
    with pytest.raises(RuleError):
        to_text(below + 1024)


def test_a_number_of_thousands_of_digits_is_refused_like_any_other_bad_value():
    """Python does not write them: https://docs.python.org/3/library/stdtypes.html#int-max-str-digits"""
    with pytest.raises(RuleError):
        to_text(10**5000)


@given(numbers())
@QUICK
def test_every_number_reads_back_as_itself_without_an_exponent(number):
    text, message = attempt(to_text, number)
    assert bool(message) == (isinstance(number, float) and abs(number) >= 2**63)
    if message:
        return
    assert "e" not in text.lower()
    assert type(number)(text) == number
    assert Decimal(text) == Decimal(repr(number))
    assert "." not in text or not text.endswith(("0", "."))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6))
@QUICK
def test_every_decimal_reads_back_as_itself_without_an_exponent(number):
    text = to_text(number)
    assert Decimal(text) == number
    assert "e" not in text.lower()
    assert text != "-0"


@given(json_values() | st.floats())
@QUICK
def test_no_refusal_repeats_the_value(value):
    _, message = attempt(to_text, value)
    assert NEEDLE not in message
    assert not isinstance(value, float) or repr(value) not in message


LENGTHS = [
    ("", ""),
    ("x", "x"),
    ("x" * 199, "x" * 199),
    ("x" * 200, "x" * 200),
    ("é" * 200, "é" * 200),
    ("🚀" * 200, "🚀" * 200),
    ("line\nbreak\ttab\x7f", "line\nbreak\ttab\x7f"),
]


@pytest.mark.parametrize(("text", "kept"), LENGTHS, ids=lambda text: f"{len(text)} characters")
@pytest.mark.parametrize("truncate", [True, False])
def test_text_of_up_to_200_characters_is_left_as_it_is(text, kept, truncate):
    assert fit(text, truncate=truncate) == kept


@pytest.mark.parametrize("text", ["x" * 201, "🚀" * 201, "é" * 5000], ids=lambda text: f"{len(text)} characters")
def test_longer_text_is_refused_with_its_length_or_truncated_to_200_characters(text):
    with pytest.raises(RuleError, match=f"has {len(text)} characters: Metronome takes 200"):
        fit(text, truncate=False)
    assert fit(text, truncate=True) == text[:200]


@pytest.mark.parametrize("truncate", [True, False])
@pytest.mark.parametrize("text", ["\x00", "gold\x00", "x" * 300 + "\x00"], ids=["alone", "at the end", "far behind"])
def test_a_nul_character_is_refused_because_postgresql_holds_none(text, truncate):
    with pytest.raises(RuleError, match="NUL"):
        fit(text, truncate=truncate)


@pytest.mark.parametrize("text", ["\ud800", "gold\udfff"], ids=ascii)
def test_half_a_character_is_refused_because_utf8_holds_none(text):
    """Only a mapping file can make one, in a literal such as `"\\ud800"`: payloads with one are refused before."""
    with pytest.raises(RuleError):
        fit(text, truncate=False)
