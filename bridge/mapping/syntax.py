"""Why a text is no JMESPath expression, and what to write instead, for those who come from other languages."""

import json
import re
from collections.abc import Iterator

from jmespath.exceptions import LexerError, ParseError

from bridge.mapping.values import is_uuid
from bridge.payload import exact_float

#: What stands before, what stands where the text cannot be read on, and what to write instead. The first one fits.
REMEDIES = (
    (
        r"",
        r"[\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u00b4]",
        "a typographic quote: text goes between straight single quotes, as in 'gold'",
    ),
    (
        r"",
        r"[\u00a0\u2007\u202f\u200b\ufeff]",
        "an invisible character, as word processors put it: type this space anew",
    ),
    (r"\[$", r"['\"]", 'a key follows a dot: data.key, or data."odd key" in double quotes'),
    (r"\.$", r"\.", "one dot leads to the next key"),
    (r"<$", r">", "different is !="),
    (r"\bnot$", r"[\w('\"]", "not is written !"),
    (r"\{$", r"\{", "paths stand alone here: drop the {{ and }}"),
    (r"'\w+$", r"\w", "a quote within text is written \\'"),
    (r"", r"=", "two are compared with =="),
    (r"", r"\?\.|\?\[", "paths need no question mark: what is not there is null"),
    (r"", r"\?\?", "a fallback is coalesce(path, 'text')"),
    (r"", r"\?", "there is no ? and : here: write condition && value || other"),
    (r"", r"(?i:and)\b", "and is written &&"),
    (r"", r"(?i:or)\b", "or is written ||"),
    (r"", r"(?i:not)\b", "not is written !"),
    (r"", r"(?i:in)\b", "whether a list or a text has it is contains(list, value)"),
    (r"", r"(?i:is)\b", "two are compared with =="),
    (r"", r"\$", "a path begins at the payload itself: drop the $"),
    (r"", r"\+", "a sum is add(a, b), and joined text is concat(a, b)"),
    (r"", r"//", "an address is a text and no path: as a constant it is {value: ...}"),
    (r"", r"/", "a quotient is divide(a, b)"),
    (r"", r"%", "a text that is always the same is {value: ...}"),
    (r"", r"\*", "a product is multiply(a, b)"),
    (r"", r"~", "a pattern is matches(text, 'pattern')"),
)
_REMEDIES = tuple((re.compile(before), re.compile(here), remedy) for before, here, remedy in REMEDIES)

#: What is said where an id stands in the place of a path.
ITSELF = """this is an id itself: write the path that leads to one in the event, or "'{}'" if it is always the same"""

_NUMBER = re.compile(r"-?[0-9]")
_WHOLE = re.compile(r"-?[0-9]+")
_FIRST_WORD = re.compile(r"[\w-]*")
_LAST_WORD = re.compile(r"[\w-]*$")
_LITERAL = re.compile(r"`((?:\\.|[^`\\])*)`")


def reason(text: str, error: ParseError) -> tuple[str, int]:
    """What is wrong, and at which character."""
    if is_uuid(text.strip()):
        return ITSELF.format(text.strip()), 0
    offset = min(error.lex_position or 0, len(text))
    rest, before = text[offset:], text[:offset].rstrip()
    if isinstance(error, LexerError) and "Unclosed" in error.message:
        return unclosed(rest[:1], before), offset
    if isinstance(error, LexerError) and rest.startswith("`"):
        return bad_literal(text)[0], offset
    if not rest:
        return f"it ends too early{missing(text)}", offset
    if remedy := known(rest, before):
        return f"{token(error, rest)}: {remedy}", offset
    return token(error, rest), offset


def token(error: ParseError, rest: str) -> str:
    if isinstance(error, LexerError):
        return f"Unknown token {rest[:1]!r}"
    return f"{error.token_value!r} does not belong there"


def known(rest: str, before: str) -> str | None:
    """The remedy for what stands there, after what stands before it."""
    if _NUMBER.match(rest):
        return number(rest, before)
    if rest[0] == "-" and (word := f"{ending(before)}{beginning(rest)}") != "-":
        return f'a name with a hyphen goes between double quotes, as in "{word}"; a difference is subtract(a, b)'
    if rest[0].isalpha() and not rest[0].isascii():
        return f'a name with such a letter goes between double quotes, as in "{ending(before)}{beginning(rest)}"'
    return next((remedy for before_, here, remedy in _REMEDIES if before_.search(before) and here.match(rest)), None)


def ending(before: str) -> str:
    return match[0] if (match := _LAST_WORD.search(before)) else ""


def beginning(rest: str) -> str:
    return match[0] if (match := _FIRST_WORD.match(rest)) else ""


def number(rest: str, before: str) -> str:
    word = beginning(rest)
    if before.endswith(".") and word.isdigit():
        return f"an index goes between brackets, as in [{word}]; {quoted(word)}"
    if _WHOLE.fullmatch(word):
        return f"a number goes between backticks, as in `{word}`; {quoted(word)}"
    return quoted(word)


def quoted(word: str) -> str:
    return f'a key that begins with a digit goes between double quotes, as in "{word}"'


def unclosed(quote: str, before: str) -> str:
    within = "; a quote within text is written \\'" if quote == "'" in before else ""
    return f"it ends too early: what begins with {quote} here does not end{within}"


def missing(text: str) -> str:
    """Which bracket was opened and never closed, outside of quotes."""
    bare = re.sub(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`(?:\\.|[^`\\])*`", "", text)
    for left, right in ("()", "[]", "{}"):
        if bare.count(left) > bare.count(right):
            return f": a {right} is missing"
    return ""


def bad_literal(text: str) -> tuple[str, int]:
    """The first text between backticks that is no JSON, and where it is."""
    for match in _LITERAL.finditer(text):
        try:
            json.loads(match[1].replace("\\`", "`"))
        except ValueError:
            return "what stands between backticks must be JSON: text goes between single quotes", match.start()
    return "what stands between backticks must be JSON: text goes between single quotes", 0


def inexact_literals(text: str) -> Iterator[tuple[str, int]]:
    """The literals with a number that a double cannot hold, each as a message and where it is."""
    for match in _LITERAL.finditer(text):
        numbers: list[str] = []
        json.loads(match[1].replace("\\`", "`"), parse_float=numbers.append)
        if any(isinstance(exact_float(number), str) for number in numbers):
            yield "this number has more digits than a literal keeps: write it between single quotes", match.start()
