"""Why a text is no YAML, in the words of those who write a mapping file: what to type, and where."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ruamel.yaml.error import MarkedYAMLError, StringMark

#: What word processors and chats put in the place of a space, or between characters.
INVISIBLE = re.compile("[\u00a0\u2007\u202f\u200b\u200c\u200d\u2060\ufeff]")

RETYPE = "word processors and chats put such; type the spaces here anew"

_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_INDENT = "the keys of a block stand exactly under each other"
_QUOTES = "put the whole value in quotes"


@dataclass(frozen=True, slots=True)
class Failure:
    """Where ruamel.yaml gave up, and what it was at."""

    problem: str
    lines: list[str]
    #: Where it gave up, and where what it was reading begins: line and column from 0.
    at: tuple[int, int]
    since: tuple[int, int] | None

    @property
    def line(self) -> str:
        return self.line_at(self.at[0])

    @property
    def before(self) -> str:
        return self.line[: self.at[1]]

    def line_at(self, number: int) -> str:
        return self.lines[number] if number < len(self.lines) else ""


#: What is said, and where.
Remedy = tuple[str, tuple[int, int]]


def lines_of(text: str) -> list[str]:
    """As YAML counts them."""
    return _LINE_END.split(text)


def explain(error: MarkedYAMLError, text: str) -> Remedy:
    """What is wrong, and line and column from 1."""
    failure = Failure(
        problem=str(error.problem or error.context or "it cannot be read"),
        lines=lines_of(text),
        at=position(error.problem_mark or error.context_mark) or (0, 0),
        since=position(error.context_mark) if error.problem_mark else None,
    )
    for fragment, explained in TRAPS:
        if fragment in failure.problem:
            message, (line, column) = explained(failure)
            return f"not YAML: {message}", (line + 1, column + 1)
    return f"not YAML: {failure.problem}", (failure.at[0] + 1, failure.at[1] + 1)


def position(mark: StringMark | None) -> tuple[int, int] | None:
    return (mark.line, mark.column) if mark else None


def start_of(failure: Failure, number: int) -> tuple[int, int]:
    """Where a line's content begins."""
    line = failure.line_at(number)
    return number, len(line) - len(line.lstrip())


def odd_character(failure: Failure) -> Remedy:
    character = failure.line[failure.at[1] : failure.at[1] + 1]
    if character == "\t":
        return "a tab: YAML is indented with spaces, so put spaces in its place", failure.at
    return f"a value cannot begin with {character}: {_QUOTES}", failure.at


def second_colon(failure: Failure) -> Remedy:
    first = re.search(r":\s", failure.before)
    if first:
        return f"a colon and a space within a value: {_QUOTES}", failure.at
    return f"this line belongs to nothing: the one above has its value already, and {_INDENT}", start_of(
        failure, failure.at[0]
    )


def no_colon(failure: Failure) -> Remedy:
    number, column = failure.since or failure.at
    line = failure.line_at(number)
    if re.search(r"\w:\S", line):
        return "a space is missing after the colon", (number, column)
    return "a key, a colon and a space are expected: the colon is missing", (number, column)


def unclosed_quote(failure: Failure) -> Remedy:
    number, column = failure.since or failure.at
    quote = failure.line_at(number)[column : column + 1]
    return f"the text that begins with {quote} here does not end: a {quote} is missing", (number, column)


def open_bracket(failure: Failure) -> Remedy:
    number, column = failure.since or failure.at
    bracket = failure.line_at(number)[column : column + 1]
    closing = {"[": "]", "{": "}"}.get(bracket, "]")
    remedy = f"a comma or a {closing} is missing"
    if failure.at[0] == number:
        return f"{remedy} here; a value with {{, }}, [, ] or a comma in it needs quotes", failure.at
    return f"what begins with {bracket} here does not end where it should: {remedy}", (number, column)


def not_ended(failure: Failure) -> Remedy:
    """Something follows a value, or a line is indented like none before it."""
    number, start = start_of(failure, failure.at[0])
    if failure.before.strip() and failure.before.rstrip()[-1] in "'\"]}":
        return f"something follows what ended with {failure.before.rstrip()[-1]}: {_QUOTES}", failure.at
    if re.match(r"-\w", failure.line[start:]):
        return "a space is missing after the dash", (number, start)
    if "'-'" in failure.problem:
        return f"a dash that belongs to no list: dashes of a list stand under each other, and {_INDENT}", failure.at
    return f"this line is indented like none of those above that it could belong to: {_INDENT}", (number, start)


def block_scalar(failure: Failure) -> Remedy:
    number, column = failure.since or failure.at
    before = failure.line_at(number)[:column].rstrip()
    if before[-1:] in ("'", '"'):
        return f"something follows what ended with {before[-1:]}: {_QUOTES}", (number, column)
    mark = failure.line_at(number)[column : column + 1]
    return f"a value cannot begin with {mark}: {_QUOTES}", (number, column)


def said(message: str) -> Callable[[Failure], Remedy]:
    return lambda failure: (message, failure.at)


#: What ruamel.yaml says -> what we say of it. The first that fits.
TRAPS: tuple[tuple[str, Callable[[Failure], Remedy]], ...] = (
    ("that cannot start any token", odd_character),
    ("mapping values are not allowed here", second_colon),
    ("could not find expected ':'", no_colon),
    ("found unexpected end of stream", unclosed_quote),
    ("expected ',' or", open_bracket),
    ("indentation indicators", block_scalar),
    ("expected <block end>", not_ended),
    ("sequence entries are not allowed", said("a list begins in a line of its own, or stands between [ and ]")),
    ("expected the node content", said(f"a value cannot begin with this: {_QUOTES}")),
    ("found undefined alias", said(f"a value that begins with * refers to an anchor, and there is none: {_QUOTES}")),
    ("unknown escape character", said("between double quotes \\ has a meaning of its own: use single quotes")),
    ("found another document", said("one file is one source: drop the line ---")),
)
