"""What stands in front of a webhook, and what is known of many at once: on both databases."""

from bridge.model import Reference
from bridge.store.counts import MOST_COUNTED
from tests.support.making import NOW, OTHER_ID, asking, by_payload, change, event, translated


def test_the_backlog_is_what_is_to_be_translated_and_what_is_due(store):
    assert store.backlog.count(NOW) == 0
    store.events.add("stripe", [asking("a", {"x": "1"}), asking("b", {"x": "2"}, customer=OTHER_ID)], {}, NOW)
    assert store.backlog.count(NOW) == 2
    store.events.translate(by_payload, 1, NOW)
    assert store.backlog.count(NOW) == 2
    assert store.backlog.count(NOW - 1) == 1
    store.events.translate(by_payload, 1, NOW)
    store.entities.claim("ours", 1, NOW, NOW + 1)
    assert store.backlog.count(NOW) == 2


def test_lookups_that_are_due_are_a_part_of_the_backlog(store):
    store.events.add("stripe", [event()], {}, NOW)
    store.events.translate(lambda _: translated(change({"x": "1"}, reference=Reference("ingest_alias", "a"))), 1, NOW)
    assert store.backlog.count(NOW) == 1


def test_counting_the_backlog_ends(store):
    store.events.add("stripe", [asking(f"e{number}", {"x": "1"}) for number in range(MOST_COUNTED + 9)], {}, NOW)
    assert store.backlog.count(NOW) == MOST_COUNTED


def test_events_are_known_by_their_source_and_id(store):
    store.events.add("stripe", [event("a"), event("b")], {}, NOW)
    store.events.add("hubspot", [event("c")], {}, NOW)
    assert store.events.known("stripe", ["a", "b", "c", "d"]) == {"a", "b"}
    assert store.events.known("stripe", []) == set()


def test_entities_are_known_by_an_answer_to_a_lookup(store):
    asked, other = Reference("ingest_alias", "acme"), Reference("ingest_alias", "globex")
    store.events.add("stripe", [event("a"), event("b")], {}, NOW)
    made = iter([translated(change({"x": "1"}, reference=asked)), translated(change({"x": "1"}, reference=other))])
    store.events.translate(lambda _: next(made), 2, NOW)
    questions = {one.reference: one for one in store.references.claim("ours", 2, NOW, NOW + 1)}
    store.references.answer(questions[asked], OTHER_ID, NOW)
    wanted = [("customer", one) for one in (asked, other)]
    assert store.references.known(wanted) == {("customer", asked): OTHER_ID}
    assert store.references.known([]) == {}
    assert store.entities.fields_of_many([]) == {}
