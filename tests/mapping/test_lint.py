"""Everything that can be wrong in a mapping file, as one table: where it is reported, and with which words."""

import pytest

from tests.mapping.making import OTHER_UUID, SECRETS, lint, marked

GOOD = """\
sender: stripe
secrets: ["${SECRET}"]
description: what the tests know
rules:
  - name: profile
    events: [customer.created, account.*]
    when: data.live
    entity: customer
    id: data.id
    occurred_at: data.changed
    fields:
      tier: lower(data.tier)
      plan: {path: data.plan, default: free}
      origin: {value: stripe}
  - name: seats
    for_each: data.parts
    entity: customer
    lookup: {ingest_alias: item.id}
    fields:
      seats: item.seats
examples:
  - name: gold
    event: {id: evt_1, type: customer.created}
    expect:
      - {entity: customer, set: {tier: gold}, remove: [plan]}
  - name: nothing
    event: {id: evt_2, type: other}
    expect: []
"""
HEAD = 'sender: stripe\nsecrets: ["${SECRET}"]\n'
TIER = "tier: lower(data.tier)"
PLAN = "plan: {path: data.plan, default: free}"
LOOKUP = "lookup: {ingest_alias: item.id}"
EXPECTED = "{entity: customer, set: {tier: gold}, remove: [plan]}"
PROFILE = GOOD[GOOD.index("name: profile") : GOOD.index("    occurred_at")]
RULES = GOOD[GOOD.index("rules:") : GOOD.index("examples:")]
EXAMPLES = GOOD[GOOD.index("examples:") :]
UNDATED = """\
sender: token
secrets: ["${SECRET}"]
rules:
  - name: »seats
    entity: customer
    id: id
    fields: {seats: seats}
"""
SEVERAL = """\
sender: »strpe
secrets: [»5]
rules:
  - name: »7
    entity: customer
    id: a.»]
    fields:
      tier: »lowr(a)
      »tier: a
      plan: {value: »[]}
"""
HMAC = 'sender: hmac\nsecrets: ["${SECRET}"]\noptions: '

#: What is said at each » in the text that stands in for a part of the good file. There is no other problem.
WRONG = [
    # The file as a whole.
    ("sender: stripe", "»»sendr: stripe", "'sender' is missing", "no key 'sendr': did you mean 'sender'?"),
    ("sender: stripe", "sender: »strpe", "'strpe' is not known: did you mean 'stripe'? Accepted are "),
    ("sender: stripe", "sender: »5", "text is expected, not a number: put it in quotes"),
    ("sender: stripe", "sender: »[stripe]", "text is expected, not a list"),
    ("sender: stripe", "sender: »null", "'sender' is empty"),
    ("sender: stripe", 'sender: »""', "text is expected, not empty text"),
    ("sender: stripe", "sender: stripe\n»sender: hmac", "'sender' is given twice: first in line 1"),
    (
        "sender: stripe",
        "sender: stripe\n»version: 2",
        "no key 'version': Accepted are description, examples, future_events, on_unverified, options",
    ),
    ("description: what the tests know", "description: »true", "text is expected, not true or false: put it in quotes"),
    ("description: what the tests know", "description: »{a: b}", "text is expected, not an object"),
    (GOOD, "»- sender", "a block of keys is expected here"),
    (GOOD, "»stripe", "a block of keys is expected here"),
    (GOOD, "»", "the file is empty"),
    (GOOD, "»# nothing but a comment\n", "the file is empty"),
    (GOOD, "»»»{}", "'sender' is missing", "'rules' is missing", "'secrets' is missing"),
    # Secrets.
    (HEAD, "»sender: stripe\n", "'secrets' is missing"),
    ('["${SECRET}"]', "»[]", "minimum length 1"),
    ('["${SECRET}"]', '»"${SECRET}"', "a list is expected"),
    ('["${SECRET}"]', "»5", "a list is expected"),
    ('["${SECRET}"]', "»{a: b}", "a list is expected"),
    ('["${SECRET}"]', "[»5]", "text is expected, not a number"),
    ('["${SECRET}"]', "[»null]", "empty"),
    ('["${SECRET}"]', "[»whsec_bm90IHNvIHNlY3JldA==]", "warning: a secret does not belong in a file: write ${NAME}"),
    ('["${SECRET}"]', '["${SECRET}", »"${NEXT}"]', "note: NEXT is not set: until it is, this source is closed"),
    ('["${SECRET}"]', '[»"${NEXT_FILE}"]', "note: NEXT_FILE is not set"),
    (HEAD, 'sender: standard-webhooks\nsecrets: [»"${PASSWORD}"]\n', "is not whsec_ and base64"),
    # Options.
    ("sender: stripe", "sender: stripe\n»options: {header: X-Sign}", "the sender stripe takes no options"),
    (HEAD, HMAC + "{header: X-Sign, event_time: at, »encodng: hex}\n", "no key 'encodng': did you mean 'encoding'?"),
    (HEAD, HMAC + "»{event_time: at}\n", "'header' is missing"),
    (HEAD, HMAC + "{header: »5, event_time: at}\n", "text is expected"),
    (HEAD, HMAC + "{header: X-Sign, event_time: at, algorithm: »md5}\n", "Must be one of: sha1, sha256, "),
    (HEAD, HMAC + "»5\n", "a block of keys is expected here"),
    (HEAD, HMAC + '{header: X, event_time: at, template: »"{timestamp}."}\n', "must contain {body}"),
    (HEAD, HMAC + '{header: X, event_time: at, template: »"{timestamp}.{body}"}\n', "timestamp_header need each other"),
    (HEAD, HMAC + "»{header: X, event_time: at, timestamp_header: X-Time}\n", "timestamp_header need each other"),
    (HEAD, HMAC + '{header: »"${SIGN}", event_time: at}\n', "note: SIGN is not set"),
    (HEAD, HEAD.replace("stripe", "salesforce") + "options: {organization_ids: [»00D]}\n", "minimum length 15"),
    ("sender: stripe", "sender: token\noptions: {parameter: »key, header: X, event_time: at}", "not both"),
    (HEAD, 'sender: basic\noptions: {event_time: at}\nsecrets: [»"${SECRET}"]\n', "is not user:password"),
    # Rules.
    (RULES, "rules: »5\n", "a list is expected"),
    (RULES, "rules: »text\n", "a list is expected"),
    (RULES, "rules: »{name: profile}\n", "a list is expected"),
    (RULES, "rules: »[]\n", "between 1 and 500"),
    (RULES, "»rules:\n", "'rules' is empty"),
    ("entity: customer", "»entity:", "'entity' is empty"),
    (RULES, "rules: »null\n", "'rules' is empty"),
    (RULES, "rules: [»5, »null]\n", "a block of keys is expected here", "empty"),
    ("    when: data.live", "    »whne: data.live", "no key 'whne': did you mean 'when'? Accepted are entity, events"),
    ("  - name: profile\n    events", "  - »events", "'name' is missing"),
    ("name: profile", "name: »42", "text is expected, not a number: put it in quotes"),
    ("name: profile", f"name: »{'x' * 201}", "maximum length 200"),
    ("name: seats", "name: »profile", "another of the rules has this name"),
    ("name: profile", 'name: »"a\\0b"', "character"),
    ("[customer.created, account.*]", "»customer.created", "a list is expected"),
    ("[customer.created, account.*]", "[»5]", "text is expected, not a number"),
    (
        "[customer.created, account.*]",
        '[»"a*b", »"*a"]',
        "a * is accepted at the end only",
        "a * is accepted at the end",
    ),
    ("when: data.live", "when: »true", "text is expected, not true or false: put it in quotes"),
    ("customer\n    id", "»custmer\n    id", "'custmer' is not known: did you mean 'customer'? Accepted are alert, "),
    ("- name: seats", "- »name: seats\n    id: data.id", "either id or lookup is needed, and not both"),
    (f"- {PROFILE}", "- »name: profile\n    entity: customer\n", "either id or lookup is needed, and not both"),
    (f"- {PROFILE}", "- »name: profile\n    id: data.id\n", "'entity' is missing"),
    ("id: data.id", "id: »42", "text is expected, not a number"),
    (
        LOOKUP,
        "lookup: »item.id",
        "one thing to look up by is expected: accepted are crosswalk, custom_field, ingest_alias",
    ),
    (LOOKUP, "lookup: »{}", "one thing to look up by is expected"),
    (LOOKUP, "lookup: {»ingest_alais: item.id}", "no key 'ingest_alais': did you mean 'ingest_alias'?"),
    (LOOKUP, "lookup: {ingest_alias: »5}", "text is expected, not a number"),
    (
        f"customer\n    {LOOKUP}",
        f"contract\n    {LOOKUP.replace('{', '»{')}",
        "ingest_alias finds a customer, not a con",
    ),
    ("for_each: data.parts", "for_each: »[data.parts]", "text is expected, not a list"),
    ("occurred_at: data.changed", "partial: »yes", "true or false is expected, not text"),
    ("occurred_at: data.changed", "occurred_at: »2026", "text is expected, not a number"),
    # Fields.
    (
        f"fields:\n      {TIER}\n      {PLAN}\n      origin: {{value: stripe}}",
        "fields: »{}",
        "a block of custom field keys",
    ),
    ("fields:\n      seats: item.seats", "fields: »[seats]", "a block of custom field keys and paths is expected"),
    ("fields:\n      seats: item.seats", "fields: »null", "'fields' is empty"),
    (TIER, f"{TIER}\n      »tier: data.tier", "'tier' is given twice: first in line 12"),
    (TIER, "tier: »5", "a path is expected, or a block with path or value, not a number: a constant is {value: ...}"),
    (TIER, "tier: »[data.tier]", "a path is expected, or a block with path or value, not a list"),
    (TIER, "tier: »null", "'tier' is empty"),
    (TIER, 'tier: »""', "a path is expected"),
    (TIER, f"»{'k' * 101}: data.tier", "a key has 1 to 100 printable characters"),
    (TIER, '»"a\\tb": data.tier', "a key has 1 to 100 printable characters"),
    (TIER, '»"": data.tier', "a key has 1 to 100 printable characters"),
    (
        PLAN,
        "plan: {path: data.plan, »defualt: free}",
        "no key 'defualt': did you mean 'default'? Accepted are default, ",
    ),
    (PLAN, "plan: »{path: data.plan, value: free}", "either path or value is needed, and not both"),
    (PLAN, "plan: »{default: free}", "either path or value is needed"),
    (PLAN, "plan: »{value: free, default: basic}", "a constant value is never missing, null or too long"),
    (PLAN, "plan: {path: »5}", "text is expected, not a number"),
    (PLAN, "plan: {value: »[free]}", "text or a number is expected, not a list"),
    (PLAN, 'plan: {value: »""}', "has 0 characters: 1 to 200 are accepted"),
    (PLAN, f"plan: {{value: »{'x' * 201}}}", "has 201 characters: 1 to 200 are accepted"),
    (PLAN, "plan: {value: »null}", "'value' is empty"),
    (PLAN, "plan: {value: »1e30}", "beyond 64 bits"),
    (PLAN, f"plan: {{value: »0x{'f' * 5000}}}", "number"),
    (PLAN, 'plan: {value: »"a\\0b"}', "character"),
    (PLAN, 'plan: {value: »"\\ud800"}', "character"),
    (PLAN, f"plan: {{path: data.plan, default: »{'x' * 201}}}", "has 201 characters"),
    (PLAN, 'plan: {path: data.plan, default: »"\\0"}', "character"),
    (
        PLAN,
        "plan: {path: data.plan, when_missing: »skipp}",
        "'skipp' is not known: did you mean 'skip'? Accepted are err",
    ),
    (PLAN, "plan: {path: data.plan, when_missing: »default}", "'default' is not known"),
    (PLAN, "plan: {path: data.plan, when_null: »drop}", "'drop' is not known: Accepted are error, remove, skip"),
    (PLAN, "plan: {path: data.plan, too_long: »cut}", "'cut' is not known: Accepted are error, truncate"),
    # Examples.
    (EXAMPLES, "examples: »5\n", "a list is expected"),
    ("- name: nothing\n    event", "- »event", "'name' is missing"),
    ("name: nothing", "name: »gold", "another of the examples has this name"),
    ("- name: nothing\n    event: {id: evt_2, type: other}", "- »name: nothing", "either event or file is needed"),
    ("name: nothing", "»name: nothing\n    file: a.json", "either event or file is needed, and not both"),
    ("event: {id: evt_2, type: other}", "file: »/etc/passwd", "a file in the folder of this mapping file is expected"),
    ("event: {id: evt_2, type: other}", "file: »a/../../b.json", "or below it: no .. and no / first"),
    ("event: {id: evt_2, type: other}", "file: »5", "text is expected, not a number"),
    ("event: {id: evt_2, type: other}", "event: »null", "'event' is empty"),
    ("- name: nothing\n", "- name: nothing\n    »hedaers: {}\n", "no key 'hedaers': did you mean 'headers'?"),
    ("- name: nothing\n", "- name: nothing\n    headers: {X-Id: »5}\n", "text is expected, not a number"),
    ("expect: []", "expect: »nothing", "a list is expected"),
    ("expect: []", "expect: [»5]", "a block of keys is expected here"),
    (
        EXPECTED,
        "{»sett: {tier: gold}}",
        "no key 'sett': did you mean 'set'? Accepted are entity, id, lookup, remove, set",
    ),
    (EXPECTED, "{entity: »custmer}", "did you mean 'customer'?"),
    (EXPECTED, "{id: »5}", "text is expected, not a number"),
    (EXPECTED, "{lookup: {»alias: a}}", "no key 'alias': "),
    (EXPECTED, "{set: {tier: »[gold]}}", "text or a number is expected, not a list"),
    (EXPECTED, "{set: »tier}", "a block of keys is expected here"),
    (EXPECTED, "{remove: »tier}", "a list is expected"),
    (EXPECTED, "{remove: [»5]}", "text is expected, not a number"),
    # Expressions: the place is the character in the text.
    (TIER, "tier: data.tier[»", "not a JMESPath expression: it ends too early"),
    (TIER, "tier: »lowr(data.tier)", "no function 'lowr': did you mean 'lower'? Accepted are abs, add, "),
    (TIER, "tier: concat(lower(a), »lower(a, b))", "lower() takes (text): 2 given"),
    (TIER, "tier: data.tier »tier", "'tier' does not belong there"),
    (TIER, "tier: data.custom»-field", "Unknown token '-'"),
    (TIER, "tier: 'data.tier.»'", "it ends too early"),
    (TIER, 'tier: "data.»5"', "5 does not belong there"),
    (TIER, "tier: '»`gold`'", "what stands between backticks must be JSON: text goes between single quotes"),
    (TIER, "tier: {path: data.»}", "it ends too early"),
    (TIER, 'tier: {path: "data[»x]"}', "'x' does not belong there"),
    (TIER, "tier: »|\n        data.5", "5 does not belong there"),
    ("when: data.live", "when: data.live ==»", "it ends too early"),
    ("id: data.id", "id: data[»", "it ends too early"),
    ("id: data.id", "id: https:»//example.com", "an address is a text and no path: as a constant it is {value: ...}"),
    ("id: data.id", "id: 5»%", "a text that is always the same is {value: ...}"),
    ("id: data.id", f"id: »{OTHER_UUID}", "this is an id itself: write the path that leads to one in the event"),
    ("for_each: data.parts", "for_each: data.»5", "5 does not belong there"),
    ("item.id", "»nope(item)", "no function 'nope'"),
    ("data.changed", "»date()", "date() takes (time[, zone[, form]]): 0 given"),
    (TIER, f"tier: »a{'|a' * 3000}", "too deep"),
    # YAML itself.
    ("    when", "»\twhen", "not YAML: a tab: YAML is indented with spaces"),
    ("    when: data.live", "    when: data.live\n     »entity: customer", "not YAML: this line belongs to nothing"),
    ("  - name: seats", " »- name: seats", "not YAML: "),
    (PLAN, "plan: »{path: data.plan\n      origin: x}", "not YAML: what begins with { here does not end"),
    ("when: data.live", "when: a»: b", "not YAML: a colon and a space within a value: put the whole value in quotes"),
    ("when: data.live", "when: »`true`", "not YAML: a value cannot begin with `: put the whole value in quotes"),
    ("when: data.live", "when: »*live", "not YAML: a value that begins with * refers to an anchor, and there is none"),
    ("when: data.live", "when: »!env live", "the tag !env is not accepted: plain YAML 1.2 is"),
    ("what the tests know", "»!!binary bGl2ZQ==", "the tag tag:yaml.org,2002:binary is not accepted"),
    ("what the tests know", "»!!python/object:os.system x", "is not accepted"),
    ("fields:\n      seats: item.seats", "fields: »!custom {seats: item.seats}", "the tag !custom is not accepted"),
    ('["${SECRET}"]', '»!env ["${SECRET}"]', "the tag !env is not accepted"),
    (
        "{id: evt_2, type: other}",
        "{id: ».nan}",
        ".nan is no number that JSON could hold: put it in quotes if it is text",
    ),
    ("{id: evt_2, type: other}", "{id: »-.inf}", "-.inf is no number"),
    ("{id: evt_2, type: other}", "{id: »1e999}", "1e999 is no number"),
    ("{id: evt_2, type: other}", "{»[a]: b}", "a key must be text"),
    ("{id: evt_2, type: other}", "{id: a, »id: b}", "'id' is given twice: first in line 27"),
    (LOOKUP, f"{LOOKUP}\n    »<<: {{when: data.live}}", "no key '<<'"),
    (TIER, "<<: »{»plan: data.plan}", "either path or value is needed", "no key 'plan'"),
    ("examples:", "»---\nexamples:", "not YAML: "),
    ("when: data.live", "when: data.»\x07", "not YAML: "),
    # Senders that may not say when something happened.
    (GOOD, UNDATED, "warning: token may not say when things happened: name its place with options.event_time, or set"),
    # Several mistakes at once, in the order of the file.
    (
        GOOD,
        SEVERAL,
        "'strpe' is not known",
        "text is expected",
        "text is expected",
        "does not belong there",
        "no function 'lowr'",
        "given twice",
        "text or a number is expected",
    ),
]


@pytest.mark.parametrize("row", WRONG, ids=lambda row: f"{row[1][:40].replace('»', '')} - {row[2][:30]}")
def test_a_mistake_is_told_where_it_is_and_with_what_is_accepted(row):
    part, mistake, *phrases = row
    assert part in GOOD
    text, places = marked(GOOD.replace(part, mistake, 1))
    source, problems = lint(text)
    assert [(problem.line, problem.column) for problem in problems] == places, list(map(str, problems))
    for problem, phrase in zip(problems, phrases, strict=True):
        assert phrase in str(problem)
        assert str(problem).startswith(f"test.yaml:{problem.line}:{problem.column}: ")
    assert (source is None) == any(problem.level == "error" for problem in problems)
    assert not any(secret in str(problem) for secret in SECRETS.values() for problem in problems)


def test_the_good_file_has_no_problem():
    source, problems = lint(GOOD)
    assert problems == []
    assert source is not None
    assert [rule.name for rule in source.rules] == ["profile", "seats"]
    assert [example.place for example in source.examples] == [(22, 11), (26, 11)]


@pytest.mark.parametrize(
    ("part", "remedy"),
    [
        ("sender: token", "sender: token\noptions: {event_time: at}"),
        ("    id: id", "    id: id\n    occurred_at: at"),
        ("sender: token", "sender: stripe"),
    ],
)
def test_a_sender_or_a_rule_that_knows_the_time_is_not_warned_about(part, remedy):
    text, _ = marked(UNDATED)
    assert lint(text.replace(part, remedy))[1] == []


@pytest.mark.parametrize(
    ("written", "exact"),
    [('"\\"data\\".»5"', (12, 23)), ("'\"it''s\".»5'", (12, 22)), ("data.tier\n        || »5", (13, 12))],
    ids=["escapes", "doubled quotes", "two lines"],
)
def test_in_text_written_with_escapes_or_folds_the_place_is_exact_or_the_beginning(written, exact):
    text, places = marked(GOOD.replace("lower(data.tier)", written))
    assert places == [exact]
    (problem,) = lint(text)[1]
    assert "5 does not belong there" in problem.message
    assert (problem.line, problem.column) in (exact, (12, 13))


THIN = """\
sender: stripe
secrets: ["${SECRET}"]
rules:
  - name: account
    events: [v2.core.account.*]
    when: exists(related_object.id)
    entity: customer
    lookup: {ingest_alias: related_object.id}
    fields:
      changed_at: created
      tier: »lower(data.object.metadata.tier)
      name: {path: »data.object.name, default: none}
"""


def test_what_a_vendor_that_sends_ids_only_cannot_fill_is_said():
    text, places = marked(THIN)
    source, problems = lint(text)
    assert source is not None
    assert [(problem.line, problem.column) for problem in problems] == places
    assert "stripe sends no data.object.metadata.tier with these events, only id, object, type" in str(problems[0])


@pytest.mark.parametrize("events", ["[customer.updated]", "[v2.core.account.updated, customer.updated]", "['*']"])
def test_what_some_of_the_events_carry_is_not_warned_about(events):
    text, _ = marked(THIN.replace("[v2.core.account.*]", events))
    assert lint(text)[1] == []


def test_what_options_leave_open_is_said():
    text, _ = marked(UNDATED)
    hmac = "sender: hmac\noptions: {header: X-Sig, event_time: 'header:X-At'}"
    (problem,) = lint(text.replace("sender: token", hmac))[1]
    assert (problem.level, problem.code) == ("note", "weak-sender")
    assert "X-At is not signed" in problem.message
