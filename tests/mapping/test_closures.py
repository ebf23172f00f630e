"""Expressions are compiled into functions: these give what jmespath's own interpreter gives, whatever the payload."""

import re

import jmespath
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError, ParseError
from jmespath.visitor import TreeInterpreter

from bridge.errors import RuleError
from bridge.mapping.calls import Functions
from bridge.mapping.closures import MAKERS, closure, summed
from bridge.mapping.expressions import Parser, compile_expression
from bridge.mapping.functions import FUNCTIONS
from bridge.mapping.sharing import ELEMENT, Scope, sharing
from tests.mapping.making import QUICK, json_values


class Interpreted(Functions):
    """Both kinds of functions, as jmespath's interpreter calls them."""

    def call_function(self, function_name, resolved_args):
        if function_name not in FUNCTIONS:
            return super().call_function(function_name, resolved_args)
        function = FUNCTIONS[function_name]
        if resolved_args[0] in (None, "") and not function.takes_null:
            return None
        return function.call(*resolved_args)


def interpreted(tree, payload):
    """jmespath's interpreter as it is, but for a sum of nothing: `test_presence.py` has that."""
    return Summing(jmespath.Options(custom_functions=Interpreted())).visit(tree, payload)


class Summing(TreeInterpreter):
    def visit_function_expression(self, node, value):
        outcome = super().visit_function_expression(node, value)
        there = summed(node)
        return None if there and not there(value) else outcome


def outcome(call, *arguments):
    """What comes out, written so that 1, 1.0 and true differ; or what is raised."""
    try:
        return repr(call(*arguments))
    except RuleError as error:
        return f"refused: {error}"
    except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        return f"raised: {type(error).__name__}"


def check(text, payload):
    tree = Parser().parse(text).parsed
    assert outcome(closure(tree), payload) == outcome(interpreted, tree, payload)


KEYS = ("a", "b", "c", "odd key")
NAMES = st.sampled_from(["a", "b", "c", '"odd key"'])
NUMBERS = st.integers(-3, 3)
LITERALS = ["`0`", "`1`", "`1.0`", "`-2.5`", "`true`", "`false`", "`null`", "`[]`", "`{}`", "`[1, true, null]`"]
LEAVES = NAMES | st.sampled_from(["@", "*", "[*]", "[]", "[0]", "[-1]", "'x'", "''", "'12.5'", *LITERALS])
#: Which take an `&expression`, and where.
BY = ["map(&({1}), {0})", *[f"{name}({{0}}, &({{1}}))" for name in ("sort_by", "min_by", "max_by")]]
#: to_string would write what an &expression is called in memory.
OTHERS = sorted({*FUNCTIONS, *Functions.FUNCTION_TABLE} - {"map", "sort_by", "min_by", "max_by"})


def larger(inner):
    """Whatever can be made of expressions."""
    bounds = st.none() | NUMBERS
    slices = st.tuples(bounds, bounds, bounds).map(lambda part: ":".join("" if n is None else str(n) for n in part))
    suffixes = (
        NAMES.map(".{}".format)
        | NUMBERS.map("[{}]".format)
        | slices.map("[{}]".format)
        | inner.map("[?{}]".format)
        | inner.map(" | {}".format)
        | st.tuples(inner, inner).map(lambda two: f".[{two[0]}, {two[1]}]")
        | st.tuples(inner, inner).map(lambda two: f".{{k: {two[0]}, l: {two[1]}}}")
        | st.sampled_from(["[*]", "[]", ".*"])
    )
    operators = st.sampled_from(["||", "&&", "==", "!=", "<", "<=", ">", ">="])
    calls = st.tuples(st.sampled_from(OTHERS), st.lists(inner, min_size=1, max_size=3))
    return (
        st.tuples(inner, suffixes).map("".join)
        | st.tuples(inner, suffixes).map(lambda parts: f"({parts[0]}){parts[1]}")
        | st.tuples(inner, operators, inner).map(lambda parts: "({}) {} ({})".format(*parts))
        | inner.map("!({})".format)
        | calls.map(lambda parts: f"{parts[0]}({', '.join(parts[1])})")
        | st.tuples(st.sampled_from(BY), inner, inner).map(lambda parts: parts[0].format(*parts[1:]))
    )


EXPRESSIONS = st.recursive(LEAVES, larger, max_leaves=8)
PAYLOADS = json_values(*KEYS)


@given(EXPRESSIONS, st.lists(PAYLOADS, min_size=3, max_size=3))
@settings(QUICK, max_examples=1500)
def test_what_an_expression_gives_is_what_jmespath_gives(text, payloads):
    try:
        Parser().parse(text)
    except JMESPathError:
        assume(False)
    for payload in payloads:
        check(text, payload)


#: What is easily done otherwise than jmespath does it.
PAYLOAD = {
    "zero": 0,
    "one": 1,
    "yes": True,
    "no": False,
    "null": None,
    "empty": "",
    "text": "x",
    "list": [0, 1, True, None, "x", [1], {"a": 1}],
    "rows": [{"n": 1, "v": "a"}, {"n": 2, "v": None}, {"n": 3}, None, "x", {"n": None, "v": "b"}],
    "nested": [[1, [2]], [], 3, None, [None]],
    "blocks": {"p": {"v": 1}, "q": {"v": None}, "r": 5, "s": {"v": 2}},
    "none": [],
    "nothing": {},
}
TRICKY = [
    # Truth: null, false and what is empty are false, 0 is not.
    *[f"{name} || 'other'" for name in PAYLOAD],
    *[f"{name} && 'other'" for name in PAYLOAD],
    *[f"!{name}" for name in [*PAYLOAD, "missing"]],
    "list[?@]",
    "list[?!@]",
    # true is not 1, but [true] is [1] to jmespath; 1 is 1.0.
    *["one == yes", "zero == no", "yes == one", "no == `0.0`", "one == `1.0`", "one != yes", "zero != no"],
    *["`[1]` == `[true]`", '`{"a": 0}` == `{"a": false}`', "null == missing", "empty == null", "yes == `true`"],
    *["none == `[]`", "nothing == `{}`", "text == 'x'", "text != one", "contains(list, `false`)"],
    # Order: numbers and text only; anything else gives null, a mixture is an error.
    *["one < `2`", "text < 'y'", "text < one", "one < yes", "null < one", "none < `1`", "missing >= missing"],
    *["add(one, `0.1`) > one", "divide(one, `3`) < one", "divide(one, `3`) == divide(one, `3`)"],
    # Projections drop null, and what is no list has none.
    *["rows[*].n", "rows[].v", "rows[?n > `1`].n", "rows[?n].v", "rows[*].[n, v]", "rows[*].{a: n}", "text[*].n"],
    *["blocks.*.v", "blocks.*", "list.*", "null.*", "*.v", "blocks.*.v | [0]", "nothing.*", "blocks[*]", "blocks[]"],
    *["nested[]", "nested[][]", "nested[*][]", "nested[*][0]", "nested[].a", "nested[*][*]", "none[]", "text[]"],
    *["rows[*].n | [0]", "rows[?v == 'b'].n | [0]", "rows[?v == `null`]", "rows[?missing]", "rows[].n[]"],
    # Indices and slices.
    *["list[-1]", "list[-7]", "list[-8]", "list[7]", "text[0]", "null[0]", "blocks[0]", "list[5][0]", "list[5][-1]"],
    *["list[1:3]", "list[::-1]", "list[-2:]", "list[10:]", "list[3:1]", "list[::0]", "text[0:1]", "list[:2][0]"],
    *["nested[0][1][0]", "nested[0][0:1]", "nested[0][1:].a", "nested[0:2][0]", "nested[0:2][]"],
    # Multiple selection of null is null, of anything else it is made.
    *["null.[a, b]", "missing.{a: b}", "text.[a]", "blocks.p.[v, w]", "[one, missing]", "{a: one, b: missing}"],
    *["text.a.b", "blocks.p.v", "blocks.q.v.w", "blocks.p.v.w", "list.a", "@.one", '"one"', '"no such"'],
    # &expressions go to the functions that take them.
    *["sort_by(rows[?n], &n)[*].v", "max_by(rows[?n], &n).n", "min_by(rows, &n)", "map(&v, rows)", "sort_by(none, &a)"],
    *["map(&lower(@), list)", "map(&[@, n], rows[?n])", "max_by(list, &@)", "map(&n, text)", "map(text, rows)"],
    # Whatever an argument raises is raised before the function is asked.
    *["lower(null)", "lower(list)", "concat(null, divide(text, one))", "lower(divide(one, zero))"],
    *["divide(null, lower(list))", "coalesce(null, empty, one)", "sum(list)", "not_null(null, lower(list))"],
    # Lint refuses a call with too few arguments; made nevertheless, it is refused, and nothing breaks.
    *["join(text)", "join(null)", "map(&v)", "!join(list)"],
]


@pytest.mark.parametrize("text", TRICKY)
def test_the_odd_corners_of_jmespath_are_kept(text):
    check(text, PAYLOAD)
    for payload in (None, [], [PAYLOAD], "text", 0, True):
        check(text, payload)


def test_every_kind_of_node_can_be_compiled():
    assert {name.removeprefix("visit_") for name in dir(TreeInterpreter) if name.startswith("visit_")} == set(MAKERS)


def test_what_was_compiled_keeps_nothing_of_what_it_was_evaluated_on():
    run = closure(Parser().parse("[a, sort_by(b, &c)[0], `[1]`]").parsed)
    first = run({"a": 1, "b": [{"c": 2}]})
    assert run({"a": 3, "b": [{"c": 4}]}) == [3, {"c": 4}, [1]]
    assert first == [1, {"c": 2}, [1]]


def on_each(text, payload, run):
    """What comes out for each element of `b`."""
    shared = {}
    return [outcome(run, Scope(payload, element, shared)) for element in payload["b"]]


@given(EXPRESSIONS, json_values(*KEYS), st.lists(json_values(*KEYS), max_size=4))
@QUICK
def test_what_elements_share_is_what_each_would_find(text, payload, elements):
    around = {**(payload if isinstance(payload, dict) else {}), "b": elements}
    for each in (text, re.sub(r"\ba\b", ELEMENT, text), f"[{text}, {ELEMENT}]"):
        try:
            tree = Parser().parse(each).parsed
        except ParseError:
            continue
        assert on_each(each, around, sharing(tree)) == on_each(each, around, closure(tree))


class Counted(list):
    def __init__(self, elements):
        super().__init__(elements)
        self.readings = 0

    def __iter__(self):
        self.readings += 1
        return super().__iter__()


@pytest.mark.parametrize(
    "text",
    [
        "sum(lines[].qty)",
        "divide(item.qty, sum(lines[].qty))",
        "lines[?qty > `1`] | length(@)",
        "sort(lines[*].qty)[0]",
    ],
)
def test_what_has_nothing_to_do_with_the_element_is_reckoned_once(text):
    lines = Counted([{"qty": 1}, {"qty": 2}, {"qty": 3}])
    run, shared = compile_expression(text, for_each=True), {}
    found = [run.evaluate(Scope({"lines": lines}, {"qty": number}, shared)) for number in (6, 12)]
    assert None not in found
    assert lines.readings == 1
