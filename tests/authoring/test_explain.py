"""An explanation and `apply` say the same; each field says which way it went, and each rule why it made no change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.authoring.explain import Branch, explain
from bridge.mapping import examples
from bridge.mapping.expressions import compile_expression
from bridge.mapping.locators import Locator
from bridge.mapping.rules import Absent, Fate, FieldRule, Rule, TooLong, apply
from bridge.model import Event, Reference
from bridge.payload import MISSING
from tests.mapping.making import NOW, OTHER_UUID, QUICK, SHIPPED, UUID, json_values, lint, source_of_rules

EXPRESSIONS = [
    *["a", "b", "a.b", "a[0]", "item", "item.a", "item.b", "@", "lower(a)", "lower(item.b)", "a || b", "!a"],
    *["divide(a, b)", "substring(a, `1`)", "item.a && b", "a[?b].c", "a.*", "exists(item)", "date(c)", "to_string(@)"],
    *['map_value(a, `{"x": "y"}`)', "`5`", "'text'", f"'{UUID}'", "a == b", "abs(c)", "length(a)"],
]
COMPILED = st.sampled_from(EXPRESSIONS).map(compile_expression)
ABSENT = st.sampled_from(Absent)


@st.composite
def field_rules(draw):
    path = draw(st.none() | COMPILED)
    if path is None:
        return FieldRule(draw(KEYS), None, constant="constant")
    # As the compiler makes them: what has no default asks for none.
    default = draw(st.none() | st.just("default"))
    actions = st.sampled_from([one for one in Absent if default or one is not Absent.DEFAULT])
    return FieldRule(draw(KEYS), path, None, default, draw(actions), draw(actions), draw(st.sampled_from(TooLong)))


KEYS = st.sampled_from(["tier", "plan", "seats", "region"])


@st.composite
def locators(draw):
    customer = draw(st.none() | st.builds(Locator, st.sampled_from(["id", "ingest_alias"]), COMPILED))
    if customer:
        return Locator("uniqueness_key", draw(COMPILED), customer=customer)
    return draw(st.builds(Locator, st.sampled_from(["id", "ingest_alias"]), COMPILED))


@st.composite
def rules(draw):
    return Rule(
        name=draw(st.sampled_from(["one", "two"])),
        entity="customer",
        events=draw(st.sampled_from([(), ("a.*",), ("a.b", "c"), ("c",)])),
        when=draw(st.none() | COMPILED),
        for_each=draw(st.none() | COMPILED),
        locator=draw(locators()),
        occurred_at=draw(st.none() | COMPILED),
        fields=tuple(draw(st.lists(field_rules(), min_size=1, max_size=4, unique_by=lambda one: one.key))),
        partial=draw(st.booleans()),
    )


@given(st.lists(rules(), max_size=3), json_values("a", "b", "c", "id"))
@QUICK
def test_an_explanation_comes_to_what_the_rules_make(made, payload):
    event = Event("evt_1", "a.b", payload, NOW)
    assert explain(made, event, NOW).translation == apply(made, event)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_example_is_explained_as_it_is_translated(name):
    source, _ = lint(SHIPPED[name])
    for example in source.examples:
        for event in examples.events_of(source, example, NOW):
            explanation = explain(source.rules, event, NOW)
            assert explanation.translation == examples.translate(source, event)


@given(st.lists(rules(), min_size=1, max_size=3), json_values("a", "b", "c", "id"))
@QUICK
def test_the_fields_of_a_story_add_up_to_its_change(made, payload):
    for story in explain(made, Event("evt_1", "a.b", payload, NOW), NOW).rules:
        for scope in story.scopes:
            if scope.change is None:
                continue
            outcomes = {field.key: field.outcome for field in scope.fields}
            assert scope.change.set == {key: text for key, text in outcomes.items() if isinstance(text, str)}
            assert list(scope.change.remove) == [key for key, text in outcomes.items() if text is None]
            assert (scope.change.reference, scope.change.occurred_at) == (scope.reference, scope.time)


def story(fields, payload, **keys):
    """The only field of a rule with these keys over the plainest ones."""
    return told(fields, payload, **keys).rules[0]


def told(fields, payload, event_type="thing.happened", at=NOW, **keys):
    plain = {"name": "r", "entity": "customer", "id": "id", "fields": fields}
    lines = [f"{key}: {text}" for key, text in {**plain, **keys}.items()]
    made = source_of_rules("- " + "\n  ".join(lines))
    return explain(made.rules, Event("evt_1", event_type, {"id": UUID, **payload}, at), NOW)


LONG = "x" * 201
#: How the field is written, what is at its path, which way it goes, and where to.
BRANCHES = [
    ("{value: 5}", {}, Branch.CONSTANT, "5"),
    ("tier", {"tier": "gold"}, Branch.VALUE, "gold"),
    ("tier", {"tier": 1.0}, Branch.VALUE, "1"),
    ("tier", {"tier": False}, Branch.VALUE, "false"),
    ("{path: tier, too_long: truncate}", {"tier": LONG}, Branch.TRUNCATED, LONG[:200]),
    ("{path: tier, too_long: truncate}", {"tier": "gold"}, Branch.VALUE, "gold"),
    ("{path: tier, default: none}", {}, Branch.DEFAULT, "none"),
    ("{path: tier, default: none}", {"tier": None}, Branch.DEFAULT, "none"),
    ("{path: tier, default: none, when_null: skip}", {"tier": ""}, Branch.SKIPPED_NULL, MISSING),
    ("tier", {}, Branch.SKIPPED_MISSING, MISSING),
    ("{path: tier, when_missing: remove}", {}, Branch.REMOVED_MISSING, None),
    ("tier", {"tier": None}, Branch.REMOVED_NULL, None),
    ("tier", {"tier": ""}, Branch.REMOVED_NULL, None),
    ("{path: tier, when_null: skip}", {"tier": None}, Branch.SKIPPED_NULL, MISSING),
    ("{path: tier, when_missing: error}", {}, Branch.FAILED, MISSING),
    ("{path: tier, when_null: error}", {"tier": None}, Branch.FAILED, MISSING),
    ("tier", {"tier": LONG}, Branch.FAILED, MISSING),
    ("tier", {"tier": []}, Branch.FAILED, MISSING),
    ("abs(tier)", {"tier": "gold"}, Branch.FAILED, MISSING),
]


@pytest.mark.parametrize(("field", "payload", "branch", "outcome"), BRANCHES)
def test_a_field_says_which_way_it_went(field, payload, branch, outcome):
    (scope,) = story(f"{{tier: {field!r}}}" if field[0] != "{" else f"{{tier: {field}}}", payload).scopes
    (one,) = scope.fields
    assert (one.key, one.branch, one.outcome) == ("tier", branch, outcome)
    assert (one.problem is None) == (branch is not Branch.FAILED)
    assert one.found is None or one.found.value == payload.get("tier", MISSING) or one.found.problem


def test_every_branch_is_told_apart():
    assert {branch for _, _, branch, _ in BRANCHES} == set(Branch)


FATES = [
    ({"events": "[other.*]"}, {}, Fate.OTHER_TYPE),
    ({"for_each": "parts"}, {}, Fate.NO_ELEMENT),
    ({"for_each": "parts"}, {"parts": []}, Fate.NO_ELEMENT),
    ({"for_each": "parts"}, {"parts": "text"}, Fate.FAILED),
    ({"for_each": "parts"}, {"parts": [1], "tier": "gold"}, Fate.CHANGE),
    ({"for_each": "parts", "when": "item"}, {"parts": [False, None]}, Fate.NOT_WHEN),
    ({"for_each": "parts", "when": "item"}, {"parts": [False, True], "tier": "gold"}, Fate.CHANGE),
    ({"for_each": "parts", "id": "item"}, {"parts": [UUID, "x"], "tier": "gold"}, Fate.FAILED),
    ({"when": "live"}, {}, Fate.NOT_WHEN),
    ({"when": "abs(live)"}, {"live": "text"}, Fate.FAILED),
    ({"occurred_at": "tier"}, {"tier": "gold"}, Fate.FAILED),
    ({}, {}, Fate.NOTHING_LEFT),
    ({}, {"tier": None}, Fate.CHANGE),
]


@pytest.mark.parametrize(("keys", "payload", "fate"), FATES)
def test_a_rule_says_what_became_of_it(keys, payload, fate):
    one = story("{tier: tier}", payload, **keys)
    assert one.fate is fate
    assert bool(one.failures) == (fate is Fate.FAILED)


def test_every_fate_is_told_apart():
    assert {fate for _, _, fate in FATES} == set(Fate)


def test_a_condition_that_does_not_hold_shows_the_value_it_had():
    (scope,) = story("{tier: tier}", {"tier": "gold", "live": False}, when="live").scopes
    assert (scope.when.expression.text, scope.when.value) == ("live", False)
    assert scope.fields == ()


def test_a_failing_scope_tells_all_that_is_wrong_and_fails_with_the_first():
    explanation = told("{tier: tier, plan: plan}", {"id": "x", "tier": [], "plan": {}, "at": "?"}, occurred_at="at")
    (scope,) = explanation.rules[0].scopes
    assert [field.problem for field in scope.fields] == [
        "field tier: tier is a list: map one of its parts, or write an expression that makes it text",
        "field plan: plan is an object: map one of its parts, or write an expression that makes it text",
    ]
    assert scope.reference_problem == "id: id is no UUID"
    assert (
        scope.time_problem
        == "occurred_at at: is not an ISO 8601 date or time, such as 2026-11-22 or 2026-11-22T10:00:00Z"
    )
    assert explanation.translation.failures == (f"rule 'r': {scope.fields[0].problem}",)


def test_an_element_is_shown_with_its_number_and_its_reference():
    parts = [{"id": UUID}, {"id": OTHER_UUID}]
    scopes = story("{tier: {value: gold}}", {"parts": parts}, for_each="parts", id="item.id").scopes
    assert [(scope.place, scope.reference) for scope in scopes] == [
        (" [0]", Reference("id", UUID)),
        (" [1]", Reference("id", OTHER_UUID)),
    ]


@pytest.mark.parametrize(("at", "dated"), [(NOW - 5, True), (None, False)])
def test_an_event_without_a_time_gets_that_of_its_receipt_and_says_so(at, dated):
    explanation = told("{tier: {value: gold}}", {}, at=at)
    assert explanation.dated is dated
    assert explanation.event.occurred_at == explanation.translation.changes[0].occurred_at == (at or NOW)


def test_an_event_that_cannot_be_read_is_explained_by_its_problem():
    explanation = explain(
        source_of_rules("- {name: r, entity: customer, id: id, fields: {a: b}}").rules,
        Event.unreadable("1", {}, "it has no id"),
        NOW,
    )
    assert explanation.rules == ()
    assert explanation.translation.failures == ("it has no id",)
