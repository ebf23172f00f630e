"""A file of rows, fed once or twice, whole or in parts, in any order: it ends as if its events had been received."""

import io
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mapping.compiler import compile_source
from bridge.model import Event, EventState
from bridge.pipeline.backfill import MOST_BYTES, MOST_PROBLEMS, TOLERANCE, Backfill, Plan, batches, events_of
from bridge.pipeline.dry_run import DryRun, Effect
from bridge.pipeline.intake import PAUSE, Intake
from bridge.pipeline.row import Row
from bridge.pipeline.rows import open_rows
from bridge.pipeline.translate import translate
from bridge.senders import SENDERS
from bridge.store.spill import Spill
from bridge.times import DAY, SECOND, to_iso
from tests.support.bridges import STRIPE
from tests.support.making import ENTITY_ID, NOW, OTHER_ID
from tests.support.stripe_events import customer_updated

CRM = """
sender: token
secrets: ["${CRM_TOKEN}"]
options: {event_type: type, event_time: at}
rules:
  - name: customer
    events: [customer]
    entity: customer
    id: id
    fields: {tier: tier, seats: seats, note: info.note}
"""
DATED = """
sender: token
secrets: ["${CRM_TOKEN}"]
rules:
  - {name: tier, entity: customer, id: id, occurred_at: tier_at, when: exists(tier_at), fields: {tier: tier}}
  - {name: seats, entity: customer, id: id, occurred_at: seats_at, when: exists(seats_at), fields: {seats: seats}}
"""


def source_of(text, name="crm"):
    source, problems = compile_source(name, f"{name}.yaml", text, lambda _: None)
    assert source, problems
    return source


def plan_of(text=CRM, **given):
    return Plan(source=source_of(text), **(given or {"event_type": "customer", "time_column": "at"}))


class Feeding:
    """A store that files are fed to, and what was said about them."""

    def __init__(self, pipeline):
        self.pipeline = pipeline
        self.store = pipeline.store
        self.rejected = []

    def feed(self, rows, plan=None, sink=None):
        """Rows as objects, or the content of a file."""
        plan = plan or plan_of()
        content = rows if isinstance(rows, bytes) else json.dumps(rows).encode()
        sink = sink or Intake(
            self.store, plan.source.name, clock=self.pipeline.clock, sleep=self.pipeline.slept.append, queue=0
        )
        work = Backfill(
            plan,
            self.store.events,
            sink,
            reject=lambda row, problem: self.rejected.append((row.place, problem)),
            clock=self.pipeline.clock,
        )
        for _ in work.run(open_rows(io.BytesIO(content), most=1 << 20).rows, 3):
            pass
        return work.tally

    def settle(self, plan=None):
        """A running bridge does its work. What Metronome holds then."""
        source = (plan or plan_of()).source
        while self.store.events.translate(lambda event: translate(event, {source.name: source}), 100, NOW):
            pass
        while self.pipeline.deliver():
            pass
        return self.pipeline.metronome.held


@pytest.fixture
def feeding(pipeline):
    return Feeding(pipeline)


def row(at, entity_id=ENTITY_ID, **values):
    return {"id": entity_id, "at": to_iso(NOW + at * SECOND), **values}


def test_rows_become_what_their_webhooks_would_have_become(feeding):
    tally = feeding.feed([row(-3, tier="gold", info={"note": "x"}), row(-2, OTHER_ID, tier="silver", seats=4)])
    assert (tally.rows, tally.stored, tally.changes) == (2, 2, {"customer": 2})
    assert feeding.settle() == {ENTITY_ID: {"tier": "gold", "note": "x"}, OTHER_ID: {"tier": "silver", "seats": "4"}}


def test_a_file_that_is_fed_twice_is_stored_once(feeding):
    content = b"id,at,tier\n" + b"".join(b"%s,%d,t%d\n" % (ENTITY_ID.encode(), at, at) for at in range(1, 8))
    assert feeding.feed(content).stored == 7
    feeding.settle()
    tally = feeding.feed(content)
    assert (tally.rows, tally.stored, tally.known) == (7, 0, 7)
    assert len(feeding.store.events.numbers()) == 7
    assert feeding.store.events.numbers(state=EventState.RECEIVED) == []


def test_a_row_that_comes_twice_in_one_file_is_one_event(feeding):
    one = row(-1, tier="gold")
    tally = feeding.feed([one, one, row(-2, tier="x"), one])
    assert (tally.stored, tally.known) == (2, 2)


def test_the_same_rows_in_another_form_are_the_same_events(feeding):
    values = [row(-at, tier=f"t{at}") for at in range(1, 5)]
    assert feeding.feed(values).stored == 4
    assert feeding.feed("".join(json.dumps(one) + "\n" for one in values).encode()).known == 4
    cells = b"tier,id,at\n" + "".join(f"{one['tier']},{one['id']},{one['at']}\n" for one in values).encode()
    assert feeding.feed(cells).known == 4


def test_what_is_newer_is_never_overwritten(feeding):
    """A webhook has come already, or comes while the file is fed: its value stays."""
    feeding.pipeline.receive(
        Event("evt_1", "customer.updated", {"set": {"tier": "live"}, "customer": ENTITY_ID}, NOW - 10 * SECOND)
    )
    feeding.settle()
    feeding.feed([row(-20, tier="old", seats=1), row(-11, tier="older", seats=2)])
    assert feeding.settle() == {ENTITY_ID: {"tier": "live", "seats": "2"}}
    feeding.feed([row(-9, tier="newer")])
    assert feeding.settle() == {ENTITY_ID: {"tier": "newer", "seats": "2"}}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_order_of_rows_does_not_matter(feeding, order):
    rows = [row(-4, tier="a", seats=1), row(-3, tier="b"), row(-2, tier="", info={"note": "n"}), row(-1, seats=9)]
    feeding.feed([rows[number] for number in order])
    assert feeding.settle() == {ENTITY_ID: {"note": "n", "seats": "9"}}


def test_rows_that_cannot_be_events_are_rejected_in_their_order_and_the_others_stored(feeding):
    tally = feeding.feed(
        [
            row(-1, tier="gold"),
            {"id": ENTITY_ID},
            row(-1, "no uuid"),
            7,
            {"id": ENTITY_ID, "at": "yesterday"},
            {"id": ENTITY_ID, "at": None},
            row(-1, OTHER_ID, tier={"a": 1}),
            row(1 + TOLERANCE // SECOND, tier="x"),
            row(TOLERANCE // SECOND, tier="soon"),
        ]
    )
    an_object = "is an object: map one of its parts, or write an expression that makes it text"
    assert feeding.rejected == [
        ("element 2", "at is missing"),
        ("element 3", "rule 'customer': id: id is no UUID"),
        ("element 4", "the row is a number: an object was expected"),
        ("element 5", "at is text: expected a time, as ISO 8601 text or as seconds or milliseconds since 1970"),
        ("element 6", "at is null"),
        ("element 7", f"rule 'customer': field tier: tier {an_object}"),
        ("element 8", "its time lies in the future, so it would win over everything until then"),
    ]
    assert (tally.rows, tally.stored, tally.rejected) == (9, 2, 7)


def test_a_corrected_row_is_stored_when_it_comes_again(feeding):
    feeding.feed([row(-2, tier="a"), row(-1, "oops", tier="b")])
    tally = feeding.feed([row(-2, tier="a"), row(-1, tier="b")])
    assert (tally.stored, tally.known) == (1, 1)


def test_rows_that_no_rule_is_for_are_not_stored_so_that_they_can_come_again(feeding):
    plan = plan_of(type_column="kind", time_column="at")
    tally = feeding.feed([{**row(-1, tier="a"), "kind": "invoice"}, {**row(-1, tier="b"), "kind": "customer"}], plan)
    assert (tally.stored, tally.ignored) == (1, 1)
    assert len(feeding.store.events.numbers()) == 1


def test_rules_with_a_time_of_their_own_need_no_column(feeding):
    plan = plan_of(DATED, time_column=None)
    assert list(plan.objections()) == []
    older, newer = to_iso(NOW - 2 * DAY), to_iso(NOW - DAY)
    feeding.feed([{"id": ENTITY_ID, "tier": "a", "tier_at": older, "seats": 1, "seats_at": newer}], plan)
    (event,) = feeding.store.events.find()
    assert event.occurred_at == NOW - 2 * DAY
    feeding.feed([{"id": ENTITY_ID, "tier": "b", "tier_at": newer, "seats": 0, "seats_at": older}], plan)
    assert feeding.settle(plan) == {ENTITY_ID: {"tier": "b", "seats": "1"}}


def test_an_id_column_finds_the_webhook_that_came_before(feeding):
    plan = plan_of(event_type="customer", time_column="at", id_column="event")
    feeding.store.events.add("crm", [Event("evt_1", "customer", {"id": ENTITY_ID}, NOW)], {}, NOW)
    tally = feeding.feed([{**row(-1), "event": "evt_1", "tier": "a"}, {**row(-1), "event": 2, "tier": "b"}], plan)
    assert (tally.known, tally.stored) == (1, 1)
    assert [event.event_id for event in feeding.store.events.find()] == ["2", "evt_1"]


def test_rows_as_sent_are_read_by_the_sender_and_are_the_events_of_its_webhooks(feeding):
    plan = Plan(source=source_of(STRIPE, "stripe"), as_sent=True)
    live = customer_updated("evt_1", NOW // SECOND - 5, tier="live")
    feeding.store.events.add("stripe", [Event("evt_1", live["type"], live, NOW - 5 * SECOND)], {}, NOW)
    tally = feeding.feed([live, customer_updated("evt_2", NOW // SECOND - 9, tier="old"), {"type": "x"}], plan)
    assert (tally.stored, tally.known) == (1, 1)
    assert feeding.rejected == [("element 3", "id is null: text was expected")]
    assert feeding.settle(plan)[ENTITY_ID]["tier"] == "live"


def test_one_row_as_sent_may_be_many_events(feeding):
    text = CRM.replace("event_time: at", "event_time: at, batch: rows")
    plan = plan_of(text, as_sent=True)
    events = [{**row(-at, tier=f"t{at}"), "type": "customer"} for at in range(1, 4)]
    tally = feeding.feed([{"rows": events}, {"rows": [*events, {"type": "customer"}]}], plan)
    assert (tally.rows, tally.stored, tally.rejected) == (2, 3, 1)
    assert feeding.feed([{"rows": events}], plan).known == 3


def test_rows_as_sent_without_a_time_take_it_from_a_column(feeding):
    text = CRM.replace(", event_time: at", "")
    value = {**row(-1, tier="a"), "type": "customer"}
    assert feeding.feed([value], plan_of(text, as_sent=True)).rejected == 1
    assert "nothing says when it happened" in feeding.rejected[0][1]
    plan = plan_of(text, as_sent=True, time_column="at")
    assert (feeding.feed([value], plan).stored, feeding.feed([value], plan).known) == (1, 1)


@pytest.mark.parametrize(
    ("given", "objection"),
    [
        ({"time_column": "at"}, "say of which type the rows are: rules of crm are for customer"),
        ({"event_type": "customers", "time_column": "at"}, "no rule of crm is for the type 'customers'"),
        ({"event_type": "customer"}, "say which column has the time of a row"),
        ({"event_type": "customer", "type_column": "t", "time_column": "at"}, "either one type for all rows"),
        ({"as_sent": True, "event_type": "customer"}, "rows as sent say themselves what they are"),
        ({"as_sent": True, "id_column": "id"}, "rows as sent say themselves what they are"),
    ],
)
def test_what_can_come_to_nothing_good_is_said_before_anything_is_read(given, objection):
    assert next(plan_of(**given).objections()).startswith(objection)


@pytest.mark.parametrize("given", [{"as_sent": True}, {"type_column": "kind", "time_column": "at"}, {}])
def test_a_plan_that_can_work_meets_no_objection(given):
    assert list(plan_of(**given).objections()) == []


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(ANYTHING, st.sampled_from(sorted(SENDERS)))
def test_no_row_whatever_it_is_breaks_the_work(value, sender):
    """Each becomes events, or a reason."""
    options = "options: {event_time: at}\n" if SENDERS[sender].options else ""
    text = f"sender: {sender}\n{options}rules:\n  - {{name: a, entity: customer, id: id, fields: {{tier: tier}}}}\n"
    source, _ = compile_source("any", "any.yaml", text, lambda _: None)
    if source is None:
        return
    for plan in (Plan(source=source, as_sent=True), Plan(source=source, time_column="at", type_column="t")):
        work = Backfill(plan, NoEvents(), NoEvents(), reject=lambda row, problem: None, clock=lambda: NOW)
        work.take([Row("line 1", value, {}, 10)])
        assert work.tally.rejected + work.tally.ignored + work.tally.stored in (0, 1)


class NoEvents:
    def known(self, source, ids):
        return set()

    def take(self, made):
        return len(made)


@given(st.dictionaries(st.text(), ANYTHING))
def test_ids_are_made_of_the_content_alone(value):
    value = {**value, "at": 5}
    (one,), (same,) = events_of(plan_of(), value), events_of(plan_of(), dict(reversed(value.items())))
    (other,) = events_of(plan_of(), {**value, "at": 6})
    assert one.event_id == same.event_id != other.event_id


@given(st.lists(st.integers(1, MOST_BYTES + 1), max_size=20))
def test_batches_hold_all_rows_and_are_bounded(sizes):
    rows = [Row(f"line {number}", None, None, size) for number, size in enumerate(sizes)]
    found = list(batches(rows, 4))
    assert [one for batch in found for one in batch] == rows
    for batch in filter(None, found):
        assert len(batch) <= 4
        assert len(batch) == 1 or sum(one.size for one in batch) <= MOST_BYTES


def test_problems_are_told_apart_up_to_a_number(feeding):
    tally = feeding.feed([{"id": ENTITY_ID, "at": 1, "tier": [number]} for number in range(3)])
    assert next(iter(tally.problems.values())).rows == 3
    for number in range(2 * MOST_PROBLEMS):
        tally.reject("line 1", f"problem {number}")
    assert len(tally.problems) == MOST_PROBLEMS + 1
    assert sum(problem.rows for problem in tally.problems.values()) == tally.rejected


def test_it_waits_while_more_is_due_than_a_webhook_should_wait_for(feeding):
    rows = [row(-at, tier=f"t{at}") for at in range(1, 12)]
    clock, polls = feeding.pipeline.clock, []

    def waiting():
        polls.append(feeding.store.backlog.count(clock()))
        feeding.settle()

    intake = Intake(
        feeding.store, "crm", clock=clock, sleep=feeding.pipeline.slept.append, queue=3, rate=0, waiting=waiting
    )
    assert feeding.feed(rows, sink=intake).stored == 11
    assert polls == [3, 3, 3]
    assert feeding.pipeline.slept == [PAUSE / SECOND] * 3


def test_it_stores_no_faster_than_is_asked(feeding):
    clock, stored_at = feeding.pipeline.clock, []

    def sleep(seconds):
        clock.advance(round(seconds * SECOND))
        stored_at.append(clock())

    began = clock()
    intake = Intake(feeding.store, "crm", clock=clock, sleep=sleep, queue=0, rate=2)
    feeding.feed([row(-at, tier=f"t{at}") for at in range(1, 13)], sink=intake)
    assert [at - began for at in stored_at] == [number * 3 * SECOND // 2 for number in (1, 2, 3)]


def preview(feeding, rows):
    shown = DryRun(feeding.store, Spill())
    tally = feeding.feed(rows, sink=shown)
    return tally, {(one.target.reference.value, one.target.key): one for one in shown.effects()}


def test_a_preview_stores_nothing_and_shows_what_would_come_of_it(feeding):
    feeding.feed([row(-9, tier="a", seats=1, info={"note": "n"}), row(-5, OTHER_ID, tier="b", seats=2)])
    held = {one: dict(fields) for one, fields in feeding.settle().items()}
    rows = [
        row(-4, tier="", seats=1),
        row(-3, seats=7),
        row(-2, seats=1),
        row(-6, OTHER_ID, tier="c", info={"note": "m"}),
        row(-4, OTHER_ID, seats=3),
    ]
    tally, effects = preview(feeding, rows)
    assert tally.stored == 5
    assert {target: one.effect for target, one in effects.items()} == {
        (ENTITY_ID, "tier"): Effect.REMOVED,
        (ENTITY_ID, "seats"): Effect.UNCHANGED,
        (OTHER_ID, "tier"): Effect.OLDER,
        (OTHER_ID, "note"): Effect.SET,
        (OTHER_ID, "seats"): Effect.CHANGED,
    }
    assert (effects[OTHER_ID, "seats"].before, effects[OTHER_ID, "seats"].after) == ("2", "3")
    assert feeding.store.events.counts()[EventState.RECEIVED] == 0
    feeding.feed(rows)
    changed = feeding.settle()
    for (entity_id, key), one in effects.items():
        expected = held[entity_id].get(key) if one.effect is Effect.OLDER else one.after
        assert changed[entity_id].get(key) == expected
