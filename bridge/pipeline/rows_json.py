"""Rows as JSON: one value a line, or the elements of one array. Each is read as the body of a webhook would be."""

import codecs
import json
import re
from collections.abc import Callable, Iterator, Mapping
from io import BufferedReader
from typing import IO, Any, Final

from bridge import payload
from bridge.errors import FileError, NotThisShapeError
from bridge.pipeline.row import PROBLEM, Form, Lines, Row, not_utf8, too_large

#: In a file of rejects: a row that is no object, and one that is not JSON.
VALUE: Final = "backfill_row"
TEXT: Final = "backfill_text"

CHUNK = 1 << 16
#: Where looking for the end of an element ends.
MOST_SEARCHED = 16 << 20

#: Finds where a value ends, and makes nothing of numbers: how they are read must not depend on the form of a file.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_SPACE = re.compile(r"[ \t\n\r]*")


def lines(stream: BufferedReader, most: int) -> Iterator[Row]:
    """JSON lines. A bad first line means that this is something else: raises FileError."""
    for line in Lines(stream, most):
        text = line.text.strip()
        if not text:
            continue
        row = row_of(f"line {line.number}", text, most) if line.is_whole else cut(f"line {line.number}", text, most)
        if line.number == 1 and row.problem and line.is_whole:
            raise FileError(f"line 1: {row.problem}. Rows are one JSON value a line, the elements of an array, or CSV")
        yield row


def array(stream: BufferedReader, most: int) -> Iterator[Row]:
    """The elements of an array. Raises FileError where it is broken: nobody can tell where the next element begins."""
    window = Window(stream)
    if window.sign() != "[":
        raise FileError("this is no JSON array: it does not begin with [")
    window.at += 1
    number = 0
    end = window.sign()
    while end != "]":
        number += 1
        yield row_of(f"element {number}", window.value(f"element {number}", max(most, MOST_SEARCHED)), most)
        end = window.sign()
        if end not in (",", "]"):
            raise FileError(f"after element {number} the array is broken: , or ] was expected")
        window.at += end == ","
    window.at += 1
    if window.sign():
        raise FileError(f"something follows the array of {number} elements")


READERS: Mapping[Form, Callable[[BufferedReader, int], Iterator[Row]]] = {Form.LINES: lines, Form.ARRAY: array}


class Window:
    """A part of a stream's text: it grows at its end, and what is done with falls off."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()
        #: Bytes that were read.
        self.read = 0
        self.text = ""
        #: Where in `text` we stand.
        self.at = 0

    def grow(self) -> bool:
        """Twice as much, so that a long value is not searched too often. False at the end. Raises FileError."""
        raw = self.stream.read(max(CHUNK, len(self.text) - self.at))
        before = self.read - len(self.decoder.getstate()[0])
        try:
            more = self.decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            raise not_utf8("the array", before + error.start) from None
        self.read += len(raw)
        self.text, self.at = self.text[self.at :] + more, 0
        return bool(raw)

    def sign(self) -> str:
        """Go to the next character that is no white space. Empty at the end."""
        while True:
            if match := _SPACE.match(self.text, self.at):
                self.at = match.end()
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.grow():
                return ""

    def value(self, name: str, most: int) -> str:
        """The text of the value that begins after white space, and go to its end. Raises FileError."""
        self.sign()
        while True:
            try:
                _, end = _DECODER.raw_decode(self.text, self.at)
            except RecursionError:
                raise FileError(f"{name} is nested too deep") from None
            except ValueError:
                end = len(self.text)
            # A value is complete when something follows it: a number might go on.
            if end < len(self.text):
                found, self.at = self.text[self.at : end], end
                return found
            if len(self.text) - self.at > most or not self.grow():
                raise FileError(f"{name} is not JSON, is not complete, or is larger than {most} bytes")


def row_of(place: str, text: str, most: int) -> Row:
    raw = text.encode()
    size = len(raw)
    try:
        value = payload.parse(raw, "the row")
        if isinstance(value, dict) and isinstance(value.get(TEXT), str):
            text = value[TEXT]
            value = payload.parse(text.encode(), "the row")
    except NotThisShapeError as error:
        return Row(place, None, {TEXT: text}, size, str(error))
    value = value.get(VALUE, without_problem(value)) if isinstance(value, dict) else value
    given = value if isinstance(value, dict) else {VALUE: value}
    return Row(place, value, given, size, too_large(most) if size > most else None)


def cut(place: str, text: str, most: int) -> Row:
    return Row(place, None, {TEXT: text}, len(text), f"{too_large(most)}, and only its beginning is here")


def without_problem(value: dict[str, Any]) -> dict[str, Any]:
    return {key: inner for key, inner in value.items() if key != PROBLEM} if PROBLEM in value else value
