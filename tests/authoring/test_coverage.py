"""What examples show of a mapping: each way that a rule or a field can go, once the file says something about it."""

import pytest

from bridge.authoring import coverage
from bridge.authoring.coverage import Way
from tests.mapping.making import NOW, SHIPPED, UUID, source

HEAD = f"""\
sender: token
secrets: ["${{SECRET}}"]
options: {{event_time: at}}
rules:
  - name: r
    when: on
    entity: customer
    lookup: {{ingest_alias: "'{UUID}'"}}
    fields:
      f: """


def measured(field, *events, head=HEAD):
    """What the examples with these events show of a rule with this field, whatever comes of them."""
    examples = "".join(
        f"  - {{name: e{number}, event: {{at: 1795341600, {event}}}, expect: []}}\n"
        for number, event in enumerate(events)
    )
    return coverage.measure(source(f"{head}{field}\n" + (f"examples:\n{examples}" if examples else "")), NOW)


def ways(field, *events, head=HEAD):
    """The ways of the field that these events show, and those that they leave out."""
    found = measured(field, *(f"on: true, {event}" for event in events), head=head)
    of_field = {point for point in found.points if point.field == "f"}
    missed = of_field & set(found.missed)
    return {str(point.way) for point in of_field - missed}, {str(point.way) for point in missed}


MAPPED = """'map_value(f, `{"a": "b"}`, `"c"`)'"""
TWICE = """'concat(map_value(f, `{"a": "b"}`, `"c"`), map_value(g, `{"a": "b"}`))'"""


@pytest.mark.parametrize(
    ("field", "event", "shown", "missed"),
    [
        ("f", "f: a", {"value"}, set()),
        ("f", "f: null", set(), {"value"}),
        ("f", "g: a", set(), {"value"}),
        ("lower(f)", "f: A", {"value"}, set()),
        # What reads nothing comes with its rule.
        ("{value: a}", "f: a", set(), set()),
        ('"`null`"', "f: a", set(), set()),
        ("\"'a'\"", "f: a", set(), set()),
        ("{path: f, default: x}", "f: a", {"value"}, {"default"}),
        ("{path: f, default: x}", "f: null", {"default"}, {"value"}),
        ("{path: f, default: x}", "g: a", {"default"}, {"value"}),
        ("{path: f, when_missing: remove}", "g: a", {"when_missing"}, {"value"}),
        ("{path: f, when_missing: skip}", "g: a", {"when_missing"}, {"value"}),
        ("{path: f, when_missing: skip}", "f: null", set(), {"value", "when_missing"}),
        ("{path: f, when_missing: error}", "f: a", {"value"}, set()),
        ("{path: f, when_null: remove}", "f: ''", {"when_null"}, {"value"}),
        ("{path: f, when_null: skip}", "f: null", {"when_null"}, {"value"}),
        ("{path: f, when_null: skip}", "g: a", set(), {"value", "when_null"}),
        ("{path: f, when_null: error}", "f: a", {"value"}, set()),
        ("{path: f, default: x, when_null: remove}", "f: null", {"when_null"}, {"value", "default"}),
        ("{path: f, default: x, when_null: remove}", "g: a", {"default"}, {"value", "when_null"}),
        # A default that nothing leads to is nothing that an example could show.
        (
            "{path: f, default: x, when_null: remove, when_missing: skip}",
            "f: a",
            {"value"},
            {"when_null", "when_missing"},
        ),
        ("{path: f, too_long: truncate}", f"f: {'a' * 201}", {"value", "truncate"}, set()),
        ("{path: f, too_long: truncate}", f"f: {'a' * 200}", {"value"}, {"truncate"}),
        ("{path: f, too_long: error}", "f: a", {"value"}, set()),
        (MAPPED, "f: a", {"value"}, {"fallback"}),
        (MAPPED, "f: z", {"value", "fallback"}, set()),
        (MAPPED, "f: 7", {"value", "fallback"}, set()),
        (MAPPED, "f: null", set(), {"value", "fallback"}),
        (TWICE, "f: a, g: a", {"value"}, {"fallback"}),
        (TWICE, "f: z, g: a", {"value", "fallback"}, set()),
        ("""'map_value(f, `{"a": "b"}`)'""", "f: a", {"value"}, set()),
        # A rule that fails shows nothing.
        ("f", "f: [a]", set(), {"value"}),
    ],
)
def test_ways_of_a_field(field, event, shown, missed):
    assert ways(field, event) == (shown, missed)


def test_examples_add_up():
    field = "{path: f, default: x, when_null: skip, too_long: truncate}"
    events = ["f: a", "f: null", "g: a", f"f: {'a' * 300}"]
    assert ways(field, *events) == ({"value", "default", "when_null", "truncate"}, set())


def of_rule(found):
    return {point.way: point not in found.missed for point in found.points if point.field is None}


@pytest.mark.parametrize(
    ("events", "applies", "not_when"),
    [
        ([], False, False),
        (["on: true"], True, False),
        (["on: false"], False, True),
        (["g: a"], False, True),
        (["on: true, f: a", "on: null"], True, True),
        (["on: true, f: [a]"], False, False),
    ],
)
def test_a_rule_is_shown_to_apply_and_not_to(events, applies, not_when):
    assert of_rule(measured("f", *events)) == {Way.APPLIES: applies, Way.NOT_WHEN: not_when}


EACH = HEAD.replace("when: on", "for_each: list").replace("      f: ", "      f: item.")


@pytest.mark.parametrize(
    ("event", "applies", "none"),
    [
        ("list: [{f: a}]", True, False),
        ("list: []", False, True),
        ("list: null", False, True),
        ("g: a", False, True),
        ("list: text", False, False),
    ],
)
def test_for_each_is_shown_with_elements_and_without(event, applies, none):
    assert of_rule(measured("f", event, head=EACH)) == {Way.APPLIES: applies, Way.NO_ELEMENT: none}


def test_a_rule_that_says_no_condition_needs_none_shown():
    assert of_rule(measured("f", "f: a", head=HEAD.replace("    when: on\n", ""))) == {Way.APPLIES: True}


def test_an_event_of_another_type_shows_nothing_of_a_rule():
    head = HEAD.replace("    when: on", "    events: [other]\n    for_each: list")
    assert of_rule(measured("f", "f: a", head=head)) == {Way.APPLIES: False, Way.NO_ELEMENT: False}


def test_an_example_that_cannot_be_read_shows_nothing():
    text = HEAD + "f\nexamples:\n  - {name: a, file: none.json, expect: []}\n  - {name: b, event: [], expect: []}\n"
    text += "  - {name: c, event: {at: never}, expect: []}\n  - {name: d, event: 5, expect: []}"
    assert coverage.measure(source(text), NOW).percent == 0


def test_what_is_not_shown_is_one_problem_of_the_file():
    found = measured("{path: f, default: x}", "on: true, f: a")
    assert (found.shown, len(found.points), found.percent) == (2, 4, 50)
    assert list(coverage.shortfall(found, 50)) == []
    (problem,) = coverage.shortfall(found, 51)
    assert (problem.path, problem.line, problem.column, problem.level, problem.code) == (
        "test.yaml",
        1,
        1,
        "error",
        "coverage",
    )
    assert problem.message == (
        "the examples show 50% of what the rules say, not 51%; no example shows\n"
        "  rule 'r': when does not hold, f: default"
    )


def test_a_hundred_percent_is_all():
    fields = "".join(f"      f{number}: f{number}\n" for number in range(199))
    head = HEAD.replace("    when: on\n", "").removesuffix("      f: ")
    event = ", ".join(f"f{number}: a" for number in range(198))
    assert measured(fields, event, head=head).percent == 99


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_mappings_show_every_rule_applied(name):
    found = coverage.measure(source(SHIPPED[name]), NOW)
    assert [point for point in found.missed if point.way is Way.APPLIES] == []
