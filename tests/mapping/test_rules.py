"""Events in, changes out: which rules run, for whom, and what one bad value spoils and what it does not."""

import tracemalloc

import pytest

from bridge.model import Change, Reference
from bridge.times import SECOND
from tests.mapping.making import NEEDLE, NOW, OTHER_UUID, UUID, translate

FOR_CUSTOMER = "{entity: customer, id: id, fields: {tier: tier}}"


def one_rule(**keys):
    """A rule with these keys over the plainest ones; None leaves a key out."""
    plain = {"name": "r", "entity": "customer", "id": "id", "fields": "{tier: tier}"}
    lines = [f"{key}: {text}" for key, text in {**plain, **keys}.items() if text is not None]
    return "- " + "\n  ".join(lines)


def made(payload, event_type="thing.happened", **keys):
    return translate(one_rule(**keys), {"id": UUID, "tier": "gold", **payload}, event_type)


def test_a_change_says_which_rule_sets_what_for_whom_and_when():
    (change,) = translate(one_rule(name="profile"), {"id": UUID, "tier": "gold"}).changes
    assert change == Change("profile", "customer", Reference("id", UUID), {"tier": "gold"}, (), NOW)


def test_a_rule_may_take_what_it_gets():
    assert made({}, partial="true").changes[0].partial is True
    assert made({}, partial="false").changes[0].partial is False


EVENTS = [
    (None, "anything", True),
    ("[]", "anything", True),
    ("[customer.created]", "customer.created", True),
    ("[customer.created]", "customer.created.v2", False),
    ("[customer.created]", "customer.create", False),
    ("[customer.created]", "Customer.created", False),
    ("[invoice.paid, customer.created]", "customer.created", True),
    ("[customer.*]", "customer.created", True),
    ("[customer.*]", "customer.", True),
    ("[customer.*]", "customer.subscription.updated", True),
    ("[customer.*]", "customer", False),
    ("[customer.*]", "customers.created", False),
    ("[customer*]", "customers.created", True),
    ('["*"]', "anything", True),
    ('["a.b"]', "axb", False),
    ("[invoice.*, customer.*]", "customer.created", True),
]


@pytest.mark.parametrize(("events", "event_type", "runs"), EVENTS)
def test_a_rule_runs_for_its_exact_events_or_those_that_begin_so(events, event_type, runs):
    assert len(made({}, event_type, events=events).changes) == runs


#: What JMESPath calls false: https://jmespath.org/specification.html#or-expressions
TRUTH = [
    (None, False),
    (False, False),
    ("", False),
    ([], False),
    ({}, False),
    (True, True),
    (0, True),
    (0.0, True),
    ("0", True),
    ("false", True),
    (" ", True),
    ([None], True),
    ({"a": None}, True),
]


@pytest.mark.parametrize(("value", "holds"), TRUTH, ids=repr)
@pytest.mark.parametrize("condition", ["flag", "(flag)", "flag && flag", "!!flag || flag"])
def test_a_condition_holds_for_what_jmespath_calls_true(condition, value, holds):
    assert len(made({"flag": value}, when=f'"{condition}"').changes) == holds


def test_a_condition_about_something_missing_does_not_hold():
    assert made({}, when="flag") == made({}, when="flag.deeper[0]")
    assert made({}, when="flag").idle == "rule 'r': when does not hold"
    assert made({}, events="[none.such]").idle == "no rule is for events of this type"
    assert len(made({}, when='"!flag"').changes) == 1


def test_a_condition_that_cannot_be_evaluated_is_a_failure():
    translation = made({"flag": NEEDLE}, when="abs(flag) > `1`")
    assert translation.changes == ()
    assert translation.failures == ("rule 'r': when abs(flag) > `1`: abs() cannot take text",)


EACH = {"for_each": "parts", "id": "item.id", "fields": "{seats: item.seats, tier: tier}"}


def test_for_each_over_a_large_payload_needs_little_memory():
    """A copy of it for each element would be a gigabyte."""
    payload = {**{f"key {number}": number for number in range(50_000)}, "parts": [{"id": UUID, "seats": 1}] * 500}
    tracemalloc.start()
    changes = made(payload, **EACH).changes
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(changes) == 500
    assert peak < 100 << 20


def test_for_each_runs_the_rule_once_for_every_element_which_also_sees_the_whole():
    parts = [{"id": UUID, "seats": 1}, {"id": OTHER_UUID, "seats": 2}]
    changes = made({"parts": parts, "item": "shadowed"}, **EACH).changes
    assert [(change.reference.value, change.set) for change in changes] == [
        (UUID, {"seats": "1", "tier": "gold"}),
        (OTHER_UUID, {"seats": "2", "tier": "gold"}),
    ]


@pytest.mark.parametrize("payload", [{"parts": []}, {"parts": None}, {}, {"parts": [{"id": UUID, "seats": 1}]}])
def test_for_each_over_nothing_makes_no_change(payload):
    translation = made(payload, **EACH)
    assert translation.failures == ()
    assert len(translation.changes) == len(payload.get("parts") or [])


@pytest.mark.parametrize(
    ("parts", "kind"), [({"a": 1}, "an object"), (NEEDLE, "text"), (5, "a number"), (True, "true or false")], ids=repr
)
def test_for_each_over_something_else_is_a_failure(parts, kind):
    (failure,) = made({"parts": parts}, **EACH).failures
    assert failure.startswith(f"rule 'r': for_each parts: is {kind}: a list")


def test_for_each_takes_a_list_that_an_expression_makes():
    keys = {"for_each": "\"split(names, ',')\"", "fields": "{tier: item}"}
    assert [change.set["tier"] for change in made({"names": "a,b"}, **keys).changes] == ["a", "b"]


def test_for_each_gives_up_on_more_than_ten_thousand_elements():
    assert "at most 10000" in made({"parts": [5] * 10_001}, **EACH).failures[0]
    assert len(made({"parts": [{"id": UUID}] * 10_000}, **EACH).changes) == 10_000


def test_a_payload_that_is_a_list_can_be_gone_through_too():
    rule = one_rule(for_each='"@"', id="item.id", fields="{seats: item.seats}")
    assert translate(rule, [{"id": UUID, "seats": 3}, 7]).changes[0].set == {"seats": "3"}


BAD_PARTS = [{"id": UUID, "seats": 1}, {"id": OTHER_UUID, "seats": [NEEDLE]}, {"id": OTHER_UUID, "seats": 3}]


def test_a_failing_element_is_named_by_its_number_and_leaves_the_others():
    translation = made({"parts": BAD_PARTS}, **EACH)
    assert [change.set["seats"] for change in translation.changes] == ["1", "3"]
    (failure,) = translation.failures
    assert failure.startswith("rule 'r' [1]: field seats: item.seats is a list")


def test_a_condition_is_asked_for_every_element():
    changes = made({"parts": [{"id": UUID, "seats": n} for n in (0, 5, 9)]}, **EACH, when="item.seats > `4`").changes
    assert [change.set["seats"] for change in changes] == ["5", "9"]


def test_a_condition_that_cannot_be_evaluated_for_one_element_leaves_the_others():
    translation = made({"parts": BAD_PARTS}, **EACH, when="abs(item.seats) < `9`")
    assert [change.set["seats"] for change in translation.changes] == ["1", "3"]
    (failure,) = translation.failures
    assert failure.startswith("rule 'r' [1]: when abs(item.seats)")


IDS = [
    (UUID, UUID),
    (UUID.upper(), UUID),
    (f"  {UUID}\n", UUID),
    ("00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000"),
]


@pytest.mark.parametrize(("given", "reference"), IDS)
def test_an_id_is_a_uuid_in_any_case_with_or_without_space_around(given, reference):
    assert made({"id": given}).changes[0].reference == Reference("id", reference)


NO_IDS = [
    ({"id": None}, "id: id is null or empty"),
    ({"id": ""}, "id: id is null or empty"),
    ({"id": 42}, "id: id is no UUID"),
    ({"id": True}, "id: id is no UUID"),
    ({"id": NEEDLE}, "id: id is no UUID"),
    ({"id": "   "}, "id: id is no UUID"),
    ({"id": UUID.replace("-", "")}, "id: id is no UUID"),
    ({"id": f"{{{UUID}}}"}, "id: id is no UUID"),
    ({"id": UUID[:-1]}, "id: id is no UUID"),
    ({"id": UUID + "0"}, "id: id is no UUID"),
    ({"id": UUID.replace("9", "٩")}, "id: id is no UUID"),
    ({"id": [UUID]}, "id: id is a list"),
    ({"id": {"id": UUID}}, "id: id is an object"),
]


@pytest.mark.parametrize(("payload", "failure"), NO_IDS, ids=repr)
def test_an_id_that_is_no_uuid_is_a_failure(payload, failure):
    translation = made(payload)
    assert translation.changes == ()
    assert translation.failures[0].startswith(f"rule 'r': {failure}")


def test_a_missing_id_is_a_failure():
    assert translate(one_rule(), {"tier": "gold"}).failures == ("rule 'r': id: id is missing",)


LOOKUPS = [
    ("cus_42", "cus_42"),
    (13812345678, "13812345678"),
    (12.0, "12"),
    (2**63, "9223372036854775808"),
    (" Söhne & Cie ", " Söhne & Cie "),
    ("x" * 255, "x" * 255),
    (UUID.upper(), UUID.upper()),
]


@pytest.mark.parametrize(("given", "reference"), LOOKUPS, ids=repr)
@pytest.mark.parametrize("kind", ["ingest_alias", "salesforce_account_id"])
def test_a_lookup_takes_text_and_numbers_as_they_are(kind, given, reference):
    translation = made({"alias": given}, id=None, lookup=f"{{{kind}: alias}}")
    assert translation.changes[0].reference == Reference(kind, reference)


NO_LOOKUPS = [
    ({}, "alias is missing"),
    ({"alias": None}, "alias is null or empty"),
    ({"alias": ""}, "alias is null or empty"),
    ({"alias": "x" * 256}, "alias must have at most 255 printable characters"),
    ({"alias": f"{NEEDLE}\n"}, "alias must have at most 255 printable characters"),
    ({"alias": "\x00"}, "alias must have at most 255 printable characters"),
    ({"alias": "\u202eabc"}, "alias must have at most 255 printable characters"),
    ({"alias": [NEEDLE]}, "alias is a list"),
    ({"alias": 1e300}, "alias is a number beyond 64 bits"),
]


@pytest.mark.parametrize(("payload", "failure"), NO_LOOKUPS, ids=lambda value: repr(value)[:30])
def test_a_lookup_without_a_usable_value_is_a_failure(payload, failure):
    translation = made(payload, id=None, lookup="{ingest_alias: alias}")
    assert translation.changes == ()
    assert translation.failures[0].startswith(f"rule 'r': lookup ingest_alias: {failure}")


WHEN = [
    (None, NOW),
    (1_795_000_000, 1_795_000_000 * SECOND),
    (1_795_000_000_123, 1_795_000_000_123_000),
    ("1795000000", 1_795_000_000 * SECOND),
    ("2026-11-22T11:00:00+01:00", NOW),
    ("2026-11-22", NOW - 36_000 * SECOND),
]


@pytest.mark.parametrize(("given", "occurred_at"), WHEN, ids=repr)
def test_a_rule_may_say_itself_when_it_happened(given, occurred_at):
    place = None if given is None else "at"
    assert made({"at": given}, occurred_at=place).changes[0].occurred_at == occurred_at


@pytest.mark.parametrize("given", [None, "", NEEDLE, -5, True, [], "9" * 1_000_001, 1e300], ids=lambda v: repr(v)[:20])
def test_a_time_that_is_none_is_a_failure(given):
    translation = made({"at": given}, occurred_at="at")
    assert translation.changes == ()
    assert translation.failures[0].startswith("rule 'r': occurred_at at: is ")


def test_a_missing_time_is_a_failure():
    assert made({}, occurred_at="at").failures[0].startswith("rule 'r': occurred_at at: is ")


TWO_RULES = """
- name: profile
  entity: customer
  id: id
  fields: {tier: tier, plan: plan, note: {path: note, too_long: error}}
- name: other
  entity: contract
  id: id
  fields: {tier: tier}
- name: unconcerned
  events: [something.else]
  entity: contract
  id: nothing
  fields: {tier: tier}
"""


@pytest.mark.parametrize("bad", [{"plan": {}}, {"plan": [NEEDLE]}, {"note": NEEDLE * 99}, {"note": "\x00"}], ids=repr)
def test_one_bad_field_fails_only_its_own_rule(bad):
    translation = translate(TWO_RULES, {"id": UUID, "tier": "gold", **bad})
    assert [(change.rule, change.set) for change in translation.changes] == [("other", {"tier": "gold"})]
    (failure,) = translation.failures
    (key,) = bad
    assert failure.startswith(f"rule 'profile': field {key}: {key} ")
    assert NEEDLE not in failure


@pytest.mark.parametrize(
    ("where", "payload", "reason"),
    [
        (
            "lookup: {ingest_alias: \"concat('h-', crm)\"}",
            {"crm": None},
            "lookup ingest_alias: concat('h-', crm) is null",
        ),
        ("lookup: {ingest_alias: \"concat('h-', crm)\"}", {}, "lookup ingest_alias: concat('h-', crm) is missing"),
        ("lookup: {custom_field: {key: k, value: \"concat('h-', crm)\"}}", {"crm": ""}, "is null or empty"),
        ("id: \"lower(concat('h-', crm))\"", {"crm": None}, "id: lower(concat('h-', crm)) is null or empty"),
    ],
)
def test_a_name_with_a_part_missing_fails_and_metronome_is_not_asked_for_the_rest(where, payload, reason):
    rules = f"- {{name: r, entity: customer, {where}, fields: {{tier: tier}}}}"
    translation = translate(rules, {**payload, "tier": "gold"})
    assert translation.changes == ()
    [failure] = translation.failures
    assert reason in failure
    assert "concat() needs all of its parts here" in failure


def test_every_failing_rule_is_told():
    failures = translate(TWO_RULES, {"id": "none", "tier": "gold", "plan": []}).failures
    assert [failure.split(":")[0] for failure in failures] == ["rule 'profile'", "rule 'other'"]


def test_a_rule_with_nothing_to_set_or_remove_makes_no_change():
    assert translate(one_rule(fields="{tier: nothing}"), {"id": UUID}).idle == (
        "rule 'r': the event leaves all of its fields as they are"
    )
