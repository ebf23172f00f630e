"""The keys that mapping files declare, and how they compare with Metronome's allow-lists."""

import pytest

from bridge.mapping import files
from bridge.mapping.keys import Declared, Key, Origin, compare, declared

HEAD = """
sender: stripe
secrets: ["${SECRET}"]
rules:
"""


def rule(name, fields, entity="customer"):
    return f"  - {{name: {name}, entity: {entity}, id: data.id, fields: {{{fields}}}}}\n"


@pytest.fixture
def load(tmp_path):
    """Mapping files by their names; without secrets, as in continuous integration."""

    def write(**rules):
        for name, text in rules.items():
            (tmp_path / f"{name}.yaml").write_text(HEAD + text)
        return files.load(tmp_path, lambda _: None)

    return write


def test_every_key_that_a_rule_sets_or_removes_is_declared_whoever_sets_it(load):
    loaded = load(
        one=rule("profile", "tier: data.tier, from: {value: stripe}") + rule("seats", "seats: data.n", "subscription"),
        two=rule("gone", "tier: {path: data.tier, when_missing: remove}"),
    )
    assert declared(loaded.sources.values()) == {
        Key("customer", "from"): Declared(False, (Origin("one", "profile"),)),
        Key("customer", "tier"): Declared(False, (Origin("one", "profile"), Origin("two", "gone"))),
        Key("subscription", "seats"): Declared(False, (Origin("one", "seats"),)),
    }


@pytest.mark.parametrize(
    ("first", "second", "unique"),
    [("", "", False), ("", ", unique: true", True), (", unique: true", "", True), (", unique: false", "", False)],
)
def test_a_key_is_unique_if_a_rule_says_so(load, first, second, unique):
    loaded = load(one=rule("a", f"k: {{path: data.k{first}}}") + rule("b", f"k: {{path: data.k{second}}}"))
    assert loaded.errors == ()
    assert declared(loaded.sources.values())[Key("customer", "k")].unique is unique


def test_rules_that_disagree_about_uniqueness_are_an_error_at_the_later_one(load):
    loaded = load(one=rule("a", "k: {path: data.k, unique: true}"), two=rule("b", "k: {path: data.k, unique: false}"))
    (problem,) = loaded.errors
    assert problem.path.endswith("two.yaml")
    assert (problem.line, problem.code) == (5, "unique-disagrees")
    assert "k of customer is not unique here, and unique in" in problem.message
    assert "one.yaml:5" in problem.message
    assert list(loaded.sources) == ["one"], "what is wrong is not taken up by a running bridge"


def test_rules_of_one_file_may_disagree_no_more_than_those_of_two(load):
    texts = [rule(name, f"k: {{path: data.k, unique: {said}}}") for name, said in (("a", "false"), ("b", "true"))]
    assert [problem.line for problem in load(one="".join(texts)).errors] == [6]


def test_the_same_key_of_another_entity_is_another_key(load):
    loaded = load(
        one=rule("a", "k: {path: data.k, unique: true}") + rule("b", "k: {path: data.k, unique: false}", "contract")
    )
    assert loaded.errors == ()


@pytest.mark.parametrize(
    ("field", "complaint"),
    [
        ("{path: data.k, unique: maybe}", "true or false is expected"),
        ("{path: data.k, unique: 1}", "true or false is expected"),
        ("{value: gold, unique: true}", "cannot be unique"),
    ],
)
def test_uniqueness_that_makes_no_sense_is_refused(load, field, complaint):
    (problem,) = load(one=rule("a", f"k: {field}")).errors
    assert complaint in problem.message


def test_a_constant_may_say_that_it_is_not_unique(load):
    assert load(one=rule("a", "k: {value: gold, unique: false}")).errors == ()


def one(unique):
    return Declared(unique, (Origin("stripe", "customer"),))


CUSTOMER_TIER, CONTRACT_TIER = Key("customer", "tier"), Key("contract", "tier")


@pytest.mark.parametrize(
    ("allowed", "missing", "differing", "unused", "fitting"),
    [
        ({}, [CUSTOMER_TIER], [], [], 0),
        ({CUSTOMER_TIER: False}, [], [], [], 1),
        ({CUSTOMER_TIER: True}, [], [CUSTOMER_TIER], [], 0),
        ({CONTRACT_TIER: False}, [CUSTOMER_TIER], [], [CONTRACT_TIER], 0),
        ({CUSTOMER_TIER: False, Key("customer", "Tier"): True}, [], [], [Key("customer", "Tier")], 1),
    ],
)
def test_keys_are_compared_by_entity_and_letter(allowed, missing, differing, unused, fitting):
    plan = compare({CUSTOMER_TIER: one(False)}, allowed)
    assert (list(plan.missing), list(plan.differing), list(plan.unused), plan.fitting) == (
        missing,
        differing,
        unused,
        fitting,
    )


def test_uniqueness_that_metronome_lacks_differs_too():
    assert list(compare({CUSTOMER_TIER: one(True)}, {CUSTOMER_TIER: False}).differing) == [CUSTOMER_TIER]
