import pytest

from bridge.mapping.compiler import compile_source
from bridge.mapping.dating import span
from bridge.model import UNREADABLE, EventState, StoredEvent
from bridge.pipeline import preview
from bridge.pipeline.translate import translate
from bridge.times import DAY, MINUTE, to_iso
from tests.support.making import ENTITY_ID, NOW

MAPPING = f"""
sender: stripe
secrets: ["${{SECRET}}"]
rules:
  - name: tier
    events: [customer.updated]
    entity: customer
    id: id
    fields: {{tier: tier}}
  - name: limit
    events: [customer.updated]
    entity: customer
    id: "'{ENTITY_ID}'"
    fields: {{limit: "divide(cents, `100`)"}}
"""


@pytest.fixture(scope="module")
def sources():
    source, problems = compile_source("stripe", "stripe.yaml", MAPPING, {"SECRET": "s"}.get)
    assert problems == []
    return {"stripe": source}


def stored(payload, **given):
    known = {"source": "stripe", "event_type": "customer.updated", **given}
    known = {"occurred_at": NOW, **known}
    return StoredEvent(id=1, event_id="evt_1", received_at=NOW, payload=payload, **known)


def test_rules_make_changes_dated_by_the_event(sources):
    made = translate(stored({"id": ENTITY_ID, "tier": "gold", "cents": 500}), sources)
    assert made.state == EventState.TRANSLATED
    assert made.digest == sources["stripe"].digest
    assert [(dict(change.set), change.occurred_at) for change in made.changes] == [
        ({"tier": "gold"}, NOW),
        ({"limit": "5"}, NOW),
    ]


def test_a_failing_rule_names_itself_its_field_and_its_path_and_leaves_the_others_alone(sources):
    made = translate(stored({"id": ENTITY_ID, "tier": {"secret": "x"}, "cents": 500}), sources)
    assert made.state == EventState.FAILED
    assert made.reason.startswith("rule 'tier': field tier: tier is an object")
    assert [dict(change.set) for change in made.changes] == [{"limit": "5"}]


def test_an_event_that_no_rule_wants_is_ignored(sources):
    made = translate(stored({}, event_type="invoice.paid"), sources)
    reason = "no rule is for events of this type"
    assert (made.state, made.reason, made.changes) == (EventState.IGNORED, reason, ())


IDLE = """
sender: stripe
secrets: ["${SECRET}"]
rules:
  - {name: other, events: [invoice.*], entity: customer, id: id, fields: {a: a}}
  - {name: wanted, when: active, entity: customer, id: id, fields: {a: a}}
  - {name: each, for_each: items, entity: customer, id: item.id, fields: {a: item.a}}
  - {name: each wanted, for_each: all, when: item.b, entity: customer, id: item.id, fields: {a: item.a}}
  - {name: empty, entity: customer, id: id, fields: {a: a}}
"""


def test_an_ignored_event_says_of_each_rule_why_it_did_nothing_as_try_does():
    source, problems = compile_source("stripe", "stripe.yaml", IDLE, {"SECRET": "s"}.get)
    assert source, problems
    event = stored({"id": ENTITY_ID, "all": [{"id": ENTITY_ID}, {"id": ENTITY_ID, "b": False}]})
    made = translate(event, {"stripe": source})
    assert made.state == EventState.IGNORED
    assert made.reason == (
        "rule 'wanted': when does not hold; rule 'each': for_each finds no element;"
        " rule 'each wanted': when does not hold; rule 'empty': the event leaves all of its fields as they are"
    )
    shown = preview.as_json(preview.of_stored(source, event))["events"][0]
    assert shown["nothing_done"] == made.reason
    assert [rule["fate"] for rule in shown["rules"]] == [
        *("other-type", "not-when", "no-element", "not-when", "nothing-left")
    ]


def test_an_event_whose_source_is_gone_fails_and_can_be_replayed(sources):
    made = translate(stored({}, source="zendesk"), sources)
    assert made.state == EventState.FAILED
    assert "zendesk" in made.reason


def test_what_could_not_be_read_stays_failed_when_it_is_replayed(sources):
    made = translate(stored([1], event_type=UNREADABLE), sources)
    assert (made.state, made.changes) == (EventState.FAILED, ())


@pytest.mark.parametrize("payload", [None, [], "text", 5, {"id": []}, {"id": {}, "cents": "x"}])
def test_no_payload_stops_the_others(sources, payload):
    assert translate(stored(payload), sources).state == EventState.FAILED


FUTURE = """
  - name: renewal
    events: [renewed]
    entity: customer
    id: id
    occurred_at: renews_at
    fields: {tier: tier}
"""
AHEAD = {"id": ENTITY_ID, "tier": "gold", "cents": 500}


def source_with(future_events=""):
    source, problems = compile_source("stripe", "stripe.yaml", f"{future_events}{MAPPING}{FUTURE}", {"SECRET": "s"}.get)
    assert source, problems
    return {"stripe": source}


@pytest.mark.parametrize(
    ("future_events", "ahead", "dated_by_receipt"),
    [
        ("", 5 * MINUTE, False),
        ("", 5 * MINUTE + 1, True),
        ("", 70 * 365 * DAY, True),
        ("future_events: {tolerance: 2d}", 2 * DAY, False),
        ("future_events: {tolerance: 2d, action: date_by_receipt}", 2 * DAY + 1, True),
        ("future_events: {tolerance: 0s}", 1, True),
    ],
)
def test_a_time_in_the_future_is_replaced_by_the_time_of_receipt(future_events, ahead, dated_by_receipt):
    """Both the event's own time and that of a rule."""
    sources = source_with(future_events)
    own = translate(stored(AHEAD, occurred_at=NOW + ahead), sources)
    ruled = translate(stored({**AHEAD, "renews_at": to_iso(NOW + ahead)}, event_type="renewed"), sources)
    for made in (own, ruled):
        assert made.state == EventState.TRANSLATED
        assert {change.occurred_at for change in made.changes} == {NOW if dated_by_receipt else NOW + ahead}
        assert bool(made.reason) == dated_by_receipt
    if dated_by_receipt:
        assert own.reason.startswith("rule 'tier' was dated by receipt: its time lies ")
        assert ruled.reason == f"rule 'renewal' was dated by receipt: its time lies {span(ahead)} in the future"


def test_a_time_in_the_future_fails_the_change_where_the_source_says_so():
    sources = source_with("future_events: {action: fail}")
    own = translate(stored(AHEAD, occurred_at=NOW + DAY), sources)
    ruled = translate(stored({**AHEAD, "renews_at": to_iso(NOW + 2 * DAY)}, event_type="renewed"), sources)
    assert (own.state, own.changes, ruled.state, ruled.changes) == (EventState.FAILED, (), EventState.FAILED, ())
    assert own.reason.startswith("rule 'tier': the event's own time lies 1 day in the future")
    assert ruled.reason.startswith("rule 'renewal': occurred_at renews_at lies 2 days in the future")


def test_a_replay_is_dated_by_the_same_receipt():
    event = stored(AHEAD, occurred_at=NOW + DAY)
    assert translate(event, source_with()).changes == translate(event, source_with()).changes
