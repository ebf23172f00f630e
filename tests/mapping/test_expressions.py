"""Paths and expressions: what they find, what counts as missing, and how they fail."""

import json

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.mapping.calls import Functions
from bridge.mapping.expressions import Expression, ExpressionError, compile_expression
from bridge.mapping.functions import FUNCTIONS
from bridge.payload import MISSING
from tests.mapping.making import NEEDLE, QUICK, attempt, evaluate, json_values, refusal

PAYLOAD = {
    "data": {
        "text": "gold",
        "empty": "",
        "null": None,
        "zero": 0,
        "no": False,
        "list": ["first", {"name": "second"}, None],
        "none": [],
        "odd key": 1,
        "dotted.key": {"x": 2},
        "clé": 3,
        'quo"te': 4,
        "0": 5,
    },
    "item": {"quantity": 12},
}

FOUND = [
    ("data.text", "gold"),
    ("data.empty", ""),
    ("data.null", None),
    ("data.zero", 0),
    ("data.no", False),
    ("data.none", []),
    ("data.list[0]", "first"),
    ("data.list[1].name", "second"),
    ("data.list[2]", None),
    (" data . text ", "gold"),
    ('data."odd key"', 1),
    ('"data"."dotted.key".x', 2),
    ('data."clé"', 3),
    ('data."cl\\u00e9"', 3),
    ('data."quo\\"te"', 4),
    ('data."0"', 5),
    ("item.quantity", 12),
    ("@", PAYLOAD),
    # Nothing leads on from null: what lies behind it is null too.
    ("data.null.deeper", None),
    ("data.null[0]", None),
    ("data.list[2].name", None),
    # Everything else that does not lead on is missing.
    ("data.nothing", MISSING),
    ("nothing.deeper.still", MISSING),
    ("data.text.deeper", MISSING),
    ("data.text[0]", MISSING),
    ("data.zero.deeper", MISSING),
    ("data.list.name", MISSING),
    ("data.list[3]", MISSING),
    ("data.list[99].name", MISSING),
    ("data.none[0]", MISSING),
    ("data[0]", MISSING),
    ("item.quantity.deeper", MISSING),
]


@pytest.mark.parametrize(("path", "value"), FOUND)
def test_a_plain_path_tells_missing_from_null_from_empty(path, value):
    expression = compile_expression(path)
    assert expression.steps is not None
    found = expression.evaluate(PAYLOAD)
    assert found is value if value is MISSING else found == value


@pytest.mark.parametrize("payload", [None, 5, "text", True, [], [{"a": 1}]], ids=repr)
def test_a_payload_that_is_no_object_has_no_keys(payload):
    assert evaluate("a", payload) is (None if payload is None else MISSING)
    assert evaluate("lower(a)", payload) is (None if payload is None else MISSING)


KEYS = ("a", "b", "odd key", "clé", 'q"', "a.b", "0", "")
STEPS = st.lists(st.sampled_from(KEYS) | st.integers(0, 3), min_size=1)


def text_of(steps):
    parts = [f"[{step}]" if isinstance(step, int) else f".{json.dumps(step)}" for step in steps]
    return "".join(parts).removeprefix(".")


@given(STEPS, json_values(*KEYS))
@QUICK
def test_a_plain_path_finds_what_jmespath_finds(steps, payload):
    text = text_of(steps)
    expression = compile_expression(text)
    assert expression.steps == tuple(steps)
    assert expression.paths == (tuple(steps),)
    found = expression.evaluate(payload)
    assert (None if found is MISSING else found) == jmespath.search(text, payload)


@given(st.data())
@QUICK
def test_a_plain_path_to_something_finds_it(data):
    payload = data.draw(json_values())
    value, steps = payload, []
    while isinstance(value, dict | list) and value and data.draw(st.booleans()):
        step = data.draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        value = value[step]
        steps.append(step)
    if steps:
        assert evaluate(text_of(steps), payload) is value


#: Expression, payload, outcome: null is *missing* only where none of the paths that are read is there.
ABSENT = [
    ("lower(a)", {}, MISSING),
    ("lower(a)", {"a": None}, None),
    ("lower(a)", {"a": ""}, None),
    ("lower(a.b)", {"a": {}}, MISSING),
    ("lower(a.b)", {"a": None}, None),
    ("a || b", {}, MISSING),
    ("a || b", {"b": None}, None),
    ("a && b", {"a": True}, None),
    ("coalesce(a, b)", {}, MISSING),
    ("coalesce(a, b)", {"a": ""}, None),
    ("coalesce(a, 'free')", {}, "free"),
    ("divide(a, b)", {"b": 100}, None),
    ("divide(a, `100`)", {}, MISSING),
    ("date(a, 'Europe/Berlin')", {}, MISSING),
    ("map_value(a, `{}`, b)", {}, MISSING),
    ("a[*].b", {}, MISSING),
    ("a[*].b", {"a": []}, []),
    ("a[].b", {}, MISSING),
    ("a[?b == 'x'].c | [0]", {}, MISSING),
    ("a[?b == 'x'].c | [0]", {"a": []}, None),
    ("a[0:2]", {}, MISSING),
    ("a[-1]", {}, MISSING),
    ("a[-1]", {"a": []}, None),
    ("a.*", {}, MISSING),
    ("a | b", {}, MISSING),
    ("(a.b).c", {"a": {}}, MISSING),
    ("a.[b]", {}, MISSING),
    ("a.{b: b}", {"a": None}, None),
    ("`null`", {}, None),
    ("exists(a)", {}, False),
    ("!a", {}, True),
    # Empty text is null, so an expression that comes out empty of paths that are not there is missing too.
    ("concat(a, b)", {}, MISSING),
    ("concat(a, b)", {"a": None}, None),
]


@pytest.mark.parametrize(("expression", "payload", "outcome"), ABSENT)
def test_an_expression_is_missing_only_if_none_of_its_paths_is_there(expression, payload, outcome):
    found = evaluate(expression, payload)
    if outcome is None:
        assert found in (None, "")
    else:
        assert found is outcome or (found == outcome and outcome is not MISSING)


#: Text, offset of the mistake, a phrase.
MISTAKES = [
    ("", 0, "empty"),
    ("   ", 3, "ends too early"),
    ("a.", 2, "ends too early"),
    ("a[", 2, "ends too early"),
    ("lower(a", 7, "ends too early"),
    ("a ||", 4, "ends too early"),
    ("a b", 2, "'b' does not belong there"),
    ("a.5", 2, "does not belong there"),
    ("a[0}", 3, "does not belong there"),
    ("a..b", 2, "does not belong there"),
    ("a.b)", 3, "does not belong there"),
    ("data.custom-field", 11, "Unknown token"),
    ("a = b", 2, "="),
    ("ä", 0, "Unknown token"),
    ("a.#", 2, "Unknown token"),
    ("'never closed", 0, "does not end"),
    ("a == 'never closed", 5, "does not end"),
    ('a."never closed', 2, "does not end"),
    ("`x`", 0, "text goes between single quotes"),
    ("nope(a)", 0, "no function 'nope'"),
    ("lowr(a)", 0, "did you mean 'lower'?"),
    ("a || nope(b)", 5, "no function 'nope'"),
    ("lower()", 0, "lower() takes (text): 0 given"),
    ("concat(a, lower(b, c))", 10, "lower() takes (text): 2 given"),
    ("lower(a) || lower(a, b)", 12, "lower() takes (text): 2 given"),
    ("not_null(a) && null(b)", 15, "no function 'null'"),
    ("concat(a, nope (b))", 10, "no function 'nope'"),
    ("a == 'lower(' && lower(a, b)", 17, "lower() takes (text): 2 given"),
    ("a[?lowr(b) == 'x']", 3, "did you mean 'lower'?"),
    ("{x: nope(a)}", 4, "no function 'nope'"),
    ("map(&nope(@), a)", 5, "no function 'nope'"),
    ("(" * 3000 + "a" + ")" * 3000, 0, "too deep"),
]


@pytest.mark.parametrize(("text", "offset", "phrase"), MISTAKES, ids=lambda value: str(value)[:30])
def test_a_mistake_is_found_before_anything_runs_and_at_its_place(text, offset, phrase):
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)
    assert phrase in str(caught.value)
    assert caught.value.offset == offset


@pytest.mark.parametrize("text", ["a" + "|a" * 3000, "a" + " || a" * 3000, "[0]" * 3000, "a" + ".a" * 20_000])
def test_an_expression_without_end_is_compiled_or_refused_but_breaks_nothing(text):
    value, message = attempt(evaluate, text, {})
    assert "deep" in message if message else value in (None, MISSING)


def accepts(name, count):
    """Whether the function takes so many arguments, by its row or its signature."""
    if name in FUNCTIONS:
        least, most = FUNCTIONS[name].least, FUNCTIONS[name].most
    else:
        signature = Functions.FUNCTION_TABLE[name]["signature"]
        least, most = len(signature), None if signature[-1].get("variadic") else len(signature)
    return least <= count and (most is None or count <= most)


NAMES = sorted({*FUNCTIONS, *Functions.FUNCTION_TABLE})
CALLS = [(name, count, f"{name}({', '.join('abcde'[:count])})") for name in NAMES for count in range(6)]


@pytest.mark.parametrize(("name", "count", "text"), CALLS)
def test_the_number_of_arguments_is_checked_before_anything_runs(name, count, text):
    if accepts(name, count):
        assert isinstance(compile_expression(text), Expression)
    else:
        with pytest.raises(ExpressionError, match=f"{count} given"):
            compile_expression(text)


#: One of each kind of node, and every function with arguments out of the payload, whatever they are.
EXPRESSIONS = [
    *[
        "a",
        "a.b",
        "a[0]",
        "a[-1].b",
        '"odd key"',
        "@",
        "a[*].b",
        "a[].b",
        "a[][]",
        "a.*",
        "*.b",
        "a[?b == c].d",
        "a[1:3]",
    ],
    *["a[::-1]", "a[0:3:0]", "a || b", "a && b", "!a", "a == b", "a != b", "a < b", "a >= b", "a | b", "[a, b]"],
    *["{x: a, y: b.c}", "`1`", "'text'", "`[1]`", "`NaN`", "&a", "a[?@ > `1`] | [0]", "sort_by(a, &b)[0].c"],
    *["concat(date(a), upper(b), divide(c, d))", "map(&lower(@), a)", "sum(a[].multiply(b, c))", "a[?matches(@, 'x')]"],
    *[text for name, count, text in CALLS if accepts(name, count)],
    *["map(&a, b)", "map(&divide(@, c), a)", "sort_by(a, &b)", "min_by(a, &b)", "max_by(a, &lower(b))", "lower(&a)"],
    *["substring(a, `1`, `3`)", "round(a, `2`)", "date(a, 'Europe/Berlin', 'datetime')", "from_epoch(a, 'ms')"],
    *['map_value(a, `{"x": 1}`, b)', "matches(a, '(')", "replace(a, '', b)", "split(a, '')", "date(a, 'No/Where')"],
]
COMPILED = [compile_expression(text) for text in EXPRESSIONS]


@given(json_values())
@settings(QUICK, max_examples=200)
def test_whatever_the_payload_only_rule_errors_are_raised_and_they_repeat_nothing_of_it(payload):
    for expression in COMPILED:
        _, message = attempt(expression.evaluate, payload)
        _, again = attempt(expression.holds, payload)
        assert message == again
        assert NEEDLE not in message


TELLTALES = [
    ("date(a, b)", {"a": 1, "b": NEEDLE}),
    ("date(a, 'UTC', b)", {"a": 1, "b": NEEDLE}),
    ("date(a)", {"a": NEEDLE}),
    ("date(a)", {"a": {NEEDLE: NEEDLE}}),
    ("from_epoch(a)", {"a": NEEDLE}),
    ("from_epoch(a, b)", {"a": 1, "b": NEEDLE}),
    ("add(a, b)", {"a": 1, "b": NEEDLE}),
    ("substring(a, b)", {"a": NEEDLE, "b": NEEDLE}),
    ("map_value(a, b)", {"a": NEEDLE, "b": {}}),
    ("map_value(a, b)", {"a": NEEDLE, "b": NEEDLE}),
    ("matches(a, b)", {"a": NEEDLE, "b": f"({NEEDLE}"}),
    ("lower(a)", {"a": [NEEDLE]}),
    ("join(',', a)", {"a": [NEEDLE, 5]}),
    ("sum(a)", {"a": [NEEDLE]}),
    ("abs(a)", {"a": NEEDLE}),
    ("sort_by(a, &b)", {"a": [{"b": 1}, {"b": NEEDLE}]}),
    ("keys(a)", {"a": NEEDLE}),
    ("a < b", {"a": NEEDLE, "b": 5}),
]


@pytest.mark.parametrize(("expression", "payload"), TELLTALES)
def test_no_refusal_repeats_the_payload(expression, payload):
    assert NEEDLE not in refusal(expression, payload)


def test_a_condition_and_a_value_are_compiled_once_and_hold_no_state():
    expression = compile_expression("concat(upper(a), b)")
    assert [expression.evaluate({"a": "x", "b": n}) for n in (1, 2, 1)] == ["X1", "X2", "X1"]
    assert "tree" not in repr(expression)


@pytest.mark.parametrize(
    "text",
    [
        "add(a, `12345678901234567.89`)",
        'map_value(a, `{"x": 12345678901234567.89}`)',
        "a == `[1, -0.12345678901234567]`",
    ],
)
def test_a_literal_that_would_lose_digits_is_refused(text):
    with pytest.raises(ExpressionError, match="this number has more digits than a literal keeps") as caught:
        compile_expression(text)
    assert caught.value.offset == text.index("`")
