"""One field of a rule: path, constant, default, and what becomes of nothing, null and too much."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.mapping import examples
from bridge.mapping.rules import apply
from bridge.model import MAX_VALUE_LENGTH, Event
from bridge.payload import MISSING
from tests.mapping.making import NEEDLE, NOW, QUICK, SHIPPED, UUID, json_values, source, texts, translate

LEFT_ALONE, REMOVED = "left alone", "removed"


def outcome(spec, value):
    """What becomes of the key `k`: its text in brackets, one of the words above, or the failure."""
    payload = {"id": UUID, "other": "x"} | ({} if value is MISSING else {"v": value})
    rule = f"- {{name: r, entity: customer, id: id, fields: {{k: {spec}, other: other}}}}"
    translation = translate(rule, payload)
    if translation.failures:
        return translation.failures[0].removeprefix("rule 'r': field k: v ")
    (change,) = translation.changes
    assert change.set["other"] == "x"
    if "k" in change.set:
        return f"[{change.set['k']}]"
    return REMOVED if change.remove == ("k",) else LEFT_ALONE


SPECS = [
    ("v", "gold", "[gold]"),
    ("v", 12.0, "[12]"),
    ("v", False, "[false]"),
    ("v", 0, "[0]"),
    ("v", " ", "[ ]"),
    ("v", MISSING, LEFT_ALONE),
    ("v", None, REMOVED),
    ("v", "", REMOVED),
    ("v", "x" * 200, f"[{'x' * 200}]"),
    ("v", "x" * 201, "has 201 characters: Metronome takes 200; see too_long, or shorten it with substring()"),
    ("v", [], "is a list: map one of its parts, or write an expression that makes it text"),
    ("v", {}, "is an object: map one of its parts, or write an expression that makes it text"),
    ("v", "\x00", "contains a NUL character"),
    ("{path: v}", "gold", "[gold]"),
    ("{path: v}", MISSING, LEFT_ALONE),
    ("{path: v, too_long: truncate}", "é" * 300, f"[{'é' * 200}]"),
    ("{path: v, too_long: truncate}", "short", "[short]"),
    (
        "{path: v, too_long: error}",
        "x" * 300,
        "has 300 characters: Metronome takes 200; see too_long, or shorten it with substring()",
    ),
    (
        "{path: v, default: '1'}",
        "x" * 201,
        "has 201 characters: Metronome takes 200; see too_long, or shorten it with substring()",
    ),
    ("{value: stripe}", MISSING, "[stripe]"),
    ("{value: 1.50}", MISSING, "[1.5]"),
    ("{value: true}", MISSING, "[true]"),
    ("{value: NO}", MISSING, "[NO]"),
    ("{value: ' '}", MISSING, "[ ]"),
    ("{path: v, default: 0}", None, "[0]"),
    ("{path: v, default: false}", MISSING, "[false]"),
]


@pytest.mark.parametrize(("spec", "value", "becomes"), SPECS, ids=lambda value: repr(value)[:40])
def test_a_field_gets_its_value(spec, value, becomes):
    assert outcome(spec, value) == becomes


#: What is said about a key that is missing or null -> what becomes of it, without and with a default.
SAID = {
    None: {"missing": (LEFT_ALONE, "[free]"), "null": (REMOVED, "[free]")},
    "skip": {"missing": (LEFT_ALONE, LEFT_ALONE), "null": (LEFT_ALONE, LEFT_ALONE)},
    "remove": {"missing": (REMOVED, REMOVED), "null": (REMOVED, REMOVED)},
    "error": {"missing": ("is missing", "is missing"), "null": ("is null or empty", "is null or empty")},
}
COMBINATIONS = list(itertools.product(SAID, SAID, [False, True], [None, "error", "truncate"]))


@pytest.mark.parametrize(("when_missing", "when_null", "default", "too_long"), COMBINATIONS)
def test_every_combination_of_options_means_what_each_of_them_says(when_missing, when_null, default, too_long):
    said = {"default": "free" if default else None, "when_missing": when_missing, "when_null": when_null}
    options = {key: word for key, word in {**said, "too_long": too_long}.items() if word}
    spec = "{path: v" + "".join(f", {key}: {word}" for key, word in options.items()) + "}"
    assert outcome(spec, MISSING) == SAID[when_missing]["missing"][default]
    assert outcome(spec, None) == SAID[when_null]["null"][default]
    assert outcome(spec, "") == SAID[when_null]["null"][default]
    assert outcome(spec, "gold") == "[gold]"
    assert outcome(spec, "x" * 201).startswith("[xxx" if too_long == "truncate" else "has 201 characters")


@pytest.mark.parametrize("expression", ["lower(v)", "v || nothing", "trim(v)", "coalesce(v, '')", "concat(v)"])
def test_an_expression_that_comes_out_empty_is_treated_like_null(expression):
    assert outcome(f'{{path: "{expression}"}}', "") == REMOVED
    assert outcome(f'{{path: "{expression}", when_null: skip}}', "") == LEFT_ALONE


def test_a_failing_expression_is_told_with_its_key_and_its_text():
    rule = '- {name: limits, entity: customer, id: id, fields: {limit: "divide(v, n)"}}'
    assert translate(rule, {"id": UUID, "v": 5, "n": "0"}).failures == (
        "rule 'limits': field limit: divide(v, n) divide() by zero",
    )


@pytest.mark.parametrize("value", [[NEEDLE], {NEEDLE: NEEDLE}, NEEDLE * 60, f"{NEEDLE}\x00", 1.2345e300], ids=repr)
@pytest.mark.parametrize("path", ["v", "concat(v, `1`)", "divide(v, z)", "date(v)", "round(v, v)", "abs(v)"])
def test_a_failure_holds_nothing_of_the_payload(path, value):
    rule = f'- {{name: r, entity: customer, id: id, fields: {{k: "{path}"}}}}'
    (failure,) = translate(rule, {"id": UUID, "v": value, "z": 1e-400}).failures
    assert NEEDLE not in failure
    assert "2345" not in failure


def events_of(name):
    """The mapping that is shipped, and the events of its examples."""
    made = source(SHIPPED[name])
    events = [examples.events_of(made, example, NOW) for example in made.examples]
    return made, [event for batch in events for event in batch]


SOURCES = {name: events_of(name) for name in SHIPPED}


@st.composite
def mutations(draw, value):
    """The same JSON with some of its parts replaced by any other."""
    if draw(st.integers(0, 9)) == 0:
        return draw(json_values() | texts())
    if isinstance(value, dict):
        return {key: draw(mutations(inner)) for key, inner in value.items()}
    if isinstance(value, list):
        return [draw(mutations(inner)) for inner in value] * draw(st.integers(1, 2))
    return value


def check_promises(rules, event):
    translation = apply(rules, event)
    assert translation == apply(rules, event)
    for change in translation.changes:
        assert change.set or change.remove
        assert not set(change.set) & set(change.remove)
        assert all(isinstance(text, str) and 0 < len(text) <= MAX_VALUE_LENGTH for text in change.set.values())
    assert not any(NEEDLE in failure for failure in translation.failures)


@pytest.mark.parametrize("name", SHIPPED)
@given(data=st.data())
@settings(QUICK, max_examples=60)
def test_shipped_rules_keep_their_promises_whatever_happens_to_their_events(name, data):
    made, events = SOURCES[name]
    event = data.draw(st.sampled_from(events))
    payload = data.draw(mutations(event.payload))
    check_promises(made.rules, Event(event.event_id, event.event_type, payload, NOW))


@pytest.mark.parametrize("name", SHIPPED)
@given(payload=json_values())
@settings(QUICK, max_examples=50)
def test_shipped_rules_keep_their_promises_for_any_payload_at_all(name, payload):
    made, events = SOURCES[name]
    for event_type in {event.event_type for event in events}:
        check_promises(made.rules, Event("evt_1", event_type, payload, NOW))
