"""Whatever stands in a mapping file, the linter answers with a source or with problems, and raises nothing."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.authoring import coverage, reports
from bridge.mapping import examples
from bridge.mapping import lint as checks
from bridge.mapping.checks import CHECKS
from bridge.mapping.rules import Source
from tests.mapping.making import NOW, QUICK, SECRETS, SHIPPED, json_values, lint

#: Words and marks of real mappings, and what else YAML and expressions know or do not know.
#: Between them they use everything that a mapping file can say.
RICHEST = ("stripe", "hubspot", "salesforce")
WORDS = sorted(set(re.findall(r"\w+|\W", "".join(SHIPPED[name] for name in RICHEST))))
OTHERS = [
    *["\n  ", "\n    ", "\n  - ", "\n---\n", "\n%YAML 1.1\n---\n", "...", "\r\n", "\t"],
    *["\x00", "\x07", "\x85", "\u2028", "\ufeff", '"\\x00"', '"\\ud800"', '"\\UFFFFFFFF"', "é", "🚀"],
    *["&a ", "*a", "&b ", "*b", "!", "!x ", "!<x> ", "!!int ", "!!binary ", "!!set ", "!!null ", "@", "%"],
    *["<<", "=", "\\", "``", "${X}", "${", "options", "on", "5", "-1", "0x1F", "0o7", "1_0", "1e999", ".nan"],
    *["a[", "lower(", "item", "9" * 30, "0x" + "f" * 5000],
]
PIECE = st.sampled_from([*WORDS, *OTHERS])
SCALARS = [
    *["5", "-1.5", "null", "true", "[]", "{}", "''", "[1, [2]]", "*a", "&a x", "!x y", "'`'", "2026-11-22"],
    *["1e30", "#", "a*b", "a.b.[c", "lower(", "${X}", "{a: {b: c}}", "|\n  x", "x: y", '"\\0"', "- a"],
    *["9" * 30, "x" * 300, "a" + "|a" * 500],
]
LINE_ENDS = "\n\r\x85\u2028\u2029"


def check_promises(text):
    source, problems = lint(text)
    assert problems or isinstance(source, Source)
    assert (source is None) == any(problem.level == "error" for problem in problems)
    lines = sum(map(text.count, LINE_ENDS)) + 1
    for problem in problems:
        assert 1 <= problem.line <= lines
        assert problem.column >= 1
        assert problem.level in ("error", "warning", "note")
        assert problem.message
        assert problem.code in CHECKS
        assert not any(secret in str(problem) for secret in SECRETS.values())
    assert problems == sorted(problems, key=lambda problem: (problem.line, problem.column))
    if source:
        found = [*examples.run(source, NOW), *checks.run(source, NOW)]
        assert all(problem.message and 1 <= problem.line <= lines and problem.code in CHECKS for problem in found)
        assert 0 <= coverage.measure(source, NOW).percent <= 100
    for problem in problems:
        assert reports.text_of(problem, text.splitlines())


@given(st.text())
@QUICK
def test_any_text_is_answered(text):
    check_promises(text)


@given(st.lists(PIECE, max_size=25).map("".join))
@settings(QUICK, max_examples=200)
def test_any_heap_of_pieces_is_answered(text):
    check_promises(text)


@pytest.mark.parametrize("name", RICHEST)
@given(data=st.data())
@settings(QUICK, max_examples=25)
def test_a_shipped_mapping_with_a_few_strokes_more_or_less_is_answered(name, data):
    text = SHIPPED[name]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.sampled_from([0, 0, 1, 2, 10]))
        text = text[:start] + data.draw(PIECE | st.just("")) + text[end:]
    check_promises(text)


@pytest.mark.parametrize("name", RICHEST)
@given(data=st.data())
@settings(QUICK, max_examples=25)
def test_a_shipped_mapping_with_other_lines_is_answered(name, data):
    lines = SHIPPED[name].splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(lines) - 1))
        line = lines[number]
        key, colon, _ = line.partition(":")
        scalar = data.draw(st.sampled_from(SCALARS))
        lines[number] = data.draw(
            st.sampled_from([f"{key}{colon} {scalar}", f"  {line}", line[2:], f"{line}\n{line}", ""])
        )
    check_promises("\n".join(lines))


@given(json_values(), json_values())
@settings(QUICK, max_examples=60)
def test_any_shape_under_the_known_keys_is_answered(rules, others):
    known = {"sender": "salesforce", "secrets": others, "options": others, "rules": rules, "examples": rules}
    check_promises(json.dumps(known))


BLOCKS = st.dictionaries(st.sampled_from([word for word in WORDS if word.isidentifier()]), json_values(), max_size=6)


@given(BLOCKS, BLOCKS)
@settings(QUICK, max_examples=60)
def test_any_shape_of_a_rule_and_of_an_example_is_answered(rule, example):
    known = {"sender": "hmac", "secrets": ["${SECRET}"], "options": rule, "rules": [rule, rule], "examples": [example]}
    check_promises(json.dumps(known))
