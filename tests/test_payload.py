"""JSON as senders post it: every digit of every number is kept, and what cannot be written again is refused."""

import json
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import NotThisShapeError
from bridge.mapping.functions import decimal
from bridge.mapping.values import to_text
from bridge.payload import parse
from tests.mapping.making import QUICK, evaluate

#: A number as it was sent -> what a rule finds.
NUMBERS = [
    ("12345678901234567.89", "12345678901234567.89"),
    ("-12345678901234567.89", "-12345678901234567.89"),
    ("0.1234567890123456789", "0.1234567890123456789"),
    ("0.12345678901234567", "0.12345678901234567"),
    ("1234567890123456.7", "1234567890123456.7"),
    ("1.00000000000000001", "1.00000000000000001"),
    ("12345678901234567890123456789e-10", "12345678901234567890123456789e-10"),
    ("1.2345678901234567890E+25", "1.2345678901234567890E+25"),
    ("18446744073709551615", 2**64 - 1),
    ("18446744073709551616", "18446744073709551616"),
    ("20000000000000000000", "20000000000000000000"),
    ("-9223372036854775808", -(2**63)),
    ("-9223372036854775809", "-9223372036854775809"),
    ("9007199254740993", 2**53 + 1),
    ("9007199254740993e0", "9007199254740993e0"),
    ("90071992547409.93E2", "90071992547409.93E2"),
    ("1234567890123456", 1234567890123456),
    ("9007199254740993.0", "9007199254740993.0"),
    ("0.30000000000000004", 0.1 + 0.2),
    ("1.10", 1.1),
    ("1.1000000000000000000000", 1.1),
    ("100.0", 100.0),
    ("1e22", 1e22),
    ("-0.0", -0.0),
    ("1" * 300, "1" * 300),
]
AROUND = ["%s", '{"a": %s}', '{"a":%s}', "[1,%s]", "[\n  %s\n]", '{"id": "3652397000000624046", "b": {"a": [%s]}}']


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(("sent", "found"), NUMBERS, ids=lambda value: repr(value)[:40])
def test_a_number_that_would_lose_digits_is_kept_as_the_text_that_was_sent(sent, found, around):
    value = json.dumps(found)
    assert parse((around % sent).encode()) == json.loads(around % value)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=None).map(str)
    | st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?", fullmatch=True)
)
@QUICK
def test_no_number_changes_its_value_on_its_way_through_the_store(sent):
    if abs(Decimal(sent).adjusted()) > 290:
        return
    stored = orjson.loads(orjson.dumps(parse(f'{{"a": {sent}}}'.encode())))["a"]
    assert decimal(stored, "add") == Decimal(sent)


SUMS = {
    "add(a, `1`)": "12345678901234568.89",
    "subtract(a, '0.89')": "12345678901234567",
    "multiply(a, `10`)": "123456789012345678.9",
    "round(a, `1`)": "12345678901234567.9",
    "fixed(a, `3`)": "12345678901234567.890",
    "to_number(a)": "12345678901234567.89",
    "sum([to_number(a), `1`])": "12345678901234568.89",
    "max([to_number(a), `1`])": "12345678901234567.89",
    "sort([to_number(a), `1`])[1]": "12345678901234567.89",
    "abs(subtract(`0`, a))": "12345678901234567.89",
    "ceil(to_number(a))": "12345678901234568",
    "floor(to_number(a))": "12345678901234567",
    "to_string(to_number(a))": "12345678901234567.89",
    "to_number(a) > `12345678901234567`": "true",
    "to_number('12.50')": "12.5",
    "to_number('a')": "",
}


def test_arithmetic_has_every_digit():
    amount = parse(b'{"a": 12345678901234567.89}')["a"]
    assert to_text(amount) == "12345678901234567.89"
    assert decimal(amount, "add") + 1 == Decimal("12345678901234568.89")
    for expression, sum_ in SUMS.items():
        found = evaluate(expression, {"a": amount})
        assert ("" if found is None else to_text(found)) == sum_


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1" * 400, "01", "+1", ".5", "1.", "0x10", "1_000"]
)
def test_what_is_not_a_json_number_is_refused(text):
    with pytest.raises(NotThisShapeError, match="is not JSON"):
        parse(f'{{"a": {text}}}'.encode())


#: Text with long runs of digits, which says nothing of numbers.
TEXTS = [
    "1" * 40,
    "a " + "1" * 40,
    "x:" + "2" * 20,
    "3652397000000624046",
    '\\"' + "1" * 20,
    "\\u0031" + "1" * 20,
    "-" + "9" * 20,
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_stays_text(text):
    body = f'{{"a": "{text}", "b": 1.5, "c": [{{"d": true, "e": null, "f": "{text}"}}]}}'.encode()
    assert parse(body) == orjson.loads(body)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
        max_leaves=30,
    ),
    st.booleans(),
)
@QUICK
def test_everything_else_is_read_as_it_was(value, pretty):
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2 if pretty else 0)
    assert parse(body) == orjson.loads(body)


@pytest.mark.parametrize("opening", ['{"a":', "[", '{"a": [', '\n {\n "b1":'])
def test_what_is_too_deep_to_be_written_again_is_refused(opening):
    def nested(times):
        text = opening * times + "1"
        closing = {"{": "}", "[": "]"}
        return (text + "".join(closing[one] for one in reversed(text) if one in closing)).encode()

    per = sum(opening.count(one) for one in "{[")
    assert orjson.dumps(parse(nested(250 // per)))
    with pytest.raises(NotThisShapeError, match="nested more than 250 levels deep"):
        parse(nested(260 // per))
