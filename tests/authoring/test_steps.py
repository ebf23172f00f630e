"""Every step of an expression with its value, and where a path ends that finds nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.authoring.notation import path_text
from bridge.authoring.steps import steps_of
from bridge.mapping.expressions import compile_expression
from bridge.payload import MISSING, parts
from tests.mapping.making import QUICK, attempt, evaluate, json_values

ITEMS = [{"name": "a", "on": True, "seats": 2}, {"name": "b", "on": False, "seats": 3}]
PAYLOAD = {
    "data": {
        "tier": "Gold",
        "plan": "EU/Pro",
        "cents": 1999,
        "nothing": None,
        "items": ITEMS,
        "odd key": "x",
    },
}

#: Expression -> the steps before the last, which is itself.
STEPS = [
    ("data.tier", []),
    ("lower(data.tier)", [("data.tier", "Gold")]),
    ('lower(data."odd key")', [('data."odd key"', "x")]),
    (
        "lower(split(data.plan, '/')[1])",
        [
            ("data.plan", "EU/Pro"),
            ("split(data.plan, '/')", ["EU", "Pro"]),
            ("split(data.plan, '/')[1]", "Pro"),
        ],
    ),
    ("divide(data.cents, `100`)", [("data.cents", 1999)]),
    # What is not evaluated is no step.
    ("data.tier || data.plan", [("data.tier", "Gold")]),
    ("data.gone || data.plan", [("data.gone", MISSING), ("data.plan", "EU/Pro")]),
    ("data.nothing && data.plan", [("data.nothing", None)]),
    ("data.cents > `5` && (data.tier)", [("data.cents", 1999), ("data.cents > `5`", True), ("data.tier", "Gold")]),
    ("concat(data.tier, data.tier)", [("data.tier", "Gold")]),
    # A list is shown once, and not for each of its elements.
    ("length(data.items[?on].name)", [("data.items", ITEMS), ("data.items[?on].name", ["a"])]),
    ("data.items[*].seats | sum(@)", [("data.items", ITEMS), ("data.items[*].seats", [2, 3])]),
    ("sum(data.items[].seats)", [("data.items", ITEMS), ("data.items[].seats", [2, 3])]),
    ("data.items[-1].name", [("data.items", ITEMS)]),
    ("data.items[0:1].name", [("data.items", ITEMS)]),
    ("( data.gone ) || 'x'", [("data.gone", MISSING)]),
    ("(lower((data.tier) || 'x'))", [("data.tier", "Gold"), ("(data.tier) || 'x'", "Gold")]),
    ("(data.items)[0].name | lower(@)", [("(data.items)[0].name", "a")]),
    (
        "{a: data.tier, b: upper('x')}.a",
        [("data.tier", "Gold"), ("upper('x')", "X"), ("{a: data.tier, b: upper('x')}", {"a": "Gold", "b": "X"})],
    ),
    ("@.[data.tier]", [("data.tier", "Gold")]),
    ("'constant'", []),
    (
        "sort_by(data.items, &seats)[0].name",
        [
            ("data.items", ITEMS),
            ("sort_by(data.items, &seats)", ITEMS),
            ("sort_by(data.items, &seats)[0]", ITEMS[0]),
        ],
    ),
]


@pytest.mark.parametrize(("expression", "before"), STEPS)
def test_every_step_is_shown_with_its_value_in_the_order_of_evaluation(expression, before):
    *steps, last = steps_of(compile_expression(expression), PAYLOAD)
    assert [(step.text, step.value) for step in steps] == before
    assert (last.text, last.value) == (expression, evaluate(expression, PAYLOAD))


def test_the_part_that_cannot_be_evaluated_says_so_once():
    steps = steps_of(compile_expression("lower(to_string(abs(data.tier)))"), PAYLOAD)
    assert [(step.text, step.value, step.problem) for step in steps] == [
        ("data.tier", "Gold", None),
        ("abs(data.tier)", MISSING, "abs() cannot take text"),
        ("lower(to_string(abs(data.tier)))", MISSING, "abs() cannot take text"),
    ]


FIRST = "data.items[0].name"
HAS = 'it has tier, plan, cents, nothing, items, "odd key"'
ENDINGS = [
    ("data.tire", f"data has no 'tire': did you mean 'tier'? {HAS}"),
    ("data.TIER", f"data has no 'TIER': did you mean 'tier'? {HAS}"),
    ("data.zz", f"data has no 'zz': {HAS}"),
    ("tier", "the payload has no 'tier': it has data; there is data.tier"),
    ("object.tier", "the payload has no 'object': it has data; there is data.tier"),
    (
        "data.items.name",
        f"data.items is a list of 2: write {FIRST} for the first, or go through it with for_each; there is {FIRST}",
    ),
    ("data.items[2]", "data.items has 2 elements, and the first is [0]"),
    ("data.tier.name", "data.tier is text: nothing lies below it; there is data.items[0].name"),
    ("data.cents.x", "data.cents is a number: nothing lies below it"),
    ("data.nothing.deeper", "data.nothing is null"),
    ("data.nothing", None),
    ("data.tier", None),
]


@pytest.mark.parametrize(("path", "ending"), ENDINGS)
def test_a_path_that_finds_nothing_says_where_it_ends_and_what_is_there(path, ending):
    (step,) = steps_of(compile_expression(path), PAYLOAD)
    assert step.ending == ending
    first, *_ = steps_of(compile_expression(f"concat({path}, 'x')"), PAYLOAD)
    assert first == step


def test_an_element_is_meant_before_the_first_of_its_list():
    scope = {"items": [{"seats": 2}], "item": {"seats": 2}}
    (step,) = steps_of(compile_expression("seats"), scope)
    assert step.ending == "the payload has no 'seats': it has items, item; there is item.seats"


def test_an_object_with_many_keys_names_the_first():
    (step,) = steps_of(compile_expression("zz"), {f"k{number}": 1 for number in range(100)})
    assert step.ending == f"the payload has no 'zz': it has {', '.join(f'k{n}' for n in range(12))} and 88 more"


ATOMS = st.sampled_from(
    ["a", "a.b", "a[0]", "@", "`1`", "'t'", "a.b[0].c", "a[*].b", "a.*", "a[?b == `1`].c", "a[]", "[0]"]
)
GROWN = st.recursive(
    ATOMS,
    lambda inner: (
        st.builds("lower({})".format, inner)
        | st.builds("coalesce({}, {})".format, inner, inner)
        | st.builds("({} || {})".format, inner, inner)
        | st.builds("({} && {})".format, inner, inner)
        | st.builds("({}) == ({})".format, inner, inner)
        | st.builds("!({})".format, inner)
        | st.builds("[{}, {}]".format, inner, inner)
        | st.builds("{{x: {}}}".format, inner)
        | st.builds("({}) | {}".format, inner, inner)
        | st.builds("({}).b".format, inner)
        | st.builds("({})[0]".format, inner)
        | st.builds("map(&{}, {})".format, inner, inner)
    ),
    max_leaves=6,
)


@given(GROWN, json_values("a", "b", "c"))
@QUICK
def test_every_step_is_an_expression_that_comes_to_the_value_shown(expression, payload):
    steps = steps_of(compile_expression(expression), payload)
    for step in steps:
        value, problem = attempt(evaluate, step.text, payload)
        if step.problem:
            assert problem == step.problem
        else:
            assert value == step.value or (value in (None, MISSING) and step.value in (None, MISSING))
    assert steps[-1].text == expression


@given(json_values("a", "b c", 'd"', "é", "0", "\\", "`", "'"))
@QUICK
def test_every_part_of_a_payload_is_found_again_by_its_path(payload):
    for steps, value in parts(payload):
        expression = compile_expression(path_text(steps))
        assert expression.steps == steps
        assert expression.evaluate(payload) == value
