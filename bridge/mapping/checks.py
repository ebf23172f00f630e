"""Every check of mapping files as one table: docs/lint.md shows it, and reports for tools are made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

LEVELS = ("error", "warning", "note")


class Said(str):
    """A message that knows which check it comes from."""

    __slots__ = ("code",)

    code: str

    def __new__(cls, code: str, message: str) -> Self:
        made = super().__new__(cls, message)
        made.code = code
        return made


@dataclass(frozen=True, slots=True)
class Check:
    #: error: the file cannot be used; warning: better mend it; note: as it is, but worth knowing.
    level: str
    #: What is found, as a heading.
    title: str
    #: Why that is wrong, and what to do.
    remedy: str
    #: What it looks like.
    wrong: str


CHECKS: Mapping[str, Check] = {
    # The file and its YAML.
    "file-name": Check(
        "error",
        "the file's name cannot be part of a URL",
        "name it with a-z, 0-9, - and _, ending in .yaml: the name is the source's, and its address is /webhooks/NAME",
        "Stripe Prod.yaml",
    ),
    "file-unreadable": Check(
        "error",
        "the file cannot be read",
        "see that it exists, may be read and is saved as UTF-8",
        "stripe.yaml in UTF-16",
    ),
    "file-size": Check(
        "error",
        "the file is too large or too deep",
        "1 MiB, 30,000 lines and commas, and 100,000 values behind aliases are accepted: split it into several sources",
        "a: &a [*a, *a]",
    ),
    "no-mappings": Check(
        "error", "there is no mapping file", "put one into the folder that BRIDGE_MAPPINGS names", "an empty folder"
    ),
    "duplicate-source": Check(
        "error", "two files have one name", "remove or rename one of them", "stripe.yaml beside stripe.yml"
    ),
    "yaml-syntax": Check(
        "error",
        "the file is no YAML",
        "indent with spaces, the same for all keys of a block; put values that begin with a backtick, *, &, !, [ or {,"
        " or that contain `: ` or ` #`, into quotes",
        "when: `true`",
    ),
    "yaml-tag": Check(
        "error", "a value begins with ! and is no text", "put it into quotes", "when: !exists(data.deleted)"
    ),
    "yaml-number": Check(
        "error", "a number that JSON cannot hold", "put it into quotes if it is text", "default: .nan"
    ),
    "duplicate-key": Check(
        "error", "a key is given twice in a block", "remove one of the two", "{tier: data.tier, tier: data.level}"
    ),
    "key-type": Check("error", "a key is no text", "write a word, or put it into quotes", "{[a]: b}"),
    # Keys and values.
    "unknown-key": Check(
        "error", "a key that is not known here", "see the keys that are accepted", "feilds: {tier: tier}"
    ),
    "missing-key": Check("error", "a key that is needed is not there", "add it", "a rule without a name"),
    "empty-value": Check("error", "a key without a value", "write one, or drop the key", "entity:"),
    "wrong-type": Check(
        "error",
        "a value of another kind than is expected",
        "text that looks like a number, true or false needs quotes; lists go between [ ] or behind dashes",
        "events: customer.updated",
    ),
    "unknown-word": Check(
        "error", "a word that is not known here", "see the words that are accepted", "entity: custmer"
    ),
    "wrong-value": Check("error", "a value that is not accepted", "see what is accepted", "rules: []"),
    "length": Check(
        "error",
        "a text that is too long, or empty",
        "Metronome takes keys of 100 and values of 200 characters",
        "a default of 201 characters",
    ),
    "conflicting-keys": Check(
        "error",
        "keys that exclude each other, or one of two is missing",
        "keep the one that is meant",
        "{path: a, value: b}",
    ),
    "unique-disagrees": Check(
        "error",
        "rules say of one key that it is unique, and that it is not",
        "Metronome knows one answer for each key: say the same in all files",
        "unique: true in stripe.yaml, and unique: false in erp.yaml",
    ),
    "crosswalk": Check(
        "error",
        "a crosswalk that cannot be used: the file, a column or a row is not as it must be",
        "correct the CSV file at the line that is named, or the names of its columns",
        "a row whose id is no UUID",
    ),
    "duplicate-name": Check(
        "error",
        "two rules or examples of one name",
        "give each a name of its own: reasons tell them apart",
        "- name: tier",
    ),
    "event-pattern": Check(
        "error", "a * that is not at the end", "write the beginning of the type and a *", "events: ['*.updated']"
    ),
    "invalid-options": Check(
        "error",
        "an option that the sender does not accept",
        "see `metronome-bridge senders NAME`",
        "options: {header: 5}",
    ),
    # Secrets and senders.
    "secret-in-file": Check(
        "warning",
        "a secret stands in the file",
        "write ${NAME}, and set NAME in the environment",
        "secrets: [whsec_abc]",
    ),
    "secret-unset": Check(
        "note",
        "a variable is not set: until it is, the source is closed and answers 503",
        "set it where the bridge runs",
        'secrets: ["${NOT_SET}"]',
    ),
    "secret-invalid": Check(
        "error",
        "a secret is not such as this sender has",
        "copy it from the sender's pages again",
        "a password without a user",
    ),
    "weak-sender": Check(
        "note", "the sender's own proof leaves something open", "see the page of the sender", "sender: shopify"
    ),
    "capture-on": Check(
        "warning",
        "refused requests are kept",
        "take on_unverified out once the source is set up",
        "on_unverified: capture",
    ),
    "no-event-time": Check(
        "warning",
        "the sender does not say when things happened, and the rule does not either",
        "set occurred_at; else the time of receipt decides, and a repeat that comes late looks new",
        "sender: token, and no occurred_at",
    ),
    "future-time": Check(
        "warning",
        "a time in the future, or long after its event, such as a renewal date taken for the time of the change",
        "name the time at which the change was made; a time in the future would win over every later event",
        "occurred_at: data.renews_at",
    ),
    "thin-event": Check(
        "warning",
        "the sender sends ids with these events and not what the path reads",
        "see the page of the sender",
        "a.b",
    ),
    "covered-pattern": Check(
        "warning",
        "an event type that another of the same list covers",
        "drop the narrower one, or the wider one if that is what you mean",
        "events: [customer.*, customer.updated]",
    ),
    "unknown-event-type": Check(
        "warning",
        "an event type that the sender does not send, but nearly",
        "write it as the vendor does: see `metronome-bridge senders NAME`; a type of an example is taken as it is",
        "events: [customer.udpated]",
    ),
    # Expressions.
    "expression-syntax": Check(
        "error",
        "a text that is no JMESPath expression",
        "see docs/mapping.md for paths and expressions",
        "tier: data.5",
    ),
    "unknown-function": Check(
        "error", "a function that does not exist", "see the list of functions", "tier: lowercase(data.tier)"
    ),
    "argument-count": Check(
        "error", "a function with too few or too many arguments", "see the list of functions", "date()"
    ),
    "argument-type": Check(
        "error",
        "an argument with which a function can never work, whatever the event",
        "see what the function takes",
        "divide(data.cents, `0`)",
    ),
    "never-works": Check(
        "error",
        "an expression that gives what its place can never take, such as a list where text is needed",
        "choose one element with [0], or make text of it",
        "seats: data.items[].quantity",
    ),
    "quoted-name": Check(
        "warning",
        "double quotes name a field: this compares with a field of that name, or hands it to a function",
        "text goes between single quotes",
        'when: type == "gold"',
    ),
    "bare-word": Check(
        "warning",
        "a bare word is a field of that name, also true, false and null",
        "literals go between backticks, text between single quotes",
        "when: active == true",
    ),
    "text-order": Check(
        "warning",
        "a comparison with a number in quotes: numbers fail, and texts are ordered letter by letter",
        "make a number of it: to_number(path) > `100`",
        "when: amount > '100'",
    ),
    "constant-condition": Check(
        "warning",
        "a condition that always holds, or never",
        "compare with something in the event, or drop it",
        'when: "length(items)"',
    ),
    "item-unused": Check(
        "warning",
        "for_each, and nothing in the rule reads item: every element does the same",
        "begin paths that are meant for the element with item., or drop for_each",
        "for_each: items, id: customer_id",
    ),
    "item-outside": Check("warning", "item without for_each", "add for_each, or drop item.", "id: item.id"),
    # What rules do together.
    "unreached-path": Check(
        "warning",
        "no example has this key, though examples reach the rule: perhaps it is misspelled",
        "write it as the event has it, or add it to an example",
        "tier: data.object.metdata.tier",
    ),
    "never-written": Check(
        "warning", "a field that can never be set or removed", "give it a path that reads the event", "when_null: skip"
    ),
    "unused-default": Check(
        "warning",
        "a default that is never used: when_missing and when_null both say otherwise",
        "drop one of them",
        "{path: plan, default: free, when_missing: skip, when_null: skip}",
    ),
    "double-write": Check(
        "warning",
        "two rules set one key of one entity from one event: the later one wins",
        "make events or when exclude each other, or drop one",
        "two rules for customer.updated that set tier",
    ),
    "shadowed-rule": Check(
        "warning",
        "a rule all of whose fields another rule sets in the same cases",
        "drop it, or tell the two apart by events or when",
        "a copy of a rule under another name",
    ),
    "rule-without-example": Check(
        "note", "no example reaches the rule", "add an example with such an event", "a rule for invoice.paid alone"
    ),
    # Examples.
    "example-failed": Check(
        "error", "an example leads to something else than it expects", "correct the rule or the example", "expect: []"
    ),
    "coverage": Check(
        "error",
        "the examples show less of the rules than --min-coverage wants",
        "add examples of what is listed",
        "check --min-coverage 100, and a default that no example needs",
    ),
    "example-asserts-nothing": Check(
        "warning", "an expected change that names no key", "say what is set or removed", "expect: [{entity: customer}]"
    ),
    "example-unmatched": Check(
        "warning",
        "no rule is for the events of this example, but for some like it: nothing is tested",
        "see the spelling of type and events",
        "type: customer.update, and expect: []",
    ),
}


def check_of(code: str) -> Check:
    return CHECKS.get(code) or Check("error", "something is wrong", "see the message", "")
