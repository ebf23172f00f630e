"""Problems as people and tools read them."""

import json

import pytest

from bridge.authoring.reports import FORMATS, Report, Summary, as_github, as_json, as_sarif, text_of
from bridge.mapping.checks import CHECKS
from bridge.mapping.documents import Problem

PROBLEM = Problem("mappings/a b.yaml", 2, 5, "50%, or: no", "warning", "quoted-name")
LINES = ["sender: stripe", "\twhen: x", ""]


def report(*problems, lines=LINES):
    return Report(problems, Summary(1, 2, 3, ("a",)), {problem.path: lines for problem in problems})


@pytest.mark.parametrize(
    ("line", "column", "excerpt"),
    [
        ("when: x", 7, ["    1 | when: x", "      |       ^"]),
        ("\twhen: x", 2, ["    1 |  when: x", "      |  ^"]),
        ("when: x", 99, ["    1 | when: x", "      |        ^"]),
        ("a\x1b[31mb", 1, ["    1 | a?[31mb", "      | ^"]),
        ("é: ü", 4, ["    1 | é: ü", "      |    ^"]),
        ("a" * 500, 1, [f"    1 | {'a' * 100} ...", "      | ^"]),
    ],
)
def test_the_line_is_shown_with_a_caret_under_the_place(line, column, excerpt):
    problem = Problem("a.yaml", 1, column, "no")
    assert text_of(problem, [line]).split("\n") == [f"a.yaml:1:{column}: no [invalid]", *excerpt]


def test_the_caret_stands_under_its_character_in_a_long_line():
    line = "".join(chr(97 + number % 26) for number in range(400))
    _, shown, caret = text_of(Problem("a.yaml", 1, 300, "no"), [line]).split("\n")
    assert shown[caret.index("^")] == line[299]


@pytest.mark.parametrize("number", [0, 4, 9])
def test_a_place_without_a_line_is_told_alone(number):
    assert text_of(Problem("a.yaml", number, 1, "no"), LINES) == f"a.yaml:{number}:1: no [invalid]"


@pytest.mark.parametrize(
    "text",
    [
        "secrets: [hunter2]",
        "secrets:\n  - hunter2",
        "secrets:\n- hunter2",
        "secrets:\n  - ${A}\n  - 'hunter2",
        '{"sender": "x", "secrets": ["hunter2"]}',
        '{\n  "secrets": [\n    "hunter2"',
        "sender: x\nsecrets: ${hunter2",
    ],
)
def test_a_line_that_may_hold_a_secret_is_not_shown(text):
    lines = text.split("\n")
    assert "hunter2" not in text_of(Problem("a.yaml", len(lines), 3, "no"), lines)


@pytest.mark.parametrize("text", ['secrets: ["${A}", "${B}"]  # two', "secrets:\n  - ${A}\nrules:\n  - name: x"])
def test_names_of_variables_and_what_follows_are_shown(text):
    lines = text.split("\n")
    assert lines[-1] in text_of(Problem("a.yaml", len(lines), 3, "no"), lines)


def test_json_has_one_shape():
    made = json.loads(as_json(report(PROBLEM)))
    assert made == {
        "version": 1,
        "summary": {
            "errors": 0,
            "warnings": 1,
            "notes": 0,
            "sources": 1,
            "rules": 2,
            "examples": 3,
            "closed": ["a"],
        },
        "problems": [
            {
                "path": "mappings/a b.yaml",
                "line": 2,
                "column": 5,
                "level": "warning",
                "code": "quoted-name",
                "message": "50%, or: no",
            }
        ],
    }


def test_annotations_are_escaped_as_github_reads_them():
    problem = Problem("a,b:c.yaml", 1, 2, "50%\nor, not:\r", "note", "weak-sender")
    assert as_github(report(problem)) == (
        "::notice file=a%2Cb%3Ac.yaml,line=1,col=2,title=the sender's own proof leaves something open"
        " (weak-sender)::50%25%0Aor, not:?"
    )


def test_sarif_names_a_rule_for_every_result():
    (run,) = json.loads(as_sarif(report(PROBLEM, Problem("b.yaml", 1, 1, "no", code="strange"))))["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert set(CHECKS) < set(rules)
    assert len(set(rules)) == len(rules)
    assert [rules[result["ruleIndex"]] for result in run["results"]] == ["quoted-name", "strange"]
    assert [result["ruleId"] for result in run["results"]] == ["quoted-name", "strange"]
    assert run["results"][0]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "mappings/a%20b.yaml"},
        "region": {"startLine": 2, "startColumn": 5},
    }


def test_sarif_gives_a_file_elsewhere_its_whole_address():
    """A relative reference must not begin with a slash: SARIF 2.1.0, 3.4.3."""
    (run,) = json.loads(as_sarif(report(Problem("/etc/a b.yaml", 1, 1, "no"))))["runs"]
    (location,) = run["results"][0]["locations"]
    assert location["physicalLocation"]["artifactLocation"] == {"uri": "file:///etc/a%20b.yaml"}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_takes_no_problem_and_odd_characters(form):
    assert FORMATS[form](report()) is not None
    written = FORMATS[form](report(Problem("\ud800.yaml" if form == "json" else "x.yaml", 1, 1, "\ud800\x1b")))
    assert "\x1b" not in written


@pytest.mark.parametrize(
    ("levels", "strict", "failed"),
    [
        (["error"], False, True),
        (["warning"], False, False),
        (["warning"], True, True),
        (["note"], True, False),
        ([], True, False),
    ],
)
def test_errors_fail_and_warnings_only_if_asked(levels, strict, failed):
    assert report(*(Problem("a", 1, 1, "no", level) for level in levels)).failed(strict=strict) is failed


def test_every_check_is_explained():
    for code, check in CHECKS.items():
        assert code == code.lower()
        assert check.level in ("error", "warning", "note")
        assert check.title
        assert check.remedy
        assert check.wrong
