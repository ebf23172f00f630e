"""Problems as people and tools read them: text with the offending line, JSON, annotations of GitHub, SARIF."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import quote

from bridge import __version__
from bridge.mapping.checks import CHECKS, LEVELS, Check, check_of
from bridge.mapping.documents import Problem

#: The version of the JSON's shape: it changes when something is renamed or removed.
SHAPE = 1
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

#: How much of a long line is shown around the place.
WIDTH = 100
#: Characters that would steer a terminal, or be wider or narrower than they look.
_UNSHOWN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")

_SECRETS = re.compile(r"""\bsecrets['"]?\s*:""")
_KEY = re.compile(r"""\s*(?:-\s+)?\{?\s*['"]?\w[\w -]*['"]?\s*:(?:\s|$)""")
_HARMLESS = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}|\bsecrets['\"]?\s*:|(?:^|\s)#.*$")


@dataclass(frozen=True, slots=True)
class Summary:
    """What was looked at."""

    sources: int = 0
    rules: int = 0
    examples: int = 0
    #: Names of sources whose secrets are not set.
    closed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    problems: tuple[Problem, ...]
    summary: Summary
    #: The lines of each file that has problems, by its path.
    lines: Mapping[str, Sequence[str]]

    def count(self, level: str) -> int:
        return sum(problem.level == level for problem in self.problems)

    def failed(self, *, strict: bool) -> bool:
        """Whether there is an error, or, if that is asked for, a warning."""
        return bool(self.count("error") or (strict and self.count("warning")))


def text_of(problem: Problem, lines: Sequence[str]) -> str:
    """`file:line:column: message [code]`, and below it the line with a caret under the place."""
    head, *rest = str(problem).split("\n")
    return "\n".join([f"{shown(head)} [{problem.code}]", *map(shown, rest), *excerpt(problem, lines)])


def excerpt(problem: Problem, lines: Sequence[str]) -> list[str]:
    """The line and its caret; nothing where there is no line, or where a secret might stand in it."""
    if not 0 < problem.line <= len(lines) or may_hold_a_secret(lines, problem.line):
        return []
    line = lines[problem.line - 1].replace("\t", " ")
    at = min(problem.column - 1, len(line))
    begin = max(0, min(at - WIDTH // 2, len(line) - WIDTH))
    piece = line[begin : begin + WIDTH]
    before, after = ("... " if begin else ""), (" ..." if begin + WIDTH < len(line) else "")
    margin = f"{problem.line:>5} | "
    return [
        f"{margin}{before}{shown(piece)}{after}".rstrip(),
        f"{' ' * (len(margin) - 2)}| {' ' * (len(before) + at - begin)}^",
    ]


def shown(text: str) -> str:
    """Fit for a terminal: what would steer it is a question mark."""
    return _UNSHOWN.sub("?", text)


def may_hold_a_secret(lines: Sequence[str], number: int) -> bool:
    """Whether the line is in the block `secrets`, and has more in it than names of variables."""
    if not re.search(r"\w", _HARMLESS.sub("", lines[number - 1])):
        return False
    begin = next((at for at in reversed(range(number)) if _SECRETS.search(lines[at])), None)
    if begin is None:
        return False
    between = lines[begin + 1 : number]
    return not any(_KEY.match(line) and indent(line) <= indent(lines[begin]) for line in between)


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def as_text(report: Report) -> str:
    return "\n".join(text_of(problem, report.lines.get(problem.path, ())) for problem in report.problems)


def as_json(report: Report) -> str:
    """{version, summary: {errors, warnings, notes, sources, rules, examples, closed}, problems: [...]}"""
    summary = report.summary
    return dumped(
        {
            "version": SHAPE,
            "summary": {
                **{f"{level}s": report.count(level) for level in LEVELS},
                "sources": summary.sources,
                "rules": summary.rules,
                "examples": summary.examples,
                "closed": list(summary.closed),
            },
            "problems": [
                {
                    "path": problem.path,
                    "line": problem.line,
                    "column": problem.column,
                    "level": problem.level,
                    "code": problem.code,
                    "message": problem.message,
                }
                for problem in report.problems
            ],
        }
    )


def dumped(value: object) -> str:
    """ASCII alone: it passes every pipe, and half a character in a message does no harm."""
    return json.dumps(value, indent=2)


#: https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}
#: As @actions/core escapes a message, and, with two more, a property.
ESCAPED = {"%": "%25", "\r": "%0D", "\n": "%0A"}
ESCAPED_IN_PROPERTIES = {**ESCAPED, ":": "%3A", ",": "%2C"}


def as_github(report: Report) -> str:
    """One workflow command a problem: GitHub shows them beside the lines of a pull request."""
    return "\n".join(map(annotation, report.problems))


def annotation(problem: Problem) -> str:
    properties = {
        "file": PurePath(problem.path).as_posix(),
        "line": problem.line,
        "col": problem.column,
        "title": f"{check_of(problem.code).title} ({problem.code})",
    }
    listed = ",".join(f"{name}={escaped(str(value), ESCAPED_IN_PROPERTIES)}" for name, value in properties.items())
    return f"::{COMMANDS[problem.level]} {listed}::{escaped(shown_lines(problem.message), ESCAPED)}"


def escaped(text: str, table: Mapping[str, str]) -> str:
    return "".join(table.get(character, character) for character in text)


def shown_lines(text: str) -> str:
    return "\n".join(map(shown, text.split("\n")))


def as_sarif(report: Report) -> str:
    """SARIF 2.1.0, as code scanning of GitHub, GitLab and editors take it: https://docs.oasis-open.org/sarif/sarif/v2.1.0/"""
    codes = sorted({problem.code for problem in report.problems} | set(CHECKS))
    driver = {
        "name": "metronome-bridge",
        "version": __version__,
        "rules": [rule_of(code, check_of(code)) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [result_of(problem, codes.index(problem.code)) for problem in report.problems],
    }
    return dumped({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


def rule_of(code: str, check: Check) -> dict[str, object]:
    return {
        "id": code,
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": f"{check.title}: {check.remedy}"},
        "help": {"text": check.remedy},
        "defaultConfiguration": {"level": check.level},
    }


def uri_of(path: PurePath) -> str:
    """Relative to the root of the repository, which is where programs run `check`; else the whole address."""
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def result_of(problem: Problem, index: int) -> dict[str, object]:
    location = {
        "artifactLocation": {"uri": uri_of(PurePath(problem.path))},
        "region": {"startLine": problem.line, "startColumn": problem.column},
    }
    return {
        "ruleId": problem.code,
        "ruleIndex": index,
        "level": problem.level,
        "message": {"text": problem.message},
        "locations": [{"physicalLocation": location}],
    }


#: Name on the command line -> how a report is written.
FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}
