"""YAML 1.2 as mapping files are read: what a value means, where it is, and files that mean harm."""

import pytest

from bridge.mapping.documents import parse
from tests.mapping.making import lint

#: As the core schema has it: https://yaml.org/spec/1.2.2/#103-core-schema
VALUES = [
    ("NO", "NO"),
    ("no", "no"),
    ("yes", "yes"),
    ("on", "on"),
    ("Off", "Off"),
    ("y", "y"),
    ("true", True),
    ("True", True),
    ("FALSE", False),
    ("null", None),
    ("~", None),
    ("", None),
    ("nil", "nil"),
    ("2024-01-01", "2024-01-01"),
    ("2026-11-22T10:00:00.000Z", "2026-11-22T10:00:00.000Z"),
    ("2026-11-22 10:00:00", "2026-11-22 10:00:00"),
    ("12:30:00", "12:30:00"),
    ("12:30", "12:30"),
    ("190:20:30.15", "190:20:30.15"),
    ("0o14", 12),
    ("0x1F", 31),
    ("12", 12),
    ("-7", -7),
    ("+12", 12),
    ("18446744073709551615", 18446744073709551615),
    ("1_000", "1_000"),
    ("0b101", "0b101"),
    ("1.50", 1.5),
    ("1e3", 1000.0),
    (".5", 0.5),
    ("1.2.3", "1.2.3"),
    ("0-2", "0-2"),
    ("7e", "7e"),
    ("=", "="),
    ("'12'", "12"),
    ('"true"', "true"),
    ('"caf\\u00e9 \\U0001F680"', "café 🚀"),
    ("'it''s'", "it's"),
    ("a: b", {"a": "b"}),
    ("{a: [1, {b: null}]}", {"a": [1, {"b": None}]}),
    ("{1: a, true: b, null: c, NO: d}", {"1": "a", "true": "b", "null": "c", "NO": "d"}),
    ("|\n  two\n  lines", "two\nlines"),
    (">\n  two\n  lines\n", "two lines\n"),
    ("two\n  lines", "two lines"),
    ("!!str 12", "12"),
    ("!!int '12'", 12),
    ("!!float 12", 12.0),
    ("[&x gold, *x]", ["gold", "gold"]),
    ("[&x {a: 1}, *x]", [{"a": 1}, {"a": 1}]),
    ("[&x a, &x b, *x]", ["a", "b", "b"]),
]


@pytest.mark.parametrize(("written", "value"), VALUES)
def test_a_value_means_what_yaml_1_2_says(written, value):
    document, problems = parse(f"v: {written}" if written != "a: b" else "v:\n  a: b", "test.yaml")
    assert problems == []
    assert document.data == {"v": value}
    assert type(document.data["v"]) is type(value)


@pytest.mark.parametrize(("written", "value"), [("NO", "NO"), ("yes", "yes"), ("12:30:00", "12:30:00"), ("0o14", 12)])
def test_an_older_version_of_yaml_is_refused_or_changes_nothing(written, value):
    document, problems = parse(f"%YAML 1.1\n---\nv: {written}\n", "test.yaml")
    assert problems or document.data == {"v": value}


#: What is no number in JSON, or not the number that it looks like, is refused rather than guessed at.
REFUSED = [
    "012",
    "0777",
    "!!int x",
    "!!float x",
    "!!bool yes",
    "!!null x",
    ".inf",
    "-.INF",
    ".NaN",
    "1e999",
    "9" * 5000,
]


@pytest.mark.parametrize("written", REFUSED, ids=lambda written: written[:10])
def test_a_doubtful_value_is_refused_at_its_place(written):
    (problem,) = parse(f"v: {written}", "test.yaml")[1]
    assert (problem.line, problem.column, problem.level) == (1, 4, "error")


PLACES = """\
a: plain
"b": 'quoted'
c: [1, "two",
    {d: e}]
f: |
  block
g:
  - h: i
    j: k
"""


@pytest.mark.parametrize(
    ("path", "value", "key", "fifth"),
    [
        (("a",), (1, 4), (1, 1), (1, 8)),
        (("b",), (2, 6), (2, 1), (2, 11)),
        (("c",), (3, 4), (3, 1), (3, 4)),
        (("c", 0), (3, 5), (3, 5), (3, 9)),
        (("c", 1), (3, 8), (3, 8), (3, 13)),
        (("c", 2, "d"), (4, 9), (4, 6), (4, 13)),
        (("f",), (5, 4), (5, 1), (5, 4)),
        (("g", 0, "j"), (9, 8), (9, 5), (9, 12)),
        (("g", 0, "nothing"), (8, 5), (8, 5), (8, 5)),
        (("g", 7, "nothing"), (8, 3), (8, 3), (8, 3)),
        (("nothing", 1, 2), (1, 1), (1, 1), (1, 1)),
    ],
)
def test_every_value_key_and_character_has_a_place_or_the_nearest_one(path, value, key, fifth):
    document, problems = parse(PLACES, "test.yaml")
    assert problems == []
    assert document.place(path) == value
    assert document.key_place(path) == key
    assert document.place(path, 4) == fifth


LAUGHS = "a: &a [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

#: Files that are too large, too deep or without end; what they say, and the phrase that refuses them.
HARMFUL = [
    ("a billion laughs", LAUGHS, "too large or too deep"),
    ("an alias of itself", "a: &a [*a]", "too large or too deep"),
    ("a mapping of itself", "a: &a {b: *a}", "too large or too deep"),
    ("2 MiB", "# " + "x" * (2 << 20), "more than 1 MiB"),
    ("deep lists", "[" * 600, "not YAML"),
    ("deep objects", "{a: " * 600, "not YAML"),
    ("no character", 'a: "\\U00110000"', "not YAML"),
    ("a number beyond all characters", 'a: "\\UFFFFFFFF"', "not YAML"),
    ("deep blocks", "".join(f"{' ' * n}a:\n" for n in range(600)), "not YAML"),
]


@pytest.mark.parametrize(("text", "phrase"), [row[1:] for row in HARMFUL], ids=[row[0] for row in HARMFUL])
def test_a_harmful_file_is_refused_with_one_problem(text, phrase):
    source, (problem,) = lint(text)
    assert source is None
    assert (problem.line, problem.level) == (1, "error")
    assert phrase in problem.message
    assert len(str(problem)) < 300


MERGED = """\
sender: stripe
secrets: ["${SECRET}"]
rules:
  - &profile
    name: profile
    entity: customer
    id: id
    fields: &fields {tier: tier}
  - name: contract
    entity: contract
    id: id
    fields: *fields
"""


def test_an_alias_stands_for_what_its_anchor_named():
    source, problems = lint(MERGED)
    assert problems == []
    assert [[field.key for field in rule.fields] for rule in source.rules] == [["tier"], ["tier"]]


def test_a_mistake_behind_an_alias_is_told_where_it_is_written():
    _, problems = lint(MERGED.replace("{tier: tier}", "{tier: 'tier['}"))
    assert {(problem.line, problem.column) for problem in problems} == {(8, 34)}


def test_merge_keys_of_yaml_1_1_are_unknown_keys():
    _, problems = lint(MERGED.replace("  - name: contract\n", "  - <<: *profile\n    name: contract\n"))
    assert [(problem.line, problem.column) for problem in problems] == [(9, 5)]
    assert problems[0].message.startswith("no key '<<': Accepted are entity, ")


def test_a_number_that_a_double_cannot_hold_stays_the_text_that_was_written():
    document, problems = parse("a: 12345678901234567.89\nb: 1.10\nc: 20000000000000000000\n", "x.yaml")
    assert problems == []
    assert document.data == {"a": "12345678901234567.89", "b": 1.1, "c": 20000000000000000000}
