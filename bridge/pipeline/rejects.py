"""Rows that did not become events, as a file of the same form, so that it can be corrected and fed back."""

import csv
import io
from typing import IO

import orjson

from bridge.pipeline.row import PROBLEM, Form, Row
from bridge.pipeline.rows import Sheet


class Rejects:
    """Each row as it came, with what is wrong before it: a first column, or a key."""

    def __init__(self, stream: IO[bytes], sheet: Sheet, delimiter: str = ",") -> None:
        self.stream = stream
        self.form = sheet.form
        self.delimiter = delimiter
        self.count = 0
        if self.form is Form.CSV:
            self.stream.write(self.line([PROBLEM, *sheet.header]))

    def add(self, row: Row, problem: str) -> None:
        self.stream.write(self.separator() + self.written(row, problem))
        self.count += 1

    def end(self) -> None:
        if self.form is Form.ARRAY:
            self.stream.write(b"\n]\n" if self.count else b"[]\n")
        self.stream.flush()

    def separator(self) -> bytes:
        if self.form is not Form.ARRAY:
            return b""
        return b",\n" if self.count else b"[\n"

    def written(self, row: Row, problem: str) -> bytes:
        if self.form is Form.CSV:
            return self.line([problem, *row.given])
        value = orjson.dumps({PROBLEM: problem, **row.given})
        return value if self.form is Form.ARRAY else value + b"\n"

    def line(self, cells: list[str]) -> bytes:
        text = io.StringIO()
        csv.writer(text, delimiter=self.delimiter, lineterminator="\n").writerow(cells)
        return text.getvalue().encode()
