"""The functions that expressions may call: one table of cases for each."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mapping.calls import Functions
from bridge.mapping.functions import FUNCTIONS
from bridge.mapping.standard import STANDARD
from bridge.mapping.values import to_text
from bridge.payload import MISSING
from tests.mapping.making import NEEDLE, QUICK, attempt, evaluate, refusal


def outcome(expression, payload=None):
    """The value as a field would get it, if it has a text."""
    value = evaluate(expression, payload)
    if value is None or value is MISSING:
        return None
    return value if isinstance(value, bool | list | dict) else to_text(value)


@pytest.mark.parametrize("name", [*FUNCTIONS, *STANDARD])
def test_the_documented_example_gives_the_documented_result(name):
    function = FUNCTIONS.get(name) or STANDARD[name]
    assert outcome(function.example, {}) == function.result
    assert function.example.startswith(f"{name}(")
    assert function.help


#: A call of every function whose only doubtful argument is the first.
CALLS = {
    "lower": "lower(x)",
    "upper": "upper(x)",
    "trim": "trim(x)",
    "replace": "replace(x, 'a', 'b')",
    "split": "split(x, ',')",
    "substring": "substring(x, `1`)",
    "add": "add(x, `1`)",
    "subtract": "subtract(x, `1`)",
    "multiply": "multiply(x, `1`)",
    "divide": "divide(x, `1`)",
    "round": "round(x)",
    "date": "date(x)",
    "from_epoch": "from_epoch(x)",
    "map_value": 'map_value(x, `{"a": "b"}`)',
    "matches": "matches(x, '^$')",
    "extract": "extract(x, '^$')",
    "fixed": "fixed(x, `2`)",
}
#: What is their own business: null as the first argument.
OWN_BUSINESS = {"coalesce": None, "concat": "", "exists": False}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("nothing", [None, ""], ids=["null", "empty text"])
def test_null_and_empty_text_in_give_null_out(name, nothing):
    if name in OWN_BUSINESS:
        assert evaluate(f"{name}(x)", {"x": nothing}) == OWN_BUSINESS[name]
    else:
        assert evaluate(CALLS[name], {"x": nothing}) is None


#: Winter time in Berlin is UTC+1, summer time UTC+2; New York is UTC-5 and UTC-4.
CASES = [
    ("lower('GOLD')", "gold"),
    ("lower('ÄÖÜ SS')", "äöü ss"),
    ("lower(`12.0`)", "12"),
    ("lower(`true`)", "true"),
    ("upper('straße')", "STRASSE"),
    ("upper(`12`)", "12"),
    ("trim(' a b ')", "a b"),
    ("trim('\t\n a \u00a0')", "a"),
    ("trim('   ')", ""),
    ("replace('a.b.c', '.', '')", "abc"),
    ("replace('aaa', 'aa', 'b')", "ba"),
    ("replace('a+b', '+', '.*')", "a.*b"),
    ("replace('plan-1', `1`, `2`)", "plan-2"),
    ("replace('abc', 'x', 'y')", "abc"),
    ("split('a,b,,c', ',')", ["a", "b", "", "c"]),
    ("split('abc', ',')", ["abc"]),
    ("split('a, b', ', ')[-1]", "b"),
    ("split('1.2', '.')[0]", "1"),
    ("split('a', ',')[1]", None),
    ("join('/', split('a,b', ','))", "a/b"),
    ("substring('abcdef', `2`)", "cdef"),
    ("substring('abcdef', `2`, `4`)", "cd"),
    ("substring('abcdef', '2', '4')", "cd"),
    ("substring('abcdef', `2.0`)", "cdef"),
    ("substring('abcdef', `0`, `200`)", "abcdef"),
    ("substring('abcdef', `6`)", ""),
    ("substring('abcdef', `4`, `2`)", ""),
    ("substring('日本語', `1`, `2`)", "本"),
    ("substring(`12345`, `3`)", "45"),
    ("coalesce(nothing, '', 'b', 'c')", "b"),
    ("coalesce(nothing, `0`)", "0"),
    ("coalesce(`false`, 'b')", False),
    ("coalesce(nothing, '')", None),
    ("coalesce(`[]`, 'b')", []),
    ("concat('a', nothing, `1.50`, `true`, '')", "a1.5true"),
    ("concat(divide(`1999`, `100`), ' ', 'EUR')", "19.99 EUR"),
    ("add(`1`)", "1"),
    ("add(`0.1`, `0.2`, '0.3')", "0.6"),
    ("add('1e2', `-100`)", "0"),
    ("add(`9007199254740993`, `1`)", "9007199254740994"),
    ("add(`18446744073709551615`, `18446744073709551615`)", "36893488147419103230"),
    ("subtract(`0.3`, `0.1`)", "0.2"),
    ("subtract('10', '12.50')", "-2.5"),
    ("multiply('19.99', `3`)", "59.97"),
    ("multiply(`0.1`, `0.1`)", "0.01"),
    ("multiply(`4611686018427387904`, `4611686018427387904`)", "21267647932558653966460912964485513216"),
    ("divide('500000', `100`)", "5000"),
    ("divide(`1`, `8`)", "0.125"),
    ("divide(`0`, `8`)", "0"),
    ("divide(`-1`, `4`)", "-0.25"),
    ("divide(`129950`, `100`)", "1299.5"),
    ("round(`2.5`)", "3"),
    ("round(`-2.5`)", "-3"),
    ("round(`0.5`)", "1"),
    ("round(`1.005`, `2`)", "1.01"),
    ("round(`-1.005`, `2`)", "-1.01"),
    ("round(`2.344`, `2`)", "2.34"),
    ("round('1.50', `1`)", "1.5"),
    ("round(`1250`, `-2`)", "1300"),
    ("round(`12`, `2`)", "12"),
    ("round(`-0.4`)", "0"),
    ("round(divide(`2`, `3`), `4`)", "0.6667"),
    ("date('2026-11-22')", "2026-11-22"),
    ("date('2026-11-22T23:30:00Z')", "2026-11-22"),
    ("date('2026-11-22T23:30:00Z', 'Europe/Berlin')", "2026-11-23"),
    ("date('2026-11-22 10:00')", "2026-11-22"),
    ("date('2026-11-22T00:30:00+01:00')", "2026-11-21"),
    ("date('2026-11-22T00:30:00+01:00', 'Europe/Berlin', 'datetime')", "2026-11-22T00:30:00+01:00"),
    ("date('2026-11-22T10:00:00.123456789Z', 'UTC', 'datetime')", "2026-11-22T10:00:00Z"),
    ("date(`1795341600`)", "2026-11-22"),
    ("date('1795341600', 'UTC', 'datetime')", "2026-11-22T10:00:00Z"),
    ("date(`1795341600.75`, 'UTC', 'datetime')", "2026-11-22T10:00:00Z"),
    ("date(`1795341600123`, 'UTC', 'datetime')", "2026-11-22T10:00:00Z"),
    ("date('1803686400000')", "2027-02-27"),
    ("date('1970-01-01', 'America/New_York', 'datetime')", "1969-12-31T19:00:00-05:00"),
    ("date(`20261122`)", "2026-11-22"),
    ("date('20261122')", "2026-11-22"),
    ("date('2026-11-22T24:00')", "2026-11-23"),
    ("date('2026-W47-7')", "2026-11-22"),
    ("date(`99999999999`)", "5138-11-16"),
    ("date(`100000000001`)", "1973-03-03"),
    ("date('2026-03-29T00:59:59Z', 'Europe/Berlin', 'datetime')", "2026-03-29T01:59:59+01:00"),
    ("date('2026-03-29T01:00:00Z', 'Europe/Berlin', 'datetime')", "2026-03-29T03:00:00+02:00"),
    ("date('2026-10-25T00:59:59Z', 'Europe/Berlin', 'datetime')", "2026-10-25T02:59:59+02:00"),
    ("date('2026-10-25T01:00:00Z', 'Europe/Berlin', 'datetime')", "2026-10-25T02:00:00+01:00"),
    ("date('2026-07-01T03:59:59Z', 'America/New_York')", "2026-06-30"),
    ("date('2026-07-01T04:00:00Z', 'America/New_York')", "2026-07-01"),
    ("date('2026-11-22T18:30:00Z', 'Asia/Kolkata', 'datetime')", "2026-11-23T00:00:00+05:30"),
    ("date(from_epoch(`1795341600123`, 'ms'))", "2026-11-22"),
    ("from_epoch(`1795341600`)", "2026-11-22T10:00:00Z"),
    ("from_epoch('1795341600', 's')", "2026-11-22T10:00:00Z"),
    ("from_epoch(`1795341600.5`)", "2026-11-22T10:00:00.500000Z"),
    ("from_epoch(`1795341600123`, 'ms')", "2026-11-22T10:00:00.123000Z"),
    ("from_epoch(`1795341600123456`, 'us')", "2026-11-22T10:00:00.123456Z"),
    ("from_epoch(`0`)", "1970-01-01T00:00:00Z"),
    ('map_value(\'a\', `{"a": "b"}`)', "b"),
    ("map_value('x', `{\"a\": \"b\"}`, 'other')", "other"),
    ('map_value(\'x\', `{"a": "b"}`, nothing)', None),
    ("map_value('a', `{\"a\": null}`, 'other')", None),
    ('map_value(`7`, `{"7": "seven"}`)', "seven"),
    ('map_value(`true`, `{"true": 1}`)', "1"),
    ("map_value('A', `{\"a\": \"b\"}`, 'capitals differ')", "capitals differ"),
    ("matches('cus_12', '[0-9]+')", True),
    ("matches('cus_12', '^[0-9]+')", False),
    ("matches('GOLD', '(?i)gold')", True),
    ("matches(`42`, '^42$')", True),
    ("matches('a\nb', '^b')", False),
    ("matches('日本', '^\\p{Han}+$')", True),
    ("fixed(`19.9`, `2`)", "19.90"),
    ("fixed('1999', `2`)", "1999.00"),
    ("fixed(`1.005`, `2`)", "1.01"),
    ("fixed(`-1.005`, `2`)", "-1.01"),
    ("fixed(`-0.004`, `2`)", "0.00"),
    ("fixed(`2.5`, `0`)", "3"),
    ("fixed(`1250`, `-2`)", "1300"),
    ("fixed(divide(`199900`, `100`), '2')", "1999.00"),
    ("extract('PO 4711, net 30', 'PO ([0-9]+), net ([0-9]+)')", "4711"),
    ("extract('net 30', '[0-9]+')", "30"),
    ("extract('net 30', 'PO ([0-9]+)')", None),
    ("extract('PO', 'PO( [0-9]+)?')", None),
    ("extract('a', 'x*')", ""),
    ("extract(`20261122`, '^[0-9]{4}')", "2026"),
    ("extract('Maß: 12', 'ß: ([0-9]+)')", "12"),
    ("exists(nothing)", False),
    ("exists(`false`)", True),
    ("exists(`0`)", True),
    ("exists(`[]`)", True),
    ("exists(' ')", True),
    # Exact numbers are numbers to the rest of the language too.
    ("add(`0.1`, `0.2`) == `0.3`", True),
    ("divide(`1999`, `100`) == `19.99`", True),
    ("divide(`500`, `100`) == `5`", True),
    ("divide(`500`, `100`) > `4.5`", True),
    ("type(add(`1`, `2`))", "number"),
    ("floor(divide(`7`, `2`))", "3"),
    ("to_string(divide(`1999`, `100`))", "19.99"),
    ("sum([divide(`1`, `4`), `1`])", "1.25"),
    ("sum([divide(`110`, `100`), divide(`220`, `100`)])", "3.3"),
    ("sum(`[0.1, 0.2]`)", "0.3"),
    ("sum(`[]`)", "0"),
    ("avg(`[0.1, 0.2, 0.3]`)", "0.2"),
    ("avg(`[]`)", None),
    ("max([add(`1`, `2`), `2`])", "3"),
    ("to_string([add(`1`, `2`)])", "[3]"),
]


@pytest.mark.parametrize(("expression", "result"), CASES)
def test_a_call_gives_its_result(expression, result):
    assert outcome(expression, {}) == result


def test_every_function_has_cases():
    assert {name for name in FUNCTIONS if not any(f"{name}(" in text for text, _ in CASES)} == set()
    assert {*CALLS, *OWN_BUSINESS} == set(FUNCTIONS)


#: Expression, payload, a phrase of the refusal.
REFUSED = [
    ("lower(x)", {"x": []}, "lower() takes text, not a list"),
    ("trim(x)", {"x": {}}, "trim() takes text, not an object"),
    ("concat('a', x)", {"x": [1]}, "concat() takes text, not a list"),
    ("upper(x)", {"x": 1e300}, "beyond 64 bits"),
    ("split(x, y)", {"x": "a", "y": ""}, "separator"),
    ("substring(x, y)", {"x": "a", "y": "b"}, "substring() takes numbers"),
    ("substring(x, `1.5`)", {"x": "a"}, "whole number"),
    ("add(x, `1`)", {"x": "12,50"}, "add() takes numbers, and this text is none"),
    ("add(x, `1`)", {"x": "€5"}, "add() takes numbers"),
    ("add(x, `1`)", {"x": True}, "add() takes numbers, not true or false"),
    ("add(x, y)", {"x": 1, "y": None}, "add() takes numbers, not null"),
    ("add(x)", {"x": "NaN"}, "add() takes numbers"),
    ("add(x)", {"x": "Infinity"}, "add() takes numbers"),
    ("subtract(x, y)", {"x": 1, "y": []}, "subtract() takes numbers, not a list"),
    ("multiply(x, `2`)", {"x": {}}, "multiply() takes numbers, not an object"),
    ("divide(x, `0`)", {"x": 1}, "divide() by zero"),
    ("divide(x, '0.00')", {"x": 1}, "divide() by zero"),
    ("round(x)", {"x": "ten"}, "round() takes numbers"),
    ("round(x, `0.5`)", {"x": 1}, "whole number"),
    ("date(x)", {"x": "tomorrow"}, "is not an ISO 8601 date or time"),
    ("date(x)", {"x": "22.11.2026"}, "day and month cannot be told apart"),
    ("date(x)", {"x": "2026-02-30"}, "is a date that does not exist"),
    ("date(x)", {"x": "2026-11-22T25:00:00Z"}, "hour that does not exist"),
    ("date(x)", {"x": -1}, "is a number below zero"),
    ("date(x)", {"x": 0}, "neither a date nor a time since 1970"),
    ("date(x)", {"x": True}, "is true or false: a time is expected"),
    ("date(x)", {"x": []}, "is a list: a time is expected"),
    ("date(x, 'Mars/Olympus')", {"x": 1795341600}, "zone"),
    ("date(x, '../../etc/passwd')", {"x": 1795341600}, "zone"),
    ("date(x, '')", {"x": 1795341600}, "zone"),
    ("date(x, 'UTC', 'iso')", {"x": 1795341600}, "'date' or 'datetime'"),
    ("from_epoch(x)", {"x": -1}, "outside the years 1970 to 9999"),
    ("from_epoch(x)", {"x": 10**12}, "outside the years 1970 to 9999"),
    ("from_epoch(x)", {"x": "soon"}, "from_epoch() takes numbers"),
    ("from_epoch(x, 'days')", {"x": 1}, "'s', 'ms' or 'us'"),
    ('map_value(x, `{"a": 1}`)', {"x": "b"}, "no entry for this value, and no fallback"),
    ("map_value(x, y)", {"x": "b", "y": ["b"]}, "object as its table, not a list"),
    ("map_value(x, `{}`)", {"x": []}, "map_value() takes text"),
    ("matches(x, '(')", {"x": "a"}, "RE2"),
    ("matches(x, '[a')", {"x": "a"}, "RE2"),
    ("matches(x, 'a(?=b)')", {"x": "a"}, "RE2"),
    ("matches(x, '(a)\\1')", {"x": "a"}, "RE2"),
    ("matches(x, 'a{9999}')", {"x": "a"}, "RE2"),
    ("matches(x, '^a')", {"x": []}, "matches() takes text"),
    ("extract(x, '(')", {"x": "a"}, "extract() takes a regular expression that RE2 accepts"),
    ("extract(x, 'a')", {"x": {}}, "extract() takes text, not an object"),
    ("fixed(x, `2`)", {"x": "ten"}, "fixed() takes numbers"),
    ("fixed(x, `0.5`)", {"x": 1}, "whole number"),
]


@pytest.mark.parametrize(("expression", "payload", "phrase"), REFUSED)
def test_what_a_function_cannot_take_is_refused_with_the_reason(expression, payload, phrase):
    assert phrase in refusal(expression, payload)


def test_a_bad_pattern_out_of_a_payload_is_not_logged(capfd):
    assert "RE2" in refusal("matches(x, y)", {"x": "a", "y": f"({NEEDLE}"})
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|aa)+$", "(a*)*b", "(.*)(.*)(.*)(.*)(.*)[^a]$"])
def test_a_catastrophic_pattern_finishes(pattern):
    assert evaluate(f"matches(x, '{pattern}')", {"x": "a" * 20_000 + "!"}) in (True, False)


@pytest.mark.parametrize("text", ["1e9999", "-1e9999", "1e-9999", "9" * 20_000, "1" + "0" * 5000 + ".5"])
@pytest.mark.parametrize("call", [*CALLS.values(), "divide(`1`, x)", "date(x, 'Europe/Berlin')", "from_epoch(x, 'ms')"])
def test_a_number_without_end_is_refused_or_written_but_breaks_nothing(call, text):
    _, message = attempt(evaluate, call, {"x": text})
    assert text not in message


@given(st.decimals(-(10**9), 10**9, places=4), st.decimals(-(10**9), 10**9, places=4))
@QUICK
def test_sums_differences_and_products_are_exact(left, right):
    payload = {"x": str(left), "y": str(right)}
    assert Decimal(str(evaluate("add(x, y)", payload))) == left + right
    assert Decimal(str(evaluate("subtract(x, y)", payload))) == left - right
    assert Decimal(str(evaluate("multiply(x, y)", payload))) == left * right


#: A call that JMESPath's own function cannot take, for every one of them that takes no just anything.
PAYLOAD = {"text": NEEDLE, "number": 5, "list": [NEEDLE, 5], "object": {NEEDLE: NEEDLE}, "null": None, "yes": True}
WRONG_TYPES = {
    "abs": ["abs(text)", "abs(yes)"],
    "avg": ["avg(text)", "avg(list)"],
    "ceil": ["ceil(text)", "ceil(list)"],
    "contains": ["contains(number, text)", "contains(object, text)", "contains(text, number)"],
    "ends_with": ["ends_with(text, number)", "ends_with(list, text)"],
    "floor": ["floor(text)", "floor(object)"],
    "join": ["join(text, list)", "join(text, text)", "join(number, list)"],
    "keys": ["keys(text)", "keys(list)"],
    "length": ["length(number)", "length(yes)"],
    "map": ["map(&abs(@), list)", "map(text, list)", "map(&@, text)"],
    "max": ["max(list)", "max(text)", "max([object])"],
    "max_by": ["max_by(list, &abs(@))", "max_by(text, &@)", "max_by([object], &@)"],
    "merge": ["merge(object, text)", "merge(list)"],
    "min": ["min(list)", "min(text)"],
    "min_by": ["min_by(list, &keys(@))", "min_by(object, &@)"],
    "reverse": ["reverse(number)", "reverse(object)"],
    "sort": ["sort(list)", "sort(text)"],
    "sort_by": ["sort_by(list, &@)", "sort_by(text, &@)", "sort_by([object], &@)"],
    "starts_with": ["starts_with(text, number)", "starts_with(list, text)"],
    "sum": ["sum(list)", "sum(text)"],
    "values": ["values(text)", "values(list)"],
}
TAKE_ANYTHING = {"not_null", "to_array", "to_number", "to_string", "type"}


@pytest.mark.parametrize("call", [call for calls in WRONG_TYPES.values() for call in calls])
def test_jmespaths_own_functions_refuse_wrong_types_by_name_and_without_the_value(call):
    message = refusal(call, PAYLOAD)
    assert "() cannot take " in message
    assert NEEDLE not in message


#: What a call with null is about in the first place, where that is not the first argument.
NULL_CALLS = {"join": "join(', ', null)", "map": "map(&a, null)", "contains": "contains(null, 'a')"}
NULL_CALLS |= {f"{name}_with": f"{name}_with(null, 'a')" for name in ("starts", "ends")}
NULL_CALLS |= {f"{name}_by": f"{name}_by(null, &a)" for name in ("sort", "min", "max")}


@pytest.mark.parametrize("name", sorted({*STANDARD} - {"merge", "not_null", "to_array", "to_number", "type"}))
def test_jmespaths_own_functions_give_null_for_null_like_ours(name):
    assert evaluate(NULL_CALLS.get(name, f"{name}(null)"), {"null": None}) is None


def test_every_function_of_jmespath_has_a_wrong_call_or_takes_anything():
    assert {*WRONG_TYPES, *TAKE_ANYTHING} == set(Functions.FUNCTION_TABLE) == set(STANDARD)
    for name, calls in WRONG_TYPES.items():
        assert all(call.startswith(f"{name}(") for call in calls)
