"""Mistakes that people make, one kind a row: the check that finds it, where, and with which words.

`test_lint` has what is no mapping file; here is mostly what could be one, and cannot be meant.
"""

import pytest

from bridge.mapping.checks import CHECKS
from tests.mapping.making import check, marked

GOOD = """\
sender: stripe
secrets: ["${SECRET}"]
rules:
  - name: profile
    events: [customer.created, customer.updated]
    when: data.object.livemode
    entity: customer
    id: data.object.metadata.metronome_id
    fields:
      tier: lower(data.object.metadata.tier)
      plan: {path: data.object.plan, default: free}
      origin: {value: stripe}
  - name: seats
    events: [customer.subscription.*]
    for_each: data.object.items.data
    when: item.kind == 'seat'
    entity: subscription
    id: item.id
    fields:
      seats: item.quantity
examples:
  - name: a profile
    event:
      id: evt_1
      type: customer.updated
      created: 1795341600
      data:
        object:
          livemode: true
          plan: scale
          cents: 500
          tags: [a, b]
          metadata: {tier: Gold, metronome_id: 99594816-e8a5-4bca-be21-8d1de0f45120}
    expect:
      - {entity: customer, set: {tier: gold, plan: scale}}
  - name: seats
    event:
      id: evt_2
      type: customer.subscription.updated
      created: 1795341600
      data:
        object:
          items: {data: [{kind: seat, id: 0a5f2d3c-6c5b-4a7e-9d43-1c0a2f3b4d5e, quantity: 5}]}
    expect:
      - {entity: subscription, set: {seats: 5}}
"""
WHEN = "when: data.object.livemode"
TIER = "tier: lower(data.object.metadata.tier)"
PLAN = "plan: {path: data.object.plan, default: free}"
ID = "id: data.object.metadata.metronome_id"
SEAT = "when: item.kind == 'seat'"
QUANTITY = "seats: item.quantity"
EVENTS = "events: [customer.created, customer.updated]"
FIELDS = GOOD[GOOD.index("    fields:\n      tier") : GOOD.index("  - name: seats")]
PROFILE = GOOD[GOOD.index("  - name: profile") : GOOD.index("  - name: seats")]
EXAMPLES = GOOD[GOOD.index("examples:") :]


SAME = (
    "{origin: {value: stripe}, tier: lower(data.object.metadata.tier), plan: {path: data.object.plan, default: free}}"
)


def rule(name, **keys):
    """Another rule beside the profile, with other keys."""
    given = {"events": "[customer.created, customer.updated]", "when": "data.object.livemode", **keys}
    lines = [f"    {key}: {value}" for key, value in given.items() if value and key != "fields"]
    fields = given.get("fields", "{tier: data.object.metadata.tier}")
    return f"  - name: {name}\n    entity: customer\n    {ID}\n" + "\n".join(lines) + f"\n    fields: {fields}\n"


def beside(other):
    return ("  - name: seats\n    events", f"{other}  - name: seats\n    events")


#: The check; a part of the good file, what stands there instead, with a » where something is said; what is said.
MISTAKES = [
    (
        "future-time",
        "name: a profile\n    event:\n      id: evt_1\n      type: customer.updated\n      created: 1795341600",
        "name: »a profile\n    event:\n      id: evt_1\n      type: customer.updated\n      created: 1801389600",
        "the event of this example lies 70 days in the future: what lies in the future when it is received is dated by",
    ),
    # Text, fields and literals, which JMESPath tells apart by their quotes.
    ("quoted-name", WHEN, 'when: type == »"gold"', "text goes between single quotes, as in 'gold'"),
    ("quoted-name", WHEN, 'when: data.object.livemode && »"gold" == type', "as in 'gold'"),
    ("quoted-name", WHEN, 'when: starts_with(type, »"customer.")', "as in 'customer.'"),
    ("quoted-name", TIER, "tier: replace(data.object.plan, »\"s\", '.')", "as in 's'"),
    ("quoted-name", TIER, 'tier: date(created, »"Europe/Berlin")', "as in 'Europe/Berlin'"),
    ("quoted-name", TIER, 'tier: coalesce(data.object.plan, »"none")', "as in 'none'"),
    ("quoted-name", QUANTITY, 'seats: data.object.items.data[?kind == »"seat"] | [0].quantity', "as in 'seat'"),
    ("bare-word", WHEN, "when: data.object.livemode == »true", "a literal goes between backticks, as in `true`"),
    ("bare-word", WHEN, "when: data.object.plan != »null", "as in `null`"),
    ("bare-word", WHEN, "when: data.object.plan != »None", "as in `null`"),
    ("bare-word", WHEN, "when: data.object.plan == »scale", "no example has a field scale: text goes between single"),
    ("text-order", WHEN, "when: data.object.cents > »'100'", "write to_number(path) and `100`"),
    ("expression-syntax", WHEN, "when: data.object.cents > »100", "a number goes between backticks, as in `100`"),
    ("expression-syntax", WHEN, "when: data.object.plan »= 'scale'", "two are compared with =="),
    ("expression-syntax", WHEN, "when: data.object.livemode »and type", "and is written &&"),
    ("expression-syntax", WHEN, "when: data.object.livemode »or type", "or is written ||"),
    ("expression-syntax", WHEN, "when: not »data.object.livemode", "not is written !"),
    ("expression-syntax", WHEN, "when: data.object.plan <»> 'scale'", "different is !="),
    ("expression-syntax", WHEN, "when: data.object.plan »? type", "there is no ? and : here"),
    ("expression-syntax", TIER, "tier: data.object.»1st_tier", 'double quotes, as in "1st_tier"'),
    ("expression-syntax", TIER, "tier: data.object.tags.»0", "as in [0]; a key that begins with a digit goes between"),
    ("expression-syntax", TIER, "tier: data.object.account»-tier", 'double quotes, as in "account-tier"'),
    ("expression-syntax", TIER, "tier: data.object.gr»öße", 'double quotes, as in "größe"'),
    ("expression-syntax", TIER, "tier: data.object[»'tier']", "a key follows a dot"),
    ("expression-syntax", TIER, "tier: »$.data.object.tier", "drop the $"),
    ("expression-syntax", TIER, "tier: data.object.».tier", "one dot leads to the next key"),
    ("expression-syntax", TIER, "tier: data.object.cents »+ created", "a sum is add(a, b)"),
    ("expression-syntax", TIER, "tier: data.object.plan == »\u2018scale\u2019", "a typographic quote"),
    ("expression-syntax", TIER, "tier: lower(data.object.plan»", "a ) is missing"),
    ("expression-syntax", TIER, "tier: split(data.object.plan, »' #')", "what follows # for a comment: put the whole"),
    ("yaml-syntax", TIER, "tier: {path: »`gold`}", "a value cannot begin with `: put the whole value in quotes"),
    # Functions: what can never work.
    ("unknown-function", TIER, "tier: »lowr(data.object.plan)", "did you mean 'lower'?"),
    ("unknown-function", TIER, "tier: »len(data.object.tags)", "did you mean 'length'?"),
    ("argument-count", TIER, "tier: »split(data.object.plan)", "split() takes (text, separator): 1 given"),
    ("argument-type", TIER, "tier: length(»`5`)", "length() takes text or a list or an object here, not a number"),
    (
        "argument-type",
        TIER,
        "tier: join(»`1`, data.object.tags)",
        "join() takes text as its first argument, not a number",
    ),
    ("argument-type", TIER, "tier: join(data.object.tags, »', ')", "a list of texts as its second argument, not text"),
    ("argument-type", TIER, "tier: map_value(data.object.plan, »'text')", "takes an object as its table, not text"),
    (
        "argument-type",
        TIER,
        "tier: date(created, »'Mars/Base')",
        "does not know this zone: names such as Europe/Berlin",
    ),
    ("argument-type", TIER, "tier: date(created, »'Europe/Berln')", "did you mean 'Europe/Berlin'?"),
    ("argument-type", TIER, "tier: date(created, 'UTC', »'foo')", "date() makes 'date' or 'datetime'"),
    ("argument-type", TIER, "tier: from_epoch(created, »'hours')", "from_epoch() takes 's', 'ms' or 'us'"),
    ("argument-type", WHEN, "when: matches(data.object.plan, »'(')", "RE2 accepts: missing ): ("),
    ("argument-type", TIER, "tier: divide(data.object.cents, »`0`)", "divide() by zero"),
    ("argument-type", TIER, "tier: split(data.object.plan, »'')", "takes a separator that is not empty"),
    ("argument-type", TIER, "tier: add(data.object.cents, »'a')", "add() takes numbers, and this text is none"),
    ("argument-type", TIER, "tier: substring(data.object.plan, »'a')", "takes numbers, and this text is none"),
    ("argument-type", TIER, "tier: round(data.object.cents, »`1.5`)", "round() takes a whole number here"),
    ("argument-type", TIER, "tier: lower(»data.object.tags[])", "lower() takes text, not a list"),
    ("argument-type", TIER, "tier: sum(»length(data.object.tags))", "takes a list of numbers here, not a number"),
    (
        "argument-type",
        TIER,
        "tier: sort_by(data.object.tags, »name) | [0]",
        "an expression with & before it as its second",
    ),
    ("argument-type", TIER, "tier: replace(data.object.plan, »`null`, 'x')", "replace(): what it is given is null"),
    # What the place of an expression never takes.
    ("never-works", TIER, "tier: »data.object.tags[]", "and this is always a list: take one element"),
    ("unknown-key", TIER, "tier: {path: data.object.plan, »defualt: x}", "did you mean 'default'?"),
    ("never-works", ID, "id: \"»'data.object.id'\"", "this text is none: a path stands without single quotes"),
    (
        "never-works",
        ID,
        "id: »length(data.object.tags)",
        "a UUID as text is expected here, and this is always a number",
    ),
    (
        "never-works",
        "for_each: data.object.items.data",
        "for_each: »lower(data.object.plan)",
        "a list is expected here",
    ),
    ("never-works", ID, f"{ID}\n    occurred_at: \"»'created'\"", "a time is expected here"),
    # Conditions that say nothing.
    ("constant-condition", WHEN, "when: \"»'data.object.livemode'\"", "a text alone is no comparison"),
    ("constant-condition", WHEN, "when: data.object.plan == 'scale' || »'free'", "write path == '...' for each"),
    ("constant-condition", WHEN, "when: »exists('data.object.livemode')", "it reads nothing of the event"),
    ("constant-condition", WHEN, 'when: "»length(data.object.tags)"', "0 counts as true as well"),
    ("constant-condition", WHEN, "when: data.object.livemode || »`true`", "this always holds"),
    ("constant-condition", WHEN, "when: data.object.livemode && »length(data.object.tags)", "this always holds"),
    ("constant-condition", SEAT, "when: »upper(item.kind) == 'SEAT' && upper(item.kind) == 'PLAN'", "this never holds"),
    ("constant-condition", SEAT, "when: »item.kind != 'plan' || item.kind != 'base'", "this always holds"),
    # What no example has.
    ("unreached-path", TIER, "tier: data.object.»metdata.tier", "no example has metdata: did you mean 'metadata'?"),
    ("unreached-path", TIER, "tier: lower(data.object.metadata.»Tier)", "did you mean 'tier'?"),
    ("unreached-path", TIER, "tier: data.object.tags.»name", "what it is looked for in is a list: name an element"),
    ("unreached-path", QUANTITY, "seats: item.»quantiy", "did you mean 'quantity'?"),
    ("unreached-path", QUANTITY, "seats: sum(data.object.items.data[].»quantiy)", "did you mean 'quantity'?"),
    ("unreached-path", ID, f"{ID}\n    occurred_at: data.object.»updated", "no example has updated here, but cents, "),
    ("item-outside", TIER, "tier: »item.tier", "item is there only where the rule has for_each"),
    # Rules beside each other, and event types.
    ("covered-pattern", EVENTS, "events: [customer.*, »customer.updated]", "customer.updated is one of customer.*"),
    ("covered-pattern", EVENTS, "events: [customer.updated, »customer.updated]", "customer.updated is given twice"),
    (
        "double-write",
        *beside(rule("again", fields="{»tier: data.object.plan}")),
        "rule 'profile' sets tier of the same",
    ),
    ("double-write", *beside(rule("again", when="", fields="{»tier: data.object.plan}")), "the later rule wins"),
    (
        "shadowed-rule",
        *beside(
            rule(
                "»again",
                fields=SAME,
            )
        ),
        "this one changes",
    ),
    ("event-pattern", EVENTS, 'events: [»"*.updated"]', "a * is accepted at the end only"),
    ("wrong-type", EVENTS, "events: »customer.updated", "a list is expected"),
    # Fields.
    (
        "unused-default",
        PLAN,
        "plan: {path: data.object.plan, default: »free, when_missing: skip, when_null: skip}",
        "this default is never used",
    ),
    (
        "never-written",
        PLAN,
        'plan: {path: data.object.plan}\n      »note: {path: "`null`", when_null: skip}',
        "never wr",
    ),
    ("length", TIER, f"»{'k' * 101}: data.object.plan", "1 to 100 printable characters"),
    ("length", PLAN, f"plan: {{path: data.object.plan, default: »{'x' * 201}}}", "has 201 characters"),
    ("length", PLAN, f"plan: {{value: »{'x' * 201}}}", "has 201 characters"),
    ("conflicting-keys", PLAN, "plan: »{path: data.object.plan, value: free}", "either path or value is needed"),
    ("duplicate-key", TIER, f"{TIER}\n      »tier: data.object.plan", "'tier' is given twice: first in line 10"),
    # Examples.
    (
        "example-asserts-nothing",
        "{entity: customer, set: {tier: gold, plan: scale}}",
        "»{entity: customer}",
        "any change",
    ),
    ("example-failed", "name: a profile", "name: »profile", "- set tier: 'silver'\n  + set tier: 'gold'"),
    (
        "duplicate-name",
        "name: seats\n    event:",
        "name: »a profile\n    event:",
        "another of the examples has this name",
    ),
    # Secrets.
    ("secret-in-file", '["${SECRET}"]', "[»whsec_bm90IHNvIHNlY3JldA==]", "write ${NAME} and set NAME"),
    ("secret-unset", '["${SECRET}"]', '[»"${SECRT}"]', "SECRT is not set"),
    # YAML.
    ("yaml-syntax", f"    {WHEN}", f"»\t{WHEN}", "a tab: YAML is indented with spaces"),
    ("yaml-syntax", f"    {WHEN}", f"     »{WHEN}", "indented like none of those above"),
    ("yaml-syntax", f"    {WHEN}", f"   »{WHEN}", "the keys of a block stand exactly under each other"),
    ("yaml-syntax", WHEN, 'when: "type" »== data.object.plan', 'something follows what ended with "'),
    ("yaml-syntax", WHEN, "when: 'a' »|| type", "something follows what ended with '"),
    ("yaml-syntax", WHEN, "when: data.object»: true", "a colon and a space within a value"),
    ("yaml-syntax", WHEN, "»when data.object.livemode", "the colon is missing"),
    ("yaml-syntax", WHEN, "»when:data.object.livemode", "a space is missing after the colon"),
    (
        "yaml-syntax",
        "  - name: seats\n    events",
        "  »-name: seats\n    events",
        "a space is missing after the dash",
    ),
    ("yaml-syntax", EVENTS, "events: »[customer.created", "a comma or a ] is missing"),
    ("yaml-syntax", WHEN, 'when: »"data.object.livemode', 'a " is missing'),
    ("yaml-syntax", WHEN, "when: »*live", "a value that begins with *"),
    ("yaml-syntax", WHEN, f"»\u00a0{WHEN}", "an invisible character"),
    ("yaml-tag", WHEN, "when: »!exists(data.object.deleted)", "a value that begins with ! needs quotes"),
    ("yaml-number", PLAN, "plan: {path: data.object.plan, default: ».nan}", "put it in quotes if it is text"),
    ("key-type", ID, "id: {»{data.object.id}}", "a path stands alone, without {{ and }}"),
    ("unknown-key", WHEN, "»whne: data.object.livemode", "did you mean 'when'?"),
    ("unknown-word", "customer\n    id: data", "»Customer\n    id: data", "did you mean 'customer'?"),
    ("unknown-word", "sender: stripe", "sender: »Stripe", "did you mean 'stripe'?"),
]


@pytest.mark.parametrize(("code", "part", "mistake", "phrase"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_is_found_by_its_check_at_its_place_and_with_a_remedy(code, part, mistake, phrase):
    assert part in GOOD
    text, (place,) = marked(GOOD.replace(part, mistake, 1))
    if code == "example-failed":
        text = text.replace("{tier: gold,", "{tier: silver,")
    found = [problem for problem in check(text) if problem.code == code]
    assert [(problem.line, problem.column) for problem in found] == [place], [str(problem) for problem in check(text)]
    assert phrase in found[0].message
    assert found[0].level == CHECKS[code].level


@pytest.mark.parametrize(
    ("renews_at", "future_events", "phrase"),
    [
        (1795341000 + 299, "", None),
        (
            1795341000 + 30 * 86400,
            "",
            "in an example this lies 30 days after the event itself",
        ),
        (1795341000 + 30 * 86400, "future_events: {action: fail}\n", "such changes fail"),
        (1795341000 + 30 * 86400, "future_events: {tolerance: 30d}\n", None),
    ],
)
def test_a_rule_dated_by_what_is_still_to_come_is_found(renews_at, future_events, phrase):
    text = GOOD.replace(ID, f"{ID}\n    occurred_at: data.object.renews_at", 1)
    text = future_events + text.replace("livemode: true", f"livemode: true\n          renews_at: {renews_at}")
    text = text.replace("created: 1795341600", "created: 1795341000")
    found = [problem for problem in check(text) if problem.code == "future-time"]
    assert [phrase in problem.message for problem in found] == ([True] if phrase else [])


WRONG_FUTURES = [
    ("{tolerance: 5}", "text is expected, not a number"),
    ("{tolerance: five}", "a number and s, m, h or d is expected, such as 5m or 2d"),
    ("{tolerance: -5m}", "a number and s, m, h or d is expected"),
    ("{action: drop}", "'drop' is not known: Accepted are date_by_receipt, fail"),
    ("{tolerence: 5m}", "no key 'tolerence': did you mean 'tolerance'?"),
    ("fail", "a block of keys is expected"),
]


@pytest.mark.parametrize(("given", "phrase"), WRONG_FUTURES)
def test_what_is_said_of_the_future_is_checked(given, phrase):
    assert any(phrase in problem.message for problem in check(f"future_events: {given}\n{GOOD}"))


def test_the_good_file_has_no_problem():
    assert check(GOOD) == []


def test_everything_is_said_at_once():
    wrong = (
        GOOD.replace("entity: customer", "entity: custmer")
        .replace(WHEN, 'when: type == "gold"')
        .replace(TIER, "tier: divide(lowr(data), `0`)")
        .replace("[customer.created, customer.updated]", "[customer.*, customer.updated]")
        .replace(QUANTITY, "seats: date(item, 'Mars')")
    )
    codes = [problem.code for problem in check(wrong)]
    expected = ["covered-pattern", "quoted-name", "unknown-word", "unknown-function", "argument-type", "unknown-word"]
    assert codes == expected
