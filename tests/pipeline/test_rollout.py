"""What a candidate would change: the law that it is what both make of everything, and what is told of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.mapping import files
from bridge.mapping.compiler import compile_source
from bridge.model import UNREADABLE, Event, EventState, Stamp, StoredEvent
from bridge.pipeline import rollout
from bridge.pipeline.compare import Folded, Kind, compare
from bridge.pipeline.rollout import OTHER_REASONS, Comparison, Selection, Tally
from bridge.pipeline.translate import translate
from bridge.store.history import Span, Window
from bridge.store.spill import Spill
from tests.support.making import ENTITY_ID, NOW, OTHER_ID

#: Rules of which mapping files are made: they share keys, fail, tie, and name one entity in two ways.
RULES = (
    "{name: tier, events: [customer.*], entity: customer, id: id, fields: {tier: tier, plan: plan}}",
    "{name: tier, events: [customer.*], entity: customer, id: id, fields: {tier: upper(tier), plan: plan}}",
    "{name: plan, events: [customer.updated], entity: customer, id: id, fields: {plan: {path: tier, default: x}}}",
    "{name: alias, entity: customer, lookup: {ingest_alias: alias}, fields: {plan: plan, seats: seats}}",
    "{name: strict, events: [invoice.*], entity: customer, id: id, fields: {tier: {path: plan, when_null: error}}}",
    "{name: when, when: seats, entity: contract, id: id, fields: {tier: {path: plan, when_missing: remove}}}",
    "{name: old, entity: customer, id: id, occurred_at: at, fields: {seats: seats}}",
)
file = st.none() | st.lists(
    st.sampled_from(RULES), min_size=1, max_size=4, unique_by=lambda rule: rule.partition(",")[0]
)
folder = st.fixed_dictionaries({"stripe": file, "hubspot": file})
payload = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from([ENTITY_ID, OTHER_ID, "no UUID"]),
        "alias": st.just("cus_1"),
        "tier": st.sampled_from(["gold", None, "", 5]),
        "plan": st.sampled_from(["a", "b", None, []]),
        "seats": st.sampled_from([0, 1, None]),
        "at": st.sampled_from([1_700_000_000, "never"]),
    },
)
types = st.sampled_from(["customer.updated", "customer.created", "invoice.paid", UNREADABLE])
told = st.lists(st.tuples(st.sampled_from(["stripe", "hubspot"]), types, st.integers(0, 2), payload), max_size=8)
SPAN = Span(1, 100, NOW, NOW)


def mapping(rules):
    return 'sender: token\nsecrets: ["${SECRET}"]\nrules:\n' + "".join(f"  - {rule}\n" for rule in rules)


@cache
def source_of(name, rules):
    source, problems = compile_source(name, f"{name}.yaml", mapping(rules), rollout.unset)
    assert [problem for problem in problems if problem.level == "error"] == []
    return source


def sources(written):
    """Compiled mapping files, by the names of their sources."""
    return {name: source_of(name, tuple(rules)) for name, rules in written.items()}


def stored(number, source, event_type, at, content):
    return StoredEvent(number, source, f"e{number}", event_type, NOW + at, NOW + number, content)


@dataclass
class Page:
    rows: list[StoredEvent]
    last: int

    def events(self, wanted) -> Iterator[StoredEvent]:
        return (event for event in self.rows if wanted(event.event_type))


@dataclass
class Events:
    """A history in memory, in pages of two."""

    all: list[StoredEvent]

    def pages(self, source, span):
        of_source = [event for event in self.all if event.source == source and span.first <= event.id <= span.last]
        for start in range(0, len(of_source), 2):
            rows = of_source[start : start + 2]
            yield Page(rows, rows[-1].id)


def compared(before, after, history, selection=Selection(), span=SPAN):  # noqa: B008  (it is frozen)
    made = Comparison(rollout.plan(before, after, selection), Spill(), Spill())
    passed = []
    made.run(Events(history), span, lambda numbers, events: passed.append((numbers, events)))
    assert sum(numbers for numbers, _ in passed) == len(made.plan.readings) * (span.last - span.first + 1)
    assert sum(events for _, events in passed) == sum(made.read.values())
    return made


def end_state(history, by):
    made = Folded(Spill())
    for event in history:
        for number, change in enumerate(translate(event, by).changes):
            made.add(change, Stamp(change.occurred_at, event.id, number))
    return made


def values(differences):
    """Stamps count changes within an event, which may be others where rules that do not matter are left out."""
    return [
        (one.target, one.kind, one.event, *(side and side.value for side in (one.before, one.after)))
        for one in differences
    ]


@settings(max_examples=400)
@given(folder, folder, told)
def test_what_is_told_is_what_both_make_of_everything(old, new, rows):
    """However little is read: all rules of all sources over all events lead to the same differences."""
    before, after = (sources({name: rules for name, rules in side.items() if rules}) for side in (old, new))
    history = [stored(number, *row) for number, row in enumerate(rows, 1)]
    made = compared(before, after, history)
    truth = values(compare(end_state(history, before), end_state(history, after)))
    assert values(made.differences()) == truth
    assert made.summary().total == len(truth)
    assert made.summary().entities == len({target[:2] for target, *_ in truth})
    for tally, there, not_there in ((made.failing, after, before), (made.mended, before, after)):
        newly = [one for one in history if reasons(one, there) - reasons(one, not_there)]
        known = before.keys() | after.keys()
        assert tally.events == len([one for one in newly if one.source in known and one.event_type != UNREADABLE])


def reasons(event, by):
    made = translate(event, by)
    return set((made.reason or "").split("; ")) if made.state == EventState.FAILED else set()


@given(folder, told)
def test_a_mapping_that_is_the_same_is_not_even_run(old, rows):
    same = sources({name: rules for name, rules in old.items() if rules})
    made = compared(same, same, [stored(number, *row) for number, row in enumerate(rows, 1)])
    assert (made.plan.readings, made.read, list(made.differences())) == ((), {}, [])


TIER = {"stripe": [RULES[0]]}
UPPER = {"stripe": [RULES[1]]}


def customer(number, tier, source="stripe", at=0, **more):
    return stored(number, source, "customer.updated", at, {"id": ENTITY_ID, "tier": tier, **more})


def test_a_newer_event_of_a_source_that_stays_hides_what_another_changes():
    before, after = (sources({**side, "hubspot": [RULES[0]]}) for side in (TIER, UPPER))
    made = compared(before, after, [customer(1, "gold"), customer(2, "silver", "hubspot", 1)])
    assert list(made.differences()) == []
    assert made.read == {"stripe": 1, "hubspot": 1}


def test_a_source_that_stays_and_writes_other_keys_is_not_read():
    before, after = (sources({**side, "hubspot": [RULES[6]]}) for side in (TIER, UPPER))
    assert compared(before, after, [customer(1, "gold", "hubspot")]).read == {}


def test_a_file_whose_rules_are_the_same_is_told_and_not_read():
    before, after = sources(TIER), sources(TIER)
    after["stripe"] = compile_source("stripe", "", mapping(TIER["stripe"]) + "# words\n", rollout.unset)[0]
    (edit,) = rollout.plan(before, after, Selection()).edits
    assert (edit.source, edit.rules) == ("stripe", ())
    assert edit.before != edit.after
    assert compared(before, after, [customer(1, "gold")]).read == {}


def test_an_edit_names_its_rules_and_another_sender():
    after = compile_source(
        "stripe", "", mapping(UPPER["stripe"]).replace("sender: token", "sender: zuora"), rollout.unset
    )[0]
    (edit,) = rollout.plan(sources(TIER), {"stripe": after}, Selection()).edits
    assert (edit.rules, edit.has_other_sender) == (("tier",), True)


def test_rules_in_another_order_may_decide_a_tie_otherwise():
    before, after = (sources({"stripe": rules}) for rules in (RULES[0:3:2], RULES[2::-2]))
    (found,) = compared(before, after, [customer(1, "gold", plan="a")]).differences()
    assert (found.before.value, found.after.value) == ("gold", "a")


def test_a_source_without_a_mapping_file_fails_all_its_events_and_leaves_their_keys_alone():
    history = [customer(1, "gold"), stored(2, "stripe", "invoice.paid", 0, {}), stored(3, "stripe", UNREADABLE, 0, {})]
    made = compared(sources(TIER), {}, history)
    assert [(one.kind, one.event) for one in made.differences()] == [(Kind.UNMAPPED, 1)]
    (failure,) = made.failing.failures()
    assert (failure.source, failure.events, failure.example) == ("stripe", 2, 1)
    back = compared({}, sources(TIER), history)
    assert [(one.kind, one.event) for one in back.differences()] == [(Kind.ADDED, 1)]
    assert (back.failing.events, back.mended.events) == (0, 2)


def test_where_the_candidate_fails_an_older_value_stays():
    strict = ["{name: tier, entity: customer, id: id, fields: {tier: {path: tier, when_null: error}}}"]
    loose = ["{name: tier, entity: customer, id: id, fields: {tier: tier}}"]
    history = [customer(1, "gold"), customer(2, None, at=1), customer(3, None, at=2)]
    made = compared(sources({"stripe": loose}), sources({"stripe": strict}), history)
    (found,) = made.differences()
    assert (found.kind, found.before.value, found.after.value, found.event) == (Kind.ADDED, None, "gold", 1)
    (failure,) = made.failing.failures()
    assert (failure.events, failure.example) == (2, 2)
    assert "tier is null or empty" in failure.reason


def test_elements_of_a_list_that_fail_alike_are_one_reason_of_one_event():
    rule = "{{name: each, for_each: list, entity: customer, id: {}, fields: {{tier: item.tier}}}}"
    event = stored(1, "stripe", "a", 0, {"id": ENTITY_ID, "list": [{"id": 1}, {"id": 2}, {"id": ENTITY_ID}]})
    before, after = (sources({"stripe": [rule.format(path)]}) for path in ("id", "item.id"))
    made = compared(before, after, [event])
    assert [(one.reason, one.events) for one in made.failing.failures()] == [("rule 'each': id: item.id is no UUID", 1)]


def test_reasons_without_end_are_not_all_told_apart():
    tally = Tally()
    for number in range(1000):
        tally.note(customer(number, "gold"), {f"has {number} characters"})
    assert tally.events == 1000
    assert len(tally.reasons) == 101
    assert (tally.failures()[0].reason, tally.failures()[0].events) == (OTHER_REASONS, 900)


def test_events_that_fail_with_both_are_counted():
    event = stored(1, "stripe", "customer.updated", 0, {"tier": "gold"})
    made = compared(sources(TIER), sources(UPPER), [event])
    assert (made.still_failing, made.failing.events, made.mended.events) == (1, 0, 0)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ["contract tier", "customer seats", "customer tier"]),
        (Selection(source="stripe"), ["customer tier"]),
        (Selection(entity="contract"), ["contract tier"]),
        (Selection(key="tier"), ["contract tier", "customer tier"]),
        (Selection("hubspot", "customer", "seats"), ["customer seats"]),
        (Selection("stripe", "customer", "seats"), []),
    ],
)
def test_only_what_is_asked_about_is_compared(selection, expected):
    before = sources({"stripe": [RULES[0]], "hubspot": [RULES[4]]})
    after = sources({"stripe": [RULES[1]], "hubspot": [RULES[5], RULES[6]]})
    history = [
        customer(1, "gold"),
        customer(2, "silver", "hubspot", plan="a", seats=3, at=1),
        stored(3, "hubspot", "customer.updated", 0, {"id": ENTITY_ID, "seats": 1, "at": 1_700_000_000}),
    ]
    made = compared(before, after, history, selection)
    assert [f"{one.target.entity} {one.target.key}" for one in made.differences()] == expected
    assert [f"{entity} {key}" for entity, key in sorted(made.summary().keys)] == expected


def test_a_folder_takes_the_place_of_all_files_and_one_file_of_its_own(tmp_path):
    current, other = tmp_path / "now", tmp_path / "then"
    for place, written in ((current, {**TIER, "hubspot": [RULES[0]]}), (other, UPPER)):
        place.mkdir()
        for name, rules in written.items():
            (place / f"{name}.yaml").write_text(mapping(rules))
    loaded = files.load(current, rollout.unset)
    assert set(rollout.candidate(other, loaded).sources) == {"stripe"}
    alone = rollout.candidate(other / "stripe.yaml", loaded)
    assert set(alone.sources) == {"stripe", "hubspot"}
    assert alone.sources["hubspot"] is loaded.sources["hubspot"]
    assert alone.sources["stripe"].digest != loaded.sources["stripe"].digest
    (other / "stripe.yaml").write_text("sender: nobody\n")
    assert rollout.candidate(other / "stripe.yaml", loaded).errors


def test_stored_events_are_read_and_lookups_that_were_answered_are_shown(store):
    rule = "{{name: alias, entity: customer, lookup: {{ingest_alias: alias}}, fields: {{tier: {}}}}}"
    before, after = (sources({"stripe": [rule.format(path)]}) for path in ("tier", "upper(tier)"))
    for number, alias in enumerate(["cus_1", "cus_2"]):
        event = Event(f"e{number}", "customer.updated", {"alias": alias, "tier": "gold"}, NOW)
        store.events.add("stripe", [event], {}, NOW)
    store.events.translate(lambda event: translate(event, before), 10, NOW)
    (question, _) = sorted(store.references.claim("ours", 5, NOW, NOW + 1), key=lambda one: one.reference)
    store.references.answer(question, ENTITY_ID, NOW)
    made = Comparison(rollout.plan(before, after, Selection()), Spill(), Spill())
    made.run(store.history, store.history.span(Window()), lambda *_: None)
    found = [
        (str(one.difference.target.reference), one.entity_id, one.difference.after.value)
        for one in rollout.located(made.differences(), store.references)
    ]
    assert found == [("ingest_alias cus_1", ENTITY_ID, "GOLD"), ("ingest_alias cus_2", None, "GOLD")]
