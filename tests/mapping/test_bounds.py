"""What would grow or take without bounds is refused before it does: the work is bounded, not the clock."""

import pytest

from bridge.mapping import lint as checks
from bridge.mapping.documents import MAX_MARKS
from bridge.mapping.functions import MAX_TEXT
from bridge.mapping.reach import MAX_SCOPES
from tests.mapping.making import NOW, check, evaluate, lint, refusal

GROWING = [
    ("replace(replace(replace(v, 'a', v), 'a', v), 'a', v)", {"v": "a" * 100}, "replace"),
    ("replace(v, '', v)", {"v": "a" * 2000}, "replace"),
    ("concat(v, v)", {"v": "a" * MAX_TEXT}, "concat"),
    ("join(s, v)", {"s": "x" * 100_000, "v": ["a"] * 10_000}, "join"),
]


@pytest.mark.parametrize(("expression", "payload", "name"), GROWING)
def test_a_text_does_not_grow_without_bounds(expression, payload, name):
    assert refusal(expression, payload) == f"{name}() makes more than 1,000,000 characters"


def test_text_that_does_not_grow_may_be_long():
    assert evaluate("replace(v, 'a', 'b')", {"v": "a" * MAX_TEXT}) == "b" * MAX_TEXT


def file_of(when="a", fields="{a: a}", events="[a]"):
    head = 'sender: stripe\nsecrets: ["${SECRET}"]\nrules:\n  - {name: a, entity: customer, id: id, '
    return f'{head}events: {events}, when: "{when}", fields: {fields}}}\n'


@pytest.mark.parametrize(
    "text",
    [
        file_of(when="a != 'x' && " * 250 + "b"),
        file_of(when="a == 'x' || " * 250 + "b"),
        file_of(when="!" * 150 + "b"),
        file_of(when="lower(" * 100 + "'b'" + ")" * 100),
        file_of(events=f"[{','.join(f'a.{number}' for number in range(5000))}]"),
        file_of(fields=f"{{{','.join(f'k{number}: lowr(a)' for number in range(300))}}}"),
    ],
    ids=["and", "or", "not", "calls", "events", "mistakes"],
)
def test_long_and_deep_files_are_answered(text):
    assert check(text)


def test_constants_that_would_grow_are_refused_at_lint_time():
    grown = "replace(" * 12 + "'aaaaaaaaaa'" + ", 'a', 'aaaaaaaaaa')" * 12
    problems = check(file_of(fields=f'{{a: "{grown}"}}'))
    assert [(problem.code, problem.message) for problem in problems if problem.level == "error"] == [
        ("argument-type", "replace() makes more than 1,000,000 characters")
    ]


def test_a_file_of_too_many_values_is_refused_unread():
    source, (problem,) = lint("a: [" + "1," * (MAX_MARKS + 1) + "]")
    assert source is None
    assert problem.code == "file-size"


@pytest.mark.parametrize(("elements", "warned"), [(MAX_SCOPES, True), (MAX_SCOPES + 1, False)])
def test_lint_looks_at_so_many_elements_and_claims_nothing_of_the_rest(elements, warned):
    lines = ", ".join(["{id: 99594816-e8a5-4bca-be21-8d1de0f45120, qty: 1}"] * elements)
    text = f"""
sender: stripe
secrets: ["${{SECRET}}"]
rules:
  - {{name: a, entity: customer, for_each: lines, id: item.id, fields: {{a: item.qty, b: item.colour}}}}
examples:
  - name: a
    event: {{id: evt_1, type: x, created: 1, lines: [{lines}]}}
    expect: [{", ".join(["{set: {a: 1}}"] * elements)}]
"""
    source, problems = lint(text)
    assert problems == []
    assert [one.code for one in checks.run(source, NOW)] == (["unreached-path"] if warned else [])
