"""Examples are tests that live beside the rules: what makes one fail, and with which words."""

from textwrap import indent

import pytest

from bridge.mapping import examples
from bridge.mapping.compiler import compile_source
from tests.mapping.making import NOW, OTHER_UUID, SECRETS, SHIPPED, UUID, source
from tests.senders.fixtures import one as fixture

MAPPING = f"""\
sender: stripe
secrets: ["${{SECRET}}"]
rules:
  - name: profile
    events: [customer.*]
    entity: customer
    id: data.id
    fields: {{tier: data.tier, plan: data.plan, note: data.note}}
  - name: seats
    for_each: data.parts
    entity: contract
    lookup_or_id: item.id
    fields: {{seats: item.seats}}
examples:
  - name: the one
    event:
      id: evt_1
      type: customer.created
      created: 1795341600
      data:
        id: {UUID}
        tier: gold
        plan: null
        parts: [{{id: {OTHER_UUID}, seats: 3}}, {{id: {UUID}, seats: 4}}]
    expect:
"""


#: What an event of another kind has in its place.
PARTS = {"tier": "tier: gold", "parts": f"{{id: {OTHER_UUID}, seats: 3}}", "type": "customer.created"}


def told(expect, *, text=MAPPING, **replaced):
    """What the example says about these expectations, without its name."""
    text = text.replace("lookup_or_id", "id") + indent("\n".join(f"- {one}" for one in expect) or "[]", "      ")
    for old, new in replaced.items():
        text = text.replace(PARTS[old], new)
    return messages_of(source(text))


def messages_of(made):
    problems = list(examples.run(made, NOW))
    assert all(problem.message.startswith("example 'the one': ") for problem in problems)
    return [problem.message.removeprefix("example 'the one': ") for problem in problems]


PROFILE = f"{{entity: customer, id: {UUID}, set: {{tier: gold}}, remove: [plan]}}"
SEATS = f"{{entity: contract, id: {OTHER_UUID}, set: {{seats: 3}}}}"
MORE_SEATS = f"{{entity: contract, id: {UUID}, set: {{seats: 4}}}}"

PASSING = [
    [PROFILE, SEATS, MORE_SEATS],
    [MORE_SEATS, PROFILE, SEATS],
    ["{}", "{}", "{}"],
    ["{entity: customer}", "{entity: contract}", "{entity: contract}"],
    ["{set: {tier: gold}}", "{set: {seats: '4'}}", "{set: {seats: '3'}}"],
    ["{remove: [plan]}", f"{{id: {UUID.upper()}, entity: contract}}", SEATS],
    ["{set: {}, remove: []}", SEATS, MORE_SEATS],
    # Whatever order they are written in, each expectation finds a change of its own.
    ["{}", SEATS, MORE_SEATS],
    ["{entity: contract}", "{set: {seats: 3}}", PROFILE],
    ["{entity: contract}", "{set: {seats: 4}}", PROFILE],
    [f"{{id: {UUID}}}", PROFILE, SEATS],
    [f"{{id: {UUID}}}", MORE_SEATS, SEATS],
]


@pytest.mark.parametrize("expect", PASSING, ids=range(len(PASSING)))
def test_set_and_remove_are_compared_as_subsets_in_any_order(expect):
    assert told(expect) == []


DIFFER = "what is expected (-) and what is made (+) differ"
PROFILE_MADE = f"customer {UUID}, by rule 'profile'"
SEATS_MADE = f"contract {OTHER_UUID}, by rule 'seats'"
MORE_SEATS_MADE = f"contract {UUID}, by rule 'seats'"

FAILING = [
    (["{set: {tier: silver}}", SEATS, MORE_SEATS], [f"{PROFILE_MADE}:", "- set tier: 'silver'", "+ set tier: 'gold'"]),
    (["{set: {nothing: x}, entity: customer}", SEATS, MORE_SEATS], [f"{PROFILE_MADE}:", "- set nothing: 'x'"]),
    (["{remove: [tier]}", SEATS, MORE_SEATS], [f"{PROFILE_MADE}:", "- remove tier", "+ set tier: 'gold'"]),
    (["{remove: [note]}", SEATS, MORE_SEATS], [f"{PROFILE_MADE}:", "- remove note"]),
    (["{set: {plan: x}}", SEATS, MORE_SEATS], [f"{PROFILE_MADE}:", "- set plan: 'x'", "+ remove plan"]),
    (
        [PROFILE.replace("customer", "contract").replace("gold", "silver"), SEATS, MORE_SEATS],
        [
            f"{PROFILE_MADE}:",
            "- entity: contract",
            "+ entity: customer",
            "- set tier: 'silver'",
            "+ set tier: 'gold'",
        ],
    ),
    (
        [PROFILE.replace(UUID, OTHER_UUID), SEATS, MORE_SEATS],
        [f"{PROFILE_MADE}:", f"- id: {OTHER_UUID}", f"+ id: {UUID}"],
    ),
    (
        ["{lookup: {ingest_alias: a}, set: {tier: gold}}", SEATS, MORE_SEATS],
        [f"{PROFILE_MADE}:", "- lookup: ingest_alias a", f"+ id: {UUID}"],
    ),
    (
        [PROFILE, SEATS, SEATS],
        [f"{MORE_SEATS_MADE}:", f"- id: {OTHER_UUID}", f"+ id: {UUID}", "- set seats: '3'", "+ set seats: '4'"],
    ),
    (
        [
            PROFILE,
            "{entity: contract, id: x, set: {seats: 5}}",
            f"{{entity: contract, id: {UUID}, set: {{seats: 6}}}}",
        ],
        [
            f"{SEATS_MADE}:",
            "- id: x",
            f"+ id: {OTHER_UUID}",
            "- set seats: '5'",
            "+ set seats: '3'",
            f"{MORE_SEATS_MADE}:",
            "- set seats: '6'",
            "+ set seats: '4'",
        ],
    ),
    # The number of changes is exact.
    ([PROFILE, SEATS], [f"{MORE_SEATS_MADE}, not expected:", "+ set seats: '4'"]),
    (
        [],
        [
            f"{PROFILE_MADE}, not expected:",
            "+ set tier: 'gold'",
            "+ remove plan",
            f"{SEATS_MADE}, not expected:",
            "+ set seats: '3'",
            f"{MORE_SEATS_MADE}, not expected:",
            "+ set seats: '4'",
        ],
    ),
    (
        [PROFILE, SEATS, MORE_SEATS, "{entity: contract, lookup: {ingest_alias: a}, set: {a: 1}, remove: [b]}"],
        ["not made:", "- entity: contract", "- lookup: ingest_alias a", "- set a: '1'", "- remove b"],
    ),
]


@pytest.mark.parametrize(("expect", "lines"), FAILING, ids=range(len(FAILING)))
def test_what_differs_is_one_message_with_what_is_expected_and_what_is_made(expect, lines):
    (message,) = told(expect)
    assert message.splitlines() == [DIFFER, *(f"  {line}" for line in lines)]


def test_expecting_nothing_means_that_nothing_may_be_written():
    nothing = MAPPING.replace("parts: [", "none: [")
    assert told([], text=nothing, type="invoice.paid") == []
    assert f"{PROFILE_MADE}, not expected:" in told([], text=nothing)[0]


def test_a_failing_rule_fails_the_example_with_its_reason():
    messages = told([SEATS, MORE_SEATS], tier="tier: [gold]")
    assert len(messages) == 1
    assert messages[0].startswith("rule 'profile': field tier: data.tier is a list")


def test_a_failing_element_fails_the_example_with_its_reason():
    messages = told([PROFILE, MORE_SEATS], parts="{id: 7, seats: 3}")
    assert messages == ["rule 'seats' [0]: id: item.id is no UUID"]


def test_a_problem_is_told_at_the_name_of_its_example():
    (problem,) = examples.run(source(MAPPING.replace("lookup_or_id", "id") + "      []"), NOW)
    assert (problem.path, problem.line, problem.column, problem.level) == ("test.yaml", 15, 11, "error")
    assert problem.message.startswith("example 'the one': ")


def one_example(head, example):
    return f'sender: {head}\nsecrets: ["${{SECRET}}"]\n{RULE}examples:\n  - name: the one\n{indent(example, "    ")}'


RULE = """\
rules:
  - name: r
    entity: customer
    lookup: {ingest_alias: id}
    fields: {tier: tier}
"""


def problems_of(head, example):
    return messages_of(source(one_example(head, example)))


@pytest.mark.parametrize(
    ("head", "event", "reason"),
    [
        ("stripe", "{id: evt_1, type: customer.created}", "stripe would not send this: created is null"),
        ("stripe", "[]", "stripe would not send this: the body is a list: an object was expected"),
        ("stripe", "text", "stripe would not send this: the body is text"),
        ("stripe", "{type: t, created: 1}", "stripe would not send this: id is null"),
        ("hubspot", "7", "hubspot would not send this: the body is a number"),
        ("salesforce", "[]", "salesforce would not send this: a notification is an object or a list of objects"),
        ("salesforce", "{Id: a, sObject: {'no name': 1}}", "salesforce would not send this: no name cannot be written"),
        ("token\noptions: {event_time: at}", "7", "token would not send this: the event is a number"),
        ("salesforce", "{Id: a, sObject: text}", "salesforce would not send this"),
        ("salesforce", "{Id: a, sObject: [1]}", "salesforce would not send this"),
        ("salesforce", '{Id: a, sObject: {type: "\\0"}}', "salesforce would not send this"),
        ("salesforce", '{Id: "\\ud800", sObject: {}}', "salesforce would not send this"),
        # What JSON cannot hold no sender can send.
        ("stripe", "{id: evt_1, type: t, created: 1, big: 99999999999999999999}", "stripe would not send this"),
        ("stripe", '{id: "\\ud800", type: t, created: 1}', "stripe would not send this"),
        # An element that the sender's module cannot read is stored as failed, so the example fails as well.
        ("hubspot", "[{subscriptionId: 1, objectId: 5}]", "subscriptionType is null"),
        ("hubspot", "[{subscriptionType: a, id: a, tier: b}]", "occurredAt is null"),
    ],
)
def test_a_payload_that_the_sender_would_not_send_fails_the_example(head, event, reason):
    messages = problems_of(head, f"event: {event}\nexpect: []")
    assert len(messages) == 1
    assert reason in messages[0]


HUBSPOT = "{{subscriptionId: 1, occurredAt: 1795341600000, subscriptionType: c.change, id: {}, tier: {}}}"
BATCH = f"event:\n  - {HUBSPOT.format(1, 'gold')}\n  - {HUBSPOT.format(2, 'silver')}\nexpect:\n"
ONE = "  - {lookup: {ingest_alias: '1'}, set: {tier: gold}}\n"
TWO = "  - {lookup: {ingest_alias: '2'}, set: {tier: silver}}\n"


def test_a_batch_is_one_example_with_the_changes_of_all_its_events():
    assert problems_of("hubspot", BATCH + TWO + ONE) == []
    assert "customer ingest_alias 2, by rule 'r', not expected:" in problems_of("hubspot", BATCH + ONE)[0]
    (message,) = problems_of("hubspot", BATCH + ONE + TWO.replace("'2'", "'3'"))
    assert message.endswith(":\n  - lookup: ingest_alias 3\n  + lookup: ingest_alias 2")


def test_two_changes_that_differ_in_one_key_only_are_told_apart():
    same = BATCH.replace("id: 2", "id: 1")
    assert problems_of("hubspot", same + ONE + ONE.replace("gold", "silver")) == []
    assert problems_of("hubspot", same + ONE + ONE)[0].endswith(":\n  - set tier: 'gold'\n  + set tier: 'silver'")
    assert problems_of("hubspot", same + "  - {lookup: {ingest_alias: '1'}}\n" + ONE) == []


def test_a_workflow_object_is_an_example_without_a_list():
    event = "{id: 7, tier: gold, objectType: COMPANY, properties: {}}"
    expect = "[{lookup: {ingest_alias: '7'}, set: {tier: gold}}]"
    assert problems_of("hubspot", f"event: {event}\nexpect: {expect}") == []


def test_salesforce_objects_are_examples_as_the_bridge_shows_them():
    text = one_example("salesforce", "event: {Id: n1, sObject: {type: Account, Id: a1, Tier__c: Gold, Old__c: null}}\n")
    text = text.replace("alias: id", "alias: sObject.Id").replace(
        "tier: tier", "tier: sObject.Tier__c, old: sObject.Old__c"
    )
    text += "    expect: [{lookup: {ingest_alias: a1}, set: {tier: Gold}, remove: [old]}]"
    assert messages_of(source(text)) == []


def test_several_salesforce_notifications_are_one_example():
    notification = "{{Id: n{0}, sObject: {{type: Account, Id: a{0}, Tier__c: Gold}}}}"
    text = one_example("salesforce", f"event: [{notification.format(1)}, {notification.format(2)}]\n")
    text = text.replace("alias: id", "alias: sObject.Id").replace("tier: tier", "tier: sObject.Tier__c")
    text += "    expect: [{lookup: {ingest_alias: a2}}, {lookup: {ingest_alias: a1}, set: {tier: Gold}}]"
    assert messages_of(source(text)) == []


def test_headers_of_an_example_reach_the_sender_in_any_case():
    head = 'token\noptions: {event_type: "header:X-Event", event_time: at}'
    event = "event: {id: 7, tier: gold, at: 1795341600}\n"
    expect = "expect: [{lookup: {ingest_alias: '7'}, set: {tier: gold}}]"
    text = one_example(head, f"{event}headers: {{x-EVENT: update}}\n{expect}")
    text = text.replace("    entity", "    events: [update]\n    entity").replace("X-Event", "x-event")
    assert messages_of(source(text)) == []
    assert len(messages_of(source(text.replace("x-EVENT: update", "x-EVENT: delete")))) == 1
    assert "would not send this" in messages_of(source(text.replace("x-EVENT", "x-other")))[0]


HTTP = b"POST /webhooks/test HTTP/1.1\r\nHost: x\r\nX-Event: update\r\n\r\n"
BODY = b'{"id": 7, "tier": "gold", "at": 1795341600}'
XML = fixture("salesforce", "account_changed").request.body


@pytest.fixture
def kept(tmp_path):
    """What the example says whose event is in a file beside its mapping."""
    folder = tmp_path / "mappings"
    (folder / "events").mkdir(parents=True)

    def told(name, content, head="token\noptions: {event_time: at}", more=""):
        if content is not None:
            (folder / name).write_bytes(content)
        text = one_example(
            head, f"file: {name}\n{more}expect: [{{lookup: {{ingest_alias: '7'}}, set: {{tier: gold}}}}]"
        )
        made, problems = compile_source("test", str(folder / "test.yaml"), text, SECRETS.get)
        assert made is not None, problems
        return messages_of(made)

    told.folder = folder
    return told


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("gold.json", BODY),
        ("events/gold.json", BODY),
        ("./events/gold.json", BODY),
        ("gold.http", HTTP + BODY),
        # As it is after git has made its lines end otherwise.
        ("gold.http", HTTP.replace(b"\r\n", b"\n") + BODY),
        ("gold", BODY),
    ],
)
def test_an_event_may_be_in_a_file_beside_the_mapping(kept, name, content):
    assert kept(name, content) == []
    assert "+ set tier: 'silver'" in kept(name, content.replace(b"gold", b"silver"))[0]


def test_a_captured_request_brings_its_headers_and_an_example_may_say_others(kept):
    head = 'token\noptions: {event_type: "header:X-Event", event_time: at}'
    assert kept("gold.http", HTTP + BODY, head) == []
    assert "X-Event" in kept("gold.json", BODY, head)[0]
    assert kept("gold.json", BODY, head, "headers: {x-event: update}\n") == []
    assert kept("gold.http", HTTP.replace(b"update", b"") + BODY, head, "headers: {X-Event: update}\n") == []


def test_a_payload_in_a_file_becomes_what_the_sender_would_post(kept):
    sent = b'{"Id": "n1", "id": 7, "sObject": {"type": "Account", "Id": "a1"}}'
    assert "rule 'r': lookup ingest_alias: id is missing" in kept("a.json", sent, "salesforce")[0]
    assert "rule 'r': lookup ingest_alias: id is missing" in kept("a.xml", XML, "salesforce")[0]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("none.json", None, "none.json cannot be read: No such file or directory"),
        ("events", None, "events is no file of at most 64 MiB"),
        ("n" * 300, None, "cannot be read: File name too long"),
        ("gold.json", b"{", "token would not send this: "),
        ("gold.json", b"", "token would not send this: "),
        ("gold.http", BODY, "the file is no HTTP request"),
        ("gold.http", b"", "the file is no HTTP request"),
        ("gold.http", b"\xff\x00\r\n\r\n", "the file is no HTTP request"),
        ("gold.http", HTTP, "token would not send this: "),
    ],
    ids=range(9),
)
def test_a_file_that_cannot_be_used_fails_the_example(kept, name, content, reason):
    (message,) = kept(name, content)
    assert reason in message


def test_no_link_leads_out_of_the_folder(kept, tmp_path):
    (tmp_path / "outside.json").write_bytes(BODY)
    (kept.folder / "gold.json").symlink_to(tmp_path / "outside.json")
    (kept.folder / "up").symlink_to(tmp_path)
    (kept.folder / "loop").symlink_to(kept.folder / "loop")
    assert kept("gold.json", None) == ["gold.json leads out of the folder of the mapping file"]
    assert kept("up/outside.json", None) == ["up/outside.json leads out of the folder of the mapping file"]
    assert "loop cannot be read" in kept("loop", None)[0]


def test_links_within_the_folder_are_followed_as_orchestrators_make_them(kept, tmp_path):
    (kept.folder / "..data").mkdir()
    (kept.folder / "..data" / "gold.json").write_bytes(BODY)
    (kept.folder / "gold.json").symlink_to("..data/gold.json")
    assert kept("gold.json", None) == []


def shipped(name):
    made, problems = compile_source(name, f"{name}.yaml", SHIPPED[name], lambda _: None)
    assert made is not None, "\n".join(map(str, problems))
    return made


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_mapping_has_no_mistake_and_keeps_its_own_examples(name):
    made = shipped(name)
    assert [str(problem) for problem in examples.run(made, NOW)] == []
    assert len(made.examples) >= 3
    assert made.secrets == (), "they come from the environment alone"
    assert made.unset


@pytest.mark.parametrize("name", SHIPPED)
def test_every_rule_of_a_shipped_mapping_is_shown_by_an_example(name):
    made = shipped(name)
    expected = [expectation for example in made.examples for expectation in example.expect]
    assert len(expected) >= len(made.rules)
    assert {rule.entity for rule in made.rules} == {expectation["entity"] for expectation in expected}
