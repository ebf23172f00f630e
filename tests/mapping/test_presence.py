"""Missing and null in expressions that go through lists; every way of evaluating agrees."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.authoring.steps import steps_of
from bridge.mapping.expressions import compile_expression
from bridge.mapping.interpreter import Interpreter
from bridge.mapping.sharing import ELEMENT, Scope
from bridge.payload import MISSING, walk
from tests.mapping.making import QUICK, evaluate

#: Expression, payload, outcome.
OUTCOMES = [
    # No element has it: nothing is known of it.
    ("max(items[].x)", {"items": [{"a": 1}, {}]}, MISSING),
    ("min(items[*].x)", {"items": [{"a": 1}]}, MISSING),
    ("sum(items[].x)", {"items": [{"a": 1}]}, MISSING),
    ("avg(items[].x)", {"items": [{"a": 1}]}, MISSING),
    ("items[].x | [0]", {"items": [{"a": 1}]}, MISSING),
    ("(items[].x)[0]", {"items": [{"a": 1}]}, MISSING),
    ("items[-1].x", {"items": [{"a": 1}]}, MISSING),
    ("items[:1].x | [0]", {"items": [{"a": 1}, {"x": 2}]}, MISSING),
    ("join(', ', items[].x)", {"items": [{"a": 1}]}, MISSING),
    ("date(max(items[].x))", {"items": [{"a": 1}]}, MISSING),
    ("divide(sum(items[].x), `100`)", {"items": [{"a": 1}]}, MISSING),
    ("max(items[].x.y)", {"items": [{"x": {"z": 1}}]}, MISSING),
    ("max(subs[].items[].x)", {"subs": [{"items": [{}]}, {}]}, MISSING),
    ("max(blocks.*.x)", {"blocks": {"a": {}, "b": {"y": 1}}}, MISSING),
    ("items[?a == `1`].x | [0]", {"items": [{"a": 1}, {"a": 2, "x": 5}]}, MISSING),
    ("items[?a == `1`] | [0].x", {"items": [{"a": 1}, {"a": 2, "x": 5}]}, MISSING),
    ("max_by(items, &a).x", {"items": [{"a": 1}]}, MISSING),
    ("sum(items[].x)", {}, MISSING),
    ("sum(items)", {"items": None}, None),
    ("max(items[].x)", {"items": "text"}, MISSING),
    # One of them has it.
    ("max(items[].x)", {"items": [{"a": 1}, {"x": 3}]}, 3),
    ("sum(items[].x)", {"items": [{"a": 1}, {"x": 3}]}, 3),
    ("max(items[].x)", {"items": [{"x": None}, {}]}, None),
    ("sum(items[].x)", {"items": [{"x": None}]}, 0),
    ("max(items[].x.y)", {"items": [{"x": None}]}, None),
    # There are none: that is known.
    ("max(items[].x)", {"items": []}, None),
    ("sum(items[].x)", {"items": []}, 0),
    ("max(items[].x)", {"items": None}, None),
    ("items[?a == `1`].x | [0]", {"items": [{"a": 2, "x": 5}]}, None),
    ("items[?a == `1`] | [0].x", {"items": [{"a": 2, "x": 5}]}, None),
    ("join(', ', items[].x)", {"items": []}, ""),
    ("max(subs[].items[].x)", {"subs": [{"items": []}]}, None),
    # What the author falls back on counts.
    ("sum(items[].x || `[]`)", {"items": [{"a": 1}]}, 0),
    ("coalesce(max(items[].x), y)", {"items": [{"a": 1}], "y": None}, None),
    ("coalesce(max(items[].x), y)", {"items": [{"a": 1}]}, MISSING),
    ("coalesce(max(items[].x), y)", {"items": [{"a": 1}], "y": 7}, 7),
    ("length(items[].x)", {"items": [{"a": 1}]}, 0),
]


@pytest.mark.parametrize(("expression", "payload", "outcome"), OUTCOMES)
def test_what_no_element_has_is_missing_and_what_is_null_or_of_no_element_is_null(expression, payload, outcome):
    found = evaluate(expression, payload)
    assert found is MISSING if outcome is MISSING else (type(found), found) == (type(outcome), outcome)


@pytest.mark.parametrize(("expression", "payload", "outcome"), OUTCOMES)
def test_every_way_of_evaluating_agrees(expression, payload, outcome):
    compiled = compile_expression(expression)
    assert steps_of(compiled, payload)[-1].value == outcome
    assert (
        Interpreter().visit(compiled.tree, payload) == (None if outcome is MISSING else outcome) or outcome is MISSING
    )
    assert compile_expression(expression, for_each=True).evaluate(Scope(payload, {}, {})) == outcome


ELEMENTS = st.dictionaries(st.sampled_from(["x", "y"]), st.none() | st.integers(-5, 5), max_size=2)


@given(st.lists(ELEMENTS, max_size=4), st.sampled_from(["max", "min", "avg", "sum"]))
@settings(QUICK, max_examples=300)
def test_an_aggregate_is_missing_exactly_where_there_are_elements_and_none_has_the_field(elements, name):
    found = evaluate(f"{name}(items[].x)", {"items": elements})
    assert (found is MISSING) == (bool(elements) and not any("x" in element for element in elements))


@given(st.lists(ELEMENTS, min_size=1, max_size=4))
@settings(QUICK, max_examples=300)
def test_one_element_alone_is_as_missing_as_its_plain_path(elements):
    element = elements[0]
    found = evaluate("items[].x | [0]", {"items": [element]})
    assert (found is MISSING) == (walk({"items": [element]}, ("items", 0, "x")) is MISSING)


def test_what_has_nothing_to_do_with_the_element_is_looked_for_once():
    looked = []

    class Watched(dict):
        def get(self, *arguments):
            looked.append(arguments)
            return super().get(*arguments)

    payload = {"all": [Watched(a=1) for _ in range(50)]}
    expression = compile_expression("max(all[].x)", for_each=True)
    scope = Scope(payload, None, {})
    for number in range(50):
        scope[ELEMENT] = {"n": number}
        assert expression.evaluate(scope) is MISSING
    assert len(looked) <= 2 * 50


@pytest.mark.parametrize(
    ("expression", "payload", "outcome"),
    [
        ("concat('h-', id)", {"id": 7}, "h-7"),
        ("concat('h-', id)", {"id": 0}, "h-0"),
        ("concat('h-', id)", {"id": None}, None),
        ("concat('h-', id)", {"id": ""}, None),
        ("concat('h-', id)", {}, MISSING),
        ("lower(concat('H-', id))", {}, MISSING),
        ("concat('h-', id) || other", {"other": "o"}, "o"),
        ("coalesce(concat('h-', id), concat('c-', other))", {"other": "o"}, "c-o"),
        ("concat('h-', id, suffix || '')", {"id": 7}, "h-7"),
        ("concat(a, '-', b)", {"a": "1"}, None),
    ],
)
def test_a_name_needs_all_parts_of_a_concat(expression, payload, outcome):
    compiled = compile_expression(expression, names=True)
    assert compiled.evaluate(payload) == outcome
    assert compile_expression(expression, names=True, for_each=True).evaluate(Scope(payload, {}, {})) == outcome
    assert steps_of(compiled, payload)[-1].value == outcome
    assert "h-" not in [step.value for step in steps_of(compiled, payload)]
    if outcome is not MISSING:
        assert Interpreter().visit(compiled.tree, payload) == outcome


def test_elsewhere_concat_leaves_nulls_out():
    assert evaluate("concat('h-', id)", {"id": None}) == "h-"
